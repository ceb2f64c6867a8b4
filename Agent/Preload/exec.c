// The exec family. The clock must not outlive this image: a tick that comes before the next image has its handler kills it.
//
// All of it is here, over the system calls, and not through the C library's own functions: these would have to be looked up, which
// takes the loader's lock, and exec must work in a child between fork and exec, in a signal handler and in a vfork child.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent_core.h"
#include "interpose.h"

// How many entries a list has before its NULL; 0 for no list.
static size_t count_entries(char *const list[]) {
  size_t count = 0;
  while (list != NULL && list[count] != NULL) count++;
  return count;
}

// Calls `exec` with `envp`, in which the session's variable, if it is there, is the one for the next image.
static void with_session(const char *variable, char *const envp[], void (*exec)(char *const envp[], void *context), void *context) {
  size_t count = 0;
  // What the kernel would refuse with EFAULT it is to refuse. The copy is not on the stack, which may be a thread's of a few pages.
  bool known = variable != NULL && envp != NULL && sp_list_readable((const void *const *)envp, &count);
  size_t size = (count + 1) * sizeof *envp;
  const char **copy = known ? sp_private_map(size) : NULL;
  if (copy == NULL) {
    exec(envp, context);
    return;
  }
  for (size_t i = 0; i < count; i++) copy[i] = sp_session_is_variable(envp[i]) ? variable : envp[i];
  exec((char *const *)copy, context);
  sp_private_unmap(copy, size);
}

struct call {
  int directory;
  const char *path; // or the file to search for
  char *const *argv;
  int flags;
};

// Makes an exec with `exec`: tells the agent before it, and after it if it did not happen. Returns -1 with errno.
static int run(struct call *call, char *const envp[], void (*exec)(char *const envp[], void *call)) {
  const char *variable = sp_lifecycle_exec(call->path);
  with_session(variable, envp, exec, call);
  int error = errno;
  sp_lifecycle_exec_failed(error);
  errno = error;
  return -1;
}

// The system call for a file that is named.
static void exec_path(char *const envp[], void *context) {
  const struct call *call = context;
  if (call->directory == AT_FDCWD && call->flags == 0)
    sp_call(SYS_execve, (long)call->path, (long)call->argv, (long)envp, 0, 0);
  else
    sp_call(SYS_execveat, call->directory, (long)call->path, (long)call->argv, (long)envp, call->flags);
}

// What execve and execveat have in common.
static int exec_at(int directory, const char *path, char *const argv[], char *const envp[], int flags) {
  struct call call = {.directory = directory, .path = path, .argv = argv, .flags = flags};
  return run(&call, envp, exec_path);
}

SP_EXPORT int execve(const char *path, char *const argv[], char *const envp[]) { return exec_at(AT_FDCWD, path, argv, envp, 0); }
SP_EXPORT int execv(const char *path, char *const argv[]) { return execve(path, argv, environ); }

SP_EXPORT int execveat(int directory, const char *path, char *const argv[], char *const envp[], int flags) {
  return exec_at(directory, path, argv, envp, flags);
}

SP_EXPORT int fexecve(int descriptor, char *const argv[], char *const envp[]) {
  // Through a copy: the compiler takes the declaration's word that the lists are never NULL.
  char *const *volatile lists[] = {argv, envp};
  if (descriptor < 0 || lists[0] == NULL || lists[1] == NULL) {
    errno = EINVAL;
    return -1;
  }
  return exec_at(descriptor, "", argv, envp, AT_EMPTY_PATH);
}

// Runs a file that the kernel does not take for a program with the shell, as POSIX asks of execvp.
static void exec_script(const char *path, char *const argv[], char *const envp[]) {
  size_t count = count_entries(argv);
  if (count > INT_MAX / sizeof(char *) / 2) {
    errno = E2BIG;
    return;
  }
  char *arguments[count + 3];
  arguments[0] = (char *)"/bin/sh";
  arguments[1] = (char *)path;
  for (size_t i = 1; i <= count; i++) arguments[i + 1] = argv[i];
  if (count == 0) arguments[2] = NULL;
  sp_call(SYS_execve, (long)arguments[0], (long)arguments, (long)envp, 0, 0);
}

// One candidate of a search. False: look further.
static bool try_exec(const char *path, char *const argv[], char *const envp[], bool *denied) {
  sp_call(SYS_execve, (long)path, (long)argv, (long)envp, 0, 0);
  if (errno == ENOEXEC) exec_script(path, argv, envp);
  if (errno == EACCES) *denied = true;
  return errno != EACCES && errno != ENOENT && errno != ESTALE && errno != ENOTDIR && errno != ENODEV && errno != ETIMEDOUT;
}

// Tries the file in each folder of PATH as execvp does; errno says what became of it.
static void search(const char *file, char *const argv[], char *const envp[]) {
  bool denied = false;
  if (*file == 0) {
    errno = ENOENT;
    return;
  }
  if (strchr(file, '/') != NULL) {
    try_exec(file, argv, envp, &denied);
    return;
  }
  errno = ENOENT;
  size_t length = strlen(file);
  if (length > NAME_MAX) {
    errno = ENAMETOOLONG;
    return;
  }
  const char *path = getenv("PATH");
  if (path == NULL) path = "/bin:/usr/bin";
  char candidate[PATH_MAX + NAME_MAX + 2];
  for (const char *p = path;; p++) {
    const char *end = strchrnul(p, ':');
    size_t size = (size_t)(end - p);
    if (size < PATH_MAX) {
      memcpy(candidate, p, size);
      if (size > 0) candidate[size++] = '/';
      memcpy(candidate + size, file, length + 1);
      if (try_exec(candidate, argv, envp, &denied)) return;
    }
    if (*end == 0) break;
    p = end;
  }
  if (denied) errno = EACCES;
}

// The search, as `run` wants it.
static void exec_search(char *const envp[], void *context) {
  const struct call *call = context;
  search(call->path, call->argv, envp);
}

SP_EXPORT int execvpe(const char *file, char *const argv[], char *const envp[]) {
  struct call call = {.path = file, .argv = argv};
  return run(&call, envp, exec_search);
}

SP_EXPORT int execvp(const char *file, char *const argv[]) { return execvpe(file, argv, environ); }

// How many arguments a variable list has, without its NULL.
static size_t count_arguments(va_list list) {
  size_t count = 1;
  va_list copy;
  va_copy(copy, list);
  while (va_arg(copy, char *) != NULL) count++;
  va_end(copy);
  return count;
}

// Copies them to `argv`, the NULL included.
static void take_arguments(char **argv, const char *first, va_list *list) {
  argv[0] = (char *)first;
  for (size_t i = 1;; i++) {
    argv[i] = va_arg(*list, char *);
    if (argv[i] == NULL) return;
  }
}

SP_EXPORT int execl(const char *path, const char *first, ...) {
  va_list list;
  va_start(list, first);
  char *argv[count_arguments(list) + 1];
  take_arguments(argv, first, &list);
  va_end(list);
  return execve(path, argv, environ);
}

SP_EXPORT int execlp(const char *file, const char *first, ...) {
  va_list list;
  va_start(list, first);
  char *argv[count_arguments(list) + 1];
  take_arguments(argv, first, &list);
  va_end(list);
  return execvpe(file, argv, environ);
}

SP_EXPORT int execle(const char *path, const char *first, ...) {
  va_list list;
  va_start(list, first);
  char *argv[count_arguments(list) + 1];
  take_arguments(argv, first, &list);
  char *const *envp = va_arg(list, char *const *);
  va_end(list);
  return execve(path, argv, envp);
}
