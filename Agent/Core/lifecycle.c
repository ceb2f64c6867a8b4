#define _GNU_SOURCE // environ, program_invocation_short_name
#include "lifecycle.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "clock.h"
#include "clocks.h"
#include "events.h"
#include "introduction.h"
#include "memory_reader.h"
#include "message.h"
#include "program_signals.h"
#include "raw_syscall.h"
#include "remainders.h"
#include "sandbox.h"
#include "session.h"
#include "thread_slots.h"
#include "trace_file.h"
#include "unwind_libunwind.h"
#include "valgrind.h"

static __thread uint64_t fork_mask; // the thread's signal mask in the kernel, over its fork()

static void set_mask(uint64_t mask) { sp_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask); }

// The clocks from which this process counts, and from which its first thread is stopped if recording does not begin now.
static void note_clocks(bool forked) {
  sp_agent_note_clocks(forked);
  atomic_store(&sp_agent.cost_felt, 0);
  sp_agent.load_tid = sp_own_slot != NULL ? atomic_load(&sp_own_slot->tid) : sp_gettid();
  if (sp_own_slot != NULL) atomic_store(&sp_own_slot->stop_cpu, sp_agent.thread_cpu_at_load_ns);
}

// Loads the unwinder that was asked for, where it is not the agent's own; without it the default is used.
static void load_unwinder(void) {
  if (sp_agent.options.unwind != SP_UNWIND_LIBUNWIND) return;
  const char *failure = sp_libunwind_load();
  if (failure == NULL) return;
  const char *parts[] = {"STATPROF_UNWIND=libunwind cannot be had (", failure, "); using the default"};
  sp_message(parts, 3);
  sp_agent.options.unwind = SP_UNWIND_AUTO;
}

void sp_lifecycle_bar_counter(void) { atomic_store(&sp_agent.counter_barred, true); }

// Whether the image before this one was; a kernel that knows of no such thing says no.
static bool is_counter_barred(void) {
  int may = PR_TSC_ENABLE;
  return sp_syscall2(SYS_prctl, PR_GET_TSC, &may) == 0 && may == PR_TSC_SIGSEGV;
}

bool sp_lifecycle_load(int argc, char **argv) {
  sp_message_init();
  sp_options_read(&sp_agent.options, environ);
  if (!sp_agent.options.enabled || (sp_agent.options.session != NULL && *sp_agent.options.session == SP_SESSION_OFF)) return false;
  sp_agent.pid = (uint32_t)sp_syscall0(SYS_getpid);
  if (!sp_session_join()) return false;
  if (sp_under_valgrind()) {
    static const char *const parts[] = {"no profile: the program runs under Valgrind"};
    sp_message(parts, 1);
    return false;
  }
  if (argc > 0 && argv[0] != NULL) {
    sp_agent.arguments = argv[0];
    sp_agent.arguments_size = (uint32_t)(argv[argc - 1] + strlen(argv[argc - 1]) + 1 - argv[0]);
  }
  struct sp_slot *slot = sp_slot_claim();
  if (slot != NULL) sp_slot_start(slot);
  load_unwinder();
  if (is_counter_barred()) sp_lifecycle_bar_counter();
  note_clocks(false);
  atomic_store(&sp_agent.frequency, sp_agent.options.frequency);
  atomic_store(&sp_agent.frequency_asked, sp_agent.options.frequency);
  atomic_store(&sp_agent.running, sp_agent.options.start ? 1 : 0);
  atomic_store(&sp_agent.phase, SP_PHASE_ARMED);
  sp_program_signals_load();
  if (sp_agent.options.log) {
    char number[SP_NUMBER_MAX];
    const char *parts[] = {"profiling process ", sp_decimal(number, sp_agent.pid), " (", program_invocation_short_name, ")"};
    sp_message(parts, 5);
  }
  if (sp_agent.options.start) sp_clocks_arm();
  return true;
}

void sp_lifecycle_thread_start(struct sp_slot *slot) {
  atomic_store(&slot->unticked, sp_lifecycle_sandboxed() ? SP_UNTICKED : SP_TICKED);
  slot = sp_slot_start(slot);
  if (sp_program_holds_sigprof()) sp_clocks_hold(); // one that waits for the process has come here
  sp_clocks_thread_start(slot);
}

