"""What the parts of the lab share: the folder, the ports, starting and stopping processes by pid, a little of two
wire protocols. Only the standard library."""
import contextlib
import os
import shlex
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LAB = os.path.join(ROOT, "build", "lab")
TLS = os.path.join(LAB, "tls")
# A test that starts a server again has a HOME of its own, and the lab's environment.
CACHE = os.environ.get("SB_LAB_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "signalbox-lab")
HOST = "127.0.0.1"
# Below 32768, where the kernel takes ports for outgoing connections from.
DEFAULT_BASE = 21600
SPAN = 40


class Absent(Exception):
    """A server that cannot be had on this machine: its tests are skipped, with this reason."""


class Failed(Exception):
    """A server that should have started and did not."""


def base():
    """The first port. A lab that runs keeps its ports, whatever the environment says."""
    with contextlib.suppress(OSError, ValueError):
        with open(os.path.join(LAB, "base"), encoding="ascii") as f:
            remembered = int(f.read())
        if any(running(name) for name in pid_names()):
            return remembered
    text = os.environ.get("LAB_PORT_BASE") or os.environ.get("SB_PORT_BASE") or str(DEFAULT_BASE)
    if not text.isdigit() or not 1024 <= int(text) <= 65535 - SPAN:
        raise Failed("LAB_PORT_BASE=%s: must be a port from 1024 to %d" % (text, 65535 - SPAN))
    return int(text)


def say(text):
    print("lab: " + text, flush=True)


def need(program, package):
    for folder in os.environ.get("PATH", "").split(":") + ["/usr/sbin", "/usr/lib/rabbitmq/bin"]:
        path = os.path.join(folder, program)
        if os.access(path, os.X_OK):
            return path
    raise Absent("no %s on this machine; run: apt-get install -y --no-install-recommends %s" % (program, package))


# ---------------------------------------------------------------------------- ports

def holder(port):
    """Who listens on a port, as words."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(table, encoding="ascii") as f:
            for line in f.readlines()[1:]:
                field = line.split()
                if field[3] == "0A" and int(field[1].rsplit(":", 1)[1], 16) == port:
                    inodes.add("socket:[%s]" % field[9])
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            for fd in os.listdir("/proc/%s/fd" % pid):
                if os.readlink("/proc/%s/fd/%s" % (pid, fd)) in inodes:
                    return "pid %s (%s)" % (pid, command_line(int(pid)).replace("\0", " ").strip()[:120])
    return "a process of another user" if inodes else "a connection that is just closing"


def must_be_free(ports):
    for port in ports:
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((HOST, port))
            except OSError as e:
                raise Failed("port %d is taken by %s; set LAB_PORT_BASE to another range of %d ports"
                             % (port, holder(port), SPAN)) from e


def answers(port, send, count, timeout=2.0, tls=False):
    """Sends bytes, gives the first COUNT bytes of the answer, or what came before the peer gave up."""
    data = b""
    with contextlib.suppress(OSError):
        with socket.create_connection((HOST, port), timeout) as s:
            s.settimeout(timeout)
            if tls:
                context = ssl.create_default_context(cafile=os.path.join(TLS, "ca.pem"))
                s = context.wrap_socket(s, server_hostname="localhost")
            s.sendall(send)
            while len(data) < count:
                more = s.recv(count - len(data))
                if not more:
                    break
                data += more
            s.close()
    return data


# ---------------------------------------------------------------------------- processes

def command_line(pid):
    with contextlib.suppress(OSError), open("/proc/%d/cmdline" % pid, "rb") as f:
        return f.read().decode("utf-8", "replace")
    return ""


def began(pid):
    """When a process started, in ticks since boot: with its pid, an identity. 0 when it is gone or a zombie."""
    with contextlib.suppress(OSError), open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as f:
        field = f.read().rsplit(")", 1)[1].split()
        return 0 if field[0] in "ZX" else int(field[19])
    return 0


def pid_file(name):
    return os.path.join(LAB, "pid", name)


def pid_names():
    with contextlib.suppress(OSError):
        return sorted(os.listdir(os.path.join(LAB, "pid")))
    return []


def running(name):
    """The pid of one of our processes, if it runs and is the one that we started; else 0."""
    with contextlib.suppress(OSError, ValueError):
        with open(pid_file(name), encoding="utf-8") as f:
            pid, ticks, marker = f.read().split("\n")[:3]
        if began(int(pid)) == int(ticks) and marker in command_line(int(pid)):
            return int(pid)
    return 0


def spawn(name, command, marker, env=None, cwd=None):
    """Starts a process of its own session; MARKER is a piece of its command line by which it is known again."""
    os.makedirs(os.path.join(LAB, "pid"), exist_ok=True)
    os.makedirs(os.path.join(LAB, "log"), exist_ok=True)
    with open(log(name), "ab") as out:
        p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env, cwd=cwd,
                             start_new_session=True)
    with open(pid_file(name), "w", encoding="utf-8") as f:
        f.write("%d\n%d\n%s\n" % (p.pid, began(p.pid), marker))
    return p


def log(name):
    return os.path.join(LAB, "log", name + ".log")


def wait_for(name, process, ready, limit):
    """Until READY() is true. The process may replace itself, but must not end."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if ready():
            return
        if process and process.poll() is not None:
            raise Failed("%s ended at once; its last words are in %s" % (name, log(name)))
        time.sleep(0.05)
    raise Failed("%s gave no answer within %d s; see %s" % (name, limit, log(name)))


def stop(name, limit=25, sig=signal.SIGTERM):
    """Ends one of our processes, with force after LIMIT seconds; true if there was one."""
    pid = running(name)
    if pid:
        os.kill(pid, sig)
        end = time.monotonic() + limit
        while running(name):
            if time.monotonic() > end:
                say("%s (pid %d) does not end, killing it" % (name, pid))
                os.kill(pid, signal.SIGKILL)
                end += 3600
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            time.sleep(0.02)
    with contextlib.suppress(OSError):
        os.remove(pid_file(name))
    return bool(pid)


# ---------------------------------------------------------------------------- env file

def write_env(values):
    path = os.path.join(LAB, "env")
    with open(path + ".new", "w", encoding="utf-8") as f:
        for key, value in values.items():
            f.write("%s=%s\n" % (key, shlex.quote(str(value))))
    os.rename(path + ".new", path)


# ---------------------------------------------------------------------------- a little Kafka

def kafka_request(port, key, version, body, timeout=15.0):
    """One request over PLAINTEXT, gives the body of the answer."""
    head = struct.pack(">hhih", key, version, 1, 3) + b"lab"
    with socket.create_connection((HOST, port), timeout) as s:
        s.settimeout(timeout)
        s.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
        f = s.makefile("rb")
        size = struct.unpack(">i", f.read(4))[0]
        return f.read(size)[4:]


def kafka_string(text):
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def kafka_up(port):
    """True once the broker's metadata (version 1, no topics) list a broker."""
    with contextlib.suppress(OSError, struct.error):
        answer = kafka_request(port, 3, 1, struct.pack(">i", 0), 2.0)
        return struct.unpack(">i", answer[:4])[0] > 0
    return False


def kafka_topic(port, name, partitions, configs=None):
    """CreateTopics, version 2; a topic that is there already is fine."""
    body = struct.pack(">i", 1) + kafka_string(name) + struct.pack(">ihi", partitions, 1, 0)
    configs = configs or {}
    body += struct.pack(">i", len(configs))
    for key, value in configs.items():
        body += kafka_string(key) + kafka_string(str(value))
    body += struct.pack(">ib", 15000, 0)
    answer = kafka_request(port, 19, 2, body, 20.0)
    at = 4 + 4
    length = struct.unpack(">h", answer[at:at + 2])[0]
    code = struct.unpack(">h", answer[at + 2 + length:at + 4 + length])[0]
    if code not in (0, 36):
        raise Failed("Kafka refuses to create the topic %s: error code %d" % (name, code))
    return code == 0


def main_guard(function):
    """Runs FUNCTION and turns our exceptions into one line and an exit code."""
    try:
        sys.exit(function())
    except Absent as e:
        print("lab: %s" % e, file=sys.stderr)
        sys.exit(77)
    except Failed as e:
        print("lab: %s" % e, file=sys.stderr)
        sys.exit(1)
