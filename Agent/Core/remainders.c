#include "remainders.h"

#include <stddef.h>

#include "agent.h"
#include "every_tick.h"
#include "private_memory.h"

#define SETS 16
#define PLACES 64

// Who may touch a place: whoever has moved it to one of the states that end in -ING.
enum state { FREE, FILLING, FULL, TAKING };

struct place {
  _Atomic uint32_t state;
  struct sp_remainder remainder;
};

struct set {
  _Alignas(64) _Atomic uint32_t full; // places, about: what a tick looks at
  struct place places[PLACES];
};

static _Atomic(struct set *) sets SP_HOT; // mapped for the first remainder; a forked child begins without

// The set of a routine's threads. Routines may share one.
static struct set *set_of(struct set *all, void *(*start)(void *), bool short_lived) {
  uint64_t hash = (uint64_t)(uintptr_t)start * 0x9e3779b97f4a7c15u >> 61; // SETS / 2
  return &all[2 * hash + short_lived];
}

// All sets, mapped if need be. NULL: no memory.
static struct set *get_sets(void) {
  struct set *all = atomic_load(&sets);
  if (all != NULL) return all;
  struct set *made = sp_private_map(SETS * sizeof *made);
  if (made == NULL || atomic_compare_exchange_strong(&sets, &all, made)) return made;
  sp_private_unmap(made, SETS * sizeof *made);
  return all;
}

// Changes a place's state. False: it was in another one, or somebody else was faster.
static bool change(struct place *place, uint32_t from, uint32_t to) {
  return atomic_load_explicit(&place->state, memory_order_relaxed) == from && atomic_compare_exchange_strong(&place->state, &from, to);
}

void sp_remainder_leave(struct sp_slot *slot) {
  if (slot->start == NULL || atomic_load(&sp_agent.phase) != SP_PHASE_RECORDING) return;
  const struct sp_thread *thread = atomic_load(&slot->thread);
  struct sp_account account = {0};
  if (thread != NULL) account = thread->account;
  uint64_t cpu, stopped;
  sp_slot_cpu(slot, &cpu, &stopped);
  uint64_t weight = sp_account_take(&account, slot, cpu, stopped);
  struct set *all = weight == 0 ? NULL : get_sets();
  if (all == NULL) return;
  struct set *set = set_of(all, slot->start, thread == NULL || thread->samples <= SP_SHORT_SAMPLES);
  for (uint32_t i = 0; i < PLACES; i++) {
    struct place *place = &set->places[i];
    if (!change(place, FREE, FILLING)) continue;
    place->remainder = (struct sp_remainder){
        .start = slot->start, .time = sp_now(), .weight = weight, .tid = atomic_load(&slot->tid), .writer = atomic_load(&slot->writer)};
    atomic_store(&place->state, FULL);
    atomic_fetch_add(&set->full, 1);
    return;
  }
}

SP_EVERY_TICK bool sp_remainder_take(void *(*start)(void *), bool short_lived, uint32_t *next, struct sp_remainder *remainder) {
  struct set *all = atomic_load(&sets);
  if (all == NULL || start == NULL) return false;
  struct set *set = set_of(all, start, short_lived);
  if ((int32_t)atomic_load_explicit(&set->full, memory_order_relaxed) <= 0) return false;
  while (*next < PLACES) {
    struct place *place = &set->places[(*next)++];
    if (!change(place, FULL, TAKING)) continue;
    bool own = place->remainder.start == start;
    if (own) *remainder = place->remainder;
    atomic_store(&place->state, own ? FREE : FULL);
    if (!own) continue;
    atomic_fetch_sub(&set->full, 1);
    return true;
  }
  return false;
}

void sp_remainders_forked(void) { atomic_store(&sets, NULL); }
