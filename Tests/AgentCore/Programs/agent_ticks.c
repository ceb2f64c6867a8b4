// The whole agent in a program, without the preloaded library's room: real ticks in several threads, stacks of many depths, marks,
// stops and starts, a fork, an exec that fails, the end. Built with sanitizers, it is for what they say. Argument: a folder for the
// traces.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "lifecycle.h"
#include "modules.h"
#include "recording.h"
#include "thread_slots.h"
#include "trace_file.h"

static volatile uint64_t sink;

static double thread_cpu(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void burn(double seconds) {
  for (double end = thread_cpu() + seconds; thread_cpu() < end;)
    for (int i = 0; i < 20000; i++) sink = sink * 6364136223846793005u + 1;
}

// Deeper than a walk may be, at its deepest. Two ways down, so that stacks part.
__attribute__((noinline)) static void descend(int depth) {
  if (depth == 0) burn(0.008);
  else if (sink & 1) descend(depth - 1);
  else descend(depth - 1);
  sink++;
}

static void use_stack(void) {
  for (int depth = 1; depth < 1500; depth = depth * 2 + 1) descend(depth);
}

static void *work(void *slot) {
  sp_lifecycle_thread_start(slot);
  use_stack();
  sp_lifecycle_thread_end();
  return NULL;
}

static void run_threads(int count) {
  pthread_t threads[8];
  for (int i = 0; i < count; i++)
    if (pthread_create(&threads[i], NULL, work, sp_slot_claim()) != 0) exit(3);
  for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
}

static uint64_t size_of_trace(void) { return sp_trace_live() == NULL ? 0 : sp_trace_live()->file_size; }

int main(int argc, char **argv) {
  char pattern[4096];
  if (argc != 2) return 64;
  snprintf(pattern, sizeof pattern, "%s/%%p.bin", argv[1]);
  setenv("STATPROF_OUT", pattern, 1);
  sp_modules_load();
  if (!sp_lifecycle_load(argc, argv)) return 1;
  sp_recording_mark("before the first tick");
  burn(0.1);
  sp_recording_mark("in between");
  run_threads(4);
  sp_recording_stop();
  burn(0.02);
  sp_recording_start();
  sp_recording_reset(500);
  use_stack();
  sp_lifecycle_fork_prepare();
  pid_t child = fork();
  if (child == 0) {
    sp_lifecycle_fork_child();
    burn(0.1);
    run_threads(2);
    sp_lifecycle_end(SP_END_EXIT, 0);
    _exit(size_of_trace() == 0);
  }
  sp_lifecycle_fork_parent();
  int status = 1;
  if (waitpid(child, &status, 0) != child || status != 0) return printf("child: status %x\n", status), 1;
  sp_lifecycle_exec("/no/such/program");
  sp_lifecycle_exec_failed(2);
  burn(0.05);
  sp_lifecycle_end(SP_END_EXIT, 0);
  printf("ticks: %lu bytes\n", (unsigned long)size_of_trace());
  return size_of_trace() < 16384;
}
