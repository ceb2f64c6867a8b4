// self_signals FRAMES: nanoseconds of a SIGPROF that a program sends to itself with FRAMES frames on its stack, the least of many
// rounds. With the library loaded the signal is one of its ticks; else a handler reads the thread's CPU clock and does nothing more.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tick.h"

enum { ROUNDS = 200, SIGNALS = 2000 };

static siginfo_t tick = {.si_signo = SIGPROF, .si_code = SI_TIMER};
static volatile long sink;
static double least = 1e9;

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void read_clock(int number, siginfo_t *info, void *context) {
  struct timespec t;
  (void)number, (void)info, (void)context;
  syscall(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, &t);
}

static void measure(void) {
  long pid = getpid(), tid = syscall(SYS_gettid);
  for (int round = 0; round < ROUNDS; round++) {
    double begin = now_ns();
    for (int i = 0; i < SIGNALS; i++) syscall(SYS_rt_tgsigqueueinfo, pid, tid, SIGPROF, &tick);
    double cost = (now_ns() - begin) / SIGNALS;
    if (cost < least) least = cost;
  }
}

__attribute__((noinline)) static long recurse(int depth) {
  if (depth > 0) return recurse(depth - 1) * 3 + sink;
  measure();
  return sink;
}

int main(int argc, char **argv) {
  tick.si_value.sival_ptr = tick_cookie(getpid());
  if (tick.si_value.sival_ptr == NULL) {
    struct sigaction action = {.sa_sigaction = read_clock, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    sigaction(SIGPROF, &action, NULL);
  }
  // Beside recurse: syscall, measure, main and three of the C library's and the program's start.
  sink = recurse(argc > 1 ? atoi(argv[1]) - 7 : 33);
  printf("%.0f\n", least);
  return 0;
}
