// The calls that wait under a signal mask of their own, which may admit a SIGPROF that the thread blocks: a daemon's way to take signals
// one at a time. The C library makes them (a thread can be canceled in them); the agent is told before and after.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "agent_core.h"
#include "interpose.h"
#include "next.h"

// glibc's own, by names that are not interposed and that another C library lacks.
extern int __sigsuspend(const sigset_t *mask) __attribute__((weak));
extern void __chk_fail(void) __attribute__((noreturn, weak));

// What is above, in the order of `names`.
enum call { PPOLL, PSELECT, EPOLL_PWAIT, EPOLL_PWAIT2, SIGSUSPEND, CALLS };
static _Atomic(void *) found[CALLS];

// The C library's function.
static void *next(enum call call) {
  static const char *const names[CALLS] = {"ppoll", "pselect", "epoll_pwait", "epoll_pwait2", "sigsuspend"};
  return sp_next(&found[call], names[call]);
}

// Makes a call by its function, or fails where the C library has none.
#define WAIT(type, call, mask, ...)           \
  type *function = (type *)next(call);        \
  if (function == NULL) {                     \
    errno = ENOSYS;                           \
    return -1;                                \
  }                                           \
  sp_program_wait(mask);                      \
  int result = function(__VA_ARGS__);         \
  sp_program_wait(NULL);                      \
  return result

SP_EXPORT int sigsuspend(const sigset_t *mask) {
  sp_program_wait(mask);
  int result = __sigsuspend != NULL ? __sigsuspend(mask) : ((__typeof(sigsuspend) *)next(SIGSUSPEND))(mask);
  sp_program_wait(NULL);
  return result;
}

SP_EXPORT int ppoll(struct pollfd *descriptors, nfds_t count, const struct timespec *time, const sigset_t *mask) {
  WAIT(__typeof(ppoll), PPOLL, mask, descriptors, count, time, mask);
}

// What ppoll() is under _FORTIFY_SOURCE.
SP_EXPORT int __ppoll_chk(struct pollfd *descriptors, nfds_t count, const struct timespec *time, const sigset_t *mask, size_t size) {
  if (size / sizeof *descriptors < count) __chk_fail();
  return ppoll(descriptors, count, time, mask);
}

SP_EXPORT int pselect(int count, fd_set *restrict in, fd_set *restrict out, fd_set *restrict except, const struct timespec *restrict time,
                      const sigset_t *restrict mask) {
  WAIT(__typeof(pselect), PSELECT, mask, count, in, out, except, time, mask);
}

SP_EXPORT int epoll_pwait(int descriptor, struct epoll_event *events, int most, int ms, const sigset_t *mask) {
  WAIT(__typeof(epoll_pwait), EPOLL_PWAIT, mask, descriptor, events, most, ms, mask);
}

typedef int epoll_pwait2_function(int, struct epoll_event *, int, const struct timespec *, const sigset_t *);
SP_EXPORT int epoll_pwait2(int descriptor, struct epoll_event *events, int most, const struct timespec *time, const sigset_t *mask) {
  WAIT(epoll_pwait2_function, EPOLL_PWAIT2, mask, descriptor, events, most, time, mask);
}

// sigpause in its two meanings: a mask of 32 bits, or a signal to be taken out of the thread's mask.
SP_EXPORT int __sigpause(int number_or_mask, int is_number) {
  sigset_t set;
  if (is_number) {
    sigprocmask(SIG_BLOCK, NULL, &set);
    if (!sp_is_signal(number_or_mask)) {
      errno = EINVAL;
      return -1;
    }
    sp_set_remove(&set, number_or_mask);
  } else {
    sp_set_clear(&set);
    memcpy(&set, &number_or_mask, sizeof number_or_mask);
  }
  return sigsuspend(&set);
}

extern int sp_sigpause_mask(int mask) __asm__("sigpause"); // <signal.h> gives this name to the other
extern int sp_sigpause_number(int number) __asm__("__xpg_sigpause");
SP_EXPORT int sp_sigpause_mask(int mask) { return __sigpause(mask, 0); }
SP_EXPORT int sp_sigpause_number(int number) { return __sigpause(number, 1); }
