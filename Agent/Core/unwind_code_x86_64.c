#define _GNU_SOURCE
#include "unwind_internal.h"

#if defined(__x86_64__)

#include "code_x86_64.h"

// Assembly often comes without call frame information. But what it has pushed it pops, and where it saves the stack pointer it
// restores it: from any instruction on, whichever way a branch goes, the function gets to a return with its return address on
// top of the stack. So the instructions are carried out, as far as they concern the stack and the registers that a caller
// wants back, with the values that the thread has; loops are left at their end.
//
// A JIT compiler's code has frame pointers, as a rule. But where a return is near it is followed too: CPython (3.12 and later, -X perf) calls its
// interpreter from a few instructions for each function of Python's, which leave the frame pointer to others.

#define FOLLOWED_MAX 3000 // instructions in all
#define NEAR_MAX 8        // of a JIT compiler's code
#define SLOTS 12          // words of the stack that were written on the way
#define CHOICES 4         // branches that were not taken yet, the latest
#define JUMPS 8

// Where a value is from: a register at the start, a word of the stack at a fixed distance, or worked out.
#define FROM_REGISTER(number) ((uintptr_t)(number) + 1)
#define FROM_NOWHERE 0

struct value {
  uintptr_t number, from;
};

struct machine {
  uintptr_t at; // the next instruction
  struct value registers[SP_GENERAL_REGISTERS];
  uint16_t known; // which of them have the value that the program would have
  bool fixed;     // the stack pointer has moved by constants alone
  bool loose;     // a call leaves all registers as they are
  uint8_t slot_count, jump_count;
  struct {
    uintptr_t address;
    struct value value;
    bool known;
  } slots[SLOTS];
  uintptr_t jumps[JUMPS]; // where jumps went to: a second time, and it is a loop
};

// Numbers in instructions of what DWARF numbers 0 to 15.
static const uint8_t number_of[SP_GENERAL_REGISTERS] = {
    SP_RAX, SP_RDX, SP_RCX, SP_RBX, SP_RSI, SP_RDI, SP_RBP, SP_RSP, 8, 9, 10, 11, 12, 13, 14, 15,
};

// Those that a function leaves as they were, and those that it may change.
#define KEPT ((1u << SP_RBX) | (1u << SP_RBP) | (1u << SP_RSP) | 0xf000u)
#define CHANGED (0xffffu & ~KEPT)

// Whether a register's value is known.
static bool is_known(const struct machine *m, unsigned reg) { return m->known >> reg & 1; }

// Gives a register a value.
static void set(struct machine *m, unsigned reg, struct value value) {
  m->registers[reg] = value;
  m->known |= (uint16_t)(1u << reg);
}

// Takes the values of a set of registers away.
static void forget(struct machine *m, unsigned registers) { m->known &= (uint16_t)~registers; }

// The word at an address of the stack, as it would be by now. `fixed`: the address is at a fixed distance from the stack pointer.
static bool load(struct sp_unwinder *u, struct machine *m, uintptr_t address, bool fixed, struct value *value) {
  for (unsigned i = m->slot_count; i-- > 0;) {
    if (m->slots[i].address != address) continue;
    *value = m->slots[i].value;
    return m->slots[i].known;
  }
  value->from = fixed ? address : FROM_NOWHERE;
  return sp_load(u, address, &value->number);
}

// Remembers that a word of the stack is written. False if there is no room for that.
static bool store(struct machine *m, uintptr_t address, struct value value, bool known) {
  unsigned i = 0;
  while (i < m->slot_count && m->slots[i].address != address) i++;
  if (i == SLOTS) return false;
  if (i == m->slot_count) m->slot_count++;
  m->slots[i].address = address;
  m->slots[i].value = value;
  m->slots[i].known = known;
  return true;
}

// Pushes a register, or something unknown (SP_NO_REGISTER). False where the path ends.
static bool push(struct machine *m, unsigned reg) {
  if (!is_known(m, SP_RSP)) return false;
  bool known = reg != SP_NO_REGISTER && is_known(m, reg);
  struct value value = known ? m->registers[reg] : (struct value){0, FROM_NOWHERE};
  m->registers[SP_RSP].number -= sizeof(uintptr_t);
  return store(m, m->registers[SP_RSP].number, value, known);
}

