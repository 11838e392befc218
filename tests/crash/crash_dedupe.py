"""kill -9 in the middle of an operation, then `resume`, as often as one wishes; what is where is counted by the broker's own means.

    crash.py BROKER KIND KILLS [MESSAGES]      BROKER: rabbitmq kafka; KIND: move copy dedupe (rabbitmq)

Prints a line a kill and `N of KILLS kept` at the end; fails where a message was lost, or doubled and not reported in doubt."""
import collections
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

PROGRAM = os.environ.get("SIGNALBOX", "build/signalbox")


class Rabbit:
    """A queue of its own at each end; read back by the management API."""

    def __init__(self, queue_type):
        self.user, self.password = os.environ["SB_RABBIT_USER"], os.environ["SB_RABBIT_PASSWORD"]
        self.type = queue_type
        name = "crash-%d-%d" % (os.getpid(), random.randrange(1 << 30))
        self.names = [name + "-from", name + "-to"]
        os.environ["SIGNALBOX_PASSWORD"] = self.password
        for n in self.names:
            self.call("PUT", "queues/%2f/" + n, {"durable": True, "arguments": {"x-queue-type": queue_type}})

    def call(self, method, path, body=None):
        url = "%s/api/%s" % (os.environ["SB_RABBIT_MGMT"], path)
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, method=method, data=data, headers={"content-type": "application/json"})
        manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        manager.add_password(None, url, self.user, self.password)
        opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(manager))
        with opener.open(request) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def address(self, i):
        return "rabbitmq://%s@%s/%%2f/%s?management=%s" % (self.user, os.environ["SB_RABBIT"], self.names[i],
                                                           os.environ["SB_RABBIT_MGMT"])

    def drain(self, i):
        """All that is there, in its order."""
        bodies, end = [], time.monotonic() + 30
        while time.monotonic() < end:
            got = self.call("POST", "queues/%2f/" + self.names[i] + "/get",
                            {"count": 20000, "ackmode": "ack_requeue_false", "encoding": "auto"})
            bodies += [m["payload"] for m in got]
            if not got and self.ready(i) == 0:
                return bodies
            if not got:
                time.sleep(0.05)
        raise SystemExit("the queue does not empty")

    def ready(self, i):
        out = subprocess.run([PROGRAM, "ls", self.address(i), "--json"], stdout=subprocess.PIPE, check=True).stdout
        row = json.loads(out.splitlines()[0])
        return row.get("depth", 0) + (row.get("unacked") or 0)

    def end(self):
        for n in self.names:
            self.call("DELETE", "queues/%2f/" + n)


class Kafka:
    """A source that is filled once, a destination for each run; read back by kcat, committed messages alone."""

    def __init__(self, _):
        self.name = "crash-%d-%d" % (os.getpid(), random.randrange(1 << 30))
        self.run, self.filled = 0, False
        self.topic(self.name)
        self.next()

    def topic(self, name):
        subprocess.run([os.environ.get("SB_LAB", "tests/lab/lab"), "topic", name, "3"], check=True, stdout=subprocess.DEVNULL)

    def next(self):
        self.run += 1
        self.to = "%s-%d" % (self.name, self.run)
        self.topic(self.to)

    def address(self, i):
        return "kafka://%s/%s" % (os.environ["SB_KAFKA"], self.to if i else self.name)

    def drain(self, i):
        out = subprocess.run(["kcat", "-C", "-b", os.environ["SB_KAFKA"], "-t", self.to if i else self.name, "-e", "-q", "-X",
                              "isolation.level=read_committed", "-f", "%p %s\\n"], stdout=subprocess.PIPE, check=True).stdout
        rows = [line.split(" ", 1) for line in out.decode().splitlines()]
        if i:
            self.next()
        # Within a partition the order counts.
        return [body for _, body in sorted(rows, key=lambda row: int(row[0]))]

    def end(self):
        pass


