#define _GNU_SOURCE
#include "cfi.h"

#define STACK_MAX 32
#define STEPS_MAX 1000

enum { // DWARF 4, figure 24
  OP_ADDR = 0x03,
  OP_DEREF = 0x06,
  OP_CONST1U = 0x08,
  OP_CONST1S,
  OP_CONST2U,
  OP_CONST2S,
  OP_CONST4U,
  OP_CONST4S,
  OP_CONST8U,
  OP_CONST8S,
  OP_CONSTU,
  OP_CONSTS,
  OP_DUP,
  OP_DROP,
  OP_OVER,
  OP_PICK,
  OP_SWAP,
  OP_ROT,
  OP_ABS = 0x19,
  OP_AND,
  OP_DIV,
  OP_MINUS,
  OP_MOD,
  OP_MUL,
  OP_NEG,
  OP_NOT,
  OP_OR,
  OP_PLUS,
  OP_PLUS_UCONST,
  OP_SHL,
  OP_SHR,
  OP_SHRA,
  OP_XOR,
  OP_BRA,
  OP_EQ,
  OP_GE,
  OP_GT,
  OP_LE,
  OP_LT,
  OP_NE,
  OP_SKIP,
  OP_LIT0 = 0x30,
  OP_BREG0 = 0x70,
  OP_BREGX = 0x92,
  OP_DEREF_SIZE = 0x94,
  OP_NOP = 0x96,
};

_Static_assert(OP_ROT == 0x17 && OP_SKIP == 0x2f, "numbers of operations");

// The result of an operation of two operands; `ok` is cleared for one that has none.
static uintptr_t binary(uint8_t op, uintptr_t a, uintptr_t b, bool *ok) {
  intptr_t x = (intptr_t)a, y = (intptr_t)b;
  switch (op) {
  case OP_AND: return a & b;
  case OP_DIV:
    if (y == 0 || (y == -1 && x == INTPTR_MIN)) break;
    return (uintptr_t)(x / y);
  case OP_MINUS: return a - b;
  case OP_MOD:
    if (b == 0) break;
    return a % b;
  case OP_MUL: return a * b;
  case OP_OR: return a | b;
  case OP_PLUS: return a + b;
  case OP_SHL: return b < 64 ? a << b : 0;
  case OP_SHR: return b < 64 ? a >> b : 0;
  case OP_SHRA: return (uintptr_t)(x >> (b < 63 ? b : 63));
  case OP_XOR: return a ^ b;
  case OP_EQ: return x == y;
  case OP_GE: return x >= y;
  case OP_GT: return x > y;
  case OP_LE: return x <= y;
  case OP_LT: return x < y;
  case OP_NE: return x != y;
  default: break;
  }
  *ok = false;
  return 0;
}

// The constant of an OP_CONST* or OP_ADDR.
static uintptr_t constant(struct sp_cursor *c, uint8_t op) {
  switch (op) {
  case OP_CONST1U: return sp_cursor_u8(c);
  case OP_CONST1S: return (uintptr_t)(intptr_t)(int8_t)sp_cursor_u8(c);
  case OP_CONST2U: return sp_cursor_int(c, 2);
  case OP_CONST2S: return (uintptr_t)(intptr_t)(int16_t)sp_cursor_int(c, 2);
  case OP_CONST4U: return sp_cursor_int(c, 4);
  case OP_CONST4S: return (uintptr_t)(intptr_t)(int32_t)sp_cursor_int(c, 4);
  case OP_CONSTU: return sp_cursor_uleb(c);
  case OP_CONSTS: return (uintptr_t)sp_cursor_sleb(c);
  default: return sp_cursor_int(c, 8);
  }
}

