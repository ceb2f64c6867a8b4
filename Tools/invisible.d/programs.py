"""Real programs that do real work, and CPython's own tests of what a profiler could harm."""

import glob
import os
import shutil
import subprocess

from case import SOURCES, Case

FOLDER = os.path.join(SOURCES, "programs")
PYTHON = "/usr/bin/python3"  # Debian's, which has the tests
TESTS = () if glob.glob("/usr/lib/python3.*/test/test_signal.py") else ("CPython tests (libpython3.N-testsuite)",)
AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []


def script(shell, name, *words):
    """Runs a file of Tests/Invisible/programs by the words before it."""
    return [*shell, os.path.join(FOLDER, name), *words]


def made(name, output, *compiler):
    """Runs what a compiler makes of a file; its own environment is clean."""

    def command(build):
        target = os.path.join(build.folder, output)
        if not os.path.exists(target):
            home = {"HOME": build.folder} if compiler[0] == "go" else {}
            subprocess.run([word.replace("{out}", target) for word in compiler] + [os.path.join(FOLDER, name)], check=True, env=os.environ | home)
        return [target]

    return command


def java(build):
    target = os.path.join(build.folder, "java")
    if not os.path.exists(target):
        subprocess.run(["javac", "-d", target, os.path.join(FOLDER, "Program.java")], check=True)
    return ["java", "-Xmx256m", "-Xshare:auto", "-cp", target, "Program"]


def python_tests(module, *left_out, seconds=400):
    """Those that are not steady even without a profiler are left out. Their children are killed and close what they find: no trace need be whole."""
    command = [PYTHON, os.path.join(FOLDER, "python_tests.py"), module, *left_out]
    return Case(f"CPython's own {module}", command, profile="either", seconds=seconds, slow=True, needs=(PYTHON, *TESTS))


def database(folder):
    """The folder of queries.sql's database, which begins empty."""
    shutil.copy(os.path.join(FOLDER, "queries.sql"), os.path.join(folder, "queries.sql"))


CASES = [
    Case("sqlite3", ["sqlite3", "file.db", ".read {folder}/queries.sql"], prepare=database, needs=("sqlite3",)),
    Case("redis, its scripts and its forked saver", script(["sh"], "redis.sh"), needs=("redis-server", "redis-cli")),
    Case("postgres, made and asked", [*AS_NOBODY, *script(["bash"], "postgres.sh")], profile="either", slow=True, seconds=180, needs=("postgres", "psql")),
    Case("make -j2 of a C project", script(["sh"], "project.sh"), needs=("make",), seconds=120),
    Case("g++ -O2", ["sh", "-c", f"g++ -O2 -c -o heavy.o {FOLDER}/heavy.cpp && sha256sum heavy.o"], seconds=120),
    Case("git, from init to rebase", script(["bash"], "repository.sh"), needs=("git",), seconds=120),
    Case("perl", script(["perl"], "script.pl"), needs=("perl",)),
    Case("node, workers and children", script(["node"], "script.js"), needs=("node",), environment={"NODE_OPTIONS": "--no-warnings"}),
    Case("java, threads, null and a stack overflow", java, needs=("java", "javac")),
    Case("Go with C, and its own profiler", made("program.go", "go-program", "go", "build", "-o", "{out}"), needs=("go",)),
    Case("Rust, threads and panics", made("program.rs", "rust-program", "rustc", "--edition", "2021", "-O", "-o", "{out}"), needs=("rustc",)),
    python_tests("test_signal"),
    python_tests("test_threading"),
    python_tests("test_fork1"),
    python_tests("test_faulthandler"),
    python_tests("test_subprocess"),
]
