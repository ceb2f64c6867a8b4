"""Reads the format of callgrind, and works out inclusive cost as KCachegrind and callgrind_annotate do: by the calls to a function."""

import re
import sys
from collections import Counter, defaultdict

from totals import Totals, check

names = defaultdict(dict)


def name(kind, text):
    match = re.match(r"^\((\d+)\)(?: (.*))?$", text)
    check(match, kind, text)
    if match[2] is not None:
        check(match[1] not in names[kind], kind, match[1], "is named twice")
        names[kind][match[1]] = match[2]
    return names[kind][match[1]]


own, called, spent = Counter(), Counter(), Counter()
samples = 0
lines = []
header = []
totals = {}
events = None
current = callee = calls = None
module = file = None
for line in open(sys.argv[1], encoding="utf-8"):
    line = line.rstrip("\n")
    if not line or line.startswith("#"):
        continue
    if re.match(r"^\d", line):
        check(events == "us samples", "costs before events")
        number, weight, count = map(int, line.split(" "))
        if calls is not None:
            check(calls == max(count, 1), "calls", calls, "samples", count)
            called[callee] += weight
            spent[current] += weight
            check(callee != current, "a function that calls itself", callee)
            calls = None
        else:
            own[current] += weight
            samples += count
            lines.append([current[2], where, number, weight])
        continue
    key, text = re.match(r"^([a-z]+)(?:=|: ?)(.*)$", line).groups()
    if key in ("summary", "totals"):
        totals[key] = [int(number) for number in text.split(" ")]
    elif key == "events":
        events = text
    elif key == "ob":
        module = name("ob", text)
    elif key == "fl":
        file = where = name("fl", text)
    elif key in ("fi", "fe"):
        where = name("fl", text)
    elif key == "fn":
        current = (module, file, name("fn", text))
    elif key == "cob":
        callee_module = name("ob", text)
    elif key == "cfi":
        callee_file = name("fl", text)
    elif key == "cfn":
        callee = (callee_module, callee_file, name("fn", text))
    elif key == "calls":
        calls = int(text.split(" ")[0])
    else:
        check(key in ("version", "creator", "pid", "cmd", "desc", "positions", "event"), line)
        header.append(line)
check(totals["summary"] == totals["totals"] == [sum(own.values()), samples], totals, sum(own.values()), samples)
result = Totals()
result.total, result.samples = totals["summary"]
for function in set(own) | set(called) | set(spent):
    inclusive = called[function] if function in called else own[function] + spent[function]
    check(inclusive <= result.total, function, "has more than all:", inclusive)
    if function != ("???", "???", "[all]"):
        result.own[function[2]] += own[function]
        result.cumulative[function[2]] += inclusive
result.print(lines=lines, header=header)
