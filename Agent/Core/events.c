#include "events.h"

#include <string.h>

#include "agent.h"
#include "raw_syscall.h"
#include "trace_file.h"

#define LOCK_TRIES 2000
#define TEXT_MAX 1000

static struct {
  _Atomic uint32_t owner; // thread id of who holds the lock, 0: nobody
  struct sp_writer writer;
} events;

// Takes the lock. False: the event is left out.
static bool enter(void) {
  // A child that was not forked by fork() has the parent's state, and its chunks are the parent's.
  if (atomic_load(&sp_agent.phase) != SP_PHASE_RECORDING || !sp_agent_own_process()) return false;
  uint32_t own = sp_gettid();
  for (uint32_t i = 0; i < LOCK_TRIES; i++) {
    uint32_t nobody = 0;
    if (atomic_compare_exchange_strong(&events.owner, &nobody, own)) {
      if (events.writer.number == 0) sp_writer_init(&events.writer, 0);
      return true;
    }
    if (nobody == own) break;
    sp_syscall0(SYS_sched_yield);
  }
  sp_trace_lost(SP_LOSS_BUSY, 1, 0);
  return false;
}

// Commits what was written and gives the lock back.
static void leave(void) {
  sp_writer_commit(&events.writer);
  atomic_store(&events.owner, 0);
}

// Begins a record in the locked writer. False: no room.
static bool begin(enum sp_record kind, uint64_t now) {
  if (sp_writer_reserve(&events.writer, TEXT_MAX + 100, now) != 0) return false;
  sp_record_begin(&events.writer, kind);
  return true;
}

// A number of the open record.
static void put(uint64_t value) { sp_put_varint(&events.writer, value); }

// A text of the open record, cut at TEXT_MAX bytes.
static void put_text(const char *text) { sp_put_string(&events.writer, text, (uint32_t)strnlen(text, TEXT_MAX)); }

void sp_events_mark(const char *name) {
  if (!enter()) return;
  uint64_t now = sp_now();
  if (begin(SP_RECORD_MARK, now)) {
    put(now);
    put_text(name);
    put(sp_gettid());
    sp_record_end(&events.writer);
  }
  leave();
}

void sp_events_state(enum sp_state state, uint64_t value) {
  if (!enter()) return;
  uint64_t now = sp_now();
  if (begin(SP_RECORD_STATE, now)) {
    put(now);
    put(state);
    put(value);
    sp_record_end(&events.writer);
  }
  leave();
}

void sp_events_link(enum sp_link what, uint64_t value, const char *text) {
  if (!enter()) return;
  uint64_t now = sp_now();
  if (begin(SP_RECORD_LINK, now)) {
    put(now);
    put(what);
    put(value);
    put_text(text);
    sp_record_end(&events.writer);
  }
  leave();
}

// Writes a thread's CPU clock; the lock is held.
static void write_thread_cpu(struct sp_slot *slot, bool final) {
  uint64_t now = sp_now(), cpu, stopped;
  sp_slot_cpu(slot, &cpu, &stopped);
  // A thread that has just ended by itself has no clock any more, and has said what it used.
  if (cpu == 0 || !begin(SP_RECORD_THREAD_CPU, now)) return;
  put(atomic_load(&slot->writer));
  put(atomic_load(&slot->tid));
  put(now);
  put(cpu / 1000);
  put(stopped / 1000);
  put(final);
  sp_record_end(&events.writer);
}

void sp_events_thread_end(struct sp_slot *slot) {
  if (!enter()) return;
  write_thread_cpu(slot, true);
  leave();
}

struct snapshot {
  bool final;
  uint64_t stopped;
};

// Writes one thread's clock and adds up what was stopped.
static void visit(struct sp_slot *slot, void *context) {
  struct snapshot *s = context;
  uint64_t cpu, stopped;
  write_thread_cpu(slot, s->final);
  sp_slot_cpu(slot, &cpu, &stopped);
  s->stopped += stopped / 1000;
}

void sp_events_snapshot(bool final) {
  if (!enter()) return;
  struct snapshot s = {.final = final, .stopped = 0};
  sp_slots_visit(visit, &s);
  uint64_t now = sp_now(), cpu = sp_process_cpu_ns() / 1000;
  if (begin(SP_RECORD_PROCESS_CPU, now)) {
    put(now);
    put(cpu);
    put(s.stopped);
    sp_record_end(&events.writer);
  }
  struct sp_live *live = sp_trace_live();
  __atomic_store_n(&live->process_cpu, cpu, __ATOMIC_RELAXED);
  __atomic_store_n(&live->process_time, now, __ATOMIC_RELAXED);
  __atomic_store_n(&live->stopped_cpu, s.stopped, __ATOMIC_RELAXED);
  leave();
}

void sp_events_forked(void) {
  sp_writer_close(&events.writer);
  memset(&events, 0, sizeof events);
}
