// The agent's unwinder on aarch64: at every instruction of many functions (aarch64_step.h) against the calls and returns that were
// seen and against libgcc; in signal handlers, and in threads when a timer's signal comes, against libgcc.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>

#include "aarch64_step.h"
#include "statprof_trace.h"
#include "unwind_internal.h"

#define FRAMES 512

struct list {
  uintptr_t addresses[FRAMES];
  unsigned count;
};

uintptr_t truth[64]; // of frame_pointers_code.c
unsigned truth_count;
volatile int released;
int chain_recurse(int depth, int (*function)(void));
int bare_leaf(int number);
int bare_calls(int (*function)(int), int number);
void bare_handler(int number);

static struct sp_unwinder *unwinder;
static struct list base; // the callers of the function that steps
static volatile long sink;
static int failed, shown, engine;
static long outcomes[16];

// What was compared in one part of the test.
static struct counts {
  long walks, frames, right, given_up, libgcc_equal, libgcc_shorter, libgcc_other;
} counts;

static struct sp_unwinder *new_unwinder(void) {
  void *memory = mmap(NULL, sp_unwinder_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) abort();
  return memory;
}

static void print_address(const char *who, uintptr_t address) {
  Dl_info info;
  if (dladdr((void *)address, &info) == 0) memset(&info, 0, sizeof info);
  printf("  %-6s %012lx %s+0x%lx %s\n", who, (unsigned long)address, info.dli_fname ? info.dli_fname : "?",
         (unsigned long)(address - (uintptr_t)info.dli_fbase), info.dli_sname ? info.dli_sname : "?");
}

static void show(const char *what, const struct sp_frame *frames, uint32_t count, int outcome, const struct list *other) {
  if (shown++ >= 8) return;
  printf("%s: outcome %d, %u frames, %u expected\n", what, outcome, count, other->count);
  for (uint32_t i = 0; i < count && i < 12; i++) print_address("own", frames[i].address);
  for (unsigned i = 0; i < other->count && i < 12; i++) print_address("other", other->addresses[i]);
}

// How many addresses are the same, from the innermost on.
static unsigned equal_frames(const struct sp_frame *frames, uint32_t count, const struct list *list) {
  unsigned same = 0;
  while (same < count && same < list->count && frames[same].address == list->addresses[same]) same++;
  return same;
}

static _Unwind_Reason_Code collect(struct _Unwind_Context *context, void *argument) {
  struct list *list = argument;
  if (list->count < FRAMES) list->addresses[list->count++] = _Unwind_GetIP(context);
  return _URC_NO_REASON;
}

// libgcc's walk from the interrupted instruction on, without the frames of the handler.
static void libgcc_walk(uintptr_t pc, struct list *list) {
  unsigned skip = 0;
  list->count = 0;
  _Unwind_Backtrace(collect, list);
  while (skip < list->count && list->addresses[skip] != pc) skip++;
  memmove(list->addresses, list->addresses + skip, (list->count - skip) * sizeof list->addresses[0]);
  list->count -= skip;
  while (list->count > 0 && list->addresses[list->count - 1] == 0) list->count--;
}

// Walks, and compares with libgcc. Where that gives up earlier (code without call frame information) the frames that it has count.
static uint32_t walk(struct sp_unwinder *u, ucontext_t *context, struct sp_frame *frames, uint8_t *outcome, struct counts *c,
                     int by_libgcc) {
  struct list list;
  uint32_t count = sp_unwind(u, context, engine, frames, FRAMES, outcome);
  c->walks++;
  c->frames += count;
  outcomes[*outcome & 15]++;
  if (!by_libgcc) return count;
  libgcc_walk(context->uc_mcontext.pc, &list);
  unsigned same = equal_frames(frames, count, &list);
  if (same == count && same == list.count) c->libgcc_equal++;
  else if (same == list.count) c->libgcc_shorter++;
  else c->libgcc_other++, show("unlike libgcc", frames, count, *outcome, &list);
  return count;
}

// Whether a frame is in the dynamic loader. How it resolves a function lazily is described for libgcc in a way that can make it
// fault.
static int in_loader(const struct list *list) {
  Dl_info info;
  for (unsigned i = 0; i < list->count; i++)
    if (dladdr((void *)list->addresses[i], &info) != 0 && (uintptr_t)info.dli_fbase == getauxval(AT_BASE)) return 1;
  return 0;
}

// At every instruction: the walk must have the frames that were seen to be called, and their callers.
static void on_trap(int number, siginfo_t *info, void *argument) {
  (void)number, (void)info;
  static struct sp_frame frames[FRAMES];
  ucontext_t *context = argument;
  struct list expected;
  uint8_t outcome;
  if (!step_arrive(context)) {
    libgcc_walk(context->uc_mcontext.pc, &base);
    step_leave(context);
    return;
  }
  expected.count = 0;
  expected.addresses[expected.count++] = context->uc_mcontext.pc;
  for (unsigned i = step_depth; i-- > 0;) expected.addresses[expected.count++] = step_returns[i];
  for (unsigned i = 1; i < base.count; i++) expected.addresses[expected.count++] = base.addresses[i];
  uint32_t count = walk(unwinder, context, frames, &outcome, &counts, !in_loader(&expected));
  int complete = outcome == SP_OUTCOME_COMPLETE || outcome == SP_OUTCOME_COMPLETE_FP;
  if (complete && count == expected.count && equal_frames(frames, count, &expected) == count) counts.right++;
  else if (outcome == SP_OUTCOME_BAD_STACK && equal_frames(frames, count, &expected) == count) counts.given_up++;
  else show("wrong", frames, count, outcome, &expected);
  step_leave(context);
}

