#!/usr/bin/env python3
"""tests/lab/traffic.py [--rate N] [--seconds S] [--poison PERCENT] : a steady mix of messages for the lab's servers,
until interrupted.

Kafka     topics orders (4 partitions), payments (2) and inventory (compacted, with tombstones), with keys and headers;
          groups billing (keeps up with payments) and slow-reports (read orders once, lags behind since)
RabbitMQ  topic exchange orders -> queues orders.new, orders.eu, orders.audit (quorum), orders.log (stream);
          orders.new expires and rejects into orders.dlx -> orders.dlq, which therefore fills with dead letters;
          a consumer eats orders.eu
Some messages are poison: cut JSON, binary, bad UTF-8, terminal escapes, repeated keys, numbers beyond 64 bits, deep
nesting, an empty payload. Queues and topics are bounded, so that nothing fills the disk. --rate is orders a second
and server (20), each with a payment now and then, --poison the share of those (3)."""
import argparse
import base64
import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common       # noqa: E402

POISON = [
    b'{"id":"o-1","total":12.5,"items":[{"sku":"A-',
    b"\x00\x01\x02\xff\xfe\x80binary\x7f\x1f\x8b\x08\x00",
    b'{"id":"o-2","note":"caf\xe9 \xc3\x28 \xf0\x9f"}',
    b'{"id":"o-3","note":"\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b[0m \xe2\x80\xaetxt.exe"}',
    b'{"id":"o-4","total":1,"total":2,"id":"o-5"}',
    b'{"id":9007199254740993,"big":123456789012345678901234567890,"exact":0.10000000000000000000000001,"e":1e400}',
    b"[" * 300 + b"]" * 300,
    b"",
    b"<order><id>7</id>",
    b'"just a string"',
]
CITIES = ["Aarhus", "Bergen", "Zürich", "東京", "São Paulo", "Kraków"]
ENOUGH = 40         # messages, so that each partition of orders has some
REGIONS = ["eu", "us", "apac"]
TENANTS = ["acme", "globex"]


