// One thread's table of stacks: (caller, frame) nodes, each written to the trace once.
//
// A node is found by a hash of the whole path to it, which is known before any of the path is looked up, so that the memory
// of all its nodes is on its way at once; it is told from others by comparison. Memory: 12 KB of places of 24 bytes, and larger tables as
// nodes come, up to SP_STACK_PLACES_MAX, 1.5 MB; a full one forgets everything and starts over, so that nothing is lost, only written again.
// Async-signal-safe; growing maps memory and copies at most that much.
#ifndef SP_STACK_TABLE_H
#define SP_STACK_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "path_writer.h"
#include "record_writer.h"
#include "stack_unwind.h"

#define SP_STACK_PLACES_FIRST 512
#define SP_STACK_PLACES_MAX (64 * 1024)

// A place of the hash table, and the node in it; number 0: free.
struct sp_stack_place {
  uint64_t address;
  uint32_t where;  // module number << 3 | enum sp_frame_kind
  uint32_t parent; // number of the caller's node, 0: none
  uint32_t number;
  uint32_t hash; // of the path
};

// A frame of the stack before, its node's number and the path's hash.
struct sp_stack_step {
  uint64_t address;
  uint32_t where;
  uint32_t number;
  uint32_t hash;
};

// What every tick uses comes first.
struct sp_stack_table {
  struct sp_stack_place *places; // NULL before the first stack
  uint32_t capacity; // places, a power of two
  uint32_t count;    // nodes
  uint32_t previous_depth;
  struct sp_path_writer path;
  struct sp_stack_place first_places[SP_STACK_PLACES_FIRST];
  // The stack before, outermost first, for a quick way through a common part.
  struct sp_stack_step previous[SP_MAX_FRAMES];
};

// Zeroed memory is a valid first state.
void sp_stack_table_release(struct sp_stack_table *table);

// Has what is known of the stack before fetched into the processor's cache.
void sp_stack_table_fetch(const struct sp_stack_table *table);

// The number of the node that stands for `frames` (innermost first, `depth` of them), the new ones of which are written by
// `writer`; 0 for no frames. *failure is 0, or the reason + 1 (enum sp_loss) why a node could not be written, and then the
// number is of no use. `same`: so many of the outermost are known to be those of the stack before.
uint32_t sp_stack_table_intern(struct sp_stack_table *table, struct sp_writer *writer, const struct sp_frame *frames, uint32_t depth,
                               uint32_t same, uint64_t now, uint32_t *failure);

#endif