// Ends a part of the test. `least_right`, in 1000, of its walks must be right, `least_equal` exactly libgcc's, and nearly none unlike
// it.
static void end_part(const char *name, long least_walks, long least_right, long least_equal) {
  printf("%s: walks %ld, frames %ld, right %ld, given up %ld; libgcc: equal %ld, shorter %ld, other %ld; outcomes", name, counts.walks,
         counts.frames, counts.right, counts.given_up, counts.libgcc_equal, counts.libgcc_shorter, counts.libgcc_other);
  for (int i = 0; i < 16; i++)
    if (outcomes[i] != 0) printf(" %d:%ld", i, outcomes[i]);
  printf("\n");
  if (counts.walks < least_walks || counts.right * 1000 < counts.walks * least_right ||
      counts.libgcc_equal < least_equal || counts.libgcc_other * 1000 > counts.walks * 5)
    failed = 1, printf("%s: too few\n", name);
  memset(&counts, 0, sizeof counts);
  memset(outcomes, 0, sizeof outcomes);
  shown = 0;
}

static int by_value(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

__attribute__((noinline)) static long recurse(int depth) { return depth == 0 ? 1 : recurse(depth - 1) * 3 + sink; }

__attribute__((noinline)) static long leaf(long a, long b) { return a > 5 ? a * b + 1 : b; }

__attribute__((noinline)) static long many_registers(long a, long b, long c, long d) {
  long e = recurse(1), f = recurse(2), g = leaf(a, b), h = leaf(c, d), i = recurse(1), j = leaf(e, f), k = leaf(g, h);
  return leaf(a + b + c, d + e + f) + leaf(g + h, i) + leaf(j, k) + e * f + g * h - i * j + k;
}

__attribute__((noinline)) static long with_alloca(long n) {
  char *p = __builtin_alloca((size_t)(n + 16));
  p[0] = (char)n;
  return p[0] + leaf(n, p[0]) + recurse(1);
}

__attribute__((noinline)) static long big_frame(long n) {
  volatile char small[5000], large[100000];
  small[n] = large[n * 9] = (char)n;
  return small[n] + large[n * 9] + recurse(2);
}

__attribute__((noinline)) static long middle_frame(long n) {
  volatile double kept = (double)n;
  volatile char bytes[1400];
  bytes[n] = 3;
  return (long)(floor(kept) + pow(kept, 1.5)) + with_alloca(bytes[n]) + many_registers(n, 2, 3, 4);
}

static void step_cfi(void) {
  char line[128];
  int numbers[10];
  for (int i = 0; i < 10; i++) numbers[i] = (i * 7919) % 101;
  STEP_BEGIN();
  sink += recurse(8) + leaf(7, 8) + leaf(2, 3);
  sink += many_registers(1, 2, 3, 4);
  sink += with_alloca(40) + big_frame(77) + middle_frame(20);
  qsort(numbers, 10, sizeof numbers[0], by_value);
  sink += snprintf(line, sizeof line, "%d %s %lx", 17, "text", 255ul);
  sink += (long)strtod("3.25", NULL) + (long)strlen(line);
  memcpy(line + 64, line, 32);
  char *p = malloc(100);
  p = realloc(p, 3000);
  free(p);
  sink += getpid() + (long)time(NULL);
  setenv("NAME", "value", 1);
  sink += getenv("NAME") != NULL;
  STEP_END();
}

static int called(int number) { return bare_leaf(number) + (int)recurse(2); }

// Code without call frame information, which calls code with it, and is called by it. Without frame records in that the walk
// gives up, and says so.
static void step_bare(void) {
  STEP_BEGIN();
  sink += bare_leaf(3) + bare_leaf(30);
  sink += bare_calls(bare_leaf, 7) + bare_calls(called, 20);
  sink += leaf(4, 5);
  STEP_END();
}

static int raises(void) { return raise(SIGUSR1); }

// A signal in a signal's handler, and on its frame.
static void on_nested(int number, siginfo_t *info, void *context) {
  (void)number, (void)info;
  static struct sp_frame frames[FRAMES];
  uint8_t outcome;
  walk(unwinder, context, frames, &outcome, &counts, 1);
  if (outcome == SP_OUTCOME_COMPLETE) counts.right++;
}

static void on_user(int number, siginfo_t *info, void *context) {
  on_nested(number, info, context);
  sink += recurse(3);
  raise(SIGUSR2);
}

static void signals(void) {
  struct sigaction user = {.sa_sigaction = on_user, .sa_flags = SA_SIGINFO};
  struct sigaction nested = {.sa_sigaction = on_nested, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &user, NULL);
  sigaction(SIGUSR2, &nested, NULL);
  for (int i = 0; i < 20; i++) raises();
  stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
  sigaltstack(&stack, NULL);
  user.sa_flags = nested.sa_flags |= SA_ONSTACK;
  sigaction(SIGUSR1, &user, NULL);
  sigaction(SIGUSR2, &nested, NULL);
  for (int i = 0; i < 20; i++) raises();
  end_part("signals", 80, 1000, 80);

  // The same with a handler that has no call frame information; libgcc gets no further than there.
  signal(SIGUSR1, bare_handler);
  for (int i = 0; i < 20; i++) raises();
  end_part("handler without information", 20, 1000, 0);
}

// Frame pointers through code without call frame information, the engines apart. The truth is what each function says that it
// returns to.
static int walk_chain(void) {
  static struct sp_frame frames[FRAMES];
  ucontext_t context;
  uint8_t outcome;
  getcontext(&context);
  context.uc_mcontext.pc = (uintptr_t)__builtin_extract_return_addr(__builtin_return_address(0));
  context.uc_mcontext.regs[29] = *(uintptr_t *)__builtin_frame_address(0);
  context.uc_mcontext.sp = (uintptr_t)__builtin_frame_address(0);
  uint32_t count = sp_unwind(unwinder, &context, engine, frames, FRAMES, &outcome), at = 1;
  struct list list = {.count = 0};
  for (unsigned i = truth_count; i-- > 0;) list.addresses[list.count++] = truth[i];
  counts.walks++;
  counts.frames += count;
  outcomes[outcome & 15]++;
  if (engine == SP_UNWIND_CFI) {
    counts.right += outcome == SP_OUTCOME_NO_CFI;
    return 1;
  }
  if (equal_frames(frames + at, count - at, &list) == list.count) counts.right++;
  else show("chain", frames, count, outcome, &list);
  return 1;
}

static void chains(void) {
  for (engine = SP_UNWIND_AUTO; engine <= SP_UNWIND_FP; engine++)
    for (int depth = 0; depth < 30; depth += 3) {
      truth_count = 0;
      chain_recurse(depth, walk_chain);
    }
  engine = SP_UNWIND_AUTO;
  end_part("frame pointers", 30, 1000, 0);
}

static __thread struct sp_unwinder *thread_unwinder;
static __thread struct counts *thread_counts;

static void on_alarm(int number, siginfo_t *info, void *context) {
  (void)number, (void)info;
  struct sp_frame frames[FRAMES];
  uint8_t outcome;
  if (thread_unwinder == NULL) return;
  walk(thread_unwinder, context, frames, &outcome, thread_counts, 1);
  if (outcome == SP_OUTCOME_COMPLETE) thread_counts->right++;
}

static void *work(void *argument) {
  thread_counts = argument;
  thread_unwinder = new_unwinder();
  char line[128];
  int numbers[50];
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
  for (int n = 0; thread_counts->walks < 300 && n < 200000; n++) {
    for (int i = 0; i < 50; i++) numbers[i] = (i * n) % 101;
    qsort(numbers, 50, sizeof numbers[0], by_value);
    sink += snprintf(line, sizeof line, "%d %g %lx", n, n * 2.5, 255ul) + with_alloca(n % 100) + middle_frame(n % 1000);
    free(malloc((size_t)(n % 5000)));
  }
  struct sp_unwinder *u = thread_unwinder;
  thread_unwinder = NULL;
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  if (here < u->stack_low || here >= u->stack_high)
    failed = 1, printf("the thread's own stack was not found\n");
  return NULL;
}

// The main thread, then another one.
static void timer(void) {
  struct sigaction action = {.sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO | SA_RESTART};
  struct itimerval often = {{0, 3000}, {0, 3000}}, never = {{0, 0}, {0, 0}};
  pthread_t thread;
  sigaction(SIGALRM, &action, NULL);
  for (int i = 0; i < 2; i++) {
    setitimer(ITIMER_REAL, &often, NULL);
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    if (i == 0) {
      work(&counts);
    } else {
      pthread_sigmask(SIG_BLOCK, &alarm, NULL);
      if (pthread_create(&thread, NULL, work, &counts) != 0 || pthread_join(thread, NULL) != 0) failed = 1;
    }
    setitimer(ITIMER_REAL, &never, NULL);
    end_part(i == 0 ? "timer" : "timer, thread", 100, 995, 90);
  }
}

int main(void) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL); // what started the program may have had signals blocked
  setvbuf(stdout, NULL, _IOLBF, 0);
  sp_modules_load();
  unwinder = new_unwinder();
  struct sigaction trap = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
  sigaction(SIGTRAP, &trap, NULL);
  step_cfi();
  end_part("every instruction", 3000, 995, 2000); // glibc's lazy resolver has two instructions whose description is wrong
  step_bare();
  long given_up = counts.given_up;
#ifdef NO_RECORDS
  if (given_up == 0) failed = 1;
  counts.right += given_up;
#else
  if (given_up != 0) failed = 1;
#endif
  end_part("every instruction without information", 150, 1000, 0);
  chains();
  signals();
  timer();
  return failed;
}
