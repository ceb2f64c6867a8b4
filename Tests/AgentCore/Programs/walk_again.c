// A program that calls and returns at random, in frames of every kind, and is looked at again and again: a walk that knows the one before it
// must find what one that knows nothing finds, and the frames that it calls the same must be. Arguments: two libraries that differ in nothing
// but their build ID, which take turns.
#include "oracle.h"

#include <alloca.h>

#include "unwind_internal.h"

enum { DEPTH_MAX = 60, CALLS = 60000 };

static struct sp_unwinder *forgetful;
static struct sp_frame before[ORACLE_FRAMES];
static uint32_t before_count;
static long looks, with_same, same_frames, all_frames, wrong;
static uint64_t state = 1;
static long calls;
static const char *libraries[2];
static void *library;
static int (*call_library)(int (*)(void *), void *);
static int library_depth;

static unsigned choose(unsigned count) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (unsigned)(state >> 33) % count;
}

static bool are_same(const struct sp_frame *a, const struct sp_frame *b) {
  return a->address == b->address && a->module == b->module && a->kind == b->kind;
}

static void look(int number, siginfo_t *info, void *context) {
  (void)number, (void)info;
  static struct sp_frame frames[ORACLE_FRAMES], others[ORACLE_FRAMES];
  uint8_t outcome, other;
  uint32_t count = sp_unwind(oracle_unwinder, context, 0, frames, ORACLE_FRAMES, &outcome), same = sp_unwinder_same(oracle_unwinder);
  forgetful->ended = false;
  bool right = count == sp_unwind(forgetful, context, 0, others, ORACLE_FRAMES, &other) && outcome == other && outcome == SP_OUTCOME_COMPLETE;
  right = right && same <= count && same <= before_count && sp_unwinder_same(forgetful) == 0;
  for (uint32_t i = 0; i < count && right; i++) right = are_same(&frames[i], &others[i]);
  for (uint32_t i = 1; i <= same && right; i++) right = are_same(&frames[count - i], &before[before_count - i]);
  if (!right && wrong++ < 3) printf("walk-again: call %ld, %u and %u frames, %u of them the same\n", calls, count, before_count, same);
  memcpy(before, frames, sizeof *frames * count);
  before_count = count;
  looks++;
  with_same += same > 0;
  same_frames += same;
  all_frames += count;
  if (looks % 64 == 0) { // the oracle's own walk is one more that it knows
    oracle_compare(context);
    forgetful->ended = false;
  }
}

int go(int depth);

__attribute__((noinline)) static int plain(int depth) { return go(depth) + 1; }

// Two calls from one frame.
__attribute__((noinline)) static int twice(int depth) {
  int first = go(depth);
  return first * go(depth) + 1;
}

// Its frame is found by the frame pointer, and is of one size or another.
__attribute__((noinline)) static int variable(int depth) {
  volatile char *some = alloca(16 * (1 + choose(4)));
  some[0] = (char)depth;
  return go(depth) + some[0];
}

// Saves registers that its callers need.
__attribute__((noinline)) static int saving(int depth) {
  int a = depth * 3, b = a ^ 77, c = b + a, d = c * b;
  __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d)::"rbx", "r12", "r13");
  a += go(depth);
  __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d)::"r14", "r15");
  return a + b * go(depth) + c - d;
}

// with_value: its caller has no frame pointer, but what a program may have in that register instead.
// with_space: it finds its own frame by the frame pointer, below which there is some space.
__asm__(".text\nwith_value:\n\t.cfi_startproc\n\tpush %rbp\n\t.cfi_adjust_cfa_offset 8\n\t.cfi_rel_offset rbp, 0\n\tmov %rdx, %rbp\n\t"
        "call *%rsi\n\tpop %rbp\n\t.cfi_adjust_cfa_offset -8\n\t.cfi_restore rbp\n\tret\n\t.cfi_endproc\n"
        "with_space:\n\t.cfi_startproc\n\tpush %rbp\n\t.cfi_adjust_cfa_offset 8\n\t.cfi_rel_offset rbp, 0\n\tmov %rsp, %rbp\n\t"
        ".cfi_def_cfa_register rbp\n\tsub %rdx, %rsp\n\tcall *%rsi\n\tleave\n\t.cfi_def_cfa rsp, 8\n\t.cfi_restore rbp\n\tret\n\t"
        ".cfi_endproc\n");
