// The descriptors that the agent holds for a moment, so that a child of fork(), which gets them whoever opened them, can close them.
//
// Async-signal-safe and lock-free. Memory: 64 numbers. One that finds no place, or is opened or closed in the instant of the fork itself (some
// ten nanoseconds of the microseconds that it is open), stays open in the child.
#ifndef SP_DESCRIPTORS_H
#define SP_DESCRIPTORS_H

// Notes a descriptor that was just opened. Returns `fd`, also where it is an error.
long sp_descriptor_opened(long fd);

// Closes it.
void sp_descriptor_close(long fd);

// In a forked child: closes all that other threads held.
void sp_descriptors_forked(void);

#endif
