#include <string.h>
#include <time.h>

#include "agent.h"
#include "clock.h"
#include "raw_syscall.h"
#include "thread_slots.h"

// Its address marks our timers among the program's own.
static char cookie;

int32_t sp_thread_clock(uint32_t tid) {
  // As the kernel's include/linux/posix-timers_types.h builds it: ~id << 3 | per-thread bit | CPUCLOCK_SCHED.
  return (int32_t)(~tid << 3 | 4 | 2);
}

// Starts a slot's timer, or starts it anew at another rate.
static void set_timer(struct sp_slot *slot, uint32_t frequency) {
  long period = 1000000000L / (long)frequency;
  // Such a timer is looked at by the tick alone. Where no more is asked for than a sample a tick, every tick is to find it due,
  // also one that comes when the thread has run for a part of the period only.
  long tick = (long)sp_agent_tick_ns();
  if (period <= tick) period = tick / 16;
  struct itimerspec t = {
      .it_interval = {.tv_sec = period / 1000000000L, .tv_nsec = period % 1000000000L},
      // Due at once: the first tick that finds the thread running counts, or threads that live shorter than a
      // period would never be seen.
      .it_value = {.tv_sec = 0, .tv_nsec = 1},
  };
  slot->timer_frequency = frequency;
  slot->timer_period = (uint32_t)period;
  sp_syscall4(SYS_timer_settime, slot->timer, 0, &t, NULL);
}

bool sp_thread_timer_arm(struct sp_slot *slot, uint32_t frequency) {
  uint32_t none = SP_TIMER_NONE;
  if (!atomic_compare_exchange_strong(&slot->timer_state, &none, SP_TIMER_CHANGING)) return true;
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGPROF;
  event.sigev_value.sival_ptr = &cookie;
  uint32_t tid = atomic_load(&slot->tid);
  event._sigev_un._tid = (int)tid;
  int timer = -1;
  long result = sp_syscall3(SYS_timer_create, sp_thread_clock(tid), &event, &timer);
  if (sp_syscall_failed(result)) {
    atomic_store(&slot->timer_state, SP_TIMER_NONE);
    return false;
  }
  slot->timer = timer;
  set_timer(slot, frequency);
  atomic_store(&slot->timer_state, SP_TIMER_SET);
  return true;
}

void sp_thread_timer_follow(struct sp_slot *slot, uint32_t frequency) {
  if (atomic_load(&slot->timer_state) == SP_TIMER_SET && slot->timer_frequency != frequency) set_timer(slot, frequency);
}

uint32_t sp_thread_timer_period(struct sp_slot *slot) {
  return atomic_load(&slot->timer_state) == SP_TIMER_SET ? slot->timer_period : 0;
}

void sp_thread_timer_disarm(struct sp_slot *slot) {
  uint32_t set = SP_TIMER_SET;
  if (!atomic_compare_exchange_strong(&slot->timer_state, &set, SP_TIMER_CHANGING)) return;
  sp_syscall1(SYS_timer_delete, slot->timer);
  atomic_store(&slot->timer_state, SP_TIMER_NONE);
}

void sp_thread_timer_end(struct sp_slot *slot) {
  // The thread of the first tick may be arming it at this moment.
  for (int i = 0; i < 1000 && atomic_load(&slot->timer_state) == SP_TIMER_CHANGING; i++) sp_syscall0(SYS_sched_yield);
  sp_thread_timer_disarm(slot);
  atomic_store(&slot->timer_state, SP_TIMER_NONE);
}

bool sp_thread_timer_sent(const siginfo_t *info) { return info->si_code == SI_TIMER && info->si_value.sival_ptr == &cookie; }