// Pops into a register, or somewhere. False where the path ends.
static bool pop(struct sp_unwinder *u, struct machine *m, unsigned reg) {
  struct value value;
  if (!is_known(m, SP_RSP)) return false;
  bool loaded = load(u, m, m->registers[SP_RSP].number, m->fixed, &value);
  m->registers[SP_RSP].number += sizeof(uintptr_t);
  if (reg == SP_NO_REGISTER) return true;
  if (loaded) set(m, reg, value);
  else forget(m, 1u << reg);
  if (reg == SP_RSP) m->fixed = false;
  return true;
}

// Arithmetic and moves. Nothing here ends a path; what cannot be told is forgotten.
static void change(struct sp_unwinder *u, struct machine *m, const struct sp_instruction *i) {
  struct value value = {0, FROM_NOWHERE};
  bool known = is_known(m, i->kind == SP_INSTRUCTION_ADD || i->kind == SP_INSTRUCTION_AND ? i->reg : i->base);
  if (i->reg == SP_RSP && i->kind != SP_INSTRUCTION_ADD && !(i->kind == SP_INSTRUCTION_LEA && i->base == SP_RSP)) m->fixed = false;
  if (known) {
    switch (i->kind) {
    case SP_INSTRUCTION_ADD: value.number = m->registers[i->reg].number + (uintptr_t)i->number; break;
    case SP_INSTRUCTION_AND: value.number = m->registers[i->reg].number & (uintptr_t)i->number; break;
    case SP_INSTRUCTION_MOVE: value = m->registers[i->base]; break;
    case SP_INSTRUCTION_LEA: value.number = m->registers[i->base].number + (uintptr_t)i->number; break;
    default: known = load(u, m, m->registers[i->base].number + (uintptr_t)i->number, m->fixed && i->base == SP_RSP, &value);
    }
  }
  if (known) set(m, i->reg, value);
  else forget(m, 1u << i->reg);
}

// Whether code is that of a file, which does not change while the module is there.
static bool is_file(const struct sp_module *module) { return module->flags & SP_MAPPING_ELF; }

// Whether a jump may be followed. `returns`: it leaves the function for another one, as a return would.
static bool follow_jump(struct sp_unwinder *u, const struct sp_module *module, struct machine *m, uintptr_t target, bool *returns) {
  struct sp_fde fde;
  if (!is_file(module) || !sp_module_is_code(module, target) || m->jump_count == JUMPS) return false;
  for (unsigned i = 0; i < m->jump_count; i++)
    if (m->jumps[i] == target) return false;
  enum sp_cfi_result found = sp_cfi_find(&u->reader, module, target, &u->cie, &fde);
  *returns = found == SP_CFI_FOUND && fde.start == target;
  m->jumps[m->jump_count++] = m->at = target;
  return *returns || found == SP_CFI_NONE;
}

// Carries out one instruction. False: this path leads nowhere. `returns` is set at the end of the function; the stack pointer
// is at the return address then.
static bool carry_out(struct sp_unwinder *u, const struct sp_module *module, struct machine *m, const struct sp_instruction *i,
                      bool *returns) {
  m->at += i->length;
  forget(m, i->written);
  switch (i->kind) {
  case SP_INSTRUCTION_UNKNOWN: return false;
  case SP_INSTRUCTION_RETURN:
    *returns = i->number == 0; // others are not C's
    return *returns;
  case SP_INSTRUCTION_JUMP_BY_TABLE: return *returns = true;
  case SP_INSTRUCTION_JUMP: return follow_jump(u, module, m, i->target, returns);
  case SP_INSTRUCTION_CALL:
    if (!m->loose) forget(m, CHANGED);
    return true;
  case SP_INSTRUCTION_PUSH: return push(m, i->reg);
  case SP_INSTRUCTION_POP: return pop(u, m, i->reg);
  case SP_INSTRUCTION_LEAVE:
    change(u, m, &(struct sp_instruction){.kind = SP_INSTRUCTION_MOVE, .reg = SP_RSP, .base = SP_RBP});
    return pop(u, m, SP_RBP);
  case SP_INSTRUCTION_STORE:
    return !is_known(m, i->base) ||
           store(m, m->registers[i->base].number + (uintptr_t)i->number, m->registers[i->reg], is_known(m, i->reg));
  case SP_INSTRUCTION_OTHER:
  case SP_INSTRUCTION_BRANCH: return true;
  default: change(u, m, i); return true;
  }
}

