"""What may flow through and what it takes of memory. Usage:

    memory.py fill KIND TOPIC              writes messages of that kind to a topic of the lab's Kafka; prints how many
    memory.py console PROGRAM TOPIC STORE COUNT LIMIT-KIB    tails it from the beginning in a console with that store, opens messages
                                           in the inspector while they flow, browses it, and has the inspector on that, too
    memory.py above PROGRAM TOPIC STORE COUNT LIMIT-KIB      a browse above a tail of it, in the inspector, twice
    memory.py queue PROGRAM NAME LIMIT-KIB         the same with large messages that are sent to RabbitMQ meanwhile
    memory.py shell PROGRAM COMMAND TOPIC COUNT LIMIT-KIB    the same for `tail` and `search`, whose reader rests for two seconds

The latter four print the peak (VmHWM) and fail where it is above the limit or not all messages came."""
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

import terminal

KAFKA = os.environ["SB_KAFKA"]
LATEST = 40 * terminal.SLOW
TAKEN_APART = b"Why this decoder", b"ll of it was read" # in the inspector


def text():
    """Of common size, and compressed to the half."""
    pool = "".join(random.Random(7).choices("abcdefghijklmnopqrstuvwxyz ", k=1 << 20))
    for i in range(200000):
        at = i * 7919 % (len(pool) - 900)
        yield '{"id":%d,"note":"%s"}\n' % (i, pool[at:at + 900])


def dense():
    """Compressed thirty to one."""
    pool = text()
    return ('{"id":%d,"note":"%s%s"}\n' % (i, next(pool)[30:60], "x" * 870) for i in range(190000))


def tiny():
    """Of a few bytes: what stands around a message is many times as large."""
    return ("%d\n" % i for i in range(1500000))


def large():
    """20 MB each, and nothing in it to be compressed."""
    for i in range(4):
        yield "%d%s\n" % (i, os.urandom(10 * 1000 * 1000).hex())


def fields():
    """Of as many fields as are taken apart."""
    line = "[%s]\n" % ",".join(["1"] * 199990)
    return (line for _ in range(440))


def fill(kind, topic):
    settings = {"text": ["-z", "lz4"], "dense": ["-z", "lz4"], "large": ["-X", "message.max.bytes=30000000"]}.get(kind, [])
    feed = subprocess.Popen(["kcat", "-b", KAFKA, "-P", "-t", topic, "-X", "linger.ms=50", *settings], stdin=subprocess.PIPE)
    count = 0
    for line in globals()[kind]():
        feed.stdin.write(line.encode())
        count += 1
    feed.stdin.close()
    print(count)
    return feed.wait()


