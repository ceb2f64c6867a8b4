// The descriptors that the agent holds for a moment, so that a child of fork(), which gets them whoever opened them, can close them.
//
// Async-signal-safe and lock-free but for sp_descriptors_fork. Memory: 64 numbers. One that finds no place, or is being closed in the instant of the
// fork, stays open in the child; of those that are being opened then, a new trace and a perf event.
#ifndef SP_DESCRIPTORS_H
#define SP_DESCRIPTORS_H

#include <stdbool.h>

// To read what is in /proc: flags that nobody else has there, by which the child knows what was not noted yet.
#define SP_PROC_FLAGS (O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK | O_DSYNC)

// Opens one by `call`, which gives a descriptor or -errno, and notes it. The result is the call's.
#define sp_descriptor_open(call) (sp_descriptor_opening(), sp_descriptor_opened(call))
void sp_descriptor_opening(void);
long sp_descriptor_opened(long fd);

// Closes it.
void sp_descriptor_close(long fd);

// Before a fork: lets threads that are opening one come to the end of that; for some milliseconds at most.
void sp_descriptors_fork(void);
// In the forked child: closes all that other threads held; `is_trace` knows a descriptor of the parent's trace.
void sp_descriptors_forked(bool (*is_trace)(int fd));

#endif
