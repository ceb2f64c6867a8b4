// What threads had used since their last tick when they ended, kept until a tick can say where: a thread that lives for less than the
// kernel's tick is met by chance, and of one that is met all is lost that it does after.
//
// What a thread leaves is taken by the next sample of a sibling, a thread that was created to run the same routine: a tick falls into
// any part of what siblings do as often as that takes CPU time, so that its stack is a fair draw. Threads that ended after
// SP_SHORT_SAMPLES samples or fewer leave to siblings that are as young, the others to those that are older: what a thread does first is
// no picture of what it does later.
//
// Lock-free both ways: a place belongs to whoever has changed its state. Memory: 16 sets of 64 places of 48 bytes, mapped when the first
// thread leaves something, touched as they are used. What finds no place, and what nobody takes, stays unsampled.
#ifndef SP_REMAINDERS_H
#define SP_REMAINDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "thread_slots.h"

#define SP_SHORT_SAMPLES 4

struct sp_remainder {
  void *(*start)(void *); // what the thread was created to run
  uint64_t time;          // of its end
  uint64_t weight;        // microseconds of CPU
  uint32_t tid;
  uint32_t writer; // 0: it was never sampled
};

// The calling thread ends, and will not be sampled any more. Not for the handler.
void sp_remainder_leave(struct sp_slot *slot);

// Takes one that threads of that routine have left, of those that were short or of the others. `*place` is 0 at first and says where the
// search goes on. False: there is none any more. Async-signal-safe: looks at 64 places at most.
bool sp_remainder_take(void *(*start)(void *), bool short_lived, uint32_t *place, struct sp_remainder *remainder);

// In a forked child: they are the parent's.
void sp_remainders_forked(void);

#endif
