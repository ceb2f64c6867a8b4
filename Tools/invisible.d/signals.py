"""A program that has a use of its own for SIGPROF, its timers and its mask."""

from case import Case

PYTHON = """
import signal, time
seen = 0
def on(number, frame):
    global seen
    seen += 1
signal.signal(signal.SIGPROF, on)
signal.setitimer(signal.ITIMER_PROF, 0.01, 0.01)
begin = time.process_time()
while seen < 40 and time.process_time() < begin + 5: sum(range(1000))
print(signal.getitimer(signal.ITIMER_PROF)[1], seen, time.process_time() - begin >= seen * 0.005)
signal.setitimer(signal.ITIMER_PROF, 0)
at = seen
end = time.process_time() + 0.2
while time.process_time() < end: sum(range(1000))
print(seen - at, signal.getsignal(signal.SIGPROF) is on, signal.getitimer(signal.ITIMER_PROF))
"""

OWN = {
    "handler": "its own ITIMER_PROF and handler",
    "ignored": "ignored",
    "default": "the default: ended by raise, kill, timer",
    "signalfd": "read from a signalfd",
    "wait": "sigwait, sigwaitinfo, sigtimedwait",
    "wait-all": "sigtimedwait and signalfd of all signals",
    "timer": "timer_create that sends SIGPROF",
    "sent": "raise, kill, tgkill, sigqueue, with values",
    "jumps": "siglongjmp out of SIGALRM and SIGPROF handlers",
    "clocks": "ITIMER_VIRTUAL, ITIMER_REAL, process CPU timer",
    "storm": "20,000 SIGPROFs sent from without",
}
MASKS = {
    "ways": "signal, sigset, sighold, siginterrupt, ...",
    "admits": "sigsuspend, ppoll, pselect, epoll_pwait",
    "restart": "read, with and without SA_RESTART",
    "exec": "disposition, mask, pending, timer over exec",
    "inherited": "mask over fork and pthread_create",
    "waits": "200,000 signals that wait while blocked",
    "sleeper": "blocked in one, another sleeps; blocked in all",
}

# gcc -pg: its gmon.out. The C library takes SIGPROF and the timer by itself, so that there are no samples of such a program.
GPROF = "cp {} prof; ./prof handler > /dev/null; stat -c %s gmon.out; gprof -b -p prof gmon.out | grep -c ' work'"

CASES = [
    # A poll or sigwaitinfo beside threads that block SIGPROF may be interrupted by the program's own: a limit, docs/signal-safety.md.
    # The itimer's tick is for any thread, one that waits for SIGPROF among them: a limit too.
    *(
        Case(
            f"SIGPROF: {text}",
            ["{own_signals.c}", how],
            own_timer=how not in ("sent", "storm"),
            ignore="interrupted [0-3] and [01]" if how in ("signalfd", "wait") else "",
            not_under=("itimer",) if how in ("wait", "wait-all") else (),
        )
        for how, text in OWN.items()
    ),
    *(Case(f"mask: {text}", ["{signal_masks.c}", how], own_timer=how == "exec", not_under=("itimer",) if how in ("admits", "waits", "sleeper") else ()) for how, text in MASKS.items()),
    *(Case(f"ITIMER_PROF under STATPROF_CLOCK={clock}", ["{own_signals.c}", "handler"], agent={"STATPROF_CLOCK": clock}) for clock in ("thread", "perf")),
    Case("SIGPROF: read from a signalfd; perf, 10 kHz", ["{own_signals.c}", "signalfd"], agent={"STATPROF_CLOCK": "perf", "STATPROF_FREQUENCY": "10000"}, own_timer=True, ignore="interrupted [0-3] and [0-3]"),
    *(Case(f"waits under a mask, STATPROF_CLOCK={clock}", ["{signal_masks.c}", "admits"], agent={"STATPROF_CLOCK": clock}) for clock in ("thread", "perf")),
    Case("CPython's signal.setitimer", ["python3", "-c", PYTHON], needs=["python3"], own_timer=True),
    Case("gcc -pg writes its gmon.out", lambda build: ["sh", "-c", GPROF.format(build("execs.c", "-pg")).replace("handler", "execv 80")], needs=["gprof"], profile="nothing"),
]
