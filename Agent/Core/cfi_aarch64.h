// What the unwinder knows of aarch64: registers by their DWARF numbers (DWARF for the Arm 64-bit Architecture, section 4.1), what
// the kernel saves, and the code that has no call frame information.
//
// A call leaves its return address in x30, a register like others, and a function that calls nothing keeps it there: the address
// where a frame continues is a value of its own, beside x30. A frame record (the caller's x29, then the return address) lies
// wherever a function likes within its frame, so that x29 finds the caller's record but not its stack pointer.
#ifndef SP_CFI_AARCH64_H
#define SP_CFI_AARCH64_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#define SP_REGISTERS 33 // x0-x30, 31 stack pointer, 32 program counter
#define SP_REG_FP 29
#define SP_REG_SP 31
#define SP_REG_RA 32
#define SP_RA_COLUMN 30
#define SP_RA_IN_REGISTER 1
#define SP_FP_GIVES_SP 0
#define SP_STACK_TO_THREAD 0 // the program's thread-local variables, of any size, lie above the thread pointer
#define SP_SIGRETURN_IN_VDSO 1

// Registers that functions save (x19-x29; vector registers are not followed), in the order of a compact row: x29 first.
#define SP_SAVED_REGISTERS 11
static const uint8_t sp_saved_registers[SP_SAVED_REGISTERS] = {29, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28};

// Where a compact row has a register saved: words from the return address, near which compilers save the others.
typedef int8_t sp_saved_place;

// The place of a register that is saved at `distance` from the CFA. False if it has none.
static inline bool sp_saved_pack(int64_t distance, int64_t return_offset, sp_saved_place *place) {
  int64_t words = (distance - return_offset) / 8;
  *place = (sp_saved_place)words;
  return words == *place && words * 8 == distance - return_offset;
}

// What sp_saved_pack was given.
static inline intptr_t sp_saved_distance(sp_saved_place place, int16_t return_offset) { return return_offset + (intptr_t)place * 8; }

// A return address without the signature that pointer authentication puts into its upper bits: xpaclri, which processors
// without it take for a nop.
static inline uintptr_t sp_machine_return_address(uintptr_t value) {
  register uintptr_t x30 __asm__("x30") = value;
  __asm__("hint #7" : "+r"(x30));
  return x30;
}

// The interrupted thread's registers: x0-x30, stack pointer and program counter stand in a row.
static inline void sp_machine_registers(const ucontext_t *context, uintptr_t *registers) {
  memcpy(registers, (const uint8_t *)context + offsetof(ucontext_t, uc_mcontext.regs), SP_REGISTERS * sizeof *registers);
}

#define SP_CODE_BEFORE 24 // bytes before the instruction that sp_machine_* look at
#define SP_CODE_AFTER 256 // from it on

// The instruction `distance` after the one that is looked at.
static inline uint32_t sp_machine_word(const uint8_t *code, int distance) {
  uint32_t word;
  memcpy(&word, code + SP_CODE_BEFORE + distance * 4, sizeof word);
  return word;
}

// An instruction of a PLT, which has no call frame information: [bti c,] in plt0 stp x16,x30,[sp,#-16]!, then adrp x16;
// ldr x17,[x16,#n]; [add x16,x16,#n;] [autia1716;] br x17. Returns the distance from the stack pointer to the return address,
// SP_IN_RA_REGISTER, or SP_NOT_KNOWN.
static inline int sp_machine_stub(const uint8_t *code) {
  int at = 0;
  while (sp_machine_word(code, at) != 0xd61f0220) // br x17
    if (++at == 7) return SP_NOT_KNOWN;
  at--;
  if (sp_machine_word(code, at) == 0xd503219f) at--;                  // autia1716
  if ((sp_machine_word(code, at) & 0xffc003ff) == 0x91000210) at--; // add x16,x16,#n
  if ((sp_machine_word(code, at) & 0xffc003ff) != 0xf9400211) return SP_NOT_KNOWN; // ldr x17,[x16,#n]
  if ((sp_machine_word(code, --at) & 0x9f00001f) != 0x90000010) return SP_NOT_KNOWN; // adrp x16
  bool pushes = sp_machine_word(code, at - 1) == 0xa9bf7bf0; // stp x16,x30,[sp,#-16]!
  if (pushes) at--;
  if (at < 0) return pushes ? 8 : SP_IN_RA_REGISTER;
  return at == 0 || (at == 1 && sp_machine_word(code, 0) == 0xd503245f) ? SP_IN_RA_REGISTER : SP_NOT_KNOWN; // bti c
}

