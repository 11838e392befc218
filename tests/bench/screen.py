#!/usr/bin/env python3
"""The console in a pseudo-terminal: time to the first frame with every endpoint black-holed (against tig), bytes written
when idle and under load, memory while a tail runs without end."""
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time

import common

RUNS = 15


class Terminal:
    def __init__(self, argv, rows=40, columns=120, **env):
        self.start = time.monotonic()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.environ.update({"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **env})
            os.execvp(argv[0], argv)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_until(self, deadline, enough=None):
        got = b""
        while time.monotonic() < deadline:
            if not select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
                break
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                break
            got += data
            if enough and enough(got):
                break
        return got

    def rss_kib(self):
        with open("/proc/%d/status" % self.pid) as lines:
            return next((int(l.split()[1]) for l in lines if l.startswith("VmRSS")), 0)

    def wakeups(self):
        """Voluntary context switches of each thread by name."""
        seen = {}
        for tid in os.listdir("/proc/%d/task" % self.pid):
            with open("/proc/%d/task/%s/status" % (self.pid, tid)) as lines:
                fields = dict(l.split(":", 1) for l in lines)
            name = fields["Name"].strip()
            seen[name] = seen.get(name, 0) + int(fields["voluntary_ctxt_switches"])
        return seen

    def end(self):
        os.kill(self.pid, signal.SIGTERM)
        self.read_until(time.monotonic() + 0.2)
        for _ in range(100):
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                break
            self.read_until(time.monotonic() + 0.05)
        else:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


def first_frame(argv, mark, **env):
    times = []
    for _ in range(RUNS):
        t = Terminal(argv, **env)
        got = t.read_until(t.start + 5, lambda got: mark in got)
        times.append((time.monotonic() - t.start) * 1000)
        t.end()
        if mark not in got:
            sys.exit("%s: no first frame (is it installed? scripts/deps bench)" % argv[0])
    return times


def show(name, times):
    print("  %-44s median %5.1f ms (%.1f to %.1f)" % (name, statistics.median(times), min(times), max(times)))


def frames():
    with tempfile.TemporaryDirectory() as home:
        # Ports that nothing listens on: what is measured is that no connection is waited for.
        path = os.path.join(home, "c.yaml")
        with open(path, "w") as f:
            f.write("endpoints:\n")
            for i in range(1, 6):
                f.write('  k%d: {url: "kafka://127.0.0.1:%d"}\n  r%d: {url: "rabbitmq://127.0.0.1:%d"}\n' % (i, i, i, i + 10))
        ours = first_frame([common.SIGNALBOX, "--config", path], b"signalbox", HOME=home)
        repo = os.path.join(home, "repo")
        subprocess.run("git init -q %s && cd %s && git -c user.name=b -c user.email=b@b commit -q --allow-empty -m one" % (repo, repo),
                       shell=True, check=True)
        os.chdir(repo)
        peer = first_frame(["tig"], b"one", HOME=home)
        os.chdir(common.ROOT)
    show("first frame, ten endpoints unreachable", ours)
    show("first frame of tig", peer)
    print("  %-44s %.2f of tig's" % ("ratio of the medians", statistics.median(ours) / statistics.median(peer)))


def traffic(name, argv, keys, seconds, settle=3.0):
    t = Terminal(argv)
    t.read_until(t.start + 1.5)
    os.write(t.fd, keys)
    t.read_until(time.monotonic() + settle)
    before = t.wakeups()
    got = t.read_until(time.monotonic() + seconds)
    after = t.wakeups()
    rss = t.rss_kib()
    t.end()
    wakes = ", ".join("%s %.1f" % (n, (after[n] - before.get(n, 0)) / seconds) for n in sorted(after))
    print("  %-44s %8.0f bytes/s   RSS %5.1f MiB   wake-ups/s: %s" % (name, len(got) / seconds, rss / 1024, wakes))


def main():
    frames()
    traffic("idle, nothing configured", [common.SIGNALBOX, "--config", "/dev/null"], b"", 10)
    traffic("demo, dashboard", [common.SIGNALBOX, "--demo"], b"", 10)
    env = common.start_lab("kafka")
    topic = os.environ.get("BENCH_TOPIC", "bench-%s" % os.environ.get("BENCH_MESSAGES", "1000000"))
    traffic("idle on a real Kafka, dashboard", [common.SIGNALBOX, "kafka://%s" % env["SB_KAFKA"]], b"1", 10)
    subprocess.run([os.path.join(common.ROOT, "tests", "lab", "lab"), "topic", "bench-load", "4"], stdout=subprocess.DEVNULL)
    feeder = subprocess.Popen("while :; do kcat -b %s -C -t %s -o beginning -e -q -c 100000 | kcat -b %s -P -t bench-load; done"
                              % (env["SB_KAFKA"], topic, env["SB_KAFKA"]), shell=True, start_new_session=True,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        load = "kafka://%s/bench-load" % env["SB_KAFKA"]
        traffic("tail under load (local)", [common.SIGNALBOX, load], b"2", 20)
    finally:
        os.killpg(feeder.pid, signal.SIGKILL)


if not os.access(common.SIGNALBOX, os.X_OK):
    sys.exit("build/signalbox is not built")
main()
