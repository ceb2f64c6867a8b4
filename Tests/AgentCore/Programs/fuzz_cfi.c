// Call frame information, ELF headers, registers and stacks out of arbitrary bytes (fuzz_input.h): the readers of both, programs and
// expressions, the steps from frame to frame, and whole walks from real code. The image and the stack lie between pages that
// cannot be read, so that a load that is not checked faults.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "fuzz_input.h"
#include "module_facts.h"
#include "unwind_internal.h"

#define PAGE 4096u
#define STACK_SIZE PAGE
#define STEPS 40
#define CPU_MS_MAX 500
#define CHECK(condition)                                                \
  do {                                                                  \
    if (!(condition)) fprintf(stderr, "not so: %s\n", #condition), abort(); \
  } while (0)

static uint8_t *image, *stack;
static struct sp_unwinder *made_up, *real; // for the module made of the input, for the modules of this process
static uint32_t number;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

// Where the kernel refuses to copy pages the reader does so itself, and they may be anybody's, AddressSanitizer's own included:
// memcpy is not checked. (Every other load of the agent is.)
const char *__asan_default_options(void) { return "detect_leaks=0:replace_intrin=0"; }

// Readable memory with a page on each side that is not.
static uint8_t *between_guards(size_t size) {
  uint8_t *memory = mmap(NULL, size + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory + PAGE, size, PROT_READ | PROT_WRITE) != 0) abort();
  return memory + PAGE;
}

