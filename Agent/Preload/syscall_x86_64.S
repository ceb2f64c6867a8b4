// syscall(number, ...): as the C library's, on the caller's stack alone, so that also what returns twice works. A few calls are left to
// sp_syscall_watched, with the same arguments.
#if defined(__x86_64__)
#include <sys/syscall.h>
	.text
	.globl	syscall
	.type	syscall, @function
syscall:
	.cfi_startproc
	endbr64
	cmpq	$SYS_execve, %rdi
	je	sp_syscall_watched
	cmpq	$SYS_execveat, %rdi
	je	sp_syscall_watched
	cmpq	$SYS_prctl, %rdi
	je	sp_syscall_watched
	cmpq	$SYS_seccomp, %rdi
	je	sp_syscall_watched
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	movq	%r8, %r10
	movq	%r9, %r8
	movq	8(%rsp), %r9
	syscall
	cmpq	$-4095, %rax
	jae	1f
	ret
1:	movq	%rax, %rdi
	jmp	sp_syscall_error
	.cfi_endproc
	.size	syscall, . - syscall
#endif
// Also where the file is empty: an object without this note makes every stack of the process executable.
	.section .note.GNU-stack, "", %progbits
