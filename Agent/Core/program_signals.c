#define _GNU_SOURCE
#include "program_signals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>

#include "agent.h"
#include "clock.h"
#include "clocks.h"
#include "every_tick.h"
#include "message.h"
#include "private_memory.h"
#include "raw_syscall.h"
#include "sampler.h"
#include "signal_set.h"
#include "unwind_libunwind.h"

// glibc's sigaction by a name that is not interposed.
extern int __sigaction(int signal, const struct sigaction *action, struct sigaction *old) __attribute__((weak));

static struct {
  bool taken;                  // written at load
  _Atomic uint32_t sequence;   // odd while `action` is being written
  struct sigaction action;     // the program's
} program SP_HOT;

#define BIT(number) (1ull << ((number)-1))
#define SIGPROF_BIT BIT(SIGPROF)

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif
// What a tick may use of a stack of the program's besides the kernel's frame, bytes; twice what it does.
#define TICK_STACK 1024

static _Atomic uint64_t spared SP_HOT;  // signals whose handlers have SIGPROF in their mask from us, and not from the program
static _Atomic bool small_stack SP_HOT; // an alternate stack of the program's is too small for a tick

static _Atomic uint32_t shows SP_HOT; // how many threads have SIGPROF ignored in the kernel's view

static __thread bool blocks_sigprof; // in the program's view
static __thread bool holds_sigprof;  // in the kernel's, because a signal of the program's own waits
static __thread bool admits_sigprof; // blocked, but not by the mask under which the thread waits just now: one signal may come
static bool interrupts;              // as siginterrupt asked: signal() makes handlers that interrupt

bool sp_program_signals_taken(void) { return program.taken; }
static bool owns_itimer(void) { return atomic_load(&sp_agent.program_owns_itimer); }

// Changes the kernel's mask of the calling thread; returns what it was.
static uint64_t change_mask(int how, uint64_t mask) {
  uint64_t old = 0;
  sp_syscall4(SYS_rt_sigprocmask, how, &mask, &old, sizeof old);
  return old;
}

// The program's disposition, whole.
static struct sigaction program_action(void) {
  struct sigaction copy;
  // A writer in this very thread cannot be interrupted here: it has SIGPROF blocked. One in another thread is done in nanoseconds;
  // after so many tries an old disposition is as good as a new one.
  for (int tries = 0; tries < 1000; tries++) {
    uint32_t before = atomic_load_explicit(&program.sequence, memory_order_acquire);
    copy = program.action;
    atomic_thread_fence(memory_order_acquire);
    if (before % 2 == 0 && before == atomic_load_explicit(&program.sequence, memory_order_relaxed)) break;
  }
  return copy;
}

// Replaces the program's disposition; waits only for another thread that does the same. No signal comes between: its handler might do
// the same in this thread.
static void set_program_action(const struct sigaction *action) {
  uint64_t mask = change_mask(SIG_BLOCK, ~0ull);
  uint32_t sequence;
  do {
    sequence = atomic_load(&program.sequence) & ~1u;
  } while (!atomic_compare_exchange_weak(&program.sequence, &sequence, sequence + 1));
  program.action = *action;
  atomic_store_explicit(&program.sequence, sequence + 2, memory_order_release);
  change_mask(SIG_SETMASK, mask);
}

// The signal has its default effect: the end of the process, as if the agent had no handler.
static void end_by_signal(void) {
  struct sigaction standard;
  memset(&standard, 0, sizeof standard);
  standard.sa_handler = SIG_DFL;
  __sigaction(SIGPROF, &standard, NULL);
  sp_syscall3(SYS_tgkill, sp_syscall0(SYS_getpid), sp_gettid(), SIGPROF);
  change_mask(SIG_UNBLOCK, SIGPROF_BIT);
}

// Whether a SIGPROF is a tick of the agent's.
static SP_EVERY_TICK bool is_tick(const siginfo_t *info) {
  return (info->si_code == SI_KERNEL && !owns_itimer()) || sp_thread_timer_sent(info) || sp_perf_sent(info);
}

// Sends a signal of this thread's again, to whom it was sent. What claims to come from the kernel or from kill() a thread may send to its own
// thread id alone; it is for the process there too.
static void send_again(long pid, long tid, siginfo_t *info) {
  if (info->si_code == SI_TKILL) sp_syscall4(SYS_rt_tgsigqueueinfo, pid, tid, SIGPROF, info);
  else sp_syscall3(SYS_rt_sigqueueinfo, tid, SIGPROF, info);
}

