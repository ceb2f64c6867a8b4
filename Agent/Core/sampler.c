#include "sampler.h"

#include <string.h>
#include <sys/prctl.h>

#include "agent.h"
#include "clock.h"
#include "clocks.h"
#include "every_tick.h"
#include "introduction.h"
#include "mapping_record.h"
#include "raw_syscall.h"
#include "remainders.h"
#include "sample_writer.h"
#include "thread_slots.h"
#include "trace_file.h"

// How often, in samples of a thread, its name is looked at.
#define NAME_EVERY 64
// The agent's share of a thread's CPU, in percent, past which the rate is halved, and up to which it may be doubled again.
#define COST_LIMIT 3
#define COST_CALM 1
// And over how much of the thread's CPU at least: what is done once, at the first ticks, is no cost of the rate.
#define COST_SPAN_NS 250000000
// For so long no thread may have had a larger share before the rate rises by one step, microseconds.
#define CALM_US 500000
// The most that a sample takes of what ended threads have left.
#define REMAINDERS_MAX 32

// The agent's time in a handler, by the wall, past which the CPU clock is asked whether the thread ran all the while.
#define COST_DOUBTED_NS 50000

struct tick {
  struct sp_thread *thread;
  const siginfo_t *info;
  const ucontext_t *context;
  uint64_t entry_ns;
  uint64_t cpu_ns; // the thread's CPU clock
  bool first; // it makes the file
};

// Writes the thread's name if it has another one now.
static void write_name(struct sp_thread *t, uint64_t now) {
  char name[16] = {0};
  sp_syscall2(SYS_prctl, PR_GET_NAME, name);
  if (memcmp(name, t->name, sizeof name) == 0 || sp_writer_reserve(&t->writer, 64, now) != 0) return;
  memcpy(t->name, name, sizeof name);
  sp_record_begin(&t->writer, SP_RECORD_THREAD_NAME);
  sp_put_varint(&t->writer, now);
  sp_put_string(&t->writer, name, (uint32_t)strnlen(name, sizeof name));
  sp_record_end(&t->writer);
}

// Writes a state record into a thread's own chunk.
static void write_state(struct sp_writer *w, uint32_t state, uint64_t value, uint64_t now) {
  if (sp_writer_reserve(w, 64, now) != 0) return;
  sp_record_begin(w, SP_RECORD_STATE);
  sp_put_varint(w, now);
  sp_put_varint(w, state);
  sp_put_varint(w, value);
  sp_record_end(w);
}

// Makes the thread a writer: its number, and who it is. 0, or the reason + 1 (enum sp_loss) why there is no room.
static uint32_t introduce(struct sp_thread *t, uint64_t now) {
  if (t->writer.number == 0) {
    sp_writer_init(&t->writer, atomic_load(&t->slot->tid));
    t->writer.timer_period = sp_thread_timer_period(t->slot);
    t->account.cpu_ns = t->writer.tid == sp_agent.load_tid ? sp_agent.thread_cpu_at_load_ns : 0;
    t->checked_cpu_ns = t->account.cpu_ns;
  }
  uint32_t failure = sp_writer_reserve(&t->writer, SP_RECORD_MAX, now);
  if (failure != 0) return failure;
  atomic_store(&t->slot->writer, t->writer.number);
  sp_syscall2(SYS_prctl, PR_GET_NAME, t->name);
  sp_record_begin(&t->writer, SP_RECORD_THREAD);
  sp_put_varint(&t->writer, t->writer.tid);
  sp_put_varint(&t->writer, now);
  sp_put_varint(&t->writer, t->account.cpu_ns / 1000);
  sp_put_string(&t->writer, t->name, (uint32_t)strnlen(t->name, sizeof t->name));
  sp_record_end(&t->writer);
  return 0;
}

// The CPU time since the last sample of this thread, without what is not to be shown, microseconds.
static uint64_t take_weight(struct sp_thread *t, uint64_t cpu_ns) {
  return sp_account_take(&t->account, t->slot, cpu_ns, atomic_load_explicit(&t->slot->excluded, memory_order_relaxed));
}

// The clock that sent a tick.
static enum sp_clock clock_of(const siginfo_t *info) {
  return info->si_code == SI_TIMER ? SP_CLOCK_THREAD : info->si_code == SI_KERNEL ? SP_CLOCK_ITIMER : SP_CLOCK_PERF;
}

