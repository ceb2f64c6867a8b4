// What is said once a process, with its first sample: what was run, and the marks that were set before there was a file.
//
// Memory: PENDING_MARKS marks of some 100 bytes in .bss; further ones are left out.
#ifndef SP_INTRODUCTION_H
#define SP_INTRODUCTION_H

#include <stdbool.h>
#include <stdint.h>

#include "record_writer.h"

// By the thread whose sample is the first of the process. Does nothing the second time; `again`: unless the first has not come to its
// end, and may never, as the process is about to. What was run is read the same from two. Async-signal-safe.
void sp_introduction_write(struct sp_writer *writer, uint64_t now, bool again);

// Keeps a mark for the file, which a process that uses no tick never has.
void sp_introduction_keep_mark(const char *name);
void sp_introduction_forget_marks(void);

// In a forked child.
void sp_introduction_forked(void);

#endif
