// To be preloaded into any program: the agent's unwinder beside two others at whatever the program happens to be doing, by a
// fast timer. At exit it adds to the folder that $CROSSCHECK_OUT names a file PROGRAM.PID:
//
//   samples N equal N libgcc N run N different N jit N skipped N frames N
//   outcome NUMBER N                          each way that a walk ended, of samples without JIT code
//   jit-outcome NUMBER N                      of those with
//   different KIND OUTCOME MODULE+OFFSET N    where the walks part: the last frame that they agree on
//   incomplete OUTCOME MODULE+OFFSET N        where a walk ended too early
//
// equal: frame for frame what libunwind says; libgcc: libunwind says otherwise, libgcc the same; run: both of them say otherwise,
// and the program itself has shown who is right: it was single-stepped until the function returned, and so for its callers, each
// to where the own walk said that it would (or, an exception on its way, landed in one of them), until libunwind
// said the same of the rest. $CROSSCHECK_US is the timer's interval in microseconds. One thread at a time
// is looked at; the others skip their turn.
#include "oracle.h"

#include <stdatomic.h>

#include "modules.h"
#include "statprof_trace.h"

#define PLACES_MAX 1024
#define STEPS_MAX 50000
#define TRAP_FLAG 0x100

enum difference {
  OWN_ALONE,       // the two others agree
  OWN_STOPS,       // another one goes on where the own walk ends
  OTHERS_STOP,     // the own walk goes on where both of the others end
  ALL_DIFFERENT,
  INCOMPLETE,
};

static const char *const difference_names[] = {"own-alone", "own-stops", "others-stop", "all-different"};

// Counts of what happened at one place.
static struct place {
  uint8_t what, outcome; // enum difference, enum sp_outcome
  uint32_t module;
  uintptr_t offset; // in the file
  long count;
} places[PLACES_MAX];
static unsigned place_count;

static atomic_flag busy = ATOMIC_FLAG_INIT;
static _Atomic long skipped;
static long run_samples, jit_samples, jit_outcomes[OUTCOMES];
static timer_t timer;
static uint64_t least_cpu_ns; // that a thread has used since the tick before: one that sleeps is not looked at
static __thread uint64_t last_cpu_ns __attribute__((tls_model("initial-exec")));

// Counts something at a frame.
static void count_place(uint8_t what, uint8_t outcome, const struct sp_frame *frame) {
  const struct sp_module *module = sp_module_by_number(frame->module);
  uintptr_t offset = frame->address - (module == NULL ? 0 : module->bias);
  for (unsigned i = 0; i < place_count; i++) {
    struct place *p = &places[i];
    if (p->what != what || p->outcome != outcome || p->module != frame->module || p->offset != offset) continue;
    p->count++;
    return;
  }
  if (place_count < PLACES_MAX) places[place_count++] = (struct place){what, outcome, frame->module, offset, 1};
}

// How many frames two walks have in common from the leaf on.
static unsigned common(const struct sp_frame *frames, unsigned count, const struct oracle_list *list) {
  unsigned n = 0;
  while (n < count && n < list->count && frames[n].address == list->addresses[n]) n++;
  return n;
}

// Whether two others say the same.
static bool lists_same(const struct oracle_list *a, const struct oracle_list *b) {
  return a->count == b->count && memcmp(a->addresses, b->addresses, a->count * sizeof a->addresses[0]) == 0;
}

// What kind of difference it is, and at which frame.
static void count_difference(const struct sp_frame *frames, unsigned count, uint8_t outcome, const struct oracle_list *libunwind,
                             const struct oracle_list *libgcc) {
  unsigned with_libunwind = common(frames, count, libunwind), with_libgcc = common(frames, count, libgcc);
  unsigned most = with_libunwind > with_libgcc ? with_libunwind : with_libgcc;
  uint8_t kind = ALL_DIFFERENT;
  if (most == count) kind = OWN_STOPS;
  else if (with_libunwind == libunwind->count && with_libgcc == libgcc->count) kind = OTHERS_STOP;
  else if (lists_same(libunwind, libgcc)) kind = OWN_ALONE;
  count_place(kind, outcome, &frames[most > 0 ? most - 1 : 0]);
}

// Whether a frame is in code that was made while the program ran.
static bool has_jit(const struct sp_frame *frames, unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    const struct sp_module *module = sp_module_by_number(frames[i].module);
    if (module != NULL && (module->flags & SP_MAPPING_ANONYMOUS)) return true;
  }
  return false;
}

// A sample in dispute, while the program is stepped.
static struct sp_frame frames[ORACLE_FRAMES];
static unsigned count;
static uint8_t outcome;
static struct oracle_list libunwind, libgcc;
static unsigned level;       // the frame that the program must return to next
static uintptr_t level_sp;   // a return that leaves the stack pointer above it is there
static uintptr_t stepped_at; // the instruction that runs now
static long steps;

// Gives the sample up as different.
static void give_up(void) {
  oracle_different++;
  count_difference(frames, count, outcome, &libunwind, &libgcc);
  if (oracle_shown++ < 6 && getenv("ORACLE_VERBOSE")) {
    oracle_show(frames, count, &libunwind, "libunwind", outcome);
    oracle_show(frames, count, &libgcc, "libgcc", outcome);
  }
}

// Whether the instruction is a return.
static bool is_return(uintptr_t address) {
  const uint8_t *code = (const uint8_t *)address;
  if (*code == 0xf2 || *code == 0xf3) code++;
  return *code == 0xc3;
}

// Whether it is libgcc's jump to where an exception lands: jmp *%rcx.
static bool is_landing(uintptr_t address) {
  const uint8_t *code = (const uint8_t *)address;
  return code[0] == 0xff && code[1] == 0xe1;
}