// Leaves a signal that the thread blocks waiting: it is sent again, and this thread blocks it from now on and has no clock. The kernel keeps
// no second SIGPROF beside one that waits: a tick that came meanwhile gives its place up. One of the process's timer wins.
static void hold(siginfo_t *info, ucontext_t *context) {
  static const struct timespec no_wait = {0, 0};
  uint64_t mask, profile = SIGPROF_BIT;
  siginfo_t waiting[2]; // sent to the thread, and to the process
  unsigned count = 0;
  memcpy(&mask, &context->uc_sigmask, sizeof mask);
  mask |= SIGPROF_BIT;
  memcpy(&context->uc_sigmask, &mask, sizeof mask);
  holds_sigprof = true;
  sp_clocks_hold();
  long pid = sp_syscall0(SYS_getpid), tid = sp_gettid();
  while (count < 2 && sp_syscall4(SYS_rt_sigtimedwait, &profile, &waiting[count], &no_wait, sizeof profile) == SIGPROF)
    count += !is_tick(&waiting[count]);
  send_again(pid, tid, info);
  for (unsigned i = 0; i < count; i++) send_again(pid, tid, &waiting[i]);
}

// The agent's handler restarts a call that it interrupted; the program's own asked for none. The call that is about to be made again is
// ended with EINTR instead, where it is one that may be: on x86-64 a call leaves its return address in rcx.
static void interrupt_call(ucontext_t *context) {
#if defined(__x86_64__)
  static const uint16_t calls[] = {SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_connect, SYS_accept, SYS_accept4, SYS_sendto, SYS_recvfrom,
                                   SYS_sendmsg, SYS_recvmsg, SYS_wait4, SYS_waitid, SYS_flock, SYS_open, SYS_openat, SYS_mq_timedsend,
                                   SYS_mq_timedreceive, SYS_splice, SYS_getrandom};
  greg_t *r = context->uc_mcontext.gregs;
  const uint8_t *next = (const uint8_t *)r[REG_RIP];
  if (r[REG_RCX] != r[REG_RIP] + 2 || next[0] != 0x0f || next[1] != 0x05) return;
  bool waits = r[REG_RAX] == SYS_futex && ((r[REG_RSI] & 0x7f) == 0 || (r[REG_RSI] & 0x7f) == 9); // FUTEX_WAIT, FUTEX_WAIT_BITSET
  waits |= r[REG_RAX] == SYS_fcntl && (r[REG_RSI] == F_SETLKW || r[REG_RSI] == F_OFD_SETLKW);
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) waits |= r[REG_RAX] == calls[i];
  if (!waits) return;
  r[REG_RAX] = -EINTR;
  r[REG_RIP] += 2;
#else
  (void)context;
#endif
}

// A SIGPROF that is the program's own: what its disposition says happens, under the signal mask that it would have. Apart, so that
// a tick does not use the stack that this needs.
static __attribute__((noinline)) void deliver(int signal, siginfo_t *info, void *context) {
  struct sigaction action = program_action();
  if (action.sa_handler == SIG_IGN) return;
  if (blocks_sigprof && !admits_sigprof) {
    hold(info, context);
    return;
  }
  admits_sigprof = false;
  if (action.sa_handler == SIG_DFL) {
    end_by_signal();
    return;
  }
  if (action.sa_flags & SA_RESETHAND) {
    struct sigaction standard = action;
    standard.sa_handler = SIG_DFL;
    set_program_action(&standard);
  }
  if (!(action.sa_flags & SA_RESTART)) interrupt_call(context);
  uint64_t mask, blocked;
  memcpy(&mask, &((ucontext_t *)context)->uc_sigmask, sizeof mask);
  memcpy(&blocked, &action.sa_mask, sizeof blocked);
  mask |= blocked;
  if (!(action.sa_flags & SA_NODEFER)) mask |= SIGPROF_BIT;
  change_mask(SIG_SETMASK, mask);
  if (action.sa_flags & SA_SIGINFO)
    action.sa_sigaction(signal, info, context);
  else
    action.sa_handler(signal);
}

// The kernel's handler for SIGPROF. All signals but the synchronous ones are blocked while it runs.
static SP_EVERY_TICK void on_sigprof(int signal, siginfo_t *info, void *context) {
  int saved_errno = errno;
  if (is_tick(info)) {
    sp_sampler_tick(info, context);
    errno = saved_errno;
    return;
  }
  deliver(signal, info, context);
}

// Makes the agent's handler the kernel's; `old`, if not NULL, receives what was there.
static void install_handler(struct sigaction *old) {
  struct sigaction ours;
  memset(&ours, 0, sizeof ours);
  ours.sa_sigaction = on_sigprof;
  // On the alternate stack where the program has one: Go's and other small stacks cannot take a signal frame.
  ours.sa_flags = SA_SIGINFO | SA_RESTART | (atomic_load(&small_stack) ? 0 : SA_ONSTACK);
  // All signals, the two that the C library keeps to itself (cancellation, setuid) among them, which sigfillset leaves out: no
  // handler of anybody's may run, or jump away, on the agent's stack.
  memset(&ours.sa_mask, 0xff, sizeof ours.sa_mask);
  sp_set_remove(&ours.sa_mask, SIGSEGV);
  sp_set_remove(&ours.sa_mask, SIGBUS);
  sp_set_remove(&ours.sa_mask, SIGILL);
  sp_set_remove(&ours.sa_mask, SIGFPE);
  sp_set_remove(&ours.sa_mask, SIGTRAP);
  __sigaction(SIGPROF, &ours, old);
}

