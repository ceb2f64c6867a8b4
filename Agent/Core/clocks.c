#include "clocks.h"

#include <stddef.h>

#include "agent.h"
#include "clock.h"
#include "every_tick.h"
#include "message.h"
#include "raw_syscall.h"
#include "statprof_trace.h"
#include "trace_file.h"

// Whether the process-wide timer is ours to use.
static bool itimer_allowed(void) { return sp_agent.options.clock != SP_CLOCK_THREAD && !atomic_load(&sp_agent.program_owns_itimer); }

// Whether threads are to have perf events. Before the first tick nobody pays for one.
static bool wants_perf(void) {
  return sp_agent.options.clock == SP_CLOCK_PERF && atomic_load(&sp_agent.phase) == SP_PHASE_RECORDING && !sp_perf_denied();
}

// What is known of a thread that gets a clock. Only the thread itself can have an event: another one would be held up by it.
enum arming {
  ARM_TIMER,   // it may be any
  ARM_STARTED, // it is the calling one, and begins
  ARM_TICKED,  // it is the calling one, in a tick
};

// Takes one thread's clock away.
static void disarm_thread(struct sp_slot *slot, void *context) {
  (void)context;
  sp_thread_timer_disarm(slot);
  sp_perf_disarm(slot);
}

// Makes a thread's own clock. False: there is none to be had.
static bool make(struct sp_slot *slot, enum arming how) {
  uint32_t frequency = atomic_load(&sp_agent.frequency);
  bool armed = false;
  if (how != ARM_TIMER && wants_perf()) {
    sp_thread_timer_disarm(slot); // which it has had up to now
    armed = sp_perf_arm(slot, frequency, how == ARM_TICKED);
    slot->perf_refused = !armed;
  }
  // A process is to leave a trace if it uses a tick: the first one may not wait.
  bool at_once = atomic_load(&sp_agent.phase) == SP_PHASE_ARMED;
  return armed || sp_thread_timer_arm(slot, frequency, at_once);
}

// The same, if it is to have one.
static bool arm(struct sp_slot *slot, enum arming how) {
  while (!atomic_load(&slot->unticked) && !atomic_load(&slot->held)) {
    if (!make(slot, how)) return false;
    // sp_clocks_disarm and sp_clocks_hold, in another thread, leave one that is being made.
    if (atomic_load(&sp_agent.phase) == SP_PHASE_FAILED) disarm_thread(slot, NULL);
    if (!atomic_load(&slot->held)) break;
    disarm_thread(slot, NULL); // and once more, should it be held no longer
  }
  return true;
}

// Gives one thread its timer; counts it in the uint32_t at `failures` if there is none to be had.
static void arm_thread(struct sp_slot *slot, void *failures) {
  if (!arm(slot, ARM_TIMER)) ++*(uint32_t *)failures;
}

// Gives every thread that runs a clock of its own. Returns how many could not have one.
static uint32_t arm_threads(void) {
  uint32_t failures = 0;
  sp_slots_visit(arm_thread, &failures);
  return failures;
}

// The same in the first tick: says which clock that is. What perf is asked for the other threads get in their next ticks.
static uint32_t take_threads_clocks(void) {
  bool asked = wants_perf();
  if (asked && sp_own_slot != NULL) arm(sp_own_slot, ARM_TICKED);
  uint32_t failures = arm_threads();
  // What the thread of the first tick cannot have is no clock of this process.
  bool perf = asked && sp_own_slot != NULL && atomic_load(&sp_own_slot->timer_state) == SP_TIMER_PERF;
  // Stored once: other threads tick already, and tell what they find.
  atomic_store(&sp_agent.clock, perf ? SP_CLOCK_PERF : SP_CLOCK_THREAD);
  if (asked && !perf && sp_agent.options.log) {
    static const char *const parts[] = {"STATPROF_CLOCK=perf cannot be had here (perf_event_open); using a CPU-time timer per thread"};
    sp_message(parts, 1);
  }
  return failures;
}

void sp_clocks_arm(void) {
  if (atomic_load(&sp_agent.phase) != SP_PHASE_ARMED) return;
  // What setitimer arms outlives an exec that the agent does not hear of, a bare system call, and kills the new program. Besides the
  // kernel adds a tick to it, so that a process of less than two would never be seen. So threads have timers of their own from the
  // start, which the kernel deletes at exec; the process's is for where these cannot be had.
  if (sp_agent.options.clock != SP_CLOCK_ITIMER && arm_threads() == 0) return;
  if (itimer_allowed()) sp_itimer_arm(atomic_load(&sp_agent.frequency), sp_agent.options.clock != SP_CLOCK_ITIMER);
}

