#define _GNU_SOURCE
#include "stack_unwind.h"

#include <time.h>

#include "every_tick.h"
#include "maps.h"
#include "raw_syscall.h"
#include "unwind_internal.h"
#include "unwind_libunwind.h"

#define STEPS_MAX (3 * SP_MAX_FRAMES)          // frames of the agent, which are not counted, and rows that are made, included
#define WALKS_BEFORE_PROC 4                    // a short-lived thread does not pay for reading /proc
#define STACK_INTERVAL_NS 250000000u           // between two readings of it for one thread
#define THREAD_BLOCK_MAX ((uintptr_t)16 << 10) // what the C library keeps for a thread at its stack's upper end, at the thread pointer
#define STACK_GROWTH_MAX ((uintptr_t)64 << 20) // a stack pointer further below than this is on another stack

const uint32_t sp_unwinder_size = sizeof(struct sp_unwinder);

SP_EVERY_TICK uint32_t sp_unwinder_same(const struct sp_unwinder *unwinder) { return unwinder->same; }

SP_EVERY_TICK struct sp_reader *sp_unwinder_reader(struct sp_unwinder *unwinder) { return &unwinder->reader; }

// The search for a thread's own stack.
struct stack_search {
  struct sp_unwinder *unwinder;
  uintptr_t sp, thread, guard_end;
  bool first; // it is the process's first thread
};

// Whether the stack may be in a mapping yet to come.
static bool try_mapping(const struct sp_maps_entry *entry, void *context) {
  struct stack_search *s = context;
  if (s->sp < entry->start || s->sp >= entry->end) {
    if (!entry->readable) s->guard_end = entry->end;
    return true;
  }
  bool own = s->first ? strcmp(entry->path, "[stack]") == 0 : s->guard_end == entry->start && s->thread > s->sp && s->thread < entry->end;
  if (own && entry->readable) {
    s->unwinder->stack_low = entry->start;
    s->unwinder->stack_high = (s->first ? entry->end : s->thread) & ~(uintptr_t)15;
    s->unwinder->stack_thread = s->thread;
  }
  return false;
}

// Finds the thread's own stack among the mappings: that of the process's first thread by its name, that of another by the
// thread's control block, which lies above its frames in the same mapping, and by the guard below. Other memory that a
// stack pointer may point into (coroutines, alternate stacks) may go at any time and is left to the reader.
static void find_stack(struct sp_unwinder *u, uintptr_t sp, uintptr_t thread) {
  struct stack_search s = {.unwinder = u, .sp = sp, .thread = thread, .first = sp_syscall0(SYS_gettid) == sp_syscall0(SYS_getpid)};
  sp_maps_visit(u->reader.scratch, sizeof u->reader.scratch, try_mapping, &s);
}

// The stack's upper part alone: where it ends below is known no better than the size of what lies above.
void sp_unwinder_stack(struct sp_unwinder *u, uintptr_t size) {
  uintptr_t thread = (uintptr_t)__builtin_thread_pointer();
  if (!SP_STACK_TO_THREAD || size <= THREAD_BLOCK_MAX || size > thread) return;
  u->stack_thread = thread;
  u->stack_high = thread & ~(uintptr_t)15;
  u->stack_low = u->stack_high - (size - THREAD_BLOCK_MAX);
}

// Asks for the thread's own stack if it is not known, or has grown; now and then only.
static void ask_for_stack(struct sp_unwinder *u, uintptr_t sp, uintptr_t thread) {
  struct timespec now;
  if (u->walks < WALKS_BEFORE_PROC) {
    u->walks++;
    return;
  }
  if (sp_syscall2(SYS_clock_gettime, CLOCK_MONOTONIC_COARSE, &now) != 0) return;
  uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
  if (u->stack_asked_ns != 0 && now_ns - u->stack_asked_ns < STACK_INTERVAL_NS) return;
  u->stack_asked_ns = now_ns;
  find_stack(u, sp, thread);
}

