// Work of a known amount, for the test programs.
#ifndef BURN_H
#define BURN_H

#include <stdint.h>
#include <time.h>

static inline double cpu_of(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline double thread_cpu(void) { return cpu_of(CLOCK_THREAD_CPUTIME_ID); }

extern volatile uint64_t sink;

// A loop without calls; `n` rounds of about a nanosecond.
#define SPIN(n, factor)                                                                                              \
  do {                                                                                                               \
    uint64_t spin_x = sink;                                                                                          \
    for (uint64_t spin_i = 0; spin_i < (n); spin_i++) spin_x = spin_x * (factor) + 1442695040888963407u;             \
    sink = spin_x;                                                                                                   \
  } while (0)

// CPU seconds of the calling thread, in steps of a fraction of a millisecond.
__attribute__((noinline, unused)) static void burn(double seconds) {
  double end = thread_cpu() + seconds;
  do SPIN(100000, 6364136223846793005u);
  while (thread_cpu() < end);
}

#endif