void sp_program_signals_load(void) {
  atomic_store(&sp_agent.program_owns_itimer, sp_itimer_armed());
  install_handler(&program.action);
  sp_program_signals_thread(false);
  program.taken = true;
}

void sp_program_signals_thread(bool blocked) {
  uint64_t before = 0;
  sp_syscall4(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &before, sizeof before);
  holds_sigprof = false;
  blocks_sigprof = blocked || (before & SIGPROF_BIT) != 0;
  if (before & SIGPROF_BIT) change_mask(SIG_UNBLOCK, SIGPROF_BIT); // one that waits comes now, and is held
}

bool sp_program_blocks_sigprof(void) { return blocks_sigprof; }

bool sp_program_holds_sigprof(void) { return holds_sigprof; }

int sp_program_sigmask(int how, const sigset_t *set, sigset_t *old) {
  if (sp_libunwind_walks()) {
    long result = sp_syscall4(SYS_rt_sigprocmask, how, (void *)set, old, sizeof(uint64_t));
    return sp_syscall_failed(result) ? (int)-result : 0;
  }
  // Signals 32 and 33 are the C library's own and never blocked by a program.
  const uint64_t internal = 3ull << 31;
  uint64_t before = 0, wanted = 0;
  bool blocked = blocks_sigprof;
  if (set != NULL) {
    memcpy(&wanted, set, sizeof wanted);
    bool named = (wanted & SIGPROF_BIT) != 0;
    if (how == SIG_BLOCK) blocked |= named;
    else if (how == SIG_UNBLOCK) blocked &= !named;
    else if (how == SIG_SETMASK) blocked = named;
    else return EINVAL;
    admits_sigprof = false;
    wanted &= ~internal;
    if (how != SIG_UNBLOCK && !(blocked && holds_sigprof)) wanted &= ~SIGPROF_BIT;
  }
  bool blocked_before = blocks_sigprof;
  blocks_sigprof = blocked;
  if (!blocked) {
    holds_sigprof = false;
    if (sp_clocks_held()) { // no handler may come, and jump, between
      uint64_t mask = change_mask(SIG_SETMASK, ~0ull);
      sp_clocks_release();
      change_mask(SIG_SETMASK, mask);
    }
  }
  // What waited comes now, before this call returns.
  long new_mask = set == NULL ? 0 : (long)&wanted;
  long result = sp_program_syscall6(SYS_rt_sigprocmask, how, new_mask, (long)&before, sizeof before, 0, 0);
  if (sp_syscall_failed(result)) {
    blocks_sigprof = blocked_before;
    return (int)-result;
  }
  if (blocked_before) before |= SIGPROF_BIT;
  else before &= ~SIGPROF_BIT;
  if (old != NULL) {
    sp_set_clear(old);
    memcpy(old, &before, sizeof before);
  }
  return 0;
}

void sp_program_wait(const sigset_t *mask) { admits_sigprof = mask != NULL && blocks_sigprof && !sp_set_has(mask, SIGPROF); }

void sp_program_siginterrupt(bool interrupt) {
  struct sigaction action = program_action();
  interrupts = interrupt;
  if (interrupt) action.sa_flags &= ~SA_RESTART;
  else action.sa_flags |= SA_RESTART;
  set_program_action(&action);
}

bool sp_program_interrupts(void) { return interrupts; }

void sp_program_mask_exec(void) {
  if (blocks_sigprof) change_mask(SIG_BLOCK, SIGPROF_BIT);
}

void sp_program_mask_exec_failed(void) {
  if (blocks_sigprof && !holds_sigprof) change_mask(SIG_UNBLOCK, SIGPROF_BIT);
}

void sp_program_signals_forked(uint64_t *mask) {
  atomic_store(&sp_agent.program_owns_itimer, false);
  if (atomic_exchange(&shows, 0) != 0) install_handler(NULL); // another thread was at it
  if (holds_sigprof) *mask &= ~SIGPROF_BIT;
  holds_sigprof = false;
}

