"""What the library costs the programs that it is loaded into: CPU time with it against CPU time without."""

import os
import subprocess

from measure import LIBRARY, compiler_at_work, folder, peer_library, report, side_by_side

FIXED_WORK = r"""
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
static volatile uint64_t sink;
static void *work(void *rounds) {
  uint64_t x = 1;
  for (uint64_t i = 0; i < (uint64_t)(uintptr_t)rounds; i++) x = x * 6364136223846793005u + 1442695040888963407u;
  sink = x;
  return 0;
}
int main(int argc, char **argv) {
  if (argc < 3) return 64;
  int count = atoi(argv[1]);
  void *rounds = (void *)(uintptr_t)(900000000ull * strtoull(argv[2], 0, 10) / (uint64_t)count);
  pthread_t threads[64];
  for (int i = 0; i < count; i++) pthread_create(&threads[i], 0, work, rounds);
  for (int i = 0; i < count; i++) pthread_join(threads[i], 0);
}
"""

# What any profiler by a signal costs: the kernel's part of a tick.
EMPTY_HANDLER = r"""
#define _GNU_SOURCE
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static void on_tick(int number) { (void)number; }
__attribute__((constructor)) static void load(void) {
  struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF};
  struct itimerspec often = {{0, 1000000}, {0, 1000000}};
  timer_t timer;
  sigaction(SIGPROF, &action, NULL);
  event._sigev_un._tid = (int)syscall(SYS_gettid);
  timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer);
  timer_settime(timer, 0, &often, NULL);
}
"""


def by_events(program, trace):
    """The way by events of the kernel's, whose rate is the one that was asked for; none where they are not permitted."""
    environment = {"LD_PRELOAD": LIBRARY, "STATPROF_CLOCK": "perf"}
    subprocess.run([program, "1", "1"], env={**os.environ, **environment, "STATPROF_OUT": trace}, check=True)
    shown = report(trace)
    rate = round(shown["samples"] / shown["cpu_seconds"], -1)
    name = f"STATPROF_CLOCK=perf, {rate:.0f} Hz"
    return {name: {**environment, "STATPROF_OUT": "%e.%p"}} if shown["processes"][0]["clock"] == "perf" else {}


def main():
    with folder() as where:
        path = lambda name: os.path.join(where, name)
        empty = path("empty.so")
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", empty, "-xc", "-"], input="", text=True, check=True)
        subprocess.run(["gcc", "-O2", "-o", path("fixed"), "-xc", "-", "-lpthread"], input=FIXED_WORK, text=True, check=True)
        compiler = compiler_at_work(where, 2)
        empty_library = {"LD_PRELOAD": empty}
        ways = {"alone": {}, "with libstatprof": {"LD_PRELOAD": LIBRARY, "STATPROF_OUT": "%e.%p"}}
        gperftools = peer_library("libprofiler.so.0")
        if gperftools:
            ways["with gperftools, 1000 Hz"] = {"LD_PRELOAD": gperftools, "CPUPROFILE": "gperftools", "CPUPROFILE_FREQUENCY": "1000"}
        truths = ["bash", "-c", "for i in {1..500}; do /bin/true; done"]
        side_by_side("500 times /bin/true from bash, against an empty library", truths, {**ways, "alone": empty_library}, "alone", 30, 2)
        # The longer, the less of it is what each thread costs once.
        side_by_side("one thread", [path("fixed"), "1", "1"], {**ways, **by_events(path("fixed"), path("trace"))}, "alone", 30, 1)
        for length in ("1", "4"):
            side_by_side("eight threads, and eight of the other at once", [path("fixed"), "8", length], ways, "alone", 30, 1, pinned=False)
        # The controls: what noise makes of two runs that cost the same, and what the kernel's part of a tick costs at its own rate.
        handler = path("handler.so")
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", handler, "-xc", "-"], input=EMPTY_HANDLER, text=True, check=True)
        controls = {"with an empty library": empty_library, "with an empty handler, 1000 Hz": {"LD_PRELOAD": handler}}
        side_by_side("cc1plus -O2", compiler, {**controls, **ways}, "alone", 30, 2)


main()
