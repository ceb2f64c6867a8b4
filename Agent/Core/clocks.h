// Which clock makes the ticks, when: clock.h's mechanisms under STATPROF_CLOCK's rule, and what the program leaves free.
#ifndef SP_CLOCKS_H
#define SP_CLOCKS_H

#include <stdbool.h>

#include "thread_slots.h"

// Arms the clocks that wait for the first tick, unless recording has begun or is not to be.
void sp_clocks_arm(void);

// At the first tick: takes the threads' own clocks where they can be had, the itimer where not. Async-signal-safe.
void sp_clocks_begin(void);

// There will be no trace: no more ticks.
void sp_clocks_disarm(void);

// The rate has changed. (A thread's own clock follows at its next tick.)
void sp_clocks_follow(void);

// The calling thread begins to run in `slot`: it gets a clock of its own if it is time. It has had a tick. It ends, and waits for a clock
// that is being made.
void sp_clocks_thread_start(struct sp_slot *slot);
void sp_clocks_thread_tick(struct sp_slot *slot);
void sp_clocks_thread_end(struct sp_slot *slot);

// The calling thread blocks SIGPROF in the kernel's view from here on: no tick of its own clock may wait there, where a signal of the program's
// does, or be read by the program. Whether that is so. It is no more; called with all signals blocked. Async-signal-safe.
void sp_clocks_hold(void);
bool sp_clocks_held(void);
void sp_clocks_release(void);

// The calling thread is about to exec: it has no perf event from here on; or the exec failed, and it has again.
void sp_clocks_exec_thread(void);
void sp_clocks_exec_thread_failed(void);

// Before an exec: stops what would outlive it.
void sp_clocks_exec(void);

// Before the program gives up the call that could stop the process's timer, or is traced: stops it if it is the agent's. False: it does not
// run.
bool sp_clocks_stop_itimer(void);

// What the two were for did not happen, or recording begins again: starts what they stopped, or sp_clocks_arm what waits for the first tick.
void sp_clocks_resume(void);

// The program sets ITIMER_PROF itself: the agent's clock must be another from now on. False: it can have none.
bool sp_clocks_leave_itimer(void);

#endif
