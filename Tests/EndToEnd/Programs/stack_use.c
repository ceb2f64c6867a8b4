// How far the profiler's handler reaches down the stack that it interrupts, below the kernel's signal frame. It runs on an
// alternate stack that was painted; where the kernel's frame ends there is told by an empty handler of the same kind.
// To be run with STATPROF_START=0. Prints a line of JSON: bytes at the first tick of a thread (in the first thread that makes
// the trace's file), at later ones, and from the kernel's frame to a SIGPROF handler of the program's own.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "burn.h"

extern void statprof_start(void) __attribute__((weak));
extern void statprof_stop(void) __attribute__((weak));

#define SIZE 65536
#define PAINT 0x5c

volatile uint64_t sink;
static __thread uintptr_t frame_end, own_frame;

// The kernel's frame begins with the handler's return address, right below the context, and on aarch64 with the signal's information.
static void note_frame(int number, siginfo_t *info, void *context) {
  (void)number, (void)info, (void)context;
#if defined(__x86_64__)
  frame_end = (uintptr_t)context - sizeof(void *);
#else
  frame_end = (uintptr_t)info;
#endif
}

static void note_own(int number, siginfo_t *info, void *context) {
  (void)number, (void)info, (void)context;
  own_frame = (uintptr_t)__builtin_frame_address(0);
}

// Bytes that are not as they were painted, below the kernel's frame.
static long used(const uint8_t *stack) {
  const uint8_t *lowest = stack;
  while (lowest < stack + SIZE && *lowest == PAINT) lowest++;
  return (long)(frame_end - (uintptr_t)lowest);
}

static void *measure(void *name) {
  uint8_t *stack = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  stack_t alternate = {.ss_sp = stack, .ss_size = SIZE};
  sigaltstack(&alternate, NULL);
  raise(SIGUSR1);
  memset(stack, PAINT, SIZE);
  statprof_start();
  burn(0.1);
  long first = used(stack);
  memset(stack, PAINT, SIZE);
  burn(0.5);
  long later = used(stack);
  statprof_stop();
  raise(SIGPROF);
  printf("\"%s\": {\"first\": %ld, \"later\": %ld, \"own\": %ld}", (const char *)name, first, later, (long)(frame_end - own_frame));
  return NULL;
}

int main(void) {
  struct sigaction empty = {.sa_sigaction = note_frame, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  struct sigaction own = {.sa_sigaction = note_own, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGUSR1, &empty, NULL);
  sigaction(SIGPROF, &own, NULL);
  if (statprof_start == NULL) return 1;
  printf("{");
  measure("main");
  printf(", ");
  fflush(stdout);
  pthread_t worker;
  pthread_create(&worker, NULL, measure, "worker");
  pthread_join(worker, NULL);
  printf("}\n");
  return 0;
}
