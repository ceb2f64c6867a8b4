// forks HOW COUNT: forks in one of many ways, each child with CPU time of its own; prints what the children and the parent saw.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inherited.h"
#include "work.h"

static int count;
static volatile sig_atomic_t done, ended, failed;
static int exits[256], signals[65];

static int is(const char *a, const char *b) { return strcmp(a, b) == 0; }

// What a child finds about itself: 1 a signal is blocked, 2 one is pending, 4 SIGPROF is not at its default, 8 ITIMER_PROF runs, 16 it has more
// threads than one, 32 descriptors past 2; 64 always.
static int look(void) {
  int found = 64, tasks = 0;
  struct inherited state = find_inherited();
  if (!sigisemptyset(&state.blocked)) found |= 1;
  if (!sigisemptyset(&state.pending)) found |= 2;
  if (state.action.sa_handler != SIG_DFL) found |= 4;
  if (state.timer) found |= 8;
  for (int i = 3; i < 64; i++)
    if (fcntl(i, F_GETFD) != -1) found |= 32;
  DIR *all = opendir("/proc/self/task");
  for (struct dirent *entry; all && (entry = readdir(all));) tasks += entry->d_name[0] != '.';
  if (all) closedir(all);
  if (tasks != 1) found |= 16;
  return found;
}

static void collect(pid_t child) {
  int status;
  pid_t got;
  while ((got = waitpid(child, &status, 0)) < 0 && errno == EINTR) continue;
  if (got < 0) failed++;
  else if (WIFEXITED(status)) __atomic_fetch_add(&exits[WEXITSTATUS(status)], 1, __ATOMIC_RELAXED);
  else __atomic_fetch_add(&signals[WTERMSIG(status)], 1, __ATOMIC_RELAXED);
}

static void child_works(int i) {
  work(i % 3 * 0.002);
  _exit(look());
}

static void plain(int nested) {
  for (int i = 0; i < count; i++) {
    work(0.0002);
    pid_t child = fork();
    if (child == 0) {
      if (nested) {
        pid_t grandchild = fork();
        if (grandchild == 0) child_works(i);
        int status;
        waitpid(grandchild, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 200);
      }
      child_works(i);
    }
    collect(child);
  }
}

// All at once, then all are waited for.
static void many(void) {
  pid_t *children = malloc((size_t)count * sizeof *children);
  for (int i = 0; i < count; i++)
    if ((children[i] = fork()) == 0) child_works(i);
  for (int i = 0; i < count; i++) collect(children[i]);
}

static void *fork_in_thread(void *unused) {
  (void)unused;
  plain(0);
  return NULL;
}

static void *burn(void *unused) {
  while (!done) work(0.001);
  return unused;
}

// Some threads fork while others burn.
static void threads(void) {
  pthread_t forking[2], burning[2];
  for (int i = 0; i < 2; i++) pthread_create(&burning[i], NULL, burn, NULL);
  for (int i = 0; i < 2; i++) pthread_create(&forking[i], NULL, fork_in_thread, NULL);
  for (int i = 0; i < 2; i++) pthread_join(forking[i], NULL);
  done = 1;
  for (int i = 0; i < 2; i++) pthread_join(burning[i], NULL);
}

// A child of a process with threads makes threads of its own.
static void threads_in_child(void) {
  for (int i = 0; i < count; i++) {
    pid_t child = fork();
    if (child == 0) {
      pthread_t made[3];
      done = 0;
      for (int j = 0; j < 3; j++)
        if (pthread_create(&made[j], NULL, burn, NULL)) _exit(201);
      work(0.006);
      done = 1;
      for (int j = 0; j < 3; j++) pthread_join(made[j], NULL);
      _exit(look() & ~16); // the last may not be gone from /proc yet
    }
    collect(child);
  }
}

static void on_signal(int number) {
  (void)number;
  int saved = errno;
  if (ended == count) return;
  pid_t child = fork();
  if (child == 0) {
    work(0.002);
    _exit(42);
  }
  collect(child);
  ended++;
  errno = saved;
}

// From a handler that a timer calls while CPU time is used.
static void handler(void) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval timer = {{0, 3000}, {0, 3000}}, none = {0};
  setitimer(ITIMER_REAL, &timer, NULL);
  while (ended < count) work(0.001); // on a loaded machine only the handler gets on until it has forked enough
  setitimer(ITIMER_REAL, &none, NULL);
}

// Past the C library: no handlers of fork run.
static void raw(void) {
  for (int i = 0; i < count; i++) {
    work(0.0003);
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
      work(0.004);
      syscall(SYS_exit_group, 43);
    }
    collect(child);
  }
}

