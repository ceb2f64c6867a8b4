"""Reads a file of speedscope and checks it by its format's specification (speedscope's src/lib/file-format-spec.ts)."""

import json
import sys

from totals import Totals, check

file = json.load(open(sys.argv[1], encoding="utf-8"))
check(file["$schema"] == "https://www.speedscope.app/file-format-schema.json", file["$schema"])
check(set(file) <= {"$schema", "shared", "profiles", "name", "activeProfileIndex", "exporter"}, sorted(file))
frames = file["shared"]["frames"]
for frame in frames:
    check(set(frame) <= {"name", "file", "line", "col"} and type(frame["name"]) is str, frame)
    check(type(frame.get("file", "")) is str and type(frame.get("line", 1)) is int, frame)
totals = Totals()
profiles = []
for profile in file["profiles"]:
    check(set(profile) == {"type", "name", "unit", "startValue", "endValue", "samples", "weights"}, sorted(profile))
    check((profile["type"], profile["unit"], profile["startValue"]) == ("sampled", "microseconds", 0), profile["name"])
    check(len(profile["samples"]) == len(profile["weights"]), profile["name"])
    check(sum(profile["weights"]) == profile["endValue"], profile["name"], "ends at", profile["endValue"])
    profiles.append([profile["name"], profile["endValue"]])
    for stack, weight in zip(profile["samples"], profile["weights"]):
        check(all(0 <= frame < len(frames) for frame in stack), stack)
        totals.add([frames[frame]["name"] for frame in stack], weight)
totals.print(profiles=profiles, frames=frames)
