#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "agent.h"
#include "apart.h"
#include "clock.h"
#include "raw_syscall.h"
#include "thread_slots.h"

// Of fcntl.h, where _GNU_SOURCE would be needed, and the kernel's: constants of its ABI.
#define SET_OWNER_EX 15
#define SET_SIGNAL 10
#define OWNER_TID 0
struct owner {
  int type, tid;
};

// The signal says by which descriptor its file was known. Ours are known by one from here on, and for microseconds only: a descriptor of
// the program's own that is as high, and sends SIGPROF, is the only thing that could be taken for it.
#define FIRST_DESCRIPTOR 900
// The metadata page of an event is one page of the kernel's; no ring buffer follows.
#define EVENT_SIZE 4096
// The least first distance of an event: some times what a tick costs that finds nothing to record.
#define DISTANCE_MIN_NS 20000

static _Atomic bool denied; // the kernel has said that there are no such events for us
static _Atomic bool used;   // there has been one: its signal may still come

// Opens a disabled event of a thread. A descriptor, or -errno.
static long open_event(uint32_t tid, uint64_t period) {
  struct perf_event_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.type = PERF_TYPE_SOFTWARE;
  attr.size = sizeof attr;
  attr.config = PERF_COUNT_SW_TASK_CLOCK;
  attr.sample_period = period;
  attr.wakeup_events = 1;
  attr.disabled = 1;
  attr.exclude_hv = 1;
  // In the kernel a signal would interrupt a call that sleeps: only user code gets one, which the next tick's weight makes up for.
  attr.exclude_kernel = 1;
#ifdef PERF_ATTR_SIZE_VER7
  // A process that shares this memory keeps the event alive over an exec.
  attr.remove_on_exec = 1;
  long fd = sp_syscall5(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
  if (fd != -EINVAL && fd != -E2BIG) return fd;
  attr.remove_on_exec = 0; // a kernel before 5.13
  attr.size = PERF_ATTR_SIZE_VER5;
#endif
  return sp_syscall5(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

struct event {
  uint32_t tid;
  uint64_t period;
  void *page; // of what was made, NULL: nothing
};

// Makes an event.
static void open_and_map(void *argument) {
  struct event *event = argument;
  long opened = open_event(event->tid, event->period);
  if (opened == -EACCES || opened == -EPERM || opened == -ENOSYS || opened == -ENOENT || opened == -EINVAL) atomic_store(&denied, true);
  if (sp_syscall_failed(opened)) return;
  long fd = sp_syscall3(SYS_fcntl, opened, F_DUPFD_CLOEXEC, FIRST_DESCRIPTOR);
  sp_syscall1(SYS_close, opened);
  if (fd == -EINVAL) atomic_store(&denied, true); // no process of this limit has a descriptor as high
  if (sp_syscall_failed(fd)) return;
  struct owner owner = {OWNER_TID, (int)event->tid};
  atomic_store(&used, true);
  if (sp_syscall3(SYS_fcntl, fd, SET_OWNER_EX, &owner) == 0 && sp_syscall3(SYS_fcntl, fd, SET_SIGNAL, SIGPROF) == 0 &&
      sp_syscall3(SYS_fcntl, fd, F_SETFL, O_RDWR | O_ASYNC) == 0) {
    long mapped = sp_syscall6(SYS_mmap, 0, EVENT_SIZE, PROT_READ, MAP_SHARED, fd, 0);
    if (!sp_syscall_failed(mapped)) {
      event->page = (void *)mapped;
      sp_syscall3(SYS_ioctl, fd, PERF_EVENT_IOC_ENABLE, 0);
    }
  }
  sp_syscall1(SYS_close, fd);
}

// Makes an event that sends SIGPROF to its thread after `period` ns of it, again and again. NULL: it cannot be had.
//
// The mapping of its page alone keeps the event: no descriptor stays open. A forked child does not get it, an exec drops it.
static void *make_event(uint32_t tid, uint64_t period) {
  struct event event = {.tid = tid, .period = period};
  sp_apart(open_and_map, &event);
  return event.page;
}

// Ends an event.
static void end_event(struct sp_slot *slot) { sp_syscall2(SYS_munmap, slot->perf_page, EVENT_SIZE); }

bool sp_perf_arm(struct sp_slot *slot, uint32_t frequency, bool ticked) {
  uint32_t none = SP_TIMER_NONE;
  if (!atomic_compare_exchange_strong(&slot->timer_state, &none, SP_TIMER_CHANGING)) return none == SP_TIMER_PERF;
  uint32_t tid = atomic_load(&slot->tid);
  // An event's first distance cannot be told apart from the others: after the first tick, which finds another rate than the one in
  // force, it is made anew. Until the slot says so no tick may come, or it would change nothing, and ticks a handler's time apart
  // would keep the thread here for ever; and one that records nothing must leave time for the thread.
  uint64_t period = 1000000000u / frequency, distance = ticked ? period : sp_first_expiry(tid, period);
  if (distance < DISTANCE_MIN_NS) distance = DISTANCE_MIN_NS;
  uint64_t all = ~0ull, before = 0;
  sp_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof before);
  slot->perf_page = atomic_load(&denied) ? NULL : make_event(tid, distance);
  slot->timer_frequency = ticked ? frequency : 0;
  atomic_store(&slot->timer_state, slot->perf_page == NULL ? SP_TIMER_NONE : SP_TIMER_PERF);
  sp_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
  return slot->perf_page != NULL;
}

bool sp_perf_follow(struct sp_slot *slot, uint32_t frequency) {
  uint32_t perf = SP_TIMER_PERF;
  if (slot->timer_frequency == frequency || !atomic_compare_exchange_strong(&slot->timer_state, &perf, SP_TIMER_CHANGING)) return true;
  end_event(slot);
  slot->perf_page = make_event(atomic_load(&slot->tid), 1000000000u / frequency);
  slot->timer_frequency = frequency;
  atomic_store(&slot->timer_state, slot->perf_page == NULL ? SP_TIMER_NONE : SP_TIMER_PERF);
  return slot->perf_page != NULL;
}

void sp_perf_disarm(struct sp_slot *slot) {
  uint32_t perf = SP_TIMER_PERF;
  if (!atomic_compare_exchange_strong(&slot->timer_state, &perf, SP_TIMER_CHANGING)) return;
  end_event(slot);
  atomic_store(&slot->timer_state, SP_TIMER_NONE);
}

bool sp_perf_denied(void) { return atomic_load(&denied); }

bool sp_perf_sent(const siginfo_t *info) {
  return info->si_code >= POLL_IN && info->si_code <= POLL_HUP && info->si_fd >= FIRST_DESCRIPTOR && atomic_load(&used);
}
