// cold_modules LIBRARY...: loads each library and sends itself one SIGPROF from below a function of it: what a tick costs that is the
// first one in a module. Prints the nanoseconds of each. Without statprof's library a handler reads the CPU clock.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tick.h"

static double cost;

static void send(void) {
  double begin = now_ns();
  syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGPROF, &tick);
  cost = now_ns() - begin;
}

int main(int argc, char **argv) {
  tick_begin();
  for (int i = 0; i < 100; i++) send(); // the first ones make the file and the thread's tables
  for (int i = 1; i < argc; i++) {
    void *library = dlopen(argv[i], RTLD_NOW);
    void (*call)(void (*)(void)) = library == NULL ? NULL : (void (*)(void (*)(void)))dlsym(library, "call");
    if (call == NULL) return 1;
    call(send);
    printf("%.0f\n", cost);
  }
  return argc > 1 ? 0 : 64;
}
