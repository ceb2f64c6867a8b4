// The calls by which a program gives up system calls (seccomp) and the time stamp counter, and syscall(), by which it makes them and others that the agent must hear of.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent_core.h"
#include "interpose.h"

#ifndef SECCOMP_FILTER_FLAG_NEW_LISTENER
#define SECCOMP_FILTER_FLAG_NEW_LISTENER (1UL << 3)
#endif

// Makes a call that may give up others, of the calling thread or of `all`. `filter`: what it gives up, NULL for the strict mode.
static long give_up(const struct sock_fprog *filter, bool all, long n, long a, long b, long c, long d, long e) {
  struct sp_sandboxing before;
  sp_lifecycle_seccomp(filter, all, &before);
  long result = sp_call(n, a, b, c, d, e);
  // A thread that cannot be made to follow is no error: its number comes back.
  bool number = result > 0 && all && !(b & (long)SECCOMP_FILTER_FLAG_NEW_LISTENER);
  if (result < 0 || number) {
    int error = errno;
    sp_lifecycle_seccomp_failed(&before);
    errno = error;
  }
  return result;
}

// prctl() by its system call.
static long call_prctl(long a, long b, long c, long d, long e) {
  if (a == PR_SET_TSC && b == PR_TSC_SIGSEGV) sp_lifecycle_bar_counter();
  if (a == PR_SET_SECCOMP && b == SECCOMP_MODE_STRICT) return give_up(NULL, false, SYS_prctl, a, b, c, d, e);
  if (a == PR_SET_SECCOMP && b == SECCOMP_MODE_FILTER && c != 0)
    return give_up((const struct sock_fprog *)c, false, SYS_prctl, a, b, c, d, e);
  return sp_call(SYS_prctl, a, b, c, d, e);
}

static long call_seccomp(long a, long b, long c) {
  if (a == SECCOMP_SET_MODE_STRICT && b == 0 && c == 0) return give_up(NULL, false, SYS_seccomp, a, b, c, 0, 0);
  if (a == SECCOMP_SET_MODE_FILTER && c != 0)
    return give_up((const struct sock_fprog *)c, (b & SECCOMP_FILTER_FLAG_TSYNC) != 0, SYS_seccomp, a, b, c, 0, 0);
  return sp_call(SYS_seccomp, a, b, c, 0, 0);
}

SP_EXPORT int prctl(int option, ...) {
  va_list list;
  va_start(list, option);
  long b = va_arg(list, long), c = va_arg(list, long), d = va_arg(list, long), e = va_arg(list, long);
  va_end(list);
  return (int)call_prctl(option, b, c, d, e);
}

// What syscall() (syscall_*.S) does not make itself: SYS_execve, SYS_execveat, SYS_prctl and SYS_seccomp.
__attribute__((visibility("hidden"))) long sp_syscall_watched(long n, long a, long b, long c, long d, long e) {
  switch (n) {
  case SYS_execve: return execve((const char *)a, (char *const *)b, (char *const *)c);
  case SYS_execveat: return execveat((int)a, (const char *)b, (char *const *)c, (char *const *)d, (int)e);
  case SYS_prctl: return call_prctl(a, b, c, d, e);
  default: return call_seccomp(a, b, c);
  }
}

// What syscall() returns where the kernel has said -errno.
__attribute__((visibility("hidden"))) long sp_syscall_error(long result) {
  errno = (int)-result;
  return -1;
}
