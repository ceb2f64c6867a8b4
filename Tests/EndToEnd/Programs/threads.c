// threads COUNT ABREAST SECONDS: COUNT threads that each use SECONDS of CPU time, ABREAST of them at a time.
#include <pthread.h>
#include <stdlib.h>

#include "burn.h"

volatile uint64_t sink;
static double seconds;

static void *work(void *argument) {
  burn(seconds);
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
  return 0;
}
