"""Reads gzipped profile.proto without generated code, and checks what the format asks for."""

import gzip
import sys

from protobuf import fields
from totals import Totals, check


def numbers(data):
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0


def message(data):
    result = {}
    for number, value in fields(data):
        result.setdefault(number, []).append(value)
    return result


def one(values, number):
    found = values.get(number, [0])
    check(len(found) == 1, "field", number, "stands", len(found), "times")
    return found[0]


profile = message(gzip.open(sys.argv[1]).read())
strings = [text.decode() for text in profile[6]]
check(strings[0] == "", "first string", strings[0])
check(len(set(strings)) == len(strings), "a string stands twice")
types = [tuple(strings[one(message(t), n)] for n in (1, 2)) for t in profile[1]]
check(types == [("samples", "count"), ("cpu", "nanoseconds")], types)
check(strings[one(profile, 14)] == "cpu", "default")


def table(number):
    rows = [message(data) for data in profile.get(number, [])]
    result = {one(row, 1): row for row in rows}
    check(len(result) == len(rows) and 0 not in result, "ids of field", number)
    return result


mappings, locations, functions = table(3), table(4), table(5)
ranges = sorted((one(m, 2), one(m, 3)) for m in mappings.values())
check(all(a < b for a, b in ranges), "empty mapping", ranges)
check(all(a[1] <= b[0] for a, b in zip(ranges, ranges[1:])), "mappings overlap", ranges)
names = {}
for number, location in locations.items():
    mapping = one(location, 2)
    if mapping:
        check(one(mappings[mapping], 2) <= one(location, 3) < one(mappings[mapping], 3), "address outside of its mapping", location)
    lines = [message(line) for line in location[4]]
    # The innermost comes first.
    names[number] = [strings[one(functions[one(line, 1)], 2)] for line in reversed(lines)]

totals = Totals()
labels = {}
seen = set()
for data in profile.get(2, []):
    sample = message(data)
    path = list(numbers(one(sample, 1)))
    count, nanoseconds = numbers(one(sample, 2))
    check(nanoseconds % 1000 == 0, "not a microsecond", nanoseconds)
    own = {}
    for label in map(message, sample[3]):
        own[strings[one(label, 1)]] = strings[one(label, 2)] or one(label, 3)
    key = (tuple(path), tuple(sorted(own.items(), key=str)))
    check(key not in seen, "a sample stands twice", own)
    seen.add(key)
    totals.add([name for number in reversed(path) for name in names[number]], nanoseconds // 1000, count)
    where = f"{own['process']} {own['pid']} {own.get('thread', '-')} {own.get('tid', '-')}"
    labels[where] = labels.get(where, 0) + nanoseconds // 1000
totals.print(
    labels=labels,
    systemNames={strings[one(f, 2)]: strings[one(f, 3)] for f in functions.values()},
    files=[strings[one(m, 5)] for m in mappings.values()],
    buildIDs=[strings[one(m, 6)] for m in mappings.values()],
    offsets=[one(m, 4) for m in mappings.values()],
    starts=[one(m, 2) for m in mappings.values()],
    comments=[strings[i] for i in numbers(one(profile, 13))],
    period=one(profile, 12))
