// witness HOW SECONDS: what a profiler's signal handler must not let the program see.
//   errno    stays what it was, between any two instructions
//   signals  other handlers run on the thread's own stack, however often signals come: none on a stack of the profiler's
//   actions  sigaction(SIGPROF) in a handler that interrupts sigaction(SIGPROF)
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "burn.h"

volatile uint64_t sink;
static double seconds;
static uintptr_t stack_low, stack_high;
static volatile int done, elsewhere, seen;

static int keeps_errno(void) {
  volatile int *own = &errno;
  double end = thread_cpu() + seconds;
  int changed = 0;
  while (thread_cpu() < end) {
    *own = 12345;
    SPIN(100000, 3u);
    changed += *own != 12345;
  }
  return changed;
}

static void on_signal(int number) {
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  seen += number > 0;
  if (here < stack_low || here >= stack_high) elsewhere++;
}

// Sends one kind of signal after the other to a thread that uses CPU all the while.
static void *bombard(void *target) {
  static const int numbers[] = {SIGUSR1, SIGUSR2, SIGALRM, SIGURG, SIGWINCH, SIGIO, SIGCHLD, SIGVTALRM};
  for (unsigned i = 0; !done; i++) pthread_kill(*(pthread_t *)target, numbers[i % (sizeof numbers / sizeof *numbers)]);
  return NULL;
}

static int handlers_elsewhere(void) {
  pthread_attr_t attributes;
  void *low;
  size_t size;
  pthread_t self = pthread_self(), sender;
  pthread_getattr_np(self, &attributes);
  pthread_attr_getstack(&attributes, &low, &size);
  stack_low = (uintptr_t)low;
  stack_high = stack_low + size;
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  for (int i = 1; i < SIGRTMIN; i++)
    if (i != SIGPROF && i != SIGKILL && i != SIGSTOP && i != SIGTERM && i != SIGINT) sigaction(i, &action, NULL);
  pthread_create(&sender, NULL, bombard, &self);
  burn(seconds);
  done = 1;
  pthread_join(sender, NULL);
  return seen < 1000 ? -1 : elsewhere;
}

static void set_action(int number) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = number == SIGALRM ? SA_RESTART : 0};
  sigaction(SIGPROF, &action, NULL);
}

static int actions_in_actions(void) {
  struct sigaction action = {.sa_handler = set_action, .sa_flags = SA_RESTART};
  struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &often, NULL);
  for (double end = thread_cpu() + seconds; thread_cpu() < end;)
    for (int i = 0; i < 1000; i++) set_action(0);
  setitimer(ITIMER_REAL, &never, NULL);
  sigaction(SIGPROF, NULL, &action);
  return action.sa_handler != on_signal;
}

int main(int argc, char **argv) {
  if (argc < 3) return 64;
  seconds = atof(argv[2]);
  int found = strcmp(argv[1], "errno") == 0     ? keeps_errno()
              : strcmp(argv[1], "signals") == 0 ? handlers_elsewhere()
                                                : actions_in_actions();
  printf("%d\n", found);
  return found != 0;
}
