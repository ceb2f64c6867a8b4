"""Trace bytes a further sample: a program, and one that does the same for twice as long: (size(2N) - size(N)) / N.

A trace grows by whole chunks, an eighth of it each, so that one pair of runs tells the figure to a few bytes only: several lengths are
shown, and of cc1plus, whose one thread has all the chunks, several runs of each together.
"""

import os
import subprocess

from measure import LIBRARY, ROOT, compile_c, compiler_at_work, cpu_seconds, folder, report


def recorded(where, words, runs):
    """Size and samples of the traces that some runs leave, together; and in how many of them the agent lowered its rate below the kernel's tick."""
    trace = os.path.join(where, "trace")
    size = samples = lowered = 0
    for _ in range(runs):
        cpu_seconds(words, {"LD_PRELOAD": LIBRARY, "STATPROF_OUT": trace}, stdout=subprocess.DEVNULL)
        size += os.path.getsize(trace)
        shown = report(trace)
        samples += shown["samples"]
        process = shown["processes"][0]
        lowered += (process["frequency_lowered"] or 1000) * process["tick_nanoseconds"] < 1e9
    return size, samples, lowered


def show(where, title, lengths, words, runs):
    """Runs `words` of each length, and prints what each takes beyond the one before."""
    before = None
    for length in lengths:
        size, samples, lowered = recorded(where, words(length), runs)
        if before:
            more = (size - before[1]) / (samples - before[2])
            print(
                f"{title}, {before[0]} and {length}, {runs} of each: {before[2]} samples {before[1]} bytes, {samples} samples {size} bytes: "
                f"{more:.1f} bytes a further sample" + f"; fewer samples, since the agent lowered its rate in {lowered}" * (lowered > 0),
                flush=True,
            )
        before = length, size, samples


def main():
    with folder() as where:
        shares = compile_c(where, "shares", os.path.join(ROOT, "Tests", "EndToEnd", "Programs", "shares.c"))
        show(where, "eight threads, seconds", (10, 20, 40, 80), lambda seconds: [shares, "8", str(seconds)], 1)
        # In the longer runs gcc collects garbage: recursion that is hundreds deep, and new at each sample.
        show(where, "cc1plus, parts", (1, 4, 10, 20, 40), lambda parts: compiler_at_work(where, parts), 5)


main()
