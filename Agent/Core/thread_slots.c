#include "thread_slots.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

#include "agent.h"
#include "every_tick.h"
#include "private_memory.h"
#include "raw_syscall.h"

static struct sp_slot first_slot SP_HOT; // of most processes the only one
static _Atomic(struct sp_slot *) more_slots SP_HOT; // the others, a megabyte mapped with the second thread: each fork, exec and end would pay for it
static _Atomic uint32_t slots_end SP_HOT; // no slot from here on was ever claimed
static _Atomic int32_t slots_free SP_HOT; // claimed once and free now; a hint

__thread struct sp_slot *sp_own_slot;
__thread struct sp_thread *sp_own_thread;
__thread bool sp_own_end;

static struct sp_slot *slot_at(uint32_t i) { return i == 0 ? &first_slot : &atomic_load_explicit(&more_slots, memory_order_relaxed)[i - 1]; }

// Has all slots but the first made. False: no memory.
static bool have_more_slots(void) {
  struct sp_slot *there = atomic_load(&more_slots);
  if (there != NULL) return true;
  size_t size = (SP_SLOTS_MAX - 1) * sizeof *there;
  struct sp_slot *made = sp_private_map_inherited(size); // a forking thread keeps its slot
  if (made == NULL) return false;
  if (!atomic_compare_exchange_strong(&more_slots, &there, made)) sp_private_unmap(made, size);
  return true;
}

// Claims `slot` if it is free.
static bool claim(struct sp_slot *slot) {
  uint32_t no = 0;
  return atomic_compare_exchange_strong(&slot->claimed, &no, 1);
}

struct sp_slot *sp_slot_claim(void) {
  uint32_t end = atomic_load(&slots_end);
  if (atomic_load(&slots_free) > 0) {
    for (uint32_t i = 0; i < end; i++) {
      struct sp_slot *slot = slot_at(i);
      if (atomic_load_explicit(&slot->claimed, memory_order_relaxed) == 0 && claim(slot)) {
        atomic_fetch_sub(&slots_free, 1);
        return slot;
      }
    }
  }
  uint32_t next = atomic_load(&slots_end);
  while (next < SP_SLOTS_MAX) {
    if (next > 0 && !have_more_slots()) return NULL;
    if (!atomic_compare_exchange_weak(&slots_end, &next, next + 1)) continue;
    if (claim(slot_at(next))) return slot_at(next);
    next = atomic_load(&slots_end); // somebody who was looking for a freed one got it
  }
  return NULL;
}

void sp_slot_free(struct sp_slot *slot) {
  atomic_store(&slot->tid, 0);
  atomic_store(&slot->stop_cpu, 0);
  atomic_store(&slot->excluded, 0);
  atomic_store(&slot->reset_cpu, 0);
  atomic_store(&slot->reset_excluded, 0);
  atomic_store(&slot->writer, 0);
  atomic_store(&slot->unticked, SP_TICKED);
  atomic_store(&slot->held, false);
  atomic_store(&slot->in_tick, false);
  slot->start = NULL;
  slot->stack_kb = 0;
  slot->perf_refused = false;
  atomic_store(&slot->claimed, 0);
  atomic_fetch_add(&slots_free, 1);
}

struct sp_slot *sp_slot_start(struct sp_slot *slot) {
  sp_own_slot = slot;
  atomic_signal_fence(memory_order_seq_cst);
  // The process's tick may have come before this thread had a slot; what it made is the thread's from now on.
  if (sp_own_thread != NULL && sp_own_thread->slot != slot) {
    sp_own_slot = sp_own_thread->slot;
    sp_own_slot->start = slot->start;
    sp_slot_free(slot);
  }
  atomic_store(&sp_own_slot->tid, sp_gettid());
  return sp_own_slot;
}

uint32_t sp_slots_used(void) { return atomic_load(&slots_end); }

void sp_slots_visit(void (*visit)(struct sp_slot *, void *), void *context) {
  uint32_t end = atomic_load(&slots_end);
  for (uint32_t i = 0; i < end; i++) {
    if (atomic_load(&slot_at(i)->tid) != 0) visit(slot_at(i), context);
  }
}

void sp_slot_cpu(struct sp_slot *slot, uint64_t *cpu, uint64_t *stopped) {
  *cpu = sp_thread_cpu_ns(atomic_load(&slot->tid));
  *stopped = atomic_load(&slot->excluded);
  uint64_t since = atomic_load(&slot->stop_cpu);
  if (atomic_load(&sp_agent.running) <= 0 && *cpu > since) *stopped += *cpu - since;
}

