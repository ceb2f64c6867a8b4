"""What the benchmarks share: CPU time of commands, and paired comparison of several ways to run one."""

import concurrent.futures
import json
import math
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

from programs import cpp_unit

DIST = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "dist")
LIBRARY = os.path.join(DIST, "libstatprof.so")
REPORT = os.path.join(DIST, "statprof-report")
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def folder():
    """A folder for this benchmark; removed when the object that is returned is."""
    return tempfile.TemporaryDirectory(prefix="statprof-bench.")


def cpu_seconds(words, environment=None, stdin=None, **options):
    """Runs a command to its end and returns its CPU time, that of the processes it waited for included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(stdin or os.devnull) as source:
        subprocess.run(words, env={**os.environ, **(environment or {})}, stdin=source, check=True, **options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compile_c(where, name, source, *options):
    """Compiles a C program into the folder, once; returns its path."""
    program = os.path.join(where, name)
    if not os.path.exists(program):
        subprocess.run(["gcc", "-O2", "-g", *options, "-o", program, source, "-lpthread", "-lm"], check=True)
    return program


def compiler_at_work(where, parts=8):
    """The command line of cc1plus on a unit that keeps it busy, for a few seconds with 8 parts."""
    source, unit = (os.path.join(where, f"unit{parts}.{end}") for end in ("cpp", "ii"))
    with open(source, "w") as out:
        out.write(cpp_unit(parts))
    subprocess.run(["g++", "-E", "-o", unit, source], check=True)
    compiler = subprocess.run(["g++", "-print-prog-name=cc1plus"], capture_output=True, text=True, check=True).stdout.strip()
    return [compiler, "-quiet", "-O2", "-o", os.devnull, unit]


def report(traces, *options):
    """What `statprof-report --format json` says of a trace or a folder."""
    words = [REPORT, traces, "--format", "json", *options]
    return json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def cost(words, stdin=None):
    """CPU seconds and peak memory (MB) of a command whose output nobody reads."""
    with open(stdin or os.devnull) as source, open(os.devnull, "w") as sink:
        process = subprocess.Popen(words, stdin=source, stdout=sink, stderr=sink)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(words)} ended with status {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def compare_costs(title, ways, base, rounds=5):
    """Runs every way once a round, in turn; prints CPU as a ratio to `base` of the same round (median, least to most) and peak memory."""
    runs = {name: [] for name in ways}
    for _ in range(rounds):
        for name, words in ways.items():
            runs[name].append(cost(**words) if isinstance(words, dict) else cost(words))
    print(f"{title}: {base} {statistics.median(cpu for cpu, _ in runs[base]):.3f} s of CPU")
    for name, values in runs.items():
        ratios = [cpu / other for (cpu, _), (other, _) in zip(values, runs[base])]
        spread = f"({min(ratios):.3f} to {max(ratios):.3f})"
        print(f"  {name:<44} {statistics.median(ratios):7.3f} {spread:<18} {statistics.median(mb for _, mb in values):6.0f} MB", flush=True)


def side_by_side(title, words, ways, base, pairs, runs=1, pinned=True):
    """Compares ways (name to environment) to run a command with `base`, pair by pair, and prints the ratios of their CPU times. The two of a
    pair run at once on one processor, in turns of a few milliseconds, so that whatever slows it (a neighbour of this machine, its clock)
    slows both; so many times, each of the two the first every other time. Each processor has a pair of its own. Not `pinned`: a pair has all
    processors. Files that they make go into a folder of the pair's and stay to the end: ext4 gives no number of a file that was deleted in the
    last minutes, and is slow to make one while it passes over those."""
    processors = sorted(os.sched_getaffinity(0))

    def start(environment, where, allowed):
        pin = lambda: os.sched_setaffinity(0, allowed)
        said = subprocess.DEVNULL if "CPUPROFILE" in environment else None  # gperftools' line for each process
        return subprocess.Popen(words, env={**os.environ, **environment}, cwd=where, stdin=subprocess.DEVNULL, stderr=said, preexec_fn=pin)

    def end(process):
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"{words[0]} ended with status {status}")
        return usage.ru_utime + usage.ru_stime

    def pair(environment, allowed):
        times = [0, 0]
        where = tempfile.mkdtemp(dir=files)
        for turn in range(runs):
            started = []
            for index in (0, 1) if turn % 2 == 0 else (1, 0):
                started.append((index, start((ways[base], environment)[index], where, allowed)))
            for index, process in started:
                times[index] += end(process)
        return times

    def lane(environment, allowed, count):
        return [pair(environment, allowed) for _ in range(count)]

    print(title)
    lanes = [{processor} for processor in processors] if pinned else [set(processors)]
    with folder() as files:
        for name, environment in ways.items():
            if name == base:
                continue
            with concurrent.futures.ThreadPoolExecutor(len(lanes)) as pool:
                shares = [pairs // len(lanes) + (i < pairs % len(lanes)) for i in range(len(lanes))]
                times = [each for done in pool.map(lane, [environment] * len(lanes), lanes, shares) for each in done]
            seconds = statistics.median(alone / runs for alone, _ in times)
            show_ratios(name, [other / alone for alone, other in times], f"; {base} {seconds:.2f} s")


def median_below(values):
    """What the median of all such values is below, at 95 %: the value that, were it not, so many would lie below by chance in 5 % of runs
    at most. Unlike the mean's bound one run that something else has disturbed does not move it."""
    count = len(values)
    below = next(k for k in range(count + 1) if sum(math.comb(count, i) for i in range(k, count + 1)) <= 0.05 * 2**count)
    return sorted(values)[min(below, count) - 1]


def show_ratios(name, ratios, more=""):
    # Student's t of one side for 30 pairs; a little too narrow for fewer.
    bound = statistics.mean(ratios) + 1.70 * statistics.stdev(ratios) / len(ratios) ** 0.5
    print(
        f"  {name:<32} {statistics.median(ratios):.3f}  ({min(ratios):.3f} to {max(ratios):.3f}, {len(ratios)} pairs; "
        f"mean below {bound:.4f}, median below {median_below(ratios):.4f} at 95 %{more})",
        flush=True,
    )


def peer_library(name):
    """The path of a shared library that is installed, or None."""
    listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout
    return next((line.split("=> ")[1] for line in listing.splitlines() if line.strip().startswith(name + " ")), None)


def tool(name):
    return shutil.which(name)
