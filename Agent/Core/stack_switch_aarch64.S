// sp_call_on_stack(top = x0, function = x1, argument = x2); contract in sampler.h.
#if defined(__aarch64__)
	.section sp_every_tick, "ax", %progbits
	.globl	sp_call_on_stack
	.hidden	sp_call_on_stack
	.type	sp_call_on_stack, %function
sp_call_on_stack:
	.cfi_startproc
	stp	x29, x30, [sp, #-16]!
	.cfi_def_cfa_offset 16
	.cfi_offset x29, -16
	.cfi_offset x30, -8
	mov	x29, sp
	.cfi_def_cfa_register x29
	and	x9, x0, #-16
	mov	sp, x9
	mov	x0, x2
	blr	x1
	mov	sp, x29
	ldp	x29, x30, [sp], #16
	.cfi_def_cfa sp, 0
	ret
	.cfi_endproc
	.size	sp_call_on_stack, . - sp_call_on_stack
#endif
// Also where the file is empty: an object without this note makes every stack of the process executable.
	.section .note.GNU-stack, "", %progbits
