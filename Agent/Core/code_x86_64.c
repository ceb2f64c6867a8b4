#include "code_x86_64.h"

#include <string.h>

#if defined(__x86_64__)

// What the instruction is made of, as it is taken apart.
struct parts {
  const uint8_t *bytes;
  unsigned at;       // the next byte
  bool wide;         // REX.W: 64 bits
  bool operand16;    // 66
  bool repeat;       // f2 or f3
  bool other_base;   // fs, gs or addresses of 32 bits: an address is not what its register says
  bool rex;          // there is a REX prefix: byte registers 4 to 7 are the low ones
  uint8_t r, x, b;   // bits 3 of register numbers: 0 or 8
  uint8_t mod, reg, rm;      // of the ModRM byte, with those bits
  uint8_t base;              // of a memory operand that is a register and a number, else SP_NO_REGISTER
  bool relative;             // the memory operand is at a distance from the instruction pointer
  int32_t displacement;
};

// The next byte; zero past the end, which the caller of decode() notices by `at`.
static uint8_t next(struct parts *p) { return p->at < SP_INSTRUCTION_MAX ? p->bytes[p->at++] : (p->at++, 0); }

// A signed number of 1, 2 or 4 bytes.
static int64_t number(struct parts *p, unsigned size) {
  uint32_t value = 0;
  for (unsigned i = 0; i < size; i++) value |= (uint32_t)next(p) << (8 * i);
  return size == 1 ? (int8_t)value : size == 2 ? (int16_t)value : (int32_t)value;
}

// The ModRM byte and what belongs to it.
static void take_modrm(struct parts *p) {
  uint8_t modrm = next(p);
  p->mod = modrm >> 6;
  p->reg = ((modrm >> 3) & 7) | p->r;
  p->rm = (modrm & 7) | p->b;
  p->base = SP_NO_REGISTER;
  if (p->mod == 3) return;
  bool no_base = false;
  if (!p->other_base) p->base = p->rm;
  if ((modrm & 7) == 4) {
    uint8_t sib = next(p);
    no_base = (sib & 7) == 5 && p->mod == 0;
    bool index = (((sib >> 3) & 7) | p->x) != 4;
    p->base = no_base || index || p->other_base ? SP_NO_REGISTER : (sib & 7) | p->b;
  } else if ((modrm & 7) == 5 && p->mod == 0) {
    p->base = SP_NO_REGISTER;
    p->relative = true;
  }
  p->displacement = (int32_t)(p->mod == 1                                     ? number(p, 1)
                              : p->mod == 2 || no_base || p->relative ? number(p, 4)
                                                                      : 0);
}

// A set of one register.
static uint16_t bit(uint8_t reg) { return (uint16_t)(1u << reg); }

// The register in ModRM's r/m, if that is one; of a byte operation, the register that it is a part of.
static uint16_t rm_bit(const struct parts *p, bool byte) {
  if (p->mod != 3) return 0;
  return bit(byte && !p->rex && p->rm >= 4 ? p->rm - 4 : p->rm);
}

// Likewise the register in ModRM's reg.
static uint16_t reg_bit(const struct parts *p, bool byte) { return bit(byte && !p->rex && p->reg >= 4 ? p->reg - 4 : p->reg); }

// Arithmetic with a constant, 80, 81 and 83: what it does to the stack pointer and to pointers made from it matters.
static void arithmetic(const struct parts *p, uint8_t op, int64_t constant, struct sp_instruction *out) {
  unsigned operation = p->reg & 7;
  if (operation == 7) return; // cmp
  out->written = rm_bit(p, op == 0x80);
  if (p->mod != 3 || !p->wide || op == 0x80 || (operation != 0 && operation != 4 && operation != 5)) return;
  out->kind = operation == 4 ? SP_INSTRUCTION_AND : SP_INSTRUCTION_ADD;
  out->reg = p->rm;
  out->number = operation == 5 ? -constant : constant;
  out->written = 0;
}

