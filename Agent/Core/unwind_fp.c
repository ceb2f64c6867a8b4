#define _GNU_SOURCE
#include "unwind_internal.h"

// Code of a file does not change while the module is there; JIT code does.
bool sp_read_code(struct sp_unwinder *u, const struct sp_module *module, uintptr_t address, uint8_t *code) {
  uint32_t tag = module != NULL && (module->flags & SP_MAPPING_ELF) ? module->number : 0;
  size_t after = SP_CODE_AFTER;
  if (!sp_reader_copy(&u->reader, tag, address, code + SP_CODE_BEFORE, after)) {
    after = SP_READER_PAGE_SIZE - (address & (SP_READER_PAGE_SIZE - 1)); // what follows the page may not be there
    if (after >= SP_CODE_AFTER || !sp_reader_copy(&u->reader, tag, address, code + SP_CODE_BEFORE, after)) return false;
    memset(code + SP_CODE_BEFORE + after, 0, SP_CODE_AFTER - after);
  }
  if (!sp_reader_copy(&u->reader, tag, address - SP_CODE_BEFORE, code, SP_CODE_BEFORE)) memset(code, 0, SP_CODE_BEFORE);
  return true;
}

// To the caller of a function whose return address is saved at `at`, or in its register if `at` is 0. False if it cannot be loaded.
static bool return_from(struct sp_unwinder *u, uintptr_t at, struct sp_registers *state) {
  uintptr_t return_address = state->registers[SP_RA_COLUMN];
  if (at != 0) {
    if (!sp_load(u, at, &return_address)) return false;
    state->registers[SP_REG_SP] = at + sizeof return_address;
  }
  state->registers[SP_REG_RA] = sp_machine_return_address(return_address);
  state->kind = SP_FRAME_RETURN;
  return true;
}

// The stack pointer in a signal's return where it is only a bound: the frame pointer is a record that the kernel made above what
// it saved, of the same values.
static bool find_context(struct sp_unwinder *u, const struct sp_registers *state, uintptr_t *sp) {
  uintptr_t fp = state->registers[SP_REG_FP], record[2], saved[2];
  *sp = fp - SP_CONTEXT_RECORD;
  return sp_load(u, fp, &record[0]) && sp_load(u, fp + 8, &record[1]) &&
         sp_load(u, *sp + sp_machine_context_offset(SP_REG_FP), &saved[0]) &&
         sp_load(u, *sp + sp_machine_context_offset(SP_RA_COLUMN), &saved[1]) && memcmp(record, saved, sizeof record) == 0;
}

enum sp_step sp_step_known_code(struct sp_unwinder *u, const struct sp_module *module, struct sp_registers *state) {
  uint8_t code[SP_CODE_BEFORE + SP_CODE_AFTER];
  uintptr_t address = state->registers[SP_REG_RA];
  bool page_begins = (address & (SP_READER_PAGE_SIZE - 1)) == 0; // where an emulator without vDSO has a signal's return
  if (!(module->flags & SP_MAPPING_ELF) && !(SP_SIGRETURN_IN_VDSO && page_begins)) return SP_STEP_NONE;
  if (!sp_read_code(u, module, address, code)) return SP_STEP_NONE;
  uintptr_t sp = state->registers[SP_REG_SP];
  if (state->kind == SP_FRAME_INSTRUCTION) {
    int distance = sp_machine_stub(code);
    if (distance != SP_NOT_KNOWN)
      return return_from(u, distance == SP_IN_RA_REGISTER ? 0 : sp + (uintptr_t)distance, state) ? SP_STEP_DONE : SP_STEP_BAD_STACK;
  }
  return sp_machine_is_sigreturn(code) ? sp_step_signal(u, state) : SP_STEP_NONE;
}

// The kernel has put the context at the stack pointer.
enum sp_step sp_step_signal(struct sp_unwinder *u, struct sp_registers *state) {
  uintptr_t registers[SP_REGISTERS], sp = state->registers[SP_REG_SP];
  if (!SP_FP_GIVES_SP && state->sp_is_bound && !find_context(u, state, &sp)) return SP_STEP_BAD_STACK;
  for (unsigned i = 0; i < SP_REGISTERS; i++)
    if (!sp_load(u, sp + sp_machine_context_offset(i), &registers[i])) return SP_STEP_BAD_STACK;
  memcpy(state->registers, registers, sizeof registers);
  state->sp_is_bound = false;
  state->kind = SP_FRAME_INSTRUCTION;
  return SP_STEP_DONE;
}

// The frame of an interrupted function is not there yet in its first instructions, and gone in its last.
enum sp_step sp_step_fp(struct sp_unwinder *u, const struct sp_module *module, struct sp_registers *state) {
  uint8_t code[SP_CODE_BEFORE + SP_CODE_AFTER];
  uintptr_t sp = state->registers[SP_REG_SP], fp = state->registers[SP_REG_FP], next_fp = fp;
  int fp_at = -1;
  int distance = state->kind == SP_FRAME_INSTRUCTION && sp_read_code(u, module, state->registers[SP_REG_RA], code)
                     ? sp_machine_frame_edge(code, &fp_at)
                     : SP_NOT_KNOWN;
  uintptr_t at = distance == SP_IN_RA_REGISTER ? 0 : distance == SP_NOT_KNOWN ? fp + sizeof fp : sp + (uintptr_t)distance;
  if (distance == SP_NOT_KNOWN) {
    if (fp == 0) return SP_STEP_END;
    if (fp & (sizeof fp - 1)) return SP_STEP_BAD_STACK;
    if (fp < sp) return SP_STEP_NO_PROGRESS;
    if (sp >= u->direct_low && sp < u->direct_high && fp >= u->direct_high) return SP_STEP_BAD_STACK; // not in the same stack
    if (!sp_load(u, fp, &next_fp)) return SP_STEP_BAD_STACK;
  } else if (fp_at >= 0 && !sp_load(u, sp + (uintptr_t)fp_at, &next_fp)) {
    return SP_STEP_BAD_STACK;
  }
  if (!return_from(u, at, state)) return SP_STEP_BAD_STACK;
  state->registers[SP_REG_FP] = next_fp;
  state->sp_is_bound = !SP_FP_GIVES_SP;
  return SP_STEP_DONE;
}