// Writes which clock is in force where nobody has yet.
static void tell_clock(struct sp_writer *w, uint64_t now) {
  uint32_t clock = atomic_load_explicit(&sp_agent.clock, memory_order_relaxed);
  if (atomic_load_explicit(&sp_agent.clock_told, memory_order_relaxed) == clock) return;
  write_state(w, SP_STATE_CLOCK, clock, now);
  sp_writer_commit(w); // should the thread be ended before its tick is, nobody would say it again
  atomic_store(&sp_agent.clock_told, clock);
}

// Writes what siblings that have ended left, as met where this thread was sampled.
static void write_remainders(struct sp_thread *t, uint64_t now, uint32_t stack, uint8_t outcome) {
  struct sp_writer *w = &t->writer;
  struct sp_remainder r;
  uint32_t place = 0;
  for (int i = 0; i < REMAINDERS_MAX && sp_remainder_take(t->slot->start, t->samples < SP_SHORT_SAMPLES, &place, &r); i++) {
    if (sp_writer_reserve(w, 3 + 6 * SP_VARINT_MAX, now) != 0) return;
    sp_record_begin(w, SP_RECORD_REMAINDER);
    sp_put_varint(w, r.writer);
    sp_put_varint(w, r.tid);
    sp_put_varint(w, r.time);
    sp_put_varint(w, r.weight);
    sp_put_varint(w, stack);
    sp_put_varint(w, outcome);
    sp_record_end(w);
  }
}

// Sets the rate of the whole process to another one, unless somebody else just has.
static void change_frequency(struct sp_thread *t, uint32_t from, uint32_t to, uint64_t now) {
  if (!atomic_compare_exchange_strong(&sp_agent.frequency, &from, to)) return;
  write_state(&t->writer, SP_STATE_FREQUENCY, to, now);
  sp_clocks_follow();
}

// Halves the rate if the agent costs this thread too much, and doubles it, up to what was asked, once it costs none of them much.
static void check_cost(struct sp_thread *t, uint64_t now) {
  uint64_t cpu = t->account.cpu_ns - t->checked_cpu_ns;
  if (cpu < COST_SPAN_NS) return;
  uint64_t agent = t->agent_ns - t->checked_agent_ns;
  t->checked_agent_ns = t->agent_ns;
  t->checked_cpu_ns = t->account.cpu_ns;
  uint32_t frequency = atomic_load(&sp_agent.frequency), asked = atomic_load(&sp_agent.frequency_asked);
  if (agent * 100 > cpu * COST_CALM) {
    atomic_store(&sp_agent.cost_felt, now);
    if (agent * 100 > cpu * COST_LIMIT && frequency > 1) change_frequency(t, frequency, frequency / 2, now);
  } else if (frequency < asked && now > atomic_load(&sp_agent.cost_felt) + CALM_US) {
    uint32_t higher = asked;
    while (higher / 2 > frequency) higher /= 2;
    atomic_store(&sp_agent.cost_felt, now);
    change_frequency(t, frequency, higher, now);
  }
}

// Everything that a tick records.
static SP_EVERY_TICK void record(struct tick *tick) {
  struct sp_thread *t = tick->thread;
  uint64_t now = (tick->entry_ns - sp_agent.load_monotonic_ns) / 1000;
  uint32_t failure = atomic_load(&t->slot->writer) == 0 ? introduce(t, now) : 0;
  if (failure != 0) {
    sp_trace_lost(failure - 1, 1, take_weight(t, tick->cpu_ns));
    return;
  }
  if (t->samples == 0) sp_introduction_write(&t->writer, now);
  tell_clock(&t->writer, now);
  uint64_t weight = take_weight(t, tick->cpu_ns);
  uint8_t outcome = SP_OUTCOME_COMPLETE;
  uint32_t depth = sp_unwind(t->unwinder, tick->context, sp_agent.options.unwind, t->frames, SP_MAX_FRAMES, &outcome);
  uint32_t same = sp_unwinder_same(t->unwinder);
  uint32_t stack = sp_stack_table_intern(&t->stacks, &t->writer, t->frames, depth, same, now, &failure);
  uint32_t overruns = tick->info->si_code == SI_TIMER && tick->info->si_overrun > 0 ? (uint32_t)tick->info->si_overrun : 0;
  struct sp_sample sample = {now, weight, stack, overruns, outcome, (uint8_t)(SP_KIND_CPU | clock_of(tick->info) << 4)};
  if (failure == 0) failure = sp_sample_write(&t->writer, &sample);
  if (failure != 0) sp_trace_lost(failure - 1, 1, weight);
  else write_remainders(t, now, stack, outcome);
  t->samples++;
  uint32_t gone = sp_modules_sweep(sp_unwinder_reader(t->unwinder));
  if (gone != 0) sp_mapping_end_record(&t->writer, gone, now);
  if (t->samples % NAME_EVERY == 0) write_name(t, now);
  check_cost(t, now);
  sp_clocks_thread_tick(t->slot);
  t->writer.timer_period = sp_thread_timer_period(t->slot);
}

