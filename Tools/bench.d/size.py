"""Trace bytes a sample."""

import json
import os
import subprocess

from measure import LIBRARY, REPORT, cpu_seconds, folder

EIGHT_THREADS = r"""
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
static void *work(void *unused) {
  static __thread int values[5000];
  for (int round = 0; round < 2500; round++) {
    for (int i = 0; i < 5000; i++) values[i] = (i * 7919 + round) % 5003;
    qsort(values, 5000, sizeof values[0], compare);
  }
  return unused;
}
int main(void) {
  pthread_t threads[8];
  for (int i = 0; i < 8; i++) pthread_create(&threads[i], 0, work, 0);
  for (int i = 0; i < 8; i++) pthread_join(threads[i], 0);
}
"""

SOURCE = """
#include <iostream>
#include <regex>
int main() { std::string s; std::regex r("(a|b)*c"); while (std::cin >> s) std::cout << std::regex_match(s, r); }
"""


def show(title, words, where):
    traces = os.path.join(where, "traces")
    os.mkdir(traces)
    cpu_seconds(words, {"LD_PRELOAD": LIBRARY, "STATPROF_OUT": os.path.join(traces, "%e.%p")}, cwd=where)
    paths = [os.path.join(traces, name) for name in os.listdir(traces)]
    largest = max(paths, key=os.path.getsize)
    report = json.loads(subprocess.run([REPORT, largest, "--format", "json"], capture_output=True, text=True, check=True).stdout)
    size = os.path.getsize(largest)
    print(f"{title}: {report['samples']} samples, {size} bytes, {size / max(report['samples'], 1):.1f} bytes a sample")
    for path in paths:
        os.remove(path)
    os.rmdir(traces)


def main():
    with folder() as where:
        threads = os.path.join(where, "threads")
        subprocess.run(["gcc", "-O2", "-o", threads, "-xc", "-", "-lpthread"], input=EIGHT_THREADS, text=True, check=True)
        with open(os.path.join(where, "a.cpp"), "w") as out:
            out.write(SOURCE)
        show("eight threads", [threads], where)
        show("cc1plus", ["g++", "-O2", "-c", "-o", os.devnull, "a.cpp"], where)


main()
