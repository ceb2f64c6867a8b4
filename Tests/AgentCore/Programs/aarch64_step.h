// Single steps on aarch64 by breakpoints: after each instruction a brk stands where the program goes on. Each call and return is
// seen, and so where every frame continues is known: the truth that a walk is held against.
//
// STEP_BEGIN and STEP_END, in one function, enclose what is stepped. One thread; no longjmp; signal handlers run at full speed.
#ifndef AARCH64_STEP_H
#define AARCH64_STEP_H

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define BRK(n) (0xd4200000u | (n) << 5)
#define STEP_BEGIN() __asm__ volatile("brk #1" ::: "memory")
#define STEP_END() __asm__ volatile("brk #2" ::: "memory")
#define STEP_DEPTH 256

// Where the frames of the stepped functions continue, outermost first.
static uintptr_t step_returns[STEP_DEPTH];
static unsigned step_depth;

static uint32_t *step_place;
static uint32_t step_original;

static void step_write(uint32_t *place, uint32_t word) {
  static uintptr_t writable; // the page that was made so last
  uintptr_t page = (uintptr_t)place & ~(uintptr_t)4095;
  if (page != writable && mprotect((void *)page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) abort();
  writable = page;
  *place = word;
  __builtin___clear_cache((char *)place, (char *)(place + 1));
}

// A register as an operand: 31 is zero.
static uint64_t step_register(const ucontext_t *context, unsigned number) {
  return number == 31 ? 0 : context->uc_mcontext.regs[number];
}

static int step_condition(uint64_t pstate, unsigned condition) {
  int n = pstate >> 31 & 1, z = pstate >> 30 & 1, c = pstate >> 29 & 1, v = pstate >> 28 & 1;
  int const results[] = {z, c, n, v, c && !z, n == v, n == v && !z, 1};
  return condition >= 14 ? 1 : results[condition >> 1] ^ (int)(condition & 1);
}

// A signed field of an instruction, in words.
static int64_t step_field(uint32_t word, unsigned low, unsigned bits) {
  return (int64_t)((uint64_t)word << (64 - low - bits)) >> (64 - bits);
}

static uintptr_t step_unsigned_address(uintptr_t value) {
  register uintptr_t x30 __asm__("x30") = value;
  __asm__("hint #7" : "+r"(x30)); // xpaclri
  return x30;
}

static void step_call(uintptr_t returns) {
  if (step_depth == STEP_DEPTH) abort();
  step_returns[step_depth++] = returns;
}

// Where the program goes on after the instruction that it is at; follows calls and returns.
static uintptr_t step_next(const ucontext_t *context) {
  uintptr_t pc = context->uc_mcontext.pc;
  uint32_t w = *(uint32_t *)pc;
  unsigned rn = w >> 5 & 31, rt = w & 31;
  if ((w & 0x7c000000) == 0x14000000) { // b, bl
    if (w >> 31) step_call(pc + 4);
    return pc + (uintptr_t)(step_field(w, 0, 26) * 4);
  }
  int taken = -1;
  if ((w & 0xff000000) == 0x54000000) taken = step_condition(context->uc_mcontext.pstate, w & 15); // b.cond
  if ((w & 0x7e000000) == 0x34000000) { // cbz, cbnz
    uint64_t value = step_register(context, rt);
    if (w >> 31 == 0) value = (uint32_t)value;
    taken = (value == 0) != (w >> 24 & 1);
  }
  if (taken >= 0) return pc + (taken ? (uintptr_t)(step_field(w, 5, 19) * 4) : 4);
  if ((w & 0x7e000000) == 0x36000000) { // tbz, tbnz
    unsigned bit = (w >> 31) << 5 | (w >> 19 & 31);
    taken = (step_register(context, rt) >> bit & 1) == (w >> 24 & 1);
    return pc + (taken ? (uintptr_t)(step_field(w, 5, 14) * 4) : 4);
  }
  if ((w & 0xfe000000) == 0xd6000000) { // br, blr, ret, and those that authenticate
    unsigned operation = w >> 21 & 7;
    uintptr_t target = operation == 2 && rn == 31 ? context->uc_mcontext.regs[30] : step_register(context, rn);
    if (w >> 11 & 1) target = step_unsigned_address(target);
    if (operation == 1) step_call(pc + 4);
    if (operation == 2 && step_depth > 0 && step_returns[step_depth - 1] == target) step_depth--;
    return target;
  }
  if ((w & 0x3fc00000) == 0x08400000) // ldxr: a signal before its stxr would make that fail, for ever
    for (uint32_t *p = (uint32_t *)pc; p < (uint32_t *)pc + 16; p++)
      if ((*p & 0x3fe00000) == 0x08000000) return (uintptr_t)(p + 1);
  return pc + 4;
}

// To be called by the SIGTRAP handler first: the program's code is whole again. 0 where stepping begins or ends.
static int step_arrive(ucontext_t *context) {
  uint32_t *pc = (uint32_t *)(uintptr_t)context->uc_mcontext.pc;
  if (step_place != NULL) step_write(step_place, step_original);
  if (pc == step_place && *pc != BRK(2)) return 1;
  step_place = NULL;
  if (*pc != BRK(1) && *pc != BRK(2)) abort();
  return 0;
}

// To be called by the SIGTRAP handler last. Of nothing that it runs from here on may the program be the next to run.
static void step_leave(ucontext_t *context) {
  uint32_t *pc = (uint32_t *)(uintptr_t)context->uc_mcontext.pc;
  if (*pc == BRK(2)) {
    context->uc_mcontext.pc += 4;
    return;
  }
  if (*pc == BRK(1)) step_depth = 0;
  step_place = *pc == BRK(1) ? pc + 1 : (uint32_t *)step_next(context);
  if (*pc == BRK(1)) context->uc_mcontext.pc += 4;
  step_original = *step_place;
  step_write(step_place, BRK(3));
}

#endif
