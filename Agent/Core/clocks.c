#include "clocks.h"

#include <stddef.h>

#include "agent.h"
#include "clock.h"
#include "statprof_trace.h"
#include "trace_file.h"

// Whether the process-wide timer is ours to use.
static bool itimer_allowed(void) { return sp_agent.options.clock != SP_CLOCK_THREAD && !atomic_load(&sp_agent.program_owns_itimer); }

// Makes a thread's timer. False: there is none to be had.
static bool arm(struct sp_slot *slot) {
  if (!sp_thread_timer_arm(slot, atomic_load(&sp_agent.frequency))) return false;
  // sp_clocks_disarm, in another thread, leaves one that is being made.
  if (atomic_load(&sp_agent.phase) == SP_PHASE_FAILED) sp_thread_timer_disarm(slot);
  return true;
}

// Gives one thread its timer; counts it in the uint32_t at `failures` if there is none to be had.
static void arm_thread(struct sp_slot *slot, void *failures) {
  if (!arm(slot)) ++*(uint32_t *)failures;
}

// Takes one thread's timer away.
static void disarm_thread(struct sp_slot *slot, void *context) {
  (void)context;
  sp_thread_timer_disarm(slot);
}

// Gives every thread that runs a timer of its own. Returns how many could not have one.
static uint32_t arm_threads(void) {
  uint32_t failures = 0;
  sp_slots_visit(arm_thread, &failures);
  return failures;
}

void sp_clocks_arm(void) {
  if (atomic_load(&sp_agent.phase) != SP_PHASE_ARMED) return;
  uint32_t frequency = atomic_load(&sp_agent.frequency);
  if (itimer_allowed()) sp_itimer_arm(frequency, sp_agent.options.clock == SP_CLOCK_AUTO);
  // The kernel adds a tick to what setitimer is asked for, so that a process of less than two would never be seen: the
  // thread that loads the agent has its own timer from the start, the others have theirs from the first tick on.
  if (sp_agent.options.clock != SP_CLOCK_ITIMER) arm_threads();
}

void sp_clocks_begin(void) {
  uint32_t missing = 0;
  if (sp_agent.options.clock != SP_CLOCK_ITIMER) {
    atomic_store(&sp_agent.clock, SP_CLOCK_THREAD);
    missing = arm_threads();
    if (missing == 0) {
      if (itimer_allowed()) sp_itimer_disarm();
      return;
    }
  }
  if (itimer_allowed()) {
    // Threads that have a timer keep it: weights are measured, so that more ticks do no harm.
    atomic_store(&sp_agent.clock, SP_CLOCK_ITIMER);
    sp_itimer_arm(atomic_load(&sp_agent.frequency), false);
  } else {
    sp_trace_lost(SP_LOSS_TIMER, missing, 0);
  }
}

void sp_clocks_disarm(void) {
  if (itimer_allowed()) sp_itimer_disarm();
  sp_slots_visit(disarm_thread, NULL);
}

void sp_clocks_follow(void) {
  if (atomic_load(&sp_agent.clock) == SP_CLOCK_ITIMER && itimer_allowed()) sp_itimer_arm(atomic_load(&sp_agent.frequency), false);
}

void sp_clocks_thread_start(struct sp_slot *slot) {
  uint32_t phase = atomic_load(&sp_agent.phase);
  bool wanted = phase == SP_PHASE_RECORDING ? sp_agent.options.clock != SP_CLOCK_ITIMER
                                            : phase == SP_PHASE_ARMED && sp_agent.options.clock == SP_CLOCK_THREAD;
  if (!wanted || !sp_agent_own_process() || arm(slot)) return;
  if (itimer_allowed()) {
    if (atomic_exchange(&sp_agent.clock, SP_CLOCK_ITIMER) != SP_CLOCK_ITIMER) sp_itimer_arm(atomic_load(&sp_agent.frequency), false);
  } else {
    sp_trace_lost(SP_LOSS_TIMER, 1, 0);
  }
}

void sp_clocks_exec(void) {
  if (itimer_allowed()) sp_itimer_disarm();
}

void sp_clocks_exec_failed(void) {
  if (atomic_load(&sp_agent.clock) == SP_CLOCK_ITIMER) sp_clocks_follow();
  else sp_clocks_arm();
}

bool sp_clocks_leave_itimer(void) {
  if (sp_agent.options.clock == SP_CLOCK_ITIMER) return false;
  uint32_t phase = atomic_load(&sp_agent.phase);
  if (phase == SP_PHASE_OFF || phase == SP_PHASE_FAILED) return true;
  if (phase == SP_PHASE_RECORDING) atomic_store(&sp_agent.clock, SP_CLOCK_THREAD);
  return arm_threads() == 0;
}