// A move between registers, or between a register and memory.
static void move(const struct parts *p, uint8_t op, struct sp_instruction *out) {
  bool load = op == 0x8a || op == 0x8b, byte = op == 0x88 || op == 0x8a;
  out->written = load ? reg_bit(p, byte) : rm_bit(p, byte);
  if (byte || !p->wide) return;
  if (p->mod == 3) {
    out->kind = SP_INSTRUCTION_MOVE;
    out->reg = load ? p->reg : p->rm;
    out->base = load ? p->rm : p->reg;
  } else if (p->base != SP_NO_REGISTER) {
    out->kind = load ? SP_INSTRUCTION_LOAD : SP_INSTRUCTION_STORE;
    out->reg = p->reg;
    out->base = p->base;
    out->number = p->displacement;
  } else {
    return;
  }
  out->written = 0;
}

// fe and ff: increments, calls, jumps, push. False: not understood, as in what follows.
static bool group5(const struct parts *p, uint8_t op, struct sp_instruction *out) {
  switch (p->reg & 7) {
  case 0:
  case 1: out->written = rm_bit(p, op == 0xfe); return true;
  case 2: out->kind = SP_INSTRUCTION_CALL; return op == 0xff;
  case 4: out->kind = p->relative ? SP_INSTRUCTION_JUMP_BY_TABLE : SP_INSTRUCTION_UNKNOWN; return op == 0xff && p->relative;
  case 6:
    out->kind = SP_INSTRUCTION_PUSH;
    if (p->mod == 3) out->reg = p->rm;
    return op == 0xff;
  default: return false;
  }
}

// A jump or branch to a distance of `size` bytes.
static bool jump(struct parts *p, uintptr_t address, unsigned size, uint8_t kind, struct sp_instruction *out) {
  int64_t distance = number(p, size);
  out->kind = kind;
  out->target = address + p->at + (uintptr_t)distance;
  return true;
}

// The instructions of one byte that have a ModRM byte.
static bool one_byte_modrm(struct parts *p, uint8_t op, struct sp_instruction *out) {
  unsigned constant = p->operand16 ? 2 : 4;
  take_modrm(p);
  if (op < 0x40) {
    if (op >= 0x38) return true; // cmp
    out->written = op & 2 ? reg_bit(p, !(op & 1)) : rm_bit(p, !(op & 1));
    return true;
  }
  switch (op) {
  case 0x63: out->written = bit(p->reg); return true;
  case 0x69: number(p, constant); out->written = bit(p->reg); return true;
  case 0x6b: number(p, 1); out->written = bit(p->reg); return true;
  case 0x80:
  case 0x83: arithmetic(p, op, number(p, 1), out); return true;
  case 0x81: arithmetic(p, op, number(p, constant), out); return true;
  case 0x84:
  case 0x85: return true; // test
  case 0x86:
  case 0x87: out->written = rm_bit(p, op == 0x86) | reg_bit(p, op == 0x86); return true;
  case 0x88:
  case 0x89:
  case 0x8a:
  case 0x8b: move(p, op, out); return true;
  case 0x8c:
  case 0x8e: return false;
  case 0x8d:
    out->written = bit(p->reg);
    if (!p->wide || p->base == SP_NO_REGISTER || p->mod == 3) return p->mod != 3;
    *out = (struct sp_instruction){.kind = SP_INSTRUCTION_LEA, .reg = p->reg, .base = p->base, .number = p->displacement};
    return true;
  case 0x8f:
    out->kind = SP_INSTRUCTION_POP;
    out->written = rm_bit(p, false);
    return (p->reg & 7) == 0;
  case 0xc0:
  case 0xc1: number(p, 1); out->written = rm_bit(p, op == 0xc0); return true;
  case 0xc6:
  case 0xc7: number(p, op == 0xc6 ? 1 : constant); out->written = rm_bit(p, op == 0xc6); return (p->reg & 7) == 0;
  case 0xd0:
  case 0xd1:
  case 0xd2:
  case 0xd3: out->written = rm_bit(p, !(op & 1)); return true;
  case 0xf6:
  case 0xf7:
    if ((p->reg & 7) <= 1) number(p, op == 0xf6 ? 1 : constant);
    else if ((p->reg & 7) <= 3) out->written = rm_bit(p, op == 0xf6);
    else out->written = bit(SP_RAX) | bit(SP_RDX);
    return true;
  case 0xdf: out->written = bit(SP_RAX); return true; // may be fnstsw
  case 0xfe:
  case 0xff: return group5(p, op, out);
  default: return op >= 0xd8 && op <= 0xde; // x87
  }
}

