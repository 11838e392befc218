"""What the proofs of operations share: messages of every shape at a real source, and what is at each end afterwards, read by means of the
broker's (amqp.py, kcat) and not by signalbox. A row is what one message is, whole: Row(id, essence, lane); its order counts within its
lane. Two rows are the same message where ids are equal, and it arrived whole where essences are."""
import collections
import glob
import json
import os
import random
import struct
import subprocess
import time
import urllib.error
import urllib.request

import amqp

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("SIGNALBOX", os.path.join(ROOT, "build/signalbox"))
LAB = os.path.join(ROOT, "tests/lab/lab")
Row = collections.namedtuple("Row", "id essence lane")
STAMPS = b"x-signalbox-"
BROKERS = (b"x-death", b"x-first-death-", b"x-last-death-", b"x-delivery-count")      # headers that RabbitMQ puts on by itself


def run(*words, codes=(0,), **more):
    done = subprocess.run([PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **more)
    if done.returncode not in codes:
        raise SystemExit("signalbox %s: exit code %d, %s" % (" ".join(words), done.returncode, done.stderr.decode()))
    return done


def unique():
    return "%d-%d" % (os.getpid(), random.randrange(1 << 30))


# ---------------------------------------------------------------------------- RabbitMQ

def headers_of(n):
    """Each type that there is, a repeated name, null and empty, and the message's number, by which it is known again."""
    many = [(b"n", "int32", n), (b"tiny", "int8", -5), (b"octet", "uint8", 250), (b"short", "int16", -300), (b"ushort", "uint16", 65000),
            (b"uint", "uint32", 4000000000), (b"long", "int64", -(1 << 40)), (b"yes", "bool", True), (b"single", "float", 0.5),
            (b"double", "double", 0.1), (b"at", "timestamp", 1700000000), (b"price", "decimal", (2, 1999)), (b"text", "string", "ä €".encode()),
            (b"empty", "string", b""), (b"raw", "bytes", bytes(range(256))), (b"none", "void", None),
            (b"list", "array", (("int32", 1), ("string", b"two"), ("array", (("void", None),)))),
            (b"tree", "table", ((b"a", "int64", 1), (b"b", "table", ((b"c", "string", b"d"),)))),
            (b"twice", "string", b"first"), (b"twice", "int32", 2)]
    return many if n % 3 == 0 else many[:1] + many[n % 19 + 1:n % 19 + 3]


def sorted_message(n):
    """Its headers sorted by their names, as the broker sorts them where it adds some of its own."""
    properties, body = rabbit_message(n)
    return {**properties, "headers": sorted(properties["headers"], key=lambda h: h[0])}, body


def rabbit_message(n, size=200):
    """(properties, body)"""
    body = b"" if n % 50 == 7 else b"message %06d " % n + bytes((n + i) % 256 for i in range(n % size))
    properties = {"headers": headers_of(n), "delivery_mode": amqp.PERSISTENT}
    if n % 4 == 1:
        properties.update(content_type="application/octet-stream", content_encoding="x", correlation_id="c-%d" % n, reply_to="answers",
                          message_id="m-%d" % n, timestamp=1600000000 + n, type="t", app_id="witness", priority=n % 10)
    return properties, body


def essence_of(properties, body):
    headers = properties.get("headers", ())
    kept = tuple(h for h in headers if not h[0].startswith((STAMPS, *BROKERS)))
    rest = tuple(sorted((name, value) for name, value in properties.items() if name != "headers"))
    return kept, rest, bytes(body)


def number_in(headers):
    for name, _, value in headers:
        if name == b"n":
            return int(value)
    return -1


def rabbit_row(properties, body):
    return Row(number_in(properties.get("headers", ())), essence_of(properties, body), 0)


class Rabbit:
    def __init__(self):
        self.user, self.password = os.environ["SB_RABBIT_USER"], os.environ["SB_RABBIT_PASSWORD"]
        self.at = os.environ["SB_RABBIT"]
        os.environ["SIGNALBOX_PASSWORD"] = self.password
        self.line, self.queues = None, []

    def call(self, method, path, body=None):
        """The management API."""
        url = "%s/api/%s" % (os.environ["SB_RABBIT_MGMT"], path)
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, method=method, data=data, headers={"content-type": "application/json"})
        manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        manager.add_password(None, url, self.user, self.password)
        with urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(manager)).open(request, timeout=amqp.PATIENCE) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def queue(self, name, queue_type, **arguments):
        self.call("PUT", "queues/%2f/" + name, {"durable": True, "arguments": dict(arguments, **{"x-queue-type": queue_type})})
        self.queues.append(name)
        return name

    def address(self, name, at=None):
        return "rabbitmq://%s@%s/%%2f/%s?management=%s" % (self.user, at or self.at, name, os.environ["SB_RABBIT_MGMT"])

    def connected(self):
        if not self.line:
            self.line = amqp.Line(self.at, self.user, self.password)
        return self.line

    def fill(self, name, count, message=rabbit_message):
        """Its rows."""
        messages = [message(n) for n in range(count)]
        self.connected().publish(name, messages)
        return [rabbit_row({**p, "headers": tuple(p["headers"])}, b) for p, b in messages]

    def drain(self, name, expected=0):
        return [rabbit_row(p, b) for _, p, b in self.connected().take_all(name, expected)]

    def forget(self):
        """The broker was restarted."""
        if self.line:
            self.line.close()
        self.line = None

    def end(self):
        for name in self.queues:
            try:
                self.call("DELETE", "queues/%2f/" + name)
            except (urllib.error.URLError, OSError):
                pass


