#!/usr/bin/env python3
"""The console in a pseudo-terminal: time to the first frame with every endpoint black-holed (against tig), bytes written
when idle and under load, memory while a tail runs without end."""
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import common

sys.path.insert(0, os.path.join(common.ROOT, "tests", "tui"))
from terminal import BlackHoles, Terminal  # noqa: E402

RUNS = 15


def first_frame(argv, mark, **env):
    """Milliseconds."""
    t = Terminal(argv, **env)
    got = t.read_until(t.start + 5, lambda got: mark in got)
    ms = (time.monotonic() - t.start) * 1000
    t.end()
    if mark not in got:
        sys.exit("%s: no first frame (is it installed? scripts/deps bench)" % argv[0])
    return ms


def show(name, times):
    print("  %-44s median %5.1f ms (%.1f to %.1f)" % (name, statistics.median(times), min(times), max(times)))


def frames():
    """Both in turn, so that a drifting machine hits both."""
    ours, peer = [], []
    with tempfile.TemporaryDirectory() as home:
        holes = BlackHoles(10)
        path, repo = os.path.join(home, "holes.yaml"), os.path.join(home, "repo")
        holes.write_config(path)
        subprocess.run("git init -q %s && cd %s && git -c user.name=b -c user.email=b@b commit -q --allow-empty -m one" % (repo, repo),
                       shell=True, check=True)
        for _ in range(RUNS):
            ours.append(first_frame([common.SIGNALBOX, "--config", path], b"signalbox", HOME=home))
            peer.append(first_frame(["tig", "-C", repo], b"one", HOME=home))
    show("first frame, 10 brokers, 10 probes black-holed", ours)
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
    topic = os.environ.get("BENCH_TOPIC", "bench1k-%s" % os.environ.get("BENCH_MESSAGES", "1000000"))
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
