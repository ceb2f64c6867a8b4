#include "descriptors.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "private_memory.h"
#include "raw_syscall.h"

#define PLACES 64
// How often, and for how long, a fork waits.
#define PAUSES 50
#define PAUSE_NS 100000
// Where to look for one that was not noted. The kernel gives the lowest number that is free.
#define SEARCHED 4096

static _Atomic int held[PLACES] SP_HOT; // number + 1; 0: free
static _Atomic int opening SP_HOT;      // threads between the open and its note

void sp_descriptor_opening(void) { atomic_fetch_add(&opening, 1); }

long sp_descriptor_opened(long fd) {
  for (int i = 0; !sp_syscall_failed(fd) && i < PLACES; i++) {
    int none = 0;
    if (atomic_load_explicit(&held[i], memory_order_relaxed) == 0 && atomic_compare_exchange_strong(&held[i], &none, (int)fd + 1)) break;
  }
  atomic_fetch_sub(&opening, 1);
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

void sp_descriptors_fork(void) {
  static const struct timespec pause = {0, PAUSE_NS};
  for (int i = 0; i < PAUSES && atomic_load(&opening) != 0; i++) sp_syscall2(SYS_nanosleep, &pause, NULL);
}

// Whether a descriptor was opened with the flags for /proc.
static bool reads_proc(int fd) {
  const long shown = SP_PROC_FLAGS & ~(O_CLOEXEC | O_NOCTTY);
  long flags = sp_syscall2(SYS_fcntl, fd, F_GETFL);
  return !sp_syscall_failed(flags) && (flags & (shown | O_ACCMODE)) == shown;
}

void sp_descriptors_forked(bool (*is_trace)(int fd)) {
  for (int i = 0; i < PLACES; i++) {
    int fd = atomic_exchange(&held[i], 0) - 1;
    if (fd >= 0) sp_syscall1(SYS_close, fd);
  }
  if (atomic_exchange(&opening, 0) == 0) return;
  for (int fd = 0; fd < SEARCHED; fd++)
    if (reads_proc(fd) || is_trace(fd)) sp_syscall1(SYS_close, fd);
}
