#define _GNU_SOURCE // environ, program_invocation_short_name
#include "output_name.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "agent.h"
#include "message.h"
#include "raw_syscall.h"
#include "statprof_trace.h"

#define NAME_MAX_SHOWN 64
#define TRIES 1000
#define NUMBER_MAX (1u << 24)

bool sp_output_pattern_has_pid(const char *pattern) {
  for (const char *p = pattern; *p != 0; p++) {
    if (*p != '%' || p[1] == 0) continue;
    if (p[1] == 'p') return true;
    p++;
  }
  return false;
}

// A text that grows in a fixed buffer.
struct text {
  char *bytes;
  size_t length, capacity;
  bool cut;
};

// Appends `size` bytes, or notes that they do not fit.
static void append(struct text *t, const char *piece, size_t size) {
  if (t->length + size >= t->capacity) {
    t->cut = true;
    return;
  }
  memcpy(t->bytes + t->length, piece, size);
  t->length += size;
  t->bytes[t->length] = 0;
}

// Appends a number in decimal.
static void append_number(struct text *t, uint64_t number) {
  char digits[SP_NUMBER_MAX];
  sp_decimal(digits, number);
  append(t, digits, strlen(digits));
}

// Appends what %e stands for; a slash in it would name another folder.
static void append_program_name(struct text *t) {
  const char *name = program_invocation_short_name;
  size_t before = t->length;
  for (size_t i = 0; name != NULL && name[i] != 0 && i < NAME_MAX_SHOWN; i++) append(t, name[i] == '/' ? "_" : name + i, 1);
  if (t->length == before) append(t, "program", 7);
}

// Appends the pattern with its %p, %e and %% replaced; another % stands for itself.
static void expand(struct text *t, const char *pattern) {
  for (const char *p = pattern; *p != 0; p++) {
    if (p[0] == '%' && p[1] == 'p') append_number(t, sp_agent.pid), p++;
    else if (p[0] == '%' && p[1] == 'e') append_program_name(t), p++;
    else if (p[0] == '%' && p[1] == '%') append(t, "%", 1), p++;
    else append(t, p, 1);
  }
}

// Whether the file that has the name already may be replaced: an empty file, or a trace that an earlier run left.
// 0: yes; 1: it belongs to this run; else -errno, with a reason.
static long earlier_run(const char *path, const char **reason) {
  struct stat s;
  struct sp_file_header header;
  long result = sp_syscall4(SYS_newfstatat, AT_FDCWD, path, &s, AT_SYMLINK_NOFOLLOW);
  if (result != 0) return result;
  if (!S_ISREG(s.st_mode)) {
    *reason = S_ISLNK(s.st_mode) ? "a symbolic link is in the way" : "there is something that is not a file";
    return -EEXIST;
  }
  if (s.st_size == 0) return 0;
  long fd = sp_syscall3(SYS_openat, AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return fd;
  result = sp_syscall3(SYS_read, fd, &header, sizeof header);
  sp_syscall1(SYS_close, fd);
  if (result < SP_TRACE_MAGIC_SIZE || memcmp(header.magic, SP_TRACE_MAGIC, SP_TRACE_MAGIC_SIZE) != 0) {
    *reason = "there is a file that is not a trace";
    return -EEXIST;
  }
  return result == sizeof header && memcmp(header.session_id, sp_agent.session_id, sizeof header.session_id) == 0;
}

// Makes the name's end `.number`, after its first `stem` bytes; 0: no such end.
static void set_number(struct text *name, size_t stem, unsigned number) {
  name->length = stem;
  name->bytes[stem] = 0;
  if (number == 0) return;
  append(name, ".", 1);
  append_number(name, number);
}

// Whether there is a file of the name with a number.
static bool taken(struct text *name, size_t stem, unsigned number) {
  struct stat s;
  set_number(name, stem, number);
  return sp_syscall4(SYS_newfstatat, AT_FDCWD, name->bytes, &s, AT_SYMLINK_NOFOLLOW) == 0;
}

// A number that is free, and the one before is not: a process may have been thousands of programs.
static unsigned first_free(struct text *name, size_t stem) {
  unsigned low = 0, high = 1;
  while (high < NUMBER_MAX && taken(name, stem, high)) low = high, high *= 2;
  while (high - low > 1) {
    unsigned middle = low + (high - low) / 2;
    if (taken(name, stem, middle)) low = middle;
    else high = middle;
  }
  return high;
}

long sp_output_open(char *path, const char **reason) {
  struct text name = {.bytes = path, .capacity = SP_OUTPUT_PATH_MAX};
  bool as_written = sp_agent.owned_pattern && sp_agent.first_process;
  path[0] = 0;
  expand(&name, sp_agent.pattern);
  if (sp_agent.owned_pattern && !sp_agent.first_process) {
    append(&name, ".", 1);
    append_number(&name, sp_agent.pid);
  }
  size_t stem = name.length;

  unsigned number = 0; // of the name; 0: none
  for (unsigned n = 0; n < TRIES; n++) {
    set_number(&name, stem, number);
    if (name.cut) return -ENAMETOOLONG;
    for (unsigned again = 0; again < 2; again++) {
      long fd = sp_syscall4(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
      if (fd != -EEXIST) return fd;
      if (number > 0 || !as_written) break;
      long found = earlier_run(path, reason);
      if (found < 0) return found;
      if (found == 1) break;
      long result = sp_syscall3(SYS_unlinkat, AT_FDCWD, path, 0);
      if (result != 0 && result != -ENOENT) return result;
    }
    // Another process may have taken what was free.
    number = number == 0 ? first_free(&name, stem) : number + 1;
  }
  return -EEXIST;
}
