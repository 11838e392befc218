"""Debian's RabbitMQ, run directly (not through the distribution's wrapper, which changes the user), on loopback.

Ports: base+10 AMQP, +11 AMQP over TLS, +12 management, +13 streams, +14 epmd, +15 Erlang distribution.
Users: guest/guest (administrator), viewer (tag monitoring: sees everything in the management API, may read queues and
exchanges whose name begins with `orders` and change nothing), nomgmt (may do everything over AMQP, nothing in the
management API). Virtual hosts / and shop."""
import json
import os
import secrets

import common

DIR = os.path.join(common.LAB, "rabbitmq")
PLUGINS = ["rabbitmq_management", "rabbitmq_stream", "rabbitmq_stream_management", "rabbitmq_tracing", "rabbitmq_shovel",
           "rabbitmq_shovel_management", "rabbitmq_consistent_hash_exchange", "rabbitmq_random_exchange", "rabbitmq_sharding",
           "rabbitmq_recent_history_exchange"]
SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
CONTROL = "/usr/lib/rabbitmq/bin/rabbitmqctl"
ADMIN = ("guest", "guest")
VIEWER = ("viewer", "viewer-secret")
NOMGMT = ("nomgmt", "nomgmt-secret")


def path(*parts):
    return os.path.join(DIR, *parts)


def environment(base):
    """Everything that the node and its tools would otherwise look for in /etc and /var."""
    loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
    env = {key: value for key, value in os.environ.items() if not key.startswith(("RABBITMQ_", "ERL_"))}
    env.update(
        HOME=DIR, LANG="C.UTF-8", LC_ALL="C.UTF-8",
        ERL_EPMD_PORT=str(base + 14), ERL_EPMD_ADDRESS="127.0.0.1",
        RABBITMQ_NODENAME="signalbox-lab@localhost", RABBITMQ_DIST_PORT=str(base + 15),
        RABBITMQ_CONF_ENV_FILE=path("env.conf"), RABBITMQ_CONFIG_FILE=path("rabbitmq.conf"),
        RABBITMQ_ADVANCED_CONFIG_FILE=path("advanced.config"), RABBITMQ_ENABLED_PLUGINS_FILE=path("enabled_plugins"),
        RABBITMQ_MNESIA_BASE=path("data"), RABBITMQ_LOG_BASE=path("log"), RABBITMQ_SCHEMA_DIR=path("schema"),
        RABBITMQ_GENERATED_CONFIG_DIR=path("generated"), RABBITMQ_PID_FILE=path("node.pid"),
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=loopback + " +S 2:2",
        RABBITMQ_CTL_ERL_ARGS=loopback,
        # What this says to the start script: replace yourself by the node, so that its pid is ours.
        RUNNING_UNDER_SYSTEMD="true")
    env.pop("NOTIFY_SOCKET", None)
    return env


def definitions():
    def user(who, tags):
        return {"name": who[0], "password": who[1], "tags": tags}

    def may(who, vhost, configure, write, read):
        return {"user": who[0], "vhost": vhost, "configure": configure, "write": write, "read": read}

    return {
        "vhosts": [{"name": "/"}, {"name": "shop"}],
        "users": [user(ADMIN, "administrator"), user(VIEWER, "monitoring"), user(NOMGMT, "")],
        "permissions": [may(ADMIN, "/", ".*", ".*", ".*"), may(ADMIN, "shop", ".*", ".*", ".*"),
                        may(VIEWER, "/", "^$", "^$", "^orders.*"), may(NOMGMT, "/", ".*", ".*", ".*")],
    }


def configuration(base):
    tls = common.TLS
    return """listeners.tcp.1 = 127.0.0.1:%d
listeners.ssl.1 = 127.0.0.1:%d
ssl_options.cacertfile = %s/ca.pem
ssl_options.certfile = %s/server.pem
ssl_options.keyfile = %s/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = false
management.tcp.ip = 127.0.0.1
management.tcp.port = %d
stream.listeners.tcp.1 = 127.0.0.1:%d
stream.advertised_host = 127.0.0.1
stream.advertised_port = %d
collect_statistics_interval = 1000
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 1GB
max_message_size = 30000000
load_definitions = %s
log.console = false
""" % (base + 10, base + 11, tls, tls, tls, base + 12, base + 13, base + 13, path("definitions.json"))


def put(name, text):
    with open(path(name), "w", encoding="utf-8") as f:
        f.write(text)


def prepare(base):
    for folder in ("data", "log", "generated", "schema", "trace"):
        os.makedirs(path(folder), exist_ok=True)
    if not os.path.exists(path(".erlang.cookie")):
        put(".erlang.cookie", secrets.token_hex(16))
        os.chmod(path(".erlang.cookie"), 0o400)
    put("env.conf", "")
    put("rabbitmq.conf", configuration(base))
    put("definitions.json", json.dumps(definitions()))
    put("advanced.config", '[{rabbitmq_tracing, [{directory, "%s"}, {username, <<"guest">>}, {password, <<"guest">>}]}].\n'
        % path("trace"))
    put("enabled_plugins", "[%s].\n" % ",".join(PLUGINS))


def ready(base):
    greeting = b"AMQP\x00\x00\x09\x01"
    return (common.answers(base + 10, greeting, 1) == b"\x01" and
            common.answers(base + 11, greeting, 1, tls=True) == b"\x01" and
            common.answers(base + 12, b"GET / HTTP/1.0\r\n\r\n", 12).endswith(b"200"))


def start(base):
    if common.running("rabbitmq"):
        return
    if not os.access(SERVER, os.X_OK):
        raise common.Absent("no RabbitMQ on this machine; run: apt-get install -y --no-install-recommends "
                            "rabbitmq-server")
    epmd = common.need("epmd", "erlang-base")
    common.stop("epmd")
    common.must_be_free(range(base + 10, base + 16))
    prepare(base)
    # Our own epmd, so that its pid is known; otherwise the node leaves one behind.
    common.spawn("epmd", [epmd, "-address", "127.0.0.1", "-port", str(base + 14)], "\0-port\0%d\0" % (base + 14))
    process = common.spawn("rabbitmq", [SERVER, "-signalbox_lab", DIR], "-signalbox_lab\0" + DIR, env=environment(base),
                           cwd=DIR)
    try:
        common.wait_for("rabbitmq", process, lambda: ready(base), 120)
    except common.Failed:
        stop()
        raise


def stop():
    stopped = common.stop("rabbitmq", 40)
    common.stop("epmd", 5)
    return stopped


def env(base):
    at = "127.0.0.1:%d"
    return {"SB_RABBIT": at % (base + 10), "SB_RABBIT_TLS": at % (base + 11),
            "SB_RABBIT_MGMT": "http://127.0.0.1:%d" % (base + 12), "SB_RABBIT_STREAM": at % (base + 13),
            "SB_RABBIT_USER": ADMIN[0], "SB_RABBIT_PASSWORD": ADMIN[1],
            "SB_RABBIT_VIEWER": VIEWER[0], "SB_RABBIT_VIEWER_PASSWORD": VIEWER[1],
            "SB_RABBIT_NOMGMT": NOMGMT[0], "SB_RABBIT_NOMGMT_PASSWORD": NOMGMT[1]}


def control(base, arguments):
    os.execve(CONTROL, [CONTROL] + arguments, environment(base))
