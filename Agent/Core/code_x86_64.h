// One x86-64 instruction as far as an unwinder needs it: how long it is, where control goes, what it does to general registers
// and to the stack.
//
// Async-signal-safe, no memory of its own. What cannot be told is said to be so, never guessed.
#ifndef SP_CODE_X86_64_H
#define SP_CODE_X86_64_H

#include <stdbool.h>
#include <stdint.h>

#define SP_INSTRUCTION_MAX 15
#define SP_GENERAL_REGISTERS 16

// Register numbers as instructions have them.
enum { SP_RAX = 0, SP_RCX, SP_RDX, SP_RBX, SP_RSP, SP_RBP, SP_RSI, SP_RDI };

enum sp_instruction_kind {
  SP_INSTRUCTION_OTHER = 0, // on to the next one; the registers in `written` have other values then
  SP_INSTRUCTION_UNKNOWN,   // not understood, or it never goes on
  SP_INSTRUCTION_RETURN,    // `number`: bytes of arguments that it takes off the stack
  SP_INSTRUCTION_CALL,
  SP_INSTRUCTION_JUMP,          // to `target`
  SP_INSTRUCTION_BRANCH,        // perhaps to `target`
  SP_INSTRUCTION_JUMP_BY_TABLE, // through memory at a fixed address, as a PLT does
  SP_INSTRUCTION_PUSH,          // `reg`; or `reg` is SP_NO_REGISTER: something
  SP_INSTRUCTION_POP,           // likewise
  SP_INSTRUCTION_LEAVE,
  SP_INSTRUCTION_ADD,   // `number` to `reg`
  SP_INSTRUCTION_AND,   // `reg` with `number`
  SP_INSTRUCTION_MOVE,  // `base` to `reg`
  SP_INSTRUCTION_LEA,   // `base` + `number` to `reg`
  SP_INSTRUCTION_LOAD,  // eight bytes at `base` + `number` to `reg`
  SP_INSTRUCTION_STORE, // `reg` to the eight bytes there
};

#define SP_NO_REGISTER 0xff

struct sp_instruction {
  uint8_t length;
  uint8_t kind; // enum sp_instruction_kind
  uint8_t reg, base;
  uint16_t written; // a bit for each register that ends up with a value that is not told
  int64_t number;
  uintptr_t target;
};

// Decodes the instruction at the process address `address`. `bytes` has SP_INSTRUCTION_MAX bytes from there; those that do
// not exist are zero. False, with the kind SP_INSTRUCTION_UNKNOWN, if it is not understood.
bool sp_decode_instruction(const uint8_t *bytes, uintptr_t address, struct sp_instruction *out);

#endif
