// ptrace(PTRACE_TRACEME): from then on each signal stops the thread, and its tracer sees it. A tick would too: none comes before the next program.
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "agent_core.h"
#include "interpose.h"

SP_EXPORT long ptrace(enum __ptrace_request request, ...) {
  va_list list;
  va_start(list, request);
  long pid = va_arg(list, long), address = va_arg(list, long), data = va_arg(list, long), word = 0;
  va_end(list);
  // The kernel stores what these read; the C library returns it.
  bool peeks = request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER;
  bool stopped = request == PTRACE_TRACEME && sp_lifecycle_traced();
  long result = sp_call(SYS_ptrace, request, (int)pid, address, peeks ? (long)&word : data, 0);
  if (result >= 0 && peeks) {
    errno = 0;
    return word;
  }
  if (result < 0 && stopped) {
    int error = errno;
    sp_lifecycle_traced_failed();
    errno = error;
  }
  return result;
}
