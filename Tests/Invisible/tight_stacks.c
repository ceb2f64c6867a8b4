// tight_stacks HOW SIZE: threads and handlers that use all of a small stack but some hundred bytes, and an alternate stack that is too small for a
// signal. Says whether what lies beside the stack is as it was.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "work.h"

#define PAINT 0x5c

static size_t size;

// Uses the stack down to a place, and CPU time there.
__attribute__((noinline)) static int deep_to(uintptr_t low, double seconds) {
  volatile char frame[48];
  frame[0] = (char)low;
  int below = 0;
  if ((uintptr_t)frame > low + 200) below = deep_to(low, seconds);
  else work(seconds);
  return below + (frame[0] == (char)low);
}

// Uses so many bytes of it.
static int deep(size_t bytes, double seconds) { return deep_to((uintptr_t)__builtin_frame_address(0) - bytes, seconds); }

// Memory with a painted page below and above what is to be used.
static uint8_t *painted(size_t bytes) {
  uint8_t *memory = mmap(NULL, bytes + 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(memory, PAINT, bytes + 8192);
  return memory + 4096;
}

static int intact(const uint8_t *memory, size_t bytes) {
  for (int i = 1; i <= 4096; i++)
    if (memory[-i] != PAINT || memory[bytes + (size_t)i - 1] != PAINT) return 0;
  return 1;
}

// Threads of the smallest stack that use nearly all of it, which the C library's own part leaves to them.
static void *use_most(void *out) {
  pthread_attr_t attributes;
  void *low;
  size_t all;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &low, &all);
  pthread_attr_destroy(&attributes);
  char *here = __builtin_frame_address(0);
  // What was asked for is used to its last 500 bytes, wherever the stack ends.
  size_t used_already = (size_t)((char *)low + all - here);
  *(int *)out = deep(size - used_already - 500, 0.05) > 0;
  return NULL;
}
static void part_threads(void) {
  pthread_attr_t attributes;
  pthread_t threads[8];
  int done[8] = {0};
  pthread_attr_init(&attributes);
  printf("set %d\n", pthread_attr_setstacksize(&attributes, size));
  int failures = 0;
  for (int i = 0; i < 8; i++) failures += pthread_create(&threads[i], &attributes, use_most, &done[i]) != 0;
  for (int i = failures; i < 8; i++) pthread_join(threads[i], NULL);
  size_t now;
  pthread_attr_getstacksize(&attributes, &now);
  printf("failures %d, done %d %d %d %d, attribute %d\n", failures, done[0], done[1], done[2], done[7], now == size);
}

// An alternate stack with a handler on it that uses CPU time and leaves room for nothing.
static volatile size_t handler_bytes;
static volatile int handled;
static void on_busy(int number) {
  (void)number;
  handled += deep(handler_bytes, 0.05) > 0;
}
static void *busy_handler(void *unused) {
  (void)unused;
  uint8_t *memory = painted(size);
  stack_t stack = {.ss_sp = memory, .ss_size = size}, now;
  struct sigaction action = {.sa_handler = on_busy, .sa_flags = SA_ONSTACK | SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  sigaltstack(&stack, NULL);
  // All but the kernel's frame and half a kilobyte.
  handler_bytes = size - getauxval(AT_MINSIGSTKSZ) - 600;
  for (int i = 0; i < 8; i++) raise(SIGUSR1);
  work(0.05);
  sigaltstack(NULL, &now);
  sigaction(SIGUSR1, NULL, &action);
  int blocked = 0;
  for (int n = 1; n < _NSIG; n++) blocked += sigismember(&action.sa_mask, n) == 1;
  printf("handled %d, beside it intact %d, the stack its own %d, flags %d, blocked in it %d\n", handled, intact(memory, size),
         now.ss_sp == (void *)memory && now.ss_size == size, now.ss_flags, blocked);
  return NULL;
}
static void part_busy(void) {
  pthread_t thread;
  busy_handler(NULL);
  pthread_create(&thread, NULL, busy_handler, NULL);
  pthread_join(thread, NULL);
}

// An alternate stack that is too small for any signal, and that none of the program's ever comes to.
static void part_unused(void) {
  uint8_t *memory = painted(size);
  stack_t stack = {.ss_sp = memory, .ss_size = size};
  int set = sigaltstack(&stack, NULL);
  work(0.2);
  printf("set %d, intact %d\n", set, intact(memory, size));
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*run)(void);
  } parts[] = {{"threads", part_threads}, {"busy", part_busy}, {"unused", part_unused}};
  work(0.02);
  if (argc < 3) return 64;
  size = (size_t)atol(argv[2]);
  for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++)
    if (strcmp(parts[i].name, argv[1]) == 0) {
      parts[i].run();
      return 0;
    }
  return 64;
}