void sp_program_signals_exec(bool several_threads) {
  if (!sp_may_call(SYS_rt_sigaction)) return;
  struct sigaction ignore = {.sa_handler = SIG_IGN};
  bool ignores = program_action().sa_handler == SIG_IGN;
  // A tick that this thread was to get it has got by now. One for another thread may be pending, and ignoring the signal for
  // a moment discards it; one that is held is the program's and goes with it.
  if (!ignores && (!several_threads || holds_sigprof)) return;
  __sigaction(SIGPROF, &ignore, NULL);
  if (!ignores) install_handler(NULL);
}

void sp_program_signals_exec_failed(void) {
  if (sp_may_call(SYS_rt_sigaction)) install_handler(NULL);
}

void sp_program_signals_exec_shared(void) {
  struct sigaction ignore = {.sa_handler = SIG_IGN};
  if (program_action().sa_handler == SIG_IGN) __sigaction(SIGPROF, &ignore, NULL);
}

struct sp_shown sp_program_signals_show(void) {
  struct sp_shown shown = {0};
  if (!program.taken) return shown;
  shown.blocked = blocks_sigprof;
  shown.ignored = program_action().sa_handler == SIG_IGN;
  sp_program_mask_exec();
  if (shown.ignored) {
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    atomic_fetch_add(&shows, 1);
    __sigaction(SIGPROF, &ignore, NULL);
  }
  return shown;
}

void sp_program_signals_hide(struct sp_shown shown) {
  int error = errno;
  // The last of several threads; a show that begins meanwhile is undone at worst, and its program finds the default.
  if (shown.ignored && atomic_fetch_sub(&shows, 1) == 1) install_handler(NULL);
  if (shown.blocked) sp_program_mask_exec_failed();
  errno = error;
}

int sp_program_sigaction(const struct sigaction *action, struct sigaction *old) {
  struct sigaction before = program_action();
  if (action != NULL) {
    struct sigaction copy = *action;
    sp_set_remove(&copy.sa_mask, SIGKILL);
    sp_set_remove(&copy.sa_mask, SIGSTOP);
    set_program_action(&copy);
  }
  if (old != NULL) *old = before;
  return 0;
}

int sp_program_other_sigaction(int number, const struct sigaction *action, struct sigaction *old) {
  bool known = number >= 1 && number < _NSIG, spares = false;
  struct sigaction copy;
  if (known && action != NULL && (action->sa_flags & SA_ONSTACK) && !sp_set_has(&action->sa_mask, SIGPROF)) {
    copy = *action;
    sp_set_add(&copy.sa_mask, SIGPROF);
    spares = true;
  }
  if (__sigaction(number, spares ? &copy : action, old) != 0) return -1;
  uint64_t bit = known ? BIT(number) : 0;
  bool spared_before = (atomic_load(&spared) & bit) != 0;
  if (spares) atomic_fetch_or(&spared, bit);
  else if (action != NULL && spared_before) atomic_fetch_and(&spared, ~bit);
  if (old != NULL && spared_before) sp_set_remove(&old->sa_mask, SIGPROF);
  return 0;
}

size_t sp_program_tick_room(void) {
  size_t frame = getauxval(AT_MINSIGSTKSZ);
  return (frame != 0 ? frame : 4096) + TICK_STACK; // a kernel before 5.14 does not tell
}

void sp_program_sigaltstack(const stack_t *stack) {
  if (stack->ss_flags & SS_DISABLE || stack->ss_size >= sp_program_tick_room() || atomic_exchange(&small_stack, true)) return;
  if (sp_may_call(SYS_rt_sigaction)) install_handler(NULL);
}

int sp_program_setitimer(const struct itimerval *value, struct itimerval *old) {
  struct itimerval none = {0};
  bool owned = owns_itimer();
  bool disarms = value == NULL || (value->it_value.tv_sec == 0 && value->it_value.tv_usec == 0);
  if (disarms && !owned) {
    if (old != NULL) *old = none;
    return 0;
  }
  if (!owned) {
    // A child that was not forked by fork() has no clock to leave.
    if (sp_agent_own_process() && !sp_clocks_leave_itimer()) {
      static const char *const parts[] = {"the program uses ITIMER_PROF itself; no samples from here on"};
      sp_message(parts, 1);
    }
    sp_itimer_disarm();
    atomic_store(&sp_agent.program_owns_itimer, true);
  }
  long result = sp_program_syscall6(SYS_setitimer, ITIMER_PROF, (long)value, owned ? (long)old : 0, 0, 0, 0);
  if (sp_syscall_failed(result)) {
    errno = (int)-result;
    return -1;
  }
  if (!owned && old != NULL) *old = none;
  return 0;
}

int sp_program_getitimer(struct itimerval *value) {
  if (!owns_itimer()) {
    memset(value, 0, sizeof *value);
    return 0;
  }
  long result = sp_program_syscall6(SYS_getitimer, ITIMER_PROF, (long)value, 0, 0, 0, 0);
  if (!sp_syscall_failed(result)) return 0;
  errno = (int)-result;
  return -1;
}
