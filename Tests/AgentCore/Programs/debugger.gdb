# For `gdb --batch -x`: stops debugger_points at `point`, and says the addresses of all frames there and at the instructions that
# follow. The program says its own after each.
set confirm off
set pagination off
set backtrace past-main on
set backtrace past-entry on
set disable-randomization off
handle SIGUSR1 nostop noprint pass
handle SIGUSR2 nostop noprint pass
python
import gdb

STOPS, STEPS = 12, 14

def frames():  # what has a return address: neither inlined functions nor those that a jump has left
    frame, addresses = gdb.newest_frame(), []
    while frame is not None:
        if frame.type() in (gdb.NORMAL_FRAME, gdb.SIGTRAMP_FRAME):
            addresses.append(frame.pc())
        frame = frame.older()
    return addresses

def compare_here():
    here = frames()
    print("gdb " + " ".join(f"{address:x}" for address in here), flush=True)
    gdb.Breakpoint(f"*{here[0]}", temporary=True, internal=True)
    gdb.execute("queue-signal SIGUSR1")
    gdb.execute("continue")

gdb.execute("break point")
gdb.execute("run")
for stop in range(STOPS):
    if not gdb.selected_inferior().pid:
        break
    for step in range(STEPS):
        compare_here()
        gdb.execute("stepi", to_string=True)
        if gdb.newest_frame().type() == gdb.SIGTRAMP_FRAME:
            break
    gdb.execute("continue")
end
