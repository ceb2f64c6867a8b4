// What the unwinder knows of x86-64: registers by their DWARF numbers (System V ABI, figure 3.36), what the kernel saves,
// and the code that has no call frame information.
#ifndef SP_CFI_X86_64_H
#define SP_CFI_X86_64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#define SP_REGISTERS 17 // 0-15 general, 16 return address
#define SP_REG_FP 6
#define SP_REG_SP 7
#define SP_REG_RA 16
#define SP_RA_COLUMN 16
#define SP_RA_IN_REGISTER 0
#define SP_FP_GIVES_SP 1
#define SP_STACK_TO_THREAD 1 // a thread's stack ends at its thread pointer, above which there are a few kilobytes of the C library's
#define SP_SIGRETURN_IN_VDSO 0

// Registers that functions save (rbx, rbp, r12-r15), in the order of a compact row.
#define SP_SAVED_REGISTERS 6
static const uint8_t sp_saved_registers[SP_SAVED_REGISTERS] = {6, 3, 12, 13, 14, 15};

// Where a compact row has a register saved: its distance from the CFA.
typedef int16_t sp_saved_place;

// The place of a register that is saved at `distance` from the CFA. False if it has none.
static inline bool sp_saved_pack(int64_t distance, int64_t return_offset, sp_saved_place *place) {
  (void)return_offset;
  *place = (sp_saved_place)distance;
  return *place == distance;
}

// What sp_saved_pack was given.
static inline intptr_t sp_saved_distance(sp_saved_place place, int16_t return_offset) {
  (void)return_offset;
  return place;
}

// A return address as it is on the stack.
static inline uintptr_t sp_machine_return_address(uintptr_t value) { return value; }

// Where DWARF register n is in gregs.
static const uint8_t sp_greg_of[SP_REGISTERS] = {
    REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8,
    REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP,
};

// The interrupted thread's registers.
static inline void sp_machine_registers(const ucontext_t *context, uintptr_t *registers) {
  for (unsigned i = 0; i < SP_REGISTERS; i++) registers[i] = (uintptr_t)context->uc_mcontext.gregs[sp_greg_of[i]];
}

#define SP_CODE_BEFORE 7 // bytes before the instruction that sp_machine_* look at
#define SP_CODE_AFTER 12 // from it on

// An instruction at which the stack pointer's distance to the return address is plain, in code without call frame
// information: in a PLT (linkers other than GNU's describe none). `code` has SP_CODE_BEFORE bytes before it. Returns that distance in
// bytes, or SP_NOT_KNOWN.
static inline int sp_machine_stub(const uint8_t *code) {
  const uint8_t *at = code + SP_CODE_BEFORE, *before = at - 6;
  if (memcmp(at, "\xf3\x0f\x1e\xfa", 4) == 0) at += 4; // endbr64
  if (at[0] == 0xf2) at++;                              // bnd
  if (at[0] == 0xff && at[1] == 0x25) return before[0] == 0xff && before[1] == 0x35 ? 16 : 0; // jmp *GOT; after plt0's push
  if (at[0] == 0xff && at[1] == 0x35) return 8;         // plt0: push GOT+8
  if (at[0] == 0x68 && (at[5] == 0xe9 || (at[5] == 0xf2 && at[6] == 0xe9))) return 0; // push index; jmp plt0
  if (at[0] == 0xe9 && before[1] == 0x68) return 8;     // that jmp
  return SP_NOT_KNOWN;
}

// The instructions at a function's ends, for a walk by frame pointers: distance to the return address, or SP_NOT_KNOWN where the
// frame pointer is already this frame's. Sets `fp_at` to the distance to the saved frame pointer, -1 if it is still in the
// register.
static inline int sp_machine_frame_edge(const uint8_t *code, int *fp_at) {
  const uint8_t *at = code + SP_CODE_BEFORE;
  *fp_at = -1;
  if (memcmp(at, "\xf3\x0f\x1e\xfa", 4) == 0) at += 4;
  if (at[0] == 0x55 && at[1] == 0x48 && (at[2] == 0x89 || at[2] == 0x8b)) return 0; // push %rbp; mov %rsp,%rbp
  if (at[0] == 0xc3 || at[0] == 0xc2) return 0;                                      // ret
  if (at[-1] == 0x55 && at[0] == 0x48 && ((at[1] == 0x89 && at[2] == 0xe5) || (at[1] == 0x8b && at[2] == 0xec))) {
    *fp_at = 0;
    return 8;
  }
  return SP_NOT_KNOWN;
}

// Whether the instruction before may be a call: e8 with 32 bits, or ff with 2 in the middle of its second byte
// (two to seven bytes).
static inline bool sp_machine_follows_call(const uint8_t *code) {
  if (code[SP_CODE_BEFORE - 5] == 0xe8) return true;
  for (unsigned back = 2; back <= SP_CODE_BEFORE; back++)
    if (code[SP_CODE_BEFORE - back] == 0xff && (code[SP_CODE_BEFORE - back + 1] & 0x38) == 0x10) return true;
  return false;
}

// Whether a handler's return lands here to leave the signal: mov $15,%rax (or %eax); syscall.
static inline bool sp_machine_is_sigreturn(const uint8_t *code) {
  const uint8_t *at = code + SP_CODE_BEFORE;
  return memcmp(at, "\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05", 9) == 0 || memcmp(at, "\xb8\x0f\x00\x00\x00\x0f\x05", 7) == 0;
}

// Bytes from the stack pointer there to where the kernel saved a register.
static inline uintptr_t sp_machine_context_offset(unsigned number) {
  return offsetof(ucontext_t, uc_mcontext.gregs) + sp_greg_of[number] * sizeof(greg_t);
}

// Not needed: a step by frame pointer gives the stack pointer.
#define SP_CONTEXT_RECORD 0

#endif