// The first tick: makes the file and gives the threads their timers. True: the process is recording now (whoever began it).
static bool begin(struct tick *tick) {
  uint32_t armed = SP_PHASE_ARMED;
  if (!atomic_compare_exchange_strong(&sp_agent.phase, &armed, SP_PHASE_BEGINNING)) return armed == SP_PHASE_RECORDING;
  tick->first = true;
  atomic_store(&sp_agent.first_tick, true);
  if (!sp_trace_create()) {
    atomic_store(&sp_agent.first_tick, false);
    atomic_store(&sp_agent.phase, SP_PHASE_FAILED);
    sp_clocks_disarm();
    return false;
  }
  atomic_store(&sp_agent.phase, SP_PHASE_RECORDING);
  sp_clocks_begin();
  return true;
}

// What a tick needs has mostly left the processor's caches since the last one. It is on its way while the kernel is asked for the clock.
static void fetch(const struct tick *tick) {
  const struct sp_thread *t = tick->thread;
  if (sp_agent.options.unwind != SP_UNWIND_LIBUNWIND) sp_unwind_fetch(t->unwinder, tick->context);
  sp_stack_table_fetch(&t->stacks);
  sp_writer_fetch(&t->writer);
}

// Runs on the agent's own stack.
static SP_EVERY_TICK void sample(void *argument) {
  struct tick *tick = argument;
  struct sp_thread *t = tick->thread;
  fetch(tick);
  tick->cpu_ns = sp_own_cpu_ns();
  if (atomic_load(&sp_agent.phase) != SP_PHASE_RECORDING && !begin(tick)) return;
  record(tick);
  sp_writer_commit(&t->writer);
  if (tick->first) atomic_store(&sp_agent.first_tick, false);
  uint64_t cost = sp_monotonic_ns() - tick->entry_ns;
  if (cost > COST_DOUBTED_NS) {
    uint64_t cpu = sp_own_cpu_ns() - tick->cpu_ns;
    if (cpu < cost) cost = cpu;
  }
  t->agent_ns += cost;
  if (t->writer.chunk == NULL) return;
  t->writer.chunk_agent_ns += cost;
  __atomic_store_n(&t->writer.chunk->agent_us, (uint32_t)(t->writer.chunk_agent_ns / 1000), __ATOMIC_RELAXED);
}

// A tick of a thread that may have one.
static SP_EVERY_TICK void take(const siginfo_t *info, const ucontext_t *context) {
  uint32_t phase = atomic_load(&sp_agent.phase);
  // While another thread makes the file this one's time waits for its next tick.
  if ((phase != SP_PHASE_ARMED && phase != SP_PHASE_RECORDING) || sp_own_end || atomic_load(&sp_agent.running) <= 0) return;
  // A thread by clone() that the C library does not know may have another's thread-local storage, and with that its tables; it is not sampled.
  // The process's timer sends to such a one too.
  if (info->si_code == SI_KERNEL && sp_own_slot != NULL && sp_gettid() != atomic_load_explicit(&sp_own_slot->tid, memory_order_relaxed)) return;
  struct tick tick = {.thread = sp_own_thread, .info = info, .context = context, .entry_ns = sp_monotonic_ns()};
  if (tick.thread == NULL) tick.thread = sp_thread_attach();
  if (tick.thread == NULL) {
    sp_trace_lost(SP_LOSS_NO_MEMORY, 1, 0);
    return;
  }
  sp_call_on_stack(tick.thread->stack_top, sample, &tick);
}

SP_EVERY_TICK void sp_sampler_tick(const siginfo_t *info, const ucontext_t *context) {
  struct sp_slot *slot = sp_own_slot;
  if (slot == NULL) {
    take(info, context);
    return;
  }
  // Told first, and looked at then: who gives up system calls looks the other way round, and waits in between for as long as a processor
  // can keep the one from the other (sp_lifecycle_seccomp), so that no barrier is needed here.
  atomic_store_explicit(&slot->in_tick, true, memory_order_relaxed);
  atomic_signal_fence(memory_order_seq_cst);
  // The process's timer sends to a thread under seccomp's strict mode too, in which the clock itself may not be read.
  if (!atomic_load_explicit(&slot->unticked, memory_order_relaxed) && !atomic_load_explicit(&sp_agent.paused, memory_order_relaxed)) take(info, context);
  atomic_store_explicit(&slot->in_tick, false, memory_order_release);
}
