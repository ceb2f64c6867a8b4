// One thread's table of stacks: (caller, frame) nodes, each written to the trace once.
//
// Nodes are found by hash and told apart by comparison. Memory: at most SP_STACK_NODES_MAX nodes of 24 bytes and twice as
// many 4-byte hash places, 4 MB; a full table forgets everything and starts over, so that nothing is lost, only
// written again. Async-signal-safe; growing maps memory and copies at most that much.
#ifndef SP_STACK_TABLE_H
#define SP_STACK_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "record_writer.h"
#include "stack_unwind.h"

#define SP_STACK_NODES_MAX (128 * 1024)

struct sp_stack_node {
  uint32_t parent; // number of the caller's node, 0: none
  uint32_t where;  // module number << 3 | enum sp_frame_kind
  uint64_t address;
};

struct sp_stack_table {
  struct sp_stack_node *nodes;
  uint32_t *places; // hash places: 1 + position in `nodes`, 0: free
  uint32_t capacity;
  uint32_t count;
  uint32_t base; // number of nodes[0]
  // The stack before: its frames' node numbers, outermost first, for a quick way through a common part.
  uint32_t previous_depth;
  uint32_t previous[SP_MAX_FRAMES];
};

// False: no memory.
bool sp_stack_table_init(struct sp_stack_table *table);
void sp_stack_table_release(struct sp_stack_table *table);

// The number of the node that stands for `frames` (innermost first, `depth` of them), the new ones of which are written by
// `writer`; 0 for no frames. *failure is 0, or the reason + 1 (enum sp_loss) why a node could not be written, and then the
// number is of no use.
uint32_t sp_stack_table_intern(struct sp_stack_table *table, struct sp_writer *writer, const struct sp_frame *frames, uint32_t depth,
                               uint64_t now, uint32_t *failure);

#endif