// The bytes of an instruction.
static bool fetch(struct sp_unwinder *u, const struct sp_module *module, uintptr_t at, uint8_t *bytes) {
  uint32_t tag = is_file(module) ? module->number : 0;
  size_t here = SP_READER_PAGE_SIZE - (at & (SP_READER_PAGE_SIZE - 1));
  if (here > SP_INSTRUCTION_MAX) here = SP_INSTRUCTION_MAX;
  if (!sp_reader_copy(&u->reader, tag, at, bytes, here)) return false;
  size_t rest = SP_INSTRUCTION_MAX - here;
  if (rest > 0 && !sp_reader_copy(&u->reader, tag, at + here, bytes + here, rest)) memset(bytes + here, 0, rest);
  return true;
}

// Follows the code until it returns, or gets to `stop`. Where a path leads nowhere, the latest branch is taken that was not before.
static bool follow(struct sp_unwinder *u, const struct sp_module *module, struct machine *m, uintptr_t stop) {
  struct machine choices[CHOICES];
  unsigned first = 0, count = 0; // of a ring
  unsigned most = is_file(module) ? FOLLOWED_MAX : NEAR_MAX;
  for (unsigned n = 0; n < most; n++) {
    uint8_t bytes[SP_INSTRUCTION_MAX];
    struct sp_instruction instruction;
    bool returns = false;
    if (m->at == stop) return true;
    bool good = fetch(u, module, m->at, bytes);
    if (good) {
      sp_decode_instruction(bytes, m->at, &instruction);
      good = carry_out(u, module, m, &instruction, &returns);
    }
    if (returns && stop == 0 && is_known(m, SP_RSP)) return true;
    if (good && !returns && instruction.kind == SP_INSTRUCTION_BRANCH) {
      if (count == CHOICES) first = (first + 1) % CHOICES;
      else count++;
      struct machine *choice = &choices[(first + count - 1) % CHOICES];
      *choice = *m;
      choice->at = instruction.target;
    }
    if (good && !returns) continue;
    do { // the target of a branch need not be code
      if (count == 0) return false;
      *m = choices[(first + --count) % CHOICES];
    } while (!sp_module_is_code(module, m->at));
  }
  return false;
}

// What was found out, as rules for every thread that is there. False if they are not of that kind.
static bool make_rules(const struct machine *m, uintptr_t sp, struct sp_rules *rules) {
  uintptr_t cfa = m->registers[SP_RSP].number + sizeof cfa;
  *rules = (struct sp_rules){.cfa_register = SP_REG_SP, .cfa_value = (int64_t)(cfa - sp)};
  rules->registers[SP_REG_RA] = (struct sp_rule){-(int64_t)sizeof cfa, SP_RULE_OFFSET};
  for (unsigned i = 0; i < SP_SAVED_REGISTERS; i++) {
    unsigned number = sp_saved_registers[i], reg = number_of[number];
    const struct value *value = &m->registers[reg];
    if (!is_known(m, reg) || value->from == FROM_REGISTER(reg)) continue;
    if (value->from <= SP_GENERAL_REGISTERS) return false;
    rules->registers[number] = (struct sp_rule){(int64_t)(value->from - cfa), SP_RULE_OFFSET};
  }
  return m->fixed;
}

// Whether a call can have pushed it.
static bool is_return_address(struct sp_unwinder *u, uintptr_t address) {
  uint8_t code[SP_CODE_BEFORE + SP_CODE_AFTER];
  const struct sp_module *module = sp_module_find(&u->reader, address - 1);
  return module != NULL && sp_module_is_code(module, address - 1) && sp_read_code(u, module, address, code) &&
         sp_machine_follows_call(code);
}