# ---------------------------------------------------------------------------- Kafka

class Kafka:
    FORMAT = "%p|%o|%T|%K|%S|%k%s%h\\n"

    def __init__(self):
        self.at = os.environ["SB_KAFKA"]

    def topic(self, name, partitions=3):
        subprocess.run([LAB, "topic", name, str(partitions)], check=True, stdout=subprocess.DEVNULL)
        return name

    def address(self, name, at=None):
        return "kafka://%s/%s" % (at or self.at, name)

    def ends(self, name, partitions=3):
        """The next offset of each partition."""
        words = [w for p in range(partitions) for w in ("-t", "%s:%d:-1" % (name, p))]
        for last in (False, False, True):            # a topic that was just made has no leader yet
            done = subprocess.run(["kcat", "-Q", "-b", self.at, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=last)
            if not done.returncode:
                break
            time.sleep(0.5)
        found = [0] * partitions
        for line in done.stdout.decode().splitlines():                # NAME [0] offset 12
            partition, _, offset = line.rpartition("[")[2].replace("]", "").split()
            found[int(partition)] = int(offset)
        return found

    def rows(self, name, since=None, partitions=3):
        """What is committed; since: from those offsets on. Partition by partition."""
        found = []
        for p in range(partitions):
            out = subprocess.run(["kcat", "-C", "-b", self.at, "-t", name, "-p", str(p), "-o", str(since[p]) if since else "beginning",
                                  "-e", "-q", "-X", "isolation.level=read_committed", "-f", self.FORMAT], stdout=subprocess.PIPE,
                                 check=True).stdout
            found += kafka_rows(out)
        return found


def kafka_rows(out):
    """Rows of Kafka.FORMAT. Headers come last and have no line's end in them."""
    at, rows = 0, []
    while at < len(out):
        fields = out[at:at + 100].split(b"|", 5)[:5]
        at += sum(len(f) + 1 for f in fields)
        partition, _, time, key_size, size = (int(f) for f in fields)
        key = out[at:at + max(key_size, 0)] if key_size >= 0 else None
        at += max(key_size, 0)
        value = out[at:at + max(size, 0)] if size >= 0 else None
        at += max(size, 0)
        end = out.index(b"\n", at)
        headers = b",".join(h for h in out[at:end].split(b",") if not h.startswith((STAMPS, *BROKERS)))
        at = end + 1
        numbers = [h[2:] for h in headers.split(b",") if h.startswith(b"n=")]
        rows.append(Row(int(numbers[0]) if numbers else -1, (partition, time, key, value, headers), partition))
    return rows


def kafka_lines(count, path, headers=()):
    """A file for `import`: null and empty keys and payloads, repeated headers, bytes of all kinds."""
    with open(path, "w", encoding="utf-8") as f:
        for n in range(count):
            partition = n * 3 // count
            own = [{"name": "n", "type": "bytes", "value": {"text": "%d" % n}}, *headers]
            if n % 3 == 0:
                own += [{"name": "twice", "type": "bytes", "value": {"text": "a"}}, {"name": "twice", "type": "bytes", "value": {"text": ""}},
                        {"name": "null", "type": "bytes", "value": None}]
            row = {"payload": {"text": "message %06d %s" % (n, "x" * (n % 200))}, "headers": own, "properties": {"partition": partition},
                   "key": {"text": "key %d" % (n % 40)}}
            if n % 50 == 7:
                row["payload"] = None
            elif n % 50 == 8:
                row["payload"] = {"text": ""}
            if n % 20 == 3:
                row["key"] = None
            elif n % 20 == 4:
                row["key"] = {"text": ""}
            f.write(json.dumps(row) + "\n")


# ---------------------------------------------------------------------------- archives

WIRE = ("void", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float", "double", "decimal",
        "timestamp", "string", "bytes", "array", "table")


class Cursor:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def number(self, form):
        value = struct.unpack_from("<" + form, self.data, self.at)[0]
        self.at += struct.calcsize("<" + form)
        return value

    def text(self):
        size = self.number("I")
        if size == 0xffffffff:
            return None
        self.at += size
        return bytes(self.data[self.at - size:self.at])

    def value(self):
        kind = WIRE[self.number("B")]
        if kind == "void":
            return kind, None
        if kind == "bool":
            return kind, bool(self.number("B"))
        if kind in ("float", "double"):
            return kind, self.number("d")
        if kind == "decimal":
            return kind, (self.number("B"), self.number("i"))
        if kind in ("string", "bytes"):
            return kind, self.text()
        if kind == "array":
            return kind, tuple(v[1:] for v in self.list())
        if kind == "table":
            return kind, self.list()
        return kind, self.number("q" if kind.startswith("int") else "Q")

    def list(self):
        count = self.number("I")
        if count == 0xffffffff:
            return ()
        return tuple((self.text(), *self.value()) for _ in range(count))


def archive_rows(path, kafka=False):
    """What src/engine/archive.h says of the format, read anew."""
    with open(path, "rb") as f:
        c = Cursor(f.read())
    c.at = len(b"signalbox.archive/1\n")
    header = c.number("I")
    c.at += header
    rows = []
    while c.data[c.at:c.at + 1] == b"M":
        c.at += 5
        c.number("B")
        partition = c.number("i")
        c.number("q")
        time = c.number("q")
        c.number("q"), c.number("I"), c.text()
        key, body, headers, properties = c.text(), c.text(), c.list(), c.list()
        if kafka:
            text = b",".join(name + b"=" + (b"NULL" if value is None else value) for name, _, value in headers
                             if not name.startswith(STAMPS))
            rows.append(Row(number_in(headers), (partition, time // 1000000, key, body, text), partition))
            continue
        own = {"headers": headers}
        for name, _, value in properties:
            if name.decode() in amqp.PROPERTIES:
                own[name.decode()] = value.decode() if isinstance(value, bytes) else value
        rows.append(rabbit_row(own, body))
    assert c.data[c.at:c.at + 1] == b"E", "the archive %s has no end" % path
    assert struct.unpack_from("<Q", c.data, c.at + 1)[0] == len(rows), "the archive %s counts wrongly" % path
    return rows


def archived(kafka=False):
    """Of all archives in the state directory, in the order of their names; no unfinished one may be there."""
    folder = os.path.join(os.environ["XDG_STATE_HOME"], "signalbox/archives")
    left = glob.glob(folder + "/*.part")
    if left:
        raise SystemExit("an unfinished archive is left: %s" % left)
    return [row for path in sorted(glob.glob(folder + "/*.sba")) for row in archive_rows(path, kafka)]
