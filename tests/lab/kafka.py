"""Apache Kafka, one process in KRaft mode (no ZooKeeper), on loopback.

Ports: base+0 PLAINTEXT, +1 SASL_PLAINTEXT (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512), +2 SSL (client certificate taken but
not asked for), +3 the controller, +4 SASL_SSL, +5 SSL that demands a client certificate. Users: `lab` may do everything, `nobody`
may log in and do nothing. The jars come from Maven Central by coordinates, once, into the cache. LAB_KAFKA_VERSION chooses
another version, LAB_KAFKA_HEAP a larger heap (benchmarks want 2g)."""
import base64
import fcntl
import os
import shutil
import subprocess

import common

VERSION = os.environ.get("LAB_KAFKA_VERSION") or "3.9.2"
DIR = os.path.join(common.LAB, "kafka")
CACHE = os.path.join(common.CACHE, "kafka-" + VERSION)
USER, PASSWORD = "lab", "lab-secret"
NOBODY, NOBODY_PASSWORD = "nobody", "nobody-secret"
JAVA_PACKAGES = "default-jre-headless"

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>signalbox.lab</groupId><artifactId>kafka</artifactId><version>1</version>
<packaging>pom</packaging>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>%(version)s</version>
</dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>%(version)s</version>
<exclusions><exclusion><groupId>org.apache.kafka</groupId><artifactId>connect-runtime</artifactId></exclusion>
</exclusions></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
"""


def fetch():
    """Fills the cache; several labs may want it at the same time."""
    java = common.need("java", JAVA_PACKAGES)
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(os.path.join(CACHE, "complete")):
            return java
        maven = common.need("mvn", "maven " + JAVA_PACKAGES)
        common.say("fetching Kafka %s (50 MB, once) into %s" % (VERSION, CACHE))
        work = os.path.join(CACHE, "work")
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(work)
        with open(os.path.join(work, "pom.xml"), "w", encoding="ascii") as f:
            f.write(POM % {"version": VERSION})
        output = os.path.join(CACHE, "maven.log")
        with open(output, "w", encoding="utf-8") as out:
            code = subprocess.call(
                [maven, "-B", "-q", "--strict-checksums", "-Dmaven.repo.local=" + os.path.join(work, "repository"),
                 "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies", "-DincludeScope=runtime",
                 "-DoutputDirectory=" + os.path.join(work, "lib")],
                cwd=work, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        if code != 0:
            shutil.rmtree(work, ignore_errors=True)
            raise common.Absent("Kafka %s cannot be fetched from Maven Central; see %s" % (VERSION, output))
        for jar in os.listdir(os.path.join(work, "lib")):
            if jar.startswith("slf4j-reload4j"):        # Kafka's own logger; ours is the simple one
                os.remove(os.path.join(work, "lib", jar))
        shutil.rmtree(os.path.join(CACHE, "lib"), ignore_errors=True)
        os.rename(os.path.join(work, "lib"), os.path.join(CACHE, "lib"))
        shutil.rmtree(work, ignore_errors=True)
        with open(os.path.join(CACHE, "complete"), "w", encoding="ascii") as f:
            f.write(VERSION + "\n")
    return java


def class_archive(java):
    """Where the JVM's archive of loaded classes lies; with it, a start takes half the time."""
    real = os.stat(os.path.realpath(java))
    return os.path.join(CACHE, "classes-%d-%d.jsa" % (real.st_size, int(real.st_mtime)))


def jvm(java, level, *extra):
    heap = os.environ.get("LAB_KAFKA_HEAP")
    flags = ["-Xms512m", "-Xmx" + heap, "-XX:+UseG1GC"] if heap else [
        "-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    return [java, *flags, *extra, "-Xlog:disable", "-Xlog:all=error:stderr",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=" + level, "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS", "-Dsignalbox.lab=" + DIR,
            "-cp", os.path.join(CACHE, "lib", "*")]


