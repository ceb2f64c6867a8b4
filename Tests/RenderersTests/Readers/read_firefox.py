"""Reads a processed profile of the Firefox Profiler and checks it by the types of version 60 (its src/types/profile.ts)."""

import json
import sys

from totals import Totals, check

profile = json.load(open(sys.argv[1], encoding="utf-8"))
meta, shared = profile["meta"], profile["shared"]
check(meta["preprocessedProfileVersion"] == 60, "version", meta["preprocessedProfileVersion"])
check(meta["sampleUnits"] == {"time": "ms", "eventDelay": "ms", "threadCPUDelta": "µs"}, meta["sampleUnits"])
check(meta["interval"] > 0 and meta["symbolicated"] is True, "meta")
colors = {"grey", "darkgrey", "blue", "green", "orange"}
check(all(c["color"] in colors and c["subcategories"][0] == "Other" for c in meta["categories"]), meta["categories"])
check(any(c["color"] == "grey" for c in meta["categories"]), "no default category")
strings = shared["stringArray"]
check(len(set(strings)) == len(strings), "a string stands twice")


def table(holder, name, columns):
    rows = holder[name]
    check(set(rows) == set(columns) | {"length"}, name, "has the columns", sorted(rows))
    for column, limit in columns.items():
        check(len(rows[column]) == rows["length"], name, column, "has", len(rows[column]), "rows of", rows["length"])
        if limit is not None:
            lowest, count = limit
            check(all(v is None or lowest <= v < count for v in rows[column]), name, column, "is out of", limit)
    return rows


count = {name: shared[name]["length"] for name in shared if name != "stringArray"}
libs = len(profile["libs"])
for lib in profile["libs"]:
    check(set(lib) == {"arch", "name", "path", "debugName", "debugPath", "breakpadId", "codeId"}, sorted(lib))
    check(len(lib["breakpadId"]) == 33 and int(lib["breakpadId"], 16) >= 0, lib["breakpadId"])
table(shared, "resourceTable", {"lib": (0, libs), "name": (0, len(strings)), "host": None, "type": (1, 2)})
symbols = table(shared, "nativeSymbols", {"libIndex": (0, libs), "address": None, "name": (0, len(strings)), "functionSize": None})
table(shared, "sources", {"uuid": None, "filename": (0, len(strings))})
funcs = table(shared, "funcTable", {
    "name": (0, len(strings)), "isJS": None, "relevantForJS": None, "resource": (-1, count["resourceTable"]),
    "source": (0, count["sources"]), "lineNumber": (1, 1 << 32), "columnNumber": None})
frames = table(shared, "frameTable", {
    "address": None, "inlineDepth": (0, 1 << 16), "category": (0, len(meta["categories"])), "subcategory": (0, 1),
    "func": (0, count["funcTable"]), "nativeSymbol": (0, count["nativeSymbols"]), "innerWindowID": None, "line": (1, 1 << 32),
    "column": None})
stacks = table(shared, "stackTable", {"frame": (0, count["frameTable"]), "prefix": (0, count["stackTable"])})
check(all(p is None or p < i for i, p in enumerate(stacks["prefix"])), "a stack comes before its caller")
for i, depth in enumerate(frames["inlineDepth"]):
    # The frames of one place are an inline stack: one address, one symbol.
    if depth > 0:
        check(frames["inlineDepth"][i - 1] == depth - 1 and frames["address"][i - 1] == frames["address"][i], "inline stack at", i)
        check(frames["nativeSymbol"][i - 1] == frames["nativeSymbol"][i], "symbol of the inline stack at", i)
for i, symbol in enumerate(frames["nativeSymbol"]):
    check(symbol is None or symbols["address"][symbol] <= frames["address"][i], "frame", i, "before its symbol")


def names(stack):
    result = []
    while stack is not None:
        result.append(strings[funcs["name"][frames["func"][stacks["frame"][stack]]]])
        stack = stacks["prefix"][stack]
    return result[::-1]


totals = Totals()
threads = {}
marks = []
for thread in profile["threads"]:
    samples = thread["samples"]
    check(samples["weightType"] == "tracing-ms", samples["weightType"])
    for column in ("stack", "time", "weight", "threadCPUDelta"):
        check(len(samples[column]) == samples["length"], column, "of", thread["name"])
    check(samples["time"] == sorted(samples["time"]), "times of", thread["name"])
    check(type(thread["pid"]) is str and type(thread["isMainThread"]) is bool, thread["pid"])
    start, end = meta["profilingStartTime"], meta["profilingEndTime"]
    check(all(start <= time <= end for time in samples["time"] + thread["markers"]["startTime"]), thread["name"], "is out of", start, end)
    if samples["length"] > 1:
        # The use that the first sample stands for begins somewhere.
        lead, first = samples["time"][:2]
        check(samples["stack"][0] is None and samples["threadCPUDelta"][0] == 0, "no lead in", thread["name"])
        check(first - lead <= samples["weight"][1] + 0.001, "the first sample of", thread["name"], "from", lead, "to", first)
        check(thread["registerTime"] == lead, thread["name"], "begins at", thread["registerTime"])
    own = 0
    for stack, weight, delta in zip(samples["stack"], samples["weight"], samples["threadCPUDelta"]):
        weight = round(weight * 1000)
        check(delta in (weight, 0), "use of CPU", delta, "weight", weight)
        if stack is None:
            check(weight == 0, "weight without a stack", weight)
            continue
        check(0 <= stack < count["stackTable"], "stack", stack)
        own += weight
        totals.add(names(stack), weight, int(delta == weight))
    key = f"{thread['processName']} {thread['pid']} {thread['name']} {thread['tid']}"
    check(key not in threads, "a thread stands twice:", key)
    threads[key] = own
    markers = table(thread, "markers", {
        "data": None, "name": (0, len(strings)), "startTime": None, "endTime": None, "phase": (0, 1),
        "category": (0, len(meta["categories"]))})
    schemas = {schema["name"] for schema in meta["markerSchema"]}
    for data, time in zip(markers["data"], markers["startTime"]):
        check(data["type"] in schemas, data)
        marks.append([thread["name"], data["name"], time])
mains = [t["pid"] for t in profile["threads"] if t["isMainThread"]]
check(len(set(mains)) == len(mains), "main threads", mains)
totals.print(
    threads=threads, marks=marks, span=[meta["profilingStartTime"], meta["profilingEndTime"]], libs=profile["libs"], extra=meta["extra"],
    lines=[[strings[funcs["name"][f]], line] for f, line in zip(frames["func"], frames["line"]) if line],
    depths=frames["inlineDepth"])
