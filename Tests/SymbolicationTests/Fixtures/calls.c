// Static and inlined functions, a nested function, aliases and calls into libraries.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
  char key[24];
  double value;
};

static inline double weigh(double x, int n) {
  double sum = 0;
  for (int i = 1; i <= n; i++)
    sum += sqrt(x * i) / (i + 1);
  return sum;
}

static inline __attribute__((always_inline)) double twice(double x, int n) { return weigh(x, n) + weigh(x + 1, n / 2); }

static int by_value(const void *a, const void *b) {
  double x = ((const struct entry *)a)->value, y = ((const struct entry *)b)->value;
  return x < y ? -1 : x > y;
}

__attribute__((noinline)) double work(struct entry *entries, int count, int rounds) {
  double sum = 0;
  for (int round = 0; round < rounds; round++) {
    for (int i = 0; i < count; i++) {
      snprintf(entries[i].key, sizeof entries[i].key, "k%d", i);
      entries[i].value = twice(i, round % 5 + 2) + strlen(entries[i].key);
    }
    qsort(entries, count, sizeof *entries, by_value);
    sum += entries[round % count].value;
  }
  return sum;
}

__attribute__((noinline, cold)) static void complain(const char *what) {
  fprintf(stderr, "bad %s\n", what);
  exit(2);
}

__attribute__((noinline)) int checked(int argc, char **argv) {
  if (argc > 5)
    complain(argv[5]);
#ifndef __clang__
  int depth = 0;
  __attribute__((noinline)) int nested(int n) {
    depth += n;
    return n <= 0 ? depth : nested(n - 1) + depth % 3;
  }
  return nested(argc + 3);
#else
  return argc * 3;
#endif
}

int also_checked(int argc, char **argv) __attribute__((alias("checked")));

int main(int argc, char **argv) {
  int count = 100 + argc;
  struct entry *entries = calloc(count, sizeof *entries);
  if (!entries)
    complain("memory");
  printf("%f %d\n", work(entries, count, 20), checked(argc, argv));
  free(entries);
}
