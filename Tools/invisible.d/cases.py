"""Every case, by area."""

import calls
import processes
import signals
import stacks
import threads

CASES = {
    "processes": processes.CASES,
    "signals": signals.CASES,
    "stacks": stacks.CASES,
    "threads": threads.CASES,
    "calls": calls.CASES,
}
