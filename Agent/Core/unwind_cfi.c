#define _GNU_SOURCE
#include "unwind_internal.h"

#include <stddef.h>

#include "every_tick.h"
#include "private_memory.h"

// Code of one block has its rows in one set. Most functions' rules change in their first and last instructions only.
#define BLOCK_SHIFT 10
#define TRAIL_AHEAD 2048 // bytes
#define FP_SAVED 1u // of a row's saved_mask: the frame pointer comes first

// Whether a key is that of an instruction.
static bool is_key_of(const struct sp_row_key *key, uint32_t module, uint32_t offset) {
  return key->module == module && offset - key->start < key->span;
}

// Gives back a table of rows that was mapped.
static void release_rows(struct sp_unwinder *u) {
  if (u->rows != NULL && u->rows != u->first_rows) sp_private_unmap(u->rows, sizeof *u->rows << u->row_bits);
}

// Puts a row into a set, in the place of the one that has been there for longest. True: there was one in that place.
static SP_EVERY_TICK bool keep_row(struct sp_row_set *set, const struct sp_row_key *key, const struct sp_row *row) {
  bool lost = set->keys[SP_ROW_WAYS - 1].span != 0;
  memmove(&set->keys[1], &set->keys[0], sizeof *key * (SP_ROW_WAYS - 1));
  memmove(&set->rows[1], &set->rows[0], sizeof *row * (SP_ROW_WAYS - 1));
  set->keys[0] = *key;
  set->rows[0] = *row;
  return lost;
}

// The set of a table of rows that an instruction's row is in.
static struct sp_row_set *set_in(struct sp_row_set *rows, uint32_t bits, uint32_t module, uint32_t offset) {
  uint32_t hash = (offset >> BLOCK_SHIFT ^ module << 20) * 0x9e3779b1u;
  return &rows[hash >> (32 - bits)];
}

static struct sp_row_set *set_of(struct sp_unwinder *u, uint32_t module, uint32_t offset) {
  return set_in(u->rows, u->row_bits, module, offset);
}

// Takes a larger table, with the rows that there are, once one in each set on average has had to go for another.
static void grow_rows(struct sp_unwinder *u) {
  uint32_t sets = 1u << u->row_bits, bits = u->row_bits + SP_ROW_BITS_GROWTH;
  if (u->rows_lost < sets || u->row_bits == SP_ROW_BITS_MAX) return;
  u->rows_lost = 0;
  struct sp_row_set *rows = sp_private_map(sizeof *rows << bits);
  if (rows == NULL) return;
  sp_private_populate(rows, sizeof *rows << bits);
  for (const struct sp_row_set *old = u->rows; old < u->rows + sets; old++) {
    for (unsigned way = SP_ROW_WAYS; way-- > 0;) {
      const struct sp_row_key *key = &old->keys[way];
      if (key->span != 0) keep_row(set_in(rows, bits, key->module, key->start), key, &old->rows[way]);
    }
  }
  release_rows(u);
  u->rows = rows;
  u->row_bits = bits;
}

SP_EVERY_TICK void sp_rows_begin(struct sp_unwinder *u) {
  if (!u->ended) u->trail_length = 0;
  u->ended = false;
  u->trail_read = u->trail_length;
  u->same = 0;
  sp_rows_gap(u);
  if (u->rows == NULL) {
    u->rows = u->first_rows;
    u->row_bits = SP_ROW_BITS_FIRST;
  }
  grow_rows(u);
}

void sp_unwinder_release(struct sp_unwinder *u) { release_rows(u); }

void sp_unwinder_populate(struct sp_unwinder *u) {
  sp_private_populate(u, offsetof(struct sp_unwinder, reader.scratch));
  sp_private_populate(u->first_rows, sizeof u->first_rows + SP_PAGE_SIZE_MIN);
}

