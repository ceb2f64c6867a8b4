#define _GNU_SOURCE
#include "unwind_internal.h"

#if SP_HAVE_UNWINDER

// The place of an instruction's row.
static struct sp_row *row_of(struct sp_unwinder *u, uint32_t module, uint32_t offset) {
  uint32_t hash = (offset ^ (module << 20)) * 0x9e3779b1u;
  return &u->rows[hash / (UINT32_MAX / SP_ROWS + 1)];
}

// Whether all of the rules have the compact form; fills the row if so.
static bool compact(const struct sp_rules *rules, struct sp_row *row) {
  const struct sp_rule *ra = &rules->registers[SP_REG_RA];
  if (rules->cfa_is_expression || rules->cfa_register >= SP_REG_RA || rules->cfa_value != (int32_t)rules->cfa_value) return false;
  if (ra->kind != SP_RULE_OFFSET || ra->value != (int16_t)ra->value) return false;
  row->cfa_register = (uint8_t)rules->cfa_register;
  row->cfa_offset = (int32_t)rules->cfa_value;
  row->return_offset = (int16_t)ra->value;
  row->saved_mask = 0;
  for (unsigned i = 0; i < SP_REG_RA; i++) {
    const struct sp_rule *rule = &rules->registers[i];
    if (rule->kind == SP_RULE_SAME || rule->kind == SP_RULE_UNDEFINED) continue;
    if (rule->kind != SP_RULE_OFFSET || rule->value != (int16_t)rule->value) return false;
    unsigned place = 0;
    while (place < SP_SAVED_REGISTERS && sp_saved_registers[place] != i) place++;
    if (place == SP_SAVED_REGISTERS) return false;
    row->saved[place] = (int16_t)rule->value;
    row->saved_mask |= 1u << place;
  }
  return true;
}

void sp_row_learn(struct sp_unwinder *u, const struct sp_module *module, uintptr_t address, const struct sp_rules *rules) {
  if (address - module->start > UINT32_MAX) return;
  struct sp_row made = {.module = module->number, .offset = (uint32_t)(address - module->start), .form = SP_ROW_OPAQUE};
  if (rules != NULL && !compact(rules, &made)) return;
  if (rules != NULL) made.form = SP_ROW_SIMPLE;
  *row_of(u, made.module, made.offset) = made;
}

bool sp_row_is_opaque(struct sp_unwinder *u, const struct sp_module *module, uintptr_t address) {
  const struct sp_row *row = row_of(u, module->number, (uint32_t)(address - module->start));
  return row->module == module->number && row->form == SP_ROW_OPAQUE && row->offset == address - module->start;
}

// Whether no call can have pushed a return address: it is a function's first byte, and what is before it has no
// description and is no call. It was put there by hand, as the end of a coroutine's stack.
static bool is_planted(struct sp_unwinder *u, const struct sp_module *module, uintptr_t address) {
  struct sp_fde fde;
  uint8_t code[SP_CODE_BEFORE + SP_CODE_AFTER];
  return sp_cfi_find(&u->reader, module, address, &fde) == SP_CFI_FOUND && fde.start == address &&
         sp_read_code(u, module, address, code) && !sp_machine_follows_call(code);
}

// Finds the rules at a lookup address and makes its row. Nothing is kept where the tables could not be read.
static enum sp_step make_row(struct sp_unwinder *u, const struct sp_module *module, uintptr_t address, bool is_return,
                             struct sp_row *row, struct sp_rules *rules, bool *signal_frame) {
  struct sp_fde fde;
  enum sp_cfi_result result = sp_cfi_find(&u->reader, module, address, &fde);
  if (result == SP_CFI_FOUND) result = sp_cfi_run(&u->reader, module, &fde, address, rules);
  if (result == SP_CFI_DAMAGED || result == SP_CFI_UNREADABLE) return SP_STEP_BAD_CFI;
  struct sp_row made = {.module = module->number, .offset = (uint32_t)(address - module->start)};
  if (result == SP_CFI_NONE) made.form = is_return && is_planted(u, module, address + 1) ? SP_ROW_END : SP_ROW_NONE;
  else if (rules->registers[SP_REG_RA].kind == SP_RULE_UNDEFINED) made.form = SP_ROW_END;
  else made.form = compact(rules, &made) ? SP_ROW_SIMPLE : SP_ROW_COMPLEX;
  *signal_frame = result == SP_CFI_FOUND && fde.signal_frame;
  made.signal_frame = *signal_frame;
  *row = made;
  return SP_STEP_DONE;
}

// Whether a caller's stack pointer can be right: aligned, and further up unless the stack was switched on the way (a
// signal frame, or a CFA that some other register gives).
static enum sp_step check_cfa(const struct sp_registers *state, uintptr_t cfa, bool may_switch) {
  if (cfa & (sizeof cfa - 1)) return SP_STEP_BAD_STACK;
  return may_switch || cfa > state->registers[SP_REG_SP] ? SP_STEP_DONE : SP_STEP_NO_PROGRESS;
}

// Applies a row of the compact form.
static inline enum sp_step apply_row(struct sp_unwinder *u, const struct sp_row *row, struct sp_registers *state) {
  uintptr_t cfa = state->registers[row->cfa_register] + (uintptr_t)(intptr_t)row->cfa_offset;
  bool usual = row->cfa_register == SP_REG_SP || row->cfa_register == SP_REG_FP;
  enum sp_step step = check_cfa(state, cfa, row->signal_frame || !usual);
  if (step != SP_STEP_DONE) return step;
  if (!sp_load(u, cfa + (uintptr_t)(intptr_t)row->return_offset, &state->registers[SP_REG_RA])) return SP_STEP_BAD_STACK;
  for (uint32_t left = row->saved_mask; left != 0; left &= left - 1) {
    unsigned i = (unsigned)__builtin_ctz(left);
    if (!sp_load(u, cfa + (uintptr_t)(intptr_t)row->saved[i], &state->registers[sp_saved_registers[i]])) return SP_STEP_BAD_STACK;
  }
  state->registers[SP_REG_SP] = cfa;
  state->kind = row->signal_frame ? SP_FRAME_INSTRUCTION : SP_FRAME_RETURN;
  return SP_STEP_DONE;
}

