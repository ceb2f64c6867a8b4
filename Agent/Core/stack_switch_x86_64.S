// sp_call_on_stack(top = rdi, function = rsi, argument = rdx); contract in sampler.h.
#if defined(__x86_64__)
	.section sp_every_tick, "ax", %progbits
	.globl	sp_call_on_stack
	.hidden	sp_call_on_stack
	.type	sp_call_on_stack, @function
sp_call_on_stack:
	.cfi_startproc
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	movq	%rdi, %rsp
	andq	$-16, %rsp
	movq	%rdx, %rdi
	callq	*%rsi
	movq	%rbp, %rsp
	popq	%rbp
	.cfi_def_cfa %rsp, 8
	retq
	.cfi_endproc
	.size	sp_call_on_stack, . - sp_call_on_stack
#endif
// Also where the file is empty: an object without this note makes every stack of the process executable.
	.section .note.GNU-stack, "", %progbits
