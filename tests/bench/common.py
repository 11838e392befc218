"""What the benchmarks share: whole-process figures, medians, ratios, and the lab's variables."""
import os
import resource
import statistics
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SIGNALBOX = os.path.join(ROOT, "build", "signalbox")
RUNS = int(os.environ.get("BENCH_RUNS", "3"))


def lab_env():
    env = {}
    with open(os.path.join(ROOT, "build", "lab", "env")) as lines:
        for line in lines:
            name, _, value = line.rstrip("\n").partition("=")
            env[name] = value.strip("'\"")
    return env


def start_lab(*parts, **extra):
    subprocess.run([os.path.join(ROOT, "tests", "lab", "lab"), "start", *parts], check=True, env={**os.environ, **extra},
                   stdout=subprocess.DEVNULL)
    return lab_env()


class Figure:
    """One command, run several times: wall and processor seconds, the largest process's peak memory."""

    def __init__(self, name, command):
        self.name, self.command = name, command
        self.wall, self.cpu, self.rss = [], [], 0

    def run(self):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.monotonic()
        done = subprocess.run(["/bin/sh", "-c", self.command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE)
        self.wall.append(time.monotonic() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if done.returncode not in (0, 4):
            print("  %s: exit code %d: %s" % (self.name, done.returncode, done.stderr.decode(errors="replace")[-300:]))

    def show(self):
        print("  %-34s wall %6.2f s (%.2f to %.2f)   processor %6.2f s" % (
            self.name, statistics.median(self.wall), min(self.wall), max(self.wall), statistics.median(self.cpu)))


def race(title, ours, peer):
    """Runs both in turn, so that a drifting machine hits both; the ratio is pair by pair."""
    a, b = Figure(*ours), Figure(*peer)
    print(" ", title)
    for _ in range(RUNS):
        a.run()
        b.run()
    a.show()
    b.show()
    ratios = sorted(y / x for x, y in zip(a.wall, b.wall))
    print("  %-34s %.2f times as fast (%.2f to %.2f)" % ("ratio", statistics.median(ratios), ratios[0], ratios[-1]))
