#define _GNU_SOURCE
#include "maps.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "apart.h"
#include "raw_syscall.h"

// A list that is being read.
struct maps {
  int fd;
  char *buffer;
  size_t capacity, position, length;
  bool (*visit)(const struct sp_maps_entry *entry, void *context);
  void *context;
};

// Opens the list of the process, which emulators of user programs know to give for theirs. It is empty once the first thread has ended;
// then that of this thread.
static bool open_list(struct maps *maps) {
  static const char *const names[] = {"/proc/self/maps", "/proc/thread-self/maps"};
  for (unsigned i = 0; i < 2; i++) {
    long fd = sp_syscall4(SYS_openat, AT_FDCWD, names[i], O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) continue;
    long got = sp_syscall3(SYS_read, fd, maps->buffer, maps->capacity);
    maps->fd = (int)fd;
    maps->length = got > 0 ? (size_t)got : 0;
    if (got > 0) return true;
    sp_syscall1(SYS_close, fd);
  }
  return false;
}

// The end of the line at `position` (its '\n', replaced by NUL), read as far as needed; NULL at the end of the file.
static char *whole_line(struct maps *maps) {
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

// Reads the next line: start-end perms offset major:minor inode   path
static bool next(struct maps *maps, struct sp_maps_entry *entry) {
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

static void read_list(void *argument) {
  struct maps *maps = argument;
  struct sp_maps_entry entry;
  if (!open_list(maps)) return;
  while (next(maps, &entry) && maps->visit(&entry, maps->context)) continue;
  sp_syscall1(SYS_close, maps->fd);
}

void sp_maps_visit(char *buffer, size_t capacity, bool (*visit)(const struct sp_maps_entry *entry, void *context), void *context) {
  struct maps maps = {.buffer = buffer, .capacity = capacity, .visit = visit, .context = context};
  sp_apart(read_list, &maps);
}
