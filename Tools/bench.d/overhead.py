"""What the library costs the programs that it is loaded into: CPU time with it against CPU time without."""

import os
import subprocess

from measure import LIBRARY, compare, compiler_at_work, cpu_seconds, folder, peer_library

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
  int count = atoi(argv[argc - 1]);
  void *rounds = (void *)(uintptr_t)(600000000ull / (uint64_t)count);
  pthread_t threads[64];
  for (int i = 0; i < count; i++) pthread_create(&threads[i], 0, work, rounds);
  for (int i = 0; i < count; i++) pthread_join(threads[i], 0);
}
"""


def main():
    with folder() as where:
        path = lambda name: os.path.join(where, name)
        empty = path("empty.so")
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", empty, "-xc", "-"], input="", text=True, check=True)
        subprocess.run(["gcc", "-O2", "-o", path("fixed"), "-xc", "-", "-lpthread"], input=FIXED_WORK, text=True, check=True)
        compiler = compiler_at_work(where, 2)
        kept = set(os.listdir(where))

        preloads = {
            "alone": {},
            "with an empty library": {"LD_PRELOAD": empty},
            "with libstatprof": {"LD_PRELOAD": LIBRARY, "STATPROF_OUT": path("%e.%p")},
        }
        gperftools = peer_library("libprofiler.so.0")
        if gperftools:
            preloads["with gperftools, 1000 Hz"] = {"LD_PRELOAD": gperftools, "CPUPROFILE": path("gperftools"), "CPUPROFILE_FREQUENCY": "1000"}

        def ways(words, *left_out):
            def way(environment):
                def run():
                    seconds = cpu_seconds(words, environment, cwd=where)
                    # The traces of one run must not fill the disk for the next.
                    for name in set(os.listdir(where)) - kept:
                        os.remove(path(name))
                    return seconds

                return run

            return {name: way(environment) for name, environment in preloads.items() if name not in left_out}

        truths = ["bash", "-c", "for i in {1..500}; do /bin/true; done"]
        compare("500 times /bin/true from bash", ways(truths, "alone"), "with an empty library", rounds=15)
        compare("one thread", ways([path("fixed"), "1"], "with an empty library"), "alone", rounds=30)
        compare("eight threads", ways([path("fixed"), "8"], "with an empty library"), "alone", rounds=30)
        compare("cc1plus -O2", ways(compiler, "with an empty library"), "alone", rounds=30)


main()
