"""Every case, by area."""

import processes

CASES = {
    "processes": processes.CASES,
}
