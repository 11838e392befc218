"""The first moments of the console, with every endpoint black-holed. Usage: start.py nothing|second|answered|key PROGRAM

    nothing     until the first frame is out there is no thread and no socket but what the process began with
    second      the second frame comes no sooner than 50 ms after the first
    answered    the same where the terminal answers what it is asked behind the first frame
    key         a key that is there before the first frame is answered, whatever the endpoints do"""
import os
import sys
import tempfile
import time

import terminal

FIRST_ENDS = b"\x1b[?2026$p"  # asked behind the first frame
ANSWER = b"\x1b[?2026;2$y"
SYNC = b"\x1b[?2026h"  # a frame begins, once the terminal has said that it knows of this
SECOND_MS = 50
RUNS = 5
LATEST = 20 * terminal.SLOW


def nothing_before_the_first_frame(argv):
    """A screen of more bytes than a pseudo-terminal holds (12 KiB), which nobody reads: the program stands still within its first frame."""
    t = terminal.Terminal(argv, rows=250, columns=500)
    end, still = time.monotonic() + LATEST, 0
    while still < 10 and time.monotonic() < end:
        time.sleep(0.02)
        still = still + 1 if t.waiting() >= 4000 and t.status()["State"].startswith("S") else 0
    threads, sockets = t.threads(), t.sockets()
    first = t.read_until(time.monotonic() + LATEST, lambda got: FIRST_ENDS in got).split(FIRST_ENDS)[0]
    limit = time.monotonic() + LATEST
    while len(t.threads()) < 2 and time.monotonic() < limit:
        t.read_until(time.monotonic() + 0.05)
    later = len(t.threads())
    t.end()
    print("%d bytes in the first frame, stood still: %s; %d threads, %d sockets; later %d threads"
          % (len(first), still == 10, len(threads), len(sockets), later))
    return still == 10 and len(first) > 16384 and len(threads) == 1 and not sockets and later > 1


def gap_ms(argv, answer):
    """At least what lies between the first frame's end and the second's beginning: the end is dated by the last moment at which it had
    surely not come, so that a reader that was not run in time finds the gap longer, never shorter."""
    t = terminal.Terminal(argv)
    got, before, end = b"", t.start, t.start + LATEST
    while FIRST_ENDS not in got and time.monotonic() < end:
        asked = time.monotonic()
        data = t.read_until(asked + 0.001, lambda _: True)
        got += data
        before = before if data else asked
    if answer:
        os.write(t.fd, ANSWER)
    got = got.partition(FIRST_ENDS)[2]
    while not (SYNC in got if answer else got) and time.monotonic() < end:
        got += t.read_until(end, lambda _: True)
    gap = (time.monotonic() - before) * 1000
    t.end()
    return gap if got else None


def second_is_no_sooner(argv, answer):
    gaps = [gap_ms(argv, answer) for _ in range(RUNS)]
    print("from the first frame to the second: %s ms" % ", ".join("%.1f" % gap if gap else "no second frame" for gap in gaps))
    return all(gap and SECOND_MS <= gap < LATEST * 1000 for gap in gaps)


def a_key_is_answered(argv):
    t = terminal.Terminal(argv)
    os.write(t.fd, b"3")
    got = t.read_until(time.monotonic() + LATEST, lambda got: b"LEVEL" in got)
    code = t.end()
    print("the log's heading: %s; ended with %s" % (b"LEVEL" in got, code))
    return b"LEVEL" in got and code == 143


def main():
    what, program = sys.argv[1:]
    with tempfile.TemporaryDirectory() as home:
        holes = terminal.BlackHoles(10)
        path = os.path.join(home, "holes.yaml")
        holes.write_config(path)
        argv = [program, "--config", path]
        good = {"nothing": nothing_before_the_first_frame, "key": a_key_is_answered,
                "second": lambda argv: second_is_no_sooner(argv, False),
                "answered": lambda argv: second_is_no_sooner(argv, True)}[what](argv)
    return 0 if good else 1


sys.exit(main())
