"""Stacks on which there is no room, that are not the thread's own, or that overflow."""

from case import Case

HOW = {
    "small": "24 threads on 16 KB stacks",
    "given": "the same on stacks of its own, with a canary",
    "alternate": "a busy handler on an 8 KB alternate stack",
    "coroutines": "coroutines on 8 and 16 KB stacks",
    "deep": "a million frames",
    "overflow": "overflow caught on an 8 KB alternate stack",
    "dies": "overflow that nobody catches",
    "jumps": "longjmp out of SIGALRM and SIGPROF handlers",
}

CASES = [
    *(Case(text, ["{stacks.c}", how], seconds=30) for how, text in HOW.items()),
    *(Case(f"{HOW[how]}, sampled before", ["{stacks.c}", how, "warm"], seconds=30) for how in ("small", "coroutines", "alternate", "overflow")),
    *(Case(f"{HOW[how]}; perf", ["{stacks.c}", how], agent={"STATPROF_CLOCK": "perf"}, seconds=30) for how in ("given", "coroutines", "alternate")),
]
