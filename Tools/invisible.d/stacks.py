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
    *(Case(f"threads of {kb} KB, used to the end", ["{tight_stacks.c}", "threads", str(kb * 1024)]) for kb in (16, 20, 64)),
    *(Case(f"a busy handler that fills an alternate stack of {kb} KB{more}", ["{tight_stacks.c}", "busy", str(kb * 1024)], agent=agent)
      for kb, more, agent in ((6, "", {}), (8, "", {}), (16, "", {}), (8, "; perf", {"STATPROF_CLOCK": "perf"}), (8, "; itimer", {"STATPROF_CLOCK": "itimer"}))),
    *(Case(f"an alternate stack of {size} bytes that nothing uses", ["{tight_stacks.c}", "unused", str(size)]) for size in (2048, 3072, 4096)),
    *(Case(text, ["{stacks.c}", how], seconds=30, own_timer=how in ("alternate", "jumps")) for how, text in HOW.items()),
    *(Case(f"{HOW[how]}, sampled before", ["{stacks.c}", how, "warm"], seconds=30, own_timer=how == "alternate") for how in ("small", "coroutines", "alternate", "overflow")),
    *(Case(f"{HOW[how]}; perf", ["{stacks.c}", how], agent={"STATPROF_CLOCK": "perf"}, seconds=30) for how in ("given", "coroutines", "alternate")),
]
