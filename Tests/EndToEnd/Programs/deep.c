// deep SECONDS: a new stack at each sample, so that a trace grows fast: calls of pseudo-random targets, 60 deep.
#include <stdlib.h>

#include "burn.h"

volatile uint64_t sink;
static uint64_t state = 88172645463325252u;

static int next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (int)(state & 3);
}

static void descend(int depth);
#define BRANCH(name)                                        \
  __attribute__((noinline)) static void name(int depth) {   \
    descend(depth - 1);                                     \
    __asm__ volatile("" ::: "memory");                      \
  }
BRANCH(north)
BRANCH(east)
BRANCH(south)
BRANCH(west)

__attribute__((noinline)) static void descend(int depth) {
  if (depth == 0) {
    SPIN(20000, 6364136223846793005u);
  } else {
    switch (next()) {
      case 0: north(depth); break;
      case 1: east(depth); break;
      case 2: south(depth); break;
      default: west(depth); break;
    }
  }
  __asm__ volatile("" ::: "memory");
}

int main(int argc, char **argv) {
  double seconds = argc > 1 ? atof(argv[1]) : 1;
  for (double end = thread_cpu() + seconds; thread_cpu() < end;) descend(60);
  return 0;
}