class Orders:
    """Orders with their payments and stock; small, plausible, all different."""

    def __init__(self):
        self.number = int(time.time()) % 1000000

    def next(self):
        self.number += 1
        items = [{"sku": "SKU-%04d" % random.randint(1, 400), "quantity": random.randint(1, 5),
                  "price": round(random.uniform(1, 300), 2)} for _ in range(random.randint(1, 4))]
        return {"id": "o-%d" % self.number, "tenant": random.choice(TENANTS), "region": random.choice(REGIONS),
                "status": random.choice(["created", "created", "paid", "shipped", "cancelled"]),
                "customer": {"id": 9007199254740993 + self.number, "city": random.choice(CITIES), "vip": random.random() < 0.1},
                "items": items, "total": round(sum(i["quantity"] * i["price"] for i in items), 2), "currency": "EUR",
                "coupon": None, "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def line_safe(data):
    return data.replace(b"\n", b" ").replace(b"\t", b" ")


class Kafka:
    """kcat does the talking: one process for each set of headers, fed by lines KEY TAB PAYLOAD."""
    bounded = {"retention.bytes": 67108864, "segment.bytes": 16777216, "retention.ms": 86400000}

    def __init__(self, base, address):
        self.address, self.producers, self.sent = address, {}, 0
        common.kafka_topic(base, "orders", 4, self.bounded)
        common.kafka_topic(base, "payments", 2, self.bounded)
        common.kafka_topic(base, "inventory", 2, {"cleanup.policy": "compact", "segment.ms": 60000})
        self.kcat = common.need("kcat", "kcat")
        self.consumer = self.once = None

    def group(self, name, topic, *flags):
        return subprocess.Popen([self.kcat, "-b", self.address, "-G", name, "-q", *flags, topic],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def producer(self, topic, headers):
        key = (topic, headers)
        p = self.producers.get(key)
        if p is None or p.poll() is not None:
            command = [self.kcat, "-b", self.address, "-P", "-t", topic, "-K", "\t", "-q", "-Z", "-X", "linger.ms=50"]
            for header in headers:
                command += ["-H", header]
            p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.producers[key] = p
        return p

    def put(self, topic, headers, key, payload):
        p = self.producer(topic, headers)
        with contextlib.suppress(BrokenPipeError):
            p.stdin.write(line_safe(key.encode()) + b"\t" + line_safe(payload) + b"\n")
            p.stdin.flush()
            self.sent += 1

    def send(self, order, poison):
        tenant = ("x-tenant=" + order["tenant"], "content-type=application/json", "traceparent=00-%032x-%016x-01"
                  % (hash(order["tenant"]) & (1 << 127) - 1, 7))
        payload = poison if poison is not None else json.dumps(order, ensure_ascii=False).encode()
        self.put("orders", tenant, order["id"], payload)
        if random.random() < 0.4:
            payment = {"order": order["id"], "amount": order["total"], "card": {"number": "4111111111111111", "expiry": "12/29"},
                       "method": random.choice(["card", "invoice"]), "attempt": random.randint(1, 3)}
            self.put("payments", ("x-retry=%d" % random.randint(0, 1),), order["id"], json.dumps(payment).encode())
        if random.random() < 0.2:
            sku = order["items"][0]["sku"]
            gone = random.random() < 0.2
            self.put("inventory", (), sku, b"" if gone else json.dumps({"sku": sku, "stock": random.randint(0, 99)}).encode())
        if self.consumer is None or self.consumer.poll() is not None:
            self.consumer = self.group("billing", "payments")
        if self.once is None and self.sent >= ENOUGH:    # of a topic with nothing in it a group commits nothing
            self.once = self.group("slow-reports", "orders", "-e", "-X", "auto.offset.reset=earliest")

    def close(self):
        for p in self.producers.values():
            with contextlib.suppress(OSError):
                p.stdin.close()
        consumers = [p for p in (self.consumer, self.once) if p]
        for p in list(self.producers.values()) + consumers:
            if p in consumers:
                p.terminate()
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()


class Rabbit:
    """The management API does the talking, so that every property and header can be set."""

    def __init__(self, address, management, user, password):
        self.host = urllib.parse.urlsplit(management).netloc
        self.headers = {"Content-Type": "application/json",
                        "Authorization": "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()}
        self.url = "amqp://%s:%s@%s" % (user, password, address)
        self.connection, self.sent, self.rejected, self.consumer = None, 0, time.monotonic(), None
        self.declare()

    def call(self, method, path, body=None, good=(200, 201, 204)):
        for attempt in (1, 2):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection(self.host, timeout=10)
                self.connection.request(method, "/api" + path, json.dumps(body) if body is not None else None, self.headers)
                answer = self.connection.getresponse()
                data = answer.read()
                break
            except (OSError, http.client.HTTPException):
                self.connection = None
                if attempt == 2:
                    raise
        if answer.status not in good:
            raise common.Failed("RabbitMQ says %d to %s %s: %s" % (answer.status, method, path, data[:200]))
        return json.loads(data) if data else None

    def declare(self):
        def queue(name, arguments):
            self.call("PUT", "/queues/%2f/" + name, {"durable": True, "arguments": arguments})

        self.call("PUT", "/exchanges/%2f/orders", {"type": "topic", "durable": True})
        self.call("PUT", "/exchanges/%2f/orders.dlx", {"type": "fanout", "durable": True})
        queue("orders.new", {"x-message-ttl": 20000, "x-max-length": 5000, "x-dead-letter-exchange": "orders.dlx"})
        queue("orders.eu", {"x-max-length": 5000})
        queue("orders.audit", {"x-queue-type": "quorum", "x-max-length": 5000})
        queue("orders.log", {"x-queue-type": "stream", "x-max-length-bytes": 50000000,
                             "x-stream-max-segment-size-bytes": 10000000})
        queue("orders.dlq", {"x-max-length": 2000})
        for name, key in (("orders.new", "order.created.#"), ("orders.eu", "order.*.eu"), ("orders.audit", "#"),
                          ("orders.log", "#")):
            self.call("POST", "/bindings/%2f/e/orders/q/" + name, {"routing_key": key})
        self.call("POST", "/bindings/%2f/e/orders.dlx/q/orders.dlq", {})

    def send(self, order, poison):
        payload = poison if poison is not None else json.dumps(order, ensure_ascii=False).encode()
        body = {"routing_key": "order.%s.%s" % (order["status"], order["region"]), "payload_encoding": "base64",
                "payload": base64.b64encode(payload).decode(),
                "properties": {"delivery_mode": 2, "content_type": "application/json", "message_id": order["id"],
                               "correlation_id": "c-" + order["id"], "app_id": "lab-traffic", "type": "order",
                               "timestamp": int(time.time()),
                               "headers": {"x-tenant": order["tenant"], "attempt": 1, "vip": order["customer"]["vip"],
                                           "trace": {"id": "%x" % random.getrandbits(64), "hops": [1, 2]}}}}
        self.call("POST", "/exchanges/%2f/orders/publish", body)
        self.sent += 1
        if time.monotonic() - self.rejected > 5:         # now and then a consumer refuses something
            self.rejected = time.monotonic()
            self.call("POST", "/queues/%2f/orders.new/get", {"count": 1, "ackmode": "reject_requeue_false", "encoding": "auto"})
        if shutil.which("amqp-consume") and (self.consumer is None or self.consumer.poll() is not None):
            self.consumer = subprocess.Popen(["amqp-consume", "-u", self.url, "-q", "orders.eu", "-A", "--", "cat"],
                                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def close(self):
        if self.consumer:
            self.consumer.terminate()
            self.consumer.wait()
        if self.connection:
            self.connection.close()


def servers():
    env = {}
    with contextlib.suppress(OSError), open(os.path.join(common.LAB, "env"), encoding="utf-8") as f:
        env = dict(line.rstrip("\n").split("=", 1) for line in f if "=" in line)
    if not env:
        raise common.Failed("the lab does not run; `make lab` starts it")
    found = []
    if "SB_KAFKA" in env:
        found.append(Kafka(int(env["SB_PORT_BASE"]), env["SB_KAFKA"]))
    if "SB_RABBIT" in env:
        found.append(Rabbit(env["SB_RABBIT"], env["SB_RABBIT_MGMT"], env["SB_RABBIT_USER"], env["SB_RABBIT_PASSWORD"]))
    return found


def main():
    a = argparse.ArgumentParser(usage=__doc__)
    a.add_argument("--rate", type=float, default=20)
    a.add_argument("--seconds", type=float, default=0)
    a.add_argument("--poison", type=float, default=3)
    options = a.parse_args()
    over = []
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, lambda *_: over.append(1))
    found, orders = servers(), Orders()
    print("lab-traffic: %g orders a second, and what goes with them, to each of %s; stop with Ctrl-C"
          % (options.rate, " and ".join(type(s).__name__ for s in found)), flush=True)
    began, turn = time.monotonic(), 0
    try:
        while not over and not (options.seconds and time.monotonic() - began > options.seconds):
            turn += 1
            poison = random.choice(POISON) if random.random() * 100 < options.poison else None
            for server in found:
                try:
                    server.send(orders.next(), poison)
                except (OSError, common.Failed) as e:
                    print("lab-traffic: %s: %s" % (type(server).__name__, e), file=sys.stderr, flush=True)
                    time.sleep(1)
            wait = began + turn / options.rate - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            elif wait < -2:
                began, turn = time.monotonic(), 0       # too slow, or the machine slept: no burst to catch up
    finally:
        for server in found:
            server.close()
            print("lab-traffic: %s: %d messages sent" % (type(server).__name__, server.sent), flush=True)
    return 0


if __name__ == "__main__":
    common.main_guard(main)
