"""kill -9 in the middle of an operation, then `resume`, as often as one wishes (one time in four the resume is killed, too); what is where is
counted by the broker's own means, and what arrived is compared whole: bytes, properties, headers with their types, order.

    crash.py SERVERS KIND KILLS [MESSAGES]
        SERVERS: rabbitmq-classic rabbitmq-quorum kafka, and rabbitmq-classic-kafka for a move from one to the other
        KIND: replay resend move copy purge restore, and on RabbitMQ dedupe and pick (a purge of every second one)

Prints a line a kill and `N of KILLS kept` at the end; fails where a message was lost or changed, or doubled and not reported in doubt."""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from ends import RabbitToKafka, choose, journaled, resume
from servers import PROGRAM, run


# ---------------------------------------------------------------------------- a run

def start(*words):
    return subprocess.Popen([PROGRAM, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_after(process, seconds):
    """Its exit code, where it had ended by then."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return None


def one_kill(ends, count, home, whole):
    """What became of it, and what is wrong."""
    os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(dir=home)
    sent, after = ends.fill(count), random.uniform(0, whole * 1.05)
    ended, again = kill_after(start(*ends.command()), after), ""
    if random.random() < 0.25:
        second = random.uniform(0, whole)
        kill_after(start("resume", "--quiet"), second)
        again = ", its resume after %.3f s" % second
    account = resume() or journaled()
    destination, source = ends.at_destination(), ends.at_source()
    wrong = ends.judge(sent, source, destination, account)
    if not account and ended == 0:
        wrong = "it had ended, and the journal does not know it"
    late = ends.left_over()
    if late:
        wrong += "%s%d came later" % (", " if wrong else "", len(late))
    if wrong and os.environ.get("SB_KEEP_STATE"):
        print("its state: " + os.environ["XDG_STATE_HOME"])
    else:
        shutil.rmtree(os.environ["XDG_STATE_HOME"])
    return "after %.3f s%s: %s%d at the destination, %d at the source, %s" % (
        after, again, "WRONG: " + wrong + ": " if wrong else "", len(destination), len(source),
        "%s %s" % (account["state"], json.dumps(account["counts"])) if account else "it had not begun"), wrong


def undisturbed(ends, count, home):
    """How long a whole one takes; it must be right."""
    os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(dir=home)
    sent, began = ends.fill(count), time.monotonic()
    done = run(*ends.command(), "--json")
    whole = time.monotonic() - began
    account = json.loads(done.stdout.decode().splitlines()[-1])
    destination, source = ends.at_destination(), ends.at_source()
    if isinstance(ends, RabbitToKafka):
        ends.learn(sent, destination)
        sent = [row._replace(essence=ends.becomes[row.id]) for row in sent]
    wrong = ends.judge(sent, source, destination, account)
    ends.left_over()
    if wrong:
        raise SystemExit("a whole one, not killed: " + wrong)
    print("a whole %s of %d takes %.2f s" % (ends.kind, count, whole), flush=True)
    return whole


def main():
    servers, kind, kills, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int((sys.argv[4:] or ["10000"])[0])
    random.seed(os.environ.get("SB_SEED"))
    good, ends, home = 0, choose(servers, kind), tempfile.mkdtemp()
    try:
        whole = undisturbed(ends, count, home)
        for k in range(kills):
            what, wrong = one_kill(ends, count, home, whole)
            good += not wrong
            print("kill %d %s" % (k + 1, what), flush=True)
    finally:
        ends.end()
        if good == kills or not os.environ.get("SB_KEEP_STATE"):
            shutil.rmtree(home)
    print("%d of %d kept" % (good, kills))
    return 0 if good == kills else 1


sys.exit(main())