static void set_up(void) {
  image = between_guards(FUZZ_IMAGE_MAX);
  stack = between_guards(STACK_SIZE);
  made_up = mmap(NULL, sizeof *made_up, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  real = mmap(NULL, sizeof *real, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (made_up == MAP_FAILED || real == MAP_FAILED) abort();
  sp_modules_load();
}

static uintptr_t value_of(const struct fuzz_word *word) {
  uintptr_t offset = fuzz_u16(word->offset);
  switch (word->where % FUZZ_WHERES) {
  case FUZZ_STACK: return (uintptr_t)stack + offset % STACK_SIZE;
  case FUZZ_STACK_END: return (uintptr_t)stack + STACK_SIZE - offset % 64;
  case FUZZ_IMAGE: return (uintptr_t)image + offset % FUZZ_IMAGE_MAX;
  case FUZZ_SMALL: return offset;
  case FUZZ_NEGATIVE: return -offset;
  default: return (uintptr_t)set_up + offset % 256;
  }
}

// What is found must be what was asked for.
static void read_tables(const struct sp_module *module, uintptr_t address, const struct sp_registers *state, uintptr_t block) {
  struct sp_fde fde;
  struct sp_rules rules;
  uintptr_t value, cfa = state->registers[SP_REG_SP];
  enum sp_cfi_result result = sp_cfi_find(&made_up->reader, module, address, &made_up->cie, &fde);
  CHECK(result <= SP_CFI_UNREADABLE);
  if (result == SP_CFI_FOUND) {
    CHECK(address >= fde.start && address < fde.end);
    CHECK(fde.program >= module->image_start && fde.program <= fde.program_end && fde.program_end <= module->image_end);
    result = sp_cfi_run(&made_up->reader, module, &fde, address, &rules);
    CHECK(result <= SP_CFI_UNREADABLE);
    CHECK(result != SP_CFI_FOUND || rules.cfa_is_expression || rules.cfa_register < SP_REGISTERS);
  }
  sp_cfi_evaluate(&made_up->reader, module, block, state->registers, NULL, &value);
  sp_cfi_evaluate(&made_up->reader, module, block, state->registers, &cfa, &value);
}

// What the image says of itself, taken for an ELF file.
static void read_headers(uintptr_t start, size_t size) {
  struct sp_module module = {.start = start, .end = start + size, .image_start = start, .image_end = start + size};
  struct sp_module_proof proof = {0};
  if (!sp_module_read_elf(&made_up->reader, &module, &proof)) return;
  CHECK(module.phdr_count <= SP_PHDRS_MAX && module.build_id_size <= SP_BUILD_ID_MAX);
  sp_module_place(&module, true);
  sp_module_proof_holds(&made_up->reader, &proof);
}

// A walk as sp_unwind makes it, with a module that the table of modules does not know.
static void walk_made_up(const struct sp_module *module, struct sp_registers state) {
  static struct sp_frame frames[STEPS];
  const struct sp_registers begin = state;
  for (int i = 0; i < STEPS; i++) {
    enum sp_step step = sp_step_cfi(made_up, module, &state);
    if (step == SP_STEP_NONE) step = sp_step_known_code(made_up, module, &state);
    if (step == SP_STEP_NONE) step = sp_step_fp(made_up, module, &state);
    CHECK(step <= SP_STEP_NO_PROGRESS);
    if (step != SP_STEP_DONE) break;
    CHECK(state.kind == SP_FRAME_RETURN || state.kind == SP_FRAME_INSTRUCTION);
  }
  for (int i = 0; i < 2; i++) { // by what the first walk kept
    state = begin;
    sp_rows_begin(made_up);
  made_up->cie.module = 0;
    bool end;
    CHECK(sp_walk_rows(made_up, module, &state, frames, STEPS, &end) <= STEPS);
  }
}

// An interrupted thread's context with these registers, in this program's own code.
static void fill_context(ucontext_t *context, const uintptr_t *registers) {
  uintptr_t pc = (uintptr_t)set_up + registers[SP_REG_RA] % 4096;
  memset(context, 0, sizeof *context);
#if defined(__x86_64__)
  for (unsigned i = 0; i < SP_REGISTERS; i++) context->uc_mcontext.gregs[sp_greg_of[i]] = (greg_t)registers[i];
  context->uc_mcontext.gregs[REG_RIP] = (greg_t)pc;
#else
  for (unsigned i = 0; i < 31; i++) context->uc_mcontext.regs[i] = registers[i];
  context->uc_mcontext.sp = registers[SP_REG_SP];
  context->uc_mcontext.pc = pc;
#endif
}

// A walk from there, by the table of modules.
static void walk_real(const struct sp_registers *state, int engine) {
  static struct sp_frame frames[64];
  ucontext_t context;
  uint8_t outcome = 255;
  fill_context(&context, state->registers);
  uint32_t count = sp_unwind(real, &context, engine, frames, 64, &outcome);
  CHECK(count >= 1 && count <= 64 && outcome <= SP_OUTCOME_UNAVAILABLE);
}

// Milliseconds of CPU that this thread has used: an input is to need little, however slow or busy the machine is.
static long cpu_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  long begin = cpu_ms();
  const struct fuzz_input *input = (const struct fuzz_input *)data;
  if (image == NULL) set_up();
  if (size < sizeof *input) return 0;
  size_t image_size = size - sizeof *input < FUZZ_IMAGE_MAX ? size - sizeof *input : FUZZ_IMAGE_MAX;
  memcpy(image, data + sizeof *input, image_size);
  memset(image + image_size, 0, FUZZ_IMAGE_MAX - image_size);
  for (size_t i = 0; i < STACK_SIZE / sizeof(uintptr_t); i++) {
    uintptr_t word = value_of(&input->stack[i % FUZZ_STACK_WORDS]);
    memcpy(stack + i * sizeof word, &word, sizeof word);
  }
  struct sp_registers state = {.kind = input->flags & FUZZ_RETURN ? SP_FRAME_RETURN : SP_FRAME_INSTRUCTION};
  for (unsigned i = 0; i < SP_REGISTERS; i++) state.registers[i] = value_of(&input->registers[i % FUZZ_REGISTERS]);
  uintptr_t start = (uintptr_t)image, header = start + fuzz_u16(input->header) % FUZZ_IMAGE_MAX;
  // A number of its own: nothing that is kept for the input before is of use.
  struct sp_module module = {.number = ++number % 32768 + SP_MODULES_MAX, .flags = SP_MAPPING_ELF, .start = start, .image_start = start,
                             .end = start + image_size, .image_end = start + image_size, .code_start = start,
                             .code_end = start + image_size, .bias = start, .eh_frame_hdr = header,
                             .eh_frame_hdr_end = header + fuzz_u16(input->header_size)};
  made_up->reader.method = input->flags & FUZZ_PROBE ? SP_READER_PROBE : SP_READER_KERNEL_COPY;
  real->reader.method = made_up->reader.method;
  sp_reader_begin(&made_up->reader);
  sp_rows_begin(made_up);
  if (input->flags & FUZZ_TRUSTED) {
    module.tables_start = start;
    module.tables_end = start + (image_size + PAGE - 1) / PAGE * PAGE;
    sp_cfi_place(&made_up->reader, &module);
  }
  made_up->direct_low = made_up->direct_high = 0;
  if (input->flags & FUZZ_DIRECT) {
    made_up->direct_low = (uintptr_t)stack;
    made_up->direct_high = (uintptr_t)stack + STACK_SIZE;
  }
  uintptr_t address = start + fuzz_u16(input->address) % FUZZ_IMAGE_MAX;
  read_headers(start, image_size);
  read_tables(&module, address, &state, start + fuzz_u16(input->expression) % FUZZ_IMAGE_MAX);
  walk_real(&state, input->flags / FUZZ_ENGINE % 3);
  state.registers[SP_REG_RA] = address + (state.kind == SP_FRAME_RETURN);
  walk_made_up(&module, state);
  CHECK(cpu_ms() - begin < CPU_MS_MAX);
  return 0;
}
