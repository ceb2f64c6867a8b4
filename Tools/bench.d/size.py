"""Trace bytes a further sample: a program, and one that does the same for at least twice as long: (size(2N) - size(N)) / N."""

import os
import subprocess

from measure import LIBRARY, ROOT, compile_c, compiler_at_work, cpu_seconds, folder, report


def recorded(where, words):
    """Size and samples of the trace that a run leaves."""
    trace = os.path.join(where, "trace")
    cpu_seconds(words, {"LD_PRELOAD": LIBRARY, "STATPROF_OUT": trace}, stdout=subprocess.DEVNULL)
    return os.path.getsize(trace), report(trace)["samples"]


def show(where, title, once, twice):
    (size1, samples1), (size2, samples2) = recorded(where, once), recorded(where, twice)
    more = (size2 - size1) / (samples2 - samples1)
    print(f"{title}: {samples1} samples {size1} bytes, {samples2} samples {size2} bytes: {more:.1f} bytes a further sample")


def main():
    with folder() as where:
        shares = compile_c(where, "shares", os.path.join(ROOT, "Tests", "EndToEnd", "Programs", "shares.c"))
        show(where, "eight threads", [shares, "8", "10"], [shares, "8", "20"])
        # In the longer runs gcc collects garbage: recursion that is hundreds deep, and new at each sample.
        for once, twice in ((1, 4), (10, 20)):
            show(where, f"cc1plus, {once} and {twice} parts", compiler_at_work(where, once), compiler_at_work(where, twice))


main()
