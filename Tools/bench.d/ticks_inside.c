// Preloaded into a program that is really at work: at each tick of its ITIMER_VIRTUAL it sends itself two SIGPROFs, so that what they
// cost is measured over the places where the program spends its time. With statprof's library before it they are ticks of that; else
// a handler reads the thread's CPU clock and does nothing more. At the end, on stderr, of the second half of the program's run: medians
// in nanoseconds of the first signal at a place, and of the second.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "tick.h"

#define TICKS_MAX 100000

static float costs[2][TICKS_MAX];
static int count;

static void on_timer(int number) {
  (void)number;
  if (count == TICKS_MAX) return;
  if (count == 0) tick_begin(); // which was not ready yet when this one was loaded
  for (int i = 0; i < 2; i++) {
    double begin = now_ns();
    syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGPROF, &tick);
    costs[i][count] = (float)(now_ns() - begin);
  }
  count++;
}

__attribute__((constructor)) static void begin(void) {
  struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
  sigaction(SIGVTALRM, &action, NULL);
  struct itimerval interval = {{0, 1000}, {0, 1000}};
  setitimer(ITIMER_VIRTUAL, &interval, NULL);
}

static int compare(const void *a, const void *b) { return (*(const float *)a > *(const float *)b) - (*(const float *)a < *(const float *)b); }

__attribute__((destructor)) static void end(void) {
  struct itimerval none;
  memset(&none, 0, sizeof none);
  setitimer(ITIMER_VIRTUAL, &none, NULL);
  int from = count / 2, half = count - from;
  if (half == 0) return;
  for (int i = 0; i < 2; i++) qsort(costs[i] + from, (size_t)half, sizeof costs[i][0], compare);
  fprintf(stderr, "places %d first %.0f second %.0f\n", half, (double)costs[0][from + half / 2], (double)costs[1][from + half / 2]);
}
