// SIGPROF and ITIMER_PROF as the program sees them: as if it were alone.
//
// The kernel's handler for SIGPROF is always the agent's. What the program asks for is kept here and answered from
// here; a signal that is not the agent's own tick (told by who sent it) does what the program's disposition says. When the
// program sets ITIMER_PROF it gets it, and the agent goes on with the threads' CPU-time timers.
//
// A thread that blocks SIGPROF (workers often block every signal) is still sampled: the kernel's mask leaves the signal open, the
// program's view of its mask is kept per thread. Should a SIGPROF of the program's own arrive in such a thread, it is
// sent once more with the signal really blocked, and so is pending where and as long as it would be without the agent.
//
// A tick takes room on the stack that it interrupts. A handler of the program's that runs on an alternate stack may know that to be just
// enough: SIGPROF is blocked while one runs, and its time is in the sample after it.
//
// State: one disposition, guarded by a sequence number so that the handler never reads half of it; three flags a thread; whose handlers are
// spared so, and whether some alternate stack is too small for a tick.
#ifndef SP_PROGRAM_SIGNALS_H
#define SP_PROGRAM_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

// At load: takes SIGPROF over. A timer or a disposition that an earlier image left is the program's.
void sp_program_signals_load(void);
// In a forked child: timers are not inherited, nor is a signal that waits; `mask`, which the kernel is to have, is changed where that is why.
void sp_program_signals_forked(uint64_t *mask);
// Before an exec, the clock being stopped: a SIGPROF that the program ignores is ignored in its next image; no tick of ours
// may be left pending, for one of several threads.
void sp_program_signals_exec(bool several_threads);
void sp_program_signals_exec_failed(void);
// The same in a child that shares its parent's memory, but has dispositions of its own: only what the program ignores.
void sp_program_signals_exec_shared(void);

// Over a call in which the C library starts a program: the calling thread's mask, and a disposition that ignores SIGPROF, are the
// kernel's too from sp_program_signals_show to sp_program_signals_hide, which gets what that said.
struct sp_shown {
  bool blocked, ignored;
};
struct sp_shown sp_program_signals_show(void);
void sp_program_signals_hide(struct sp_shown shown);

// In a new thread: takes the mask that it was given for the program's view. `blocked`: SIGPROF was blocked in its creator's view.
void sp_program_signals_thread(bool blocked);
// Whether SIGPROF is blocked in the calling thread's view.
bool sp_program_blocks_sigprof(void);
// Whether it is in the kernel's too, where one of the program's own waits.
bool sp_program_holds_sigprof(void);
// What pthread_sigmask does for the program. 0 or an errno.
int sp_program_sigmask(int how, const sigset_t *set, sigset_t *old);
// Before a call that waits under a mask of its own (NULL: none), and with NULL after it: a SIGPROF that the thread blocks and that mask
// does not is handled, one, as it would be without the agent.
void sp_program_wait(const sigset_t *mask);
// What siginterrupt(SIGPROF) does, and what it last asked for.
void sp_program_siginterrupt(bool interrupt);
bool sp_program_interrupts(void);
// The calling thread's mask as the kernel is to have it over an exec, and back.
void sp_program_mask_exec(void);
void sp_program_mask_exec_failed(void);

// What sigaction(SIGPROF), setitimer(ITIMER_PROF) and getitimer(ITIMER_PROF) do for the program. 0, or -1 and errno.
int sp_program_sigaction(const struct sigaction *action, struct sigaction *old);
// The same for any other signal, in a process that is profiled: handlers on alternate stacks are spared ticks.
int sp_program_other_sigaction(int number, const struct sigaction *action, struct sigaction *old);
// The program is about to have an alternate stack: if that is too small for a tick, ticks keep to the stack that they interrupt from now on.
void sp_program_sigaltstack(const stack_t *stack);
// What a tick takes at most of the stack that it interrupts, the kernel's frame included, bytes.
size_t sp_program_tick_room(void);
int sp_program_setitimer(const struct itimerval *value, struct itimerval *old);
int sp_program_getitimer(struct itimerval *value);

// Whether the interposed calls are to answer themselves (the process is profiled).
bool sp_program_signals_taken(void);

#endif
