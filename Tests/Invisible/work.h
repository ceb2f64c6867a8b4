// CPU time of a known amount, for programs that must not notice the agent. What they print must be the same in every run.
#ifndef WORK_H
#define WORK_H

#include <stdint.h>
#include <time.h>

static volatile uint64_t work_sink;

static inline double cpu_of(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// Uses so many CPU seconds of the calling thread.
__attribute__((noinline, unused)) static void work(double seconds) {
  double end = cpu_of(CLOCK_THREAD_CPUTIME_ID) + seconds;
  do
    for (int i = 0; i < 20000; i++) work_sink = work_sink * 6364136223846793005u + 1442695040888963407u;
  while (cpu_of(CLOCK_THREAD_CPUTIME_ID) < end);
}

#endif
