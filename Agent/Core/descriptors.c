#include "descriptors.h"

#include <stdatomic.h>

#include "private_memory.h"
#include "raw_syscall.h"

#define PLACES 64

static _Atomic int held[PLACES] SP_HOT; // number + 1; 0: free

long sp_descriptor_opened(long fd) {
  if (sp_syscall_failed(fd)) return fd;
  for (int i = 0; i < PLACES; i++) {
    int none = 0;
    if (atomic_load_explicit(&held[i], memory_order_relaxed) == 0 && atomic_compare_exchange_strong(&held[i], &none, (int)fd + 1)) break;
  }
  return fd;
}

// Forgotten first: once it is closed its number may be the program's.
void sp_descriptor_close(long fd) {
  for (int i = 0; i < PLACES; i++) {
    if (atomic_load_explicit(&held[i], memory_order_relaxed) != (int)fd + 1) continue;
    atomic_store(&held[i], 0);
    break;
  }
  sp_syscall1(SYS_close, fd);
}

void sp_descriptors_forked(void) {
  for (int i = 0; i < PLACES; i++) {
    int fd = atomic_exchange(&held[i], 0) - 1;
    if (fd >= 0) sp_syscall1(SYS_close, fd);
  }
}
