// A thread whose first tick comes before it has its slot, and one whose first tick comes after: each ends with one slot, and the
// other slot is free again. (Once a thread had two, and its CPU time stood in the trace twice.)
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent.h"
#include "thread_slots.h"

static int failures;

static void check(int holds, const char *what) {
  if (holds) return;
  printf("not so: %s\n", what);
  failures++;
}

static void *tick_first(void *argument) {
  struct sp_slot *slot = argument;
  struct sp_thread *thread = sp_thread_attach(); // as the tick does
  check(thread != NULL && thread->slot != slot, "the tick claims a slot of its own");
  struct sp_slot *own = sp_slot_start(slot);
  check(own == thread->slot && sp_own_slot == own, "the thread keeps the slot that its tables have");
  check(atomic_load(&own->tid) == (uint32_t)syscall(SYS_gettid), "it has the thread's id");
  check(atomic_load(&slot->claimed) == 0 && atomic_load(&slot->tid) == 0, "the other one is free");
  return NULL;
}

static void *slot_first(void *argument) {
  struct sp_slot *slot = argument;
  check(sp_slot_start(slot) == slot, "the slot that was claimed for it");
  struct sp_thread *thread = sp_thread_attach();
  check(thread != NULL && thread->slot == slot, "its tables go with that slot");
  return NULL;
}

int main(void) {
  sp_agent.pid = (uint32_t)getpid();
  void *(*threads[])(void *) = {tick_first, slot_first};
  for (int i = 0; i < 2; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, threads[i], sp_slot_claim()) != 0) return 1;
    pthread_join(thread, NULL);
  }
  return failures != 0;
}
