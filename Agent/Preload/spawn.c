// What starts a program within the C library, past exec.c: the new program is to inherit of SIGPROF what it would without the agent.
//
// The child takes over the kernel's mask of the calling thread and, for a signal that is ignored, the kernel's disposition: over the call
// both are the program's own. While ticks are ignored so, which no program asks for that does not ignore SIGPROF, there are no samples.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent_core.h"
#include "interpose.h"

typedef int spawn_function(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[], char *const[]);
typedef int system_function(const char *);
typedef FILE *popen_function(const char *, const char *);

static _Atomic(void *) next_spawn, next_spawnp, next_system, next_popen; // the C library's

// The C library's function of a name, found at the first call and kept in `*kept`.
static void *next(_Atomic(void *) *kept, const char *name) {
  void *function = atomic_load(kept);
  if (function == NULL) {
    function = dlsym(RTLD_NEXT, name);
    atomic_store(kept, function);
  }
  return function;
}

// What posix_spawn and posix_spawnp have in common.
static int spawn(spawn_function *function, pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]) {
  if (function == NULL) return ENOSYS;
  struct sp_shown shown = sp_program_signals_show();
  int result = function(pid, path, actions, attributes, argv, envp);
  sp_program_signals_hide(shown);
  return result;
}

SP_EXPORT int posix_spawn(pid_t *restrict pid, const char *restrict path, const posix_spawn_file_actions_t *restrict actions,
                          const posix_spawnattr_t *restrict attributes, char *const argv[restrict], char *const envp[restrict]) {
  return spawn((spawn_function *)next(&next_spawn, "posix_spawn"), pid, path, actions, attributes, argv, envp);
}

SP_EXPORT int posix_spawnp(pid_t *restrict pid, const char *restrict file, const posix_spawn_file_actions_t *restrict actions,
                           const posix_spawnattr_t *restrict attributes, char *const argv[restrict], char *const envp[restrict]) {
  return spawn((spawn_function *)next(&next_spawnp, "posix_spawnp"), pid, file, actions, attributes, argv, envp);
}

SP_EXPORT int system(const char *command) {
  system_function *function = (system_function *)next(&next_system, "system");
  if (function == NULL) {
    errno = ENOSYS;
    return -1;
  }
  struct sp_shown shown = sp_program_signals_show();
  int result = function(command);
  sp_program_signals_hide(shown);
  return result;
}

SP_EXPORT FILE *popen(const char *command, const char *mode) {
  popen_function *function = (popen_function *)next(&next_popen, "popen");
  if (function == NULL) {
    errno = ENOSYS;
    return NULL;
  }
  struct sp_shown shown = sp_program_signals_show();
  FILE *result = function(command, mode);
  sp_program_signals_hide(shown);
  return result;
}
