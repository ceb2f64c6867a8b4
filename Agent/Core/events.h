// Records that are not samples, written from ordinary code of the program (never from the handler) into chunks of one
// writer that all threads share under a lock.
//
// The lock is never waited for without end: a thread that finds it held by itself (it was interrupted by a signal whose
// handler calls in again), or held for too long, leaves its event out and counts it (SP_LOSS_BUSY). An event for which the
// file has no room is left out. Each call does nothing unless the process is recording.
#ifndef SP_EVENTS_H
#define SP_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "statprof_trace.h"
#include "thread_slots.h"

void sp_events_mark(const char *name);
void sp_events_state(enum sp_state state, uint64_t value);
void sp_events_link(enum sp_link what, uint64_t value, const char *text);

// The CPU clock of a thread that ends; called by it.
void sp_events_thread_end(struct sp_slot *slot);

// The CPU clocks of all threads and of the process. `final`: nothing will follow.
void sp_events_snapshot(bool final);

// In a forked child: the writer and its chunk are the parent's.
void sp_events_forked(void);

#endif
