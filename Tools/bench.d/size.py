"""Trace bytes a further sample: a program, and one that does the same for twice as long: (size(2N) - size(N)) / N.

A trace grows by whole chunks of 4 KB and more, so that one pair of short runs tells the figure to a byte or two only: several lengths are
shown, and each thread's chunks are a small part of the longest.
"""

import os
import subprocess

from measure import LIBRARY, ROOT, compile_c, compiler_at_work, cpu_seconds, folder, report


def recorded(where, words):
    """Size and samples of the trace that a run leaves."""
    trace = os.path.join(where, "trace")
    cpu_seconds(words, {"LD_PRELOAD": LIBRARY, "STATPROF_OUT": trace}, stdout=subprocess.DEVNULL)
    return os.path.getsize(trace), report(trace)["samples"]


def show(where, title, lengths, words):
    """Runs `words` of each length, and prints what each takes beyond the one before."""
    before = None
    for length in lengths:
        size, samples = recorded(where, words(length))
        if before:
            more = (size - before[1]) / (samples - before[2])
            print(
                f"{title}, {before[0]} and {length}: {before[2]} samples {before[1]} bytes, {samples} samples {size} bytes: "
                f"{more:.1f} bytes a further sample",
                flush=True,
            )
        before = length, size, samples


def main():
    with folder() as where:
        shares = compile_c(where, "shares", os.path.join(ROOT, "Tests", "EndToEnd", "Programs", "shares.c"))
        show(where, "eight threads, seconds", (10, 20, 40, 80), lambda seconds: [shares, "8", str(seconds)])
        # In the longer runs gcc collects garbage: recursion that is hundreds deep, and new at each sample.
        show(where, "cc1plus, parts", (1, 4, 10, 20, 40), lambda parts: compiler_at_work(where, parts))


main()
