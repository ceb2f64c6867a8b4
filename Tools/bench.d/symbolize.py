"""First report of a C++ program with 90 MB of debug info: statprof-report's CPU time and memory beside llvm-symbolizer's on the same
addresses."""

import os
import random
import re
import subprocess
import sys

from make_trace import trace_of_addresses
from measure import HERE, REPORT, compare_costs, folder, tool

DEBUG_BYTES = 90_000_000
ADDRESSES = 94_000


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
            out.writelines(f"{name} {name}.c{number}\n" if name != "work" else f"work work{number}\n" for name in defined)
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


def build_id(path):
    listing = subprocess.run(["readelf", "-nW", path], capture_output=True, text=True, check=True).stdout
    return bytes.fromhex(re.search(r"Build ID: ([0-9a-f]+)", listing)[1])


def wanted(path, count):
    """So many addresses of code, the same ones every time."""
    listing = subprocess.run(["readelf", "-SW", path], capture_output=True, text=True, check=True).stdout
    start, size = (int(number, 16) for number in re.search(r" \.text +PROGBITS +([0-9a-f]+) [0-9a-f]+ ([0-9a-f]+)", listing).groups())
    return sorted(random.Random(1).sample(range(start, start + size), count))


def main():
    symbolizer = tool("llvm-symbolizer")
    if not symbolizer:
        sys.exit("symbolize: llvm-symbolizer is not installed")
    with folder() as where:
        program = make_program(where)
        print(f"program: {os.path.getsize(program) / 1e6:.0f} MB, {debug_size(program) / 1e6:.0f} MB of debug info")
        addresses = wanted(program, ADDRESSES)
        trace = os.path.join(where, "trace")
        trace_of_addresses(trace, program, build_id(program), addresses)
        asked = os.path.join(where, "addresses")
        with open(asked, "w") as out:
            out.writelines(f"0x{address:x}\n" for address in addresses)
        # A cache of its own, that begins empty.
        os.environ["XDG_CACHE_HOME"] = os.path.join(where, "cache")
        subprocess.run([REPORT, trace], stdout=subprocess.DEVNULL, check=True)
        ways = {
            "llvm-symbolizer": {"words": [symbolizer, f"--obj={program}", "--inlines", "--demangle"], "stdin": asked},
            "statprof-report, by function": [REPORT, trace, "--no-cache"],
            "statprof-report, by line": [REPORT, trace, "--by", "line", "--no-cache"],
            "statprof-report, cached": [REPORT, trace],
        }
        if addr2line := tool("addr2line"):
            ways["addr2line"] = {"words": [addr2line, "-e", program, "-a", "-f", "-i", "-C"], "stdin": asked}
        compare_costs("first report", ways, "llvm-symbolizer", 3)


if __name__ == "__main__":
    main()
