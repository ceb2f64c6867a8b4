"""How right the seconds are, before any normalization: what reports show against what programs and the kernel have measured."""

import json
import os
import shutil
import subprocess
import sys

from measure import LIBRARY, ROOT, compile_c, folder, report

PROGRAMS = os.path.join(ROOT, "Tests", "EndToEnd", "Programs")
UNIT = "int f%d(int a, int *p) { for (int i = 0; i < a; i++) p[i %% 7] += p[(i * %d) %% 5] ^ a; return p[a %% 3] + %d; }\n"
FILES = 40


class Bench:
    def __init__(self, where):
        self.where = where
        self.missed = 0

    def program(self, name):
        return compile_c(self.where, name, os.path.join(PROGRAMS, name + ".c"))

    def profiled(self, words, clock, by="function", directory=None):
        """The report of a run, what the program said on its last line, and the CPU time that the kernel counted for it."""
        traces = os.path.join(self.where, "traces")
        shutil.rmtree(traces, ignore_errors=True)
        os.mkdir(traces)
        environment = {**os.environ, "LD_PRELOAD": LIBRARY, "STATPROF_CLOCK": clock, "STATPROF_OUT": os.path.join(traces, "%e.%p")}
        process = subprocess.Popen(words, env=environment, cwd=directory or self.where, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        if status:
            sys.exit(f"{words[0]} ended with status {status}")
        said = json.loads(output.splitlines()[-1]) if output.startswith("{") else None
        return report(traces, "--by", by), said, usage.ru_utime + usage.ru_stime

    def row(self, what, figure, bar, good):
        self.missed += not good
        print(f"  {what:<66} {figure:<48} {bar:<28} {'' if good else 'MISSED'}", flush=True)

    def in_work(self, count, abreast, seconds, clock):
        """CPU time that is shown in the function that threads run, as a part of what they used; and the report."""
        shown, said, _ = self.profiled([self.program("threads"), str(count), str(abreast), str(seconds)], clock)
        work = sum(row["total_seconds"] for row in shown["rows"] if row["name"].startswith("work"))
        return work / said["functions"]["work"], shown

    def threads(self, clock):
        one, _ = self.in_work(1, 1, 8, clock)
        many, shown = self.in_work(32, 32, 8 / 32, clock)
        alone = f"{one:.4f} and {many:.4f} (with [unsampled] {shown['cpu_seconds'] / 8:.4f})"
        self.row("one thread x 8 s, 32 threads x 0.25 s: shown in their function", alone, "1.00 +- 0.02", max(abs(one - 1), abs(many - 1)) <= 0.02)
        shown, said, _ = self.profiled([self.program("shares"), "8", "20"], clock)
        sampled, whole = {}, {}
        for thread in shown["threads"]:
            name = thread["name"]
            sampled[name] = sampled.get(name, 0) + thread["sampled_seconds"]
            whole[name] = sampled[name] + thread["unsampled_seconds"]
        off = lambda seconds: max(abs(seconds[name] / used - 1) for name, used in said["threads"].items())
        figure = f"{off(whole):.2%} at most ({off(sampled):.2%} in samples)"
        self.row("eight threads with shares 1:2:...:8: seconds of each", figure, "within 2 % each", off(whole) <= 0.02)
        short, shown = self.in_work(2000, 8, 0.002, clock)
        figure = f"{short:.4f} ({shown['remainder_seconds'] / shown['cpu_seconds']:.0%} by siblings' ticks)"
        self.row("2,000 threads of 2 ms: shown in their function", figure, "within 5 %", abs(short - 1) <= 0.05)

    def tree(self, clock):
        project = os.path.join(self.where, "project")
        shutil.rmtree(project, ignore_errors=True)
        os.mkdir(project)
        for file in range(FILES):
            with open(os.path.join(project, f"f{file}.c"), "w") as out:
                out.writelines(UNIT % (n + 1000 * file, n + 2, file) for n in range(150))
        with open(os.path.join(project, "Makefile"), "w") as out:
            out.write(f"CFLAGS = -O2\nall: {' '.join(f'f{file}.o' for file in range(FILES))}\n")
        shown, _, used = self.profiled(["make", "-s", "-j2"], clock, directory=project)
        tick = max(process["tick_nanoseconds"] for process in shown["processes"]) / 1e9
        # gcc, cc1 and as for each file.
        allowed = 0.03 * used + (3 * FILES + 1) * tick
        off = shown["cpu_seconds"] - used
        figure = f"{off:+.3f} s of {used:.2f} s ({off / used:+.2%})"
        self.row(f"make -j2 of {FILES} C files: sum over {len(shown['processes'])} traces", figure, f"3 % + a tick each: {allowed:.2f} s", abs(off) <= allowed)

    def rate(self):
        for threads in ("1", "8"):
            shown, _, _ = self.profiled([self.program("shares"), threads, "6"], "perf")
            rate = shown["samples"] / shown["cpu_seconds"]
            self.row(f"1000 Hz, {threads} threads: samples a CPU second", f"{rate:.0f}", ">= 950", rate >= 950)

    def interrupted(self, clock):
        _, said, _ = self.profiled([self.program("sleeps"), "4"], clock)
        saw = said["saw"]
        self.row("EINTR that the program would not see alone", f"{saw['interrupted']} of {saw['calls']} calls", "0", saw["interrupted"] == 0)


def main():
    with folder() as where:
        bench = Bench(where)
        shown, _, _ = bench.profiled([bench.program("shares"), "1", "0.1"], "perf")
        has_perf = shown["processes"][0]["clock"] == "perf"
        for clock in ("auto", "perf") if has_perf else ("auto",):
            print(f"STATPROF_CLOCK={clock}")
            bench.threads(clock)
            bench.tree(clock)
            if clock == "perf":
                bench.rate()
            bench.interrupted(clock)
        for clock in ("thread", "itimer"):
            print(f"STATPROF_CLOCK={clock}")
            bench.interrupted(clock)
        if not has_perf:
            print("perf_event_open is not permitted here: nothing is said of STATPROF_CLOCK=perf")
        if bench.missed:
            sys.exit(f"{bench.missed} bars missed")


main()