void sp_lifecycle_thread_end(void) {
  struct sp_slot *slot = sp_own_slot;
  // A child that was not forked by fork() does not have what its thread would give back.
  if (slot == NULL || sp_own_end || !sp_agent_own_process()) return;
  sp_own_end = true;
  sp_clocks_thread_end(slot);
  sp_remainder_leave(slot);
  sp_events_thread_end(slot);
  sp_thread_detach(slot);
  sp_own_slot = NULL;
  sp_slot_free(slot);
}

void sp_lifecycle_thread_unwatched(void) {
  if (sp_agent_own_process()) sp_trace_lost(SP_LOSS_THREADS, 1, 0);
}

void sp_lifecycle_fork_prepare(void) {
  // On old kernels a signal restarts clone(); with a large process that would go on for ever. The program's signals wait too: a
  // handler of its own might fork, and take the mask of this for the one to return to.
  const uint64_t others = SP_ASYNCHRONOUS_SIGNALS;
  sp_syscall4(SYS_rt_sigprocmask, SIG_BLOCK, &others, &fork_mask, sizeof fork_mask);
  sp_events_link(SP_LINK_FORK, 0, "");
}

void sp_lifecycle_fork_parent(void) { set_mask(fork_mask); }

// Forgets all that the parent had recorded with; nothing is touched, and so copied, in a child of one that had not begun.
static void forget_parent(void) {
  sp_threads_forked();
  sp_events_forked();
  sp_remainders_forked();
  sp_trace_forked();
  sp_introduction_forked();
  sp_modules_forked();
  sp_libunwind_forked();
  atomic_store(&sp_agent.first_tick, false);
  atomic_store(&sp_agent.clock, SP_CLOCK_AUTO);
  atomic_store(&sp_agent.clock_told, SP_CLOCK_AUTO);
}

void sp_lifecycle_fork_child(void) {
  uint32_t phase = atomic_load(&sp_agent.phase);
  if (phase != SP_PHASE_OFF) {
    sp_agent.pid = (uint32_t)sp_syscall0(SYS_getpid);
    sp_agent.first_process = false;
    atomic_store(&sp_agent.paused, 0); // by a thread that is not in this process
    sp_agent.exec_generation = 0;
    if (phase != SP_PHASE_ARMED || sp_slots_used() > 1 || sp_own_slot == NULL) forget_parent();
    else sp_thread_forked();
    sp_program_signals_forked(&fork_mask);
    note_clocks(true);
    bool watched = sp_agent.options.children && !sp_lifecycle_sandboxed();
    atomic_store(&sp_agent.phase, watched ? SP_PHASE_ARMED : SP_PHASE_FAILED);
    if (atomic_load(&sp_agent.running) > 0) sp_clocks_arm();
  }
  set_mask(fork_mask);
}

// Lets another thread that makes the file, or records the first of it, come to the end of that, so that no half of it is left; for a second
// at most: a disk that others keep busy may need a part of one.
static void await_file(void) {
  static const struct timespec pause = {0, 100 * 1000};
  for (int i = 0; i < 10000; i++) {
    if (atomic_load(&sp_agent.phase) != SP_PHASE_BEGINNING && !atomic_load(&sp_agent.first_tick) && !sp_introduction_under_way()) return;
    sp_syscall2(SYS_nanosleep, &pause, NULL);
  }
}

// This image ends: no tick makes the file from here on, and one that is doing so comes to its end.
static void leave(void) {
  uint32_t armed = SP_PHASE_ARMED;
  if (!atomic_compare_exchange_strong(&sp_agent.phase, &armed, SP_PHASE_LEAVING)) await_file();
}