def plain(rows):
    return re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b\(B", b"", rows)


class Console(terminal.Terminal):
    def __init__(self, program, home, url, store, more=""):
        path = os.path.join(home, "small.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write('endpoints: {e: {url: "%s"%s}}\nlimits: {store: %s}\n' % (url, more, store))
        super().__init__([program, "--config", path])
        self.wait(b"Dashboard")

    def keys(self, keys):
        os.write(self.fd, keys)

    def drawn(self, seconds, *words):
        """After a redraw of everything, until all of these are seen."""
        self.keys(b"\x0c")
        rows = self.read_until(time.monotonic() + seconds, lambda got: words and all(word in plain(got) for word in words))
        return plain(rows)

    def wait(self, *words):
        """True: all of them are seen."""
        end = time.monotonic() + LATEST
        while time.monotonic() < end:
            rows = self.drawn(0.5, *words)
            if all(word in rows for word in words):
                return True
        print("no %s in %s" % (words, rows.decode(errors="replace")))
        return False

    def received(self):
        """Of the tail's status row."""
        found = re.findall(rb"received ([0-9,]+)", self.drawn(0.5))
        return int(found[-1].replace(b",", b"")) if found else 0

    def inspect(self):
        """The newest message, until all of it was taken apart; back to the list. True: it was."""
        self.keys(b"fi")
        seen = self.wait(*TAKEN_APART)
        self.keys(b"q")
        return seen

    def come(self, count):
        """Until so many came: messages are opened meanwhile, and evicted beneath. True: they did."""
        end, came, seen = time.monotonic() + LATEST, 0, 0
        while came != count and time.monotonic() < end: # what is drawn over it may look like a larger one
            came = self.received()
            if came and not self.inspect():
                break
            seen += 1 if came else 0
        print("%d of %d came, %d were opened" % (came, count, seen))
        return came == count

    def stays_below(self, limit_kib):
        peak, rest = self.peak_kib(), self.rss_kib()
        self.end()
        print("peak %d of %d KiB, %d at the end" % (peak, limit_kib, rest))
        return peak <= limit_kib


def console(program, topic, store, count, limit_kib):
    with tempfile.TemporaryDirectory() as home:
        c = Console(program, home, "kafka://" + KAFKA, store)
        c.keys(b":tail e/%s --from beginning\r" % topic.encode())
        good = c.come(count) and c.inspect()
        c.keys(b":browse e/%s\r" % topic.encode())
        good = good and c.wait(b"Browse", b"END ") and c.inspect()
        c.keys(b"1")
        return 0 if c.stays_below(limit_kib) and good else 1


def above(program, topic, store, count, limit_kib):
    """A browse above a tail, where the store has room for one of the messages; back to the tail, and once more."""
    with tempfile.TemporaryDirectory() as home:
        c = Console(program, home, "kafka://" + KAFKA, store)
        c.keys(b":tail e/%s --from beginning\r" % topic.encode())
        good = c.wait(b"received %d" % count)
        for _ in range(2):
            c.keys(b":browse e/%s --from end-1\r" % topic.encode())
            good = good and c.wait(b"Browse", b"END ") and c.inspect()
            c.keys(b"q")
            good = good and c.wait(b"LIVE", b"received %d" % count)
        return 0 if c.stays_below(limit_kib) and good else 1


def management(method, path, body):
    url = "%s/api/%s" % (os.environ["SB_RABBIT_MGMT"], path)
    request = urllib.request.Request(url, method=method, data=body, headers={"content-type": "application/json"})
    manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    manager.add_password(None, url, os.environ["SB_RABBIT_USER"], os.environ["SB_RABBIT_PASSWORD"])
    urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(manager)).open(request).close()


def queue(program, name, limit_kib):
    """name: of an exchange and of the queue behind it, which both end with the test."""
    url = "rabbitmq://%s@%s/%%2f" % (os.environ["SB_RABBIT_USER"], os.environ["SB_RABBIT"])
    management("PUT", "queues/%2f/" + name, b'{"arguments":{"x-expires":600000}}')
    management("PUT", "exchanges/%2f/" + name, b'{"type":"fanout","auto_delete":true}')
    management("POST", "bindings/%%2f/e/%s/q/%s" % (name, name), b"{}")
    with tempfile.TemporaryDirectory() as home:
        path = os.path.join(home, "message.json")
        with open(path, "w", encoding="utf-8") as f:
            f.write('[%s"%s"]' % ("1," * 199980, "x" * 25300000))
        send = [program, "send", "%s/exchange:%s" % (url, name), path, "--execute"]
        c = Console(program, home, url, "64MiB", ", management: \"%s\"" % os.environ["SB_RABBIT_MGMT"])
        c.keys(b":tail e/exchange:%s\r" % name.encode())
        good = c.wait(b"LIVE")
        for _ in range(3):
            subprocess.run(send, stdout=subprocess.DEVNULL, check=True)
        good = good and c.come(3)
        c.keys(b"fi")
        good = good and c.wait(*TAKEN_APART)
        for _ in range(2):
            subprocess.run(send, stdout=subprocess.DEVNULL, check=True)
        good = good and c.wait(b"evicted")
        c.keys(b":browse e/queue:%s\r" % name.encode())
        good = good and c.wait(b"y look")
        c.keys(b"y")
        good = good and c.wait(b"Browse", b"json") and c.inspect()
        c.keys(b":browse e/queue:%s\r" % name.encode())
        good = good and c.wait(b"y look")
        c.keys(b"y")
        good = good and c.wait(b"Browse", b"json") and c.inspect()
        c.keys(b"1")
        return 0 if c.stays_below(limit_kib) and good else 1


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
    if what == "queue":
        return queue(*words[:-1], int(words[-1]))
    *words, count, limit = words
    return {"console": console, "above": above, "shell": shell}[what](*words, int(count), int(limit))


sys.exit(main())
