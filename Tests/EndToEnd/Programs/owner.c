// owner HOW SECONDS: uses SIGPROF and ITIMER_PROF for its own ends, and says what it saw, as JSON.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "burn.h"

volatile uint64_t sink;
static volatile int ticks, foreign;

static void on_tick(int number, siginfo_t *info, void *context) {
  (void)context;
  if (number == SIGPROF && info->si_code == SI_KERNEL) ticks++;
  else foreign++;
}

int main(int argc, char **argv) {
  const char *how = argc > 1 ? argv[1] : "timer";
  double seconds = argc > 2 ? atof(argv[2]) : 0.5;
  struct sigaction action = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART}, before;
  struct itimerval timer = {{0, 20000}, {0, 20000}}, left = {{0, 0}, {0, 0}};

  sigaction(SIGPROF, NULL, &before);
  int was_default = before.sa_handler == SIG_DFL;
  getitimer(ITIMER_PROF, &left);
  int was_unset = left.it_value.tv_sec == 0 && left.it_value.tv_usec == 0 && left.it_interval.tv_usec == 0;

  if (strcmp(how, "timer") == 0) { // 50 ticks a CPU second, its own
    sigaction(SIGPROF, &action, NULL);
    setitimer(ITIMER_PROF, &timer, NULL);
    burn(seconds);
    getitimer(ITIMER_PROF, &left);
  } else if (strcmp(how, "one-shot") == 0) {
    timer.it_interval.tv_usec = 0;
    sigaction(SIGPROF, &action, NULL);
    setitimer(ITIMER_PROF, &timer, NULL);
    burn(seconds);
    getitimer(ITIMER_PROF, &left);
  } else if (strcmp(how, "ignored") == 0) { // an own disposition comes back as it was set
    signal(SIGPROF, SIG_IGN);
    burn(seconds);
    sigaction(SIGPROF, NULL, &before);
    was_default = before.sa_handler == SIG_IGN;
    for (int i = 0; i < 10; i++) kill(getpid(), SIGPROF);
  } else if (strcmp(how, "raised") == 0) { // sent by the program itself
    sigaction(SIGPROF, &action, NULL);
    for (int i = 0; i < 10; i++) raise(SIGPROF);
    burn(seconds);
  } else if (strcmp(how, "blocked") == 0) { // a mask reads as it was written
    sigset_t set, now;
    sigemptyset(&set);
    sigaddset(&set, SIGPROF);
    sigprocmask(SIG_BLOCK, &set, NULL);
    burn(seconds);
    sigprocmask(SIG_BLOCK, NULL, &now);
    ticks = sigismember(&now, SIGPROF);
  } else if (strcmp(how, "sleeps") == 0) { // no sleeping call comes back early
    for (int i = 0; i < 20; i++) {
      burn(seconds / 20);
      if (poll(NULL, 0, 5) != 0 || errno == EINTR) foreign++;
    }
  } else if (strcmp(how, "default") == 0) { // the program dies of its own timer, as it would alone
    setitimer(ITIMER_PROF, &timer, NULL);
    burn(seconds);
  }
  printf("{\"saw\":{\"ticks\":%d,\"foreign\":%d,\"was_default\":%d,\"was_unset\":%d,\"left_us\":%ld,\"interval_us\":%ld}}\n", ticks, foreign,
         was_default, was_unset, (long)left.it_value.tv_usec, (long)left.it_interval.tv_usec);
  return 0;
}
