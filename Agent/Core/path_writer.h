// Writes stack nodes into a trace: the frames of a path in a few bits each (SP_RECORD_PATH).
//
// Call stacks repeat themselves. What was written in the chunk before says what comes next, as the format has it; the reader
// keeps the same table. Async-signal-safe. Memory: struct sp_path_writer, 52 KB a thread, touched as frames are written;
// 4 KB are cleared with each chunk.
#ifndef SP_PATH_WRITER_H
#define SP_PATH_WRITER_H

#include <stdint.h>

#include "record_writer.h"
#include "stack_unwind.h"

// A frame in the format's table.
struct sp_path_entry {
  uint64_t address; // from its module's start
  uint32_t where;   // module number << 3 | enum sp_frame_kind
  uint16_t count;   // of those that may follow it
  uint16_t next[SP_PATH_FOLLOWERS];
};

#define SP_PATH_INDEX_BITS 11

// Zeroed memory is a valid first state.
struct sp_path_writer {
  uint32_t chunk; // 1 + sequence of the chunk that the rest is about
  uint32_t count; // frames that went into the table
  // The frame before: where it is in the table, 1 + place, 0 for none; and itself, its place may have been taken.
  uint32_t last_place, last_where;
  uint64_t last_address;
  // Finds a frame: 1 + its place in the table, by hash; 0: free.
  uint16_t index[1 << SP_PATH_INDEX_BITS];
  struct sp_path_entry table[SP_PATH_TABLE];
};

// Writes `count` nodes, each the caller of the next: frames[-1], frames[-2], ... in an array that is innermost first. The first
// one's caller is the node `parent` (0: none). Their numbers are the writer's next ones. Records of modules that are new to the trace go
// before. Returns how many were written; *failure is the reason + 1 (enum sp_loss) if not all of them.
uint32_t sp_path_write(struct sp_path_writer *path, struct sp_writer *writer, uint32_t parent, const struct sp_frame *frames, uint32_t count,
                       uint64_t now, uint32_t *failure);

#endif
