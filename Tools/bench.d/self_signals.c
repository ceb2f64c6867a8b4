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

static volatile long sink;
static double least = 1e9;

__attribute__((noinline)) static void measure(void) {
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
  tick_begin();
  // Beside recurse: measure, main and three of the C library's and the program's start. (The library stands in for syscall().)
  sink = recurse(argc > 1 ? atoi(argv[1]) - 6 : 34);
  printf("%.0f\n", least);
  return 0;
}
