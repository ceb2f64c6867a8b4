#include "thread_create.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent_core.h"
#include "interpose.h"

typedef int create_function(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static _Atomic(create_function *) next_create; // the C library's, found at the first call
static bool watching;                          // written at load
static pthread_key_t end_key;                  // likewise; its destructor tells a thread's end

// Runs at a thread's end, once in each round of destructors: the rounds before the last are for the program's own.
static void on_end(void *round) {
  uintptr_t n = (uintptr_t)round;
  if (n < PTHREAD_DESTRUCTOR_ITERATIONS)
    pthread_setspecific(end_key, (void *)(n + 1));
  else
    sp_lifecycle_thread_end();
}

void sp_thread_create_load(void) { watching = pthread_key_create(&end_key, on_end) == 0; }

// What a watched thread runs first. The call is the last thing it does, so that the compiler leaves no frame of it on the stack.
static void *begin(void *argument) {
  struct sp_slot *slot = argument;
  void *(*start)(void *) = slot->start;
  void *start_argument = slot->argument;
  pthread_setspecific(end_key, (void *)1);
  sp_program_signals_thread(slot->blocks_sigprof);
  sp_lifecycle_thread_start(slot);
#if defined(__clang__)
  __attribute__((musttail)) return start(start_argument);
#else
  return start(start_argument);
#endif
}

SP_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
  create_function *create = atomic_load(&next_create);
  if (create == NULL) {
    create = (create_function *)dlsym(RTLD_NEXT, "pthread_create");
    if (create == NULL) return EAGAIN;
    atomic_store(&next_create, create);
  }
  struct sp_slot *slot = watching ? sp_slot_claim() : NULL;
  if (slot == NULL) {
    if (watching) sp_lifecycle_thread_unwatched();
    return create(thread, attributes, start, argument);
  }
  slot->start = start;
  slot->argument = argument;
  slot->blocks_sigprof = sp_program_blocks_sigprof();
  int result = create(thread, attributes, begin, slot);
  if (result != 0) sp_slot_free(slot);
  return result;
}
