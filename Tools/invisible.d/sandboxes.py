"""System calls given up, namespaces, and other ways to be less than a process was."""

from case import Case

CASES = [
    *(
        Case(f"seccomp strict, {when} the first tick{end}", ["{sandboxes.c}", "strict", "-", when], profile=profile, agent=agent)
        for when, profile in (("before", "nothing"), ("after", "either"))
        for end, agent in (("", {}), ("; itimer", {"STATPROF_CLOCK": "itimer"}))
    ),
    *(
        Case(f"seccomp by {how}, others {action}, {when} the first tick", ["{sandboxes.c}", how, action, when, end], profile="nothing")
        for how, end in (("prctl", "_exit"), ("seccomp", "exit"), ("tsync", "exit"), ("thread", "exit"))
        for action in ("kill", "thread", "trap", "errno", "zero")
        for when in ("before", "after")
    ),
    *(
        Case(
            f"seccomp by tsync, others {action}, while the trace is slow to come, 12 times",
            ["sh", "-c", 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do "$@"; [ $? = 7 ] || exit; done', "-",
             "{slow_open.c}", "0.05", "{sandboxes.c}", "tsync", action, "before", "exit"],
            profile="nothing", seconds=60)
        for action in ("kill", "thread")
    ),
    *(
        Case(
            f"seccomp by tsync refused, since a thread has a filter of its own, others {action}; {clock}",
            ["{sandboxes.c}", "differs", action, "after", "exit"], samples=10, agent={"STATPROF_CLOCK": clock})
        for action in ("kill", "errno")
        for clock in ("thread", "itimer")
    ),
    *(
        Case(f"a filter that is kept over exec, others {action}{text}", ["{sandboxes.c}", "exec", action, "after"], profile="nothing", agent=agent)
        for action in ("kill", "errno")
        for text, agent in (("", {}), ("; itimer", {"STATPROF_CLOCK": "itimer"}))
    ),
    *(Case(f"PR_SET_TSC, {when} the first tick", ["{sandboxes.c}", "counter", "-", when], samples=20, compiler=("-m64",)) for when in ("before", "after")),
    Case("a filter that allows everything", ["{sandboxes.c}", "seccomp", "none", "after", "exit"], shown=0.95),
]
