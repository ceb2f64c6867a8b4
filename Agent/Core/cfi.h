// Call frame information: DWARF 4 section 6.4 with the .eh_frame encoding of the Linux Standard Base.
//
// Tables of what was loaded with the program, which is never unloaded, are read in place; others through the reader, with the
// module's number as tag. Nothing in them is trusted: every loop and every stack is bounded. Async-signal-safe. Memory: about 3.5 KB
// of stack, 6 KB on aarch64.
#ifndef SP_CFI_H
#define SP_CFI_H

#include "memory_reader.h"
#include "modules.h"

// Where code without call frame information has its return address, if not at a distance from the stack pointer.
enum {
  SP_NOT_KNOWN = -1,
  SP_IN_RA_REGISTER = -2, // in the register SP_RA_COLUMN
};

// Each machine's file gives, beside what its functions say:
//   SP_REGISTERS          how many registers a frame has, by DWARF number
//   SP_REG_RA             the one that holds the address where the frame continues
//   SP_RA_COLUMN          the one whose rule gives the caller's SP_REG_RA
//   SP_RA_IN_REGISTER     1: a call leaves the return address in that one, a register like others; 0: it is on the stack
//   SP_FP_GIVES_SP        1: a frame pointer tells the caller's stack pointer too
//   SP_SIGRETURN_IN_VDSO  1: a signal's handler returns into the vDSO; 0: into a function of libc's
#if defined(__x86_64__)
#include "cfi_x86_64.h"
#else
#include "cfi_aarch64.h"
#endif

#define SP_REMEMBERED_MAX 8

enum sp_rule_kind {
  SP_RULE_SAME = 0, // also what is not mentioned
  SP_RULE_UNDEFINED,
  SP_RULE_OFFSET,         // saved at CFA + value
  SP_RULE_VALUE_OFFSET,   // is CFA + value
  SP_RULE_REGISTER,       // is in register `value`
  SP_RULE_EXPRESSION,     // saved at what the expression gives; value: address of its block
  SP_RULE_VALUE_EXPRESSION,
};

struct sp_rule {
  int64_t value;
  uint8_t kind; // enum sp_rule_kind
};

// How to get from a frame's registers to its caller's, at one instruction.
struct sp_rules {
  uintptr_t start, end; // of the instructions that they are good for
  int64_t cfa_value; // offset, or the address of the expression's block
  uint16_t cfa_register;
  bool cfa_is_expression;
  struct sp_rule registers[SP_REGISTERS];
};

// What the descriptions of many functions have in common. Kept from one to the next: zeroed memory is none.
struct sp_cie {
  uint32_t module; // its number; 0: none
  uintptr_t at;
  uint64_t code_align;
  int64_t data_align;
  uint8_t encoding; // of pointers
  bool augmented;   // the functions' descriptions have augmentation data
  bool signal_frame;
  struct sp_rules rules; // that all functions begin with
};

// A function's description.
struct sp_fde {
  uintptr_t start, end; // of the code
  uintptr_t program, program_end;
  const struct sp_cie *cie;
};

enum sp_cfi_result {
  SP_CFI_FOUND = 0,
  SP_CFI_NONE,       // no description covers the address
  SP_CFI_DAMAGED,    // it is not understood
  SP_CFI_UNREADABLE, // it could not be read
};

// A place in a module's tables. A read past the end, or of memory that cannot be read, gives 0 and sets `failed`.
struct sp_cursor {
  struct sp_reader *reader;
  uint32_t tag;
  uintptr_t position, end;
  uintptr_t plain; // up to here bytes are read in place
  bool failed;
};

// A cursor over [position, end) of a module's tables.
struct sp_cursor sp_cursor_at(struct sp_reader *reader, const struct sp_module *module, uintptr_t position, uintptr_t end);
// The next byte, integer of 1, 2, 4 or 8 bytes, unsigned LEB128: the way of all.
uint8_t sp_cursor_far_u8(struct sp_cursor *cursor);
uint64_t sp_cursor_far_int(struct sp_cursor *cursor, unsigned size);
uint64_t sp_cursor_far_uleb(struct sp_cursor *cursor);
// And the short one of those that are read in place; of the last, in one byte.
static inline uint8_t sp_cursor_u8(struct sp_cursor *cursor) {
  if (cursor->position < cursor->plain) return *(const uint8_t *)cursor->position++;
  return sp_cursor_far_u8(cursor);
}
static inline uint64_t sp_cursor_int(struct sp_cursor *cursor, unsigned size) {
  uint64_t value = 0;
  if (cursor->plain < size || cursor->position > cursor->plain - size) return sp_cursor_far_int(cursor, size);
  memcpy(&value, (const void *)cursor->position, size);
  cursor->position += size;
  return value;
}
static inline uint64_t sp_cursor_uleb(struct sp_cursor *cursor) {
  if (cursor->position < cursor->plain && *(const uint8_t *)cursor->position < 0x80) return *(const uint8_t *)cursor->position++;
  return sp_cursor_far_uleb(cursor);
}
int64_t sp_cursor_sleb(struct sp_cursor *cursor);
// A pointer in one of the DW_EH_PE encodings; `data_base` is what datarel counts from, `function_base` funcrel.
uintptr_t sp_cursor_pointer(struct sp_cursor *cursor, uint8_t encoding, uintptr_t data_base, uintptr_t function_base);

// Sets the search table of a module whose tables are read in place. Else, and where there is none, sp_cfi_find reads the header each time.
void sp_cfi_place(struct sp_reader *reader, struct sp_module *module);

// The description that covers `address` (a lookup address). `cie` is the caller's, has what was read last, and what `fde` needs.
enum sp_cfi_result sp_cfi_find(struct sp_reader *reader, const struct sp_module *module, uintptr_t address, struct sp_cie *cie,
                               struct sp_fde *fde);

// Runs the program of a CIE, which lies at [program, end). False: it is not understood.
bool sp_cfi_begin(struct sp_reader *reader, const struct sp_module *module, struct sp_cie *cie, uintptr_t program, uintptr_t end);

// Runs the program of a description up to `address`.
enum sp_cfi_result sp_cfi_run(struct sp_reader *reader, const struct sp_module *module, const struct sp_fde *fde,
                              uintptr_t address, struct sp_rules *rules);

// Evaluates the expression whose block (ULEB length, bytes) is at `block`. `initial`, if not NULL, is on the stack at first.
// Data is read with tag 0.
enum sp_cfi_result sp_cfi_evaluate(struct sp_reader *reader, const struct sp_module *module, uintptr_t block,
                                   const uintptr_t *registers, const uintptr_t *initial, uintptr_t *result);

#endif
