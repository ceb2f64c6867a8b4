#include "recording.h"

#include <stddef.h>

#include "agent.h"
#include "clocks.h"
#include "events.h"
#include "introduction.h"
#include "thread_slots.h"

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
  uint64_t cpu, stopped;
  sp_slot_cpu(slot, &cpu, &stopped);
  atomic_store(&slot->reset_excluded, stopped);
  atomic_store(&slot->reset_cpu, cpu);
}

void sp_recording_start(void) {
  if (atomic_load(&sp_agent.phase) == SP_PHASE_OFF) return;
  if (atomic_load(&sp_agent.running) == 0) {
    sp_slots_visit(exclude, NULL);
    sp_events_state(SP_STATE_START, 0);
  }
  if (atomic_fetch_add(&sp_agent.running, 1) == 0 && sp_agent_own_process()) sp_clocks_resume();
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
    atomic_store(&sp_agent.frequency_asked, frequency);
    atomic_store(&sp_agent.frequency, frequency);
    sp_clocks_follow();
  }
  sp_introduction_forget_marks();
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
  sp_introduction_keep_mark(name);
}
