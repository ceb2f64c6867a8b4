// Threads leave remainders of two routines while others take them: each is taken once at most, whole, and by its own routine only.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent.h"
#include "remainders.h"

enum { LEAVERS = 4, TAKERS = 4, ROUNDS = 20000 };

static _Atomic uint8_t seen[LEAVERS * ROUNDS + 1];
static _Atomic int taken, wrong, leaving = LEAVERS;

static void *first(void *argument) { return argument; }
static void *second(void *argument) { return argument; }
static void *(*const routines[2])(void *) = {first, second};

static void *leave(void *argument) {
  uint32_t base = (uint32_t)(uintptr_t)argument * ROUNDS + 1;
  for (uint32_t i = 0; i < ROUNDS; i++) {
    struct sp_slot slot = {.start = routines[i % 2], .tid = sp_gettid(), .writer = base + i};
    sp_remainder_leave(&slot);
  }
  leaving--;
  return NULL;
}

static void take_all(int routine) {
  struct sp_remainder r;
  uint32_t place = 0;
  while (sp_remainder_take(routines[routine], true, &place, &r)) {
    bool right = r.writer >= 1 && r.writer <= LEAVERS * ROUNDS && seen[r.writer]++ == 0 && r.start == routines[routine] &&
                 (r.writer - 1) % ROUNDS % 2 == (uint32_t)routine && r.weight > 0 && r.tid != 0;
    wrong += !right;
    taken++;
  }
}

static void *take(void *argument) {
  while (leaving > 0) take_all((int)(uintptr_t)argument % 2);
  return NULL;
}

int main(void) {
  pthread_t threads[LEAVERS + TAKERS];
  atomic_store(&sp_agent.phase, SP_PHASE_RECORDING);
  atomic_store(&sp_agent.running, 1);
  for (uintptr_t i = 0; i < LEAVERS + TAKERS; i++)
    pthread_create(&threads[i], NULL, i < LEAVERS ? leave : take, (void *)(i < LEAVERS ? i : i - LEAVERS));
  for (int i = 0; i < LEAVERS + TAKERS; i++) pthread_join(threads[i], NULL);
  take_all(0);
  take_all(1);
  struct sp_remainder r;
  uint32_t place = 0;
  // None is left, the places are free again, and a child of fork() begins without any.
  bool empty = !sp_remainder_take(first, true, &place, &r);
  struct sp_slot slot = {.start = first, .tid = sp_gettid(), .writer = 1};
  for (int i = 0; i < 100; i++) sp_remainder_leave(&slot);
  int again = 0;
  for (place = 0; sp_remainder_take(first, true, &place, &r);) again++;
  sp_remainder_leave(&slot);
  sp_remainders_forked();
  place = 0;
  bool forgotten = !sp_remainder_take(first, true, &place, &r);
  printf("%d taken of %d, %d wrong, %d places, empty %d, forgotten %d\n", taken, LEAVERS * ROUNDS, wrong, again, empty, forgotten);
  return wrong != 0 || taken < 1000 || again != 64 || !empty || !forgotten;
}
