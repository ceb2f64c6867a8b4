// The life of a profiled process: load, threads, fork, exec, end. (The first tick is sampler.c's.)
#ifndef SP_LIFECYCLE_H
#define SP_LIFECYCLE_H

#include <stdbool.h>
#include <stdint.h>

#include "statprof_trace.h"

// At load, before the program's own code: reads the environment, becomes part of a run, arms the clock. Does little else.
// Returns whether the process is profiled.
bool sp_lifecycle_load(int argc, char **argv);

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

// Before the program gives up system calls by a filter (NULL: the strict mode), in the calling thread or in all of them, and after it if
// that did not happen. From the first on the agent makes none that the filter does not let pass.
struct sock_fprog;
struct sp_calls;
struct sp_sandboxing {
  const struct sp_calls *own, *all; // what was forbidden before
  uint64_t mask;                    // the kernel's, if it was changed
  bool masked, stopped_own, stopped_all, stopped_itimer, off;
};
void sp_lifecycle_seccomp(const struct sock_fprog *filter, bool all, struct sp_sandboxing *before);
void sp_lifecycle_seccomp_failed(const struct sp_sandboxing *before);
// Before the program bars a thread from the processor's time stamp counter (prctl(PR_SET_TSC)): the agent reads no clock by it from then on.
void sp_lifecycle_bar_counter(void);
// Whether the calling thread has given up what a tick needs.
bool sp_lifecycle_sandboxed(void);

// The calling thread is about to be traced by its parent: no more ticks come to it. False: there were none to come. Or it is not traced.
bool sp_lifecycle_traced(void);
void sp_lifecycle_traced_failed(void);

// The process ends.
void sp_lifecycle_end(enum sp_end how, uint32_t status);

#endif
