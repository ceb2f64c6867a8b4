// The clocks that make ticks: SIGPROF in the thread that is to be sampled. One kind a file.
#ifndef SP_CLOCK_H
#define SP_CLOCK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct sp_slot;

// clock_itimer_linux.c: ITIMER_PROF, one for the process; the tick lands in whichever thread runs.
void sp_itimer_arm(uint32_t frequency, bool once);
void sp_itimer_disarm(void);
bool sp_itimer_armed(void); // by whomever

// A thread has one clock of its own, or none: slot->timer_state says which. Whoever changes it has set SP_TIMER_CHANGING before.

// When a thread's clock with that period is to tick first: anywhere in it, 1 to `period` nanoseconds, so that threads that live shorter
// have their fair chance and no two keep step.
uint64_t sp_first_expiry(uint32_t tid, uint64_t period);

// clock_thread_linux.c: a timer on one thread's CPU clock; its tick lands in that thread. The kernel deletes it at exec.

// The clock id of the CPU clock of thread `tid` of this process.
int32_t sp_thread_clock(uint32_t tid);
// Makes and starts the timer of a slot's thread unless it has a clock. `at_once`: the kernel's next tick finds it due, whatever the
// rate is; from then on it follows that. False: the kernel gives none.
bool sp_thread_timer_arm(struct sp_slot *slot, uint32_t frequency, bool at_once);
// Sets the timer that there is to another rate. Called by the slot's own thread.
void sp_thread_timer_follow(struct sp_slot *slot, uint32_t frequency);
// The distance of two expiries of the calling thread's own timer, nanoseconds; 0: it has none.
uint32_t sp_thread_timer_period(struct sp_slot *slot);
// Takes the timer away if there is one; one that is being made at this moment stays. Async-signal-safe: waits for nobody.
void sp_thread_timer_disarm(struct sp_slot *slot);
// Whether a signal comes from such a timer.
bool sp_thread_timer_sent(const siginfo_t *info);

// clock_perf_linux.c: a perf event on one thread's CPU clock, which a timer of the kernel's own watches and not its tick. It ticks in user
// code alone, so that no call that sleeps is interrupted. No descriptor stays open; a page of memory a thread (of the kernel's, which
// counts against perf_event_mlock_kb and RLIMIT_MEMLOCK) holds the event. fork() and exec leave it behind.

// Makes and starts the event of a slot's thread unless it has a clock. Its first distance is anywhere in the period, unless the thread has
// just `ticked` by another clock. Called by the slot's own thread. False: it cannot be had, or another clock is there.
bool sp_perf_arm(struct sp_slot *slot, uint32_t frequency, bool ticked);
// Makes the event that there is anew at another rate. Called by the slot's own thread. False: it had one, and has none any more.
bool sp_perf_follow(struct sp_slot *slot, uint32_t frequency);
// Takes the event away if there is one; one that is being made at this moment stays.
void sp_perf_disarm(struct sp_slot *slot);
// The kernel has refused such events to this process for good.
bool sp_perf_denied(void);
// Whether a signal comes from such an event.
bool sp_perf_sent(const siginfo_t *info);

#endif
