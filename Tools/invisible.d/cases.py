"""Every case, by area."""

import calls
import processes
import programs
import refusals
import signals
import stacks
import threads

CASES = {
    "processes": processes.CASES,
    "signals": signals.CASES,
    "stacks": stacks.CASES,
    "threads": threads.CASES,
    "calls": calls.CASES,
    "refusals": refusals.CASES,
    "programs": programs.CASES,
}
