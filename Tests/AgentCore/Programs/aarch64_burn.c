// Two threads that burn CPU time in functions whose stacks a profile must show whole.
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static volatile long sink;

__attribute__((noinline)) static long burn(long n) {
  for (long i = 0; i < n; i++) sink += i * i;
  return sink;
}

__attribute__((noinline)) static long recurse(int depth) { return depth == 0 ? burn(5000) : recurse(depth - 1) + 1; }

static int by_value(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static void *work(void *unused) {
  struct timespec now;
  do {
    int numbers[500];
    for (int i = 0; i < 500; i++) numbers[i] = i * 7919 % 1009;
    qsort(numbers, 500, sizeof numbers[0], by_value);
    sink += recurse(10);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  } while (now.tv_sec < 1);
  return unused;
}

int main(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, work, NULL) != 0) return 1;
  work(NULL);
  return pthread_join(thread, NULL);
}
