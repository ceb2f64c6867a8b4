// memory THREADS: so many threads use 60 ms of CPU each, in stacks of many forms, and wait for each other; the last line is the
// process's memory then, in KB (its share of what it shares with others).
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static pthread_barrier_t done, measured;
static volatile uint64_t sink;

static double thread_cpu(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

__attribute__((noinline)) static uint64_t branch(unsigned path, int depth);
__attribute__((noinline)) static uint64_t left(unsigned path, int depth) { return branch(path, depth) * 3 + sink; }
__attribute__((noinline)) static uint64_t right(unsigned path, int depth) { return branch(path, depth) * 5 + sink; }
static uint64_t branch(unsigned path, int depth) {
  for (int i = 0; i < 200; i++) sink += path;
  if (depth == 0) return sink;
  return path & 1 ? left(path >> 1, depth - 1) : right(path >> 1, depth - 1);
}

static void *work(void *argument) {
  unsigned path = (unsigned)(uintptr_t)argument;
  while (thread_cpu() < 0.06) sink += branch(path = path * 1103515245u + 12345u, (int)(path % 20) + 4);
  pthread_barrier_wait(&done);
  pthread_barrier_wait(&measured);
  return NULL;
}

int main(int argc, char **argv) {
  int count = argc > 1 ? atoi(argv[1]) : 1;
  pthread_t *threads = calloc((size_t)count, sizeof *threads);
  pthread_barrier_init(&done, NULL, (unsigned)count + 1);
  pthread_barrier_init(&measured, NULL, (unsigned)count + 1);
  for (int i = 0; i < count; i++) pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)(i + 1));
  pthread_barrier_wait(&done);
  char line[256];
  long size = 0;
  FILE *file = fopen("/proc/self/smaps_rollup", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) sscanf(line, "Pss: %ld", &size);
  printf("%ld\n", size);
  pthread_barrier_wait(&measured);
  for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
  return 0;
}