def fill(broker, count, home, kind):
    """For a dedupe each of them is there three times, to the last byte."""
    path, numbers = os.path.join(home, "fill.jsonl"), range(count)
    if kind == "dedupe":
        numbers = [n % (count // 3) for n in numbers]
    with open(path, "w", encoding="utf-8") as f:
        for n in numbers:
            f.write(json.dumps({"payload": {"text": "message %06d %s" % (n, "x" * (n % 200))},
                                "headers": [{"name": "n", "type": "int32", "value": n}],
                                "properties": {"delivery_mode": 2, "partition": n * 3 // count},
                            "position": "%d/%d" % (n * 3 // count, n)}) + "\n")
    if not getattr(broker, "filled", False):
        subprocess.run([PROGRAM, "import", path, broker.address(0), "--execute", "--quiet"], check=True)
    broker.filled = isinstance(broker, Kafka)
    return ["message %06d %s" % (n, "x" * (n % 200)) for n in numbers]


def start(broker, kind):
    how = ["--by", "header:n"] if kind == "dedupe" else ["--to", broker.address(1)]
    return subprocess.Popen([PROGRAM, kind, broker.address(0), "--execute", "--quiet"] + how,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def resume():
    """The operation's own account, as JSON; None: there was nothing to resume."""
    done = subprocess.run([PROGRAM, "resume", "--json", "--quiet"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode not in (0, 4, 6):
        raise SystemExit("resume: exit code %d, %s" % (done.returncode, done.stderr.decode()))
    lines = done.stdout.decode().splitlines()
    return json.loads(lines[-1]) if lines else None


def restore(broker, account):
    """All that was archived, to the destination."""
    for archive in account.get("archives") or ([account["archive"]] if account["archive"] else []):
        subprocess.run([PROGRAM, "restore", archive, "--to", broker.address(1), "--execute", "--quiet"], check=True)


def last_operation():
    out = subprocess.run([PROGRAM, "journal", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    lines = out.decode().splitlines()
    return json.loads(lines[0]) if lines else None


def ended_since(before):
    """The operation that was not there before: it had ended when it was killed."""
    now = last_operation()
    return now if now and (not before or now["id"] != before["id"]) else None


def judge_dedupe(sent, source, archived, account, quorum):
    """One of each is left, and the archives hold exactly what is not there any more."""
    left, gone, all_of = collections.Counter(source), collections.Counter(archived), collections.Counter(sent)
    doubts, wrong = account["counts"]["in_doubt"] if account else 0, []
    if set(left) != set(all_of):
        wrong.append("%d lost for good" % len(set(all_of) - set(left)))
    if account and sum(left.values()) - len(left) > doubts:
        wrong.append("%d duplicates left, %d in doubt" % (sum(left.values()) - len(left), doubts))
    if left + gone != all_of and not doubts:
        wrong.append("%d are in neither, %d in both" % (sum((all_of - left - gone).values()), sum((left + gone - all_of).values())))
    if source != sorted(source) and len(source) == len(left) and not quorum: # which may give back in turns what a killed look held
        wrong.append("another order")
    if account and account["state"] not in ("done", "partial"):
        wrong.append("it ended as %s: %s" % (account["state"], account["note"]))
    return ", ".join(wrong)


def judge(kind, sent, source, destination, account):
    """What is wrong; "" nothing."""
    there, left = collections.Counter(destination), collections.Counter(source)
    doubts = account["counts"]["in_doubt"] if account else 0
    lost = [m for m in sent if not there[m] and not left[m]]
    twice = sum(n - 1 for n in there.values() if n > 1)
    if kind == "move":
        twice += sum(1 for m in left if there[m])
    strange = [m for m in there if m not in set(sent)] if len(there) > len(sent) else []
    order = [m for m in destination if there[m] == 1]
    wrong = []
    if lost:
        wrong.append("%d lost" % len(lost))
    if twice > doubts:
        wrong.append("%d doubled, %d reported in doubt" % (twice, doubts))
    if strange:
        wrong.append("%d that nobody sent" % len(strange))
    if order != sorted(order):
        wrong.append("another order")
    if account and account["state"] not in ("done", "partial"):
        wrong.append("it ended as %s: %s" % (account["state"], account["note"]))
    if account and account["state"] == "done" and len(destination) != len(sent):
        wrong.append("done with %d of %d" % (len(destination), len(sent)))
    return ", ".join(wrong)


def main():
    what, kind, kills, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int((sys.argv[4:] or ["10000"])[0])
    good = 0
    with tempfile.TemporaryDirectory() as home:
        os.environ["XDG_STATE_HOME"] = home
        broker = {"rabbitmq": Rabbit, "kafka": Kafka}[what.partition("-")[0]](what.partition("-")[2] or "classic")
        sent, whole = fill(broker, count, home, kind), time.monotonic()
        start(broker, kind).wait()
        whole = time.monotonic() - whole
        broker.drain(0), broker.drain(1)
        print("a whole %s of %d takes %.2f s" % (kind, count, whole))
        for k in range(kills):
            fill(broker, count, home, kind)
            before = last_operation()
            p, after = start(broker, kind), random.uniform(0, whole * 1.05)
            time.sleep(after)
            p.send_signal(signal.SIGKILL)
            p.wait()
            account = resume() or (ended_since(before) if kind == "dedupe" else None)
            if kind == "dedupe" and account:
                restore(broker, account)
            destination, source = broker.drain(1), broker.drain(0)
            wrong = (judge_dedupe(sent, source, destination, account, what.endswith("quorum")) if kind == "dedupe" else
                     judge(kind, sent, source, destination, account))
            good += not wrong
            print("kill %d after %.3f s: %s%d at the destination, %d at the source, %s" % (
                k + 1, after, "WRONG: " + wrong + ": " if wrong else "", len(destination), len(source),
                json.dumps(account["counts"]) if account else "it had not begun, or had ended"), flush=True)
        broker.end()
    print("%d of %d kept" % (good, kills))
    return 0 if good == kills else 1


sys.exit(main())
