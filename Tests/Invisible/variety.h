// CPU time on ever different stacks, so that a trace grows quickly.
#ifndef VARIETY_H
#define VARIETY_H

#include <stdatomic.h>
#include <stdbool.h>

#include "work.h"

static _Thread_local unsigned vary_state = 1;

#define VARY_STEP(name, other) \
  __attribute__((noinline, unused)) static int name(int depth, unsigned path) { \
    int result = depth > 0 ? (path & 1 ? name(depth - 1, path >> 1) : other(depth - 1, path >> 1)) : 0; \
    for (int i = 0; i < 3000; i++) work_sink = work_sink * 6364136223846793005u + 1; \
    return result + 1; \
  }

static int vary_b(int depth, unsigned path);
static int vary_a(int depth, unsigned path);
VARY_STEP(vary_a, vary_b)
VARY_STEP(vary_b, vary_a)

// Uses so many CPU seconds of the calling thread.
__attribute__((noinline, unused)) static void vary(double seconds) {
  double end = cpu_of(CLOCK_THREAD_CPUTIME_ID) + seconds;
  do {
    vary_state = vary_state * 1103515245 + 12345;
    vary_a(20, vary_state >> 4);
  } while (cpu_of(CLOCK_THREAD_CPUTIME_ID) < end);
}

#endif
