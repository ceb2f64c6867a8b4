// The constructor: the agent comes to life before the program's own code.
#include <pthread.h>
#include <stdlib.h>

#include "agent_core.h"
#include "thread_create.h"
#include "waits.h"

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

// exit() and return from main.
static void at_exit(int status, void *argument) {
  (void)argument;
  sp_lifecycle_end(SP_END_EXIT, (uint32_t)status);
}

static void at_quick_exit_(void) { sp_lifecycle_end(SP_END__EXIT, 0); }

// glibc passes a constructor what main gets.
__attribute__((constructor)) static void load(int argc, char **argv) {
  sp_modules_load();
  sp_modules_ignore((uintptr_t)__ehdr_start, (uintptr_t)_end);
  if (!sp_lifecycle_load(argc, argv)) return;
  sp_thread_create_load();
  sp_waits_load();
  pthread_atfork(sp_lifecycle_fork_prepare, sp_lifecycle_fork_parent, sp_lifecycle_fork_child);
  // Registered first, so that they run last.
  on_exit(at_exit, NULL);
  at_quick_exit(at_quick_exit_);
}
