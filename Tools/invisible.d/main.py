"""The table of every case: alone, with the agent, and with the peers that are installed."""

import argparse
import os
import sys
import tempfile

import judge
from case import Build
from cases import CASES
from run import run, ways


def main():
    parser = argparse.ArgumentParser(prog="invisible", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="CASE", help="these cases; those whose names contain it")
    parser.add_argument("--area", help="the cases of one area")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="run each N times under the agent")
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
        return table(chosen, options.repeat, ways(options.peers), more, base)


def table(chosen, repeat, found, more, base):
    os.chmod(base, 0o755)
    build = Build(base)
    columns = found[1:]
    held = fell = skipped = 0
    score = {way.name: 0 for way in columns}
    print(f"{'area':<12} {'case':<44} " + " ".join(f"{way.name:<11}" for way in columns), flush=True)
    area_before = ""
    for area, case in chosen:
        shown_area, area_before = area if area != area_before else "", area
        reason = case.lacks()
        if reason:
            skipped += 1
            print(f"{shown_area:<12} {case.name:<44} skipped: {reason}", flush=True)
            continue
        words = build.words(case.command)
        alone = run(case, words, found[0], base)
        cells, notes = [], []
        for way in columns:
            faults = []
            for _ in range(repeat if way.name == "statprof" else 1):
                wrong = judge.fault(case, alone, run(case, words, way, base, more), way)
                if wrong:
                    faults.append(wrong)
            score[way.name] += not faults
            cell = "FALLS" if faults else "ok"
            cells.append(f"{cell} {repeat - len(faults)}/{repeat}" if repeat > 1 and way.name == "statprof" else cell)
            notes += [f"{way.name}: {text}" for text in dict.fromkeys(faults)]
            if way.name == "statprof":
                held += not faults
                fell += bool(faults)
        print(f"{shown_area:<12} {case.name:<44} " + " ".join(f"{cell:<11}" for cell in cells), flush=True)
        for note in notes:
            print(f"{'':<15}{note}", flush=True)
    print(f"{held} held, {fell} fell, {skipped} skipped" + "".join(f"; {name} {count}" for name, count in score.items() if name != "statprof"))
    return 1 if fell else 0


sys.exit(main())