// Whether an instruction of one byte has a ModRM byte.
static bool has_modrm(uint8_t op) {
  if (op < 0x40) return (op & 7) < 4;
  return op == 0x63 || op == 0x69 || op == 0x6b || (op >= 0x80 && op <= 0x8f) || op == 0xc0 || op == 0xc1 || op == 0xc6 || op == 0xc7 ||
         (op >= 0xd0 && op <= 0xd3) || (op >= 0xd8 && op <= 0xdf) || op == 0xf6 || op == 0xf7 || op == 0xfe || op == 0xff;
}

// The instructions of one byte.
static bool one_byte(struct parts *p, uintptr_t address, uint8_t op, struct sp_instruction *out) {
  unsigned constant = p->operand16 ? 2 : 4;
  if (has_modrm(op)) return one_byte_modrm(p, op, out);
  if (op < 0x40) { // the accumulator and a constant
    if ((op & 7) > 5) return false;
    number(p, op & 1 ? constant : 1);
    out->written = op >= 0x38 ? 0 : bit(SP_RAX);
    return true;
  }
  if (op >= 0x50 && op <= 0x5f) {
    out->kind = op < 0x58 ? SP_INSTRUCTION_PUSH : SP_INSTRUCTION_POP;
    out->reg = (op & 7) | p->b;
    return !p->operand16;
  }
  if (op >= 0x70 && op <= 0x7f) return jump(p, address, 1, SP_INSTRUCTION_BRANCH, out);
  if (op >= 0x90 && op <= 0x97) {
    if (op != 0x90 || p->b != 0) out->written = bit(SP_RAX) | bit((op & 7) | p->b);
    return true;
  }
  if (op >= 0xb0 && op <= 0xbf) {
    p->at += op < 0xb8 ? 1 : p->wide ? 8 : constant;
    uint8_t reg = (op & 7) | p->b;
    out->written = bit(op < 0xb8 && !p->rex && reg >= 4 ? reg - 4 : reg);
    return true;
  }
  switch (op) {
  case 0x68:
  case 0x6a: number(p, op == 0x68 ? constant : 1); out->kind = SP_INSTRUCTION_PUSH; return true;
  case 0x98: out->written = bit(SP_RAX); return true;
  case 0x99: out->written = bit(SP_RDX); return true;
  case 0x9c: out->kind = SP_INSTRUCTION_PUSH; return true;
  case 0x9d: out->kind = SP_INSTRUCTION_POP; return true;
  case 0xa8:
  case 0xa9: number(p, op == 0xa8 ? 1 : constant); return true;
  case 0xa4:
  case 0xa5:
  case 0xa6:
  case 0xa7:
  case 0xaa:
  case 0xab:
  case 0xac:
  case 0xad:
  case 0xae:
  case 0xaf: out->written = bit(SP_RAX) | bit(SP_RCX) | bit(SP_RSI) | bit(SP_RDI); return true;
  case 0xc2:
  case 0xc3: out->kind = SP_INSTRUCTION_RETURN; out->number = op == 0xc2 ? number(p, 2) & 0xffff : 0; return true;
  case 0xc9: out->kind = SP_INSTRUCTION_LEAVE; return true;
  case 0xe0:
  case 0xe1:
  case 0xe2:
  case 0xe3: out->written = bit(SP_RCX); return jump(p, address, 1, SP_INSTRUCTION_BRANCH, out);
  case 0xe8: number(p, 4); out->kind = SP_INSTRUCTION_CALL; return true;
  case 0xe9: return jump(p, address, 4, SP_INSTRUCTION_JUMP, out);
  case 0xeb: return jump(p, address, 1, SP_INSTRUCTION_JUMP, out);
  case 0x9b:
  case 0x9e:
  case 0xf5:
  case 0xf8:
  case 0xf9:
  case 0xfc:
  case 0xfd: return true;
  case 0x9f: out->written = bit(SP_RAX); return true;
  default: return false;
  }
}

