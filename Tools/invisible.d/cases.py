"""Every case, by area."""

import files
import limits
import loading
import processes
import sandboxes
import tools

CASES = {
    "files": files.CASES,
    "limits": limits.CASES,
    "sandboxes": sandboxes.CASES,
    "loading": loading.CASES,
    "processes": processes.CASES,
    "tools": tools.CASES,
}
