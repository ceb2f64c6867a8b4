#define _GNU_SOURCE
#include "unwind_internal.h"

// An exception lands in this way: libgcc copies the registers that the landing function has to have, its return address among
// them, over those that its own frame has saved, and then jumps. In between the frames from its own to the landing function are
// still there, but what they had saved is not: a walk comes from libgcc's frame to the landing function's, with all registers right
// but the stack pointer. That is above where the function's call left the same return address. Or, the return address being copied
// last, to libgcc's caller with the landing function's frame pointer.

#define TRIES_MAX 8
#define SEARCHED_MAX (64 * 1024) // bytes

void sp_landing_note(struct sp_landing *landing, const struct sp_registers *state, uint32_t count) {
  if (landing->count != 0) return;
  landing->state = *state;
  landing->count = count;
  landing->tries = TRIES_MAX;
  landing->next = state->registers[SP_REG_SP];
}

void sp_landing_retry(struct sp_unwinder *u, struct sp_landing *landing, struct sp_registers *state) {
  uintptr_t word, end = landing->state.registers[SP_REG_SP] + SEARCHED_MAX;
  *state = landing->state;
  if (landing->tries-- == TRIES_MAX && sp_code_frame_pointer(u, state)) return;
  *state = landing->state;
  while (landing->tries > 0 && landing->next < end && sp_load(u, landing->next, &word)) {
    landing->next += sizeof word;
    if (word != state->registers[SP_REG_RA]) continue;
    state->registers[SP_REG_SP] = landing->next;
    return;
  }
  landing->tries = 0;
}