const char *sp_lifecycle_exec(const char *path) {
  if (atomic_load(&sp_agent.phase) == SP_PHASE_OFF) return NULL;
  bool own_process = sp_agent_own_process();
  // A signal of a perf event that the mask keeps waiting would wait in the new program.
  if (own_process) sp_clocks_exec_thread();
  sp_program_mask_exec(); // a vfork child's mask is its own
  if (!own_process) {
    sp_program_signals_exec_shared();
    return NULL;
  }
  leave();
  bool recording = atomic_load(&sp_agent.phase) == SP_PHASE_RECORDING;
  if (recording) {
    sp_events_link(SP_LINK_EXEC, 0, sp_text_readable(path, PATH_MAX) ? path : ""); // what cannot be read the kernel refuses
    sp_events_snapshot(false);
    __atomic_store_n(&sp_trace_live()->end, SP_END_EXEC, __ATOMIC_RELAXED);
  }
  // An armed ITIMER_PROF would survive the exec and its signal, not handled yet, kill the new program. The kernel
  // deletes the threads' timers itself.
  sp_clocks_exec();
  sp_program_signals_exec(sp_slots_used() > 1);
  if (!sp_may_call(SP_CALLS_HARM)) return NULL; // the environment says that there is no session
  return recording || sp_agent.exec_generation > 0 ? sp_session_exec(recording) : NULL;
}

void sp_lifecycle_exec_failed(int error) {
  if (atomic_load(&sp_agent.phase) == SP_PHASE_OFF) return;
  sp_program_mask_exec_failed();
  sp_program_signals_exec_failed();
  if (!sp_agent_own_process()) return;
  uint32_t leaving = SP_PHASE_LEAVING;
  atomic_compare_exchange_strong(&sp_agent.phase, &leaving, SP_PHASE_ARMED);
  if (sp_trace_live() != NULL) __atomic_store_n(&sp_trace_live()->end, SP_END_NONE, __ATOMIC_RELAXED);
  sp_events_link(SP_LINK_EXEC_FAILED, (uint64_t)error, "");
  if (atomic_load(&sp_agent.running) > 0) sp_clocks_resume();
  sp_clocks_exec_thread_failed();
}

// No tick may come to any thread from here on; to those again that had them.
static void bar_ticks(struct sp_slot *slot, void *unused) {
  (void)unused;
  uint8_t ticked = SP_TICKED;
  atomic_compare_exchange_strong(&slot->unticked, &ticked, SP_UNTICKED_WITH_ALL);
}

static void allow_ticks(struct sp_slot *slot, void *unused) {
  (void)unused;
  uint8_t unticked = SP_UNTICKED_WITH_ALL;
  atomic_compare_exchange_strong(&slot->unticked, &unticked, SP_TICKED);
}

// Waits for another thread's tick to end, a tenth of a millisecond at a time while there are any left.
static void await_tick(struct sp_slot *slot, void *left) {
  static const struct timespec pause = {0, 100 * 1000};
  for (int *turns = left; slot != sp_own_slot && atomic_load(&slot->in_tick) && *turns > 0; --*turns) sp_syscall2(SYS_nanosleep, &pause, NULL);
}

// Lets no tick begin, and the ones that other threads are in the midst of come to their end with the system calls that they have: a trace
// that is being made is whole then. For a second at most, as await_file.
static void pause_ticks(void) {
  static const struct timespec pause = {0, 1000 * 1000};
  int turns = 10000;
  atomic_fetch_add(&sp_agent.paused, 1);
  if (sp_slots_used() == 1) return;
  sp_syscall2(SYS_nanosleep, &pause, NULL); // what a tick has told is seen after it
  sp_slots_visit(await_tick, &turns);
}

bool sp_lifecycle_sandboxed(void) {
  return !sp_sandbox_bears_ticks(sp_forbidden_own) || !sp_sandbox_bears_ticks(atomic_load(&sp_forbidden_all));
}

