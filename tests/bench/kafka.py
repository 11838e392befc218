#!/usr/bin/env python3
"""Tail and search of a topic of JSON messages on the lab's real Kafka, against kcat and jq on the same topic."""
import json
import os
import random
import subprocess

import common

MESSAGES = int(os.environ.get("BENCH_MESSAGES", "1000000"))
TOPIC = "bench1k-%d" % MESSAGES
PARTITIONS = 4


def fill(bootstrap):
    lab = os.path.join(common.ROOT, "tests", "lab", "lab")
    have = subprocess.run("kcat -b %s -C -t %s -p 0 -o -1 -c 1 -e -q" % (bootstrap, TOPIC), shell=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    if have:
        return
    subprocess.run([lab, "topic", TOPIC, str(PARTITIONS)], check=True, stdout=subprocess.DEVNULL)
    rng = random.Random(7)
    filler = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz ") for _ in range(900))
    feed = subprocess.Popen(["kcat", "-b", bootstrap, "-P", "-t", TOPIC, "-K", "\t", "-X", "linger.ms=50", "-z", "lz4"],
                            stdin=subprocess.PIPE, text=True)
    for i in range(MESSAGES):
        feed.stdin.write("o-%d\t%s\n" % (i, json.dumps({
            "id": 9007199254740993 + i, "customer": {"id": i % 997, "name": "Zoe Nguyen"},
            "lines": [{"sku": "A-%d" % (i % 90), "qty": i % 4 + 1}], "total": i % 50000 / 100,
            "status": rng.choice(["NEW", "PAID", "SENT"]), "note": filler[i % 40:i % 40 + 820]}, separators=(",", ":"))))
    feed.stdin.close()
    feed.wait()


def main():
    env = common.start_lab("kafka", LAB_KAFKA_HEAP="2g")
    bootstrap = env["SB_KAFKA"]
    fill(bootstrap)
    url = "kafka://%s/%s" % (bootstrap, TOPIC)
    ours = common.SIGNALBOX
    # A count, as ours: with -e alone kcat sits half a second at the end before it believes that it is there.
    kcat = "kcat -b %s -C -t %s -o beginning -c %d -q" % (bootstrap, TOPIC, MESSAGES)
    tail = "%s tail %s --from beginning --limit %d" % (ours, url, MESSAGES)
    search = "%s search %s" % (ours, url)
    word = "o-%d" % (MESSAGES * 7 // 9)
    print("  %s messages of about 1 KB, %d partitions, output to /dev/null" % (format(MESSAGES, ","), PARTITIONS))
    common.race("tail, plain", ("signalbox tail --plain", tail + " --plain"), ("kcat -C", kcat))
    common.race("tail, plain, filtered", ("signalbox tail --plain --where", tail + " --plain --where 'body.total>=0'"), ("kcat -C", kcat))
    common.race("tail, JSON", ("signalbox tail --json", tail + " --json"), ("kcat -C -J", kcat + " -J"))
    common.race("tail, JSON, decoded and filtered",
                ("signalbox tail --json --decode --where", tail + " --json --decode --where 'body.total>=0'"),
                ("kcat -C -J", kcat + " -J"))
    common.race("search for a field", ("signalbox search", search + " 'body.customer.id=500 body.total>400' --json"),
                ("kcat -C | jq", kcat + " | jq -c 'select(.customer.id==500 and .total>400)'"))
    common.race("search for a word", ("signalbox search", search + " %s --plain" % word),
                ("kcat -C | grep", kcat + " -K ' ' | grep %s" % word))


main()
