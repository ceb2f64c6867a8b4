// What a process finds of signals and timers that it may have inherited.
#ifndef INHERITED_H
#define INHERITED_H

#include <signal.h>
#include <sys/time.h>

struct inherited {
  sigset_t blocked, pending;
  struct sigaction action; // of SIGPROF
  int timer;               // ITIMER_PROF runs
};

static inline struct inherited find_inherited(void) {
  struct inherited found;
  struct itimerval timer;
  sigprocmask(SIG_BLOCK, NULL, &found.blocked);
  sigpending(&found.pending);
  sigaction(SIGPROF, NULL, &found.action);
  getitimer(ITIMER_PROF, &timer);
  found.timer = timer.it_value.tv_sec || timer.it_value.tv_usec || timer.it_interval.tv_usec;
  return found;
}

#endif
