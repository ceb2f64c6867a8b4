#include "agent.h"

#include <time.h>

#include "clock.h"
#include "raw_syscall.h"

struct sp_agent sp_agent;

static uint64_t nanoseconds(const struct timespec *t) { return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec; }

uint64_t sp_monotonic_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t); // answered by the vdso: no system call, no lock
  return nanoseconds(&t);
}

uint64_t sp_now(void) { return (sp_monotonic_ns() - sp_agent.load_monotonic_ns) / 1000; }

// A CPU clock in nanoseconds; 0 if its thread is gone.
static uint64_t cpu_clock(int32_t clock) {
  struct timespec t = {0, 0};
  sp_syscall2(SYS_clock_gettime, clock, &t);
  return nanoseconds(&t);
}

uint64_t sp_process_cpu_ns(void) { return cpu_clock(CLOCK_PROCESS_CPUTIME_ID); }
uint64_t sp_own_cpu_ns(void) { return cpu_clock(CLOCK_THREAD_CPUTIME_ID); }
uint64_t sp_thread_cpu_ns(uint32_t tid) { return cpu_clock(sp_thread_clock(tid)); }

uint32_t sp_agent_tick_ns(void) {
  struct timespec t = {0, 0};
  sp_syscall2(SYS_clock_getres, CLOCK_MONOTONIC_COARSE, &t);
  return t.tv_sec == 0 ? (uint32_t)t.tv_nsec : 0;
}

uint32_t sp_gettid(void) { return (uint32_t)sp_syscall0(SYS_gettid); }
bool sp_agent_own_process(void) { return (uint32_t)sp_syscall0(SYS_getpid) == sp_agent.pid; }
