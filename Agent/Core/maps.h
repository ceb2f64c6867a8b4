// /proc/self/maps, read by raw system calls into the caller's buffer.
//
// Async-signal-safe. Memory: the buffer (at least SP_MAPS_BUFFER_MIN bytes, so that a line with the longest path
// fits). One file descriptor is open between sp_maps_open and sp_maps_close.
#ifndef SP_MAPS_H
#define SP_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SP_MAPS_BUFFER_MIN 4608

struct sp_maps {
  int fd;
  char *buffer;
  size_t capacity, position, length;
};

struct sp_maps_entry {
  uintptr_t start, end;
  uint64_t offset, inode;
  bool readable, writable, executable;
  const char *path; // NUL-terminated, "" if none; in the buffer, valid until the next call
};

// Opens the list of mappings. False if there is no /proc or no descriptor to be had.
bool sp_maps_open(struct sp_maps *maps, char *buffer, size_t capacity);

// Reads the next mapping; they come by rising address. False at the end, or when a line is not understood.
bool sp_maps_next(struct sp_maps *maps, struct sp_maps_entry *entry);

void sp_maps_close(struct sp_maps *maps);

#endif
