// Work with descriptors that the program never sees.
//
// A descriptor is the whole process's, and be it open for microseconds: meanwhile another thread's open() gets another number than it
// would, its dup2() replaces the file, its fork() gives it to a child. So the work is done in a table of descriptors of its own: by a
// thread that exists for as long, begins with an empty table (close_range(2), CLOSE_RANGE_UNSHARE), and has nothing else of its own:
// it runs on the calling thread's stack, below the caller's frames, and with its thread-local variables, while the caller waits for its
// end. It is no thread to the C library, no signal comes to it, no debugger stops at its start.
#ifndef SP_APART_H
#define SP_APART_H

#include <sched.h>
#include <sys/syscall.h>

// Of newer headers.
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1u << 1)
#endif

#define SP_APART_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID | CLONE_UNTRACED)

// Calls `work` with `argument`; it may use no descriptor that was open before, and may ask for no thread id. In a process of one thread,
// and within such work, it is simply called; likewise where there can be no such thread (a filter or a limit of the program's, an
// emulator), and then among the program's descriptors. Async-signal-safe; it takes what `work` takes, and the making of a thread: some
// 20 us, or as long as a new thread waits where processors are busy.
void sp_apart(void (*work)(void *), void *argument);

#endif
