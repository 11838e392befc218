"""Both ends of an operation at the real brokers, filled before it and read back afterwards, and what is right of what is there then."""
import collections
import glob
import json
import os
import shutil
import time

from servers import Kafka, Rabbit, archive_rows, archived, kafka_lines, rabbit_message, run, sorted_message, unique

SELECTED = "hdr.n~/[02468]$/"        # of a resend: every second one


class Ends:
    """Both ends of one kind of operation. removes: what is done is at the source no more."""
    removes = doubts = True

    def fill(self, count):
        """What each message is, before a run."""
        raise NotImplementedError

    def selected(self, sent):
        return [row for row in sent if row.id % 2 == 0] if self.kind == "resend" else sent

    def command(self):
        words = [self.kind, self.source_address(), "--execute"]
        if self.kind in ("move", "copy", "resend"):
            words += ["--to", self.to_address()]
        if self.kind == "resend":
            words += ["--select", SELECTED]
        return words

    def left_over(self):
        """What came to an end after all had been read there."""
        return []

    def judge(self, sent, source, destination, account):
        return judge(self, sent, source, destination, account)


class RabbitEnds(Ends):
    def __init__(self, kind, queue_type):
        self.kind, self.rabbit, self.there = kind, Rabbit(), 0
        # Dead letters get headers of the broker's, and so do those that come back to a quorum queue: all of theirs are sorted then.
        self.message = sorted_message if kind == "replay" or queue_type == "quorum" else rabbit_message
        self.removes = kind in ("replay", "move", "purge")
        name = "crash-" + unique()
        self.source = self.rabbit.queue(name + "-from", queue_type)
        more = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": self.source} if kind == "replay" else {}
        self.to = self.rabbit.queue(name + "-to", queue_type, **more)

    def source_address(self):
        return self.rabbit.address(self.source)

    def to_address(self):
        return self.rabbit.address(self.to)

    def fill(self, count):
        self.expected = count
        if self.kind == "replay":                    # they die in the queue that they are replayed to
            sent = self.rabbit.fill(self.to, count, self.message)
            line = self.rabbit.connected()
            line.reject_all(self.to, count)
            end = time.monotonic() + 30
            while line.count(self.source) < count and time.monotonic() < end:
                time.sleep(0.02)
            return sent
        return self.rabbit.fill(self.source, count, self.message)

    def at_destination(self):
        there = archived() if self.kind == "purge" else self.rabbit.drain(self.to, self.expected)
        self.there = len(there)
        return there

    def at_source(self):
        return self.rabbit.drain(self.source, self.expected - (self.there if self.removes else 0))

    def left_over(self):
        return self.rabbit.drain(self.source) + self.rabbit.drain(self.to)

    def end(self):
        self.rabbit.end()


class RabbitPick(RabbitEnds):
    """A purge of every second one; what is not selected stays, and is held meanwhile."""

    def __init__(self, kind, queue_type):
        super().__init__("purge", queue_type)
        self.quorum = queue_type == "quorum"

    def selected(self, sent):
        return [row for row in sent if row.id % 2 == 0]

    def command(self):
        return ["purge", self.source_address(), "--select", SELECTED, "--execute"]

    def at_source(self):
        return self.rabbit.drain(self.source, self.expected - self.there)

    def judge(self, sent, source, destination, account):
        """A quorum queue gives back block by block what a killed one held on several channels."""
        others, kept = [row for row in sent if row.id % 2], [row for row in source if row.id % 2]
        same = sorted(kept) == others if self.quorum else kept == others
        wrong = judge(self, sent, [row for row in source if row.id % 2 == 0], destination, account, ordered=not self.quorum)
        return ", ".join(filter(None, [wrong, "" if same else "%d of %d are left of what was not selected" % (len(kept), len(others))]))


class RabbitRestore(RabbitEnds):
    """The archive is made once, by a purge; it is the source."""
    removes = False

    def __init__(self, kind, queue_type):
        super().__init__("restore", queue_type)
        self.sent = None

    def fill(self, count):
        self.expected = count
        if not self.sent:
            self.sent = self.rabbit.fill(self.source, count, self.message)
            run("purge", self.source_address(), "--execute", "--quiet")
            made = glob.glob(os.environ["XDG_STATE_HOME"] + "/signalbox/archives/*.sba")
            self.archive = os.path.join(os.path.dirname(os.environ["XDG_STATE_HOME"]), "archive.sba")
            shutil.move(made[0], self.archive)
        return self.sent

    def command(self):
        return ["restore", self.archive, "--execute", "--quiet"]

    def at_source(self):
        return archive_rows(self.archive)

    def at_destination(self):
        return self.rabbit.drain(self.source, self.expected)