int with_value(int depth, int (*next)(int), uintptr_t value);
int with_space(int depth, int (*next)(int), uintptr_t space);

__attribute__((noinline)) static int other_value(int depth) { return with_value(depth, go, choose(2)) + 1; }

static int from_library(void *depth) { return go((int)(intptr_t)depth); }

__attribute__((noinline)) static int through_library(int depth) {
  library_depth++;
  int result = call_library(from_library, (void *)(intptr_t)depth);
  library_depth--;
  return result;
}

static int in_handler;
static void on_signal(int number) {
  (void)number;
  go(in_handler);
}

// A signal's frame below those to come.
__attribute__((noinline)) static int signalled(int depth) {
  in_handler = depth;
  return raise(SIGUSR2);
}

static void load_library(unsigned which) {
  library = dlopen(libraries[which], RTLD_NOW);
  if (library == NULL) exit(printf("%s\n", dlerror()));
  call_library = (int (*)(int (*)(void *), void *))dlsym(library, "plugin_call");
}

static void change_library(void) {
  if (library_depth > 0) return;
  dlclose(library);
  load_library(choose(2));
}

// From here any of them is called, some times, from either of two places.
__attribute__((noinline)) int go(int depth) {
  static int (*const kinds[])(int) = {plain, twice, variable, saving, variable, plain, other_value, through_library, plain, signalled};
  int result = 0;
  if (depth >= DEPTH_MAX || calls >= CALLS) return 0;
  for (unsigned i = choose(3); i < 3; i++) {
    calls++;
    if (choose(4) == 0) raise(SIGUSR1);
    int (*kind)(int) = kinds[choose(choose(8) == 0 ? 10 : 7)];
    if (choose(2) == 0) result += kind(depth + 1);
    else result ^= kind(depth + 1);
    if (choose(16) == 0) change_library();
  }
  return result;
}

// Two ways to one stack pointer, return address and frame pointer, the frames in between elsewhere. What the first way has left in
// memory is still there on the second.
enum { LITTLE = 32, MUCH = 512 };

__attribute__((noinline)) static int look_now(int way) { return raise(SIGUSR1) + way; }

__attribute__((noinline)) static int look_with_value(int way) { return with_value(way, look_now, 1) + 1; }

static int (*at_the_end)(int);

__attribute__((noinline)) static int part(int way) {
  if (way == 0) return with_space(way, at_the_end, MUCH) + 1;
  return with_space(way, at_the_end, LITTLE) ^ 1;
}

static void two_ways(void) {
  for (int i = 0; i < 40; i++) {
    at_the_end = i < 20 ? look_now : look_with_value;
    with_space(i % 2, part, i % 2 == 0 ? LITTLE : MUCH);
  }
}

static int from_library_now(void *way) { return look_now((int)(intptr_t)way); }

static void two_libraries(void) {
  for (int i = 0; i < 20; i++) {
    if (library != NULL) dlclose(library);
    load_library(i % 2);
    call_library(from_library_now, NULL);
  }
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  oracle_begin(argc, argv);
  if (argc < 3) return 3;
  for (int i = 0; i < 2; i++) libraries[i] = argv[1 + i];
  forgetful = oracle_new_unwinder();
  struct sigaction action = {.sa_sigaction = look, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  action = (struct sigaction){.sa_handler = on_signal, .sa_flags = SA_NODEFER};
  sigaction(SIGUSR2, &action, NULL);
  for (int i = 0; i < 10; i++) raise(SIGUSR1); // until it has asked for the stack
  two_ways();
  two_libraries();
  while (calls < CALLS) go(1);
  printf("walk-again: looked %ld times, %ld wrong; knew %ld walks, %ld of %ld frames\n", looks, wrong, with_same, same_frames, all_frames);
  int result = oracle_end("walk-again", looks / 64);
  return wrong > 0 || with_same < looks * 3 / 4 || same_frames < all_frames / 2 ? 1 : result;
}
