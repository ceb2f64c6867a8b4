#define _GNU_SOURCE
#include "unwind_internal.h"

#if SP_HAVE_UNWINDER

// Code of a file does not change while the module is there; JIT code does.
bool sp_read_code(struct sp_unwinder *u, const struct sp_module *module, uintptr_t address, uint8_t *code) {
  uint32_t tag = module != NULL && (module->flags & SP_MAPPING_ELF) ? module->number : 0;
  if (!sp_reader_copy(&u->reader, tag, address, code + SP_CODE_BEFORE, SP_CODE_AFTER)) return false;
  if (!sp_reader_copy(&u->reader, tag, address - SP_CODE_BEFORE, code, SP_CODE_BEFORE)) memset(code, 0, SP_CODE_BEFORE);
  return true;
}

enum sp_step sp_step_known_code(struct sp_unwinder *u, const struct sp_module *module, struct sp_registers *state) {
  uint8_t code[SP_CODE_BEFORE + SP_CODE_AFTER];
  if (!(module->flags & SP_MAPPING_ELF) || !sp_read_code(u, module, state->registers[SP_REG_RA], code)) return SP_STEP_NONE;
  uintptr_t sp = state->registers[SP_REG_SP];
  if (state->kind == SP_FRAME_INSTRUCTION) {
    int distance = sp_machine_stub(code);
    uintptr_t return_address;
    if (distance >= 0) {
      if (!sp_load(u, sp + (uintptr_t)distance, &return_address)) return SP_STEP_BAD_STACK;
      state->registers[SP_REG_SP] = sp + (uintptr_t)distance + sizeof return_address;
      state->registers[SP_REG_RA] = return_address;
      state->kind = SP_FRAME_RETURN;
      return SP_STEP_DONE;
    }
  }
  if (!sp_machine_is_sigreturn(code)) return SP_STEP_NONE;
  uintptr_t registers[SP_REGISTERS];
  for (unsigned i = 0; i < SP_REGISTERS; i++)
    if (!sp_load(u, sp + sp_machine_context_offset(i), &registers[i])) return SP_STEP_BAD_STACK;
  memcpy(state->registers, registers, sizeof registers);
  state->kind = SP_FRAME_INSTRUCTION;
  return SP_STEP_DONE;
}

// The frame of an interrupted function is not there yet in its first instructions, and gone in its last.
enum sp_step sp_step_fp(struct sp_unwinder *u, const struct sp_module *module, struct sp_registers *state) {
  uint8_t code[SP_CODE_BEFORE + SP_CODE_AFTER];
  uintptr_t sp = state->registers[SP_REG_SP], fp = state->registers[SP_REG_FP], next_fp = fp, return_address;
  int fp_at = -1;
  int distance = state->kind == SP_FRAME_INSTRUCTION && sp_read_code(u, module, state->registers[SP_REG_RA], code)
                     ? sp_machine_frame_edge(code, &fp_at)
                     : -1;
  uintptr_t at = distance >= 0 ? sp + (uintptr_t)distance : fp + sizeof fp;
  if (distance < 0) {
    if (fp == 0) return SP_STEP_END;
    if (fp & (sizeof fp - 1)) return SP_STEP_BAD_STACK;
    if (fp < sp) return SP_STEP_NO_PROGRESS;
    if (sp >= u->direct_low && sp < u->direct_high && fp >= u->direct_high) return SP_STEP_BAD_STACK; // not in the same stack
    if (!sp_load(u, fp, &next_fp)) return SP_STEP_BAD_STACK;
  } else if (fp_at >= 0 && !sp_load(u, sp + (uintptr_t)fp_at, &next_fp)) {
    return SP_STEP_BAD_STACK;
  }
  if (!sp_load(u, at, &return_address)) return SP_STEP_BAD_STACK;
  state->registers[SP_REG_SP] = at + sizeof return_address;
  state->registers[SP_REG_FP] = next_fp;
  state->registers[SP_REG_RA] = return_address;
  state->kind = SP_FRAME_RETURN;
  return SP_STEP_DONE;
}

#endif
