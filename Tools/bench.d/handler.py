"""What one tick costs, and that none is dropped: ticks sent by the program itself, or from outside, at rates past the kernel's tick."""

import os
import re
import statistics
import subprocess

from measure import HERE, LIBRARY, REPORT, ROOT, compile_c, compiler_at_work, folder, report

SHARES = os.path.join(ROOT, "Tests", "EndToEnd", "Programs", "shares.c")


def self_sent(where, frames, rounds):
    """Nanoseconds a signal: with the library, and with a handler that reads the thread's CPU clock and no more."""
    program = compile_c(where, "self_signals", os.path.join(HERE, "self_signals.c"))
    trace = os.path.join(where, "trace")
    extra = []
    for _ in range(rounds):
        plain = float(subprocess.run([program, str(frames)], capture_output=True, text=True, check=True).stdout)
        environment = {**os.environ, "LD_PRELOAD": LIBRARY, "STATPROF_OUT": trace}
        ticks = float(subprocess.run([program, str(frames)], env=environment, capture_output=True, text=True, check=True).stdout)
        extra.append(ticks - plain)
    tree = subprocess.run([REPORT, trace, "--format", "folded"], capture_output=True, text=True, check=True).stdout
    depth = max(tree.splitlines(), key=lambda line: int(line.rsplit(" ", 1)[1])).count(";") + 1
    return extra, depth


def storm(where, hertz, words):
    """Runs a program with ticks from outside. Returns the trace, the rate a thread was sent, and the whole of stderr."""
    sender = compile_c(where, "storm", os.path.join(HERE, "storm.c"))
    trace = os.path.join(where, "trace")
    environment = {**os.environ, "STATPROF_OUT": trace}
    run = subprocess.run([sender, str(hertz), LIBRARY, *words], env=environment, cwd=where, capture_output=True, text=True, check=True)
    return trace, float(re.search(r"sent, (\d+) a second", run.stderr)[1])


def inside(where, words, rounds):
    """What two ticks cost at each of many places of a program, beyond a handler that reads the CPU clock: nanoseconds, first and second."""
    library = compile_c(where, "ticks_inside.so", os.path.join(HERE, "ticks_inside.c"), "-shared", "-fPIC")
    extra = [[], []]
    places = 0
    for _ in range(rounds):
        costs = []
        for preload in (library, f"{LIBRARY} {library}"):
            environment = {**os.environ, "LD_PRELOAD": preload, "STATPROF_OUT": os.path.join(where, "trace")}
            run = subprocess.run(words, env=environment, cwd=where, capture_output=True, text=True, check=True)
            found = re.search(r"places (\d+) first (\d+) second (\d+)", run.stderr)
            places = int(found[1])
            costs.append([int(found[2]), int(found[3])])
        for i in range(2):
            extra[i].append(costs[1][i] - costs[0][i])
    return places, extra


def cold_modules(where, count, rounds):
    """What the first tick in each of many libraries costs with the signal, and what it costs a handler that reads the CPU clock: nanoseconds,
    for each round a list of them."""
    program = compile_c(where, "cold_modules", os.path.join(HERE, "cold_modules.c"), "-ldl")
    code = "".join(f"int f{i}(int a, int b) {{ volatile int x[{i % 40 + 1}]; x[0] = a; return x[0] * f{i - 1}(b, a) + {i}; }}\n" for i in range(1, 2000))
    source = os.path.join(where, "library.c")
    with open(source, "w") as out:
        out.write("int f0(int a, int b) { return a + b; }\n" + code + "void call(void (*back)(void)) { back(); f1999(1, 2); }\n")
    libraries = []
    for number in range(count):
        libraries.append(compile_c(where, f"library{number}.so", source, "-shared", "-fPIC", "-O1", f"-Wl,--build-id=0x{number + 1:040x}"))
    costs = [], []
    for _ in range(rounds):
        for index, environment in enumerate(({}, {"LD_PRELOAD": LIBRARY, "STATPROF_OUT": os.path.join(where, "trace")})):
            run = subprocess.run([program, *libraries], env={**os.environ, **environment}, capture_output=True, text=True, check=True)
            costs[index].append([float(word) for word in run.stdout.split()])
    return costs


def main():
    with folder() as where:
        extra, depth = self_sent(where, 40, 7)
        show = lambda values: f"{statistics.median(values):.0f} ns  ({min(values):.0f} to {max(values):.0f}, {len(values)} pairs)"
        print("what a tick costs beyond a handler that reads the CPU clock and does nothing more:")
        print(f"  {depth} frames, caches warm: {show(extra)}")
        words = compiler_at_work(where)
        places, (first, second) = inside(where, words, 5)
        print(f"  at {places} places of cc1plus, the second tick at a place: {show(second)}")
        # The kernel's tick that it comes with is that of the library's own timer too.
        print(f"  the first there, right after a tick of the library's own: {show(first)}")
        trace = os.path.join(where, "own")
        subprocess.run(words, env={**os.environ, "LD_PRELOAD": LIBRARY, "STATPROF_OUT": trace}, cwd=where, check=True)
        own = report(trace)
        cold = own["processes"][0]["agent_seconds"] / own["samples"] * 1e6
        print(f"  that tick itself, after 4 ms of cc1plus in all the processor's caches, by the wall: {cold:.1f} us of {own['samples']}")
        empty, agent = cold_modules(where, 20, 15)
        places = [statistics.median(each) / 1000 for each in zip(*agent)]
        every = sorted(cost / 1000 for each in agent for cost in each)
        signal = statistics.median(cost / 1000 for each in empty for cost in each)
        print(
            f"  the first in each of 20 libraries of 2,000 functions, 15 runs, the signal's {signal:.1f} us with it: {statistics.median(every):.1f} us; "
            f"the dearest library's median {max(places):.1f} us; of all {len(every)} {sum(cost > 100 for cost in every)} above 100 us, the most {every[-1]:.1f} us"
        )
        print("ticks sent from outside, 10,000 a second to each thread:")
        shares = compile_c(where, "shares", SHARES)
        for name, words in (("cc1plus", words), ("two threads", [shares, "2", "4"]), ("eight threads", [shares, "8", "4"])):
            trace, rate = storm(where, 10000, words)
            result = report(trace)
            dropped = sum(row.get("count") or 0 for row in result["lost"])
            print(
                f"  {name}: {rate:.0f} sent a second, {result['samples']} samples, {result['samples'] / result['cpu_seconds']:.0f} a CPU second; "
                f"dropped {dropped}"
            )


main()
