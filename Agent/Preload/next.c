#define _GNU_SOURCE // RTLD_NEXT
#include "next.h"

#include <dlfcn.h>
#include <stddef.h>

void *sp_next(_Atomic(void *) *kept, const char *name) {
  void *function = atomic_load(kept);
  if (function == NULL) {
    function = dlsym(RTLD_NEXT, name);
    atomic_store(kept, function);
  }
  return function;
}