// After 0f. `vector`: the same numbers behind a VEX or EVEX prefix, where most operate on vector registers.
static bool two_bytes(struct parts *p, uintptr_t address, uint8_t op, bool vector, struct sp_instruction *out) {
  if (!vector) {
    if (op >= 0x80 && op <= 0x8f) return jump(p, address, 4, SP_INSTRUCTION_BRANCH, out);
    if (op >= 0xc8 && op <= 0xcf) return out->written = bit((op & 7) | p->b), true;
    switch (op) {
    case 0x05: out->written = bit(SP_RAX) | bit(SP_RCX) | bit(11); return true; // syscall
    case 0x31: out->written = bit(SP_RAX) | bit(SP_RDX); return true;
    case 0xa2: out->written = bit(SP_RAX) | bit(SP_RBX) | bit(SP_RCX) | bit(SP_RDX); return true;
    case 0x06:
    case 0x08:
    case 0x09:
    case 0x0b: return false;
    default: break;
    }
  }
  if (op == 0x77) return true; // emms, vzeroupper
  take_modrm(p);
  if ((op >= 0x70 && op <= 0x73) || op == 0xc2 || (op >= 0xc4 && op <= 0xc6)) number(p, 1);
  if (op == 0x50 || op == 0xd7 || op == 0xc5) return out->written = bit(p->reg), true; // from a vector register
  if ((op == 0x2c || op == 0x2d || op == 0x78 || op == 0x79) && (p->repeat || vector)) return out->written = bit(p->reg), true;
  if (op == 0x7e && !p->repeat) return out->written = rm_bit(p, false), true;
  if (vector) return out->written = op == 0x93 ? bit(p->reg) : 0, true; // kmov
  if (op == 0xa4 || op == 0xac || op == 0xba || op == 0x0f) number(p, 1);
  if ((op >= 0x40 && op <= 0x4f) || op == 0xaf || (op >= 0xb6 && op <= 0xb8) || (op >= 0xbc && op <= 0xbf))
    return out->written = bit(p->reg), true;
  if (op >= 0x90 && op <= 0x9f) return out->written = rm_bit(p, true), true;
  switch (op) {
  case 0xa4:
  case 0xa5:
  case 0xac:
  case 0xad:
  case 0xab:
  case 0xb3:
  case 0xbb: out->written = rm_bit(p, false); return true;
  case 0xba: out->written = (p->reg & 7) == 4 ? 0 : rm_bit(p, false); return true;
  case 0xb0:
  case 0xb1: out->written = rm_bit(p, op == 0xb0) | bit(SP_RAX); return true;
  case 0xc0:
  case 0xc1: out->written = rm_bit(p, op == 0xc0) | reg_bit(p, op == 0xc0); return true;
  case 0xc7: out->written = bit(SP_RAX) | bit(SP_RDX) | rm_bit(p, false); return true;
  case 0x01: out->written = bit(SP_RAX) | bit(SP_RDX); return true; // xgetbv among others
  case 0x00:
  case 0x02:
  case 0x03:
  case 0x20:
  case 0x21:
  case 0x22:
  case 0x23:
  case 0xa0:
  case 0xa1:
  case 0xa8:
  case 0xa9: return false;
  default: return true;
  }
}

