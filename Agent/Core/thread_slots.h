// The threads that the agent watches: a slot each, from creation to end, and the tables of those that were sampled.
//
// Slots are a fixed table (SP_SLOTS_MAX, 128 bytes each, touched as they are used; the first beside what load writes, the others mapped
// with the second), claimed and freed without locks. A sampled thread has a struct sp_thread besides: one anonymous mapping, made by its first tick and
// unmapped at its end, that only the thread itself touches.
#ifndef SP_THREAD_SLOTS_H
#define SP_THREAD_SLOTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "record_writer.h"
#include "stack_table.h"
#include "stack_unwind.h"

#define SP_SLOTS_MAX 8192
#define SP_THREAD_STACK_SIZE (SP_UNWIND_STACK_SIZE + 32 * 1024)

// Which clock of its own a thread has: none, a CPU-time timer, a perf event.
enum sp_timer_state { SP_TIMER_NONE, SP_TIMER_CHANGING, SP_TIMER_SET, SP_TIMER_PERF };

// Whether a thread may have ticks, and what barred it from them: what it did itself, or what another did for all threads.
enum sp_unticked { SP_TICKED, SP_UNTICKED, SP_UNTICKED_WITH_ALL };

struct sp_thread;
struct sp_calls;

// On cache lines of its own, as all is that threads use at each tick.
struct sp_slot {
  _Alignas(64) _Atomic uint32_t claimed;
  _Atomic uint32_t tid; // 0: free, or its thread does not run yet
  _Atomic uint32_t timer_state;
  int timer;                // valid while the state is SP_TIMER_SET
  uint32_t timer_frequency; // likewise, and with SP_TIMER_PERF; 0: only the first tick is set
  uint32_t timer_period;    // while the state is SP_TIMER_SET; nanoseconds
  void *perf_page;          // valid while the state is SP_TIMER_PERF
  bool perf_refused;        // the thread has asked for an event, and got none
  // CPU time of the thread that is not to be shown, nanoseconds (see recording.c).
  _Atomic uint64_t stop_cpu;  // its clock when recording stopped
  _Atomic uint64_t excluded;  // used while recording was stopped, of earlier stops
  _Atomic uint64_t reset_cpu; // its clock at the last reset
  _Atomic uint64_t reset_excluded; // of that clock, what was not to be shown
  _Atomic(struct sp_thread *) thread;
  _Atomic uint32_t writer; // number of its writer, 0: never sampled
  uint32_t stack_kb;       // least size of the stack that pthread_create gave it, without the guard; 0: not known
  void *(*start)(void *);  // what pthread_create was asked to run; NULL: the thread was not created so
  void *argument;
  bool blocks_sigprof; // the creator's view of its mask, which the thread inherits
  const struct sp_calls *forbidden; // likewise: what the creator has given up (sandbox.h)
  _Atomic uint8_t unticked; // it is to have no clock: enum sp_unticked
  _Atomic bool held;        // likewise, while it blocks SIGPROF in the kernel too (program_signals.c)
  _Atomic bool in_tick;     // it is in the midst of one, with the system calls that it had when that began
};

// How far a thread's CPU time has been given to samples, nanoseconds.
struct sp_account {
  uint64_t cpu_ns;      // its CPU clock up to there
  uint64_t excluded_ns; // of the slot's excluded time, what has been taken out already
};

struct sp_thread {
  struct sp_slot *slot;
  struct sp_writer writer;
  struct sp_account account;
  uint64_t agent_ns;     // the agent's own time in this thread
  uint64_t samples;
  // Where the agent's cost was last compared with the thread's CPU.
  uint64_t checked_agent_ns, checked_cpu_ns;
  char name[16];
  struct sp_frame *frames; // SP_MAX_FRAMES
  struct sp_unwinder *unwinder;
  void *stack_top; // of the agent's own stack
  uint32_t size;   // of this mapping
  struct sp_stack_table stacks;
};

// The calling thread's own.
extern __thread struct sp_slot *sp_own_slot;
extern __thread struct sp_thread *sp_own_thread;
extern __thread bool sp_own_end; // it is ending: no more samples

// A free slot, or NULL.
struct sp_slot *sp_slot_claim(void);
// Frees a slot whose thread has ended, or never started.
void sp_slot_free(struct sp_slot *slot);
// Makes `slot` the calling thread's. Returns it, or the one that a tick has claimed for the thread meanwhile.
struct sp_slot *sp_slot_start(struct sp_slot *slot);
// How many slots were ever in use at once, about; 1: the process has had one thread.
uint32_t sp_slots_used(void);
// Calls `visit` for every slot whose thread runs.
void sp_slots_visit(void (*visit)(struct sp_slot *slot, void *context), void *context);

// Of a running thread: the CPU time on its clock and, of that, what is not shown because recording was stopped; nanoseconds.
void sp_slot_cpu(struct sp_slot *slot, uint64_t *cpu, uint64_t *stopped);

// The CPU time up to `cpu` that is not accounted for yet, `excluded` of the thread's whole time not being for show: microseconds, and they
// are accounted for from now on. What is less than one stays for the next.
uint64_t sp_account_take(struct sp_account *account, const struct sp_slot *slot, uint64_t cpu, uint64_t excluded);

// Makes the calling thread's tables. NULL: no memory, no slot, or a process that was not forked by fork(). Runs on little stack.
struct sp_thread *sp_thread_attach(void);
// Unmaps a thread's tables and chunk. By the thread itself, at its end, with SIGPROF out of the way.
void sp_thread_detach(struct sp_slot *slot);

// In a forked child: all other threads are gone, and with them their tables; the calling one has none any more.
void sp_threads_forked(void);
// The same where the calling thread was the only one and had no tables: its timer is gone all the same.
void sp_thread_forked(void);

#endif
