// threads COUNT ABREAST SECONDS: COUNT threads that each use SECONDS of CPU time, ABREAST of them at a time. The last line of the output
// is what they used by their own clocks, as JSON.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "burn.h"

volatile uint64_t sink;
static double seconds, used;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *work(void *argument) {
  burn(seconds);
  pthread_mutex_lock(&lock);
  used += thread_cpu();
  pthread_mutex_unlock(&lock);
  return argument;
}

int main(int argc, char **argv) {
  int count = argc > 1 ? atoi(argv[1]) : 8, abreast = argc > 2 ? atoi(argv[2]) : 4;
  seconds = argc > 3 ? atof(argv[3]) : 0.1;
  pthread_t *threads = calloc((size_t)abreast, sizeof *threads);
  for (int i = 0; i < count + abreast; i++) {
    if (i >= abreast) pthread_join(threads[i % abreast], NULL);
    if (i < count && pthread_create(&threads[i % abreast], NULL, work, NULL) != 0) return 1;
  }
  printf("{\"functions\":{\"work\":%.6f}}\n", used);
  return 0;
}
