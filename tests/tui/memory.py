"""What may flow through and what it takes of memory. Usage:

    memory.py fill KIND TOPIC              writes messages of that kind to a topic of the lab's Kafka; prints how many
    memory.py console PROGRAM TOPIC COUNT LIMIT-KIB    tails it from the beginning in a console with a store of 24 MiB
    memory.py shell PROGRAM COMMAND TOPIC COUNT LIMIT-KIB    the same for `tail` and `search`, whose reader rests for two seconds

The latter two print the peak (VmHWM) and fail where it is above the limit or not all messages came."""
import os
import random
import re
import subprocess
import sys
import tempfile
import time

import terminal

KAFKA = os.environ["SB_KAFKA"]
LATEST = 40 * terminal.SLOW


def text():
    """Of common size, and compressed to the half."""
    pool = "".join(random.Random(7).choices("abcdefghijklmnopqrstuvwxyz ", k=1 << 20))
    for i in range(200000):
        at = i * 7919 % (len(pool) - 900)
        yield '{"id":%d,"note":"%s"}\n' % (i, pool[at:at + 900])


def dense():
    """Compressed thirty to one."""
    pool = text()
    return ('{"id":%d,"note":"%s%s"}\n' % (i, next(pool)[20:50], "x" * 870) for i in range(190000))


def tiny():
    """Of a few bytes: what stands around a message is many times as large."""
    return ("%d\n" % i for i in range(1500000))


def large():
    """20 MB each, and nothing in it to be compressed."""
    for i in range(4):
        yield "%d%s\n" % (i, os.urandom(10 * 1000 * 1000).hex())


def fill(kind, topic):
    settings = {"text": ["-z", "lz4"], "dense": ["-z", "lz4"], "tiny": [], "large": ["-X", "message.max.bytes=30000000"]}[kind]
    feed = subprocess.Popen(["kcat", "-b", KAFKA, "-P", "-t", topic, "-X", "linger.ms=50", *settings], stdin=subprocess.PIPE)
    count = 0
    for line in globals()[kind]():
        feed.stdin.write(line.encode())
        count += 1
    feed.stdin.close()
    print(count)
    return feed.wait()


def received(t):
    """Of the tail's status row, after a redraw of everything."""
    os.write(t.fd, b"\x0c")
    rows = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b\(B", b"", t.read_until(time.monotonic() + 0.5))
    found = re.findall(rb"received ([0-9,]+)", rows)
    return int(found[-1].replace(b",", b"")) if found else 0


def console(program, topic, count, limit_kib):
    with tempfile.TemporaryDirectory() as home:
        path = os.path.join(home, "small.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write('endpoints: {k: {url: "kafka://%s"}}\nlimits: {store: 24MiB}\n' % KAFKA)
        t = terminal.Terminal([program, "--config", path])
        t.read_until(time.monotonic() + LATEST, lambda got: b"Dashboard" in got)
        os.write(t.fd, b":tail k/%s --from beginning\r" % topic.encode())
        end, came = time.monotonic() + LATEST, 0
        while came != count and time.monotonic() < end: # what is drawn over it may look like a larger one
            came = received(t)
        peak = t.peak_kib()
        t.end()
    print("%d of %d came, peak %d of %d KiB" % (came, count, peak, limit_kib))
    return 0 if came == count and peak <= limit_kib else 1


def shell(program, command, topic, count, limit_kib):
    words = {"tail": ["--from", "beginning", "--limit", str(count), "--json"], "search": ["size>=0", "--json"]}
    p = subprocess.Popen([program, command, "kafka://%s/%s" % (KAFKA, topic), *words[command]], stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL)
    came = os.read(p.stdout.fileno(), 1).count(b"\n")
    time.sleep(2)
    while data := os.read(p.stdout.fileno(), 1 << 20):
        came += data.count(b"\n")
    _, status, usage = os.wait4(p.pid, 0)
    print("%d of %d came, peak %d of %d KiB, exit code %d"
          % (came, count, usage.ru_maxrss, limit_kib, os.waitstatus_to_exitcode(status)))
    return 0 if came == count and usage.ru_maxrss <= limit_kib and status == 0 else 1


def main():
    what, *words = sys.argv[1:]
    if what == "fill":
        return fill(*words)
    *words, count, limit = words
    return {"console": console, "shell": shell}[what](*words, int(count), int(limit))


sys.exit(main())