// Where in its set an instruction's row is; SP_ROW_WAYS: nowhere.
static inline unsigned find_row(const struct sp_row_set *set, uint32_t module, uint32_t offset) {
  unsigned way = 0;
  while (way < SP_ROW_WAYS && !is_key_of(&set->keys[way], module, offset)) way++;
  return way;
}

// Notes in a row that a word at a distance from the CFA is needed. False: it is no word below the CFA, or too far away.
static bool needs_word(struct sp_row *row, int64_t distance) {
  if (distance >= 0 || distance < INT16_MIN || distance % (int64_t)sizeof(uintptr_t) != 0) return false;
  if (distance < row->lowest) row->lowest = (int16_t)distance;
  return true;
}

// Whether all of the rules have the compact form; fills the row if so.
static SP_EVERY_TICK bool compact(const struct sp_rules *rules, struct sp_row *row) {
  const struct sp_rule *ra = &rules->registers[SP_RA_COLUMN];
  if (rules->cfa_is_expression || rules->cfa_register >= SP_REG_RA || rules->cfa_value != (int32_t)rules->cfa_value) return false;
  row->lowest = 0;
  row->ra_in_register = SP_RA_IN_REGISTER && ra->kind == SP_RULE_SAME;
  if (!row->ra_in_register && (ra->kind != SP_RULE_OFFSET || !needs_word(row, ra->value))) return false;
  row->cfa_register = (uint8_t)rules->cfa_register;
  row->cfa_offset = (int32_t)rules->cfa_value;
  row->return_offset = row->ra_in_register ? 0 : (int16_t)ra->value;
  row->saved_mask = 0;
  for (unsigned i = 0; i < SP_REG_RA; i++) {
    const struct sp_rule *rule = &rules->registers[i];
    if (i == SP_RA_COLUMN || rule->kind == SP_RULE_SAME || rule->kind == SP_RULE_UNDEFINED) continue;
    if (rule->kind != SP_RULE_OFFSET || !needs_word(row, rule->value)) return false;
    unsigned place = 0;
    while (place < SP_SAVED_REGISTERS && sp_saved_registers[place] != i) place++;
    if (place == SP_SAVED_REGISTERS || !sp_saved_pack(rule->value, row->return_offset, &row->saved[place])) return false;
    row->saved_mask |= (uint16_t)(1u << place);
  }
  return true;
}

void sp_row_learn(struct sp_unwinder *u, const struct sp_module *module, uintptr_t address, const struct sp_rules *rules) {
  if (address - module->start > UINT32_MAX) return;
  const struct sp_row_key key = {.module = (uint16_t)module->number, .start = (uint32_t)(address - module->start), .span = 1};
  struct sp_row made = {.form = SP_ROW_OPAQUE};
  if (rules != NULL && !compact(rules, &made)) return;
  if (rules != NULL) made.form = SP_ROW_SIMPLE;
  u->rows_lost += keep_row(set_of(u, module->number, key.start), &key, &made);
}

bool sp_row_is_opaque(struct sp_unwinder *u, const struct sp_module *module, uintptr_t address) {
  if (address - module->start > UINT32_MAX) return false;
  const struct sp_row_set *set = set_of(u, module->number, (uint32_t)(address - module->start));
  unsigned way = find_row(set, module->number, (uint32_t)(address - module->start));
  return way < SP_ROW_WAYS && set->rows[way].form == SP_ROW_OPAQUE;
}

// Whether no call can have pushed a return address: it is a function's first byte, and what is before it has no
// description and is no call. It was put there by hand, as the end of a coroutine's stack.
static bool is_planted(struct sp_unwinder *u, const struct sp_module *module, uintptr_t address) {
  struct sp_fde fde;
  uint8_t code[SP_CODE_BEFORE + SP_CODE_AFTER];
  return sp_cfi_find(&u->reader, module, address, &u->cie, &fde) == SP_CFI_FOUND && fde.start == address &&
         sp_read_code(u, module, address, code) && !sp_machine_follows_call(code);
}

