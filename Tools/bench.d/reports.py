"""What reports cost: statprof-report's CPU time and memory beside those of the tools that do the same job."""

import json
import os
import re
import subprocess

from measure import HERE, LIBRARY, REPORT, ROOT, compare_costs, compile_c, folder, peer_library, tool
from programs import cpp_unit

NULL = subprocess.DEVNULL


def recorded(where, name, words, environment):
    trace = os.path.join(where, name)
    subprocess.run(words, env={**os.environ, "LD_PRELOAD": LIBRARY, "STATPROF_OUT": trace, **environment}, cwd=where, stdout=NULL, check=True)
    return trace


def samples(trace):
    return json.loads(subprocess.run([REPORT, trace, "--format", "json", "--limit", "1"], capture_output=True, text=True, check=True).stdout)["samples"]


def big_compiler(where):
    """clang, a large program with symbols and without DWARF, at work on units of two sizes: its command lines."""
    clang = tool("clang++")
    sections = subprocess.run(["readelf", "-SW", clang], capture_output=True, text=True).stdout if clang else ""
    if ".symtab" not in sections or ".debug_info" in sections:
        return None
    lines = []
    for parts in (2, 25):
        source = os.path.join(where, f"clang{parts}.cpp")
        with open(source, "w") as out:
            out.write(cpp_unit(parts))
        lines.append([os.path.realpath(clang), "--driver-mode=g++", "-w", "-O2", "-c", "-o", os.devnull, source])
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
    compare_costs(f"clang ({os.path.getsize(clang) / 1e6:.0f} MB, no DWARF), {samples(small)} samples", ways, "nm", 3)

    # Ticks from outside: at a rate past the kernel's, the agent would lower it to keep its own cost down.
    sender = compile_c(where, "storm", os.path.join(HERE, "storm.c"))
    large = os.path.join(where, "large")
    subprocess.run([sender, "10000", LIBRARY, *lines[1]], env={**os.environ, "STATPROF_OUT": large}, cwd=where, stdout=NULL, stderr=NULL, check=True)
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
    compare_costs(title, ways, base, 3)
    for name, trace in (("small", small), ("large", large)):
        page = os.path.join(where, "page.html")
        subprocess.run([REPORT, trace, "--format", "html", "--output", page], check=True)
        print(f"  the page of the {name} one: {os.path.getsize(page) / 1e6:.2f} MB", flush=True)


def many_samples_row(where):
    program = compile_c(where, "many_samples", os.path.join(HERE, "many_samples.c"))
    for count in (1_000_000, 10_000_000):
        trace = recorded(where, f"many{count}", [program, str(count)], {"STATPROF_MAX_SIZE": "4G"})
        title = f"{samples(trace)} samples, {os.path.getsize(trace) / samples(trace):.1f} bytes each"
        ways = {"statprof-report": [REPORT, trace, "--no-cache"], "statprof-report, cached": [REPORT, trace], "statprof-report check": [REPORT, "check", trace]}
        compare_costs(title, {"cksum": ["cksum", trace], **ways}, "cksum")


def small_rows(where):
    perf = tool("perf")
    if not perf:
        return
    words = [compile_c(where, "shares", os.path.join(ROOT, "Tests", "EndToEnd", "Programs", "shares.c")), "1", "1"]
    trace = recorded(where, "thousand", words, {"STATPROF_CLOCK": "perf"})
    data = os.path.join(where, "perf.thousand")
    subprocess.run([perf, "record", "-q", "-F", "999", "-g", "-o", data, "--", *words], stdout=NULL, stderr=NULL, check=True)
    compare_costs(
        f"a small program, {samples(trace)} samples",
        {"perf report": [perf, "report", "-i", data, "--stdio"], "statprof-report": [REPORT, trace, "--no-cache"], "statprof-report, cached": [REPORT, trace]},
        "perf report", 9,
    )
    compare_costs("help", {"perf report -h": ["sh", "-c", f"{perf} report -h; true"], "statprof-report --help": [REPORT, "--help"]}, "perf report -h", 9)


def main():
    with folder() as where:
        # A cache of its own, that begins empty.
        os.environ["XDG_CACHE_HOME"] = os.path.join(where, "cache")
        small_rows(where)
        many_samples_row(where)
        compiler_rows(where)


main()