// Sets what is known at an instruction.
static void begin(struct machine *m, uintptr_t at, const struct sp_registers *state, uint16_t known) {
  m->at = at;
  m->loose = false;
  m->fixed = true;
  m->slot_count = m->jump_count = 0;
  m->known = known;
  for (unsigned i = 0; i < SP_GENERAL_REGISTERS; i++)
    m->registers[number_of[i]] = (struct value){state->registers[i], FROM_REGISTER(number_of[i])};
}

// Follows the code from a frame on. Within one piece of assembly registers may be left alone that C's calls may change, the
// stack pointer's copy among them: if it is not to be found otherwise, that is what is tried.
static bool follow_from(struct sp_unwinder *u, const struct sp_module *module, const struct sp_registers *state, struct machine *m) {
  for (int loose = 0; loose < (is_file(module) ? 2 : 1); loose++) {
    begin(m, state->registers[SP_REG_RA], state, loose || state->kind == SP_FRAME_INSTRUCTION ? 0xffff : KEPT);
    m->loose = loose;
    if (follow(u, module, m, 0)) return true;
  }
  return false;
}

// A register that the code has changed and not given back keeps the value that it has: that happens between functions of one
// piece of assembly, where the outer one restores it.
enum sp_step sp_step_code(struct sp_unwinder *u, const struct sp_module *module, struct sp_registers *state) {
  uintptr_t lookup = sp_lookup_address(state), sp = state->registers[SP_REG_SP];
  struct machine m;
  struct value return_address;
  struct sp_rules rules;
  if (sp_row_is_opaque(u, module, lookup)) return SP_STEP_NONE; // of a JIT compiler's code it may have been true of older code there
  if (!follow_from(u, module, state, &m)) {
    sp_row_learn(u, module, lookup, NULL);
    return SP_STEP_NONE;
  }
  uintptr_t top = m.registers[SP_RSP].number;
  if (top < sp && m.fixed) return SP_STEP_NONE;
  if (!load(u, &m, top, false, &return_address) || !is_return_address(u, return_address.number)) return SP_STEP_NONE;
  if (is_file(module) && make_rules(&m, sp, &rules)) sp_row_learn(u, module, lookup, &rules);
  for (unsigned i = 0; i < SP_SAVED_REGISTERS; i++) {
    unsigned number = sp_saved_registers[i];
    if (is_known(&m, number_of[number])) state->registers[number] = m.registers[number_of[number]].number;
  }
  state->registers[SP_REG_SP] = top + sizeof top;
  state->registers[SP_REG_RA] = return_address.number;
  state->kind = SP_FRAME_RETURN;
  return SP_STEP_DONE;
}

bool sp_code_frame_pointer(struct sp_unwinder *u, struct sp_registers *state) {
  struct machine m;
  struct sp_fde fde;
  const struct sp_module *module = sp_module_find(&u->reader, sp_lookup_address(state));
  if (module == NULL || sp_cfi_find(&u->reader, module, sp_lookup_address(state), &u->cie, &fde) != SP_CFI_FOUND) return false;
  begin(&m, fde.start, state, KEPT);
  if (!follow(u, module, &m, state->registers[SP_REG_RA]) || !is_known(&m, SP_RBP) || !is_known(&m, SP_RSP)) return false;
  if (m.registers[SP_RBP].from == FROM_REGISTER(SP_RBP)) return false;
  state->registers[SP_REG_FP] = state->registers[SP_REG_SP] + m.registers[SP_RBP].number - m.registers[SP_RSP].number;
  return true;
}

#else

bool sp_code_frame_pointer(struct sp_unwinder *u, struct sp_registers *state) {
  (void)u, (void)state;
  return false;
}

enum sp_step sp_step_code(struct sp_unwinder *u, const struct sp_module *module, struct sp_registers *state) {
  (void)u, (void)module, (void)state;
  return SP_STEP_NONE;
}

#endif
