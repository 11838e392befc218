"""What befalls an operation from outside, on the real brokers: nothing may be lost, nothing doubled but what is reported in doubt; counted by
the brokers' own means.

    faults.py [--seconds N] FAULT...        N: how long a network is cut (5)
    faults.py --list

Prints a line a fault and `N of N kept`."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from ends import KafkaEnds, RabbitEnds, journaled, judge, resume
from servers import LAB, PROGRAM, ROOT, archived, run

COUNT = 2000
SLOWLY = ("--rate", "2000/s")          # so that there is a middle
SECONDS = 5
FAULTS = {}


def fault(f):
    FAULTS[f.__name__.replace("_", "-")] = f
    return f


class Wrong(Exception):
    pass


def expect(true, words):
    if not true:
        raise Wrong(words)


# ---------------------------------------------------------------------------- running one

def begin(ends, *more, home=None):
    environment = dict(os.environ, **({"XDG_STATE_HOME": home} if home else {}))
    return subprocess.Popen([PROGRAM, *ends.command(), *more], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)


def finish(process, limit=170):
    """Its exit code and what it said."""
    try:
        said = process.communicate(timeout=limit)[1].decode()
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise Wrong("it does not end") from None
    return process.returncode, said


def has_begun(ends, part=COUNT // 4):
    """Waits until that many have arrived."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if isinstance(ends, KafkaEnds):
            there = sum(a - b for a, b in zip(ends.kafka.ends(ends.to), ends.since))
        else:
            there = ends.rabbit.connected().count(ends.to)
        if there >= part:
            return
        time.sleep(0.05)
    raise Wrong("nothing arrives")


def account_of(whole=True):
    account = resume() or journaled()
    expect(account, "the journal does not know it")
    if whole:
        expect(account["state"] in ("done", "partial"), "it ended as %s: %s" % (account["state"], account["note"]))
    return account


def check(ends, sent, account, whole=True, ordered=True):
    destination, source = ends.at_destination(), ends.at_source()
    wrong = judge(ends, sent, source, destination, account, whole, ordered)
    late = ends.left_over()
    expect(not wrong and not late, wrong or "%d came later" % len(late))
    return "%d at the destination, %d at the source, %s %s" % (len(destination), len(source), account["state"],
                                                              json.dumps(account["counts"]))


def disturbed(ends, disturb):
    """One operation, and what befalls it in its middle; it goes on by itself, or is resumed."""
    sent = ends.fill(COUNT)
    process = begin(ends, *SLOWLY)
    has_begun(ends)
    disturb()
    finish(process)
    return check(ends, sent, account_of())


# ---------------------------------------------------------------------------- a broker that dies

def restart(ends, part):
    subprocess.run([LAB, "kill", part], check=True, stdout=subprocess.DEVNULL)
    if part == "rabbitmq":
        ends.rabbit.forget()
    subprocess.run([LAB, "start", part], check=True, stdout=subprocess.DEVNULL)


@fault
def restart_classic():
    """A move: of dead letters the broker itself loses those that it has not written to the disk yet."""
    ends = RabbitEnds("move", "classic")
    return disturbed(ends, lambda: restart(ends, "rabbitmq"))


@fault
def restart_quorum():
    ends = RabbitEnds("replay", "quorum")
    return disturbed(ends, lambda: restart(ends, "rabbitmq"))


@fault
def restart_kafka():
    ends = KafkaEnds("replay", None)
    return disturbed(ends, lambda: restart(ends, "kafka"))


@fault
def deaf_quorum():
    """A quorum queue that does not answer within 250 ms: a passive declaration says 0 messages of it then, and 0 consumers (3.10.8)."""
    ends = RabbitEnds("move", "quorum")
    sent = ends.fill(COUNT)
    subprocess.run([LAB, "rabbitmqctl", "eval", """P = list_to_atom("%%2F_%s"), sys:suspend(P), timer:apply_after(4000, sys, resume, [P]), ok."""
                    % ends.source], check=True, stdout=subprocess.DEVNULL)
    code, said = finish(begin(ends))
    expect(code == 0, "exit code %d: %s" % (code, said))
    return check(ends, sent, account_of())


# ---------------------------------------------------------------------------- a network that is cut

