"""Reads the profile out of a page, after the layout that HTMLData.swift describes, and prints it as JSON: `stacks` folded (names root first, to
microseconds), `samples`, and what else the page's text says. The page is read from standard input."""

import base64
import json
import re
import sys
import zlib

page = sys.stdin.read()
island = re.search(r'<script type="application/octet-stream" id="profile">([A-Za-z0-9+/=]*)</script>', page)
data = zlib.decompress(base64.b64decode(island.group(1), validate=True), -15)
length = int.from_bytes(data[:4], "little")
facts = json.loads(data[4:4 + length])
at = 4 + length


def number():
    global at
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value


def column():
    return [number() for _ in range(number())]


label, name, module, kind, file, line = (column() for _ in range(6))
frame_row, frame_file, frame_line, frame_inlined = (column() for _ in range(4))
steps, frames = column(), column()
counts, distances, differences, weights, ticks = (column() for _ in range(5))
assert at == len(data), f"{len(data) - at} bytes are left"

parents = []
for node, up in enumerate(steps):
    above = node - 1
    for _ in range(up):
        above = parents[above]
    parents.append(above)


def path(node):
    result = []
    while node >= 0:
        result.append(facts["strings"][name[frame_row[frames[node]]]])
        node = parents[node]
    return ";".join(reversed(result))


stacks, times, node, position = {}, [], 0, 0
for thread, count in enumerate(counts):
    time = 0
    for _ in range(count):
        time += distances[position]
        coded = differences[position]
        node += -(coded + 1) // 2 if coded % 2 else coded // 2
        stacks[path(node)] = stacks.get(path(node), 0) + weights[position]
        times.append([thread, time * facts["run"]["step"], weights[position]])
        position += 1
facts.update(stacks={key: value for key, value in stacks.items() if value}, samples=sum(ticks), entries=times if len(times) < 1000 else [],
             kinds={facts["strings"][n]: k for n, k in zip(name, kind)}, frameLines=[[f and facts["strings"][f - 1], n] for f, n in zip(frame_file, frame_line)])
json.dump(facts, sys.stdout)
