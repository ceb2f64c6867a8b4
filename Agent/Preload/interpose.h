// What the library shows to the dynamic linker: the C API, and the C library's functions that it stands in for.
#ifndef SP_INTERPOSE_H
#define SP_INTERPOSE_H

#include <errno.h>

#include "agent_core.h"

#define SP_EXPORT __attribute__((visibility("default")))

// A system call of the program's own, with errno. (syscall() would be this library's.)
static inline long sp_call(long n, long a, long b, long c, long d, long e) {
  long result = sp_program_syscall6(n, a, b, c, d, e, 0);
  if (!sp_syscall_failed(result)) return result;
  errno = (int)-result;
  return -1;
}

#endif