// For a walk by frame pointers: where the interrupted function's return address is, as sp_machine_stub says it, or SP_NOT_KNOWN
// where x29 is taken for this function's. What it does before it returns tells: one that saves x29 and x30 has not yet done so;
// one that loads them, or calls, has; one that returns without has no frame. Conditional branches are not followed. Sets `fp_at` to the
// distance to the saved frame pointer, -1 if it is still in the register.
static inline int sp_machine_frame_edge(const uint8_t *code, int *fp_at) {
  *fp_at = -1;
  int at = 0;
  for (unsigned n = 0; n < SP_CODE_AFTER / 4; n++) {
    if (at < -(SP_CODE_BEFORE / 4) || at >= SP_CODE_AFTER / 4) break;
    uint32_t word = sp_machine_word(code, at++);
    if (word == 0xd65f03c0 || word == 0xd65f0bff || word == 0xd65f0fff) return SP_IN_RA_REGISTER; // ret, retaa, retab
    if ((word & 0xff407fff) == 0xa9007bfd) return SP_IN_RA_REGISTER; // stp x29,x30,[sp,#n] and [sp,#n]!
    if ((word & 0xffc003ff) == 0x910003fd) {                         // add x29,sp,#n, and mov x29,sp
      *fp_at = (int)(word >> 10 & 0xfff);
      return *fp_at + 8;
    }
    if ((word & 0xfc000000) == 0x94000000 || (word & 0xfefff000) == 0xd63f0000) break;        // bl, blr, blraa and the like
    if ((word & 0xffc07fff) == 0xa8c07bfd || (word & 0xffc07fff) == 0xa9407bfd) break;        // ldp x29,x30 from the stack
    if ((word & 0xfefff000) == 0xd61f0000 || (word & 0xffff0000) == 0) break;                 // br and the like; no instruction
    if ((word & 0xfc000000) == 0x14000000) at += ((int32_t)(word << 6) >> 6) - 1;             // b
  }
  return SP_NOT_KNOWN;
}

// Whether the instruction before is a call: bl, blr, blraa and the like.
static inline bool sp_machine_follows_call(const uint8_t *code) {
  uint32_t word = sp_machine_word(code, -1);
  return (word & 0xfc000000) == 0x94000000 || (word & 0xfefff000) == 0xd63f0000;
}

// Whether a handler's return lands here to leave the signal: mov x8,#139; svc #0. The second may have been interrupted.
static inline bool sp_machine_is_sigreturn(const uint8_t *code) {
  int at = sp_machine_word(code, 0) == 0xd4000001 ? -1 : 0;
  return sp_machine_word(code, at) == 0xd2801168 && sp_machine_word(code, at + 1) == 0xd4000001;
}

// Bytes from the stack pointer there to where the kernel saved a register.
static inline uintptr_t sp_machine_context_offset(unsigned number) {
  return sizeof(siginfo_t) + offsetof(ucontext_t, uc_mcontext.regs) + number * sizeof(uint64_t);
}

// Bytes from there to the frame record that the kernel makes of the interrupted x29 and x30, which a handler is given as x29.
#define SP_CONTEXT_RECORD (sizeof(siginfo_t) + sizeof(ucontext_t))

_Static_assert(offsetof(mcontext_t, pc) == offsetof(mcontext_t, regs) + SP_REG_RA * sizeof(uint64_t), "registers in a row");

#endif
