// Records into chunks of the trace: one writer fills one chunk at a time. Chunks grow with what the writer has written, so that
// what is left free at the end is a small part of it.
//
// A writer belongs to one thread (its handler) or is guarded by a lock (events.c); nothing is shared between writers but the
// file's end. What was committed is in the page cache and survives the process. Async-signal-safe, no allocation; memory is
// the mapped chunk, at most SP_CHUNK_MAX bytes a writer.
#ifndef SP_RECORD_WRITER_H
#define SP_RECORD_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "statprof_trace.h"

// The first chunk of a trace's first writer, which also says what was run; the first one of the others.
#define SP_CHUNK_FIRST (8 * 1024)
#define SP_CHUNK_MIN (4 * 1024)
#define SP_CHUNK_MAX (64 * 1024)
#define SP_CHUNK_GROWTH 8 // a chunk is this part of what its writer has so far
// The longest record, and the most that sp_writer_reserve may be asked for.
#define SP_RECORD_MAX 4000
// The most that one varint takes.
#define SP_VARINT_MAX 10
// The most that a sample takes.
#define SP_SAMPLE_MAX (3 + 4 * SP_VARINT_MAX)

struct sp_writer {
  struct sp_chunk_header *chunk; // NULL: none yet
  uint32_t chunk_size;
  uint32_t used;      // payload bytes that were encoded
  uint32_t committed; // of them, bytes that a reader sees
  uint32_t crc;       // of those
  uint32_t record;    // where the open length-prefixed record begins
  uint32_t number;    // of the writer; 0: not a writer yet
  uint32_t tid;
  uint32_t sequence; // of the next chunk
  uint64_t size;      // of all its chunks so far
  uint32_t next_node; // number of the next stack node that is defined
  uint32_t path, path_end; // where the path of this chunk that was written last begins and ends; 0: none
  uint32_t timer_period;   // of the thread's timer now, nanoseconds; 0: it has none
  // What a sample is written as the difference to, see the format.
  struct sp_sample_state {
    uint64_t time;
    uint64_t weight;
    uint64_t left_over; // nanoseconds
    uint32_t stacks[1 << SP_SAMPLE_LOW_BITS];
    uint8_t kind;
  } last;
  uint64_t chunk_agent_ns; // the agent's time while this chunk was open
};

// Makes `writer` a new writer for thread `tid`. Opens nothing yet.
void sp_writer_init(struct sp_writer *writer, uint32_t tid);

// Makes sure that a record of `size` bytes fits, in a new chunk if need be. 0, or the reason (enum sp_loss) + 1 why not.
uint32_t sp_writer_reserve(struct sp_writer *writer, uint32_t size, uint64_t now);

// Has the place of the next record fetched into the processor's cache.
void sp_writer_fetch(const struct sp_writer *writer);

// How many bytes still fit into the chunk.
uint32_t sp_writer_room(const struct sp_writer *writer);

// Lets readers see what was encoded since the last commit.
void sp_writer_commit(struct sp_writer *writer);

// Gives the chunk's memory back; the writer must not be used again.
void sp_writer_close(struct sp_writer *writer);

// Where the next byte goes, and that what lies before `end` was put there.
uint8_t *sp_writer_place(const struct sp_writer *writer);
void sp_writer_skip_to(struct sp_writer *writer, const uint8_t *end);

// Encoding; the room was reserved.
void sp_put_byte(struct sp_writer *writer, uint8_t byte);
// Changes a byte that was put and is not committed.
void sp_set_byte(struct sp_writer *writer, uint32_t at, uint8_t byte);
void sp_put_varint(struct sp_writer *writer, uint64_t value);
// A difference, modulo 2^64, in zigzag form.
uint64_t sp_zigzag(uint64_t difference);
void sp_put_zigzag(struct sp_writer *writer, uint64_t difference);
void sp_put_bytes(struct sp_writer *writer, const void *bytes, uint32_t size);
// Length, then bytes.
void sp_put_string(struct sp_writer *writer, const void *bytes, uint32_t size);
// A length-prefixed record: its fields are put between the two.
void sp_record_begin(struct sp_writer *writer, enum sp_record kind);
void sp_record_end(struct sp_writer *writer);

#endif
