#include "thread_create.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <threads.h>
#include <unistd.h>

#include "agent_core.h"
#include "interpose.h"
#include "next.h"

typedef int create_function(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
typedef int c11_create_function(thrd_t *, thrd_start_t, void *);

static _Atomic(void *) next_create, next_c11_create; // the C library's
static bool watching SP_HOT;      // written at load
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t end_key;     // its destructor tells a thread's end; made for the first thread
static bool has_key;              // likewise

// Runs at a thread's end, once in each round of destructors: the rounds before the last are for the program's own.
static void on_end(void *round) {
  uintptr_t n = (uintptr_t)round;
  if (n < PTHREAD_DESTRUCTOR_ITERATIONS)
    pthread_setspecific(end_key, (void *)(n + 1));
  else
    sp_lifecycle_thread_end();
}

static void make_key(void) { has_key = pthread_key_create(&end_key, on_end) == 0; }

void sp_thread_create_load(void) { watching = true; }

#if defined(__clang__)
#define TAIL_CALL __attribute__((musttail)) return
#else
#define TAIL_CALL return
#endif

// Makes the calling thread a watched one.
static void prepare(struct sp_slot *slot) {
  sp_forbidden_own = slot->forbidden;
  pthread_setspecific(end_key, (void *)1);
  sp_program_signals_thread(slot->blocks_sigprof);
  sp_lifecycle_thread_start(slot);
}

// What a watched thread runs first. The call is the last thing it does, so that no frame of it is left on the stack.
static void *begin(void *argument) {
  struct sp_slot *slot = argument;
  void *(*start)(void *) = slot->start;
  void *start_argument = slot->argument;
  prepare(slot);
  TAIL_CALL start(start_argument);
}

// The same for a C11 thread.
static int c11_begin(void *argument) {
  struct sp_slot *slot = argument;
  thrd_start_t start = (thrd_start_t)(void (*)(void))slot->start;
  void *start_argument = slot->argument;
  prepare(slot);
  TAIL_CALL start(start_argument);
}

// The size of the stack of a thread with these attributes, NULL being the C library's own, without its guard; 0: it does not say.
static size_t stack_size(const pthread_attr_t *attributes) {
  pthread_attr_t standard;
  size_t size, guard;
  if (attributes == NULL) {
    pthread_attr_init(&standard);
    attributes = &standard;
  }
  if (pthread_attr_getstacksize(attributes, &size) != 0 || pthread_attr_getguardsize(attributes, &guard) != 0) return 0;
  return size > guard ? size - guard : 0;
}

// A slot for a thread that is about to be created. NULL: it will not be watched.
static struct sp_slot *watch(const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
  if (!watching) return NULL;
  pthread_once(&key_once, make_key);
  struct sp_slot *slot = has_key ? sp_slot_claim() : NULL;
  if (slot == NULL) {
    sp_lifecycle_thread_unwatched();
    return NULL;
  }
  slot->start = start;
  slot->argument = argument;
  slot->stack_kb = (uint32_t)(stack_size(attributes) / 1024);
  slot->blocks_sigprof = sp_program_blocks_sigprof();
  slot->forbidden = sp_forbidden_own;
  return slot;
}

// Stacks that the program makes smaller than this, bytes, it may know to be just enough.
#define SMALL_STACK (256 * 1024)

// What a thread is to be created with: a small stack, if it is the C library that makes it, gets room for a tick besides, in `copy`.
static const pthread_attr_t *with_room(const pthread_attr_t *attributes, pthread_attr_t *copy) {
  void *low;
  size_t size;
  if (attributes == NULL || pthread_attr_getstack(attributes, &low, &size) != 0 || size == 0 || size >= SMALL_STACK) return attributes;
  if ((uintptr_t)low + size != 0) return attributes; // it has an address: the program's own memory
  *copy = *attributes; // what it points to is read only
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  return pthread_attr_setstacksize(copy, size + (sp_program_tick_room() + page - 1) / page * page) == 0 ? copy : attributes;
}

SP_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
  create_function *create = (create_function *)sp_next(&next_create, "pthread_create");
  if (create == NULL) return EAGAIN;
  struct sp_slot *slot = watch(attributes, start, argument);
  if (slot == NULL) return create(thread, attributes, start, argument);
  pthread_attr_t copy;
  int result = create(thread, with_room(attributes, &copy), begin, slot);
  if (result != 0) sp_slot_free(slot);
  return result;
}

// C11's, which the C library does not make out of the other.
SP_EXPORT int thrd_create(thrd_t *thread, thrd_start_t start, void *argument) {
  c11_create_function *create = (c11_create_function *)sp_next(&next_c11_create, "thrd_create");
  if (create == NULL) return thrd_error;
  struct sp_slot *slot = watch(NULL, (void *(*)(void *))(void (*)(void))start, argument);
  if (slot == NULL) return create(thread, start, argument);
  int result = create(thread, c11_begin, slot);
  if (result != thrd_success) sp_slot_free(slot);
  return result;
}
