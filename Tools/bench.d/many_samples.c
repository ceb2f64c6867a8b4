// many_samples COUNT: eight threads that send themselves COUNT of the library's ticks together, from thousands of different stacks.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tick.h"

enum { THREADS = 8, TICKS_A_STACK = 8 };

static volatile long sink;
static long ticks_a_thread;

__attribute__((noinline)) static void send(pid_t pid, pid_t tid) {
  for (int i = 0; i < TICKS_A_STACK; i++) {
    for (int spin = 0; spin < 200; spin++) sink += spin;
    syscall(SYS_rt_tgsigqueueinfo, pid, tid, SIGPROF, &tick);
  }
}

static void left(pid_t pid, pid_t tid, uint64_t way, int depth);

__attribute__((noinline)) static void right(pid_t pid, pid_t tid, uint64_t way, int depth) {
  if (depth == 0) send(pid, tid);
  else if (way & 1) right(pid, tid, way >> 1, depth - 1);
  else left(pid, tid, way >> 1, depth - 1);
  sink++;
}

__attribute__((noinline)) static void left(pid_t pid, pid_t tid, uint64_t way, int depth) {
  if (depth == 0) send(pid, tid);
  else if (way & 1) right(pid, tid, way >> 1, depth - 1);
  else left(pid, tid, way >> 1, depth - 1);
  sink--;
}

static void *work(void *number) {
  pid_t pid = getpid(), tid = (pid_t)syscall(SYS_gettid);
  uint64_t state = (uintptr_t)number;
  for (long sent = 0; sent < ticks_a_thread; sent += TICKS_A_STACK) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    left(pid, tid, state >> 32, 10);
  }
  return NULL;
}

int main(int argc, char **argv) {
  ticks_a_thread = (argc > 1 ? atol(argv[1]) : 1000) / THREADS;
  tick_begin();
  pthread_t threads[THREADS];
  for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)(i + 1));
  for (long i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  return 0;
}
