// Every instruction of assembly without call frame information: at a function's first one the return address is on top of the
// stack; from there on the frames above must stay the same.
#include "step.h"

long assembly_pushes(long), assembly_aligned(long), assembly_calls(long), assembly_tail(long);
extern const char assembly_begin[], assembly_end[];

static long inside, nested, wrong;
static struct sp_frame above[ORACLE_FRAMES]; // the frames above the assembly
static unsigned above_count;

static bool is_assembly(uintptr_t address) { return address >= (uintptr_t)assembly_begin && address < (uintptr_t)assembly_end; }

static void on_trap(int number, siginfo_t *info, void *argument) {
  (void)number, (void)info;
  static struct sp_frame frames[ORACLE_FRAMES];
  static bool was_inside;
  uint8_t outcome;
  const ucontext_t *context = argument;
  if (!is_assembly((uintptr_t)context->uc_mcontext.gregs[REG_RIP])) {
    was_inside = false;
    return;
  }
  uint32_t count = sp_unwind(oracle_unwinder, context, 0, frames, ORACLE_FRAMES, &outcome), first = 1;
  while (first < count && is_assembly(frames[first].address)) first++;
  if (!was_inside) {
    above_count = count - 1;
    memcpy(above, frames + 1, above_count * sizeof above[0]);
    uintptr_t top = *(const uintptr_t *)context->uc_mcontext.gregs[REG_RSP];
    if (count < 4 || frames[1].address != top) wrong++;
  }
  was_inside = true;
  inside++;
  nested += first == 2;
  if (outcome == SP_OUTCOME_COMPLETE && first <= 2 && count - first == above_count &&
      memcmp(frames + first, above, above_count * sizeof above[0]) == 0)
    return;
  if (wrong++ < 10) oracle_print("wrong", frames[0].address);
}

__attribute__((noinline)) long assembly_target(long x) { return x * 3 + sink; }

__attribute__((noinline)) static long call(long (*function)(long), long argument) { return function(argument) + sink; }

int main(int argc, char **argv) {
  oracle_begin(argc, argv);
  step_begin(on_trap);
  raise(SIGUSR2);
  for (long round = 0; round < 3; round++) {
    sink += call(assembly_pushes, round);
    sink += call(assembly_aligned, round);
    sink += call(assembly_calls, 48 * round);
    sink += call(assembly_tail, round);
  }
  raise(SIGUSR2);
  printf("assembly: %ld instructions, %ld of them in a function that assembly calls, %ld wrong\n", inside, nested, wrong);
  return wrong > 0 || inside < 200 || nested < 30;
}