SP_EVERY_TICK uint64_t sp_account_take(struct sp_account *a, const struct sp_slot *slot, uint64_t cpu, uint64_t excluded) {
  uint64_t reset = atomic_load_explicit(&slot->reset_cpu, memory_order_relaxed);
  if (reset > a->cpu_ns) {
    a->cpu_ns = reset;
    a->excluded_ns = atomic_load(&slot->reset_excluded);
  }
  if (excluded > a->excluded_ns) {
    a->cpu_ns += excluded - a->excluded_ns;
    a->excluded_ns = excluded;
  }
  if (cpu <= a->cpu_ns) return 0;
  uint64_t weight = (cpu - a->cpu_ns) / 1000;
  a->cpu_ns += weight * 1000;
  return weight;
}

#define STACK_USED (8 * 1024)

static uint32_t round_up(uint32_t size) { return (size + 63) & ~63u; }

struct sp_thread *sp_thread_attach(void) {
  if (!sp_agent_own_process()) return NULL;
  if (sp_own_slot == NULL) {
    struct sp_slot *slot = sp_slot_claim();
    if (slot == NULL) return NULL;
    sp_slot_start(slot);
  }
  uint32_t frames = round_up(SP_MAX_FRAMES * sizeof(struct sp_frame));
  uint32_t own = round_up(sizeof(struct sp_thread));
  uint32_t unwinder = round_up(sp_unwinder_size);
  uint32_t size = own + frames + unwinder + SP_THREAD_STACK_SIZE;
  // The stack lies lowest, so that an overflow would fault and not run into the tables.
  uint8_t *base = sp_private_map(size);
  if (base == NULL) return NULL;
  struct sp_thread *thread = (struct sp_thread *)(base + SP_THREAD_STACK_SIZE);
  thread->stack_top = thread;
  thread->frames = (struct sp_frame *)((uint8_t *)thread + own);
  thread->unwinder = (struct sp_unwinder *)((uint8_t *)thread->frames + frames);
  thread->size = size;
  thread->slot = sp_own_slot;
  sp_unwinder_stack(thread->unwinder, (uintptr_t)sp_own_slot->stack_kb * 1024);
  // Of the agent's stack what a tick uses, and of the tables what nearly every one does.
  sp_private_populate((uint8_t *)thread - STACK_USED, STACK_USED + offsetof(struct sp_thread, stacks.path.table) + SP_PAGE_SIZE_MIN);
  sp_private_populate(thread->stacks.first_places, sizeof thread->stacks.first_places + SP_PAGE_SIZE_MIN);
  sp_unwinder_populate(thread->unwinder);
  atomic_store(&sp_own_slot->thread, thread);
  sp_own_thread = thread;
  return thread;
}

void sp_thread_detach(struct sp_slot *slot) {
  struct sp_thread *thread = atomic_exchange(&slot->thread, NULL);
  sp_own_thread = NULL;
  atomic_signal_fence(memory_order_seq_cst);
  if (thread == NULL) return;
  sp_writer_close(&thread->writer);
  sp_stack_table_release(&thread->stacks);
  sp_unwinder_release(thread->unwinder);
  sp_private_unmap((uint8_t *)thread->stack_top - SP_THREAD_STACK_SIZE, thread->size);
}

void sp_thread_forked(void) {
  atomic_store(&sp_own_slot->timer_state, SP_TIMER_NONE);
  atomic_store(&sp_own_slot->held, false);
  atomic_store(&sp_own_slot->tid, sp_agent.pid);
}

void sp_threads_forked(void) {
  sp_own_thread = NULL;
  uint32_t end = atomic_load(&slots_end);
  for (uint32_t i = 0; i < end; i++) {
    struct sp_slot *slot = slot_at(i);
    if (atomic_load(&slot->claimed) == 0) continue; // and nothing of it is written to, and so copied
    atomic_store(&slot->thread, NULL); // its memory is not in this process
    atomic_store(&slot->timer_state, SP_TIMER_NONE);
    if (slot != sp_own_slot) sp_slot_free(slot);
  }
  if (sp_own_slot == NULL) return;
  atomic_store(&sp_own_slot->tid, sp_agent.pid);
  atomic_store(&sp_own_slot->held, false);
  atomic_store(&sp_own_slot->writer, 0);
  atomic_store(&sp_own_slot->stop_cpu, 0);
  atomic_store(&sp_own_slot->excluded, 0);
  atomic_store(&sp_own_slot->reset_cpu, 0);
  atomic_store(&sp_own_slot->reset_excluded, 0);
}
