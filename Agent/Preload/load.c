// The constructor: the agent comes to life before the program's own code.
#include <stdlib.h>

#include "agent_core.h"
#include "thread_create.h"

// The names that glibc alone has are weak: another C library's loader, which a program started by a profiled one may have, would end
// the program for want of them. Here and elsewhere in this folder.
extern int on_exit(void (*function)(int, void *), void *argument) __attribute__((weak));
extern int __cxa_at_quick_exit(void (*function)(void *), void *library) __attribute__((weak));
extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *library) __attribute__((weak));
extern void *__dso_handle __attribute__((visibility("hidden")));

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

// exit() and return from main.
static void at_exit(int status, void *argument) {
  (void)argument;
  sp_lifecycle_end(SP_END_EXIT, (uint32_t)status);
}

static void at_quick_exit_(void *unused) {
  (void)unused;
  sp_lifecycle_end(SP_END__EXIT, 0);
}

// glibc passes a constructor what main gets.
__attribute__((constructor)) static void load(int argc, char **argv) {
  if (on_exit == NULL || __cxa_at_quick_exit == NULL || __register_atfork == NULL) return;
  sp_modules_load();
  sp_modules_ignore((uintptr_t)__ehdr_start, (uintptr_t)_end);
  if (!sp_lifecycle_load(argc, argv)) return;
  sp_thread_create_load();
  // pthread_atfork and at_quick_exit are these.
  __register_atfork(sp_lifecycle_fork_prepare, sp_lifecycle_fork_parent, sp_lifecycle_fork_child, &__dso_handle);
  // Registered first, so that they run last.
  on_exit(at_exit, NULL);
  __cxa_at_quick_exit(at_quick_exit_, &__dso_handle);
}
