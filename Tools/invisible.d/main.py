"""The table of every case: alone, with the agent, and with the peers that are installed."""

import argparse
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import judge
from case import Build
from cases import CASES
from run import run, ways


def main():
    parser = argparse.ArgumentParser(prog="invisible", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="CASE", help="these cases; those whose names contain it")
    parser.add_argument("--area", help="the cases of one area")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="run each N times under the agent")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="so many cases at once; what falls then may hold by itself")
    parser.add_argument("--peers", action="store_true", help="gperftools, gprofng and perf too")
    parser.add_argument("--exact", action="store_true", help="the names are whole, and not parts")
    parser.add_argument("--clock", help="STATPROF_CLOCK for all of them")
    parser.add_argument("--frequency", help="STATPROF_FREQUENCY for all of them")
    parser.add_argument("--all", action="store_true", help="the slow ones too, which else must be named")
    parser.add_argument("--list", action="store_true", help="the names, and nothing is run")
    options = parser.parse_args()
    chosen = [(area, case) for area, cases in CASES.items() for case in cases if options.area in (None, area)]
    if not options.all and not options.names:
        chosen = [(area, case) for area, case in chosen if not case.slow]
    if options.names:
        chosen = [(area, case) for area, case in chosen if any(name == case.name if options.exact else name in case.name for name in options.names)]
    if options.clock:
        chosen = [(area, case.under(options.clock)) for area, case in chosen if case.under(options.clock)]
    if options.list:
        for area, case in chosen:
            print(f"{area:<12} {case.name}")
        return 0
    settings = (("STATPROF_CLOCK", options.clock), ("STATPROF_FREQUENCY", options.frequency))
    more = [(name, value) for name, value in settings if value]
    with tempfile.TemporaryDirectory(prefix="invisible.") as base:
        return table(chosen, options.repeat, options.jobs, ways(options.peers), more, base)


def outcomes(case, build, found, repeat, more, base):
    """What is wrong with a case under each way, a list of faults for each; or the reason why it cannot run, as text."""
    reason = case.lacks()
    if reason:
        return reason
    with build.lock:
        words = build.words(case.command)
    alone = run(case, words, found[0], base)
    faults = []
    for way in found[1:]:
        runs = repeat if way.name == "statprof" else 1
        wrong = [judge.fault(case, alone, run(case, words, way, base, more), way) for _ in range(runs)]
        faults.append([text for text in wrong if text])
    return faults


def table(chosen, repeat, jobs, found, more, base):
    os.chmod(base, 0o755)
    build = Build(base)
    columns = found[1:]
    held = fell = skipped = 0
    score = {way.name: 0 for way in columns}
    print(f"{'area':<12} {'case':<44} " + " ".join(f"{way.name:<11}" for way in columns), flush=True)
    area_before = ""
    with ThreadPoolExecutor(jobs) as pool:
        for (area, case), faults in zip(chosen, pool.map(lambda each: outcomes(each[1], build, found, repeat, more, base), chosen)):
            shown_area, area_before = area if area != area_before else "", area
            if isinstance(faults, str):
                skipped += 1
                print(f"{shown_area:<12} {case.name:<44} skipped: {faults}", flush=True)
                continue
            cells = []
            for way, wrong in zip(columns, faults):
                score[way.name] += not wrong
                cell = "FALLS" if wrong else "ok"
                cells.append(f"{cell} {repeat - len(wrong)}/{repeat}" if repeat > 1 and way.name == "statprof" else cell)
                if way.name == "statprof":
                    held += not wrong
                    fell += bool(wrong)
            print(f"{shown_area:<12} {case.name:<44} " + " ".join(f"{cell:<11}" for cell in cells), flush=True)
            for way, wrong in zip(columns, faults):
                for text in dict.fromkeys(wrong):
                    print(f"{'':<15}{way.name}: {text}", flush=True)
    print(f"{held} held, {fell} fell, {skipped} skipped" + "".join(f"; {name} {count}" for name, count in score.items() if name != "statprof"))
    return 1 if fell else 0


sys.exit(main())
