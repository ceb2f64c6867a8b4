"""exec, fork and what is between them."""

from case import Case

CASES = [
    *(Case(f"exec by {how}, 300 times", ["{execs.c}", how, "300"]) for how in ("execv", "execve", "execvp", "execl", "execle", "syscall")),
]
