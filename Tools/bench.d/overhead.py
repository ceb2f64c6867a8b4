"""What the library costs the programs that it is loaded into: CPU time with it against CPU time without."""

import os
import subprocess

from measure import LIBRARY, compare, cpu_seconds, folder, peer_library

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
  void *rounds = (void *)(uintptr_t)(1600000000ull / (uint64_t)count);
  pthread_t threads[64];
  for (int i = 0; i < count; i++) pthread_create(&threads[i], 0, work, rounds);
  for (int i = 0; i < count; i++) pthread_join(threads[i], 0);
}
"""

SOURCE = """
#include <iostream>
#include <regex>
int main() { std::string s; std::regex r("(a|b)*c"); while (std::cin >> s) std::cout << std::regex_match(s, r); }
"""


def main():
    with folder() as where:
        path = lambda name: os.path.join(where, name)
        empty = path("empty.so")
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", empty, "-xc", "-"], input="", text=True, check=True)
        subprocess.run(["gcc", "-O2", "-o", path("fixed"), "-xc", "-", "-lpthread"], input=FIXED_WORK, text=True, check=True)
        with open(path("a.cpp"), "w") as out:
            out.write(SOURCE)

        preloads = {
            "alone": {},
            "with an empty library": {"LD_PRELOAD": empty},
            "with libstatprof": {"LD_PRELOAD": LIBRARY, "STATPROF_OUT": path("%e.%p")},
        }
        gperftools = peer_library("libprofiler.so.0")
        if gperftools:
            preloads["with gperftools, 1000 Hz"] = {"LD_PRELOAD": gperftools, "CPUPROFILE": path("gperftools"), "CPUPROFILE_FREQUENCY": "1000"}

        def ways(words):
            def way(environment):
                def run():
                    seconds = cpu_seconds(words, environment, cwd=where)
                    # The traces of one run must not fill the disk for the next.
                    for name in os.listdir(where):
                        if name not in ("empty.so", "fixed", "a.cpp"):
                            os.remove(path(name))
                    return seconds

                return run

            return {name: way(environment) for name, environment in preloads.items()}

        truths = ways(["bash", "-c", "for i in {1..500}; do /bin/true; done"])
        compare("500 times /bin/true from bash", truths, "alone", rounds=9)
        compare("the same", {name: run for name, run in truths.items() if name != "alone"}, "with an empty library", rounds=9)
        compare("one thread", ways([path("fixed"), "1"]), "alone", rounds=7)
        compare("eight threads", ways([path("fixed"), "8"]), "alone", rounds=7)
        compare("g++ -O2, <regex>", ways(["g++", "-O2", "-c", "-o", "a.o", "a.cpp"]), "alone", rounds=5)


main()
