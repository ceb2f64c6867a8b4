// Stepping through code by the trap flag, and functions that are worth it. For programs of oracle.h's.
#ifndef STEP_H
#define STEP_H

#include "oracle.h"

static volatile long sink;

// Switches the trap flag of what it interrupts: code of its own that did so would need call frame information.
static void on_switch(int number, siginfo_t *info, void *context) {
  (void)number, (void)info;
  ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] ^= 0x100;
}

// From now on SIGUSR2 switches stepping on and off; each step calls `on_trap`.
static void step_begin(void (*on_trap)(int, siginfo_t *, void *)) {
  struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
  sigaction(SIGTRAP, &action, NULL);
  action.sa_sigaction = on_switch;
  sigaction(SIGUSR2, &action, NULL);
}

__attribute__((unused)) static int by_value(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

__attribute__((noinline, unused)) static long recurse(int depth) { return depth == 0 ? 1 : recurse(depth - 1) * 3 + sink; }

__attribute__((noinline, unused)) static long many_arguments(long a, long b, long c, long d, long e, long f, long g, long h) {
  char *p = __builtin_alloca((size_t)(a + 16));
  p[0] = (char)h;
  return a + b * c - d + e * f + g + p[0];
}

__attribute__((noinline, unused)) static long wide(long n) {
  volatile char aligned[256] __attribute__((aligned(64)));
  for (int i = 0; i < 8; i++) aligned[i * 3] = (char)n;
  return aligned[9] + many_arguments(n, 1, 2, 3, 4, 5, 6, 7);
}

#endif
