// Says at each SIGUSR1 what the agent's unwinder makes of where the signal found the program; a debugger that has stopped it
// there says the same (debugger.gdb). `point` is where it is stopped first.
#include "oracle.h"

static volatile long sink;

static void on_user(int number, siginfo_t *info, void *context) {
  (void)number, (void)info;
  static struct sp_frame frames[ORACLE_FRAMES];
  uint8_t outcome;
  uint32_t count = sp_unwind(oracle_unwinder, context, 0, frames, ORACLE_FRAMES, &outcome);
  printf("own");
  for (uint32_t i = 0; i < count; i++) printf(" %lx", (unsigned long)frames[i].address);
  printf("\n");
}

__attribute__((noinline)) void point(void) { sink++; }

__attribute__((noinline)) static int by_value(const void *a, const void *b) {
  int x = *(const int *)a, y = *(const int *)b;
  if (x == 50) point();
  return (x > y) - (x < y);
}

__attribute__((noinline)) static long recurse(int depth) {
  if (depth == 0) point();
  return depth == 0 ? sink : recurse(depth - 1) * 3 + sink;
}

static void on_other(int number) {
  point();
  sink += number;
}

__attribute__((noinline)) static long with_array(long size) {
  char *array = __builtin_alloca((size_t)size);
  memset(array, 1, (size_t)size);
  point();
  return array[size / 2];
}

int main(int argc, char **argv) {
  oracle_begin(argc, argv);
  setvbuf(stdout, NULL, _IOLBF, 0);
  struct sigaction action = {.sa_sigaction = on_user, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  struct sigaction other = {.sa_handler = on_other};
  sigaction(SIGUSR2, &other, NULL);
  int numbers[60];
  for (int i = 0; i < 60; i++) numbers[i] = (i * 37) % 60;
  qsort(numbers, 60, sizeof numbers[0], by_value);
  sink += recurse(25) + with_array(100 + argc);
  raise(SIGUSR2);
  return 0;
}
