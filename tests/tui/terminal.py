"""What the tests and benchmarks of the console in Python share: a pseudo-terminal without an emulator behind it, the moments at which
bytes come out of it, what the kernel tells of the program, and endpoints that swallow what they are asked."""
import fcntl
import os
import pty
import select
import signal
import socket
import struct
import termios
import time

SLOW = max(1.0, float(os.environ.get("SB_SLOW", "1")))


class Terminal:
    def __init__(self, argv, rows=40, columns=120, **env):
        self.start = time.monotonic()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            for name in ("TMUX", "STY", "SSH_TTY", "SSH_CONNECTION"):
                os.environ.pop(name, None)
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

    def waiting(self):
        """Bytes that were written and not yet read; the kernel tells of 4095 at most."""
        return struct.unpack("i", fcntl.ioctl(self.fd, termios.FIONREAD, b"\0" * 4))[0]

    def status(self, task=""):
        with open("/proc/%d/%sstatus" % (self.pid, task)) as lines:
            return dict((name, value.strip()) for name, value in (line.split(":", 1) for line in lines))

    def rss_kib(self):
        return int(self.status()["VmRSS"].split()[0])

    def peak_kib(self):
        return int(self.status()["VmHWM"].split()[0])

    def threads(self):
        return os.listdir("/proc/%d/task" % self.pid)

    def sockets(self):
        where = "/proc/%d/fd" % self.pid
        return [fd for fd in os.listdir(where) if os.readlink(os.path.join(where, fd)).startswith("socket:")]

    def wakeups(self):
        """Voluntary context switches of each thread by name."""
        seen = {}
        for tid in self.threads():
            fields = self.status("task/%s/" % tid)
            seen[fields["Name"]] = seen.get(fields["Name"], 0) + int(fields["voluntary_ctxt_switches"])
        return seen

    def own_wakeups(self):
        """Those of the thread that draws."""
        return int(self.status("task/%d/" % self.pid)["voluntary_ctxt_switches"])

    def end(self):
        """SIGTERM; the exit code, None where that did not help."""
        os.kill(self.pid, signal.SIGTERM)
        limit, code = time.monotonic() + 10 * SLOW, None
        while time.monotonic() < limit and code is None:
            self.read_until(time.monotonic() + 0.05)
            done, status = os.waitpid(self.pid, os.WNOHANG)
            code = os.waitstatus_to_exitcode(status) if done else None
        if code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)
        return code


class BlackHoles:
    """Ports of loopback: one half takes connections and says nothing, the other never answers the first packet."""

    def __init__(self, count):
        self.sockets, self.ports = [], []
        for i in range(count):
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            listener.listen(0 if i % 2 else 128)
            self.sockets.append(listener)
            self.ports.append(listener.getsockname()[1])
            for _ in range(4 if i % 2 else 0):  # more than its queue holds
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex(listener.getsockname())
                self.sockets.append(filler)

    def write_config(self, path, extra=""):
        """Brokers and probes in turn behind these ports."""
        with open(path, "w", encoding="utf-8") as f:
            f.write("endpoints:\n")
            for i, port in enumerate(self.ports):
                f.write('  e%d: {url: "%s://127.0.0.1:%d"}\n' % (i, "rabbitmq" if i // 2 % 2 else "kafka", port))
            f.write("probes:\n")
            for i, port in enumerate(self.ports):
                f.write('  p%d: {url: "%s://127.0.0.1:%d"}\n' % (i, "http" if i // 2 % 2 else "tcp", port))
            f.write(extra)
