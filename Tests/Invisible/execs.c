// execs HOW COUNT [PROGRAM]: uses CPU time and becomes another program, again and again, in a child each time. Prints the statuses that it saw.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "work.h"

extern char **environ;

static void become(const char *how, const char *program) {
  char *argv[] = {(char *)program, NULL}, *empty[] = {NULL};
  if (strcmp(how, "execv") == 0) execv(program, argv);
  if (strcmp(how, "execve") == 0) execve(program, argv, environ);
  if (strcmp(how, "execvp") == 0) execvp(program, argv);
  if (strcmp(how, "execl") == 0) execl(program, program, (char *)NULL);
  if (strcmp(how, "execle") == 0) execle(program, program, (char *)NULL, environ);
  if (strcmp(how, "empty") == 0) execve(program, argv, empty);
  if (strcmp(how, "syscall") == 0) syscall(SYS_execve, program, argv, environ);
  _exit(99);
}

int main(int argc, char **argv) {
  if (argc < 3) return 64;
  int count = atoi(argv[2]), seen[256] = {0}, signals = 0;
  const char *program = argc > 3 ? argv[3] : "/bin/true";
  for (int i = 0; i < count; i++) {
    work(0.0002);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      work(i % 5 * 0.002);
      become(argv[1], program);
    }
    int status;
    waitpid(child, &status, 0);
    if (WIFEXITED(status)) seen[WEXITSTATUS(status)]++;
    else signals++;
  }
  for (int i = 0; i < 256; i++)
    if (seen[i]) printf("status %d: %d\n", i, seen[i]);
  printf("signals: %d\n", signals);
  return 0;
}
