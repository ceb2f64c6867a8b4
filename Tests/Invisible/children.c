// children HOW [COUNT]: trees, lines and crowds of processes, children of handlers and of bare system calls, and what their parent sees.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "work.h"

static int count = 100;

static int is(const char *a, const char *b) { return strcmp(a, b) == 0; }

// Waits for one child; its status, or 1000 and the signal.
static int reap(pid_t child) {
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return -errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static long threads_counted(void) {
  char text[4096], *at;
  int file = open("/proc/self/status", O_RDONLY);
  ssize_t size = read(file, text, sizeof text - 1);
  close(file);
  text[size < 0 ? 0 : size] = 0;
  at = strstr(text, "Threads:");
  return at ? atol(at + 8) : -1;
}

// A thread that was joined may be in /proc for a moment yet.
static long threads_now(void) {
  long count = threads_counted();
  for (int i = 0; i < 1000 && count > 1; i++) {
    usleep(1000);
    count = threads_counted();
  }
  return count;
}

static int open_descriptors(void) {
  int open = 0;
  for (int i = 0; i < 256; i++) open += fcntl(i, F_GETFD) != -1;
  return open;
}

// Children that use CPU time and end, by exit, _exit, return or a signal.
static int plain(void) {
  long sum = 0;
  for (int i = 0; i < count; i++) {
    work(0.0005);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      work(i % 7 * 0.001);
      if (i % 4 == 0) exit(i % 100);
      if (i % 4 == 1) _exit(i % 100);
      if (i % 4 == 2) quick_exit(i % 100);
      kill(getpid(), i % 8 == 3 ? SIGTERM : SIGKILL);
    }
    sum = sum * 3 % 1000003 + reap(child);
  }
  printf("sum %ld\n", sum);
  return 0;
}

static void *forker(void *argument) {
  long n = (long)argument, sum = 0;
  for (int i = 0; i < count / 4; i++) {
    work(0.0005);
    pid_t child = fork();
    if (child == 0) {
      void *memory = malloc(1000); // what another thread's malloc holds is free here
      work(i % 5 * 0.001);
      free(memory);
      if (i % 3 == 0) execl("/bin/true", "true", (char *)NULL);
      _exit((int)(n + i) % 50);
    }
    sum += reap(child);
  }
  return (void *)sum;
}

static void *allocator(void *stop) {
  while (!*(volatile bool *)stop)
    for (int i = 0; i < 100; i++) free(malloc((size_t)i * 50));
  return NULL;
}

// Four threads fork, with and without exec, while others use the heap.
static int from_threads(void) {
  pthread_t threads[4], others[2];
  static bool stop;
  for (int i = 0; i < 2; i++) pthread_create(&others[i], NULL, allocator, &stop);
  for (long i = 0; i < 4; i++) pthread_create(&threads[i], NULL, forker, (void *)i);
  for (int i = 0; i < 4; i++) {
    void *sum;
    pthread_join(threads[i], &sum);
    printf("thread %d: %ld\n", i, (long)sum);
  }
  stop = true;
  for (int i = 0; i < 2; i++) pthread_join(others[i], NULL);
  printf("threads %ld, descriptors %d\n", threads_now(), open_descriptors());
  return 0;
}

// A tree of processes: every one makes two, COUNT levels deep, and adds up what is below it.
static int tree(int depth) {
  int sum = 1;
  work(0.002);
  for (int i = 0; depth > 0 && i < 2; i++) {
    pid_t child = fork();
    if (child == 0) _exit(tree(depth - 1));
    sum += reap(child);
  }
  return sum;
}

// All at once, more than the processors can run; then all are waited for.
static int bomb(void) {
  int exits = 0;
  for (int i = 0; i < count; i++) {
    pid_t child = fork();
    if (child < 0) i--;
    if (child == 0) {
      for (int n = 0; n < 3; n++)
        if (fork() == 0) {
          work(0.003);
          _exit(1);
        }
      int sum = 0;
      for (int n = 0; n < 3; n++) sum += reap(-1);
      _exit(sum);
    }
  }
  for (int i = 0; i < count; i++) exits += reap(-1);
  printf("%d of %d\n", exits, 3 * count);
  return 0;
}

// Each is the child of the one before. Most end before their first tick, under every clock; the first does not.
static int chain(void) {
  for (int i = 0; i < count; i++) {
    work(i == 0 ? 0.02 : 0.0005);
    pid_t child = fork();
    if (child == 0) continue;
    int status = reap(child);
    if (i == 0) printf("the last said %d\n", status);
    fflush(stdout);
    _exit(status);
  }
  _exit(77);
}

static volatile int own_signals;
static void own_handler(int signal) {
  (void)signal;
  own_signals++;
}

static volatile int forked_in_handler, handler_depth;

static void fork_in_handler(int signal) {
  (void)signal;
  if (forked_in_handler >= count) return; // where it takes longer than the timer, only the handler gets on until then
  int saved = errno;
  pid_t child = fork();
  if (child == 0) {
    struct itimerval none = {0};
    setitimer(ITIMER_REAL, &none, NULL);
    if (forked_in_handler % 3 == 0) {
      work(0.002);
      _exit(1);
    }
    if (forked_in_handler % 3 == 1) execl("/bin/true", "true", (char *)NULL);
    handler_depth = 1; // goes on with what the parent was doing, and ends as it ends
    errno = saved;
    return;
  }
  reap(child);
  forked_in_handler++;
  errno = saved;
}

