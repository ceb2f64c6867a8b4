"""Compares a run under a profiler with runs without, and looks at the profile that it left."""

import os
import re

from run import TICK


def own_lines(errors):
    """The agent's own lines of stderr, and all the others."""
    lines = errors.splitlines(keepends=True)
    return [line for line in lines if line.startswith("statprof: ")], "".join(line for line in lines if not line.startswith("statprof: "))


def fault(case, alone, outcome, way):
    """What is wrong with a run, in a few words; None if nothing is."""
    if outcome.status != alone.status:
        return f"{outcome.status} instead of {alone.status}"
    lines, errors = own_lines(outcome.errors) if way.name == "statprof" else ([], outcome.errors)
    if way.name in ("gperftools", "perf", "gprofng"):
        errors = alone.errors  # their own words there are no fault
        if way.name == "gprofng":
            outcome.output = re.sub(r"^Creating experiment directory .*\n", "", outcome.output, flags=re.M)
    for what, got, expected in (("output", outcome.output, alone.output), ("stderr", errors, alone.errors), ("files", outcome.looked, alone.looked)):
        if got != expected:
            return f"{what}: {difference(got, expected)}"
    if way.name == "statprof":
        return fault_of_traces(case, outcome, lines)
    if case.profile == "trace" and not any(trace["size"] > 0 for trace in outcome.traces):
        return "no profile"
    return None


def fault_of_traces(case, outcome, lines):
    if case.profile != "any" and (len(lines) > 1 + len(case.launchers) or (lines and case.profile == "trace")):
        return f"said {len(lines)} lines, the first {lines[0].strip()!r}"
    others = [trace for trace in outcome.traces if os.path.basename(trace["path"]).split(".")[0] not in case.launchers]
    if case.profile == "line" and (not lines or others):
        return "no line says why there is no profile" if not lines else "a trace where none can be"
    if case.profile == "either" and not lines and not outcome.traces:
        return "neither a trace nor a line"
    for trace in outcome.traces:
        if trace["check"] != 0 and case.profile == "trace":
            return f"check {trace['check']}: {essence(trace['words'])}"
        if trace["check"] != 0 and "samples" not in trace:
            return f"unreadable: {essence(trace['words'])}"
    samples = sum(trace.get("samples", 0) for trace in outcome.traces)
    if case.profile == "trace" and samples < case.samples:
        return f"{samples} samples"
    cpu = sum(trace.get("cpu", 0) for trace in outcome.traces)
    if case.shown and cpu < case.shown * outcome.cpu - TICK * max(1, len(outcome.traces)):
        return f"{cpu:.3f} s shown of {outcome.cpu:.3f}"
    return None


def essence(words):
    """Of what `check` says, the lines that say what is wrong; all if none does."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return "; ".join([line for line in lines if "damage" in line] or lines)[:400]


def difference(got, expected):
    """The first line that differs."""
    a, b = got.splitlines(), expected.splitlines()
    for i in range(max(len(a), len(b))):
        x, y = (lines[i] if i < len(lines) else "(nothing)" for lines in (a, b))
        if x != y:
            return f"{x[:120]!r}, alone {y[:120]!r}"
    return "line ends"
