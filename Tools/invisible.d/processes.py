"""exec, fork and what is between them."""

import os
import shutil

from case import Case

# (how often, how) of each way to another program: "became" says by its status what it was given. Some wait for a shell.
EXECS = [(30, how) for how in ("execv", "execve", "execvp", "execvpe", "execl", "execlp", "execle", "execveat", "fexecve", "syscall", "raw", "empty")]
STARTS = [(30, how) for how in ("posix_spawn", "posix_spawnp", "vfork")] + [(20, how) for how in ("system", "popen")]


def became(how, count, state="plain", *options, seconds="0.01"):
    """Becomes became.c, built with `options`."""
    return lambda build: [build("execs.c"), how, count, state, build("became.c", *options), seconds]


def deadly_clocks(how):
    """The itimer alone goes on over an exec that nobody hears of, and ends the new program."""
    return ("itimer",) if how == "raw" else ()


def setuid(build, *options):
    """A copy of became.c that runs as root, whoever starts it."""
    path = build("became.c", *options)
    copy = path + ".setuid"
    shutil.copy(path, copy)
    os.chmod(copy, 0o4755)
    return copy


# What is inherited, or where it is done: a word of execs.c, and in words.
STATES = {
    "ignored": "with SIGPROF ignored",
    "blocked": "with SIGPROF blocked",
    "pending": "with SIGPROF pending",
    "thread": "from a thread while others burn",
    "small": "from a thread of 16 KB, 3000 variables",
}
# Ways to fork: a word of forks.c, how often, in words.
FORKS = [
    ("plain", 200, "fork"),
    ("nested", 60, "fork in a child"),
    ("many", 60, "forks at once"),
    ("threads", 40, "fork in two threads while others burn"),
    ("threads-in-child", 20, "fork, and threads in the child"),
    ("handler", 30, "fork in a signal handler"),
    ("raw", 60, "fork past the C library"),
    ("clone", 60, "clone with a stack"),
    ("clone-vfork", 60, "clone with a stack, memory shared"),
    ("vfork", 60, "vfork and _exit"),
    ("daemonize", 5, "two forks, setsid, every descriptor closed"),
    ("daemon", 5, "daemon()"),
    ("atfork", 60, "fork with handlers of pthread_atfork"),
    ("pending", 40, "fork with SIGPROF blocked and pending"),
]

# The words of children.c, and in words.
CHILDREN = [
    ("plain 150", "children that end in every way"),
    ("threads 80", "fork in four threads, with exec and without, others in malloc"),
    ("tree 5", "a tree of 63 processes"),
    ("bomb 25", "100 processes at once"),
    ("chain 60", "a line of 60 processes"),
    ("handler 150", "a handler that interrupts fork and forks"),
    ("bare 24", "clone and _Fork, and a life after them"),
    ("statuses 24", "every wait status"),
    ("canceled", "a thread canceled in system(), SIGPROF ignored"),
]

CASES = [
    *(Case(f"exec by {how}, 300 times", ["{execs.c}", how, "300"]) for how in ("execv", "syscall")),
    *(Case(f"{how} into a dynamic program, {count} times", became(how, count), not_under=deadly_clocks(how)) for count, how in EXECS + STARTS),
    *(Case(f"{how} into a static program, {count} times", became(how, count, "plain", "-static"), not_under=deadly_clocks(how)) for count, how in EXECS + STARTS),
    # A process in which a SIGPROF of its own waits gets no tick: what is left is the first one's 8 ms.
    *(Case(f"{how} {words}", became(how, 40, state), samples=state != "pending") for how in ("execv", "execlp") for state, words in STATES.items()),
    # A thread is ended in the midst of a tick, often in one that says for all of them what there is to be said once.
    Case("execv from a thread while others burn; perf", became("execv", 40, "thread"), agent={"STATPROF_CLOCK": "perf"}),
    Case("execv with SIGPROF blocked; perf, 10 kHz", became("execv", 40, "blocked", seconds="0.002"), agent={"STATPROF_CLOCK": "perf", "STATPROF_FREQUENCY": "10000"}),
    *(Case(f"{how} {STATES[state]}", became(how, 30, state)) for _, how in STARTS for state in ("ignored", "blocked")),
    *(Case(f"{words}, {count} times", ["{forks.c}", how, str(count)]) for how, count, words in FORKS),
    Case("exec into a setuid program", lambda build: [build("execs.c"), "execv", "100", "nobody", setuid(build)], root=True),
    Case("exec into a static setuid program", lambda build: [build("execs.c"), "execvp", "100", "nobody", setuid(build, "-static")], root=True),
    Case("exec as another user", became("execle", 100, "nobody"), root=True),
    Case("exec of nothing, 500 times", ["{execs.c}", "execvp", "500", "plain", "nonexistent-program"]),
    Case("posix_spawn of nothing, 1000 times", ["{execs.c}", "posix_spawn", "1000", "plain", "/nonexistent/program"]),
    Case("exec's errors, and what cannot be read", ["{exec_errors.c}", "20"]),
    *(
        Case(f"an exec that fails while recording is stopped; {clock}", ["{exec_errors.c}", "stopped"], agent={"STATPROF_CLOCK": clock}, samples=30)
        for clock in ("auto", "itimer", "perf")
    ),
    # The kernel adds a tick to the itimer's first expiry, and each of these images uses less.
    Case("a program that becomes itself, 500 times", ["{execs.c}", "self", "500"], not_under=("itimer",)),
    # While system() waits, a process that ignores SIGPROF ignores it in the kernel's view too, and gets no tick.
    *(Case(name, ["{children.c}", *words.split()], samples=words != "canceled") for words, name in CHILDREN),
    Case("1400 programs in one process, each with a tick", ["{execs.c}", "self", "1400", "0.008"], samples=1000, slow=True),
    # Of another C library: the library is there, and does nothing but hand calls on.
    Case("exec into a musl program", lambda build: [build("execs.c"), "execv", "60", "plain", build("became.c", compiler="musl-gcc")], needs=("musl-gcc",)),
    *(
        Case(f"musl: {name}", lambda build, words=words: [build("children.c", compiler="musl-gcc"), *words.split()], needs=("musl-gcc",), profile="nothing")
        for words, name in CHILDREN
    ),
]