SP_EVERY_TICK void sp_unwind_fetch(struct sp_unwinder *u, const ucontext_t *context) {
  uintptr_t registers[SP_REGISTERS];
  sp_machine_registers(context, registers);
  const struct sp_module *module = sp_module_recent(&u->reader, registers[SP_REG_RA]);
  if (module != NULL) sp_rows_fetch(u, module, registers[SP_REG_RA]);
}

// Sets what this walk may read directly: the thread's own stack from the stack pointer up, if that points into it.
static SP_EVERY_TICK void begin_stack(struct sp_unwinder *u, uintptr_t sp) {
  uintptr_t thread = (uintptr_t)__builtin_thread_pointer();
  if (u->stack_thread != thread) u->stack_low = u->stack_high = 0;
  bool below = sp < u->stack_low && u->stack_low - sp < STACK_GROWTH_MAX;
  if (u->stack_high == 0 || below) ask_for_stack(u, sp, thread);
  u->direct_low = u->direct_high = 0;
  if (sp >= u->stack_high) return;
  if (sp >= u->stack_low) u->direct_low = sp & ~(uintptr_t)15;
  else if (below) u->direct_low = u->stack_low;
  if (u->direct_low != 0) u->direct_high = u->stack_high;
}

// One frame up, by whatever the engine allows. `by_fp` is set if it was by the frame pointer.
static enum sp_step step(struct sp_unwinder *u, const struct sp_module *module, int engine, struct sp_registers *state, bool *by_fp) {
  enum sp_step result = SP_STEP_NONE;
  *by_fp = engine == SP_UNWIND_FP;
  if (!*by_fp && module != NULL) {
    // What returns into the vDSO there is a signal's handler; older kernels describe that place, and wrongly.
    if (SP_SIGRETURN_IN_VDSO && (module->flags & SP_MAPPING_VDSO) && state->kind == SP_FRAME_RETURN)
      result = sp_step_known_code(u, module, state);
    if (result == SP_STEP_NONE && module->eh_frame_hdr != 0) result = sp_step_cfi(u, module, state);
    if (result == SP_STEP_NONE) result = sp_step_known_code(u, module, state);
    if (result != SP_STEP_NONE) return result;
    if (!sp_module_is_code(module, sp_lookup_address(state))) return SP_STEP_NONE;
    if (engine == SP_UNWIND_AUTO) result = sp_step_code(u, module, state);
    if (result != SP_STEP_NONE) return result;
  }
  if (engine == SP_UNWIND_CFI) return SP_STEP_NONE;
  *by_fp = true;
  return sp_step_fp(u, module, state);
}

// What a walk that could go no further ended with. `leaf`: in the interrupted function itself.
static uint8_t outcome_of(enum sp_step result, int engine, bool by_fp, bool known, bool leaf) {
  if (result == SP_STEP_END && !(by_fp && leaf && engine != SP_UNWIND_FP)) return by_fp ? SP_OUTCOME_COMPLETE_FP : SP_OUTCOME_COMPLETE;
  if (!known) return SP_OUTCOME_NO_MODULE;
  if (by_fp && engine != SP_UNWIND_FP) return SP_OUTCOME_NO_CFI;
  switch (result) {
  case SP_STEP_BAD_CFI: return SP_OUTCOME_BAD_CFI;
  case SP_STEP_BAD_STACK: return SP_OUTCOME_BAD_STACK;
  case SP_STEP_NO_PROGRESS: return SP_OUTCOME_NO_PROGRESS;
  default: return SP_OUTCOME_NO_CFI;
  }
}

// Whether what a frame returns to is the first instruction of its module, so that no call can be before it: an emulator without
// vDSO has a signal's return at the start of a page.
static bool begins_module(struct sp_unwinder *u, const struct sp_registers *state) {
  uintptr_t address = state->registers[SP_REG_RA];
  if (!SP_SIGRETURN_IN_VDSO || (address & (SP_READER_PAGE_SIZE - 1)) != 0 || state->kind != SP_FRAME_RETURN) return false;
  const struct sp_module *module = sp_module_find(&u->reader, address);
  return module != NULL && module->start == address;
}

