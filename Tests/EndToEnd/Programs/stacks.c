// stacks SECONDS: phases of SECONDS of CPU time each, every one with a stack of a known form. The last line of the output is each
// phase's CPU time, as JSON.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "burn.h"

void library_apply(void (*function)(void *), void *argument);
uint64_t library_tiny(uint64_t x);

volatile uint64_t sink;
static double phase_seconds;

// Keeps a call from becoming a jump.
#define NOT_LAST() __asm__ volatile("" ::: "memory")

__attribute__((noinline)) static void recurse(int depth) {
  if (depth == 1) burn(phase_seconds);
  else recurse(depth - 1);
  NOT_LAST();
}

__attribute__((noinline)) static void phase_recursion(void) {
  recurse(40);
  NOT_LAST();
}

static inline __attribute__((always_inline)) void inlined_inner(uint64_t n) { SPIN(n, 6364136223846793005u); }
static inline __attribute__((always_inline)) void inlined_middle(uint64_t n) { inlined_inner(n); }

__attribute__((noinline)) static void phase_inlined(void) {
  for (double end = thread_cpu() + phase_seconds; thread_cpu() < end;) inlined_middle(300000);
}

__attribute__((noinline)) static int compare(const void *a, const void *b) {
  SPIN(200, 2862933555777941757u);
  return *(const int *)a - *(const int *)b;
}

__attribute__((noinline)) static void phase_qsort(void) {
  static int values[1000];
  for (double end = thread_cpu() + phase_seconds; thread_cpu() < end;) {
    for (int i = 0; i < 1000; i++) values[i] = (i * 7919) % 1009;
    qsort(values, 1000, sizeof values[0], compare);
  }
}

__attribute__((noinline)) static void called_back(void *argument) {
  burn(*(double *)argument);
  NOT_LAST();
}

__attribute__((noinline)) static void phase_callback(void) {
  library_apply(called_back, &phase_seconds);
  NOT_LAST();
}

__attribute__((noinline)) static void phase_plt(void) {
  uint64_t x = 0;
  for (double end = thread_cpu() + phase_seconds; thread_cpu() < end;)
    for (int i = 0; i < 100000; i++) x = library_tiny(x);
  sink = x;
}

static void on_signal(int number) {
  (void)number;
  burn(phase_seconds);
  NOT_LAST();
}

__attribute__((noinline)) static void phase_signal(void) {
  raise(SIGUSR1);
  NOT_LAST();
}

// The clock's own code is in the vdso, or a system call away.
__attribute__((noinline)) static void phase_clock(void) {
  struct timespec t;
  for (double end = thread_cpu() + phase_seconds; thread_cpu() < end;)
    for (int i = 0; i < 10000; i++) clock_gettime(CLOCK_MONOTONIC, &t);
}

// A frame of unknown size, and one that is aligned: the frame's base is in a register of its own.
__attribute__((noinline)) static void phase_alloca(void) {
  volatile char *block = __builtin_alloca(100 + sink % 100);
  block[0] = 1;
  burn(phase_seconds);
  NOT_LAST();
}

__attribute__((noinline)) static void phase_aligned(void) {
  char block[64] __attribute__((aligned(64)));
  __asm__ volatile("" ::"r"(block) : "memory");
  burn(phase_seconds);
  NOT_LAST();
}

static void *thread_entry(void *argument) {
  burn(phase_seconds);
  return argument;
}

__attribute__((noinline)) static void phase_thread(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, thread_entry, NULL);
  pthread_join(thread, NULL);
}

int main(int argc, char **argv) {
  phase_seconds = argc > 1 ? atof(argv[1]) : 0.5;
  signal(SIGUSR1, on_signal);
  static const struct {
    const char *name;
    void (*run)(void);
  } phases[] = {
      {"phase_recursion", phase_recursion}, {"phase_inlined", phase_inlined}, {"phase_qsort", phase_qsort},
      {"phase_callback", phase_callback},   {"phase_plt", phase_plt},         {"phase_signal", phase_signal},
      {"phase_clock", phase_clock},         {"phase_alloca", phase_alloca},   {"phase_aligned", phase_aligned},
      {"phase_thread", phase_thread},
  };
  const char *separator = "{\"phases\":{";
  for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
    double before = cpu_of(CLOCK_PROCESS_CPUTIME_ID);
    phases[i].run();
    printf("%s\"%s\":%.6f", separator, phases[i].name, cpu_of(CLOCK_PROCESS_CPUTIME_ID) - before);
    separator = ",";
  }
  printf("}}\n");
  return 0;
}
