// locks HOW SECONDS [LIBRARY]: CPU time used while locks are held that a profiler's signal handler must not take. Recording starts under
// the lock, so that the first tick, which makes the file, comes there too; a second thread uses CPU beside while the first holds it.
//   heap         inside this program's own malloc, which holds a lock
//   loader       in a callback of dl_iterate_phdr, under the loader's lock
//   constructor  in a constructor of LIBRARY, inside dlopen
//   streams      between flockfile and funlockfile
//   fork         in the functions that pthread_atfork was given, in parent and child
// A call of the heap or of a mutex by the profiler's code ends the process with status 9; for its system calls see agent_watch.h.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent_watch.h"
#include "burn.h"

#define NOT_INLINE __attribute__((noinline, noclone))

extern void statprof_start(void) __attribute__((weak));

volatile uint64_t sink;
static double seconds;
static _Atomic int held, beside_done, hold_next;

// Ends the process if the profiler's own code calls.
static void check_caller(const void *caller) {
  if ((uintptr_t)caller - agent_start < agent_end - agent_start) _exit(9);
}

// Uses CPU with a lock held, until the other thread has done so too.
NOT_INLINE void burn_held(void) {
  if (statprof_start != NULL) statprof_start();
  held = 1;
  burn(seconds);
  while (!beside_done) SPIN(1000, 3u);
}

static void *beside(void *unused) {
  (void)unused;
  while (!held) usleep(100);
  burn(seconds);
  beside_done = 1;
  return NULL;
}

// An allocator under a lock, that gives nothing back. The size is kept before each block.
static atomic_flag heap = ATOMIC_FLAG_INIT;
static _Alignas(16) char room[1 << 23];
static size_t room_used;

NOT_INLINE static void hold_heap(void) {
  burn_held();
  sink++;
}

NOT_INLINE static void *allocate(size_t size) {
  while (atomic_flag_test_and_set(&heap)) sched_yield();
  if (hold_next) {
    hold_next = 0;
    hold_heap();
  }
  char *block = room + room_used;
  room_used += (size + 31) & ~(size_t)15;
  if (room_used > sizeof room) abort();
  atomic_flag_clear(&heap);
  memcpy(block, &size, sizeof size);
  return block + 16;
}

void *malloc(size_t size) {
  check_caller(__builtin_return_address(0));
  return allocate(size);
}

void *calloc(size_t count, size_t size) {
  check_caller(__builtin_return_address(0));
  return allocate(count * size); // never used before, so zero
}

void *realloc(void *old, size_t size) {
  check_caller(__builtin_return_address(0));
  void *block = allocate(size);
  size_t before = 0;
  if (old != NULL) memcpy(&before, (char *)old - 16, sizeof before);
  if (old != NULL) memcpy(block, old, before < size ? before : size);
  return block;
}

void free(void *block) {
  (void)block;
  check_caller(__builtin_return_address(0));
}

int pthread_mutex_lock(pthread_mutex_t *mutex) {
  static int (*next)(pthread_mutex_t *);
  check_caller(__builtin_return_address(0));
  if (next == NULL) *(void **)&next = dlsym(RTLD_NEXT, "pthread_mutex_lock");
  return next(mutex);
}

NOT_INLINE static int hold_loader(struct dl_phdr_info *info, size_t size, void *unused) {
  (void)info, (void)size, (void)unused;
  burn_held();
  return (int)(1 + (sink & 1));
}

NOT_INLINE static void hold_streams(void) {
  flockfile(stdout);
  flockfile(stderr);
  burn_held();
  funlockfile(stderr);
  funlockfile(stdout);
}

// In the parent before a fork, the other thread beside; afterwards in both.
static void hold_prepare(void) {
  burn_held();
  sink++;
}
static void hold_parent(void) {
  burn(seconds);
  sink++;
}
static void hold_child(void) {
  burn(seconds);
  sink++;
}

NOT_INLINE static void hold_fork(void) {
  int status = 0;
  pthread_atfork(hold_prepare, hold_parent, hold_child);
  pid_t child = fork();
  if (child == 0) exit(0);
  if (waitpid(child, &status, 0) != child || status != 0) exit(1);
}

int main(int argc, char **argv) {
  const char *how = argc > 2 ? argv[1] : "";
  seconds = argc > 2 ? atof(argv[2]) : 0;
  if (!agent_watch()) return 3;
  alarm(30);
  pthread_t other;
  if (pthread_create(&other, NULL, beside, NULL) != 0) return 3;
  if (strcmp(how, "heap") == 0) {
    hold_next = 1;
    sink += (uintptr_t)malloc(10) & 1;
  } else if (strcmp(how, "loader") == 0) {
    dl_iterate_phdr(hold_loader, NULL);
  } else if (strcmp(how, "constructor") == 0) {
    if (argc < 4 || dlopen(argv[3], RTLD_NOW) == NULL) return 3;
  } else if (strcmp(how, "streams") == 0) {
    hold_streams();
  } else if (strcmp(how, "fork") == 0) {
    hold_fork();
  } else {
    return 64;
  }
  pthread_join(other, NULL);
  return 0;
}
