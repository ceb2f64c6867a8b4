// masks HOW SECONDS: threads whose signal mask keeps SIGPROF out, and what the program sees of that mask.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include <unistd.h>

#include "burn.h"

volatile uint64_t sink;
static double seconds;
static volatile int handled;

static void on_signal(int number) { handled += number == SIGPROF; }

static int is_blocked(void) {
  sigset_t now;
  pthread_sigmask(SIG_BLOCK, NULL, &now);
  return sigismember(&now, SIGPROF);
}

static int is_pending(void) {
  sigset_t set;
  sigpending(&set);
  return sigismember(&set, SIGPROF);
}

static void *work(void *argument) {
  burn(seconds);
  return is_blocked() ? argument : NULL;
}

static int c11_work(void *argument) {
  (void)argument;
  burn(seconds);
  return 5;
}

int main(int argc, char **argv) {
  const char *how = argc > 1 ? argv[1] : "worker";
  seconds = argc > 2 ? atof(argv[2]) : 0.3;
  sigset_t all, profile, old;
  sigfillset(&all);
  sigemptyset(&profile);
  sigaddset(&profile, SIGPROF);
  if (strcmp(how, "worker") == 0) { // as xz does: the creator blocks everything around pthread_create
    pthread_t thread;
    void *blocked;
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pthread_create(&thread, NULL, work, &all);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_join(thread, &blocked);
    printf("worker blocked %d, creator blocked %d\n", blocked != NULL, is_blocked());
  } else if (strcmp(how, "held") == 0) { // a signal of the program's own waits until it is let in
    signal(SIGPROF, on_signal);
    pthread_sigmask(SIG_BLOCK, &profile, NULL);
    kill(getpid(), SIGPROF);
    burn(seconds);
    printf("handled %d, pending %d\n", handled, is_pending());
    pthread_sigmask(SIG_UNBLOCK, &profile, NULL);
    printf("handled %d, pending %d\n", handled, is_pending());
    pthread_sigmask(SIG_BLOCK, &profile, NULL);
    raise(SIGPROF);
    int taken = 0;
    sigwait(&profile, &taken);
    printf("handled %d, taken %d, pending %d\n", handled, taken == SIGPROF, is_pending());
  } else if (strcmp(how, "exec") == 0) { // mask and waiting signal outlive an exec
    pthread_sigmask(SIG_BLOCK, &profile, NULL);
    kill(getpid(), SIGPROF);
    burn(seconds);
    execl("/proc/self/exe", argv[0], "after", argv[2], (char *)NULL);
  } else if (strcmp(how, "after") == 0) {
    burn(seconds);
    printf("blocked %d, pending %d\n", is_blocked(), is_pending());
  } else if (strcmp(how, "c11") == 0) {
    thrd_t thread;
    int result = 0;
    if (thrd_create(&thread, c11_work, NULL) == thrd_success) thrd_join(thread, &result);
    printf("result %d\n", result);
  }
  return 0;
}
