// sleeps SECONDS: calls that sleep for a millisecond, of every kind that a signal interrupts though SA_RESTART is set, between short
// pieces of work, in four threads; two more use CPU time all the while, one of them with every signal blocked. The last line of the output
// says how many calls there were and how many a signal interrupted, as JSON.
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "burn.h"

volatile uint64_t sink;
static double end_time; // of CLOCK_MONOTONIC
static int calls, interrupted;

static void count(int result) {
  __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
  if (result < 0 && errno == EINTR) __atomic_fetch_add(&interrupted, 1, __ATOMIC_RELAXED);
}

static void *sleep_often(void *kind) {
  int events = epoll_create1(0);
  while (cpu_of(CLOCK_MONOTONIC) < end_time) {
    struct timespec t = {0, 1000000};
    struct timeval v = {0, 1000};
    struct epoll_event event;
    switch ((int)(intptr_t)kind) {
      case 0: count(nanosleep(&t, NULL)); break;
      case 1: count(poll(NULL, 0, 1)); break;
      case 2: count(select(0, NULL, NULL, NULL, &v)); break;
      default: count(epoll_wait(events, &event, 1, 1)); break;
    }
    SPIN(300000, 3u);
  }
  return NULL;
}

static void *use_cpu(void *blocks) {
  sigset_t all;
  sigfillset(&all);
  if (blocks != NULL) pthread_sigmask(SIG_BLOCK, &all, NULL);
  while (cpu_of(CLOCK_MONOTONIC) < end_time) SPIN(1000000, 3u);
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t threads[6];
  end_time = cpu_of(CLOCK_MONOTONIC) + (argc > 1 ? atof(argv[1]) : 1);
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, sleep_often, (void *)(intptr_t)i);
  for (int i = 4; i < 6; i++) pthread_create(&threads[i], NULL, use_cpu, i == 4 ? &threads : NULL);
  for (int i = 0; i < 6; i++) pthread_join(threads[i], NULL);
  printf("{\"saw\":{\"calls\":%d,\"interrupted\":%d}}\n", calls, interrupted);
  return 0;
}
