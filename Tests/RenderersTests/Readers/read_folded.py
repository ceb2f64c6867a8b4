"""Reads folded stacks by the rule of flamegraph.pl: a line is a stack, blanks, and a number; `;` stands between frames."""

import re
import sys

from totals import Totals, check

totals = Totals()
for line in open(sys.argv[1], encoding="utf-8"):
    match = re.match(r"^(.*)\s+?(\d+(?:\.\d*)?)$", line.rstrip("\n"))
    check(match, "line", repr(line))
    totals.add(match[1].split(";"), int(match[2]))
totals.print()