void sp_lifecycle_seccomp(const struct sock_fprog *filter, bool all, struct sp_sandboxing *s) {
  struct sp_calls more;
  *s = (struct sp_sandboxing){.own = sp_forbidden_own, .all = atomic_load(&sp_forbidden_all)};
  if (atomic_load(&sp_agent.phase) == SP_PHASE_OFF || !sp_agent_own_process() || !sp_sandbox_evaluate(filter, &more)) return;
  const struct sp_calls *calls = sp_sandbox_add(s->own, &more);
  if (all) calls = sp_sandbox_add(s->all, calls);
  s->stopped_all = all && !sp_sandbox_bears_ticks(calls);
  s->stopped_own = !all && !sp_sandbox_bears_ticks(calls) && sp_own_slot != NULL;
  if (all) pause_ticks();
  if (s->stopped_all || s->stopped_own) sp_events_snapshot(false); // nobody may be able to look at the clocks later
  if (s->stopped_all) {
    sp_slots_visit(bar_ticks, NULL);
    sp_clocks_disarm();
  } else if (s->stopped_own) {
    atomic_store(&sp_own_slot->unticked, SP_UNTICKED);
    sp_clocks_thread_end(sp_own_slot);
  }
  // The process's timer goes on over an exec, and would end the new program, if it could not be stopped then.
  s->stopped_itimer = sp_calls_have(calls, SYS_setitimer) && sp_clocks_stop_itimer();
  // It sends to any thread.
  if (sp_calls_have(calls, SYS_rt_sigreturn)) {
    uint64_t profile = 1ull << (SIGPROF - 1);
    sp_syscall4(SYS_rt_sigprocmask, SIG_BLOCK, &profile, &s->mask, sizeof s->mask);
    s->masked = true;
  }
  s->off = sp_calls_have(calls, SP_CALLS_HARM) && sp_may_call(SP_CALLS_HARM);
  if (s->off) sp_session_off(true);
  if (!all) {
    sp_forbidden_own = calls;
    return;
  }
  atomic_store(&sp_forbidden_all, calls);
  atomic_fetch_sub(&sp_agent.paused, 1);
}

void sp_lifecycle_seccomp_failed(const struct sp_sandboxing *s) {
  sp_forbidden_own = s->own;
  atomic_store(&sp_forbidden_all, s->all);
  if (s->off) sp_session_off(false);
  if (s->masked) set_mask(s->mask);
  if (s->stopped_own) {
    atomic_store(&sp_own_slot->unticked, SP_TICKED);
    sp_clocks_thread_start(sp_own_slot);
  }
  if (s->stopped_itimer) sp_clocks_resume();
  if (s->stopped_all) {
    sp_slots_visit(allow_ticks, NULL);
    if (atomic_load(&sp_agent.phase) == SP_PHASE_RECORDING) sp_clocks_begin();
    else if (atomic_load(&sp_agent.running) > 0) sp_clocks_arm();
  }
}

bool sp_lifecycle_traced(void) {
  struct sp_slot *slot = sp_own_slot;
  if (atomic_load(&sp_agent.phase) == SP_PHASE_OFF || !sp_agent_own_process() || slot == NULL || atomic_load(&slot->unticked)) return false;
  atomic_store(&slot->unticked, SP_UNTICKED);
  sp_clocks_thread_end(slot);
  sp_clocks_stop_itimer(); // it is a forked child nearly always, and so of one thread
  return true;
}

void sp_lifecycle_traced_failed(void) {
  atomic_store(&sp_own_slot->unticked, SP_TICKED);
  if (atomic_load(&sp_agent.running) > 0) sp_clocks_resume();
  sp_clocks_thread_start(sp_own_slot);
}

// The line at the end under STATPROF_LOG=1.
static void log_end(void) {
  char lost[SP_NUMBER_MAX];
  const struct sp_live *live = sp_trace_live();
  uint64_t count = 0;
  for (unsigned i = 0; live != NULL && i < SP_LOSS_REASONS; i++) count += live->lost[i].count;
  if (live == NULL) {
    static const char *const parts[] = {"no tick of CPU was used, no profile"};
    sp_message(parts, 1);
  } else {
    const char *parts[] = {"profile in ", sp_trace_path(), count == 0 ? "" : ", samples lost: ", count == 0 ? "" : sp_decimal(lost, count)};
    sp_message(parts, 4);
  }
}

void sp_lifecycle_end(enum sp_end how, uint32_t status) {
  if (atomic_load(&sp_agent.phase) == SP_PHASE_OFF || !sp_agent_own_process()) return;
  leave();
  uint32_t phase = atomic_load(&sp_agent.phase);
  if (phase == SP_PHASE_RECORDING) {
    sp_events_link(SP_LINK_EXIT, status, "");
    sp_events_snapshot(true);
    struct sp_live *live = sp_trace_live();
    __atomic_store_n(&live->end_status, status, __ATOMIC_RELAXED);
    __atomic_store_n(&live->end_time, sp_now(), __ATOMIC_RELAXED);
    __atomic_store_n(&live->end, how, __ATOMIC_RELAXED);
  }
  if (sp_agent.options.log && phase != SP_PHASE_FAILED) log_end();
}
