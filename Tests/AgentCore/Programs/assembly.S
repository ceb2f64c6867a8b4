// Assembly as it is written for speed: no call frame information, and the stack used as one likes.
	.text
	.globl	assembly_begin, assembly_end
	.p2align 4
assembly_begin:

// Registers saved by pushes and by moves, a loop with its end in the middle, a way out that is a jump away.
	.globl	assembly_pushes
assembly_pushes:
	endbr64
	pushq	%rbx
	pushq	%r12
	subq	$40, %rsp
	movq	%rbp, 16(%rsp)
	movl	$3, %ebp
	movq	%rdi, %r12
1:	decl	%ebp
	js	2f
	lock addq	$1, 8(%rsp)
	imulq	$31, %r12, %rbx
	movq	%rbx, %r12
	movl	%fs:0, %eax
	jmp	1b
2:	leaq	(%r12, %rbx, 2), %rax
	movzbl	%al, %ecx
	movq	16(%rsp), %rbp
	jmp	3f
	ud2
3:	addq	$40, %rsp
	popq	%r12
	popq	%rbx
	rep ret

// The stack aligned, the stack pointer kept in memory.
	.globl	assembly_aligned
assembly_aligned:
	pushq	%r14
	movq	%rsp, %rax
	andq	$-64, %rsp
	subq	$192, %rsp
	movq	%rax, 128(%rsp)
	pxor	%xmm0, %xmm0
	movdqa	%xmm0, 64(%rsp)
	pinsrw	$3, %edi, %xmm0
	pextrw	$3, %xmm0, %r14d
	movl	$2, %ecx
1:	pslldq	$1, %xmm0
	pshufd	$0x1b, %xmm0, %xmm1
	loop	1b
	movq	%xmm1, %rax
	movq	128(%rsp), %rsp
	popq	%r14
	ret

// A frame pointer, a stack pointer that is lost, and a call of a function that leaves alone what it likes.
	.globl	assembly_calls
assembly_calls:
	pushq	%rbp
	movq	%rsp, %rbp
	pushq	%rbx
	subq	%rdi, %rsp
	andq	$-32, %rsp
	movq	%rsp, %rcx
	andq	$-64, %rsp
	subq	$64, %rsp
	call	assembly_inner
	leal	(%ecx, %ebx), %eax
	addr32 leal	(%ecx, %ebx), %eax
	movq	%rcx, %rsp
	call	assembly_inner
	movq	-8(%rbp), %rbx
	leave
	ret

// Not a C function: rbx is changed, rcx is not.
assembly_inner:
	movl	$5, %ebx
	pushq	$7
	popq	%rax
	testl	%eax, %eax
	jz	assembly_pushes
	ret

// On to a C function.
	.globl	assembly_tail
assembly_tail:
	xorl	%eax, %eax
	addq	$1, %rdi
	jmp	assembly_target
assembly_end:
	.section .note.GNU-stack, "", @progbits
