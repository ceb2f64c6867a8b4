"""Limits of a process that are reached, by it or by the agent. Under RLIMIT_FSIZE no line can be said: standard error is a file here."""

from case import Case

NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]


def limited(options, *words):
    """The program started under limits of prlimit."""
    return ["prlimit", *options, "{limits.c}", *words]


CASES = [
    *(Case(f"RLIMIT_NOFILE {n} from main", ["{limits.c}", "nofile", n], profile="either") for n in ("0", "3", "4", "20")),
    *(Case(f"RLIMIT_NOFILE {n} after load, perf", ["{limits.c}", "nofile", n], profile="either", agent={"STATPROF_CLOCK": "perf"}) for n in ("0", "4", "20", "1000")),
    *(Case(f"RLIMIT_FSIZE {n}", ["{limits.c}", "fsize", n], profile="nothing") for n in ("0", "1000", "8192", "40000")),
    *(Case(f"RLIMIT_FSIZE {n}, SIGXFSZ ends it", ["{limits.c}", "default fsize", n], profile="nothing") for n in ("0", "8192", "40000")),
    *(Case(f"RLIMIT_FSIZE {n} at start", limited([f"--fsize={n}"], "default fsize", n), profile="nothing", needs=["prlimit"]) for n in ("0", "4096")),
    *(Case(f"RLIMIT_AS {n} MiB", ["{limits.c}", "as", n], profile="nothing") for n in ("0", "8", "64", "400")),
    Case("deep stacks, RLIMIT_AS reached before them", ["{limits.c}", "deep"], profile="either"),
    # A timer of the agent's counts too: of a limit of one the program has none left.
    *(Case(f"RLIMIT_SIGPENDING {n}", [*NOBODY, "{limits.c}", "sigpending", n], profile="either", root=True, needs=["setpriv"]) for n in ("0", "100")),
    Case("RLIMIT_SIGPENDING 0 at start", limited(["--sigpending=0"], "sigpending", "0"), needs=["prlimit"]),
    Case("mlockall", ["{limits.c}", "mlock", "-1"]),
    *(Case(f"mlockall, RLIMIT_MEMLOCK {n} KiB", [*NOBODY, "{limits.c}", "mlock", n], profile="either", root=True, needs=["setpriv"]) for n in ("0", "64", "100000")),
    Case("RLIMIT_CPU, the signal ends it", ["{limits.c}", "cpu"]),
    Case("RLIMIT_CPU, the signal is handled", ["{limits.c}", "cpu", "1"]),
    *(Case(f"RLIMIT_STACK {kib} KiB at start", limited([f"--stack={kib * 1024}"], "stack", str(kib // 2)), needs=["prlimit"]) for kib in (64, 256)),
    *(Case(f"RLIMIT_NPROC {n}", [*NOBODY, "{limits.c}", "nproc", n], root=True, needs=["setpriv"]) for n in ("0", "1000")),
]
