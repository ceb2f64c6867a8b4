// Code without call frame information is followed to its return. Here that is done to code that has it, at every instruction of
// many functions and for their callers, and both must come to the same. (gcc's own information is wrong after a `leave` in a
// function that realigns its stack. And what calls main() never returns.)
#include "step.h"

#include <ctype.h>
#include <math.h>

#include "unwind_internal.h"

#define SHOWN_MAX 6

static struct sp_unwinder *followed;
static long same, none, wrong; // none: of the interrupted functions alone

static const uint8_t kept[] = {SP_REG_RA, SP_REG_SP, SP_REG_FP, 3, 12, 13, 14, 15};

static bool agree(const struct sp_registers *a, const struct sp_registers *b) {
  for (unsigned i = 0; i < sizeof kept; i++)
    if (a->registers[kept[i]] != b->registers[kept[i]]) return false;
  return true;
}

static void on_trap(int number, siginfo_t *info, void *context) {
  (void)number, (void)info;
  struct sp_registers state;
  sp_machine_registers(context, state.registers);
  state.kind = SP_FRAME_INSTRUCTION;
  sp_reader_begin(sp_unwinder_reader(oracle_unwinder));
  sp_reader_begin(sp_unwinder_reader(followed));
  sp_rows_begin(oracle_unwinder);
  sp_rows_begin(followed);
  for (unsigned depth = 0; depth < 8; depth++) {
    uintptr_t address = sp_lookup_address(&state);
    const struct sp_module *module = sp_module_find(sp_unwinder_reader(oracle_unwinder), address);
    if (module == NULL) return;
    struct sp_registers told = state, found = state;
    if (sp_step_cfi(oracle_unwinder, module, &told) != SP_STEP_DONE || told.kind == SP_FRAME_INSTRUCTION) return;
    static struct sp_module plain; // the same without its tables
    plain = *module;
    plain.eh_frame_hdr = 0;
    if (sp_step_code(followed, &plain, &found) != SP_STEP_DONE) none += depth == 0;
    else if (agree(&told, &found)) same++;
    else if (wrong++ < SHOWN_MAX) oracle_print("wrong", address);
    state = told;
  }
}

int main(int argc, char **argv) {
  oracle_begin(argc, argv);
  followed = oracle_new_unwinder();
  step_begin(on_trap);
  char line[256];
  int numbers[24];
  for (int i = 0; i < 24; i++) numbers[i] = (i * 7919) % 101;
  raise(SIGUSR2);
  sink += recurse(6) + many_arguments(1, 2, 3, 4, 5, 6, 7, 8) + wide(3);
  qsort(numbers, 24, sizeof numbers[0], by_value);
  sink += snprintf(line, sizeof line, "%d %s %f %lx", 17, "text", 2.5, 255ul);
  sink += (long)strtod("3.14159", NULL) + (long)strlen(line) + toupper(line[0]) + (long)(sin(2.25) * pow(2.25, 1.5));
  memset(line + 64, 1, 64);
  memcpy(line + 128, line, 100);
  memmove(line + 130, line + 128, 100);
  sink += memcmp(line, line + 128, 64) + (strchr(line, 'z') != NULL) + (strstr(line, "ext") != NULL);
  free(realloc(malloc(100), 5000));
  raise(SIGUSR2);
  printf("follow: same %ld, not found %ld, wrong %ld\n", same, none, wrong);
  return wrong * 1000 > same || none * 10 > same || same < 20000;
}
