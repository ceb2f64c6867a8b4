// exec_errors [COUNT]: calls of exec that fail, each COUNT times between uses of CPU time; prints what each said, and that all is as before.
// exec_errors stopped: one that fails while recording is stopped.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "inherited.h"
#include "work.h"

extern char **environ;
extern void statprof_start(void) __attribute__((weak)), statprof_stop(void) __attribute__((weak));

static char *none[] = {(char *)"x", NULL}, **volatile no_list, *volatile bad_name = (char *)8;
static char **volatile bad_list = (char **)8, *bad_entries[] = {(char *)8, NULL};
static char long_name[300], long_path[5000];

#define TRY(call)                                                             \
  do {                                                                        \
    int results = 0, errors = 0;                                              \
    for (int i = 0; i < count; i++) {                                         \
      errno = 0;                                                              \
      results += call;                                                        \
      errors += errno;                                                        \
    }                                                                         \
    work(0.002);                                                              \
    printf("%s: %d errno %d\n", #call, results / count, errors / count);      \
  } while (0)

static void make(const char *name, const char *text, mode_t mode) {
  int file = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (write(file, text, strlen(text)) < 0) exit(2);
  fchmod(file, mode);
  close(file);
}

static int stopped(void) {
  work(0.02);
  if (statprof_stop) statprof_stop();
  int result = execve("/nonexistent/program", none, environ), error = errno;
  if (statprof_start) statprof_start();
  work(0.4);
  printf("%d %s\n", result, strerror(error));
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "stopped") == 0) return stopped();
  int count = argc > 1 ? atoi(argv[1]) : 100;
  memset(long_name, 'a', sizeof long_name - 1);
  memset(long_path, '/', sizeof long_path - 1);
  mkdir("folder", 0777);
  make("plain", "text", 0666);
  make("no_elf", "\177ELF garbage", 0777);
  make("no_interpreter", "#!/nonexistent/interpreter\n", 0777);
  make("folder_interpreter", "#!/\n", 0777);
  if (symlink("loop", "loop") < 0) return 3;
  int plain = open("plain", O_RDONLY), closed = dup(plain);
  close(closed);
  work(0.02);
  TRY(execv("/nonexistent/program", none));
  TRY(execve("plain", none, environ));
  TRY(execve("folder", none, environ));
  TRY(execve("no_elf", none, environ));
  TRY(execve("no_interpreter", none, environ));
  TRY(execve("folder_interpreter", none, environ));
  TRY(execve("loop", none, environ));
  TRY(execve("plain/x", none, environ));
  TRY(execve("", none, environ));
  TRY(execve(long_path, none, environ));
  TRY(execve(long_name, none, environ));
  TRY(execl("/nonexistent/program", "a", "b", "c", (char *)NULL));
  TRY(execle("/nonexistent/program", "a", "b", (char *)NULL, environ));
  TRY(execlp("nonexistent-program", "a", "b", (char *)NULL));
  TRY(execvp("nonexistent-program", none));
  TRY(execvp("", none));
  TRY(execvp("./plain", none));
  TRY(execvp("folder/", none));
  TRY(execvp(long_name, none));
  TRY(execvpe("nonexistent-program", none, environ));
  TRY(execveat(AT_FDCWD, "plain", none, environ, 0));
  TRY(execveat(AT_FDCWD, "loop", none, environ, AT_SYMLINK_NOFOLLOW));
  TRY(execveat(AT_FDCWD, "plain", none, environ, 0x40000000));
  TRY(execveat(closed, "plain", none, environ, 0));
  TRY(execveat(plain, "", none, environ, AT_EMPTY_PATH));
  TRY(fexecve(plain, none, environ));
  TRY(fexecve(closed, none, environ));
  TRY(fexecve(-1, none, environ));
  TRY(fexecve(plain, no_list, environ));
  TRY(fexecve(plain, none, no_list));
  TRY(execve(bad_name, none, environ));
  TRY(execve((char *)no_list, none, environ));
  TRY(execve("/bin/true", bad_list, environ));
  TRY(execve("/bin/true", none, bad_list));
  TRY(execve("/bin/true", none, bad_entries));
  setenv("PATH", "/nonexistent:.:/dev/null:folder", 1);
  TRY(execvp("plain", none));
  TRY(execvp("loop", none));
  TRY(execvp("folder", none));
  setenv("PATH", "", 1);
  TRY(execvp("plain", none));
  unsetenv("PATH");
  TRY(execvp("nonexistent-program", none));
  clearenv();
  TRY(execv("/nonexistent/program", none));
  environ = NULL;
  TRY(execv("/nonexistent/program", none));
  TRY(execvp("nonexistent-program", none));
  struct inherited state = find_inherited();
  printf("blocked %d, pending %d, default %d, timer %d\n", sigisemptyset(&state.blocked), sigisemptyset(&state.pending),
         state.action.sa_handler == SIG_DFL, state.timer);
  return 0;
}
