// What is said once a process, with its first sample: what was run, and the marks that were set before there was a file.
//
// Memory: PENDING_MARKS marks of some 100 bytes in .bss; further ones are left out.
#ifndef SP_INTRODUCTION_H
#define SP_INTRODUCTION_H

#include <stdbool.h>
#include <stdint.h>

#include "record_writer.h"

// By the thread whose sample is the first of the process. Does nothing the second time. Async-signal-safe.
void sp_introduction_write(struct sp_writer *writer, uint64_t now);
// Whether a thread has begun to, and has not come to the end.
bool sp_introduction_under_way(void);

// Keeps a mark for the file, which a process that uses no tick never has.
void sp_introduction_keep_mark(const char *name);
void sp_introduction_forget_marks(void);

// In a forked child.
void sp_introduction_forked(void);

#endif
