"""Programs into which the library cannot come: the launcher says so in one line, and the program runs as it would without."""

import os
import shutil
import subprocess

from case import SOURCES, Case

STATIC = "-static"
SMALL = ("-m32", "-I/usr/include/x86_64-linux-gnu")  # the kernel's headers, which are the same
ENDS = [("exit", "7"), ("signal", "15"), ("signal", "11")]


def ending(how, number, *options):
    """A program that ends like this, built with `options`; {launcher} stands before it."""
    return lambda build: ["{launcher}", build("ending.c", *options), how, number]


def musl(how, number):
    def command(build):
        target = os.path.join(build.folder, "musl")
        if not os.path.exists(target):
            subprocess.run(["musl-gcc", "-O2", "-o", target, os.path.join(SOURCES, "ending.c")], check=True)
        return ["{launcher}", target, how, number]

    return command


def privileged(build, mode):
    """By a user without rights, a program that has those of root, or of its group."""
    target = build("ending.c") + f".{mode:o}"
    if not os.path.exists(target):
        shutil.copy(build("ending.c"), target)
        os.chmod(target, mode)
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "{launcher}", target, "exit", "7"]


def written(build, name, text, mode=0o755):
    """A file of such bytes. PROGRAM in it is ending.c, built static."""
    path = os.path.join(build.folder, name)
    with open(path, "wb") as file:
        file.write(text.replace(b"PROGRAM", build("ending.c", STATIC).encode()))
    os.chmod(path, mode)
    return ["{launcher}", path, "7"]


def refused(name, command, **more):
    return Case(name, command, profile="line", **more)


CASES = [
    *(refused(f"static, {how} {number}", ending(how, number, STATIC)) for how, number in ENDS),
    *(refused(f"static position-independent, {how} {number}", ending(how, number, "-static-pie")) for how, number in ENDS[:1]),
    *(refused(f"32-bit, {how} {number}", ending(how, number, *SMALL), compiler=SMALL) for how, number in ENDS),
    *(refused(f"musl, {how} {number}", musl(how, number), needs=("musl-gcc",)) for how, number in ENDS),
    refused("setuid", lambda build: privileged(build, 0o4755), root=True, needs=("setpriv",)),
    refused("setgid", lambda build: privileged(build, 0o2755), root=True, needs=("setpriv",)),
    refused("a script whose interpreter is static", lambda build: written(build, "script", b"#!PROGRAM exit\n")),
    refused("a script whose interpreter is missing", lambda build: written(build, "lost", b"#!/nonexistent/interpreter\n")),
    refused("a file that may not be run", lambda build: written(build, "plain", b"text", 0o644)),
    refused("a damaged program", lambda build: written(build, "damaged", b"\x7fELF\x02\x01\x01 garbage")),
    refused("no such program", ["{launcher}", "./nothing"]),
    refused("a folder", ["{launcher}", "/"]),
    # What the launcher does not refuse: it says where the trace is, and the program ends in its own way.
    *(Case(f"dynamic, {how} {number}", ending(how, number), profile="either") for how, number in ENDS),
]
