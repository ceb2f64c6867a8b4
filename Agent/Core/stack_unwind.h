// The walk up an interrupted thread's stack. The seam where unwinders go side by side.
//
// Everything here may run in a signal handler at any instruction of the program, on a stack of
// SP_UNWIND_STACK_SIZE bytes: no lock, no allocation, no wait, no libc call but raw system calls
// that are async-signal-safe. No load can fault: the interrupted stack is read directly only inside
// a range that is known to be mapped, everything else through the kernel (memory_reader.h).
#ifndef SP_STACK_UNWIND_H
#define SP_STACK_UNWIND_H

#include <stdint.h>
#include <ucontext.h>

#include "modules.h"

#define SP_MAX_FRAMES 1024
#define SP_UNWIND_STACK_SIZE (16 * 1024)

// One frame, innermost first in arrays.
struct sp_frame {
  uintptr_t address; // in the process
  uint32_t module;   // number of its module, 0 if none
  uint8_t kind;      // enum sp_frame_kind: SP_FRAME_INSTRUCTION or SP_FRAME_RETURN
};

// A thread's own state of the unwinder: the range of its stack, caches. Zeroed memory is a valid first state.
// Never shared between threads.
struct sp_unwinder;

// Bytes that a struct sp_unwinder takes (the caller allocates it, zeroed, 64-aligned).
extern const uint32_t sp_unwinder_size;

// Tells the least size of the stack that the C library has made, or was given, for the calling thread: bytes without the guard. Without
// this it is found in /proc.
void sp_unwinder_stack(struct sp_unwinder *unwinder, uintptr_t size);

// Gives back what it has mapped beside; it must not be used again.
void sp_unwinder_release(struct sp_unwinder *unwinder);
// Has the pages of it made that every walk writes to.
void sp_unwinder_populate(struct sp_unwinder *unwinder);

// The reader of memory that the unwinder has.
struct sp_reader *sp_unwinder_reader(struct sp_unwinder *unwinder);

// How many of the outermost frames of the last walk were those of the walk before it as well, as far as it was seen on the way.
uint32_t sp_unwinder_same(const struct sp_unwinder *unwinder);

// Has what a walk from `context` on will need fetched into the processor's cache, as far as that is known beforehand. Called by the
// thread itself, before something that takes a while.
void sp_unwind_fetch(struct sp_unwinder *unwinder, const ucontext_t *context);

// Writes the frames of the thread that `context` was taken from, innermost first, at most `capacity` of
// them, and says in `outcome` (enum sp_outcome) how the walk ended. `engine`: enum sp_unwind_engine;
// SP_UNWIND_LIBUNWIND only after sp_libunwind_load() went well, and then not all of what is said above holds (unwind_libunwind.h).
// Frames of the agent itself (sp_modules_ignore) are left out. Returns the number of frames, at least 1.
// Must be called by the thread itself, with the same engine each time.
uint32_t sp_unwind(struct sp_unwinder *unwinder, const ucontext_t *context, int engine, struct sp_frame *frames,
                   uint32_t capacity, uint8_t *outcome);

#endif
