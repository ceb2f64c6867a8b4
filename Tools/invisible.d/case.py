"""What a case is: a program, run alone and under a profiler, and what must be the same."""

import os
import re
import shutil
import subprocess
import threading
from dataclasses import dataclass, field, replace
from typing import Callable, Sequence

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SOURCES = os.path.join(ROOT, "Tests", "Invisible")


@dataclass(frozen=True)
class Case:
    """One case. It runs in a folder of its own, under a fresh session, with an alarm."""

    name: str
    # The words of the command, given a Build; or a list in which {x.c} stands for the program made from Tests/Invisible/x.c, and
    # {x.c -static} for the same with options of the compiler. The word {launcher} is `statprof` where the agent is to be, and nothing else.
    command: Sequence[str] | Callable[["Build"], Sequence[str]]
    # What the agent owes: "trace" (at least one, whole, with `samples` samples), "line" (no trace, and one line on stderr
    # that says why), "either", "nothing" (it cannot be there: no trace and no line are both right), or "any" (only the program counts).
    profile: str = "trace"
    samples: int = 1
    # Of the CPU time that the whole command used, the share that its traces must show (unsampled time included).
    shown: float = 0.0
    environment: dict = field(default_factory=dict)
    # More for the agent alone (STATPROF_OUT, STATPROF_CLOCK, ...). {folder} is the case's folder.
    agent: dict = field(default_factory=dict)
    seconds: float = 60
    needs: Sequence[str] = ()  # commands; without them the case is skipped, and says so
    compiler: Sequence[str] = ()  # options with which gcc must be able to compile and link, likewise
    root: bool = False
    slow: bool = False  # left out where all cases are run, unless asked for
    # The programs that become the one which the case is about: traces of their own are right, or a line of their own.
    launchers: tuple = ()
    # It uses ITIMER_PROF itself: where that is the agent's only clock too, each process's agent steps back, and says so.
    own_timer: bool = False
    # Clocks under which, where they are asked for, it is known not to hold (docs/signal-safety.md).
    not_under: Sequence[str] = ()
    # Text of the output that may differ from run to run: a regular expression, taken out before comparison.
    ignore: str = ""
    # Prepares the folder before each run; returns what undoes it, or None.
    prepare: Callable[[str], Callable[[], None] | None] | None = None
    # Looks at the folder after each run; returns what is to be the same too, as text.
    look: Callable[[str], str] | None = None

    def under(self, clock):
        """The case as it is where that clock is asked for; None: it is not to be run."""
        if clock in self.not_under:
            return None
        if clock == "itimer" and self.own_timer and "STATPROF_CLOCK" not in self.agent:
            return replace(self, profile="any")
        return self

    def lacks(self):
        """Why the case cannot run here, or None."""
        missing = [tool for tool in self.needs if shutil.which(tool) is None]
        if missing:
            return "no " + ", ".join(missing)
        if self.compiler:
            words = ["gcc", *self.compiler, "-xc", "-", "-o", "/dev/null"]
            if subprocess.run(words, input=b"#include <errno.h>\nint main(void) { return 0; }", capture_output=True).returncode:
                return "gcc cannot " + " ".join(self.compiler)
        return "needs root" if self.root and os.geteuid() != 0 else None


class Build:
    """Compiles the programs of Tests/Invisible, each once for each set of options."""

    def __init__(self, folder):
        self.folder = folder
        self.made = {}
        self.lock = threading.Lock()  # for callers on several threads

    def __call__(self, source, *options, compiler=None):
        key = (source, compiler, *options)
        if key not in self.made:
            name = os.path.join(self.folder, f"{os.path.splitext(source)[0]}{len(self.made) or ''}")
            compiler = compiler or ("g++" if source.endswith(".cpp") else "gcc")
            words = [compiler, "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-o", name, os.path.join(SOURCES, source), *options]
            subprocess.run(words + ["-lpthread", "-ldl", "-lm"], check=True)
            self.made[key] = name
        return self.made[key]

    def words(self, command):
        """A case's command with its programs made."""
        if callable(command):
            return [str(word) for word in command(self)]
        return [re.sub(r"\{(\w+\.(?:c|cpp)[^}]*)\}", lambda match: self(*match[1].split()), word) for word in command]
