#define _GNU_SOURCE // AT_EMPTY_PATH
#include "message.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "private_memory.h"
#include "raw_syscall.h"

static struct {
  bool known;
  dev_t device;
  ino_t inode;
} standard_error SP_HOT; // written at load only

// What descriptor 2 is open on, by the system call that the loader makes too: a filter of system calls allows it. False: nothing.
static bool look_at_descriptor(struct stat *s) { return sp_syscall4(SYS_newfstatat, 2, "", s, AT_EMPTY_PATH) == 0; }

void sp_message_init(void) {
  struct stat s;
  standard_error.known = look_at_descriptor(&s);
  if (!standard_error.known) return;
  standard_error.device = s.st_dev;
  standard_error.inode = s.st_ino;
}

// Writes to descriptor 2 without the signal that a closed pipe or the file-size limit would send: it is taken back before
// it can be delivered, unless one was pending already. Nothing is written where that would wait, as for the reader of a full pipe.
static void write_quietly(const char *bytes, size_t size) {
  const uint64_t signals = 1ull << (SIGPIPE - 1) | 1ull << (SIGXFSZ - 1);
  uint64_t mask = 0, pending = 0;
  struct timespec no_wait = {0, 0};
  struct pollfd output = {.fd = 2, .events = POLLOUT};
  if (sp_syscall5(SYS_ppoll, &output, 1, &no_wait, NULL, 0) == 0) return;
  sp_syscall4(SYS_rt_sigprocmask, SIG_BLOCK, &signals, &mask, sizeof mask);
  sp_syscall2(SYS_rt_sigpending, &pending, sizeof pending);
  long result = sp_syscall3(SYS_write, 2, bytes, size);
  uint64_t sent = signals & ~pending;
  if ((result == -EPIPE || result == -EFBIG) && sent != 0) sp_syscall4(SYS_rt_sigtimedwait, &sent, NULL, &no_wait, sizeof sent);
  sp_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
}

void sp_message(const char *const *parts, size_t count) {
  static const char prefix[] = "statprof: ";
  char line[1024];
  size_t length = sizeof prefix - 1;
  struct stat s;

  if (!standard_error.known || !sp_may_call(SYS_write) || !look_at_descriptor(&s)) return;
  if (s.st_dev != standard_error.device || s.st_ino != standard_error.inode) return;
  memcpy(line, prefix, length);
  for (size_t i = 0; i < count; i++) {
    for (const char *p = parts[i]; *p != 0 && length < sizeof line - 1; p++)
      line[length++] = ((unsigned char)*p < 0x20 || *p == 0x7f) ? '?' : *p;
  }
  line[length++] = '\n';
  write_quietly(line, length);
}

char *sp_decimal(char *buffer, uint64_t number) {
  char digits[SP_NUMBER_MAX];
  size_t n = 0;
  do {
    digits[n++] = (char)('0' + number % 10);
    number /= 10;
  } while (number != 0);
  for (size_t i = 0; i < n; i++) buffer[i] = digits[n - 1 - i];
  buffer[n] = 0;
  return buffer;
}

const char *sp_error_text(int error, char *buffer) {
  switch (error) {
  case ENOENT: return "no such folder";
  case EACCES: return "permission denied";
  case EPERM: return "not permitted";
  case ENOTDIR: return "not a folder";
  case EROFS: return "read-only file system";
  case ENOSPC: return "no space left";
  case EDQUOT: return "quota used up";
  case EFBIG: return "the file-size limit is reached";
  case ENAMETOOLONG: return "name too long";
  case EMFILE: return "too many open files";
  case ENFILE: return "too many open files in the system";
  case ELOOP: return "a symbolic link is in the way";
  case ENOMEM: return "out of memory";
  case EIO: return "input/output error";
  default: {
    memcpy(buffer, "error ", 6);
    sp_decimal(buffer + 6, (uint64_t)error);
    return buffer;
  }
  }
}