// Makes a row good for all of the instructions of its block that its rules are good for.
static void set_span(struct sp_row_key *key, const struct sp_module *module, uintptr_t address, const struct sp_rules *rules) {
  uintptr_t offset = address - module->start, start = offset >> BLOCK_SHIFT << BLOCK_SHIFT, end = start + (1u << BLOCK_SHIFT);
  if (rules->start > module->start && rules->start - module->start > start) start = rules->start - module->start;
  if (rules->end - module->start < end) end = rules->end - module->start;
  if (start > offset || end <= offset || end > UINT32_MAX) return;
  key->start = (uint32_t)start;
  key->span = (uint16_t)(end - start);
}

// Whether a return address is where a signal's handler returns to: the C library describes it by an expression for each register.
static bool is_signal_return(struct sp_unwinder *u, const struct sp_module *module, uintptr_t address) {
  uint8_t code[SP_CODE_BEFORE + SP_CODE_AFTER];
  return sp_read_code(u, module, address, code) && sp_machine_is_sigreturn(code);
}

// Finds the rules at a lookup address, makes its row and keeps it. Nothing is kept where the tables could not be read, or the address is
// too far into its module for a key.
static SP_EVERY_TICK enum sp_step make_row(struct sp_unwinder *u, const struct sp_module *module, uintptr_t address, bool is_return,
                             struct sp_row *row, struct sp_rules *rules, bool *signal_frame) {
  struct sp_fde fde;
  enum sp_cfi_result result = sp_cfi_find(&u->reader, module, address, &u->cie, &fde);
  if (result == SP_CFI_FOUND) result = sp_cfi_run(&u->reader, module, &fde, address, rules);
  if (result == SP_CFI_DAMAGED || result == SP_CFI_UNREADABLE) return SP_STEP_BAD_CFI;
  uint32_t offset = (uint32_t)(address - module->start);
  struct sp_row_key key = {.module = (uint16_t)module->number, .start = offset, .span = 1};
  struct sp_row made = {.form = SP_ROW_NONE};
  if (result == SP_CFI_FOUND) set_span(&key, module, address, rules);
  if (result == SP_CFI_NONE) made.form = is_return && is_planted(u, module, address + 1) ? SP_ROW_END : SP_ROW_NONE;
  else if (rules->registers[SP_RA_COLUMN].kind == SP_RULE_UNDEFINED) made.form = SP_ROW_END;
  else if (fde.cie->signal_frame && is_return && is_signal_return(u, module, address + 1)) made.form = SP_ROW_SIGNAL;
  else made.form = compact(rules, &made) ? SP_ROW_SIMPLE : SP_ROW_COMPLEX;
  *signal_frame = result == SP_CFI_FOUND && fde.cie->signal_frame;
  made.signal_frame = *signal_frame;
  *row = made;
  if (offset == address - module->start) u->rows_lost += keep_row(set_of(u, module->number, offset), &key, &made);
  return SP_STEP_DONE;
}

// Whether a caller's stack pointer can be right: aligned, and further up unless the stack was switched on the way (a
// signal frame, or a CFA that some other register gives). An interrupted function that has put nothing on the stack is where its
// caller is.
static enum sp_step check_cfa(const struct sp_registers *state, uintptr_t cfa, bool may_switch) {
  if (cfa & (sizeof cfa - 1)) return SP_STEP_BAD_STACK;
  if (SP_RA_IN_REGISTER && state->kind == SP_FRAME_INSTRUCTION && cfa == state->registers[SP_REG_SP]) return SP_STEP_DONE;
  return may_switch || cfa > state->registers[SP_REG_SP] ? SP_STEP_DONE : SP_STEP_NO_PROGRESS;
}

// Where the stack pointer is only a bound, and the CFA counts from it: the CFA by the place of this function's frame record, which
// the frame pointer then points to. False where it keeps none.
static bool cfa_by_record(const struct sp_row *row, const struct sp_registers *state, uintptr_t *cfa) {
  intptr_t record = sp_saved_distance(row->saved[0], row->return_offset);
  if (sp_saved_registers[0] != SP_REG_FP || !(row->saved_mask & 1) || record + 8 != row->return_offset) return false;
  *cfa = state->registers[SP_REG_FP] - (uintptr_t)record;
  return true;
}