// Applies rules of any form.
static enum sp_step apply_rules(struct sp_unwinder *u, const struct sp_module *module, const struct sp_rules *rules,
                                bool signal_frame, struct sp_registers *state) {
  struct sp_registers caller = *state;
  uintptr_t cfa, place;
  enum sp_cfi_result result;
  bool usual = !rules->cfa_is_expression && (rules->cfa_register == SP_REG_SP || rules->cfa_register == SP_REG_FP);
  if (rules->cfa_is_expression) {
    result = sp_cfi_evaluate(&u->reader, module, (uintptr_t)rules->cfa_value, state->registers, NULL, &cfa);
    if (result != SP_CFI_FOUND) return result == SP_CFI_UNREADABLE ? SP_STEP_BAD_STACK : SP_STEP_BAD_CFI;
  } else {
    cfa = state->registers[rules->cfa_register] + (uintptr_t)rules->cfa_value;
  }
  // vfork takes the return address off the stack and keeps it in a register: the caller's stack pointer is its own.
  bool popped = cfa == state->registers[SP_REG_SP] && rules->registers[SP_REG_RA].kind == SP_RULE_REGISTER;
  enum sp_step step = check_cfa(state, cfa, signal_frame || !usual || popped);
  if (step != SP_STEP_DONE) return step;
  caller.registers[SP_REG_SP] = cfa;
  // Only what ends in an exception's landing saves DWARF's register 0. Once it has given the frame pointer back it has given
  // all of them back, which its description does not say.
  bool landing = rules->registers[0].kind == SP_RULE_OFFSET;
  bool landed = landing && rules->registers[SP_REG_FP].kind == SP_RULE_SAME;
  for (unsigned i = landed ? SP_REG_RA : 0; i < SP_REGISTERS; i++) {
    const struct sp_rule *rule = &rules->registers[i];
    uintptr_t *value = &caller.registers[i];
    switch (rule->kind) {
    case SP_RULE_SAME:
      if (i == SP_REG_RA) return SP_STEP_BAD_CFI;
      break;
    case SP_RULE_UNDEFINED:
      if (i == SP_REG_RA) return SP_STEP_END;
      break;
    case SP_RULE_OFFSET:
      if (!sp_load(u, cfa + (uintptr_t)rule->value, value)) return SP_STEP_BAD_STACK;
      break;
    case SP_RULE_VALUE_OFFSET: *value = cfa + (uintptr_t)rule->value; break;
    case SP_RULE_REGISTER:
      if ((uint64_t)rule->value >= SP_REGISTERS) return SP_STEP_BAD_CFI;
      *value = state->registers[rule->value];
      break;
    default:
      result = sp_cfi_evaluate(&u->reader, module, (uintptr_t)rule->value, state->registers, &cfa, &place);
      if (result != SP_CFI_FOUND) return result == SP_CFI_UNREADABLE ? SP_STEP_BAD_STACK : SP_STEP_BAD_CFI;
      if (rule->kind == SP_RULE_VALUE_EXPRESSION) *value = place;
      else if (!sp_load(u, place, value)) return SP_STEP_BAD_STACK;
    }
  }
  caller.kind = signal_frame || landed ? SP_FRAME_INSTRUCTION : SP_FRAME_RETURN;
  *state = caller;
  return landing && !landed ? SP_STEP_LANDING : SP_STEP_DONE;
}

// Makes the row, and applies the rules that it was made from. Apart, so that what is warm uses little stack.
static __attribute__((noinline)) enum sp_step step_cold(struct sp_unwinder *u, const struct sp_module *module, uintptr_t address,
                                                        struct sp_row *row, struct sp_registers *state) {
  struct sp_rules rules;
  bool signal_frame = false;
  struct sp_row scratch; // an address too far into its module for a key is worked out each time
  bool kept = address - module->start <= UINT32_MAX;
  if (!kept) row = &scratch;
  sp_reader_trust(&u->reader, module->number, module->tables_start, module->tables_end);
  enum sp_step step = make_row(u, module, address, state->kind == SP_FRAME_RETURN, row, &rules, &signal_frame);
  if (step != SP_STEP_DONE) return step;
  if (row->form == SP_ROW_NONE) return SP_STEP_NONE;
  if (row->form == SP_ROW_END) return SP_STEP_END;
  return apply_rules(u, module, &rules, signal_frame, state);
}

enum sp_step sp_step_cfi(struct sp_unwinder *u, const struct sp_module *module, struct sp_registers *state) {
  uintptr_t address = sp_lookup_address(state);
  uint32_t offset = (uint32_t)(address - module->start);
  struct sp_row *row = row_of(u, module->number, offset);
  if (row->module != module->number || row->offset != offset || address - module->start > UINT32_MAX)
    return step_cold(u, module, address, row, state);
  switch (row->form) {
  case SP_ROW_SIMPLE: return apply_row(u, row, state);
  case SP_ROW_END: return SP_STEP_END;
  case SP_ROW_NONE:
  case SP_ROW_OPAQUE: return SP_STEP_NONE;
  default: return step_cold(u, module, address, row, state);
  }
}

#endif
