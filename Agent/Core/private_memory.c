#include "private_memory.h"

#include <sys/mman.h>

#include "raw_syscall.h"

void *sp_private_map(size_t size) {
  long memory = sp_syscall6(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (sp_syscall_failed(memory)) return NULL;
  sp_private_keep((void *)memory, size);
  return (void *)memory;
}

void sp_private_unmap(void *memory, size_t size) { sp_syscall2(SYS_munmap, memory, size); }

void sp_private_keep(void *memory, size_t size) { sp_syscall3(SYS_madvise, memory, size, MADV_DONTFORK); }
