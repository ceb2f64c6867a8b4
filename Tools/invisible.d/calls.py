"""Calls that wait while other threads use the CPU: none is interrupted, none ends early, whatever the clock."""

from case import Case

GROUPS = {
    "polls": "poll, select, epoll_wait",
    "sleeps": "sleeps, semaphore, condition, sigtimedwait",
    "descriptors": "recv, read, accept, connect, flock",
    "processes": "msgrcv, semop, pause, wait4",
}

CASES = [
    Case(f"{text}; {clock}", ["{calls.c}", group], agent={"STATPROF_CLOCK": clock}, seconds=30)
    for clock in ("auto", "itimer", "thread", "perf")
    for group, text in GROUPS.items()
]
