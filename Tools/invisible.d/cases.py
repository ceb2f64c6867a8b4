"""Every case, by area."""

import files
import processes

CASES = {
    "files": files.CASES,
    "processes": processes.CASES,
}
