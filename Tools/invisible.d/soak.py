"""Cases at random, several at once, under clocks and rates at random; every outcome compared and every trace checked."""

import argparse
import collections
import os
import random
import sys
import tempfile
import threading
import time

import judge
from case import Build
from cases import CASES
from run import run, ways

# How often each is chosen, and what it asks for. Past the kernel's tick only perf's clock delivers what is asked.
SETTINGS = [
    (5, "perf 10000", {"STATPROF_CLOCK": "perf", "STATPROF_FREQUENCY": "10000"}),
    (2, "auto 10000", {"STATPROF_FREQUENCY": "10000"}),
    (1, "itimer 10000", {"STATPROF_CLOCK": "itimer", "STATPROF_FREQUENCY": "10000"}),
    (1, "auto 100", {"STATPROF_FREQUENCY": "100"}),
]


class Tally:
    """What ran so far; shared by the threads that run it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.runs = collections.Counter()
        self.fell = []
        self.samples = collections.Counter()
        self.cpu = collections.Counter()
        self.whole = collections.Counter()
        self.traces = 0

    def add(self, case, setting, outcome, wrong):
        with self.lock:
            self.runs[case.name] += 1
            if wrong:
                self.fell.append((case.name, setting, wrong))
                print(f"FALLS {case.name} ({setting}): {wrong}", flush=True)
            for trace in outcome.traces:
                self.traces += 1
                self.samples[setting] += trace.get("samples", 0)
                self.cpu[setting] += trace.get("cpu", 0)
                for how, count in trace.get("unwind", {}).items():
                    self.whole[how] += count if isinstance(count, int) else 0


class Alone:
    """What each case is without the agent: run when it is first chosen, by whoever chooses it."""

    def __init__(self, cases, build, base):
        self.locks = {case.name: threading.Lock() for case in cases}
        self.outcomes = {}
        self.build = build
        self.base = base

    def __call__(self, case):
        """The words of its command, and its outcome."""
        with self.locks[case.name]:
            if case.name not in self.outcomes:
                with self.build.lock:
                    words = self.build.words(case.command)
                self.outcomes[case.name] = words, run(case, words, ways(False)[0], self.base)
            return self.outcomes[case.name]


def work(seed, alone, cases, base, tally, end):
    chance = random.Random(seed)
    found = ways(False)
    while time.monotonic() < end:
        chosen = chance.choice(cases)
        setting, more = chance.choices([s[1:] for s in SETTINGS], [s[0] for s in SETTINGS])[0]
        case = chosen.under(setting.split()[0])
        if case is None:
            continue
        words, expected = alone(case)
        outcome = run(case, words, found[1], base, tuple(more.items()))
        tally.add(case, setting, outcome, judge.fault(case, expected, outcome, found[1]))


def main():
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("minutes", nargs="?", type=float, default=5)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak.") as base:
        os.chmod(base, 0o755)
        cases = [case for area in CASES.values() for case in area if not case.lacks() and not case.slow]
        alone = Alone(cases, Build(base), base)
        tally = Tally()
        begin = time.monotonic()
        end = begin + 60 * options.minutes
        print(f"soak: seed {options.seed}, {len(cases)} cases, {options.jobs} at once, {options.minutes:g} minutes", flush=True)
        arguments = [(options.seed + i, alone, cases, base, tally, end) for i in range(options.jobs)]
        threads = [threading.Thread(target=work, args=each) for each in arguments]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return show(tally, len(cases), time.monotonic() - begin)


def show(tally, cases, seconds):
    for _, setting, _ in SETTINGS:
        if tally.cpu[setting]:
            rate = tally.samples[setting] / tally.cpu[setting]
            print(f"  {setting:<14} {tally.samples[setting]} samples in {tally.cpu[setting]:.1f} s of CPU: {rate:.0f} a CPU second")
    total = sum(tally.whole.values())
    print(f"  stacks: " + ", ".join(f"{how} {count}" for how, count in tally.whole.most_common()) + f" of {total}")
    print(f"{sum(tally.runs.values())} runs of {len(tally.runs)} of {cases} cases in {seconds / 60:.1f} minutes, {tally.traces} traces; {len(tally.fell)} fell")
    return 1 if tally.fell else 0


sys.exit(main())