static int stack_child(void *unused) {
  (void)unused;
  work(0.003);
  return 44;
}

// clone() onto a stack of its own, memory copied, or shared as vfork does it.
static void clones(int flags) {
  static char stack[256 * 1024] __attribute__((aligned(64)));
  for (int i = 0; i < count; i++) {
    work(0.0003);
    collect(clone(stack_child, stack + sizeof stack, flags | SIGCHLD, NULL));
  }
}

static void vforks(void) {
  for (volatile int i = 0; i < count; i++) {
    work(0.0003);
    pid_t child = vfork();
    if (child == 0) {
      for (int j = 0; j < 200000; j++) work_sink += (uint64_t)j;
      _exit(45);
    }
    collect(child);
  }
}

// As daemons are made: two forks, a session, the root folder, no descriptor left open. The grandchild tells what it saw by a file.
static void daemonize(int by_library) {
  char folder[4096], name[4200];
  if (!getcwd(folder, sizeof folder)) exit(2);
  for (int i = 0; i < count; i++) {
    work(0.003);
    snprintf(name, sizeof name, "%s/told.%d", folder, i);
    pid_t child = fork();
    if (child == 0) {
      if (by_library) {
        if (daemon(0, 0)) _exit(202);
      } else {
        setsid();
        if (fork() != 0) _exit(0);
        umask(0);
        if (chdir("/")) _exit(203);
        for (int j = 0; j < 1024; j++) close(j);
        if (open("/dev/null", O_RDWR) != 0 || dup(0) != 1 || dup(0) != 2) _exit(204);
      }
      work(0.02);
      char place[64] = "";
      int found = look();
      if (!getcwd(place, sizeof place)) _exit(205);
      char part[4300];
      snprintf(part, sizeof part, "%s.part", name);
      int file = open(part, O_WRONLY | O_CREAT | O_TRUNC, 0666);
      dprintf(file, "in %s found %d, first descriptor %d, leads %d\n", place, found, file, getsid(0) == getpid());
      close(file);
      rename(part, name);
      _exit(0);
    }
    collect(child);
    for (int j = 0; j < 5000 && access(name, F_OK); j++) usleep(2000);
    FILE *told = fopen(name, "r");
    char line[256];
    if (told == NULL || !fgets(line, sizeof line, told)) printf("nothing was told\n");
    else printf("%s", line);
    if (told) fclose(told);
  }
}

static int prepared, in_parent, in_child;
static void prepare(void) { prepared++; }
static void parent(void) { in_parent++; }
static void child(void) { in_child++; }

// The program's own handlers of fork.
static void atfork(void) {
  pthread_atfork(prepare, parent, child);
  for (int i = 0; i < count; i++) {
    pid_t pid = fork();
    if (pid == 0) _exit(in_child == 1 && prepared == i + 1 && in_parent == i ? look() : 206);
    collect(pid);
  }
  printf("%d %d %d\n", prepared, in_parent, in_child);
}

// With SIGPROF blocked and pending over the fork: the child has it blocked, and not pending. Then it is taken and unblocked.
static void pending(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPROF);
  sigprocmask(SIG_BLOCK, &set, NULL);
  raise(SIGPROF);
  plain(0);
  sigpending(&set);
  printf("pending in the parent %d\n", sigismember(&set, SIGPROF));
  sigemptyset(&set);
  sigaddset(&set, SIGPROF);
  printf("taken %d\n", sigtimedwait(&set, NULL, &(struct timespec){0, 0}));
  sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int main(int argc, char **argv) {
  if (argc < 3) return 64;
  const char *how = argv[1];
  count = atoi(argv[2]);
  if (is(how, "plain")) plain(0);
  if (is(how, "nested")) plain(1);
  if (is(how, "many")) many();
  if (is(how, "threads")) threads();
  if (is(how, "threads-in-child")) threads_in_child();
  if (is(how, "handler")) handler();
  if (is(how, "raw")) raw();
  if (is(how, "clone")) clones(0);
  if (is(how, "clone-vfork")) clones(CLONE_VM | CLONE_VFORK);
  if (is(how, "vfork")) vforks();
  if (is(how, "daemonize")) daemonize(0);
  if (is(how, "daemon")) daemonize(1);
  if (is(how, "atfork")) atfork();
  if (is(how, "pending")) pending();
  work(0.02);
  for (int i = 0; i < 256; i++)
    if (exits[i]) printf("status %d: %d\n", i, exits[i]);
  for (int i = 0; i < 65; i++)
    if (signals[i]) printf("signal %d: %d\n", i, signals[i]);
  printf("failed %d, found %d\n", (int)failed, look());
  return 0;
}
