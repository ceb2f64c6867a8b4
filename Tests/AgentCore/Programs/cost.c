// What a walk costs: 40 frames, warm and cold. Figures to read, nothing that could fail but a walk that is not complete.
#include "oracle.h"

static struct sp_frame frames[ORACLE_FRAMES];
static volatile long sink;

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void on_user(int number, siginfo_t *info, void *context) {
  (void)number, (void)info;
  uint8_t outcome;
  uint64_t begin = now_ns();
  unsigned count = sp_unwind(oracle_unwinder, context, 0, frames, ORACLE_FRAMES, &outcome);
  uint64_t first = now_ns() - begin;
  begin = now_ns();
  sp_unwind(oracle_unwinder, context, 0, frames, ORACLE_FRAMES, &outcome);
  uint64_t second = now_ns() - begin;

  enum { WARM = 20000, COLD = 50 };
  for (int i = 0; i < 100; i++) sp_unwind(oracle_unwinder, context, 0, frames, ORACLE_FRAMES, &outcome);
  begin = now_ns();
  for (int i = 0; i < WARM; i++) sp_unwind(oracle_unwinder, context, 0, frames, ORACLE_FRAMES, &outcome);
  double warm = (double)(now_ns() - begin) / WARM;
  begin = now_ns();
  for (int i = 0; i < WARM; i++) sp_unwind(oracle_unwinder, context, 2, frames, ORACLE_FRAMES, &(uint8_t){0});
  double fp = (double)(now_ns() - begin) / WARM;
  double cold = 0;
  for (int i = 0; i < COLD; i++) {
    struct sp_unwinder *unwinder = oracle_new_unwinder();
    begin = now_ns();
    sp_unwind(unwinder, context, 0, frames, ORACLE_FRAMES, &outcome);
    cold += (double)(now_ns() - begin) / COLD;
    munmap(unwinder, sp_unwinder_size);
  }
  printf("cost: %u frames, outcome %d; first walk of the process %.1f us, second %.1f us; of a new thread %.1f us; "
         "warm %.0f ns, %.1f ns a frame; by frame pointers %.0f ns\n",
         count, outcome, first / 1e3, second / 1e3, cold / 1e3, warm, warm / count, fp);
  if (outcome != 0 || count < 40) exit(1);
}

__attribute__((noinline)) static long recurse(int depth) {
  if (depth == 0) {
    raise(SIGUSR1);
    return sink;
  }
  return recurse(depth - 1) * 3 + sink;
}

int main(int argc, char **argv) {
  oracle_begin(argc, argv);
  struct sigaction action = {.sa_sigaction = on_user, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  sink += recurse(33);
  return 0;
}
