#include "proc_facts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "agent.h"
#include "message.h"
#include "raw_syscall.h"

long sp_read_file(const char *path, void *bytes, size_t size) {
  long fd = sp_syscall3(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fd;
  long result = sp_syscall3(SYS_read, fd, bytes, size);
  sp_syscall1(SYS_close, fd);
  return result;
}

long sp_read_link(const char *path, char *target, size_t size) {
  long length = sp_syscall4(SYS_readlinkat, AT_FDCWD, path, target, size - 1);
  if (length >= 0) target[length] = 0;
  return length;
}

// Fields 4 (parent) and 22 (start time) of /proc/PID/stat, see proc(5).
static bool read_stat(const char *path, uint32_t *parent, uint64_t *start) {
  char text[512];
  long length = sp_read_file(path, text, sizeof text - 1);
  if (length <= 0) return false;
  text[length] = 0;
  char *p = strrchr(text, ')'); // the name before it may hold anything
  if (p == NULL) return false;
  uint64_t fields[23] = {0};
  unsigned field = 2;
  for (p++; *p != 0 && field < 22; p++) {
    if (*p == ' ') field++;
    else if (*p >= '0' && *p <= '9') fields[field] = fields[field] * 10 + (uint64_t)(*p - '0');
  }
  // The loop ended at the first digit of field 22.
  if (field != 22) return false;
  for (; *p >= '0' && *p <= '9'; p++) fields[22] = fields[22] * 10 + (uint64_t)(*p - '0');
  *parent = (uint32_t)fields[4];
  *start = fields[22];
  return true;
}

// The boot id's 32 digits as bytes; zeros if it cannot be had.
static void read_boot_id(uint8_t id[16]) {
  char text[40];
  unsigned digits = 0;
  long length = sp_read_file("/proc/sys/kernel/random/boot_id", text, sizeof text);
  for (long i = 0; i < length && digits < 32; i++) {
    char c = text[i];
    int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (value < 0) continue;
    id[digits / 2] = (uint8_t)(id[digits / 2] << 4 | value);
    digits++;
  }
}

// How many processors the process may run on; 0 if the kernel does not say.
static uint16_t count_processors(void) {
  uint64_t mask[128]; // 8192 processors, the most that a kernel is built for
  long size = sp_syscall3(SYS_sched_getaffinity, 0, sizeof mask, mask);
  uint32_t count = 0;
  for (long i = 0; i < size / 8; i++) count += (uint32_t)__builtin_popcountll(mask[i]);
  return (uint16_t)count;
}

void sp_proc_identity(struct sp_proc_identity *identity) {
  memset(identity, 0, sizeof *identity);
  if (!read_stat("/proc/self/stat", &identity->parent_pid, &identity->start_time_ticks))
    identity->parent_pid = (uint32_t)sp_syscall0(SYS_getppid);
  char path[48] = "/proc/";
  sp_decimal(path + 6, identity->parent_pid);
  strcat(path, "/stat");
  uint32_t grandparent;
  if (identity->parent_pid != 0) read_stat(path, &grandparent, &identity->parent_start_time_ticks);
  struct stat s;
  if (sp_syscall4(SYS_newfstatat, AT_FDCWD, "/proc/self/ns/pid", &s, 0) == 0) identity->pid_namespace = s.st_ino;
  read_boot_id(identity->boot_id);
  identity->cpu_count = count_processors();
}

void sp_random(void *bytes, size_t size) {
  if (sp_syscall3(SYS_getrandom, bytes, size, 0) == (long)size) return;
  // A kernel before 3.17, or a filter: clocks and the process id make the ids differ, which is all that they are for.
  uint64_t state = sp_monotonic_ns() ^ sp_process_cpu_ns() << 20 ^ (uint64_t)sp_agent.pid << 40;
  for (size_t i = 0; i < size; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    ((uint8_t *)bytes)[i] = (uint8_t)(state >> 56);
  }
}
