#include "agent.h"

#include <time.h>

#include "clock.h"
#include "every_tick.h"
#include "private_memory.h"
#include "raw_syscall.h"

struct sp_agent sp_agent SP_HOT;

static uint64_t nanoseconds(const struct timespec *t) { return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec; }

// A clock in nanoseconds, by the system call; 0 if it is that of a thread that is gone.
static SP_EVERY_TICK uint64_t kernel_clock(int32_t clock) {
  struct timespec t = {0, 0};
  sp_syscall2(SYS_clock_gettime, clock, &t);
  return nanoseconds(&t);
}

SP_EVERY_TICK uint64_t sp_monotonic_ns(void) {
  struct timespec t;
  if (atomic_load_explicit(&sp_agent.counter_barred, memory_order_relaxed)) return kernel_clock(CLOCK_MONOTONIC);
  clock_gettime(CLOCK_MONOTONIC, &t); // answered by the vdso: no system call, no lock
  return nanoseconds(&t);
}

uint64_t sp_now(void) { return (sp_monotonic_ns() - sp_agent.load_monotonic_ns) / 1000; }

uint64_t sp_process_cpu_ns(void) { return kernel_clock(CLOCK_PROCESS_CPUTIME_ID); }
SP_EVERY_TICK uint64_t sp_own_cpu_ns(void) { return kernel_clock(CLOCK_THREAD_CPUTIME_ID); }
uint64_t sp_thread_cpu_ns(uint32_t tid) { return kernel_clock(sp_thread_clock(tid)); }

uint64_t sp_load_realtime_ns(void) {
  return kernel_clock(CLOCK_REALTIME) - (kernel_clock(CLOCK_MONOTONIC) - sp_agent.load_monotonic_ns);
}

// By system calls: the vdso's pages would be touched for this alone.
void sp_agent_note_clocks(bool forked) {
  sp_agent.load_monotonic_ns = kernel_clock(CLOCK_MONOTONIC);
  if (forked) {
    sp_agent.process_cpu_at_load_ns = sp_agent.thread_cpu_at_load_ns = 0;
    return;
  }
  struct timespec tick = {0, 0};
  if (!sp_syscall_failed(sp_syscall2(SYS_clock_getres, CLOCK_MONOTONIC_COARSE, &tick)) && tick.tv_sec == 0)
    sp_agent.tick_ns = (uint32_t)tick.tv_nsec;
  sp_agent.process_cpu_at_load_ns = sp_process_cpu_ns();
  sp_agent.thread_cpu_at_load_ns = sp_own_cpu_ns();
}

uint32_t sp_gettid(void) {
  long tid = sp_syscall0(SYS_gettid);
  return sp_syscall_failed(tid) ? 0 : (uint32_t)tid;
}

bool sp_agent_own_process(void) { return (uint32_t)sp_syscall0(SYS_getpid) == sp_agent.pid; }