class Proxy:
    def __init__(self, target):
        self.process = subprocess.Popen([os.path.join(ROOT, "tests/lab/chaos.py"), target], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.at = "127.0.0.1:" + self.process.stdout.readline().split()[1]

    def tell(self, *commands):
        for command in commands:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
            self.process.stdout.readline()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Proxied(RabbitEnds):
    """The operation goes through a proxy, the witness does not."""

    def __init__(self, kind, queue_type):
        super().__init__(kind, queue_type)
        self.proxy = Proxy(self.rabbit.at)

    def source_address(self):
        return self.rabbit.address(self.source, self.proxy.at)

    def to_address(self):
        return self.rabbit.address(self.to, self.proxy.at)

    def end(self):
        self.proxy.close()
        super().end()


def cut(ends, *after):
    """Nothing passes, nobody gets through; then as `after` says."""
    ends.proxy.tell("silent", "stall")
    time.sleep(SECONDS)
    ends.proxy.tell("accept", *after)


@fault
def cut_classic():
    ends = Proxied("replay", "classic")
    return disturbed(ends, lambda: cut(ends, "cut", "resume"))


@fault
def cut_quorum():
    ends = Proxied("move", "quorum")
    return disturbed(ends, lambda: cut(ends, "cut", "resume"))


@fault
def cut_and_connections_live():
    ends = Proxied("move", "classic")
    return disturbed(ends, lambda: cut(ends, "resume"))


@fault
def cut_kafka():
    """Kafka tells its own address, past any proxy: it is stopped instead, which looks the same from here."""
    ends = KafkaEnds("replay", None)
    with open(os.path.join(ROOT, "build/lab/pid/kafka"), encoding="ascii") as f:
        pid = int(f.readline())

    def stop():
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(SECONDS)
        finally:
            os.kill(pid, signal.SIGCONT)
    return disturbed(ends, stop)


# ---------------------------------------------------------------------------- a destination that does not take them

def full(queue_type):
    ends = RabbitEnds("move", queue_type)
    sent = ends.fill(COUNT)
    ends.to = ends.rabbit.queue(ends.to + "-full", queue_type, **{"x-max-length": 300, "x-overflow": "reject-publish"})
    code, said = finish(begin(ends))
    account = account_of()
    expect(code == 6 and "failed in a row" in account["note"], "exit code %d: %s" % (code, account["note"] or said))
    return check(ends, sent, account, whole=False)


@fault
def full_classic():
    return full("classic")


@fault
def full_quorum():
    return full("quorum")


@fault
def missing_from_the_first():
    ends = RabbitEnds("move", "classic")
    sent = ends.fill(COUNT)
    ends.rabbit.call("DELETE", "queues/%2f/" + ends.to)
    code, said = finish(begin(ends))
    expect(code == 1 and "no queue" in said, "exit code %d: %s" % (code, said))
    expect(sorted(ends.at_source()) == sorted(sent), "the source is not what it was")
    return "all %d at the source" % COUNT


@fault
def missing_in_the_middle():
    """What had arrived is gone with the queue; no more than that."""
    ends = RabbitEnds("move", "quorum")
    sent = ends.fill(COUNT)
    process = begin(ends, *SLOWLY)
    has_begun(ends)
    ends.rabbit.call("DELETE", "queues/%2f/" + ends.to)
    code, said = finish(process)
    account, left = account_of(whole=False), ends.rabbit.drain(ends.source)
    rows = run("journal", account["id"], "--json", "--limit", str(2 * COUNT)).stdout.decode().splitlines()
    arrived = sum(1 for row in rows if json.loads(row)["outcome"] in ("done", "arrived", "in doubt"))
    expect(code in (1, 6) and account["state"] in ("partial", "interrupted"), "exit code %d: %s" % (code, said))
    expect(sent[len(sent) - len(left):] == left, "not the rest is at the source")
    expect(COUNT - len(left) <= arrived, "%d left, and %d have arrived" % (len(left), arrived))
    return "%d at the source, %d had arrived, %s" % (len(left), arrived, account["state"])


@fault
def refusing():
    """A login that may read and not write."""
    ends = RabbitEnds("move", "classic")
    name = "reader-%d" % os.getpid()
    ends.rabbit.call("PUT", "users/" + name, {"password": "reader", "tags": "monitoring"})
    ends.rabbit.call("PUT", "permissions/%2f/" + name, {"configure": ".*", "write": "^$", "read": ".*"})
    sent = ends.fill(COUNT)
    try:
        words = [w.replace("guest@", name + "@") for w in ends.command()]
        done = subprocess.run([PROGRAM, *words], env=dict(os.environ, SIGNALBOX_PASSWORD="reader"), stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, check=False)
    finally:
        ends.rabbit.call("DELETE", "users/" + name)
    expect(done.returncode in (5, 6), "exit code %d: %s" % (done.returncode, done.stderr.decode()))
    expect(ends.at_source() == sent and not ends.at_destination(), "the source is not what it was")
    return "all %d at the source, exit code %d" % (COUNT, done.returncode)


@fault
def unroutable():
    """Dead letters whose queue is not there any more."""
    ends = RabbitEnds("replay", "classic")
    sent = ends.fill(COUNT)
    ends.rabbit.call("DELETE", "queues/%2f/" + ends.to)
    code, said = finish(begin(ends))
    expect(code == 6, "exit code %d: %s" % (code, said))
    expect(ends.rabbit.drain(ends.source, COUNT) == sent, "the source is not what it was")
    return "all %d at the source" % COUNT


# ---------------------------------------------------------------------------- a full disk

@contextlib.contextmanager
def small_disk(kilobytes):
    """The state directory on a file system of its own; gives what makes it larger."""
    home = tempfile.mkdtemp()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dk" % kilobytes, "signalbox", home], check=True)
    before, os.environ["XDG_STATE_HOME"] = os.environ["XDG_STATE_HOME"], home
    try:
        yield lambda: subprocess.run(["mount", "-o", "remount,size=64m", home], check=True)
    finally:
        os.environ["XDG_STATE_HOME"] = before
        subprocess.run(["umount", home], check=True)
        os.rmdir(home)


def on_full_disk(ends, kilobytes):
    sent = ends.fill(COUNT)
    with small_disk(kilobytes) as enlarge:
        code, said = finish(begin(ends))
        expect(code in (1, 6) and ("full" in said or "No space" in said), "exit code %d: %s" % (code, said))
        enlarge()
        return check(ends, sent, account_of())


@fault
def disk_full_of_journal():
    return on_full_disk(RabbitEnds("move", "classic"), 400)


@fault
def disk_full_of_journal_kafka():
    return on_full_disk(KafkaEnds("copy", None), 250)


@fault
def disk_full_of_archive():
    """Nothing is removed that is not archived."""
    ends = RabbitEnds("purge", "quorum")
    sent = ends.fill(COUNT)
    with small_disk(700) as enlarge:
        code, said = finish(begin(ends))
        expect(code in (1, 6) and ("full" in said or "No space" in said), "exit code %d: %s" % (code, said))
        expect(not archived(), "an archive stands that was not finished")
        enlarge()
        resume()
        finish(begin(ends))                          # what was resumed may have ended without any message
        account = journaled()
        return check(ends, sent, account)


# ---------------------------------------------------------------------------- others at work

def two_at_once(ends, count=COUNT, same_journal=True):
    sent = ends.fill(count)
    homes = [os.environ["XDG_STATE_HOME"], os.environ["XDG_STATE_HOME"] if same_journal else tempfile.mkdtemp()]
    ended = [finish(p) for p in [begin(ends, home=h) for h in homes]]
    counts, states = {"in_doubt": 0, "failed": 0, "done": 0}, []
    for home in dict.fromkeys(homes):
        os.environ["XDG_STATE_HOME"] = home
        resume()
        for line in run("journal", "--json", codes=(0, 4)).stdout.decode().splitlines():
            account = json.loads(line)
            states.append(account["state"])
            for name in counts:
                counts[name] += account["counts"][name] or 0
    os.environ["XDG_STATE_HOME"] = homes[0]
    expect(any(code == 0 for code, _ in ended), "both failed: %s" % ended)
    return check(ends, sent, {"counts": counts, "state": "/".join(states), "note": ""}, whole=False, ordered=False)


@fault
def two_at_once_classic():
    return two_at_once(RabbitEnds("replay", "classic"))


@fault
def two_at_once_quorum():
    return two_at_once(RabbitEnds("replay", "quorum"), same_journal=False)


@fault
def two_at_once_kafka():
    return two_at_once(KafkaEnds("replay", None))


@fault
def two_at_once_kafka_elsewhere():
    """Each with a journal of its own: the later one cuts the earlier one off, and knows its copies by their stamps."""
    return two_at_once(KafkaEnds("replay", None), same_journal=False)


@fault
def still_written_to():
    """What comes while it works stays, or is taken; each once."""
    ends = RabbitEnds("move", "classic")
    sent = ends.fill(COUNT)
    from servers import Rabbit, rabbit_row
    writer = Rabbit()

    def write():
        for n in range(COUNT, 2 * COUNT, 100):
            writer.connected().publish(ends.source, [ends.message(i) for i in range(n, n + 100)])
    for n in range(COUNT, 2 * COUNT):
        properties, body = ends.message(n)
        sent.append(rabbit_row({**properties, "headers": tuple(properties["headers"])}, body))
    thread = threading.Thread(target=write)
    process = begin(ends, *SLOWLY)
    thread.start()
    code, said = finish(process)
    thread.join()
    expect(code == 0, "exit code %d: %s" % (code, said))
    ends.expected = 2 * COUNT
    account = account_of()
    expect(account["counts"]["done"] >= COUNT, "only %d were moved" % account["counts"]["done"])
    return check(ends, sent, account, whole=False)


@fault
def still_written_to_kafka():
    ends = KafkaEnds("copy", None)
    ends.fill(COUNT)
    process = begin(ends, *SLOWLY)
    more = os.path.join(os.environ["XDG_STATE_HOME"], "fill.jsonl")
    run("import", more, ends.source_address(), "--execute", "--quiet")
    code, said = finish(process)
    expect(code == 0, "exit code %d: %s" % (code, said))
    account, arrived, source = account_of(), ends.at_destination(), ends.at_source()
    done = account["counts"]["done"]
    expect(COUNT <= done <= 2 * COUNT and len(arrived) == done, "%d done, %d arrived" % (done, len(arrived)))
    for lane in range(3):
        mine, all_of = [r for r in arrived if r.lane == lane], [r for r in source if r.lane == lane]
        expect(mine == all_of[:len(mine)], "partition %d has not the beginning of its source" % lane)
    return "%d of %d copied" % (done, len(source))


def goes_round(ends, sent):
    code, said = finish(begin(ends), 60)
    expect(code in (0, 6), "exit code %d: %s" % (code, said))
    account = account_of()
    there = ends.rabbit.drain(ends.source, len(sent))
    expect(sorted(r.id for r in there) == [r.id for r in sent], "%d of %d are there" % (len(there), len(sent)))
    known = {r.id: r for r in sent}
    expect(all(known[r.id] == r for r in there), "some are changed")
    return "all %d are there once, %s %s" % (len(there), account["state"], json.dumps(account["counts"]))


def comes_round(queue_type):
    """A move to an exchange that routes to where they come from."""
    ends = RabbitEnds("move", queue_type)
    exchange = ends.to + "-x"
    ends.rabbit.call("PUT", "exchanges/%2f/" + exchange, {"type": "fanout", "auto_delete": True})
    ends.rabbit.call("POST", "bindings/%%2f/e/%s/q/%s" % (exchange, ends.source), {})
    ends.to = "exchange:" + exchange
    return goes_round(ends, ends.fill(COUNT))


@fault
def comes_round_classic():
    return comes_round("classic")


@fault
def comes_round_quorum():
    return comes_round("quorum")


@fault
def dies_again_at_once():
    """A replay to a queue in which every message expires into the dead letters that it came from."""
    ends = RabbitEnds("replay", "classic")
    sent = ends.fill(COUNT)
    ends.rabbit.call("DELETE", "queues/%2f/" + ends.to)
    ends.rabbit.queue(ends.to, "classic", **{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": ends.source, "x-message-ttl": 0})
    return goes_round(ends, sent)


# ---------------------------------------------------------------------------- all of them

def with_disks():
    """Small file systems are mounted in a name space of our own; False: that is not allowed here."""
    if os.environ.get("SB_DISKS"):
        return True
    if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        return False
    os.environ["SB_DISKS"] = "1"
    os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])


def prove(name):
    os.environ["XDG_STATE_HOME"] = home = tempfile.mkdtemp()
    at = time.monotonic()
    try:
        said, kept = FAULTS[name](), True
    except (Wrong, subprocess.CalledProcessError, SystemExit) as e:
        said, kept = "WRONG: %s" % e, False
    print("%s, %.0f s: %s" % (name, time.monotonic() - at, said), flush=True)
    shutil.rmtree(home)
    return kept


def main():
    global SECONDS
    words = sys.argv[1:]
    if words[:1] == ["--list"]:
        return print("\n".join(FAULTS))
    if any("disk" in w for w in words) and not with_disks():
        words = [w for w in words if "disk" not in w]
        print("skip disk-full: no file system can be mounted here")
    if words[:1] == ["--seconds"]:
        SECONDS, words = int(words[1]), words[2:]
    made, new = [], RabbitEnds.__init__

    def remember(ends, *arguments):
        new(ends, *arguments)
        made.append(ends)
    RabbitEnds.__init__ = remember
    kept = 0
    for name in words:
        kept += prove(name)
        while made:
            made.pop().end()
    print("%d of %d kept" % (kept, len(words)))
    return kept != len(words)


if __name__ == "__main__":
    sys.exit(main())
