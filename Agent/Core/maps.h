// /proc/self/maps, read by raw system calls into the caller's buffer.
//
// Async-signal-safe. Memory: the buffer (at least SP_MAPS_BUFFER_MIN bytes, so that a line with the longest path
// fits).
#ifndef SP_MAPS_H
#define SP_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SP_MAPS_BUFFER_MIN 4608

struct sp_maps_entry {
  uintptr_t start, end;
  uint64_t offset, inode;
  bool readable, writable, executable;
  const char *path; // NUL-terminated, "" if none; in the buffer, valid until the next mapping
};

// Calls `visit` with one mapping after the other, by rising address, up to the end, to a line that is not understood, or until it returns
// false; with none if there is no /proc or no descriptor to be had. It runs apart (apart.h).
void sp_maps_visit(char *buffer, size_t capacity, bool (*visit)(const struct sp_maps_entry *entry, void *context), void *context);

#endif
