"""Calls that wait while other threads use the CPU: none is interrupted, none ends early, whatever the clock. But for the itimer: a tick
that falls due while the thread that burns is in the handler goes to another one. There up to nine in forty are let pass."""

from case import Case

GROUPS = {
    "polls": "poll, select, epoll_wait",
    "sleeps": "sleeps, semaphore, condition, sigtimedwait",
    "descriptors": "recv, read, accept, connect, flock",
    "processes": "msgrcv, semop, pause, wait4",
}

CASES = [
    Case(f"{text}; {clock}", ["{calls.c}", group], agent={"STATPROF_CLOCK": clock}, seconds=60,
         ignore=r"interrupted \d, early \d," if clock == "itimer" else "")
    for clock in ("auto", "itimer", "thread", "perf")
    for group, text in GROUPS.items()
]
