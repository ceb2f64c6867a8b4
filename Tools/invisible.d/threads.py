"""Threads that come and go, in every way."""

from case import Case

HOW = {
    "many": "5000 threads, of 0.1 ms or less",
    "short": "400 threads that live 2 ms",
    "detached": "300 detached threads",
    "thousand": "1000 threads at once",
    "cancel": "cancellation, deferred and asynchronous",
    "main-ends": "pthread_exit in main",
    "handler-exits": "exit() in a handler, beside threads at work",
    "thread-exits": "exit() in a thread",
    "destructors": "destructors of thread-specific data, all keys",
    "fork": "fork while others are in malloc",
    "clone": "threads by clone(), unknown to the C library",
    "limit": "no memory for one more thread",
}

CASES = [
    *(Case(text, ["{threads.c}", how], seconds=60) for how, text in HOW.items()),
    Case("exit() in a handler, while the trace is slow to come", ["{slow_open.c}", "0.9", "{threads.c}", "handler-exits"], seconds=60),
    Case("C++ exceptions in 40 threads", ["{throws.cpp}"], seconds=60),
    *(Case(f"{HOW[how]}; {clock}", ["{threads.c}", how], agent={"STATPROF_CLOCK": clock}, seconds=60)
      for how in ("thousand", "cancel", "short", "fork", "clone") for clock in ("itimer", "perf")),
]
