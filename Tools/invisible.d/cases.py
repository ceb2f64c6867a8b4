"""Every case, by area."""

import files
import processes
import sandboxes

CASES = {
    "files": files.CASES,
    "sandboxes": sandboxes.CASES,
    "processes": processes.CASES,
}
