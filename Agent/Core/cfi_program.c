#define _GNU_SOURCE
#include <string.h>

#include "cfi.h"
#include "every_tick.h"

#define INSTRUCTIONS_MAX 20000 // of one program: a bound for damaged tables, far above real ones

enum { // DWARF 4, figure 40
  CFA_ADVANCE_LOC = 0x40, // low six bits: delta
  CFA_OFFSET = 0x80,      // low six bits: register
  CFA_RESTORE = 0xc0,     // low six bits: register
  CFA_NOP = 0x00,
  CFA_SET_LOC = 0x01,
  CFA_ADVANCE_LOC1 = 0x02,
  CFA_ADVANCE_LOC2 = 0x03,
  CFA_ADVANCE_LOC4 = 0x04,
  CFA_OFFSET_EXTENDED = 0x05,
  CFA_RESTORE_EXTENDED = 0x06,
  CFA_UNDEFINED = 0x07,
  CFA_SAME_VALUE = 0x08,
  CFA_REGISTER = 0x09,
  CFA_REMEMBER_STATE = 0x0a,
  CFA_RESTORE_STATE = 0x0b,
  CFA_DEF_CFA = 0x0c,
  CFA_DEF_CFA_REGISTER = 0x0d,
  CFA_DEF_CFA_OFFSET = 0x0e,
  CFA_DEF_CFA_EXPRESSION = 0x0f,
  CFA_EXPRESSION = 0x10,
  CFA_OFFSET_EXTENDED_SF = 0x11,
  CFA_DEF_CFA_SF = 0x12,
  CFA_DEF_CFA_OFFSET_SF = 0x13,
  CFA_VAL_OFFSET = 0x14,
  CFA_VAL_OFFSET_SF = 0x15,
  CFA_VAL_EXPRESSION = 0x16,
  CFA_AARCH64_NEGATE_RA_STATE_WITH_PC = 0x2c,
  CFA_AARCH64_NEGATE_RA_STATE = 0x2d, // on other machines GNU_window_save
  CFA_GNU_ARGS_SIZE = 0x2e,
  CFA_GNU_NEGATIVE_OFFSET_EXTENDED = 0x2f,
};

struct program {
  struct sp_cursor cursor;
  const struct sp_cie *cie;
  const struct sp_module *module;
  uintptr_t start, end; // of the function
  struct sp_rules *rules;
  const struct sp_rules *initial; // after the CIE's program; NULL while that runs
  struct sp_rules *remembered; // SP_REMEMBERED_MAX of them; NULL: none
  unsigned depth;
};

// Sets a register's rule; registers that are not followed (vector, x87, the state of a signature) are passed over.
static void set_rule(struct program *p, uint64_t number, uint8_t kind, int64_t value) {
  if (number < SP_REGISTERS) p->rules->registers[number] = (struct sp_rule){value, kind};
}

// Back to what the CIE says.
static void restore_rule(struct program *p, uint64_t number) {
  if (number < SP_REGISTERS) p->rules->registers[number] = p->initial != NULL ? p->initial->registers[number] : (struct sp_rule){0};
}

// The address of a block, which is passed over.
static int64_t block(struct program *p) {
  uintptr_t at = p->cursor.position;
  uint64_t size = sp_cursor_uleb(&p->cursor);
  if (size > p->cursor.end - p->cursor.position) p->cursor.failed = true;
  else p->cursor.position += size;
  return (int64_t)at;
}

// A factored offset in bytes. Unsigned, because damaged tables hold numbers whose product does not fit.
static int64_t scaled(const struct program *p, uint64_t factor) { return (int64_t)(factor * (uint64_t)p->cie->data_align); }

// The CFA as register and offset.
static void set_cfa(struct program *p, uint64_t number, int64_t offset) {
  if (number >= SP_REGISTERS) p->cursor.failed = true;
  p->rules->cfa_register = (uint16_t)number;
  p->rules->cfa_value = offset;
  p->rules->cfa_is_expression = false;
}

// A new offset of the CFA, which must be register and offset already.
static void set_cfa_offset(struct program *p, int64_t offset) {
  if (p->rules->cfa_is_expression) p->cursor.failed = true;
  p->rules->cfa_value = offset;
}

// Goes on to another location. True: past `address`, whose rules are the present ones.
static bool move(struct program *p, uintptr_t *location, uintptr_t to, uintptr_t address) {
  if (to > address) {
    p->rules->start = *location;
    p->rules->end = to;
    return true;
  }
  *location = to;
  return false;
}

