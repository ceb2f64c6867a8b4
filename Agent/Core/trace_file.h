// The trace file: made at the first tick, grown by one chunk at a time, never held open.
//
// No descriptor is kept, so that a program that closes or counts its descriptors sees none of ours: the file is opened
// again for each chunk, apart (apart.h), and used only if it is still the same file. Space is allocated before it is mapped and written, so
// that a full disk or a file-size limit is an error code here and not a signal in the program.
// Async-signal-safe, no allocation; memory: the mapped header page. Any thread may ask for chunks at the same time.
#ifndef SP_TRACE_FILE_H
#define SP_TRACE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "statprof_trace.h"

// Makes the file for this process and writes its header. False: there will be no trace, and one line on stderr said why.
// Called by one thread, once a process.
bool sp_trace_create(void);

// A new chunk of `size` bytes, zeroed, mapped at *memory. 0, or the reason (enum sp_loss) + 1 why there is none.
uint32_t sp_trace_new_chunk(uint32_t size, void **memory);

// Unmaps a chunk.
void sp_trace_release(void *memory, uint32_t size);

// Number for a new writer, from 1.
uint32_t sp_trace_new_writer(void);

// First eight bytes of the trace's id.
uint64_t sp_trace_tag(void);

// The live block; NULL before the file is made.
struct sp_live *sp_trace_live(void);

// Counts samples, or threads, that are lost for `reason` and cannot be written as a record.
void sp_trace_lost(uint32_t reason, uint64_t count, uint64_t cpu);

// The file's path, for messages.
const char *sp_trace_path(void);

// In a forked child: the file was the parent's; forget it.
void sp_trace_forked(void);

#endif
