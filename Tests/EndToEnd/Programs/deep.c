// deep SECONDS: a new stack at each sample, so that a trace grows fast: calls of pseudo-random targets, 60 deep.
#include <stdlib.h>

#include "burn.h"

volatile uint64_t sink;
static uint64_t state = 88172645463325252u;

static int next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (int)(state & 63);
}

static void descend(int depth);
#define BRANCH(number)                                              \
  __attribute__((noinline)) static void branch##number(int depth) { \
    descend(depth - 1);                                             \
    __asm__ volatile("" ::: "memory");                              \
  }
#define FOUR(to, number) to(number##0) to(number##1) to(number##2) to(number##3)
#define SIXTEEN(to, number) FOUR(to, number##0) FOUR(to, number##1) FOUR(to, number##2) FOUR(to, number##3)
#define ALL(to) SIXTEEN(to, 0) SIXTEEN(to, 1) SIXTEEN(to, 2) SIXTEEN(to, 3)
#define ENTRY(number) branch##number,
ALL(BRANCH)
static void (*const branches[64])(int) = {ALL(ENTRY)};

__attribute__((noinline)) static void descend(int depth) {
  if (depth == 0) {
    SPIN(20000, 6364136223846793005u);
  } else {
    branches[next()](depth);
  }
  __asm__ volatile("" ::: "memory");
}

int main(int argc, char **argv) {
  double seconds = argc > 1 ? atof(argv[1]) : 1;
  for (double end = thread_cpu() + seconds; thread_cpu() < end;) descend(60);
  return 0;
}
