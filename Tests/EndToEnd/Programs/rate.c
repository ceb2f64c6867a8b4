// rate SECONDS AFTER: sends itself so many ticks, for SECONDS of CPU time, that they cost it more than a profiler may; then works without
// for AFTER. The output is the CPU time of both, as JSON.
#include "tick.h"

#include <stdlib.h>

#include "burn.h"

volatile uint64_t sink;

__attribute__((noinline)) static void ticked(double seconds) {
  long pid = getpid(), tid = syscall(SYS_gettid);
  double end = thread_cpu() + seconds;
  while (thread_cpu() < end)
    for (int i = 0; i < 100; i++) syscall(SYS_rt_tgsigqueueinfo, pid, tid, SIGPROF, &tick);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  tick_begin();
  double begin = thread_cpu();
  ticked(atof(argv[1]));
  double between = thread_cpu();
  burn(atof(argv[2]));
  printf("{\"ticked\": %.6f, \"burn\": %.6f}\n", between - begin, thread_cpu() - between);
  return 0;
}
