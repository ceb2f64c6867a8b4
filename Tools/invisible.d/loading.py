"""Libraries that come, go and change, and exceptions meanwhile."""

import os
import re
import subprocess

from case import SOURCES, Case


def library(name):
    """Where the loader finds a library that is preloaded, or its plain name."""
    listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout
    found = re.search(rf"{re.escape(name)} .*=> (\S+)", listing)
    return found[1] if found else name


def words(what):
    """The command, with its plugins beside the program."""

    def make(build):
        program = build("loading.cpp", "-Wl,-rpath,$ORIGIN/plugins")
        plugins = os.path.join(os.path.dirname(program), "plugins")
        if not os.path.isdir(plugins):
            os.makedirs(os.path.join(plugins, "more"))
            made = [(f"plugin{i}.so", [f"-DNUMBER={i}"]) for i in range(3)]
            made += [("more/plugin3.so", ["-DNUMBER=3"]), ("plugin3.so", ["-DNUMBER=3"]), ("outer.so", ["-DOUTER", "-Wl,-rpath,$ORIGIN/more"])]
            for name, options in made:
                source = os.path.join(SOURCES, "plugin.cpp")
                subprocess.run(["g++", "-O2", "-shared", "-fPIC", *options, "-o", os.path.join(plugins, name), source], check=True)
        return [program, what, plugins]

    return make


ALLOCATORS = [("", {})] + [
    (f" with {name}", {"LD_PRELOAD": library(file)}) for name, file in (("tcmalloc", "libtcmalloc_minimal.so.4"), ("jemalloc", "libjemalloc.so.2"))
]

CASES = [
    *(Case(f"plugins come and go, exceptions{allocator}", words("storm"), environment=more) for allocator, more in ALLOCATORS),
    # Exceptions alone: libunwind waits for the loader's lock in the handler, and hangs a program that loads libraries for ever.
    *(Case(f"exceptions{allocator}, libunwind", words("throw"), environment=more, agent={"STATPROF_UNWIND": "libunwind"}) for allocator, more in ALLOCATORS),
    Case("a library replaced on disk while it is mapped", words("replaced"), profile="nothing"),
    Case("plugins by $ORIGIN and RUNPATH", words("paths")),
]
