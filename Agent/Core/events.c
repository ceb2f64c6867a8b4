#include "events.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#include "agent.h"
#include "private_memory.h"
#include "raw_syscall.h"
#include "trace_file.h"

// The lock is held for microseconds, or for as long as its holder does not get a processor: first others are let run, then up to a tenth of a
// second is slept.
#define LOCK_YIELDS 50
#define LOCK_SLEEPS 1000
#define LOCK_SLEEP_NS 100000
#define TEXT_MAX 1000

struct events {
  _Atomic uint32_t owner; // thread id of who holds the lock, 0: nobody
  uint64_t mask;          // the owner's signal mask, before
  struct sp_writer writer;
};

static _Atomic(struct events *) shared SP_HOT; // made with the first event; a forked child begins without it

// The events' state, made with the first one. NULL: no memory.
static struct events *get_events(void) {
  struct events *events = atomic_load(&shared);
  if (events != NULL) return events;
  struct events *made = sp_private_map(sizeof *made);
  if (made == NULL || atomic_compare_exchange_strong(&shared, &events, made)) return made;
  sp_private_unmap(made, sizeof *made);
  return events;
}

// Changes the thread's signal mask in the kernel; returns what it was.
static uint64_t change_mask(int how, uint64_t mask) {
  uint64_t old = 0;
  sp_syscall4(SYS_rt_sigprocmask, how, &mask, &old, sizeof old);
  return old;
}

// Takes the lock. NULL: the event is left out. No signal comes while it is held: the handler might fork, and its child, which has
// nothing of this memory, come back here.
static struct sp_writer *enter(void) {
  // A child that was not forked by fork() has the parent's state, and its chunks are the parent's.
  if (atomic_load(&sp_agent.phase) != SP_PHASE_RECORDING || !sp_agent_own_process()) return NULL;
  struct events *events = get_events();
  uint32_t own = sp_gettid();
  uint64_t mask = change_mask(SIG_BLOCK, SP_ASYNCHRONOUS_SIGNALS);
  for (uint32_t i = 0; events != NULL && own != 0 && i < LOCK_YIELDS + LOCK_SLEEPS; i++) {
    uint32_t nobody = 0;
    if (atomic_compare_exchange_strong(&events->owner, &nobody, own)) {
      events->mask = mask;
      if (events->writer.number == 0) sp_writer_init(&events->writer, 0);
      return &events->writer;
    }
    if (nobody == own) break;
    const struct timespec pause = {.tv_sec = 0, .tv_nsec = LOCK_SLEEP_NS};
    if (i < LOCK_YIELDS) sp_syscall0(SYS_sched_yield);
    else sp_syscall2(SYS_nanosleep, &pause, NULL);
  }
  change_mask(SIG_SETMASK, mask);
  sp_trace_lost(SP_LOSS_BUSY, 1, 0);
  return NULL;
}

// Commits what was written and gives the lock back.
static void leave(struct sp_writer *w) {
  struct events *events = atomic_load(&shared);
  uint64_t mask = events->mask;
  sp_writer_commit(w);
  atomic_store(&events->owner, 0);
  change_mask(SIG_SETMASK, mask);
}

// Begins a record in the locked writer. False: no room.
static bool begin(struct sp_writer *w, enum sp_record kind, uint64_t now) {
  if (sp_writer_reserve(w, TEXT_MAX + 100, now) != 0) return false;
  sp_record_begin(w, kind);
  return true;
}

// A text of the open record, cut at TEXT_MAX bytes.
static void put_text(struct sp_writer *w, const char *text) { sp_put_string(w, text, (uint32_t)strnlen(text, TEXT_MAX)); }

void sp_events_mark(const char *name) {
  struct sp_writer *w = enter();
  if (w == NULL) return;
  uint64_t now = sp_now();
  if (begin(w, SP_RECORD_MARK, now)) {
    sp_put_varint(w, now);
    put_text(w, name);
    sp_put_varint(w, sp_gettid());
    sp_record_end(w);
  }
  leave(w);
}

void sp_events_state(enum sp_state state, uint64_t value) {
  struct sp_writer *w = enter();
  if (w == NULL) return;
  uint64_t now = sp_now();
  if (begin(w, SP_RECORD_STATE, now)) {
    sp_put_varint(w, now);
    sp_put_varint(w, state);
    sp_put_varint(w, value);
    sp_record_end(w);
  }
  leave(w);
}

void sp_events_link(enum sp_link what, uint64_t value, const char *text) {
  struct sp_writer *w = enter();
  if (w == NULL) return;
  uint64_t now = sp_now();
  if (begin(w, SP_RECORD_LINK, now)) {
    sp_put_varint(w, now);
    sp_put_varint(w, what);
    sp_put_varint(w, value);
    put_text(w, text);
    sp_record_end(w);
  }
  leave(w);
}

// Writes a thread's CPU clock; the lock is held.
static void write_thread_cpu(struct sp_writer *w, struct sp_slot *slot, bool final) {
  uint64_t now = sp_now(), cpu, stopped;
  sp_slot_cpu(slot, &cpu, &stopped);
  // A thread that has just ended by itself has no clock any more, and has said what it used.
  if (cpu == 0 || !begin(w, SP_RECORD_THREAD_CPU, now)) return;
  sp_put_varint(w, atomic_load(&slot->writer));
  sp_put_varint(w, atomic_load(&slot->tid));
  sp_put_varint(w, now);
  sp_put_varint(w, cpu / 1000);
  sp_put_varint(w, stopped / 1000);
  sp_put_varint(w, final);
  sp_record_end(w);
}

void sp_events_thread_end(struct sp_slot *slot) {
  struct sp_writer *w = enter();
  if (w == NULL) return;
  write_thread_cpu(w, slot, true);
  leave(w);
}

struct snapshot {
  struct sp_writer *writer;
  bool final;
  uint64_t stopped;
};

// Writes one thread's clock and adds up what was stopped.
static void visit(struct sp_slot *slot, void *context) {
  struct snapshot *s = context;
  uint64_t cpu, stopped;
  write_thread_cpu(s->writer, slot, s->final);
  sp_slot_cpu(slot, &cpu, &stopped);
  s->stopped += stopped / 1000;
}

void sp_events_snapshot(bool final) {
  struct sp_writer *w = enter();
  if (w == NULL) return;
  struct snapshot s = {.writer = w, .final = final, .stopped = 0};
  sp_slots_visit(visit, &s);
  uint64_t now = sp_now(), cpu = sp_process_cpu_ns() / 1000;
  if (cpu == 0) { // the program has given up to ask for it
    leave(w);
    return;
  }
  if (begin(w, SP_RECORD_PROCESS_CPU, now)) {
    sp_put_varint(w, now);
    sp_put_varint(w, cpu);
    sp_put_varint(w, s.stopped);
    sp_record_end(w);
  }
  struct sp_live *live = sp_trace_live();
  __atomic_store_n(&live->process_cpu, cpu, __ATOMIC_RELAXED);
  __atomic_store_n(&live->process_time, now, __ATOMIC_RELAXED);
  __atomic_store_n(&live->stopped_cpu, s.stopped, __ATOMIC_RELAXED);
  leave(w);
}

void sp_events_forked(void) { atomic_store(&shared, NULL); }