// Runs instructions until one moves past `address`. False if something is not understood.
static SP_EVERY_TICK bool run(struct program *p, uintptr_t location, uintptr_t address) {
  struct sp_cursor *c = &p->cursor;
  const struct sp_cie *cie = p->cie;
  for (unsigned n = 0; c->position < c->end && !c->failed; n++) {
    if (n == INSTRUCTIONS_MAX) return false;
    uint8_t op = sp_cursor_u8(c);
    uint64_t advance = 0, number;
    switch (op & 0xc0) {
    case CFA_ADVANCE_LOC:
      if (move(p, &location, location + (op & 0x3f) * cie->code_align, address)) return true;
      continue;
    case CFA_OFFSET: set_rule(p, op & 0x3f, SP_RULE_OFFSET, scaled(p, sp_cursor_uleb(c))); continue;
    case CFA_RESTORE: restore_rule(p, op & 0x3f); continue;
    default: break;
    }
    switch (op) {
    case CFA_NOP: break;
    case CFA_SET_LOC:
      number = sp_cursor_pointer(c, cie->encoding, p->module->eh_frame_hdr, p->start);
      if (number < location) return false; // rows go upwards
      if (!c->failed && move(p, &location, number, address)) return true;
      break;
    case CFA_ADVANCE_LOC1: advance = sp_cursor_u8(c); break;
    case CFA_ADVANCE_LOC2: advance = sp_cursor_int(c, 2); break;
    case CFA_ADVANCE_LOC4: advance = sp_cursor_int(c, 4); break;
    case CFA_OFFSET_EXTENDED:
      number = sp_cursor_uleb(c);
      set_rule(p, number, SP_RULE_OFFSET, scaled(p, sp_cursor_uleb(c)));
      break;
    case CFA_OFFSET_EXTENDED_SF:
      number = sp_cursor_uleb(c);
      set_rule(p, number, SP_RULE_OFFSET, scaled(p, (uint64_t)sp_cursor_sleb(c)));
      break;
    case CFA_GNU_NEGATIVE_OFFSET_EXTENDED:
      number = sp_cursor_uleb(c);
      set_rule(p, number, SP_RULE_OFFSET, scaled(p, -sp_cursor_uleb(c)));
      break;
    case CFA_VAL_OFFSET:
      number = sp_cursor_uleb(c);
      set_rule(p, number, SP_RULE_VALUE_OFFSET, scaled(p, sp_cursor_uleb(c)));
      break;
    case CFA_VAL_OFFSET_SF:
      number = sp_cursor_uleb(c);
      set_rule(p, number, SP_RULE_VALUE_OFFSET, scaled(p, (uint64_t)sp_cursor_sleb(c)));
      break;
    case CFA_RESTORE_EXTENDED: restore_rule(p, sp_cursor_uleb(c)); break;
    case CFA_UNDEFINED: set_rule(p, sp_cursor_uleb(c), SP_RULE_UNDEFINED, 0); break;
    case CFA_SAME_VALUE: set_rule(p, sp_cursor_uleb(c), SP_RULE_SAME, 0); break;
    case CFA_REGISTER:
      number = sp_cursor_uleb(c);
      set_rule(p, number, SP_RULE_REGISTER, (int64_t)sp_cursor_uleb(c));
      break;
    case CFA_EXPRESSION:
      number = sp_cursor_uleb(c);
      set_rule(p, number, SP_RULE_EXPRESSION, block(p));
      break;
    case CFA_VAL_EXPRESSION:
      number = sp_cursor_uleb(c);
      set_rule(p, number, SP_RULE_VALUE_EXPRESSION, block(p));
      break;
    case CFA_REMEMBER_STATE:
      if (p->remembered == NULL || p->depth == SP_REMEMBERED_MAX) return false;
      p->remembered[p->depth++] = *p->rules;
      break;
    case CFA_RESTORE_STATE:
      if (p->depth == 0) return false;
      *p->rules = p->remembered[--p->depth];
      break;
    case CFA_DEF_CFA:
      number = sp_cursor_uleb(c);
      set_cfa(p, number, (int64_t)sp_cursor_uleb(c));
      break;
    case CFA_DEF_CFA_SF:
      number = sp_cursor_uleb(c);
      set_cfa(p, number, scaled(p, (uint64_t)sp_cursor_sleb(c)));
      break;
    case CFA_DEF_CFA_REGISTER: set_cfa(p, sp_cursor_uleb(c), p->rules->cfa_is_expression ? 0 : p->rules->cfa_value); break;
    case CFA_DEF_CFA_OFFSET: set_cfa_offset(p, (int64_t)sp_cursor_uleb(c)); break;
    case CFA_DEF_CFA_OFFSET_SF: set_cfa_offset(p, scaled(p, (uint64_t)sp_cursor_sleb(c))); break;
    case CFA_DEF_CFA_EXPRESSION:
      p->rules->cfa_value = block(p);
      p->rules->cfa_is_expression = true;
      break;
    case CFA_AARCH64_NEGATE_RA_STATE_WITH_PC:
    case CFA_AARCH64_NEGATE_RA_STATE: break; // whether it is signed does not matter: a signature is always taken off
    case CFA_GNU_ARGS_SIZE: sp_cursor_uleb(c); break;
    default: return false;
    }
    if (move(p, &location, location + advance * cie->code_align, address)) return true;
  }
  p->rules->start = location;
  p->rules->end = p->end;
  return !c->failed;
}

bool sp_cfi_begin(struct sp_reader *reader, const struct sp_module *module, struct sp_cie *cie, uintptr_t program, uintptr_t end) {
  struct program p = {.cursor = sp_cursor_at(reader, module, program, end), .cie = cie, .module = module, .rules = &cie->rules};
  return run(&p, 0, UINTPTR_MAX);
}

SP_EVERY_TICK enum sp_cfi_result sp_cfi_run(struct sp_reader *reader, const struct sp_module *module, const struct sp_fde *fde,
                              uintptr_t address, struct sp_rules *rules) {
  struct program p;
  struct sp_rules remembered[SP_REMEMBERED_MAX];
  *rules = fde->cie->rules;
  p.cursor = sp_cursor_at(reader, module, fde->program, fde->program_end);
  p.cie = fde->cie;
  p.module = module;
  p.start = fde->start;
  p.end = fde->end;
  p.rules = rules;
  p.initial = &fde->cie->rules;
  p.remembered = remembered;
  p.depth = 0;
  return run(&p, fde->start, address) ? SP_CFI_FOUND : SP_CFI_DAMAGED;
}