def properties(port):
    login = "org.apache.kafka.common.security."
    values = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": "1@127.0.0.1:%d" % (port + 3),
        "controller.listener.names": "CONTROLLER",
        "listeners": "PLAINTEXT://127.0.0.1:%d,SASL_PLAINTEXT://127.0.0.1:%d,SSL://127.0.0.1:%d,"
                     "CONTROLLER://127.0.0.1:%d,SASL_SSL://127.0.0.1:%d,MUTUAL://127.0.0.1:%d" % tuple(
                         range(port, port + 6)),
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,"
                                          "CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,MUTUAL:SSL",
        "log.dirs": os.path.join(DIR, "data"),
        # Whoever comes without a name may do everything; `nobody` nothing.
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS;User:%s;User:CN=signalbox lab client" % USER,
        "auto.create.topics.enable": "true",
        "message.max.bytes": 33554432,
        "replica.fetch.max.bytes": 33554432,
        "offsets.topic.num.partitions": 4,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1000,
        # The groups of KIP-848: 4.0 serves them without asking, 3.9 as a preview.
        "group.coordinator.rebalance.protocols": "classic,consumer",
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
        "log.cleaner.dedupe.buffer.size": 4194304,
        "num.network.threads": 2,
        "num.io.threads": 2,
    }
    for name in ("sasl_plaintext", "sasl_ssl"):
        listener = "listener.name.%s." % name
        values[listener + "sasl.enabled.mechanisms"] = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
        values[listener + "plain.sasl.jaas.config"] = '%splain.PlainLoginModule required user_%s="%s" user_%s="%s";' % (
            login, USER, PASSWORD, NOBODY, NOBODY_PASSWORD)
        for kind in ("256", "512"):
            values[listener + "scram-sha-%s.sasl.jaas.config" % kind] = login + "scram.ScramLoginModule required;"
    for name, client in (("ssl", "requested"), ("sasl_ssl", "none"), ("mutual", "required")):
        listener = "listener.name.%s.ssl." % name
        values[listener + "keystore.type"] = values[listener + "truststore.type"] = "PEM"
        values[listener + "keystore.location"] = os.path.join(common.TLS, "server.both.pem")
        values[listener + "truststore.location"] = os.path.join(common.TLS, "ca.pem")
        values[listener + "client.auth"] = client
    return "".join("%s=%s\n" % (key, str(value).replace("\\", "\\\\")) for key, value in values.items())


def start(base):
    port = base
    if common.running("kafka"):
        return
    java = fetch()
    common.must_be_free(range(port, port + 6))
    os.makedirs(DIR, exist_ok=True)
    config = os.path.join(DIR, "server.properties")
    with open(config, "w", encoding="utf-8") as f:
        f.write(properties(port))
    archive = class_archive(java)
    known = ["-XX:SharedArchiveFile=" + archive] if os.path.exists(archive) else []
    if not os.path.exists(os.path.join(DIR, "data", "meta.properties")):
        identity = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=").replace("-", "x")
        with open(common.log("kafka-format"), "w", encoding="utf-8") as out:
            scram = [word for kind in ("256", "512") for user, password in ((USER, PASSWORD), (NOBODY, NOBODY_PASSWORD))
                     for word in ("--add-scram", "SCRAM-SHA-%s=[name=%s,password=%s]" % (kind, user, password))]
            code = subprocess.call(jvm(java, "warn", *known) + ["kafka.tools.StorageTool", "format", "-c", config, "-t",
                                                               identity, *scram],
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        if code != 0:
            raise common.Failed("Kafka's storage could not be prepared; see " + common.log("kafka-format"))
    # The first clean stop leaves a class archive behind.
    learn = [] if known else ["-XX:ArchiveClassesAtExit=" + os.path.join(DIR, "classes.jsa")]
    process = common.spawn("kafka", jvm(java, "info", *known, *learn) + ["kafka.Kafka", config],
                           "-Dsignalbox.lab=" + DIR)
    common.wait_for("kafka", process, lambda: common.kafka_up(port), 90)


def stop():
    stopped = common.stop("kafka", 40)
    learnt = os.path.join(DIR, "classes.jsa")
    if os.path.exists(learnt) and os.path.getsize(learnt):
        os.replace(learnt, class_archive(common.need("java", JAVA_PACKAGES)))
    return stopped


def env(base):
    at = "127.0.0.1:%d"
    return {"SB_KAFKA": at % base, "SB_KAFKA_SASL": at % (base + 1), "SB_KAFKA_USER": USER,
            "SB_KAFKA_PASSWORD": PASSWORD, "SB_KAFKA_NOBODY": NOBODY, "SB_KAFKA_NOBODY_PASSWORD": NOBODY_PASSWORD,
            "SB_KAFKA_TLS": at % (base + 2), "SB_KAFKA_SASL_TLS": at % (base + 4), "SB_KAFKA_MUTUAL": at % (base + 5),
            "SB_KAFKA_VERSION": VERSION, "SB_KAFKA_JARS": os.path.join(CACHE, "lib")}


def tool(arguments):
    """Any class on Kafka's class path, say org.apache.kafka.tools.TopicCommand."""
    java = fetch()
    archive = class_archive(java)
    known = ["-XX:SharedArchiveFile=" + archive] if os.path.exists(archive) else []
    os.execv(java, jvm(java, "warn", *known) + arguments)
