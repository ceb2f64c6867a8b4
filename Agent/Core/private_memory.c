#include "private_memory.h"

#include <stdint.h>

#include "raw_syscall.h"

void *sp_private_map_inherited(size_t size) {
  long memory = sp_syscall6(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return sp_syscall_failed(memory) ? NULL : (void *)memory;
}

void *sp_private_map(size_t size) {
  void *memory = sp_private_map_inherited(size);
  if (memory != NULL) sp_private_keep(memory, size);
  return memory;
}

void sp_private_unmap(void *memory, size_t size) { sp_syscall2(SYS_munmap, memory, size); }

// A kernel before 5.14 does not know the advice, one of larger pages may refuse it; the pages come when they are touched then.
void sp_private_populate(void *memory, size_t size) {
  uintptr_t before = (uintptr_t)memory & (SP_PAGE_SIZE_MIN - 1);
  sp_syscall3(SYS_madvise, (uintptr_t)memory - before, before + size, MADV_POPULATE_WRITE);
}

void sp_private_keep(void *memory, size_t size) { sp_syscall3(SYS_madvise, memory, size, MADV_DONTFORK); }
