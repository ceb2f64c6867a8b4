"""Sums of a report, as each reader prints them: microseconds by function, itself and with all that it calls."""

import json
import sys
from collections import Counter


class Totals:
    def __init__(self):
        self.total = 0
        self.samples = 0
        self.own = Counter()
        self.cumulative = Counter()

    def add(self, stack, weight, samples=0):
        """`stack`: names, root first. A name that stands several times on it counts once."""
        self.total += weight
        self.samples += samples
        self.own[stack[-1]] += weight
        for name in set(stack):
            self.cumulative[name] += weight

    def print(self, **more):
        json.dump(
            {"total": self.total, "samples": self.samples, "own": self.own, "cumulative": self.cumulative, **more}, sys.stdout)


def check(condition, *words):
    if not condition:
        raise SystemExit("not valid: " + " ".join(str(word) for word in words))
