#!/usr/bin/env python3
"""A move and a replay of 1 KB messages on the lab's real servers against the broker's own means in the same run: on RabbitMQ a shovel with
on-confirm, of classic and quorum queues; on Kafka kcat -C | kcat -P. Ours with its journal on."""
import json
import os
import random
import subprocess
import sys
import tempfile
import time

import common

sys.path.insert(0, os.path.join(common.ROOT, "tests", "crash"))
MESSAGES = int(os.environ.get("BENCH_OPERATION_MESSAGES", "100000"))
BODY = random.Random(7).randbytes(1024)


def load():
    return "load %.1f" % os.getloadavg()[0]


def show(name, seconds):
    print("  %-46s %6.2f s  %9s a second   (%s)" % (name, seconds, format(int(MESSAGES / seconds), ","), load()), flush=True)


def ratio(name, ours, peer):
    ratios = sorted(p / o for o, p in zip(ours, peer))
    print("  %-46s %.2f times as fast (%.2f to %.2f)" % (name + ": ratio", ratios[len(ratios) // 2], ratios[0], ratios[-1]), flush=True)


def operation(servers, *words):
    """Its seconds; a journal of its own."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["XDG_STATE_HOME"] = home
        began = time.monotonic()
        done = servers.run(*words, "--execute", "--json", "--quiet")
        took = time.monotonic() - began
    account = json.loads(done.stdout.decode().splitlines()[-1])
    if account["counts"]["done"] != MESSAGES:
        raise SystemExit("only %d of %d: %s" % (account["counts"]["done"], MESSAGES, account["note"]))
    return took


# ---------------------------------------------------------------------------- RabbitMQ

def fill(rabbit, queue, headers=()):
    message = ({"delivery_mode": 2, "headers": list(headers)}, BODY)
    for at in range(0, MESSAGES, 5000):
        rabbit.connected().publish(queue, [message] * min(5000, MESSAGES - at))
    time.sleep(2)                                    # what the broker writes meanwhile is not the race's


def wait_for(rabbit, queue, count):
    while rabbit.connected().count(queue) < count:
        time.sleep(0.02)


def shovel(rabbit, source, to):
    uri = "amqp://%s:%s@%s" % (rabbit.user, rabbit.password, rabbit.at)
    name = "bench-" + source
    value = {"src-protocol": "amqp091", "src-uri": uri, "src-queue": source, "src-prefetch-count": 1000, "src-delete-after": MESSAGES,
             "dest-protocol": "amqp091", "dest-uri": uri, "dest-queue": to, "ack-mode": "on-confirm"}
    began = time.monotonic()
    rabbit.call("PUT", "parameters/shovel/%2f/" + name, {"value": value})
    wait_for(rabbit, to, MESSAGES)
    took = time.monotonic() - began
    try:
        rabbit.call("DELETE", "parameters/shovel/%2f/" + name)
    except OSError:
        pass                                         # it goes by itself
    return took


def rabbitmq(servers, queue_type):
    rabbit = servers.Rabbit()
    source, to = (rabbit.queue("bench-%s-%s" % (servers.unique(), end), queue_type) for end in ("from", "to"))
    death = [(b"x-death", "array", (("table", ((b"queue", "string", to.encode()), (b"reason", "string", b"rejected"),
                                               (b"exchange", "string", b""), (b"count", "int64", 1))),))]
    times = {"move": [], "replay": [], "shovel": []}
    for _ in range(common.RUNS):
        for name in times:
            fill(rabbit, source, death if name == "replay" else ())
            if name == "shovel":
                took = shovel(rabbit, source, to)
            elif name == "move":
                took = operation(servers, "move", rabbit.address(source), "--to", rabbit.address(to))
            else:
                took = operation(servers, "replay", rabbit.address(source))
            times[name].append(took)
            show("%s, %s queues" % ("signalbox " + name if name != "shovel" else "shovel, on-confirm", queue_type), took)
            for queue in (source, to):
                rabbit.call("DELETE", "queues/%%2f/%s/contents" % queue)
    rabbit.end()
    for name in ("move", "replay"):
        ratio("%s, %s queues" % (name, queue_type), times[name], times["shovel"])


# ---------------------------------------------------------------------------- Kafka

def kafka(servers):
    k = servers.Kafka()
    source = k.topic("bench-" + servers.unique(), 1)
    with tempfile.NamedTemporaryFile() as lines:
        text = bytes(65 + b % 26 for b in BODY)
        for n in range(MESSAGES):
            lines.write(b"key %d\t%s\n" % (n, text))
        lines.flush()
        to = source + "-to"
        subprocess.run(["kcat", "-P", "-b", k.at, "-t", source, "-K", "\t", "-H", "kafka_dlt-original-topic=" + to, "-l", lines.name],
                       check=True)
    times = {"copy": [], "replay": [], "kcat": []}
    for i in range(common.RUNS):
        for name in times:
            if name == "replay":
                k.topic(to, 1)
                took = operation(servers, "replay", k.address(source), "--again")
            else:
                other = k.topic("%s-%s-%d" % (source, name, i), 1)
                time.sleep(1)
                if name == "copy":
                    took = operation(servers, "copy", k.address(source), "--to", k.address(other))
                else:
                    began = time.monotonic()
                    subprocess.run("kcat -C -b %s -t %s -o beginning -c %d -q -K '\t' | kcat -P -b %s -t %s -K '\t' -X acks=all" % (
                        k.at, source, MESSAGES, k.at, other), shell=True, check=True)
                    took = time.monotonic() - began
            times[name].append(took)
            show("signalbox " + name if name != "kcat" else "kcat -C | kcat -P", took)
    for name in ("copy", "replay"):
        ratio(name + " on Kafka", times[name], times["kcat"])


def main():
    os.environ.update(common.start_lab("kafka", "rabbitmq"))
    import servers
    print("  %s messages of 1 KB" % format(MESSAGES, ","))
    for part in sys.argv[1:] or ("classic", "quorum", "kafka"):
        kafka(servers) if part == "kafka" else rabbitmq(servers, part)


main()
