// Memory of the agent's own, by plain system calls: async-signal-safe, and nothing of it in the program's heap.
//
// A forked child does not get it (it has a trace and tables of its own), so that fork() copies none of it and neither
// process pays for a copy when it writes. What points to it must be forgotten in the child.
#ifndef SP_PRIVATE_MEMORY_H
#define SP_PRIVATE_MEMORY_H

#include <stddef.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 // in older headers it is not
#endif

// What load writes goes beside the library's initialized data, into a page that the loader has written to already: a short
// process pays for each page that is touched.
#define SP_HOT __attribute__((section(".data")))

#define SP_PAGE_SIZE_MIN 4096 // of any kernel

// Zeroed memory, which costs only what of it is touched. NULL: there is none.
void *sp_private_map(size_t size);
// The same, but forked children get it.
void *sp_private_map_inherited(size_t size);
void sp_private_unmap(void *memory, size_t size);

// Has pages made that will be written, whole ones from the one on that `memory` lies in. One that is read first and then written costs two
// faults, the second of which interrupts every processor that runs a thread of the process.
void sp_private_populate(void *memory, size_t size);

// Keeps memory that was mapped otherwise from forked children.
void sp_private_keep(void *memory, size_t size);

#endif
