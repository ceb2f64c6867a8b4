// What the agent knows of the process that it is in: the only global state besides that of clock_perf_linux.c, clock_thread_linux.c,
// crc32c.c, events.c, introduction.c, lifecycle.c, message.c, modules.c, program_signals.c, remainders.c, session.c, thread_slots.c,
// trace_file.c and unwind_libunwind.c, which these account for.
#ifndef SP_AGENT_H
#define SP_AGENT_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "options.h"

// All signals but those that an instruction, or a system call, brings about: blocked, these end the process.
#define SP_ASYNCHRONOUS_SIGNALS                                                                                                    \
  (~(1ull << (SIGSEGV - 1) | 1ull << (SIGBUS - 1) | 1ull << (SIGILL - 1) | 1ull << (SIGFPE - 1) | 1ull << (SIGTRAP - 1) | \
     1ull << (SIGSYS - 1)))

enum sp_phase {
  SP_PHASE_OFF,       // nothing is done: not enabled, or not loaded yet
  SP_PHASE_ARMED,     // waiting for the first tick; no file, no tables
  SP_PHASE_LEAVING,   // likewise, and an exec or the end is under way: no tick may make the file
  SP_PHASE_BEGINNING, // one thread is making the file
  SP_PHASE_RECORDING,
  SP_PHASE_FAILED, // there will be no trace of this process
};

struct sp_agent {
  // Written at load and in a forked child, before other threads exist; constant otherwise.
  struct sp_options options;
  uint32_t pid;
  uint32_t load_tid;
  uint32_t first_pid;       // of the run
  uint16_t exec_generation; // images of this process in the run, before this one
  bool first_process;
  const char *pattern; // of the output's name, absolute
  bool owned_pattern;  // it has no %p
  uint8_t session_id[16];
  uint32_t tick_ns; // the kernel's tick: how often its coarse clock moves; 0 if it does not say
  uint64_t load_monotonic_ns, process_cpu_at_load_ns, thread_cpu_at_load_ns;
  const char *arguments; // the kernel's copy of the command line
  uint32_t arguments_size;

  _Atomic uint32_t phase;     // enum sp_phase
  _Atomic bool first_tick;    // the tick that makes the file is under way, up to its sample
  _Atomic uint32_t paused;    // while not 0 no tick is to begin: so many threads are about to give up system calls of all
  _Atomic uint32_t clock;     // enum sp_clock in use, SP_CLOCK_AUTO: none yet
  _Atomic uint32_t clock_told; // what the trace says of it
  _Atomic uint32_t frequency; // in force; each thread's timer follows at its next tick
  _Atomic uint32_t frequency_asked; // which it never exceeds
  _Atomic uint64_t cost_felt; // when the agent's cost was last too much for a higher rate, or that was tried; microseconds since load
  _Atomic int32_t running;    // statprof_start() minus statprof_stop(); not recording at 0
  _Atomic bool program_owns_itimer; // the program uses ITIMER_PROF itself
  _Atomic bool counter_barred;      // a thread may not read the time stamp counter, which the vDSO makes clocks of
};

extern struct sp_agent sp_agent;

// CLOCK_MONOTONIC in nanoseconds, and in microseconds since load.
uint64_t sp_monotonic_ns(void);
uint64_t sp_now(void);
// CPU clocks in nanoseconds: of the process, of the calling thread, of any thread of the process (0 if it is gone).
uint64_t sp_process_cpu_ns(void);
uint64_t sp_own_cpu_ns(void);
uint64_t sp_thread_cpu_ns(uint32_t tid);

// CLOCK_REALTIME at the moment of `load_monotonic_ns`, by how far the two are apart now.
uint64_t sp_load_realtime_ns(void);

// Notes the clocks from which all times and CPU times of this process count, and the kernel's tick. A forked child's CPU clocks began at 0.
void sp_agent_note_clocks(bool forked);

// The calling thread's number; 0 where the program has given up to ask for it.
uint32_t sp_gettid(void);

// Whether the calling code runs in the process that was loaded or forked, and not in a child that has its memory without
// having been forked by fork(): vfork's, which shares it, or a raw clone's.
bool sp_agent_own_process(void);

#endif
