"""What a console at which nothing happens costs: bytes to its terminal and wake-ups of its threads, over ten seconds. None of the
brokers here has a library with threads of its own, so that every wake-up is ours. Usage: idle.py clock|broker|nothing PROGRAM

    clock       nothing is configured: the clock goes on, and only that
    broker      a broker in the process, on the dashboard: its listings and pings come on top
    nothing     a window too small for a clock: not one byte"""
import sys
import time

import terminal

SECONDS = 10
LATEST = 20 * terminal.SLOW
# Arguments, rows and columns; at least and at most so many bytes a second; wake-ups a second of the thread that draws and of all others.
CASES = {
    "clock": ([], 40, 120, 1, 100, 2, 0.5),
    "broker": (["memory:"], 40, 120, 1, 100, 4, 1),
    "nothing": (["memory:"], 10, 40, 0, 0, 3, 1),
}


def at_rest(t):
    """What the start brings comes first: until a whole second has been quiet."""
    end = time.monotonic() + LATEST
    t.read_until(end, lambda _: True)
    while len(t.read_until(time.monotonic() + 1)) > 100 and time.monotonic() < end:
        pass


def main():
    words, rows, columns, least, most, own_most, others_most = CASES[sys.argv[1]]
    t = terminal.Terminal([sys.argv[2], "--config", "/dev/null", *words], rows, columns)
    at_rest(t)
    own, every = t.own_wakeups(), sum(t.wakeups().values())
    count = len(t.read_until(time.monotonic() + SECONDS)) / SECONDS
    own, every = t.own_wakeups() - own, sum(t.wakeups().values()) - every
    others = (every - own) / SECONDS
    own /= SECONDS
    code = t.end()
    print("%.1f bytes a second; wake-ups a second: %.1f to draw, %.1f of others; ended with %s" % (count, own, others, code))
    return 0 if least <= count <= most and own <= own_most and others <= others_most and code == 143 else 1


sys.exit(main())
