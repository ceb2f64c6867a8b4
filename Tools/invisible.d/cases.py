"""Every case, by area."""

import calls
import files
import limits
import loading
import processes
import programs
import refusals
import sandboxes
import signals
import stacks
import threads
import tools

CASES = {
    "processes": processes.CASES,
    "signals": signals.CASES,
    "stacks": stacks.CASES,
    "threads": threads.CASES,
    "calls": calls.CASES,
    "files": files.CASES,
    "limits": limits.CASES,
    "sandboxes": sandboxes.CASES,
    "loading": loading.CASES,
    "tools": tools.CASES,
    "refusals": refusals.CASES,
    "programs": programs.CASES,
}
