// Writes stack nodes into a trace: the frames of a path in a few bytes each (SP_RECORD_PATH).
//
// Call stacks repeat themselves. What was written in the chunk before predicts what comes next, as the format says it; the reader
// keeps the same tables. Async-signal-safe. Memory: struct sp_path_writer, 3 KB a thread, cleared with each chunk.
#ifndef SP_PATH_WRITER_H
#define SP_PATH_WRITER_H

#include <stdint.h>

#include "record_writer.h"
#include "stack_unwind.h"

// A frame that is remembered. One whose address needs more than 32 bits is not, and so never named by what came before.
struct sp_path_frame {
  uint32_t address; // from its module's start
  uint32_t where;   // module number << 3 | enum sp_frame_kind
};

// Zeroed memory is a valid first state.
struct sp_path_writer {
  uint32_t chunk; // 1 + sequence of the chunk that the rest is about
  uint64_t last_address;
  uint32_t last_where;
  struct sp_path_frame recent[1 << SP_PATH_RECENT_BITS];
  struct sp_path_frame predicted[1 << SP_PATH_PREDICTED_BITS];
};

// Writes `count` nodes, each the caller of the next: frames[-1], frames[-2], ... in an array that is innermost first. The first
// one's caller is the node `parent` (0: none). Their numbers are the writer's next ones. Records of modules that are new to the trace go
// before. Returns how many were written; *failure is the reason + 1 (enum sp_loss) if not all of them.
uint32_t sp_path_write(struct sp_path_writer *path, struct sp_writer *writer, uint32_t parent, const struct sp_frame *frames, uint32_t count,
                       uint64_t now, uint32_t *failure);

#endif
