// What starts a program within the C library, past exec.c: the new program is to inherit of SIGPROF what it would without the agent.
//
// The child takes over the kernel's mask of the calling thread and, for a signal that is ignored, the kernel's disposition: over the call
// both are the program's own. While ticks are ignored so, which no program asks for that does not ignore SIGPROF, there are no samples.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent_core.h"
#include "interpose.h"
#include "next.h"

typedef int spawn_function(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[], char *const[]);
typedef int system_function(const char *);
typedef FILE *popen_function(const char *, const char *);

// What glibc's pthread_cleanup_push is made of; another C library lacks it.
#pragma weak __pthread_register_cancel
#pragma weak __pthread_unregister_cancel

static _Atomic(void *) next_spawn, next_spawnp, next_system, next_popen; // the C library's

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
  return spawn((spawn_function *)sp_next(&next_spawn, "posix_spawn"), pid, path, actions, attributes, argv, envp);
}

SP_EXPORT int posix_spawnp(pid_t *restrict pid, const char *restrict file, const posix_spawn_file_actions_t *restrict actions,
                           const posix_spawnattr_t *restrict attributes, char *const argv[restrict], char *const envp[restrict]) {
  return spawn((spawn_function *)sp_next(&next_spawnp, "posix_spawnp"), pid, file, actions, attributes, argv, envp);
}

// Takes back what is in the struct sp_shown at `shown`.
static void hide(void *shown) { sp_program_signals_hide(*(struct sp_shown *)shown); }

// system() as the program would have it; the thread may be canceled while it waits.
static int run_command(system_function *function, const char *command) {
  struct sp_shown shown = sp_program_signals_show();
  int result;
  pthread_cleanup_push(hide, &shown);
  result = function(command);
  pthread_cleanup_pop(1);
  return result;
}

SP_EXPORT int system(const char *command) {
  system_function *function = (system_function *)sp_next(&next_system, "system");
  if (function == NULL) {
    errno = ENOSYS;
    return -1;
  }
  return sp_program_signals_taken() ? run_command(function, command) : function(command);
}

SP_EXPORT FILE *popen(const char *command, const char *mode) {
  popen_function *function = (popen_function *)sp_next(&next_popen, "popen");
  if (function == NULL) {
    errno = ENOSYS;
    return NULL;
  }
  struct sp_shown shown = sp_program_signals_show();
  FILE *result = function(command, mode);
  sp_program_signals_hide(shown);
  return result;
}
