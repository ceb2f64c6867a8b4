// What the parts of the unwinder share: a thread's state, a frame's registers, and the steps from a frame to its caller.
//
// Async-signal-safe. Memory: struct sp_unwinder, at most 160 KB, and a larger table of rows, 32, 128 and then 512 KB, in a thread that runs
// through much code; only what is used is touched.
#ifndef SP_UNWIND_INTERNAL_H
#define SP_UNWIND_INTERNAL_H

#include <string.h>

#include "cfi.h"
#include "memory_reader.h"
#include "stack_unwind.h"
#include "statprof_trace.h"

#define SP_ROW_WAYS 8
#define SP_ROW_BITS_FIRST 5 // of the number of sets
#define SP_ROW_BITS_GROWTH 2
#define SP_ROW_BITS_MAX 11

enum sp_row_form {
  SP_ROW_SIMPLE = 1,  // registers at distances from the CFA, which is a register and an offset
  SP_ROW_END = 2,     // the return address is undefined: the outermost frame
  SP_ROW_COMPLEX = 3, // to be worked out each time
  SP_ROW_NONE = 4,    // no description
  SP_ROW_SIGNAL = 5,  // the return of a signal's handler
  SP_ROW_OPAQUE = 6,  // no description, and its code cannot be followed to its return
};

// A run of instructions that have the same rules. Module numbers are never used again: a row cannot outlive its module's code.
struct sp_row_key {
  uint32_t start; // of the first instruction, from the module's start
  uint16_t span;  // bytes of code; 0: none
  uint16_t module;
};

// The rules, in the form that nearly all have.
struct sp_row {
  int32_t cfa_offset;
  uint8_t cfa_register;
  uint8_t form : 4; // enum sp_row_form
  uint8_t signal_frame : 1;
  uint8_t ra_in_register : 1; // where a call put it (SP_RA_IN_REGISTER)
  int16_t return_offset;      // from the CFA, as are those of the saved registers: words below it; 0 if it is in the register
  sp_saved_place saved[SP_SAVED_REGISTERS];
  uint16_t saved_mask; // which of them are saved; the others have the caller's value
  int16_t lowest;      // the least of all those distances
};

// The rows of the blocks of code that have their place here, the keys in one line of the cache. The newest is first.
struct sp_row_set {
  _Alignas(64) struct sp_row_key keys[SP_ROW_WAYS];
  struct sp_row rows[SP_ROW_WAYS];
};

_Static_assert(sizeof(struct sp_row_set) == 256, "four cache lines");
_Static_assert(SP_MODULES_MAX <= UINT16_MAX, "a row's module");

// A frame that a call was made in, and what the walk went by there: its own state, and where it found its caller's.
struct sp_trail {
  uintptr_t sp, ra, fp;
  const struct sp_row *row; // in the walk that leaves it; of no meaning later
  uint32_t module;          // number of the one that `ra` lies in
  // From the CFA, which is the caller's stack pointer: where the return address is, and the frame pointer; 0: that is the caller's still.
  int16_t return_offset, fp_offset;
};

// What every tick uses comes first.
struct sp_unwinder {
  struct sp_row_set *rows; // 1 << row_bits of them; NULL before the first walk
  uint32_t row_bits;
  uint32_t rows_lost; // for others, since the table is that large
  uintptr_t direct_low, direct_high; // what is read directly in this walk; empty if the two are equal
  // The thread's own stack, which stays mapped while the thread runs; empty: not known.
  uintptr_t stack_low, stack_high;
  uintptr_t stack_thread;  // thread pointer of the thread that it belongs to
  uint64_t stack_asked_ns; // when /proc was last asked for it
  uint32_t walks;
  // The outermost frames of the walk before, the outermost of all first, as far as each was left for the next by a plain row. None if
  // that walk did not come to an end.
  uint32_t trail_length;
  uint32_t trail_read; // the frames of it from here on are passed in this walk
  uint32_t same;       // so many of them are this walk's outermost too
  bool ended;          // this walk has come to its end
  // The frames that this walk has left by rows since it went any other way, innermost first; they follow each other from `fresh_from` on.
  uint32_t fresh_length, fresh_from;
  struct sp_cie cie; // that was read last
  struct sp_reader reader;
  struct sp_row_set first_rows[1 << SP_ROW_BITS_FIRST];
  struct sp_trail trail[SP_MAX_FRAMES], fresh[SP_MAX_FRAMES];
};

_Static_assert(sizeof(struct sp_unwinder) <= 160 * 1024, "memory bound");

// A frame on the way up: its registers by DWARF number, SP_REG_RA being the address where it continues.
struct sp_registers {
  uintptr_t registers[SP_REGISTERS];
  uint8_t kind; // enum sp_frame_kind of that address
  bool sp_is_bound; // after a step by frame pointer, unless SP_FP_GIVES_SP: the stack pointer is no lower than it says
};

