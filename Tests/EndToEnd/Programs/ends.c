// ends HOW SECONDS [THREADS]: uses SECONDS of CPU time in each of THREADS further threads and in main, then ends as HOW says.
// "forever" does not end.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "burn.h"

volatile uint64_t sink;
static double seconds;
static volatile int *volatile nowhere;

static void *work(void *argument) {
  burn(seconds);
  return argument;
}

int main(int argc, char **argv) {
  const char *how = argc > 1 ? argv[1] : "return";
  int count = argc > 3 ? atoi(argv[3]) : 0;
  seconds = strcmp(how, "forever") == 0 ? 1e9 : argc > 2 ? atof(argv[2]) : 0.3;
  pthread_t threads[64];
  for (int i = 0; i < count; i++) pthread_create(&threads[i], NULL, work, NULL);
  burn(seconds);
  // Ends without a join where the end is not main's: the other threads are cut off at work, or done already.
  if (strcmp(how, "return") == 0 || strcmp(how, "exit") == 0)
    for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
  if (strcmp(how, "exit") == 0) exit(5);
  if (strcmp(how, "_exit") == 0) _exit(6);
  if (strcmp(how, "quick_exit") == 0) quick_exit(7);
  if (strcmp(how, "abort") == 0) abort();
  if (strcmp(how, "term") == 0) kill(getpid(), SIGTERM);
  if (strcmp(how, "kill") == 0) kill(getpid(), SIGKILL);
  if (strcmp(how, "segv") == 0) *nowhere = 1;
  if (strcmp(how, "pthread_exit") == 0) pthread_exit(NULL);
  return 0;
}
