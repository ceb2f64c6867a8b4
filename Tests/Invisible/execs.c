// execs HOW COUNT [STATE [PROGRAM [ARGUMENT...]]]: uses CPU time and becomes another program, again and again, in a child each time; or starts
// one. "self COUNT [SECONDS]" does so in one process. Prints the statuses that it saw. STATE is what is inherited, or from where it is done: plain, ignored, blocked, pending (SIGPROF), thread
// (the second of three threads that all use CPU time), small (a thread of a small stack, with 3000 variables), nobody (a user without rights).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "work.h"

extern char **environ;

static const char *how, *state, *program;
static char **arguments; // of the program, itself the first

static int is(const char *a, const char *b) { return strcmp(a, b) == 0; }

#if defined(__x86_64__)
// Past the C library, as some runtimes do it.
static long raw_execve(const char *path, char **argv, char **envp) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_execve), "D"(path), "S"(argv), "d"(envp) : "rcx", "r11", "memory");
  return result;
}
#else
static long raw_execve(const char *path, char **argv, char **envp) { return syscall(SYS_execve, path, argv, envp); }
#endif

static void become(void) {
  char **a = arguments, *empty[] = {NULL};
  if (is(how, "execv")) execv(program, a);
  if (is(how, "execve")) execve(program, a, environ);
  if (is(how, "execvp")) execvp(program, a);
  if (is(how, "execvpe")) execvpe(program, a, environ);
  if (is(how, "execl")) execl(program, a[0], a[1], (char *)NULL);
  if (is(how, "execlp")) execlp(program, a[0], a[1], (char *)NULL);
  if (is(how, "execle")) execle(program, a[0], a[1], (char *)NULL, environ);
  if (is(how, "execveat")) execveat(AT_FDCWD, program, a, environ, 0);
  if (is(how, "fexecve")) fexecve(open(program, O_RDONLY | O_CLOEXEC), a, environ);
  if (is(how, "empty")) execve(program, a, empty);
  if (is(how, "syscall")) syscall(SYS_execve, program, a, environ);
  if (is(how, "raw")) raw_execve(program, a, environ);
  _exit(99);
}

static void *become_from_thread(void *unused) {
  (void)unused;
  work(0.002);
  become();
  return NULL;
}

static void *burn(void *unused) {
  while (unused == NULL) work(0.001);
  return NULL;
}

static void from_thread(size_t stack, int others) {
  pthread_t thread;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  if (stack) pthread_attr_setstacksize(&attributes, stack);
  for (int i = 0; i < others; i++) pthread_create(&thread, NULL, burn, NULL);
  pthread_create(&thread, &attributes, become_from_thread, NULL);
  pthread_join(thread, NULL);
  _exit(98);
}

// What is set before the program is started, in the process that does it.
static void take_state(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPROF);
  if (is(state, "ignored")) signal(SIGPROF, SIG_IGN);
  if (is(state, "blocked") || is(state, "pending")) sigprocmask(SIG_BLOCK, &set, NULL);
  if (is(state, "pending")) kill(getpid(), SIGPROF);
  if (is(state, "nobody") && (setgroups(0, NULL) || setgid(65534) || setuid(65534))) _exit(97);
}

// Starts the program without fork() and exec of our own. Its wait status, -1 for another HOW.
static int start(void) {
  int status = -1;
  char line[PATH_MAX + 100];
  snprintf(line, sizeof line, "exec '%s' %s", program, arguments[1] ? arguments[1] : "");
  pid_t child = 0;
  if (is(how, "posix_spawn") || is(how, "posix_spawnp")) {
    int error = is(how, "posix_spawn") ? posix_spawn(&child, program, NULL, NULL, arguments, environ)
                                       : posix_spawnp(&child, program, NULL, NULL, arguments, environ);
    if (error) return (100 + error) << 8;
  }
  if (is(how, "vfork") && (child = vfork()) == 0) {
    execv(program, arguments);
    _exit(99);
  }
  if (is(how, "system")) return system(line);
  if (is(how, "popen")) return pclose(popen(line, "r"));
  if (child != 0) waitpid(child, &status, 0);
  return status;
}

// Becomes itself, COUNT times, in one process; each image uses a little CPU time, or so many SECONDS.
static int again(int count, char **argv) {
  char left[16];
  work(argv[3] ? atof(argv[3]) : 0.0003);
  if (count == 0) {
    printf("the last\n");
    return 0;
  }
  snprintf(left, sizeof left, "%d", count - 1);
  argv[2] = left;
  if (count % 2) execv("/proc/self/exe", argv);
  else execve("/proc/self/exe", argv, environ);
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 3) return 64;
  int count = atoi(argv[2]), exits[256] = {0}, signals[65] = {0};
  if (is(argv[1], "self")) return again(count, argv);
  static char *plain[] = {(char *)"/bin/true", NULL};
  how = argv[1];
  state = argc > 3 ? argv[3] : "plain";
  arguments = argc > 4 ? argv + 4 : plain;
  program = arguments[0];
  bool starts = strchr("psv", *how) != NULL && !is(how, "syscall");
  if (is(state, "small"))
    for (int i = 0; i < 3000; i++) {
      char name[16];
      snprintf(name, sizeof name, "V%d", i);
      setenv(name, "1", 1);
    }
  if (starts) take_state();
  for (int i = 0; i < count; i++) {
    work(0.0002);
    fflush(stdout);
    int status;
    if (starts) {
      work(i % 5 * 0.001);
      status = start();
    } else {
      pid_t child = fork();
      if (child == 0) {
        take_state();
        if (is(state, "thread")) from_thread(0, 2);
        if (is(state, "small")) from_thread(PTHREAD_STACK_MIN, 0);
        work(i % 5 * 0.002);
        become();
      }
      waitpid(child, &status, 0);
    }
    if (WIFEXITED(status)) exits[WEXITSTATUS(status)]++;
    else if (WIFSIGNALED(status)) signals[WTERMSIG(status)]++;
  }
  for (int i = 0; i < 256; i++)
    if (exits[i]) printf("status %d: %d\n", i, exits[i]);
  for (int i = 0; i < 65; i++)
    if (signals[i]) printf("signal %d: %d\n", i, signals[i]);
  return 0;
}