void sp_clocks_begin(void) {
  uint32_t missing = 0;
  if (sp_agent.options.clock != SP_CLOCK_ITIMER) {
    missing = take_threads_clocks();
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

// The slot's thread, the calling one, gets a clock if it is time.
static void start(struct sp_slot *slot, enum arming how) {
  uint32_t phase = atomic_load(&sp_agent.phase);
  bool ticks = phase == SP_PHASE_RECORDING || (phase == SP_PHASE_ARMED && atomic_load(&sp_agent.running) > 0);
  if (!ticks || sp_agent.options.clock == SP_CLOCK_ITIMER || !sp_agent_own_process() || arm(slot, how)) return;
  if (itimer_allowed()) {
    if (atomic_exchange(&sp_agent.clock, SP_CLOCK_ITIMER) != SP_CLOCK_ITIMER) sp_itimer_arm(atomic_load(&sp_agent.frequency), false);
  } else {
    sp_trace_lost(SP_LOSS_TIMER, 1, 0);
  }
}

void sp_clocks_thread_start(struct sp_slot *slot) { start(slot, ARM_STARTED); }

SP_EVERY_TICK void sp_clocks_thread_tick(struct sp_slot *slot) {
  uint32_t frequency = atomic_load_explicit(&sp_agent.frequency, memory_order_relaxed);
  uint32_t state = atomic_load(&slot->timer_state);
  if (state == SP_TIMER_SET && wants_perf() && !slot->perf_refused) arm(slot, ARM_TICKED);
  else if (state == SP_TIMER_SET) sp_thread_timer_follow(slot, frequency);
  else if (state == SP_TIMER_PERF && !sp_perf_follow(slot, frequency)) sp_thread_timer_arm(slot, frequency, false);
}

void sp_clocks_thread_end(struct sp_slot *slot) {
  // The thread of the first tick may be arming it at this moment.
  for (int i = 0; i < 1000 && atomic_load(&slot->timer_state) == SP_TIMER_CHANGING; i++) sp_syscall0(SYS_sched_yield);
  disarm_thread(slot, NULL);
  atomic_store(&slot->timer_state, SP_TIMER_NONE);
}

void sp_clocks_hold(void) {
  struct sp_slot *slot = sp_own_slot;
  // A bare clone() may have another thread's slot; and a sandbox might leave no way back to a clock.
  if (slot == NULL || sp_own_end || sp_gettid() != atomic_load(&slot->tid) || !sp_may_call(SYS_timer_create)) return;
  atomic_store(&slot->held, true);
  disarm_thread(slot, NULL);
}

bool sp_clocks_held(void) { return sp_own_slot != NULL && atomic_load_explicit(&sp_own_slot->held, memory_order_relaxed); }

void sp_clocks_release(void) {
  if (!sp_clocks_held() || sp_gettid() != atomic_load(&sp_own_slot->tid)) return;
  atomic_store(&sp_own_slot->held, false);
  start(sp_own_slot, ARM_TIMER); // an event takes more of the stack than there may be; the next tick makes one
}

void sp_clocks_exec_thread(void) {
  if (sp_own_slot != NULL) sp_perf_disarm(sp_own_slot);
}

void sp_clocks_exec_thread_failed(void) {
  if (sp_own_slot != NULL) sp_clocks_thread_start(sp_own_slot);
}

void sp_clocks_exec(void) {
  if (itimer_allowed()) sp_itimer_disarm();
}

void sp_clocks_resume(void) {
  if (atomic_load(&sp_agent.clock) == SP_CLOCK_ITIMER) sp_clocks_follow();
  else sp_clocks_arm();
}

bool sp_clocks_stop_itimer(void) {
  if (!itimer_allowed() || !sp_itimer_armed()) return false;
  sp_itimer_disarm();
  return true;
}

bool sp_clocks_leave_itimer(void) {
  if (sp_agent.options.clock == SP_CLOCK_ITIMER) return false;
  uint32_t phase = atomic_load(&sp_agent.phase);
  if (phase == SP_PHASE_OFF || phase == SP_PHASE_FAILED) return true;
  return (phase == SP_PHASE_RECORDING ? take_threads_clocks() : arm_threads()) == 0;
}
