#include <string.h>
#include <time.h>

#include "agent.h"
#include "clock.h"
#include "every_tick.h"
#include "raw_syscall.h"
#include "thread_slots.h"

// Its address marks our timers among the program's own.
static char cookie;

int32_t sp_thread_clock(uint32_t tid) {
  // As the kernel's include/linux/posix-timers_types.h builds it: ~id << 3 | per-thread bit | CPUCLOCK_SCHED.
  return (int32_t)(~tid << 3 | 4 | 2);
}

uint64_t sp_first_expiry(uint32_t tid, uint64_t period) {
  // SplitMix64's mixing (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
  uint64_t x = sp_monotonic_ns() + (uint64_t)tid * 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return 1 + (x ^ x >> 31) % period;
}

// Starts a slot's timer, or starts it anew at another rate.
static void set_timer(struct sp_slot *slot, uint32_t frequency, bool at_once) {
  long period = 1000000000L / (long)frequency;
  long first = 1;
  long tick = (long)sp_agent.tick_ns;
  if (period <= tick) {
    // Such a timer is looked at by the tick alone. Where no more is asked for than a sample a tick, every tick is to find it due, also
    // one that comes when the thread has run for a part of the period only. When that is, for a thread, is as good as random.
    period = tick / 16;
    at_once = false;
  } else if (!at_once) {
    first = (long)sp_first_expiry(atomic_load(&slot->tid), (uint64_t)period);
  }
  struct itimerspec t = {
      .it_interval = {.tv_sec = period / 1000000000L, .tv_nsec = period % 1000000000L},
      .it_value = {.tv_sec = first / 1000000000L, .tv_nsec = first % 1000000000L},
  };
  // A timer that was due at once is started anew by the tick that finds no rate here.
  slot->timer_frequency = at_once ? 0 : frequency;
  slot->timer_period = (uint32_t)period;
  sp_syscall4(SYS_timer_settime, slot->timer, 0, &t, NULL);
}

bool sp_thread_timer_arm(struct sp_slot *slot, uint32_t frequency, bool at_once) {
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
  set_timer(slot, frequency, at_once);
  atomic_store(&slot->timer_state, SP_TIMER_SET);
  return true;
}

SP_EVERY_TICK void sp_thread_timer_follow(struct sp_slot *slot, uint32_t frequency) {
  if (atomic_load(&slot->timer_state) == SP_TIMER_SET && slot->timer_frequency != frequency) set_timer(slot, frequency, false);
}

SP_EVERY_TICK uint32_t sp_thread_timer_period(struct sp_slot *slot) {
  return atomic_load(&slot->timer_state) == SP_TIMER_SET ? slot->timer_period : 0;
}

void sp_thread_timer_disarm(struct sp_slot *slot) {
  uint32_t set = SP_TIMER_SET;
  if (!atomic_compare_exchange_strong(&slot->timer_state, &set, SP_TIMER_CHANGING)) return;
  sp_syscall1(SYS_timer_delete, slot->timer);
  atomic_store(&slot->timer_state, SP_TIMER_NONE);
}

SP_EVERY_TICK bool sp_thread_timer_sent(const siginfo_t *info) { return info->si_code == SI_TIMER && info->si_value.sival_ptr == &cookie; }
