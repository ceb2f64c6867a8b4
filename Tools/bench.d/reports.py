"""What reports cost: statprof-report's CPU time and memory beside those of the tools that do the same job."""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys

from measure import HERE, LIBRARY, REPORT, compile_c, folder, peer_library, tool
from programs import cpp_unit

NULL = subprocess.DEVNULL


def measured(words, stdin=None):
    """CPU seconds and peak memory (MB) of a command whose output nobody reads."""
    with open(stdin or os.devnull) as source, open(os.devnull, "w") as sink:
        process = subprocess.Popen(words, stdin=source, stdout=sink, stderr=sink)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(words)} ended with status {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def show(title, ways, base, rounds=5):
    """Runs every way once a round, in turn; prints CPU as a ratio to `base` of the same round (median, least to most) and peak memory."""
    runs = {name: [] for name in ways}
    for _ in range(rounds):
        for name, words in ways.items():
            runs[name].append(measured(**words) if isinstance(words, dict) else measured(words))
    print(f"{title}: {base} {statistics.median(cpu for cpu, _ in runs[base]):.3f} s of CPU")
    for name, values in runs.items():
        ratios = [cpu / other for (cpu, _), (other, _) in zip(values, runs[base])]
        spread = f"({min(ratios):.3f} to {max(ratios):.3f})"
        print(f"  {name:<44} {statistics.median(ratios):7.3f} {spread:<18} {statistics.median(mb for _, mb in values):6.0f} MB", flush=True)


def recorded(where, name, words, environment):
    trace = os.path.join(where, name)
    subprocess.run(words, env={**os.environ, "LD_PRELOAD": LIBRARY, "STATPROF_OUT": trace, **environment}, cwd=where, stdout=NULL, check=True)
    return trace


def samples(trace):
    return json.loads(subprocess.run([REPORT, trace, "--format", "json", "--limit", "1"], capture_output=True, text=True, check=True).stdout)["samples"]


def big_compiler(where):
    """clang, a large program with symbols and without DWARF, at work on units of two sizes: its command lines."""
    clang = tool("clang++")
    if not clang or "not stripped" not in subprocess.run(["file", "-L", clang], capture_output=True, text=True).stdout:
        return None
    lines = []
    for parts in (4, 150):
        source = os.path.join(where, f"clang{parts}.cpp")
        with open(source, "w") as out:
            out.write(cpp_unit(parts))
        lines.append([os.path.realpath(clang), "--driver-mode=g++", "-O2", "-c", "-o", os.devnull, source])
    return lines


def compiler_rows(where):
    lines = big_compiler(where)
    if not lines:
        print("a large program without debug info: no clang with symbols here, left out")
        return
    clang = lines[0][0]
    perf, nm, pprof = tool("perf"), tool("nm"), tool("google-pprof")
    small = recorded(where, "small", lines[0], {"STATPROF_CLOCK": "perf"})
    ways = {"nm": [nm, clang], "statprof-report": [REPORT, small, "--no-cache"], "statprof-report, cached": [REPORT, small]}
    gperftools = peer_library("libprofiler.so.0")
    if pprof and gperftools:
        environment = {**os.environ, "LD_PRELOAD": gperftools, "CPUPROFILE": os.path.join(where, "gperftools"), "CPUPROFILE_FREQUENCY": "1000"}
        subprocess.run(lines[0], env=environment, stdout=NULL, stderr=NULL, check=True)
        ways["google-pprof --text"] = [pprof, "--text", clang, os.path.join(where, "gperftools")]
    show(f"clang ({os.path.getsize(clang) / 1e6:.0f} MB, no DWARF), {samples(small)} samples", ways, "nm", 3)

    large = recorded(where, "large", lines[1], {"STATPROF_CLOCK": "perf", "STATPROF_FREQUENCY": "10000"})
    ways = {"statprof-report": [REPORT, large, "--no-cache"], "statprof-report tree": [REPORT, "tree", large, "--no-cache"]}
    base = "statprof-report"
    title = f"clang, {samples(large)} samples"
    if perf:
        data = os.path.join(where, "perf.data")
        subprocess.run([perf, "record", "-q", "-F", "9999", "-g", "-o", data, "--", *lines[1]], stdout=NULL, stderr=NULL, check=True)
        said = subprocess.run([perf, "report", "-i", data, "--stdio", "--header"], capture_output=True, text=True).stdout
        count = re.search(r"# Samples: (\S+)", said)
        base = "perf report"
        title += f" (perf: {count[1] if count else '?'})"
        ways = {base: [perf, "report", "-i", data, "--stdio"], **ways}
    show(title, ways, base, 3)


def many_samples_row(where):
    program = compile_c(where, "many_samples", os.path.join(HERE, "many_samples.c"))
    for count in (1_000_000, 10_000_000):
        trace = recorded(where, f"many{count}", [program, str(count)], {"STATPROF_MAX_SIZE": "4G"})
        title = f"{samples(trace)} samples, {os.path.getsize(trace) / samples(trace):.1f} bytes each"
        show(title, {"cksum": ["cksum", trace], "statprof-report": [REPORT, trace, "--no-cache"], "statprof-report check": [REPORT, "check", trace]}, "cksum")


def small_rows(where):
    perf = tool("perf")
    if not perf:
        return
    source = os.path.join(HERE, "self_signals.c")
    program = compile_c(where, "self_signals", source)
    trace = recorded(where, "thousand", [program], {"STATPROF_CLOCK": "perf"})
    data = os.path.join(where, "perf.thousand")
    subprocess.run([perf, "record", "-q", "-F", "999", "-g", "-o", data, "--", program], stdout=NULL, stderr=NULL, check=True)
    show(
        f"a small program, {samples(trace)} samples",
        {"perf report": [perf, "report", "-i", data, "--stdio"], "statprof-report": [REPORT, trace, "--no-cache"], "statprof-report, cached": [REPORT, trace]},
        "perf report", 9,
    )
    show("help", {"perf report -h": ["sh", "-c", f"{perf} report -h; true"], "statprof-report --help": [REPORT, "--help"]}, "perf report -h", 9)


def main():
    with folder() as where:
        # A cache of its own, that begins empty.
        os.environ["XDG_CACHE_HOME"] = os.path.join(where, "cache")
        small_rows(where)
        many_samples_row(where)
        compiler_rows(where)


main()
