"""A terminal that reads no more (a stalled SSH), and the console that is to end. Usage: stuck.py PROGRAM SIGNAL"""
import os
import signal
import sys
import time

import terminal

t = terminal.Terminal([sys.argv[1], "--demo"])
number = signal.Signals["SIG" + sys.argv[2]]
t.read_until(time.monotonic() + 20 * terminal.SLOW, lambda got: b"Dashboard" in got)


def is_stuck():
    """The thread that draws waits for the terminal, and for nothing else."""
    with open("/proc/%d/wchan" % t.pid) as f:
        return "poll" not in (where := f.read()) and where not in ("", "0")


end, stuck = time.monotonic() + 20 * terminal.SLOW, 0
while stuck < 10 and time.monotonic() < end:
    if stuck == 0:
        os.write(t.fd, b"\x0c")  # everything is drawn again
    time.sleep(0.02)
    stuck = stuck + 1 if is_stuck() else 0
os.kill(t.pid, number)
limit, code = time.monotonic() + 8 * terminal.SLOW, None
while code is None and time.monotonic() < limit:
    pid, status = os.waitpid(t.pid, os.WNOHANG)
    code = os.waitstatus_to_exitcode(status) if pid else None
    time.sleep(0.02)
if code is None:
    os.kill(t.pid, signal.SIGKILL)
print("stuck: %s, exit code %s" % (stuck >= 10, code))
sys.exit(0 if stuck >= 10 and code == 128 + number else 1)
