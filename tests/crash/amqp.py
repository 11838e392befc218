"""As much of AMQP 0-9-1 as a witness needs: publishes with confirms, takes all that a queue has, and reads header tables with the types
that they have on the wire. It shares no code with signalbox. (https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf; the letters of
types are RabbitMQ's, https://www.rabbitmq.com/amqp-0-9-1-errata#section_3)"""
import collections
import socket
import struct

PROPERTIES = ("content_type", "content_encoding", "headers", "delivery_mode", "priority", "correlation_id", "reply_to",
              "expiration", "message_id", "timestamp", "type", "user_id", "app_id", "cluster_id")
NUMBERS = {"b": ("int8", "b"), "B": ("uint8", "B"), "s": ("int16", ">h"), "u": ("uint16", ">H"), "I": ("int32", ">i"),
           "i": ("uint32", ">I"), "l": ("int64", ">q"), "f": ("float", ">f"), "d": ("double", ">d"), "T": ("timestamp", ">Q"),
           "t": ("bool", "?")}
LETTERS = {name: (letter, form) for letter, (name, form) in NUMBERS.items()}
PERSISTENT = 2
PATIENCE = 120           # seconds; a classic queue that takes back many is deaf meanwhile


# ---------------------------------------------------------------------------- values: (type, value)

def write_value(kind, value):
    if kind in LETTERS:
        letter, form = LETTERS[kind]
        return letter.encode() + struct.pack(form, value)
    if kind == "decimal":
        return b"D" + struct.pack(">Bi", *value)
    if kind in ("string", "bytes"):
        return (b"S" if kind == "string" else b"x") + struct.pack(">I", len(value)) + value
    if kind == "void":
        return b"V"
    if kind == "array":
        data = b"".join(write_value(*v) for v in value)
        return b"A" + struct.pack(">I", len(data)) + data
    return b"F" + write_table(value)


def write_table(items):
    data = b"".join(struct.pack("B", len(name)) + name + write_value(kind, value) for name, kind, value in items)
    return struct.pack(">I", len(data)) + data


def read_value(data, at):
    letter = chr(data[at])
    at += 1
    if letter in NUMBERS:
        kind, form = NUMBERS[letter]
        return (kind, struct.unpack_from(form, data, at)[0]), at + struct.calcsize(form)
    if letter == "D":
        return ("decimal", struct.unpack_from(">Bi", data, at)), at + 5
    if letter == "V":
        return ("void", None), at
    size = struct.unpack_from(">I", data, at)[0]
    at += 4
    if letter in "Sx":
        return ("string" if letter == "S" else "bytes", data[at:at + size]), at + size
    if letter == "A":
        items, end = [], at + size
        while at < end:
            item, at = read_value(data, at)
            items.append(item)
        return ("array", tuple(items)), end
    assert letter == "F", letter
    return ("table", read_table(data, at - 4)[0]), at + size


def read_table(data, at):
    size = struct.unpack_from(">I", data, at)[0]
    at += 4
    items, end = [], at + size
    while at < end:
        length = data[at]
        name = data[at + 1:at + 1 + length]
        (kind, value), at = read_value(data, at + 1 + length)
        items.append((name, kind, value))
    return tuple(items), end


def short(text):
    data = text.encode()
    return struct.pack("B", len(data)) + data


def write_properties(properties):
    """A dict; headers: a list of (name, type, value)."""
    flags, data = 0, b""
    for i, name in enumerate(PROPERTIES):
        if name not in properties:
            continue
        value = properties[name]
        flags |= 1 << (15 - i)
        if name == "headers":
            data += write_table(value)
        elif name in ("delivery_mode", "priority"):
            data += struct.pack("B", value)
        elif name == "timestamp":
            data += struct.pack(">Q", value)
        else:
            data += short(value)
    return struct.pack(">H", flags) + data


def read_properties(data):
    flags, at, properties = struct.unpack_from(">H", data)[0], 2, {}
    for i, name in enumerate(PROPERTIES):
        if not flags >> (15 - i) & 1:
            continue
        if name == "headers":
            properties[name], at = read_table(data, at)
        elif name in ("delivery_mode", "priority"):
            properties[name] = data[at]
            at += 1
        elif name == "timestamp":
            properties[name] = struct.unpack_from(">Q", data, at)[0]
            at += 8
        else:
            length = data[at]
            properties[name] = data[at + 1:at + 1 + length].decode()
            at += 1 + length
    return properties


# ---------------------------------------------------------------------------- a connection with one channel

class Quiet(Exception):
    """Nothing came for a while."""


