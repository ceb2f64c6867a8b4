#define _GNU_SOURCE
#include "maps.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "descriptors.h"
#include "raw_syscall.h"

void sp_maps_close(struct sp_maps *maps) { sp_descriptor_close(maps->fd); }

// The list of the process, which emulators of user programs know to give for theirs. It is empty once the first thread has ended;
// then that of this thread.
bool sp_maps_open(struct sp_maps *maps, char *buffer, size_t capacity) {
  static const char *const names[] = {"/proc/self/maps", "/proc/thread-self/maps"};
  for (unsigned i = 0; i < 2; i++) {
    long fd = sp_descriptor_open(sp_syscall4(SYS_openat, AT_FDCWD, names[i], SP_PROC_FLAGS, 0));
    if (fd < 0) continue;
    long got = sp_syscall3(SYS_read, fd, buffer, capacity);
    *maps = (struct sp_maps){.fd = (int)fd, .buffer = buffer, .capacity = capacity, .position = 0, .length = got > 0 ? (size_t)got : 0};
    if (got > 0) return true;
    sp_maps_close(maps);
  }
  return false;
}

// The end of the line at `position` (its '\n', replaced by NUL), read as far as needed; NULL at the end of the file.
static char *whole_line(struct sp_maps *maps) {
  size_t searched = maps->position;
  for (;;) {
    for (; searched < maps->length; searched++) {
      if (maps->buffer[searched] != '\n') continue;
      maps->buffer[searched] = '\0';
      return maps->buffer + searched;
    }
    if (maps->position > 0) {
      memmove(maps->buffer, maps->buffer + maps->position, maps->length - maps->position);
      maps->length -= maps->position;
      searched -= maps->position;
      maps->position = 0;
    }
    if (maps->length == maps->capacity) return NULL;
    long got = sp_syscall3(SYS_read, maps->fd, maps->buffer + maps->length, maps->capacity - maps->length);
    if (got == -EINTR) continue;
    if (got <= 0) return NULL;
    maps->length += (size_t)got;
  }
}

// Reads a number and the one character after it.
static bool number(const char **at, unsigned base, char after, uint64_t *value) {
  const char *p = *at;
  uint64_t result = 0;
  for (;; p++) {
    unsigned digit;
    if (*p >= '0' && *p <= '9') digit = (unsigned)(*p - '0');
    else if (*p >= 'a' && *p <= 'f') digit = (unsigned)(*p - 'a') + 10;
    else break;
    if (digit >= base) return false;
    result = result * base + digit;
  }
  if (p == *at || (*p != after && !(after == ' ' && *p == '\0'))) return false;
  *at = *p == '\0' ? p : p + 1;
  *value = result;
  return true;
}

// start-end perms offset major:minor inode   path
bool sp_maps_next(struct sp_maps *maps, struct sp_maps_entry *entry) {
  char *end = whole_line(maps);
  if (end == NULL) return false;
  const char *p = maps->buffer + maps->position;
  maps->position = (size_t)(end - maps->buffer) + 1;
  uint64_t start, stop, device;
  if (!number(&p, 16, '-', &start) || !number(&p, 16, ' ', &stop)) return false;
  if (end - p < 5) return false;
  entry->readable = p[0] == 'r';
  entry->writable = p[1] == 'w';
  entry->executable = p[2] == 'x';
  p += 5;
  if (!number(&p, 16, ' ', &entry->offset) || !number(&p, 16, ':', &device) || !number(&p, 16, ' ', &device)) return false;
  if (!number(&p, 10, ' ', &entry->inode)) return false;
  while (*p == ' ') p++;
  entry->start = start;
  entry->end = stop;
  entry->path = p;
  return true;
}
