// shares THREADS SECONDS: known shares by function, by line and by thread. Thread i (from 1) uses i parts of the CPU time. Every
// thread calls functions in short phases (0.1 to 3 ms) of pseudo-random length and order, and measures each by its own CPU clock.
// The last line of the output is what was measured, as JSON.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "burn.h"

volatile uint64_t sink;

enum { ALPHA, BETA, GAMMA, FIRST_LOOP, SECOND_LOOP, KINDS };
static const char *const names[KINDS] = {"alpha", "beta", "gamma_", "first", "second"};
static int lines[KINDS];
static double parts_total, seconds_total;

__attribute__((noinline)) static void alpha(uint64_t n) {
  lines[ALPHA] = __LINE__ + 1;
  SPIN(n, 6364136223846793005u);
}

__attribute__((noinline)) static void beta(uint64_t n) {
  lines[BETA] = __LINE__ + 1;
  SPIN(n, 2862933555777941757u);
}

__attribute__((noinline)) static void gamma_(uint64_t n) {
  lines[GAMMA] = __LINE__ + 1;
  SPIN(n, 3935559000370003845u);
}

// Two hot loops in one function, each on a line of its own.
__attribute__((noinline)) static void two_loops(int which, uint64_t n) {
  lines[FIRST_LOOP] = __LINE__ + 2;
  if (which == 0) {
    SPIN(n, 3202034522624059733u);
  } else {
    lines[SECOND_LOOP] = __LINE__ + 1;
    SPIN(n, 1181783497276652981u);
  }
}

static uint64_t next(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  return *state ^= *state << 17;
}

struct worker {
  pthread_t thread;
  int number;
  double measured[KINDS];
  double cpu;
};

static void *work(void *argument) {
  struct worker *w = argument;
  char name[16];
  snprintf(name, sizeof name, "worker-%d", w->number);
  if (parts_total > 1) pthread_setname_np(pthread_self(), name);
  uint64_t state = 88172645463325252u * (uint64_t)w->number;
  double budget = seconds_total * w->number / parts_total;
  // Shares of the phases, out of 16.
  static const int choice[16] = {ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, BETA, BETA, BETA, GAMMA, GAMMA,
                                 FIRST_LOOP, FIRST_LOOP, FIRST_LOOP, FIRST_LOOP, SECOND_LOOP};
  double start = thread_cpu();
  for (double now = start; now - start < budget;) {
    int kind = choice[next(&state) % 16];
    uint64_t n = 100000 + next(&state) % 2900000;
    switch (kind) {
      case ALPHA: alpha(n); break;
      case BETA: beta(n); break;
      case GAMMA: gamma_(n); break;
      case FIRST_LOOP: two_loops(0, n); break;
      default: two_loops(1, n); break;
    }
    double end = thread_cpu();
    w->measured[kind] += end - now;
    now = end;
  }
  w->cpu = thread_cpu();
  return NULL;
}

int main(int argc, char **argv) {
  int count = argc > 1 ? atoi(argv[1]) : 1;
  seconds_total = argc > 2 ? atof(argv[2]) : 1;
  parts_total = count * (count + 1) / 2.0;
  struct worker *workers = calloc((size_t)count, sizeof *workers);
  for (int i = 0; i < count; i++) workers[i].number = i + 1;
  if (count == 1) {
    work(&workers[0]);
  } else {
    for (int i = 0; i < count; i++) pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    for (int i = 0; i < count; i++) pthread_join(workers[i].thread, NULL);
  }
  double sum[KINDS] = {0};
  for (int i = 0; i < count; i++)
    for (int k = 0; k < KINDS; k++) sum[k] += workers[i].measured[k];
  printf("{\"functions\":{\"alpha\":%.6f,\"beta\":%.6f,\"gamma_\":%.6f,\"two_loops\":%.6f},\"lines\":{", sum[ALPHA], sum[BETA], sum[GAMMA],
         sum[FIRST_LOOP] + sum[SECOND_LOOP]);
  for (int k = 0; k < KINDS; k++) printf("%s\"%d\":%.6f", k ? "," : "", lines[k], sum[k]);
  printf("},\"line_of\":{");
  for (int k = 0; k < KINDS; k++) printf("%s\"%s\":%d", k ? "," : "", names[k], lines[k]);
  printf("},\"threads\":{");
  for (int i = 0; i < count; i++) printf("%s\"worker-%d\":%.6f", i ? "," : "", i + 1, workers[i].cpu);
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("},\"process\":{\"cpu\":%.6f}}\n", (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                                                (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
  return 0;
}
