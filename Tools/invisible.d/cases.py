"""Every case, by area."""

import processes
import programs
import refusals

CASES = {
    "processes": processes.CASES,
    "programs": programs.CASES,
    "refusals": refusals.CASES,
}