enum sp_step {
  SP_STEP_DONE = 0, // the state is the caller's now
  SP_STEP_LANDING,  // likewise, and this may be no more than the place where an exception is going to land
  SP_STEP_END,      // there is no caller
  SP_STEP_NONE,     // no description of this code, or no frame pointer that could be one
  SP_STEP_BAD_CFI,
  SP_STEP_BAD_STACK,
  SP_STEP_NO_PROGRESS,
};

// The address that a frame's code is looked up by: a call may be the last instruction of its function.
static inline uintptr_t sp_lookup_address(const struct sp_registers *state) {
  return state->registers[SP_REG_RA] - (state->kind == SP_FRAME_RETURN);
}

// Loads a word of a stack. False if it is not aligned or cannot be read.
static inline bool sp_load(struct sp_unwinder *u, uintptr_t address, uintptr_t *value) {
  if (address & (sizeof *value - 1)) return false;
  if (address >= u->direct_low && address < u->direct_high) { // both are aligned
    *value = *(const volatile uintptr_t *)address;
    return true;
  }
  return sp_reader_copy(&u->reader, 0, address, value, sizeof *value);
}

// Begins a walk: what the walk before left is there for this one.
void sp_rows_begin(struct sp_unwinder *u);

// Has fetched into the processor's cache what the walk before left, and what leads to the row of the lookup address `leaf`.
void sp_rows_fetch(struct sp_unwinder *u, const struct sp_module *module, uintptr_t leaf);

// Goes up through the frames of one module as long as their rows are kept and plain and the stack is read directly, and
// writes those that it leaves to `frames`; and through all there are from where the walk before has been, if nothing that it went by has
// changed since. Returns how many, at most `capacity`; the state is that of the next one. Sets `end` if the last of them has no caller,
// and then the state is of no use.
uint32_t sp_walk_rows(struct sp_unwinder *u, const struct sp_module *module, struct sp_registers *state, struct sp_frame *frames,
                      uint32_t capacity, bool *end);

// Makes the row of a frame that has none yet. True: there is one now by which sp_walk_rows may go on.
bool sp_row_prepare(struct sp_unwinder *u, const struct sp_module *module, const struct sp_registers *state);

// Tells the rows that the next frame is not the caller of the last that they left.
static inline void sp_rows_gap(struct sp_unwinder *u) { u->fresh_length = u->fresh_from = 0; }

// One frame up by call frame information. The state is as it was on SP_STEP_NONE and SP_STEP_END, of no use after other
// failures; that goes for the other steps too.
enum sp_step sp_step_cfi(struct sp_unwinder *u, const struct sp_module *module, struct sp_registers *state);

// One frame up from code without a description that is known by its bytes: a PLT stub, a signal's return.
enum sp_step sp_step_known_code(struct sp_unwinder *u, const struct sp_module *module, struct sp_registers *state);

// One frame up from there to what the signal interrupted.
enum sp_step sp_step_signal(struct sp_unwinder *u, struct sp_registers *state);

// One frame up from code without a description by following its instructions to its return (x86-64). SP_STEP_DONE or
// SP_STEP_NONE; the state is as it was on that.
enum sp_step sp_step_code(struct sp_unwinder *u, const struct sp_module *module, struct sp_registers *state);

// Works out the frame pointer of a frame that has made a call, from what its function does to the stack up to there (x86-64).
// False if the function has none, or it cannot be told.
bool sp_code_frame_pointer(struct sp_unwinder *u, struct sp_registers *state);

// Keeps what was found out about a lookup address without a description, in place of its row: the rules, if they have the
// compact form; NULL: that nothing can be.
void sp_row_learn(struct sp_unwinder *u, const struct sp_module *module, uintptr_t address, const struct sp_rules *rules);

// Whether that is known.
bool sp_row_is_opaque(struct sp_unwinder *u, const struct sp_module *module, uintptr_t address);

// A walk that was lost above a frame of SP_STEP_LANDING may be taken up there again.
struct sp_landing {
  struct sp_registers state; // after that step
  uint32_t count;            // of the frames before it
  uint8_t tries;             // that are left; 0: there was no such frame, or there is nothing left to try
  uintptr_t next;            // where to search on
};

// Keeps the first such frame of a walk.
void sp_landing_note(struct sp_landing *landing, const struct sp_registers *state, uint32_t count);

// Sets the state to go on with; the last time it is the one that the walk was lost with before.
void sp_landing_retry(struct sp_unwinder *u, struct sp_landing *landing, struct sp_registers *state);

// One frame up by the frame pointer. SP_STEP_END where it is zero. `module` may be NULL.
enum sp_step sp_step_fp(struct sp_unwinder *u, const struct sp_module *module, struct sp_registers *state);

// The bytes of code around `address` (SP_CODE_BEFORE before it, SP_CODE_AFTER from it on). False if they cannot be read.
bool sp_read_code(struct sp_unwinder *u, const struct sp_module *module, uintptr_t address, uint8_t *code);

#endif
