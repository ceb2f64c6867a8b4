// api SECONDS: the C API. What the program does between stop and start must not be in the profile. Runs without the library, too.
#include <stdio.h>
#include <stdlib.h>

#include "burn.h"
#include "statprof.h"

volatile uint64_t sink;

// The API is declared weak: without the library its functions are NULL.
#define CALL(function, ...) ((function) ? (function)(__VA_ARGS__) : 0)
#define DO(function, ...)                      \
  do {                                         \
    if (function) (function)(__VA_ARGS__);     \
  } while (0)

// The comment in the assembly keeps functions of one body apart, and the call from becoming a jump.
#define PHASE(name)                                            \
  __attribute__((noinline)) static void name(double seconds) { \
    burn(seconds);                                             \
    __asm__ volatile("# " #name);                              \
  }
PHASE(before_start)
PHASE(between)
PHASE(nested)
PHASE(stopped)
PHASE(after)

int main(int argc, char **argv) {
  double seconds = argc > 1 ? atof(argv[1]) : 0.3;
  int active[5];
  active[0] = CALL(statprof_is_active);
  before_start(seconds);
  DO(statprof_start);
  active[1] = CALL(statprof_is_active);
  DO(statprof_mark, "between");
  between(seconds);
  DO(statprof_start);
  DO(statprof_stop);
  active[2] = CALL(statprof_is_active);
  nested(seconds);
  DO(statprof_stop);
  active[3] = CALL(statprof_is_active);
  stopped(seconds);
  if (argc > 2) DO(statprof_reset, 100);
  DO(statprof_start);
  active[4] = CALL(statprof_is_active);
  after(seconds);
  printf("%d%d%d%d%d\n", active[0], active[1], active[2], active[3], active[4]);
  return 0;
}
