// What the programs about signals have in common: masks, senders, parts that run in a child.
#ifndef SIGNAL_WORDS_H
#define SIGNAL_WORDS_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "work.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations" // sigset, sighold, siginterrupt and the like are asked on purpose
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-variable"

static volatile int ticks, foreign, other_value, calls;
static volatile sig_atomic_t stop;
static int expected_code, expected_value;

static void on_signal(int number) { calls += number == SIGPROF; }

// Counts the signals that come from the sender that the program has, and all others.
static void on_info(int number, siginfo_t *info, void *context) {
  (void)number, (void)context;
  if (info->si_code != expected_code) foreign++;
  else if (expected_code != SI_KERNEL && info->si_value.sival_int != expected_value) other_value++;
  else ticks++;
}

// A number that depends on the kernel's tick is told by whether it is about what was to be expected.
static const char *about(double got, double expected) { return got > 0.5 * expected && got < 1.3 * expected + 3 ? "as many as asked" : "not what was asked"; }

static sigset_t only(int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  return set;
}

static void change(int how, int number) {
  sigset_t set = only(number);
  pthread_sigmask(how, &set, NULL);
}

static int is_blocked(void) {
  sigset_t now;
  sigprocmask(SIG_BLOCK, NULL, &now);
  return sigismember(&now, SIGPROF);
}

static int is_pending(void) {
  sigset_t set;
  sigpending(&set);
  return sigismember(&set, SIGPROF);
}

static void handle(void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  sigaction(SIGPROF, &action, NULL);
}

static void handle_info(int code, int value) {
  expected_code = code, expected_value = value;
  struct sigaction action = {.sa_sigaction = on_info, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGPROF, &action, NULL);
}

static void own_itimer(long us) {
  struct itimerval timer = {{0, us}, {0, us}};
  setitimer(ITIMER_PROF, &timer, NULL);
}

static void *burn(void *seconds) {
  work(*(double *)seconds);
  return NULL;
}

// A thread that burns until told to stop, with SIGPROF blocked or not.
static void *burn_on(void *blocked) {
  if (blocked != NULL) change(SIG_BLOCK, SIGPROF);
  while (!stop) work(0.001);
  return NULL;
}

static int taken[2]; // a byte for each that was taken

// A child that sends `count` SIGPROFs to this process, the first after 30 ms, each other 2 ms after the one before was taken.
static pid_t sender(int count) {
  fflush(stdout);
  if (pipe2(taken, O_CLOEXEC) != 0) abort();
  pid_t child = fork();
  if (child != 0) return child;
  char byte;
  close(taken[1]);
  for (int i = 0; i < count; i++) {
    if (i > 0 && read(taken[0], &byte, 1) != 1) break;
    usleep(i == 0 ? 30000 : 2000);
    kill(getppid(), SIGPROF);
  }
  _exit(0);
}

static void reap(pid_t child) {
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
}

// Runs a part in a child and says how it ended.
static void in_child(const char *name, void (*part)(void)) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    part();
    fflush(stdout);
    _exit(0);
  }
  int status;
  waitpid(child, &status, 0);
  printf("%s: %s %d\n", name, WIFSIGNALED(status) ? "signal" : "status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

// The disposition, as the program is told it.
static void tell(const char *way) {
  struct sigaction now;
  sigaction(SIGPROF, NULL, &now);
  const char *handler = now.sa_handler == SIG_DFL ? "default" : now.sa_handler == SIG_IGN ? "ignored" : now.sa_handler == on_signal ? "own" : "other";
  printf("%s: %s, flags %x, blocks itself %d, calls %d\n", way, handler, (unsigned)now.sa_flags & ~0x04000000u, sigismember(&now.sa_mask, SIGPROF), calls);
}


// Runs the part that the argument names, once the agent is at work. 64: there is none of this name.
struct part {
  const char *name;
  void (*run)(void);
};
static int run_part(const struct part *parts, unsigned count, const char *name) {
  if (strcmp(name, "after") != 0) work(0.03);
  for (unsigned i = 0; i < count; i++)
    if (strcmp(parts[i].name, name) == 0) {
      parts[i].run();
      return 0;
    }
  return 64;
}
#endif
