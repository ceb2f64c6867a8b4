// processes HOW SECONDS [PROGRAM]: the first process and another one that it makes use CPU time, in functions that tell them apart.
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "burn.h"

volatile uint64_t sink;
extern char **environ;

// The comment in the assembly keeps two functions of one body two, and the call from becoming a jump.

__attribute__((noinline)) static void parent_work(double seconds) {
  burn(seconds);
  __asm__ volatile("# parent_work");
}
__attribute__((noinline)) static void child_work(double seconds) {
  burn(seconds);
  __asm__ volatile("# child_work");
}

static int wait_for(pid_t child) {
  int status;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv) {
  const char *how = argc > 1 ? argv[1] : "fork";
  double seconds = argc > 2 ? atof(argv[2]) : 0.3;
  char text[32], command[4200];
  snprintf(text, sizeof text, "%f", 2 * seconds);
  char *again[] = {argv[0], "child", text, NULL};
  pid_t child;

  if (strcmp(how, "child") == 0) {
    child_work(seconds);
    return 9;
  }
  parent_work(seconds);
  if (strcmp(how, "fork") == 0) {
    fflush(stdout);
    if ((child = fork()) == 0) {
      child_work(2 * seconds);
      exit(9);
    }
    parent_work(seconds);
    return wait_for(child);
  }
  if (strcmp(how, "forks") == 0) { // children of children
    for (int depth = 0; depth < 4; depth++) {
      if ((child = fork()) != 0) return wait_for(child);
      child_work(seconds);
    }
    return 9;
  }
  if (strcmp(how, "exec") == 0) execv("/proc/self/exe", again);
  if (strcmp(how, "exec-other") == 0) execl(argv[3], argv[3], "exit", text, NULL);
  // Past the C library, as some runtimes do it.
  if (strcmp(how, "exec-raw") == 0) syscall(SYS_execve, argv[3], (char *[]){argv[3], "exit", text, NULL}, environ);
  if (strcmp(how, "exec-fails") == 0) {
    execv("/nonexistent/program", again);
    parent_work(seconds);
    return 9;
  }
  if (strcmp(how, "spawn") == 0) {
    if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, again, environ) != 0) return 1;
    parent_work(seconds);
    return wait_for(child);
  }
  if (strcmp(how, "vfork") == 0) {
    if ((child = vfork()) == 0) {
      execv("/proc/self/exe", again);
      _exit(1);
    }
    parent_work(seconds);
    return wait_for(child);
  }
  if (strncmp(how, "vfork-exit", 10) == 0) { // children that never become another program, and have no trace: ten use no time to speak of; "vfork-exits": many
    for (int i = 0; i < (how[10] ? 15000 : 10); i++) {
      if ((child = vfork()) == 0) _exit(9);
      if (wait_for(child) != 9) return 1;
    }
    parent_work(seconds);
    return 9;
  }
  if (strcmp(how, "system") == 0) {
    snprintf(command, sizeof command, "exec '%s' child %s", argv[0], text);
    int status = system(command);
    parent_work(seconds);
    return WEXITSTATUS(status);
  }
  return 1;
}
