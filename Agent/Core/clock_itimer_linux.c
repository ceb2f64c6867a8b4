#include <stddef.h>
#include <sys/time.h>

#include "clock.h"
#include "raw_syscall.h"

// Sets ITIMER_PROF by the system call, which the program cannot stand in for.
static void set_itimer(long interval_us, long first_us) {
  // The members are no longer than 10^6: frequencies start at 1.
  struct itimerval t = {
      .it_interval = {.tv_sec = interval_us / 1000000, .tv_usec = interval_us % 1000000},
      .it_value = {.tv_sec = first_us / 1000000, .tv_usec = first_us % 1000000},
  };
  sp_syscall3(SYS_setitimer, ITIMER_PROF, &t, NULL);
}

void sp_itimer_arm(uint32_t frequency, bool once) {
  long period = 1000000 / (long)frequency;
  // Due at once: a process that uses a tick leaves a trace, whatever the rate is.
  set_itimer(once ? 0 : period, 1);
}

void sp_itimer_disarm(void) { set_itimer(0, 0); }

bool sp_itimer_armed(void) {
  struct itimerval left;
  return sp_syscall2(SYS_getitimer, ITIMER_PROF, &left) == 0 &&
         (left.it_value.tv_sec | left.it_value.tv_usec | left.it_interval.tv_sec | left.it_interval.tv_usec) != 0;
}
