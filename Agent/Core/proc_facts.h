// Facts about the process from /proc and the kernel, gathered once, at the first tick. Async-signal-safe.
#ifndef SP_PROC_FACTS_H
#define SP_PROC_FACTS_H

#include <stddef.h>
#include <stdint.h>

// What tells this process from every other, on this boot; what cannot be had is 0.
struct sp_proc_identity {
  uint32_t parent_pid;
  uint64_t start_time_ticks; // clock ticks after boot
  uint64_t parent_start_time_ticks;
  uint64_t pid_namespace;
  uint8_t boot_id[16];
  uint16_t cpu_count;
};

void sp_proc_identity(struct sp_proc_identity *identity);

// Fills `bytes` with random ones from the kernel.
void sp_random(void *bytes, size_t size);

// Reads at most `size` bytes of a small file. Returns how many, or -errno.
long sp_read_file(const char *path, void *bytes, size_t size);

// The target of a symbolic link, NUL-terminated. Returns its length, or -errno.
long sp_read_link(const char *path, char *target, size_t size);

#endif