// The caller's stack pointer: the CFA. Where a return address is in a register, none is saved above the CFA but the one that a PLT
// has pushed, which glibc's lazy resolver does not count as its own.
static inline uintptr_t caller_sp(uintptr_t cfa, int64_t return_offset, bool ra_in_register) {
  return SP_RA_IN_REGISTER && return_offset >= 0 && !ra_in_register ? cfa + (uintptr_t)return_offset + sizeof cfa : cfa;
}

// Applies a row of the compact form.
static inline enum sp_step apply_row(struct sp_unwinder *u, const struct sp_row *row, struct sp_registers *state) {
  uintptr_t cfa = state->registers[row->cfa_register] + (uintptr_t)(intptr_t)row->cfa_offset;
  bool usual = row->cfa_register == SP_REG_SP || row->cfa_register == SP_REG_FP;
  if (!SP_FP_GIVES_SP && state->sp_is_bound && row->cfa_register == SP_REG_SP && !cfa_by_record(row, state, &cfa)) return SP_STEP_BAD_STACK;
  enum sp_step step = check_cfa(state, cfa, row->signal_frame || !usual);
  if (step != SP_STEP_DONE) return step;
  uintptr_t *continues = &state->registers[SP_REG_RA];
  if (SP_RA_IN_REGISTER && row->ra_in_register) {
    if (state->kind == SP_FRAME_RETURN) return SP_STEP_BAD_CFI; // the call that it is in has overwritten it
    *continues = state->registers[SP_RA_COLUMN];
  } else if (!sp_load(u, cfa + (uintptr_t)(intptr_t)row->return_offset, continues)) {
    return SP_STEP_BAD_STACK;
  }
  *continues = sp_machine_return_address(*continues);
  for (uint32_t left = row->saved_mask; left != 0; left &= left - 1) {
    unsigned i = (unsigned)__builtin_ctz(left);
    uintptr_t at = cfa + (uintptr_t)sp_saved_distance(row->saved[i], row->return_offset);
    if (!sp_load(u, at, &state->registers[sp_saved_registers[i]])) return SP_STEP_BAD_STACK;
  }
  state->registers[SP_REG_SP] = caller_sp(cfa, row->return_offset, row->ra_in_register);
  if (!SP_FP_GIVES_SP) state->sp_is_bound = false;
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
    if (state->sp_is_bound && rules->cfa_register == SP_REG_SP) return SP_STEP_BAD_STACK;
    cfa = state->registers[rules->cfa_register] + (uintptr_t)rules->cfa_value;
  }
  // vfork takes the return address off the stack and keeps it in a register: the caller's stack pointer is its own.
  bool popped = cfa == state->registers[SP_REG_SP] && rules->registers[SP_RA_COLUMN].kind == SP_RULE_REGISTER;
  enum sp_step step = check_cfa(state, cfa, signal_frame || !usual || popped);
  if (step != SP_STEP_DONE) return step;
  caller.registers[SP_REG_SP] = cfa;
  // Only what ends in an exception's landing saves DWARF's register 0. Once it has given the frame pointer back it has given
  // all of them back, which its description does not say.
  bool landing = rules->registers[0].kind == SP_RULE_OFFSET;
  bool landed = landing && rules->registers[SP_REG_FP].kind == SP_RULE_SAME;
  for (unsigned i = landed ? SP_RA_COLUMN : 0; i < SP_REGISTERS; i++) {
    const struct sp_rule *rule = &rules->registers[i];
    uintptr_t *value = &caller.registers[i];
    switch (rule->kind) {
    case SP_RULE_SAME:
      if (i == SP_RA_COLUMN && (!SP_RA_IN_REGISTER || state->kind == SP_FRAME_RETURN)) return SP_STEP_BAD_CFI;
      break;
    case SP_RULE_UNDEFINED:
      if (i == SP_RA_COLUMN) return SP_STEP_END;
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
  const struct sp_rule *ra = &rules->registers[SP_RA_COLUMN];
  if (ra->kind == SP_RULE_OFFSET) caller.registers[SP_REG_SP] = caller_sp(cfa, ra->value, false);
  caller.registers[SP_REG_RA] = sp_machine_return_address(caller.registers[SP_RA_COLUMN]);
  caller.sp_is_bound = false;
  caller.kind = signal_frame || landed ? SP_FRAME_INSTRUCTION : SP_FRAME_RETURN;
  *state = caller;
  return landing && !landed ? SP_STEP_LANDING : SP_STEP_DONE;
}

// Makes the row, and applies the rules that it was made from. Apart, so that what is warm uses little stack.
static __attribute__((noinline)) enum sp_step step_cold(struct sp_unwinder *u, const struct sp_module *module, uintptr_t address,
                                                        struct sp_registers *state) {
  struct sp_rules rules;
  struct sp_row row;
  bool signal_frame = false;
  enum sp_step step = make_row(u, module, address, state->kind == SP_FRAME_RETURN, &row, &rules, &signal_frame);
  if (step != SP_STEP_DONE) return step;
  if (row.form == SP_ROW_NONE) return SP_STEP_NONE;
  if (row.form == SP_ROW_END) return SP_STEP_END;
  if (!SP_FP_GIVES_SP && state->sp_is_bound && row.form == SP_ROW_SIMPLE) return apply_row(u, &row, state);
  return apply_rules(u, module, &rules, signal_frame, state);
}

SP_EVERY_TICK bool sp_row_prepare(struct sp_unwinder *u, const struct sp_module *module, const struct sp_registers *state) {
  struct sp_rules rules;
  struct sp_row row;
  bool signal_frame;
  uintptr_t address = sp_lookup_address(state);
  uint32_t offset = (uint32_t)(address - module->start);
  if (module->eh_frame_hdr == 0 || offset != address - module->start) return false;
  if (find_row(set_of(u, module->number, offset), module->number, offset) < SP_ROW_WAYS) return false;
  return make_row(u, module, address, state->kind == SP_FRAME_RETURN, &row, &rules, &signal_frame) == SP_STEP_DONE &&
         (row.form == SP_ROW_SIMPLE || row.form == SP_ROW_END);
}

SP_EVERY_TICK void sp_rows_fetch(struct sp_unwinder *u, const struct sp_module *module, uintptr_t leaf) {
  const char *trail = (const char *)&u->trail[u->trail_length];
  for (uint32_t i = 1; i <= u->trail_length * sizeof(struct sp_trail) && i < TRAIL_AHEAD; i += 64) __builtin_prefetch(trail - i);
  if (u->rows == NULL || leaf - module->code_start >= module->code_end - module->code_start) return;
  __builtin_prefetch(set_of(u, module->number, (uint32_t)(leaf - module->start)));
  __builtin_prefetch((const void *)module->eh_frame_hdr);
  if (module->blocks != NULL) __builtin_prefetch(&module->blocks[(leaf - module->code_start) >> SP_CODE_BLOCK_SHIFT]);
}

// Loads one saved register of a row.
static inline void load_saved(struct sp_registers *state, const struct sp_row *row, unsigned place, uintptr_t cfa) {
  uintptr_t at = cfa + (uintptr_t)sp_saved_distance(row->saved[place], row->return_offset);
  state->registers[sp_saved_registers[place]] = *(const volatile uintptr_t *)at;
}

// Loads the saved registers of frames that were left, but the frame pointer: each from the outermost that has saved it, and that alone.
// `sp` is where the last one's caller is.
static inline void load_left_behind(struct sp_registers *state, const struct sp_trail *first, const struct sp_trail *last, uintptr_t sp) {
  uint32_t missing = (1u << SP_SAVED_REGISTERS) - 1 - FP_SAVED;
  for (uintptr_t cfa = sp; last-- > first && missing != 0; cfa = last->sp) {
    uint32_t found = last->row->saved_mask & missing;
    missing &= ~found;
    for (; found != 0; found &= found - 1) load_saved(state, last->row, (unsigned)__builtin_ctz(found), cfa);
  }
}

// Whether from a frame of the trail on, which this walk has come to as well, it would do as the one before did: the same code is there,
// and every word of the stack that counts has its value still. Writes the frames if so. Else this is not tried again for those that are
// passed here: a walk looks at no frame twice. The words lie above the frame's stack pointer, and below the outermost one's.
static bool goes_on_as_before(struct sp_unwinder *u, struct sp_frame *frames) {
  const struct sp_module *module = NULL;
  uint32_t i = u->trail_read - 1;
  for (;; i--, frames++) {
    const struct sp_trail *at = &u->trail[i], *caller = at - 1;
    uintptr_t lookup = at->ra - 1;
    if (module == NULL || lookup - module->code_start >= module->code_end - module->code_start) {
      module = sp_module_find(&u->reader, lookup);
      if (module == NULL || module->number != at->module) break;
    }
    *frames = (struct sp_frame){.address = at->ra, .module = at->module, .kind = SP_FRAME_RETURN};
    if (i == 0) return true;
    uintptr_t ra = *(const volatile uintptr_t *)(caller->sp + (uintptr_t)(intptr_t)at->return_offset);
    if (sp_machine_return_address(ra) != caller->ra) break;
    if (at->fp_offset != 0 && *(const volatile uintptr_t *)(caller->sp + (uintptr_t)(intptr_t)at->fp_offset) != caller->fp) break;
  }
  u->trail_read = i;
  return false;
}

// Whether the walk has come to a frame of the trail, which is `trail_read` then.
static inline bool meets_trail(struct sp_unwinder *u, uintptr_t sp, uintptr_t ra, uintptr_t fp) {
  while (u->trail_read > 0 && u->trail[u->trail_read - 1].sp < sp) u->trail_read--;
  if (u->trail_read == 0) return false;
  const struct sp_trail *at = &u->trail[u->trail_read - 1];
  return at->sp == sp && at->ra == ra && at->fp == fp;
}

// The walk has come to its end: what it has left is the trail for the next, on top of the `kept` outermost that are there.
static SP_EVERY_TICK void keep_trail(struct sp_unwinder *u, uint32_t kept) {
  u->same = u->trail_length = kept;
  for (uint32_t i = u->fresh_length; i-- > u->fresh_from && u->trail_length < SP_MAX_FRAMES;) u->trail[u->trail_length++] = u->fresh[i];
  u->ended = true;
}

SP_EVERY_TICK uint32_t sp_walk_rows(struct sp_unwinder *u, const struct sp_module *module, struct sp_registers *state, struct sp_frame *frames,
                      uint32_t capacity, bool *end) {
  const uintptr_t low = u->direct_low, high = u->direct_high;
  const uintptr_t code_size = module->code_end - module->start > UINT32_MAX ? 0 : module->code_end - module->code_start;
  const struct sp_trail *behind = &u->fresh[u->fresh_length]; // from here on saved registers are not loaded yet
  struct sp_trail *fresh = &u->fresh[u->fresh_length];
  uintptr_t sp = state->registers[SP_REG_SP], ra = state->registers[SP_REG_RA];
  uint8_t kind = state->kind;
  uint32_t count = 0;
  *end = false;
  if (!SP_FP_GIVES_SP && state->sp_is_bound) return 0;
  for (; count < capacity && fresh < &u->fresh[SP_MAX_FRAMES]; count++) {
    uintptr_t fp = state->registers[SP_REG_FP];
    if (kind == SP_FRAME_RETURN && meets_trail(u, sp, ra, fp) && sp >= low && u->trail[0].sp <= high && u->trail_read <= capacity - count) {
      uint32_t kept = u->trail_read;
      if (goes_on_as_before(u, frames + count)) {
        u->fresh_length = (uint32_t)(fresh - u->fresh);
        keep_trail(u, kept);
        *end = true;
        return count + kept;
      }
    }
    uintptr_t lookup = ra - (kind == SP_FRAME_RETURN);
    if (lookup - module->code_start >= code_size) break;
    uint32_t offset = (uint32_t)(lookup - module->start);
    const struct sp_row_set *set = set_of(u, module->number, offset);
    __builtin_prefetch(&set->rows[0]); // it is not known yet which it will be, but most likely one of the newest
    unsigned way = find_row(set, module->number, offset);
    if (way == SP_ROW_WAYS) break;
    const struct sp_row *row = &set->rows[way];
    *fresh = (struct sp_trail){.sp = sp, .ra = ra, .fp = fp, .row = row, .module = module->number};
    if (row->form == SP_ROW_END) {
      frames[count++] = (struct sp_frame){.address = ra, .module = module->number, .kind = kind};
      u->fresh_length = (uint32_t)(fresh + 1 - u->fresh);
      if (kind != SP_FRAME_RETURN) u->fresh_from = u->fresh_length;
      keep_trail(u, 0);
      *end = true;
      return count;
    }
    if (row->form != SP_ROW_SIMPLE || row->signal_frame || (SP_RA_IN_REGISTER && row->ra_in_register)) break;
    uintptr_t base = row->cfa_register == SP_REG_SP ? sp : fp;
    if (row->cfa_register != SP_REG_SP && row->cfa_register != SP_REG_FP) break;
    uintptr_t cfa = base + (uintptr_t)(intptr_t)row->cfa_offset;
    if ((cfa & (sizeof cfa - 1)) != 0 || cfa <= sp || cfa > high || cfa + (uintptr_t)(intptr_t)row->lowest < low) break;
    frames[count] = (struct sp_frame){.address = ra, .module = module->number, .kind = kind};
    ra = sp_machine_return_address(*(const volatile uintptr_t *)(cfa + (uintptr_t)(intptr_t)row->return_offset));
    fresh->return_offset = row->return_offset;
    if (row->saved_mask & FP_SAVED) {
      fresh->fp_offset = (int16_t)sp_saved_distance(row->saved[0], row->return_offset);
      load_saved(state, row, 0, cfa);
    }
    fresh++;
    // What lies below the frame is not its caller's to be found by.
    if (kind != SP_FRAME_RETURN || cfa + (uintptr_t)(intptr_t)row->lowest < sp) u->fresh_from = (uint32_t)(fresh - u->fresh);
    sp = cfa;
    kind = SP_FRAME_RETURN;
  }
  load_left_behind(state, behind, fresh, sp);
  u->fresh_length = (uint32_t)(fresh - u->fresh);
  state->registers[SP_REG_SP] = sp;
  state->registers[SP_REG_RA] = ra;
  state->kind = kind;
  return count;
}

SP_EVERY_TICK enum sp_step sp_step_cfi(struct sp_unwinder *u, const struct sp_module *module, struct sp_registers *state) {
  uintptr_t address = sp_lookup_address(state);
  uint32_t offset = (uint32_t)(address - module->start);
  const struct sp_row_set *set = set_of(u, module->number, offset);
  unsigned way = offset == address - module->start ? find_row(set, module->number, offset) : SP_ROW_WAYS;
  if (way == SP_ROW_WAYS) return step_cold(u, module, address, state);
  switch (set->rows[way].form) {
  case SP_ROW_SIMPLE: return apply_row(u, &set->rows[way], state);
  case SP_ROW_END: return SP_STEP_END;
  case SP_ROW_NONE:
  case SP_ROW_OPAQUE: return SP_STEP_NONE;
  case SP_ROW_SIGNAL: return sp_step_signal(u, state);
  default: return step_cold(u, module, address, state);
  }
}