// A machine of one stack; bounded in depth and steps.
enum sp_cfi_result sp_cfi_evaluate(struct sp_reader *reader, const struct sp_module *module, uintptr_t block,
                                   const uintptr_t *registers, const uintptr_t *initial, uintptr_t *result) {
  uintptr_t stack[STACK_MAX], value;
  unsigned depth = 0;
  struct sp_cursor c = sp_cursor_at(reader, module, block, module->image_end);
  uint64_t size = sp_cursor_uleb(&c);
  if (c.failed || size > c.end - c.position) return SP_CFI_DAMAGED;
  uintptr_t begin = c.position;
  c.end = begin + size;
  if (c.plain > c.end) c.plain = c.end;
  if (initial != NULL) stack[depth++] = *initial;

  for (unsigned steps = 0; c.position < c.end; steps++) {
    uint8_t op = sp_cursor_u8(&c);
    bool ok = true;
    unsigned needed = op == OP_DEREF || op == OP_DEREF_SIZE || op == OP_DUP || op == OP_DROP || op == OP_ABS || op == OP_NEG ||
                              op == OP_NOT || op == OP_PLUS_UCONST || op == OP_BRA
                          ? 1
                      : op == OP_OVER || op == OP_SWAP                                     ? 2
                      : op == OP_ROT                                                       ? 3
                      : (op >= OP_AND && op <= OP_XOR) || (op >= OP_EQ && op <= OP_NE)     ? 2
                                                                                           : 0;
    if (steps == STEPS_MAX || depth < needed || depth >= STACK_MAX - 1) return SP_CFI_DAMAGED;
    uintptr_t *top = stack + depth; // one past the last
    if ((op >= OP_CONST1U && op <= OP_CONSTS) || op == OP_ADDR) {
      stack[depth++] = constant(&c, op);
    } else if (op >= OP_LIT0 && op < OP_LIT0 + 32) {
      stack[depth++] = op - OP_LIT0;
    } else if ((op >= OP_BREG0 && op < OP_BREG0 + 32) || op == OP_BREGX) {
      uint64_t number = op == OP_BREGX ? sp_cursor_uleb(&c) : (uint64_t)(op - OP_BREG0);
      if (number >= SP_REGISTERS) return SP_CFI_DAMAGED;
      stack[depth++] = registers[number] + (uintptr_t)sp_cursor_sleb(&c);
    } else {
      switch (op) {
      case OP_NOP: break;
      case OP_DEREF:
      case OP_DEREF_SIZE: {
        uint8_t bytes = op == OP_DEREF ? 8 : sp_cursor_u8(&c);
        value = 0;
        if (bytes == 0 || bytes > 8) return SP_CFI_DAMAGED;
        if (!sp_reader_copy(reader, 0, top[-1], &value, bytes)) return SP_CFI_UNREADABLE;
        top[-1] = value;
        break;
      }
      case OP_DUP: stack[depth++] = top[-1]; break;
      case OP_DROP: depth--; break;
      case OP_OVER: stack[depth++] = top[-2]; break;
      case OP_PICK: {
        uint8_t index = sp_cursor_u8(&c);
        if (index >= depth) return SP_CFI_DAMAGED;
        stack[depth++] = top[-1 - index];
        break;
      }
      case OP_SWAP:
        value = top[-1];
        top[-1] = top[-2];
        top[-2] = value;
        break;
      case OP_ROT:
        value = top[-1];
        top[-1] = top[-2];
        top[-2] = top[-3];
        top[-3] = value;
        break;
      case OP_ABS:
        if ((intptr_t)top[-1] < 0) top[-1] = -top[-1];
        break;
      case OP_NEG: top[-1] = -top[-1]; break;
      case OP_NOT: top[-1] = ~top[-1]; break;
      case OP_PLUS_UCONST: top[-1] += sp_cursor_uleb(&c); break;
      case OP_BRA:
      case OP_SKIP: {
        intptr_t distance = (int16_t)sp_cursor_int(&c, 2);
        if (op == OP_BRA && stack[--depth] == 0) break;
        if (distance < (intptr_t)(begin - c.position) || distance > (intptr_t)(c.end - c.position)) return SP_CFI_DAMAGED;
        c.position += (uintptr_t)distance;
        break;
      }
      default:
        if (needed != 2) return SP_CFI_DAMAGED; // not allowed here, or not known
        top[-2] = binary(op, top[-2], top[-1], &ok);
        depth--;
      }
    }
    if (!ok || c.failed) return SP_CFI_DAMAGED;
  }
  if (depth == 0) return SP_CFI_DAMAGED;
  *result = stack[depth - 1];
  return SP_CFI_FOUND;
}
