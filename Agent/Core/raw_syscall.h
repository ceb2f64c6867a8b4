// System calls without libc: no errno, no cancellation point, no interposition.
//
// One that the program has given up by seccomp is not made but fails with -EPERM (sandbox.h); sp_program_syscall6 is for those that the
// program makes itself, through the agent.
//
// Async-signal-safe. Each returns what the kernel returns: a result, or -errno (-4095 ... -1).
#ifndef SP_RAW_SYSCALL_H
#define SP_RAW_SYSCALL_H

#include <stdbool.h>
#include <sys/syscall.h>

#include "sandbox.h"

// The system call `n` with six arguments; those that it does not take are ignored by the kernel.
#if defined(__x86_64__)
static inline long sp_program_syscall6(long n, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
static inline long sp_program_syscall6(long n, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = n;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}
#else
#error "no system call sequence for this machine"
#endif

static inline long sp_syscall6(long n, long a, long b, long c, long d, long e, long f) {
  return sp_may_call(n) ? sp_program_syscall6(n, a, b, c, d, e, f) : -1; // -EPERM
}

// Arguments are integers or pointers; each is passed as a long.
#define sp_syscall0(n) sp_syscall6((n), 0, 0, 0, 0, 0, 0)
#define sp_syscall1(n, a) sp_syscall6((n), (long)(a), 0, 0, 0, 0, 0)
#define sp_syscall2(n, a, b) sp_syscall6((n), (long)(a), (long)(b), 0, 0, 0, 0)
#define sp_syscall3(n, a, b, c) sp_syscall6((n), (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define sp_syscall4(n, a, b, c, d) sp_syscall6((n), (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define sp_syscall5(n, a, b, c, d, e) sp_syscall6((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

// Whether a result of sp_syscall* is -errno.
static inline bool sp_syscall_failed(long result) { return (unsigned long)result > -4096UL; }

#endif
