"""Debuggers, tracers and sanitizers, which look at the program while the agent does."""

from case import Case

BACKTRACE = ["gdb", "-nx", "-q", "-batch", "-ex", "set debuginfod enabled off", "-ex", "break stop_here", "-ex", "run", "-ex", "bt", "-ex", "continue", "-ex", "bt", "-ex", "delete", "-ex", "continue"]
WITHOUT_PROCESS = r"process \d+|Inferior 1 .*|Thread 0x[0-9a-f]+ \(LWP \d+\)|pid \d+|==\d+==|0x[0-9a-f]+"
# A preloaded library comes before the sanitizer's own, which wants to be told that this is meant.
ASAN = {"ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}
ALL_CLOCKS = [("", {})] + [(f"; {clock}", {"STATPROF_CLOCK": clock}) for clock in ("itimer", "perf")]

CASES = [
    Case("gdb, backtraces", [*BACKTRACE, "{tools.cpp}"], needs=["gdb"], ignore=WITHOUT_PROCESS, profile="nothing"),
    Case("strace -f, four threads", ["strace", "-f", "-o", "/dev/null", "{tools.cpp}", "threads"], needs=["strace"]),
    *(
        Case(f"valgrind, {words or 'one thread'}", ["valgrind", "-q", "{tools.cpp}", *words.split()], needs=["valgrind"], profile="line", ignore=WITHOUT_PROCESS,
             launchers=("sh", "valgrind"))
        for words in ("", "threads")
    ),
    *(
        Case(f"{name}, {words or 'one thread'}", [f"{{tools.cpp {flags}}}", *words.split()], environment=ASAN)
        for name, flags in (("AddressSanitizer", "-fsanitize=address"), ("UBSan", "-fsanitize=undefined"))
        for words in ("", "threads")
    ),
    Case("ThreadSanitizer, threads", ["{tools.cpp -fsanitize=thread}", "threads"], environment={"TSAN_OPTIONS": "report_bugs=0"}, profile="either"),
    Case("AddressSanitizer finds a fault", ["{tools.cpp -fsanitize=address}", "bounds"], environment=ASAN, profile="nothing", ignore=r"(?s)==\d+.*"),
    *(Case(f"ends by {what}", ["{tools.cpp}", what]) for what in ("abort", "fault")),
    *(Case(what, ["{tools.cpp}", what]) for what in ("dlmopen", "dumpable", "privileges", "threads")),
    *(Case(f"unshare(CLONE_NEWUSER) {when} the first tick", ["{tools.cpp}", "user", *words]) for when, words in (("before", []), ("after", ["x"]))),
    *(Case(f"a child that is traced{words}", ["{tools.cpp}", "traced"], agent=clock) for words, clock in ALL_CLOCKS),
    Case("LD_BIND_NOW", ["{tools.cpp}", "threads"], environment={"LD_BIND_NOW": "1"}),
]