// Forks from a handler that interrupts whatever runs: fork itself, exec that fails, allocation, plain code.
static int from_handler(void) {
  struct sigaction action = {.sa_handler = fork_in_handler, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval timer = {.it_interval = {.tv_usec = 1500}, .it_value = {.tv_usec = 1500}};
  setitimer(ITIMER_REAL, &timer, NULL);
  int wrong = 0;
  char *none[] = {NULL};
  while (forked_in_handler < count && !handler_depth) {
    execv("/nonexistent/program", none);
    work(0.0001);
    pid_t child = fork();
    if (child == 0) {
      struct itimerval stop = {0};
      setitimer(ITIMER_REAL, &stop, NULL);
      _exit(2);
    }
    wrong += reap(child) != 2;
  }
  if (handler_depth) {
    work(0.003);
    exit(3);
  }
  struct itimerval stop = {0};
  setitimer(ITIMER_REAL, &stop, NULL);
  signal(SIGPROF, own_handler);
  raise(SIGPROF);
  printf("wrong %d, own signals %d\n", wrong, own_signals);
  return 0;
}

static void *short_thread(void *argument) {
  work(0.003);
  return argument;
}

// What a child does that no atfork handler saw: threads, its own SIGPROF and ITIMER_PROF, a fork of the usual kind, an end.
static void life(int i) {
  pthread_t thread;
  void *result = NULL;
  int n = 0;
  work(0.004);
  if (pthread_create(&thread, NULL, short_thread, (void *)5) == 0) pthread_join(thread, &result);
  if (i % 2) {
    struct sigaction action = {.sa_handler = own_handler, .sa_flags = SA_RESTART};
    struct itimerval timer = {.it_interval = {.tv_usec = 1000}, .it_value = {.tv_usec = 1000}};
    sigaction(SIGPROF, &action, NULL);
    setitimer(ITIMER_PROF, &timer, NULL);
    if (pthread_create(&thread, NULL, short_thread, NULL) == 0) pthread_join(thread, NULL);
    for (int wait = 0; wait < 200 && own_signals == 0; wait++) work(0.005);
    memset(&timer, 0, sizeof timer);
    setitimer(ITIMER_PROF, &timer, NULL);
    n += own_signals > 0;
  }
  pid_t child = fork();
  if (child == 0) {
    work(0.006);
    exit(7);
  }
  n += reap(child);
  execv("/nonexistent/program", (char *[]){NULL});
  if (i % 3 == 0) execl("/bin/sh", "sh", "-c", "exit 40", (char *)NULL);
  if (i % 3 == 1) exit(n + (int)(long)result);
  _exit(n + (int)(long)result);
}

// Children of the bare system call, of clone, and of _Fork, which all pass by the atfork handlers.
static int bare(void) {
  long sum = 0;
  for (int i = 0; i < count; i++) {
    work(0.001);
    fflush(stdout);
    pid_t child = i % 3 == 0 ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : _Fork();
    if (child == 0) life(i);
    int status = reap(child);
    if (i < 6) printf("%d: %d\n", i, status);
    sum += status;
  }
  printf("sum %ld\n", sum);
  return 0;
}

static volatile sig_atomic_t deaths;
static void on_child(int signal) {
  (void)signal;
  deaths++;
}

// Every kind of status: stopped, continued, ended, killed, with what waitid and the usage say.
static int statuses(void) {
  struct sigaction action = {.sa_handler = on_child};
  sigaction(SIGCHLD, &action, NULL);
  for (int i = 0; i < count; i++) {
    pid_t child = fork();
    if (child == 0) {
      work(0.002);
      raise(SIGSTOP);
      // On a loaded machine what runs for less than the kernel's tick may get none, however often; two get several.
      work(i < 2 ? 0.03 : 0.004);
      if (i % 3 == 0) _exit(42);
      if (i % 3 == 1) abort();
      for (;;) pause();
    }
    int status, seen = 0;
    while (waitpid(child, &status, WUNTRACED) < 0) {}
    seen = seen * 2 + WIFSTOPPED(status);
    kill(child, SIGCONT);
    while (waitpid(child, &status, WCONTINUED) < 0) {}
    seen = seen * 2 + WIFCONTINUED(status);
    siginfo_t info;
    if (i % 3 == 2) kill(child, SIGHUP);
    while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) < 0) {}
    struct rusage usage;
    wait4(child, &status, 0, &usage);
    if (i < 2) printf("%d: seen %d, code %d, status %d, used %d\n", i, seen, info.si_code, info.si_status, usage.ru_utime.tv_usec + usage.ru_stime.tv_usec > 4000);
  }
  printf("SIGCHLD came: %d, and no more: %d\n", deaths > 0, waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
  return 0;
}

static void *run_command(void *unused) {
  (void)unused;
  return system("exec sleep 5") == 0 ? NULL : (void *)1;
}

// A thread is canceled while system() waits; a signal that was ignored meanwhile comes afterwards.
static int canceled(void) {
  pthread_t thread;
  void *result;
  signal(SIGPROF, SIG_IGN);
  pthread_create(&thread, NULL, run_command, NULL);
  work(0.05);
  pthread_cancel(thread);
  pthread_join(thread, &result);
  signal(SIGPROF, own_handler);
  raise(SIGPROF);
  printf("canceled %d, own signals %d\n", result == PTHREAD_CANCELED, own_signals);
  return 0;
}

int main(int argc, char **argv) {
  const char *how = argc > 1 ? argv[1] : "plain";
  if (argc > 2) count = atoi(argv[2]);
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  if (is(how, "plain")) return plain();
  if (is(how, "threads")) return from_threads();
  if (is(how, "tree")) return printf("%d processes\n", tree(count)) < 0;
  if (is(how, "bomb")) return bomb();
  if (is(how, "chain")) return chain();
  if (is(how, "handler")) return from_handler();
  if (is(how, "bare")) return bare();
  if (is(how, "statuses")) return statuses();
  if (is(how, "canceled")) return canceled();
  return 64;
}
