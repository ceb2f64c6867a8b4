// syscall(number, ...): see syscall_x86_64.S.
#if defined(__aarch64__)
#include <sys/syscall.h>
	.text
	.globl	syscall
	.type	syscall, %function
syscall:
	.cfi_startproc
	cmp	x0, SYS_execve
	b.eq	sp_syscall_watched
	cmp	x0, SYS_execveat
	b.eq	sp_syscall_watched
	cmp	x0, SYS_prctl
	b.eq	sp_syscall_watched
	cmp	x0, SYS_seccomp
	b.eq	sp_syscall_watched
	mov	x8, x0
	mov	x0, x1
	mov	x1, x2
	mov	x2, x3
	mov	x3, x4
	mov	x4, x5
	mov	x5, x6
	svc	0
	cmn	x0, 4095
	b.hs	sp_syscall_error
	ret
	.cfi_endproc
	.size	syscall, . - syscall
#endif
// Also where the file is empty: an object without this note makes every stack of the process executable.
	.section .note.GNU-stack, "", %progbits
