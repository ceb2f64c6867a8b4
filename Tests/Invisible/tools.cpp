// tools WHAT: a program for debuggers, sanitizers and tracers, which uses CPU time meanwhile.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "work.h"

static int level;

__attribute__((noinline)) void stop_here(int value) {
  level += value;
  asm volatile("" ::: "memory");
}

__attribute__((noinline)) int middle(int value) {
  work(0.1);
  stop_here(value);
  return level;
}

static void *thread(void *unused) {
  for (int i = 0; i < 20; i++) {
    work(0.005);
    try {
      throw i;
    } catch (int caught) {
      __atomic_fetch_add(&level, caught, __ATOMIC_SEQ_CST);
    }
  }
  return unused;
}

// A child that its parent traces, which says what it stopped for.
static void trace_child() {
  static long word = 4711;
  int stops = 0, status = 0;
  pid_t child = fork();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0 || ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0) _exit(1);
    work(0.1);
    raise(SIGUSR1);
    work(0.1);
    _exit(3);
  }
  while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
    if (stops++ < 3) printf("signal %d, word %ld\n", WSTOPSIG(status), ptrace(PTRACE_PEEKDATA, child, &word, nullptr));
    ptrace(PTRACE_CONT, child, nullptr, nullptr);
  }
  printf("stops %d, status %d\n", stops, WEXITSTATUS(status));
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "threads") == 0) {
    pthread_t threads[4];
    for (pthread_t &t : threads) pthread_create(&t, nullptr, thread, nullptr);
    for (pthread_t &t : threads) pthread_join(t, nullptr);
  } else if (strcmp(what, "dlmopen") == 0) {
    void *library = dlmopen(LM_ID_NEWLM, "libm.so.6", RTLD_NOW);
    double (*cosine)(double) = library ? (double (*)(double))dlsym(library, "cos") : nullptr;
    work(0.2);
    printf("%d %.3f\n", library != nullptr, cosine ? cosine(0) : 0.0);
  } else if (strcmp(what, "dumpable") == 0) {
    prctl(PR_SET_DUMPABLE, 0);
    work(0.2);
    printf("%d\n", prctl(PR_GET_DUMPABLE));
  } else if (strcmp(what, "privileges") == 0) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    work(0.2);
    printf("%d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  } else if (strcmp(what, "user") == 0) {
    work(argc > 2 ? 0.1 : 0);
    printf("%d\n", unshare(CLONE_NEWUSER));
    work(0.2);
  } else if (strcmp(what, "traced") == 0) {
    trace_child(); // with no tick before it
    work(0.1);
    trace_child();
  } else if (strcmp(what, "abort") == 0) {
    work(0.1);
    abort();
  } else if (strcmp(what, "fault") == 0) {
    work(0.1);
    *(volatile int *)nullptr = 1;
  } else if (strcmp(what, "bounds") == 0) { // AddressSanitizer ends it
    work(0.1);
    char *block = (char *)malloc(8);
    block[argc + 7] = 1;
    free(block);
  } else {
    for (int i = 0; i < 3; i++) middle(i + 1);
  }
  printf("level %d\n", level);
  return 4;
}