// The loop: module, frame, step. A return address counts as a frame only once a module was found for it.
SP_EVERY_TICK uint32_t sp_unwind(struct sp_unwinder *u, const ucontext_t *context, int engine, struct sp_frame *frames, uint32_t capacity,
                   uint8_t *outcome) {
  if (engine == SP_UNWIND_LIBUNWIND) return sp_unwind_libunwind(u, context, frames, capacity, outcome);
  struct sp_registers state;
  uint32_t count = 0;
  bool by_fp = false;
  struct sp_landing landing = {.tries = 0};
  sp_machine_registers(context, state.registers);
  state.kind = SP_FRAME_INSTRUCTION;
  state.sp_is_bound = false;
  struct sp_frame leaf = {.address = state.registers[SP_REG_RA], .module = 0, .kind = SP_FRAME_INSTRUCTION};
  sp_reader_begin(&u->reader);
  begin_stack(u, state.registers[SP_REG_SP]);
  sp_rows_begin(u);

  const struct sp_module *module = sp_module_find(&u->reader, leaf.address);
walk:
  *outcome = SP_OUTCOME_DEPTH;
  for (unsigned steps = 0; steps < STEPS_MAX; steps++) {
    uint32_t walked = 0;
    bool end = false;
    if (engine != SP_UNWIND_FP && module != NULL && !sp_modules_ignored(module->code_start)) {
      walked = sp_walk_rows(u, module, &state, frames + count, capacity - count, &end);
      if (walked == 0 && !end && sp_row_prepare(u, module, &state)) continue;
    }
    count += walked;
    if (end) {
      *outcome = SP_OUTCOME_COMPLETE;
      break;
    }
    if (walked == 0) {
      uintptr_t address = state.registers[SP_REG_RA];
      bool shown = !sp_modules_ignored(address);
      if (shown) {
        if (count == capacity) break;
        frames[count++] = (struct sp_frame){.address = address, .module = module == NULL ? 0 : module->number, .kind = state.kind};
      }
      sp_rows_gap(u);
      enum sp_step result = step(u, module, engine, &state, &by_fp);
      if (result == SP_STEP_LANDING) {
        sp_landing_note(&landing, &state, count);
      } else if (result != SP_STEP_DONE) {
        // A return address in a module's data is a stray word of the stack.
        bool known = module != NULL && sp_module_is_code(module, address);
        bool stray = !known && steps > 0 && (result != SP_STEP_END || by_fp);
        if (stray && shown) count--;
        *outcome = stray ? SP_OUTCOME_NO_MODULE : outcome_of(result, engine, by_fp, known, steps == 0);
        break;
      }
    } else {
      by_fp = false;
    }
    if (state.registers[SP_REG_RA] == 0) {
      *outcome = by_fp ? SP_OUTCOME_COMPLETE_FP : SP_OUTCOME_COMPLETE;
      break;
    }
    if (begins_module(u, &state)) state.kind = SP_FRAME_INSTRUCTION;
    uintptr_t lookup = sp_lookup_address(&state);
    bool leaf_known = module != NULL;
    if (module == NULL || lookup - module->code_start >= module->code_end - module->code_start)
      module = sp_module_find(&u->reader, lookup);
    if (module == NULL || (by_fp && !sp_module_is_code(module, lookup))) {
      *outcome = by_fp && engine != SP_UNWIND_FP && leaf_known ? SP_OUTCOME_NO_CFI : SP_OUTCOME_NO_MODULE;
      break;
    }
  }
  if (*outcome > SP_OUTCOME_DEPTH && landing.tries > 0) {
    sp_rows_gap(u);
    sp_landing_retry(u, &landing, &state);
    count = landing.count;
    module = sp_module_find(&u->reader, sp_lookup_address(&state));
    goto walk;
  }
  if (count == 0) frames[count++] = leaf; // the agent and nothing else
  return count;
}
