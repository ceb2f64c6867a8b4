"""First report of a C++ program with 90 MB of debug info: statprof-report's CPU time against llvm-symbolizer's on the same addresses."""

import json
import os
import re
import subprocess
import sys

from measure import HERE, LIBRARY, REPORT, compare, cpu_seconds, folder, tool

DEBUG_BYTES = 90_000_000


def debug_size(path):
    listing = subprocess.run(["size", "-A", path], capture_output=True, text=True, check=True).stdout
    return sum(int(line.split()[1]) for line in listing.splitlines() if line.startswith(".debug"))


def unshared_debug_size(path):
    """Without the sections whose strings the linker merges."""
    listing = subprocess.run(["size", "-A", path], capture_output=True, text=True, check=True).stdout
    rows = (line.split() for line in listing.splitlines() if line.startswith(".debug"))
    return sum(int(row[1]) for row in rows if not row[0].endswith("str"))


def make_program(where):
    """One unit, compiled once and linked in many times under other names: what a large program is to a symbolizer, in a minute."""
    unit = os.path.join(where, "unit.o")
    subprocess.run(["g++", "-O2", "-g", "-c", "-o", unit, os.path.join(HERE, "unit.cpp")], check=True)
    copies = DEBUG_BYTES // unshared_debug_size(unit) + 1
    listing = subprocess.run(["nm", "--defined-only", unit], capture_output=True, text=True, check=True).stdout
    defined = sorted({line.split()[2] for line in listing.splitlines()})
    objects = []
    for number in range(copies):
        renames = os.path.join(where, "renames")
        with open(renames, "w") as out:
            # Another symbol to the linker; the debug information keeps the names as they are.
            out.writelines(f"{name} {name}{'' if name.startswith('DW.') else ''}.c{number}\n" if name != "work" else f"work work{number}\n" for name in defined)
        objects.append(os.path.join(where, f"unit{number}.o"))
        subprocess.run(["objcopy", f"--redefine-syms={renames}", unit, objects[-1]], check=True)
    main = os.path.join(where, "main.cpp")
    with open(main, "w") as out:
        out.writelines(f'extern "C" unsigned long work{i}(unsigned);\n' for i in range(copies))
        out.write("int main() {\n  unsigned long sum = 0;\n  for (unsigned round = 0; round < 160; round++) {\n")
        out.writelines(f"    sum += work{i}({600 + 17 * (i % 9)});\n" for i in range(copies))
        out.write("  }\n  return sum == 0;\n}\n")
    program = os.path.join(where, "program")
    subprocess.run(["g++", "-O2", "-g", "-o", program, main, *objects], check=True)
    for path in objects:
        os.remove(path)
    return program


def main():
    symbolizer = tool("llvm-symbolizer")
    if not symbolizer:
        sys.exit("symbolize: llvm-symbolizer is not installed")
    with folder() as where:
        program = make_program(where)
        print(f"program: {os.path.getsize(program) / 1e6:.0f} MB, {debug_size(program) / 1e6:.0f} MB of debug info")
        environment = {"LD_PRELOAD": LIBRARY, "STATPROF_OUT": os.path.join(where, "trace")}
        seconds = cpu_seconds([program], environment)
        trace = os.path.join(where, "trace")
        listing = json.loads(subprocess.run([REPORT, trace, "--format", "json", "--by", "address"], capture_output=True, text=True, check=True).stdout)
        found = (re.match(r"program\+0x([0-9a-f]+)", row["name"]) for row in listing["rows"])
        addresses = sorted({int(match[1], 16) for match in found if match})
        print(f"profile: {seconds:.1f} s, {listing['samples']} samples, {len(addresses)} addresses in the program")
        asked = os.path.join(where, "addresses")
        with open(asked, "w") as out:
            out.writelines(f"0x{address:x}\n" for address in addresses)
        quiet = {"stdout": subprocess.DEVNULL}
        compare(
            "first report",
            {
                "llvm-symbolizer": lambda: cpu_seconds([symbolizer, f"--obj={program}", "--inlines", "--demangle"], stdin=asked, **quiet),
                "statprof-report, by function": lambda: cpu_seconds([REPORT, trace], **quiet),
                "statprof-report, by line": lambda: cpu_seconds([REPORT, trace, "--by", "line"], **quiet),
            },
            base="llvm-symbolizer",
            rounds=5,
        )


main()
