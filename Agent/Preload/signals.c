// The calls by which a program could take SIGPROF or ITIMER_PROF from under the agent, or see that it is taken.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "agent_core.h"
#include "interpose.h"
#include "next.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations" // they are old, and still called

// glibc's own, by names that are not interposed and that another C library lacks.
extern int __sigaction(int number, const struct sigaction *action, struct sigaction *old) __attribute__((weak));
extern __sighandler_t ssignal(int number, __sighandler_t handler) __attribute__((weak));

static _Atomic(void *) next_sigaction, next_signal, next_siginterrupt;

SP_EXPORT int sigaction(int number, const struct sigaction *restrict action, struct sigaction *restrict old) {
  if (sp_program_signals_taken())
    return number == SIGPROF ? sp_program_sigaction(action, old) : sp_program_other_sigaction(number, action, old);
  if (__sigaction != NULL) return __sigaction(number, action, old);
  return ((__typeof(sigaction) *)sp_next(&next_sigaction, "sigaction"))(number, action, old);
}

SP_EXPORT __sighandler_t signal(int number, __sighandler_t handler) {
  if (ssignal == NULL) return ((__typeof(signal) *)sp_next(&next_signal, "signal"))(number, handler);
  if (number != SIGPROF || !sp_program_signals_taken()) return ssignal(number, handler);
  struct sigaction action, old;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = sp_program_interrupts() ? 0 : SA_RESTART;
  sp_set_add(&action.sa_mask, SIGPROF);
  if (handler == SIG_ERR) {
    errno = EINVAL;
    return SIG_ERR;
  }
  sp_program_sigaction(&action, &old);
  return old.sa_handler;
}

SP_EXPORT __sighandler_t bsd_signal(int number, __sighandler_t handler) { return signal(number, handler); }

// System V's: the handler is good for one signal, which it does not block.
static __sighandler_t set_once(int number, __sighandler_t handler) {
  struct sigaction action, old;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = (int)(SA_RESETHAND | SA_NODEFER);
  if (handler == SIG_ERR) {
    errno = EINVAL;
    return SIG_ERR;
  }
  return sigaction(number, &action, &old) == 0 ? old.sa_handler : SIG_ERR;
}

SP_EXPORT __sighandler_t sysv_signal(int number, __sighandler_t handler) { return set_once(number, handler); }
// The name that <signal.h> turns signal() into under _XOPEN_SOURCE.
SP_EXPORT __sighandler_t __sysv_signal(int number, __sighandler_t handler) { return set_once(number, handler); }

SP_EXPORT int sigaltstack(const stack_t *restrict stack, stack_t *restrict old) {
  if (stack != NULL && sp_program_signals_taken()) sp_program_sigaltstack(stack);
  return (int)sp_call(SYS_sigaltstack, (long)stack, (long)old, 0, 0, 0);
}

// What pthread_sigmask and sigprocmask have in common. 0 or an errno.
static int change_mask(int how, const sigset_t *set, sigset_t *old) {
  if (sp_program_signals_taken()) return sp_program_sigmask(how, set, old);
  return sp_call(SYS_rt_sigprocmask, how, (long)set, (long)old, _NSIG / 8, 0) == 0 ? 0 : errno;
}

SP_EXPORT int pthread_sigmask(int how, const sigset_t *restrict set, sigset_t *restrict old) {
  int saved = errno;
  int error = change_mask(how, set, old);
  errno = saved;
  return error;
}

SP_EXPORT int sigprocmask(int how, const sigset_t *restrict set, sigset_t *restrict old) {
  int error = change_mask(how, set, old);
  if (error == 0) return 0;
  errno = error;
  return -1;
}

SP_EXPORT int siginterrupt(int number, int interrupt) {
  if (number == SIGPROF && sp_program_signals_taken()) {
    sp_program_siginterrupt(interrupt != 0);
    return 0;
  }
  __typeof(siginterrupt) *function = (__typeof(siginterrupt) *)sp_next(&next_siginterrupt, "siginterrupt");
  if (function != NULL) return function(number, interrupt);
  errno = ENOSYS;
  return -1;
}

// Blocks or unblocks one signal; -1 and errno as the C library's.
static int change_one(int how, int number, sigset_t *old) {
  sigset_t set;
  if (!sp_is_signal(number)) {
    errno = EINVAL;
    return -1;
  }
  sp_set_clear(&set);
  sp_set_add(&set, number);
  return sigprocmask(how, &set, old);
}

SP_EXPORT int sighold(int number) { return change_one(SIG_BLOCK, number, NULL); }
SP_EXPORT int sigrelse(int number) { return change_one(SIG_UNBLOCK, number, NULL); }

SP_EXPORT int sigignore(int number) {
  struct sigaction action = {.sa_handler = SIG_IGN};
  return sigaction(number, &action, NULL);
}

SP_EXPORT __sighandler_t sigset(int number, __sighandler_t handler) {
  struct sigaction action = {.sa_handler = handler}, old;
  sigset_t mask;
  if (handler == SIG_ERR || number < 1 || number >= NSIG) {
    errno = EINVAL;
    return SIG_ERR;
  }
  bool holds = handler == SIG_HOLD;
  if (holds && change_one(SIG_BLOCK, number, &mask) < 0) return SIG_ERR;
  if (sigaction(number, holds ? NULL : &action, &old) < 0) return SIG_ERR;
  if (!holds && change_one(SIG_UNBLOCK, number, &mask) < 0) return SIG_ERR;
  return sp_set_has(&mask, number) ? SIG_HOLD : old.sa_handler;
}

// What BSD's sigblock and sigsetmask have in common: masks of 32 bits.
static int change_word(int how, int word) {
  sigset_t set, old;
  unsigned bits = (unsigned)word;
  sp_set_clear(&set);
  memcpy(&set, &bits, sizeof bits);
  if (sigprocmask(how, &set, &old) < 0) return -1;
  memcpy(&bits, &old, sizeof bits);
  return (int)bits;
}

SP_EXPORT int sigblock(int mask) { return change_word(SIG_BLOCK, mask); }
SP_EXPORT int sigsetmask(int mask) { return change_word(SIG_SETMASK, mask); }
SP_EXPORT int siggetmask(void) { return change_word(SIG_BLOCK, 0); }

SP_EXPORT int setitimer(__itimer_which_t which, const struct itimerval *restrict value, struct itimerval *restrict old) {
  if (which == ITIMER_PROF && sp_program_signals_taken()) return sp_program_setitimer(value, old);
  return (int)sp_call(SYS_setitimer, which, (long)value, (long)old, 0, 0);
}

SP_EXPORT int getitimer(__itimer_which_t which, struct itimerval *value) {
  if (which == ITIMER_PROF && sp_program_signals_taken()) return sp_program_getitimer(value);
  return (int)sp_call(SYS_getitimer, which, (long)value, 0, 0, 0);
}
