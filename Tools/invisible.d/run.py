"""Runs a case's command once, alone or under a profiler, and says what an observer saw of it."""

import glob
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass

DIST = os.path.abspath(os.environ.get("STATPROF_DIST", "dist"))
LIBRARY = os.path.join(DIST, "libstatprof.so")
LAUNCHER = os.path.join(DIST, "statprof")
REPORT = os.path.join(DIST, "statprof-report")
TICK = time.clock_getres(4 + 1)  # CLOCK_REALTIME_COARSE: the kernel's tick, seconds


@dataclass
class Outcome:
    """What a run left."""

    output: str
    errors: str
    status: int | str  # "hang", "signal 11", or the exit status
    cpu: float
    traces: list
    looked: str


@dataclass(frozen=True)
class Way:
    """A way to run a command: the words before it, more environment, and where its profile will be. {folder} is the run's own."""

    name: str
    words: tuple = ()
    environment: tuple = ()
    profile: str = ""


def ways(peers):
    """Those that are installed."""
    found = [Way("alone"), Way("statprof", (), (("LD_PRELOAD", LIBRARY), ("STATPROF_OUT", "{folder}/out/%e.%p.trace")), "{folder}/out/*")]
    if not peers:
        return found
    listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout
    libprofiler = re.search(r"libprofiler\.so\.0 .*=> (\S+)", listing)
    if libprofiler:
        out = "{folder}/out/profile"
        found.append(Way("gperftools", (), (("LD_PRELOAD", libprofiler[1]), ("CPUPROFILE", out), ("CPUPROFILE_FREQUENCY", "1000")), out + "*"))
    if shutil.which("gprofng"):
        found.append(Way("gprofng", ("gprofng", "collect", "app", "-F", "on", "-o", "{folder}/out/profile.er"), (), "{folder}/out/*.er"))
    if shutil.which("perf"):
        found.append(Way("perf", ("perf", "record", "-q", "-g", "-F", "1000", "-o", "{folder}/out/perf.data", "--"), (), "{folder}/out/perf.data"))
    return found


def run(case, words, way, base, more=()):
    """Runs the case once in a new folder below `base`; `more` is environment for every case of this run."""
    folder = tempfile.mkdtemp(prefix="case.", dir=base)
    os.chmod(folder, 0o755)  # a case may give up its rights
    undo = case.prepare(folder) if case.prepare else None
    try:
        return run_in(folder, case, words, way, more)
    finally:
        if undo:
            undo()
        subprocess.run(["chmod", "-R", "u+rwX", folder], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def run_in(folder, case, words, way, more):
    out = os.path.join(folder, "out")
    os.makedirs(out, exist_ok=True)
    if os.access(out, os.W_OK):  # what a case has mounted there may be read-only
        os.chmod(out, 0o1777)
    work = os.path.join(folder, "work")
    os.makedirs(work, exist_ok=True)
    os.chmod(work, 0o777)
    fill = lambda text: text.replace("{folder}", folder)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("STATPROF", "LD_", "CPUPROFILE"))}
    environment |= {k: fill(v) for k, v in case.environment.items()}
    profiler = {k: fill(v) for k, v in way.environment}
    if way.name == "statprof":
        profiler |= {k: fill(v) for k, v in {**dict(more), **case.agent}.items()}
    if "LD_PRELOAD" in profiler and "LD_PRELOAD" in case.environment:
        profiler["LD_PRELOAD"] += ":" + case.environment["LD_PRELOAD"]
    if "{launcher}" in words:
        launcher = [LAUNCHER] if way.name == "statprof" else []
        words = [new for word in words for new in (launcher if word == "{launcher}" else [word])]
        if launcher:
            profiler.pop("LD_PRELOAD")
    environment |= profiler
    words = [fill(word) for word in (*way.words, *words)]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = start(
            words, cwd=work, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True,
            preexec_fn=as_from_a_terminal,
        )
        status, cpu = wait(process, case.seconds) if isinstance(process, subprocess.Popen) else (process, 0.0)
        output.seek(0)
        errors.seek(0)
        said = output.read().decode(errors="replace"), errors.read().decode(errors="replace")
    clean = lambda text: re.sub(case.ignore, "~", text) if case.ignore else text
    looked = case.look(work) if case.look else ""
    outcome = Outcome(clean(said[0].replace(folder, "@")), clean(said[1].replace(folder, "@")), status, cpu, [], clean(looked))
    outcome.traces = describe(way, sorted(glob.glob(fill(way.profile)))) if way.profile else []
    return outcome


def as_from_a_terminal():
    """In the child, before its program: what nohup, a background job and our own alarm leave behind is undone."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(0)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def start(words, **options):
    """The process; where there is none to be had, the status that a shell gives."""
    try:
        return subprocess.Popen(words, **options)
    except FileNotFoundError:
        return 127
    except OSError:
        return 126


def wait(process, seconds):
    """Waits with an alarm. The status in words, and the CPU seconds of the process and those it waited for."""
    deadline = time.monotonic() + seconds
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        if time.monotonic() > deadline:
            os.killpg(process.pid, signal.SIGKILL)
            _, status, usage = os.wait4(process.pid, 0)
            status = "hang"
            break
        time.sleep(0.002)
    process.returncode = 0
    try:
        os.killpg(process.pid, signal.SIGKILL)  # what a daemon left running
    except ProcessLookupError:
        pass
    if status != "hang":
        status = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return status, usage.ru_utime + usage.ru_stime


def describe(way, paths):
    """The profiles that were left: for traces of ours what the report says of them."""
    if way.name != "statprof":
        return [{"path": path, "size": size_of(path)} for path in paths]
    traces = [{"path": path, "size": size_of(path)} for path in paths]
    if len(traces) > 1 and facts_of(traces[0], paths):  # all at once, where nothing is wrong with any: the facts of all are the first's
        for trace in traces[1:]:
            trace |= {"check": 0, "words": "", "samples": 0, "cpu": 0, "lost": [], "unwind": {}}
        return traces
    for trace in traces:
        facts_of(trace, [trace["path"]])
    return traces


def size_of(path):
    return sum(os.path.getsize(os.path.join(at, f)) for at, _, files in os.walk(path) for f in files) or os.path.getsize(path)


def facts_of(trace, paths):
    """Puts what the report says of the traces at `paths` into `trace`. Whether it found nothing wrong."""
    check = subprocess.run([REPORT, "check", *paths], capture_output=True, text=True)
    trace |= {"check": check.returncode, "words": check.stdout + check.stderr}
    report = subprocess.run([REPORT, *paths, "--format", "json"], capture_output=True, text=True)
    if report.returncode == 0:
        shown = json.loads(report.stdout)
        trace |= {"samples": shown["samples"], "cpu": shown["cpu_seconds"], "lost": shown["lost"], "unwind": shown["unwind"]}
    else:
        trace["check"] = report.returncode or 1
    return trace["check"] == 0