// After each instruction of the program, until the sample is settled.
static void on_step(int number, siginfo_t *info, void *argument) {
  (void)number, (void)info;
  static struct oracle_list rest;
  int saved_errno = errno;
  ucontext_t *context = argument;
  greg_t *registers = context->uc_mcontext.gregs;
  uintptr_t sp = (uintptr_t)registers[REG_RSP], address = (uintptr_t)registers[REG_RIP];
  bool lands = sp > level_sp && is_landing(stepped_at), returned = sp > level_sp && is_return(stepped_at);
  bool done = ++steps == STEPS_MAX || lands, right = false;
  stepped_at = address;
  if (returned) {
    oracle_libunwind(context, &rest);
    oracle_drop_stray(&rest);
    right = oracle_same(frames + level, count - level, &rest);
    done = right || address != frames[level].address || ++level == count;
    level_sp = sp;
  } else if (lands) { // elsewhere in a function that was to be returned to
    oracle_libunwind(context, &rest);
    oracle_drop_stray(&rest);
    memmove(rest.addresses, rest.addresses + 1, --rest.count * sizeof rest.addresses[0]);
    right = rest.count < count - level && oracle_same(frames + count - rest.count, rest.count, &rest);
  }
  if (done) {
    registers[REG_EFL] &= ~TRAP_FLAG;
    if (right) run_samples++;
    else give_up();
    atomic_flag_clear(&busy);
  }
  errno = saved_errno;
}

// Compares. Returns whether the program is stepped from now on, and the sample still in use.
static bool compare(ucontext_t *context) {
  count = sp_unwind(oracle_unwinder, context, 0, frames, ORACLE_FRAMES, &outcome);
  if (has_jit(frames, count)) {
    jit_samples++;
    jit_outcomes[outcome]++;
    return false;
  }
  oracle_samples++;
  oracle_frames += count;
  oracle_outcomes[outcome]++;
  if (outcome != SP_OUTCOME_COMPLETE) count_place(INCOMPLETE, outcome, &frames[count - 1]);
  oracle_libunwind(context, &libunwind);
  oracle_drop_stray(&libunwind);
  if (oracle_same(frames, count, &libunwind)) {
    oracle_equal++;
    return false;
  }
  oracle_libgcc(frames[0].address, &libgcc);
  oracle_drop_stray(&libgcc);
  if (oracle_same(frames, count, &libgcc)) {
    oracle_settled++;
    return false;
  }
  if (count < 2) {
    give_up();
    return false;
  }
  steps = 0;
  level = 1;
  level_sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
  stepped_at = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
  context->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
  return true;
}

// The thread's CPU clock.
static uint64_t cpu_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// Compares, if it is this thread's turn.
static void on_tick(int number, siginfo_t *info, void *context) {
  (void)number, (void)info;
  int saved_errno = errno;
  if (cpu_ns() - last_cpu_ns >= least_cpu_ns) {
    if (atomic_flag_test_and_set(&busy)) {
      skipped++;
    } else {
      if (!compare(context)) atomic_flag_clear(&busy);
    }
  }
  last_cpu_ns = cpu_ns();
  errno = saved_errno;
}

// Begins, if there is where to report to.
__attribute__((constructor)) static void load(void) {
  if (getenv("CROSSCHECK_OUT") == NULL) return;
  const char *interval = getenv("CROSSCHECK_US");
  long microseconds = interval == NULL ? 500 : atol(interval);
  least_cpu_ns = (uint64_t)microseconds * 300;
  sp_modules_load();
  oracle_load();
  struct sigaction action = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGPROF, &action, NULL);
  action.sa_sigaction = on_step;
  sigaction(SIGTRAP, &action, NULL);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF};
  struct itimerspec every = {{0, microseconds * 1000}, {0, microseconds * 1000}};
  if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 || timer_settime(timer, 0, &every, NULL) != 0) abort();
}

// Where a place is, as text.
static void print_place(FILE *out, const struct place *p) {
  const struct sp_module *module = sp_module_by_number(p->module);
  const char *path = module == NULL ? "?" : module->path;
  fprintf(out, "%d %s+0x%lx %ld\n", p->outcome, path, (unsigned long)p->offset, p->count);
}

// Writes what was counted.
__attribute__((destructor)) static void report(void) {
  const char *folder = getenv("CROSSCHECK_OUT");
  if (folder == NULL || least_cpu_ns == 0) return;
  struct itimerspec never = {{0, 0}, {0, 0}};
  timer_settime(timer, 0, &never, NULL);
  while (atomic_flag_test_and_set(&busy)) usleep(100);
  char path[4096];
  snprintf(path, sizeof path, "%s/%s.%d", folder, program_invocation_short_name, getpid());
  FILE *out = fopen(path, "w");
  if (out == NULL) return;
  fprintf(out, "samples %ld equal %ld libgcc %ld run %ld different %ld jit %ld skipped %ld frames %ld\n", oracle_samples,
          oracle_equal, oracle_settled, run_samples, oracle_different, jit_samples, skipped, oracle_frames);
  for (int i = 0; i < OUTCOMES; i++)
    if (oracle_outcomes[i] != 0) fprintf(out, "outcome %d %ld\n", i, oracle_outcomes[i]);
  for (int i = 0; i < OUTCOMES; i++)
    if (jit_outcomes[i] != 0) fprintf(out, "jit-outcome %d %ld\n", i, jit_outcomes[i]);
  for (unsigned i = 0; i < place_count; i++) {
    if (places[i].what == INCOMPLETE) fprintf(out, "incomplete ");
    else fprintf(out, "different %s ", difference_names[places[i].what]);
    print_place(out, &places[i]);
  }
  fclose(out);
}
