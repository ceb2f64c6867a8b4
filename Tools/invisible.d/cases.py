"""Every case, by area."""

import calls
import files
import processes
import programs
import refusals
import sandboxes
import signals
import stacks
import threads

CASES = {
    "processes": processes.CASES,
    "signals": signals.CASES,
    "stacks": stacks.CASES,
    "threads": threads.CASES,
    "calls": calls.CASES,
    "files": files.CASES,
    "sandboxes": sandboxes.CASES,
    "refusals": refusals.CASES,
    "programs": programs.CASES,
}