class Line:
    def __init__(self, address, user, password, vhost="/"):
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), PATIENCE)
        self.data, self.at, self.kept = b"", 0, collections.deque()
        self.frame_max, self.tag, self.confirmed, self.refused = 131072, 0, 0, 0
        self.socket.sendall(b"AMQP\0\0\x09\x01")
        self.expect(10, 10)
        self.send(10, 11, struct.pack(">I", 0) + short("PLAIN") +
                  struct.pack(">I", len(user) + len(password) + 2) + ("\0%s\0%s" % (user, password)).encode() + short("en_US"), 0)
        self.expect(10, 30)
        self.send(10, 31, struct.pack(">HIH", 16, self.frame_max, 0), 0)
        self.send(10, 40, short(vhost) + short("") + b"\0", 0)
        self.expect(10, 41)
        self.send(20, 10, short(""))
        self.expect(20, 11)
        self.send(85, 10, b"\0")                    # confirm.select
        self.expect(85, 11)

    def close(self):
        self.socket.close()

    def send(self, class_id, method, arguments, channel=1):
        self.socket.sendall(self.frame(1, struct.pack(">HH", class_id, method) + arguments, channel))

    @staticmethod
    def frame(kind, payload, channel=1):
        return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"

    def need(self, size):
        """That many bytes are at hand."""
        while len(self.data) - self.at < size:
            try:
                more = self.socket.recv(1 << 20)
            except socket.timeout as e:
                raise Quiet from e
            if not more:
                raise EOFError("the broker hung up")
            self.data = self.data[self.at:] + more
            self.at = 0

    def next(self):
        """The next frame: kind, payload."""
        if self.kept:
            return self.kept.popleft()
        return self.read()

    def read(self):
        self.need(7)
        kind, _, size = struct.unpack_from(">BHI", self.data, self.at)
        self.need(size + 8)
        self.at += size + 8
        return kind, self.data[self.at - size - 1:self.at - 1]

    def expect(self, class_id, method):
        """Its arguments. Deliveries that come before it are kept."""
        while True:
            kind, payload = self.read()
            got = struct.unpack_from(">HH", payload) if kind == 1 else None
            if got == (class_id, method):
                return payload[4:]
            if kind in (2, 3) or got == (60, 60):
                self.kept.append((kind, payload))
            elif kind == 1:
                self.other(got, payload)

    def other(self, got, payload):
        if got == (60, 80):                         # basic.ack
            self.confirmed = max(self.confirmed, struct.unpack_from(">Q", payload, 4)[0])
        elif got == (60, 120):                      # basic.nack
            self.refused += 1
            self.confirmed = max(self.confirmed, struct.unpack_from(">Q", payload, 4)[0])
        elif got in ((20, 40), (10, 50)):           # channel.close, connection.close
            raise EOFError("the broker says: %r" % payload[6:])

    # ---- what a witness does

    def count(self, queue):
        """Messages that are ready."""
        self.send(50, 10, struct.pack(">H", 0) + short(queue) + b"\x01" + struct.pack(">I", 0))
        payload = self.expect(50, 11)
        return struct.unpack_from(">I", payload, 1 + payload[0])[0]

    def publish(self, queue, messages, exchange=""):
        """Each is (properties, body); returns once the broker has confirmed all of them."""
        method = struct.pack(">HHH", 60, 40, 0) + short(exchange) + short(queue) + b"\0"
        start = self.frame(1, method)
        for i in range(0, len(messages), 500):
            parts = []
            for properties, body in messages[i:i + 500]:
                parts.append(start + self.frame(2, struct.pack(">HHQ", 60, 0, len(body)) + write_properties(properties)))
                parts += [self.frame(3, body[k:k + self.frame_max - 8]) for k in range(0, len(body), self.frame_max - 8)]
                self.tag += 1
            self.socket.sendall(b"".join(parts))
            while self.confirmed < self.tag:
                kind, payload = self.next()
                if kind == 1:
                    self.other(struct.unpack_from(">HH", payload), payload)

    def consume(self, queue, no_ack=True):
        self.send(60, 20, struct.pack(">H", 0) + short(queue) + short("witness") + (b"\x02" if no_ack else b"\0") +
                  struct.pack(">I", 0))
        self.expect(60, 21)

    def cancel(self):
        self.send(60, 30, short("witness") + b"\0")
        self.expect(60, 31)

    def deliveries(self, quiet):
        """(redelivered, properties, body), until nothing has come for so many seconds."""
        self.socket.settimeout(quiet)
        try:
            while True:
                try:
                    kind, payload = self.next()
                except Quiet:
                    return
                if kind != 1 or struct.unpack_from(">HH", payload) != (60, 60):
                    if kind == 1:
                        self.other(struct.unpack_from(">HH", payload), payload)
                    continue
                self.socket.settimeout(PATIENCE)
                at = 4 + 1 + payload[4]
                self.delivery = struct.unpack_from(">Q", payload, at)[0]
                redelivered = bool(payload[at + 8])
                _, head = self.next()
                size, body = struct.unpack_from(">Q", head, 4)[0], b""
                while len(body) < size:
                    body += self.next()[1]
                self.socket.settimeout(quiet)
                yield redelivered, read_properties(head[12:]), body
        finally:
            self.socket.settimeout(PATIENCE)

    def take_all(self, queue, expected=0):
        """All that is there, in its order: it is gone then. Of a quorum queue none is ready any more while many are still on their way to
        us; where fewer than expected have come, they are waited for."""
        found = []
        self.consume(queue)
        while True:
            found += self.deliveries(0.1)
            if self.count(queue) == 0 and (len(found) >= expected or not self.more(found, 0.5)):
                break
        self.cancel()
        self.more(found, 0.05)
        return found

    def more(self, found, quiet):
        before = len(found)
        found += self.deliveries(quiet)
        return len(found) > before

    def reject_all(self, queue, count):
        """Takes so many and rejects them: they become dead letters."""
        self.consume(queue, no_ack=False)
        for n, _ in enumerate(self.deliveries(20), 1):
            if n == count or n % 1000 == 0:          # a quorum queue gives 2,000 at most
                self.send(60, 120, struct.pack(">Q", self.delivery) + b"\x01")      # basic.nack, multiple, without requeue
            if n == count:
                break
        self.cancel()