// After 0f 38 and 0f 3a, and what corresponds to them. `vvvv`: the register in the VEX prefix.
static bool three_bytes(struct parts *p, unsigned map, bool vector, uint8_t vvvv, struct sp_instruction *out) {
  uint8_t op = next(p);
  take_modrm(p);
  if (map == 3) {
    number(p, 1);
    if (op >= 0x14 && op <= 0x17) out->written = rm_bit(p, false); // pextr
    if (vector && op == 0xf0) out->written = bit(p->reg);          // rorx
    return true;
  }
  if (op < 0xf0) return true;
  if (!vector) return out->written = bit(p->reg) | rm_bit(p, false), true; // crc32, movbe, adcx
  out->written = op == 0xf3 ? bit(vvvv) : op == 0xf6 ? bit(p->reg) | bit(vvvv) : bit(p->reg);
  return true;
}

// An instruction with a VEX (c4, c5) or EVEX (62) prefix.
static bool vector(struct parts *p, uintptr_t address, uint8_t prefix, struct sp_instruction *out) {
  uint8_t first = next(p), second, map = 1;
  p->r = first & 0x80 ? 0 : 8;
  if (prefix == 0xc5) {
    second = first;
  } else {
    p->x = first & 0x40 ? 0 : 8;
    p->b = first & 0x20 ? 0 : 8;
    map = first & (prefix == 0xc4 ? 0x1f : 0x07);
    second = next(p);
    p->wide = second & 0x80;
    if (prefix == 0x62) next(p);
  }
  p->rex = true;
  p->repeat = (second & 3) >= 2;
  if (map == 1) return two_bytes(p, address, next(p), true, out);
  if (map == 2 || map == 3) return three_bytes(p, map, true, (uint8_t)(~second >> 3) & 15, out);
  if (prefix != 0x62 || (map != 5 && map != 6)) return false;
  uint8_t op = next(p); // half precision
  take_modrm(p);
  if (op == 0x2c || op == 0x2d || op == 0x78 || op == 0x79) out->written = bit(p->reg);
  if (op == 0x7e) out->written = rm_bit(p, false);
  return true;
}

// Prefixes, then by the number of bytes of the operation.
static bool decode(struct parts *p, uintptr_t address, struct sp_instruction *out) {
  uint8_t op = next(p);
  for (;; op = next(p)) {
    if (op == 0x66) p->operand16 = true;
    else if (op == 0xf2 || op == 0xf3) p->repeat = true;
    else if (op == 0x64 || op == 0x65 || op == 0x67) p->other_base = true;
    else if (op != 0x2e && op != 0x36 && op != 0x3e && op != 0x26 && op != 0xf0) break;
    if (p->at >= SP_INSTRUCTION_MAX) return false;
  }
  if (op == 0xc4 || op == 0xc5 || op == 0x62) return vector(p, address, op, out);
  if ((op & 0xf0) == 0x40) {
    p->rex = true;
    p->wide = op & 8;
    p->r = op & 4 ? 8 : 0;
    p->x = op & 2 ? 8 : 0;
    p->b = op & 1 ? 8 : 0;
    op = next(p);
  }
  if (op != 0x0f) return one_byte(p, address, op, out);
  op = next(p);
  if (op == 0x38) return three_bytes(p, 2, false, 0, out);
  if (op == 0x3a) return three_bytes(p, 3, false, 0, out);
  return two_bytes(p, address, op, false, out);
}

// Takes the instruction apart.
bool sp_decode_instruction(const uint8_t *bytes, uintptr_t address, struct sp_instruction *out) {
  struct parts p = {.bytes = bytes};
  *out = (struct sp_instruction){.reg = SP_NO_REGISTER, .base = SP_NO_REGISTER};
  bool understood = decode(&p, address, out) && p.at <= SP_INSTRUCTION_MAX;
  out->length = (uint8_t)p.at;
  if (!understood) out->kind = SP_INSTRUCTION_UNKNOWN;
  return understood;
}

#endif
