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

// clock_thread_linux.c: a timer on one thread's CPU clock; its tick lands in that thread. The kernel deletes it at exec.

// The clock id of the CPU clock of thread `tid` of this process.
int32_t sp_thread_clock(uint32_t tid);
// Makes and starts the timer of a slot's thread unless it has one. False: the kernel gives none.
bool sp_thread_timer_arm(struct sp_slot *slot, uint32_t frequency);
// Sets the timer that there is to another rate. Called by the slot's own thread.
void sp_thread_timer_follow(struct sp_slot *slot, uint32_t frequency);
// The distance of two expiries of the calling thread's own timer, nanoseconds; 0: it has none.
uint32_t sp_thread_timer_period(struct sp_slot *slot);
// Takes the timer away if there is one; one that is being made at this moment stays. Async-signal-safe: waits for nobody.
void sp_thread_timer_disarm(struct sp_slot *slot);
// The slot's thread ends: takes its timer away, having waited for one that is being made.
void sp_thread_timer_end(struct sp_slot *slot);
// Whether a signal comes from such a timer.
bool sp_thread_timer_sent(const siginfo_t *info);

#endif
