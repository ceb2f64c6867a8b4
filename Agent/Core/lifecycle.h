// The life of a profiled process: load, first tick, threads, fork, exec, end.
#ifndef SP_LIFECYCLE_H
#define SP_LIFECYCLE_H

#include <stdbool.h>
#include <stdint.h>

#include "statprof_trace.h"

// At load, before the program's own code: reads the environment, becomes part of a run, arms the clock. Does little else.
// Returns whether the process is profiled.
bool sp_lifecycle_load(int argc, char **argv);

// Arms the clock that waits for the first tick, unless recording has begun or is not to be.
void sp_lifecycle_arm(void);

// At the first tick, in the handler, on the agent's own stack: makes the file and gives the threads their timers.
// True: the process is recording now (whoever began it).
bool sp_lifecycle_begin(void);

// The calling thread begins to run, in the slot that its creator claimed; it ends.
struct sp_slot;
void sp_lifecycle_thread_start(struct sp_slot *slot);
void sp_lifecycle_thread_end(void);
// A thread is created that no slot was free for.
void sp_lifecycle_thread_unwatched(void);

// Around fork(), as pthread_atfork calls them.
void sp_lifecycle_fork_prepare(void);
void sp_lifecycle_fork_parent(void);
void sp_lifecycle_fork_child(void);

// Before an exec of `path`, and after it if it did not happen. The first returns the session variable for the new
// image (session.h), NULL: there is nothing to be told.
const char *sp_lifecycle_exec(const char *path);
void sp_lifecycle_exec_failed(int error);

// Whether the calling code runs in the process that was loaded or forked, and not in a vfork child that shares its memory.
bool sp_lifecycle_own_process(void);

// The process ends.
void sp_lifecycle_end(enum sp_end how, uint32_t status);

// The program sets ITIMER_PROF itself: the agent's clock must be another from now on. False: it can have none.
bool sp_lifecycle_leave_itimer(void);

#endif