class RabbitDedupe(RabbitEnds):
    """Each message is there three times, to the last byte; what goes is in the archives."""

    def __init__(self, kind, queue_type):
        super().__init__(kind, queue_type)
        self.quorum = queue_type == "quorum"

    def fill(self, count):
        self.expected = count
        return self.rabbit.fill(self.source, count, lambda n: self.message(n % (count // 3)))

    def command(self):
        return ["dedupe", self.source_address(), "--by", "header:n", "--execute"]

    def at_destination(self):
        there = archived()
        self.there = len(there)
        return there

    def at_source(self):
        return self.rabbit.drain(self.source, self.expected - self.there)

    def judge(self, sent, source, destination, account):
        """One of each is left, and the archives hold exactly what is not there any more."""
        left, gone, every = (collections.Counter(repr(row.essence) for row in rows) for rows in (source, destination, sent))
        doubts, wrong = account["counts"]["in_doubt"] if account else 0, []
        if set(left) != set(every):
            wrong.append("%d lost for good" % len(set(every) - set(left)))
        if account and sum(left.values()) - len(left) > doubts:
            wrong.append("%d duplicates left, %d in doubt" % (sum(left.values()) - len(left), doubts))
        if left + gone != every and not doubts:
            wrong.append("%d are in neither, %d in both" % (sum((every - left - gone).values()), sum((left + gone - every).values())))
        ids = [row.id for row in source]
        if ids != sorted(ids) and len(ids) == len(left) and not self.quorum:    # which may give back in turns what a killed look held
            wrong.append("another order")
        if account and account["state"] not in ("done", "partial"):
            wrong.append("it ended as %s: %s" % (account["state"], account["note"]))
        return ", ".join(wrong)


class KafkaEnds(Ends):
    """The source is filled once, but for a purge and a replay; each run's share of the destination is what stands behind its end before."""
    doubts = False                                   # transactions leave none

    def __init__(self, kind, _):
        self.kind, self.kafka, self.sent = kind, Kafka(), None
        self.removes = kind == "purge"
        self.begin()

    def begin(self):
        self.source = self.kafka.topic("crash-" + unique())
        self.to = self.kafka.topic(self.source + "-to")

    def source_address(self):
        return self.kafka.address(self.source)

    def to_address(self):
        return self.kafka.address(self.to)

    def fill(self, count):
        if self.sent and self.kind == "replay":      # what was replayed once is not replayed again
            self.begin()
        self.since = self.kafka.ends(self.to)
        if self.sent and self.kind not in ("purge", "replay"):
            return self.sent
        before = self.kafka.ends(self.source)
        path = os.path.join(os.environ["XDG_STATE_HOME"], "fill.jsonl")
        headers = [{"name": "kafka_dlt-original-topic", "type": "bytes", "value": {"text": self.to}}]
        kafka_lines(count, path, headers if self.kind == "replay" else ())
        run("import", path, self.source_address(), "--execute", "--quiet")
        self.sent = self.kafka.rows(self.source, before)
        return self.sent

    def at_source(self):
        return self.kafka.rows(self.source)

    def at_destination(self):
        return archived(kafka=True) if self.kind == "purge" else self.kafka.rows(self.to, self.since)

    def left_over(self):
        if self.kind == "purge":                     # what is left is not the next one's
            run("purge", self.source_address(), "--no-archive", "--execute", "--quiet", codes=(0, 4))
        return []

    def end(self):
        pass


class KafkaRestore(KafkaEnds):
    def fill(self, count):
        self.kind = "purge" if not self.sent else "restore"
        sent = super().fill(count)
        if self.kind == "purge":
            run("purge", self.source_address(), "--execute", "--quiet")
            made = glob.glob(os.environ["XDG_STATE_HOME"] + "/signalbox/archives/*.sba")
            self.archive = os.path.join(os.path.dirname(os.environ["XDG_STATE_HOME"]), "archive.sba")
            shutil.move(made[0], self.archive)
        self.kind, self.removes = "restore", False
        return sent

    def command(self):
        return ["restore", self.archive, "--to", self.to_address(), "--execute", "--quiet"]

    def at_source(self):
        return archive_rows(self.archive, kafka=True)


class RabbitToKafka(RabbitEnds):
    """What a message becomes on Kafka is what a run that nobody killed has made of it; its bytes are those that were sent."""
    doubts = False

    def __init__(self, kind, queue_type):
        super().__init__(kind, queue_type)
        self.kafka, self.becomes = Kafka(), {}
        self.topic = self.kafka.topic("crash-" + unique())

    def to_address(self):
        return self.kafka.address(self.topic)

    def fill(self, count):
        self.since = self.kafka.ends(self.topic)
        sent = super().fill(count)
        return [row._replace(essence=self.becomes.get(row.id, row.essence)) for row in sent]

    def at_destination(self):
        return self.shorn(self.kafka.rows(self.topic, self.since))

    @staticmethod
    def shorn(rows):
        """Its partition is anyone's (none has a key), and so is its order; its time is that of its sending, but where it had one."""
        return [row._replace(lane=row.id, essence=(row.essence[1] if row.id % 4 == 1 else 0, *row.essence[2:])) for row in rows]

    def at_source(self):
        return [row._replace(essence=self.becomes.get(row.id, row.essence)) for row in super().at_source()]

    def learn(self, sent, arrived):
        bodies = {row.id: row.essence[2] for row in sent}
        for row in arrived:
            if row.essence[2] != bodies[row.id]:
                raise SystemExit("message %d has other bytes on Kafka" % row.id)
        self.becomes = {row.id: row.essence for row in arrived}


def choose(servers, kind):
    queue_type = "quorum" if "quorum" in servers else "classic"
    if servers.startswith("rabbitmq") and servers.endswith("kafka"):
        return RabbitToKafka(kind, queue_type)
    if servers == "kafka":
        return (KafkaRestore if kind == "restore" else KafkaEnds)(kind, None)
    return {"restore": RabbitRestore, "dedupe": RabbitDedupe, "pick": RabbitPick}.get(kind, RabbitEnds)(kind, queue_type)


# ---------------------------------------------------------------------------- what is right

def resume():
    """The operation's own account; None: there was nothing to resume."""
    done = run("resume", "--json", "--quiet", codes=(0, 4, 6))
    lines = done.stdout.decode().splitlines()
    return json.loads(lines[-1]) if lines else None


def journaled():
    """That of one that needs no resuming."""
    lines = run("journal", "--json", codes=(0, 4)).stdout.decode().splitlines()
    return json.loads(lines[0]) if lines else None


def judge(ends, sent, source, destination, account, whole=True, ordered=True):
    """What is wrong; "" nothing. whole: it had to come to its end; ordered: what is done stands in the order of the source."""
    wanted = ends.selected(sent)
    known, there = {row.id: row.essence for row in sent}, collections.Counter(row.id for row in destination)
    left = collections.Counter(row.id for row in source)
    counts = account["counts"] if account else collections.Counter()
    doubts, state = counts["in_doubt"], account["state"] if account else "not begun"
    wrong = []

    def say(count, what):
        if count:
            wrong.append("%d %s" % (count, what))

    missing = sum(1 for row in wanted if not there[row.id] and not (ends.removes and left[row.id]))
    allowed = 0 if ends.removes else len(wanted) if not account else doubts + counts["failed"]
    say(missing if missing > allowed else 0, "lost, %d reported in doubt or failed" % allowed)
    twice = sum(n - 1 for n in there.values() if n > 1) + sum(n - 1 for n in left.values() if n > 1)
    twice += sum(1 for n in left if there[n]) if ends.removes else 0
    say(twice if twice > doubts else 0, "doubled, %d reported in doubt" % doubts)
    say(sum(1 for row in source + destination if row.id not in known), "that nobody sent")
    say(sum(1 for row in source + destination if known.get(row.id, row.essence) != row.essence), "changed")
    if not ends.removes and len(source) != len(sent):
        wrong.append("%d of %d left at a source that keeps all" % (len(source), len(sent)))
    say(doubts if not ends.doubts else 0, "in doubt where nothing should be")
    for rows, name in ((destination, "destination"), (source, "source")) if ordered else ():
        last, seen = {}, collections.Counter()
        for row in rows:
            seen[row.id] += 1
            if seen[row.id] == 1 and row.id < last.get(row.lane, -1) and there[row.id] + left[row.id] == 1 + (not ends.removes):
                wrong.append("another order at the " + name)
                break
            last[row.lane] = max(row.id, last.get(row.lane, -1))
    if not whole:
        return ", ".join(wrong)
    if state not in ("done", "partial", "not begun"):
        wrong.append("it ended as %s: %s" % (state, account["note"]))
    if state == "partial" and not doubts:
        wrong.append("partial without a doubt: %s" % account["note"])
    if state == "done" and (len(destination) != len(wanted) or (ends.removes and source)):
        wrong.append("done with %d of %d, %d left" % (len(destination), len(wanted), len(source)))
    if state == "not begun" and (destination or len(source) != len(sent)):
        wrong.append("not begun, and %d have gone" % len(destination))
    return ", ".join(wrong)
