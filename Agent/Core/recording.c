#include "recording.h"

#include <string.h>
#include <sys/utsname.h>

#include "agent.h"
#include "clock.h"
#include "events.h"
#include "lifecycle.h"
#include "proc_facts.h"
#include "raw_syscall.h"

#define TEXT_PART 3000
#define PENDING_MARKS 16

// Marks that were set before there was a file: a process that uses no tick leaves none.
static struct {
  _Atomic uint32_t count;
  struct {
    _Atomic uint32_t ready;
    uint64_t time;
    uint32_t tid;
    char name[100];
  } marks[PENDING_MARKS];
} pending;
static _Atomic uint32_t introduced;

// Notes a thread's CPU clock at a stop.
static void note_stop(struct sp_slot *slot, void *context) {
  (void)context;
  atomic_store(&slot->stop_cpu, sp_thread_cpu_ns(atomic_load(&slot->tid)));
}

// Adds what a thread has used since the stop to its excluded time.
static void exclude(struct sp_slot *slot, void *context) {
  (void)context;
  uint64_t cpu = sp_thread_cpu_ns(atomic_load(&slot->tid));
  uint64_t since = atomic_load(&slot->stop_cpu);
  if (cpu > since) atomic_fetch_add(&slot->excluded, cpu - since);
}

// Notes a thread's CPU clock at a reset.
static void note_reset(struct sp_slot *slot, void *context) {
  (void)context;
  atomic_store(&slot->reset_cpu, sp_thread_cpu_ns(atomic_load(&slot->tid)));
}

void sp_recording_start(void) {
  if (atomic_load(&sp_agent.phase) == SP_PHASE_OFF) return;
  if (atomic_load(&sp_agent.running) == 0) {
    sp_slots_visit(exclude, NULL);
    sp_events_state(SP_STATE_START, 0);
  }
  if (atomic_fetch_add(&sp_agent.running, 1) == 0) sp_lifecycle_arm();
}

void sp_recording_stop(void) {
  int32_t running = atomic_load(&sp_agent.running);
  do {
    if (running <= 0) return;
  } while (!atomic_compare_exchange_weak(&sp_agent.running, &running, running - 1));
  if (running != 1) return;
  sp_slots_visit(note_stop, NULL);
  sp_events_state(SP_STATE_STOP, 0);
}

void sp_recording_reset(uint32_t frequency) {
  if (atomic_load(&sp_agent.phase) == SP_PHASE_OFF) return;
  if (frequency >= 1 && frequency <= 10000) {
    atomic_store(&sp_agent.frequency, frequency);
    if (atomic_load(&sp_agent.clock) == SP_CLOCK_ITIMER) sp_itimer_arm(frequency, false);
  }
  atomic_store(&pending.count, 0);
  sp_slots_visit(note_reset, NULL);
  sp_events_snapshot(false);
  sp_events_state(SP_STATE_RESET, atomic_load(&sp_agent.frequency));
}

bool sp_recording_active(void) {
  uint32_t phase = atomic_load(&sp_agent.phase);
  return phase != SP_PHASE_OFF && phase != SP_PHASE_FAILED && atomic_load(&sp_agent.running) > 0;
}

void sp_recording_mark(const char *name) {
  uint32_t phase = atomic_load(&sp_agent.phase);
  if (name == NULL || phase == SP_PHASE_OFF || phase == SP_PHASE_FAILED) return;
  if (phase == SP_PHASE_RECORDING) {
    sp_events_mark(name);
    return;
  }
  uint32_t n = atomic_fetch_add(&pending.count, 1);
  if (n >= PENDING_MARKS) return;
  size_t length = strnlen(name, sizeof pending.marks[n].name - 1);
  memcpy(pending.marks[n].name, name, length);
  pending.marks[n].name[length] = 0;
  pending.marks[n].time = sp_now();
  pending.marks[n].tid = sp_gettid();
  atomic_store(&pending.marks[n].ready, 1);
}

void sp_recording_cpu(struct sp_slot *slot, uint64_t *cpu, uint64_t *stopped) {
  *cpu = sp_thread_cpu_ns(atomic_load(&slot->tid));
  *stopped = atomic_load(&slot->excluded);
  uint64_t since = atomic_load(&slot->stop_cpu);
  if (atomic_load(&sp_agent.running) <= 0 && *cpu > since) *stopped += *cpu - since;
}

// Writes a text in as many records as it needs.
static void write_text(struct sp_writer *w, uint32_t what, const char *text, uint32_t size, uint64_t now) {
  uint32_t done = 0;
  do {
    uint32_t part = size - done < TEXT_PART ? size - done : TEXT_PART;
    if (sp_writer_reserve(w, part + 64, now) != 0) return;
    sp_record_begin(w, SP_RECORD_TEXT);
    sp_put_varint(w, what);
    sp_put_varint(w, size);
    sp_put_varint(w, done);
    sp_put_bytes(w, text + done, part);
    sp_record_end(w);
    done += part;
  } while (done < size);
}

// Writes the marks that waited for the file.
static void write_pending_marks(struct sp_writer *w, uint64_t now) {
  for (uint32_t i = 0; i < PENDING_MARKS; i++) {
    if (atomic_load(&pending.marks[i].ready) == 0 || i >= atomic_load(&pending.count)) continue;
    if (sp_writer_reserve(w, 256, now) != 0) return;
    sp_record_begin(w, SP_RECORD_MARK);
    sp_put_varint(w, pending.marks[i].time);
    sp_put_string(w, pending.marks[i].name, (uint32_t)strlen(pending.marks[i].name));
    sp_put_varint(w, pending.marks[i].tid);
    sp_record_end(w);
  }
}

void sp_recording_introduce(struct sp_writer *w, uint64_t now) {
  if (atomic_exchange(&introduced, 1) != 0) return;
  char text[4096];
  long length = sp_read_link("/proc/self/exe", text, sizeof text);
  if (length > 0) write_text(w, SP_TEXT_EXECUTABLE, text, (uint32_t)length, now);
  if (sp_agent.options.arguments) write_text(w, SP_TEXT_ARGUMENTS, sp_agent.arguments, sp_agent.arguments_size, now);
  length = sp_syscall2(SYS_getcwd, text, sizeof text);
  if (length > 1) write_text(w, SP_TEXT_DIRECTORY, text, (uint32_t)length - 1, now);
  struct utsname name;
  if (sp_syscall1(SYS_uname, &name) == 0) {
    size_t node = strnlen(name.nodename, sizeof name.nodename);
    size_t release = strnlen(name.release, sizeof name.release);
    memcpy(text, name.nodename, node);
    text[node] = ' ';
    memcpy(text + node + 1, name.release, release);
    write_text(w, SP_TEXT_HOST, text, (uint32_t)(node + 1 + release), now);
  }
  write_pending_marks(w, now);
}

void sp_recording_forked(void) {
  atomic_store(&introduced, 0);
  memset(&pending, 0, sizeof pending);
}
