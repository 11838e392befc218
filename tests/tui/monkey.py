"""Keys at random, pastes, broken bytes and new sizes against the console on a pseudo-terminal of its own: whatever comes, it neither
dies nor hangs, and SIGTERM ends it. Usage: monkey.py SEED SECONDS PROGRAM [ARGUMENT...]; prints the seed and what happened."""
import fcntl
import os
import pty
import random
import select
import signal
import struct
import sys
import termios
import time

KEYS = [k.encode("latin-1") for k in list("jkGgtby n/\\:123?ipfrvx[]hldwcsz-}{")] + [
    b"\r", b"\t", b"\x1b", b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D", b"\x1b[5~", b"\x1b[6~", b"\x1b[1;5C", b"\x1bOP",
    b"\x0c", b"\x7f", b"\x15", b"\x17", b"\x01", b"\x05", b"\x06", b"\x02", b"\x04", b"\x1b[200~", b"\x1b[201~",
    "é".encode(), "日".encode(), b"\xff", b"\x00"]
WORDS = [b":tail ", b":browse ", b"/orders\r", b"\\body.id>5\r", b"\\\"\r", b":filter size>1\r", b":theme mono\r",
         b":theme dark\r", b":log\r", b":help\r", b":refresh\r", b"/id\r", b":tail demo-kafka/orders --from end-9\r"]
SIZES = [(5, 3), (10, 10), (16, 60), (20, 40), (24, 80), (24, 80), (40, 120), (60, 200)]
PAUSES = [0, 0, 0.001, 0.004, 0.02, 0.1]
LATEST = 20  # seconds that leaving may take, also under a sanitizer


def resize(fd):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", *random.choice(SIZES), 0, 0))


def drain(fd, seconds):
    """Reads what the program draws; it would wait for a terminal that takes nothing."""
    end = time.monotonic() + seconds
    while True:
        ready = select.select([fd], [], [], max(0, end - time.monotonic()))[0]
        if not ready:
            return
        try:
            if not os.read(fd, 65536):
                return
        except OSError:
            return
        if time.monotonic() >= end:
            return


def ended(pid):
    done, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def main():
    seed, seconds, argv = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    random.seed(seed)
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execvp(argv[0], argv)
    sent, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        if random.random() < 0.02:
            resize(fd)
        os.write(fd, random.choice(WORDS if random.random() < 0.05 else KEYS))
        sent += 1
        drain(fd, random.choice(PAUSES))
        code = ended(pid)
        if code is not None:
            print("seed %d: ended with %d after %d keys" % (seed, code, sent))
            return 1
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + LATEST
    while time.monotonic() < end:
        drain(fd, 0.05)
        code = ended(pid)
        if code is not None:
            print("seed %d: %d keys, ended with %d on SIGTERM" % (seed, sent, code))
            return 0 if code == 143 else 1
    os.kill(pid, signal.SIGKILL)
    print("seed %d: does not end" % seed)
    return 1


sys.exit(main())
