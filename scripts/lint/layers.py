#!/usr/bin/env python3
"""The layer law: a file includes only files of its own floor or of a lower one, and names no concrete module by a declaration
of its own; each foreign library enters through one door. Usage: layers.py [TREE]"""
import os
import re

import source

# Longest prefix wins. (floor, room)
FLOORS = {
    "src/base/": (0, "base"), "src/model/": (1, "model"), "src/net/": (2, "net"), "decoders/": (2, "decoders"),
    "src/brokers/": (3, "brokers"), "probes/": (3, "probes"), "src/engine/": (4, "engine"),
    "src/operations/": (4, "operations"),
    "src/cli/": (5, "cli"), "ui/": (5, "ui"),
    "src/main.": (6, "main"), "src/demo/": (6, "demo"), "src/registry.": (6, "registry"),
}

# On the same floor or downwards, and forbidden all the same.
TOP = "only main, the registry and the demo name concrete modules; everything else goes through the contracts"
STRANGERS = {
    ("decoders", "net"): "decoders are pure: bytes in, field tree out, no I/O",
    ("brokers", "probes"): "brokers and probes never see each other",
    ("probes", "brokers"): "brokers and probes never see each other",
    **{(room, other): TOP for room in ("engine", "operations", "cli", "ui") for other in ("brokers", "probes")},
    ("cli", "ui"): "the two faces don't know each other; what both need belongs to the engine",
    ("ui", "cli"): "the two faces don't know each other; what both need belongs to the engine",
}

# library: (its headers, where they may be included, how many files may do so)
DOORS = {
    "librdkafka": (r"librdkafka/.*", r"src/brokers/kafka.*", 0),
    "rabbitmq-c": (r"rabbitmq-c/.*|amqp(_\w+)?\.h", r"src/brokers/rabbitmq.*", 0),
    "libzmq": (r"zmq(_\w+)?\.h", r"src/brokers/zeromq.*", 0),
    "libcurl": (r"curl/.*", r"src/net/.*", 0),
    "nghttp2": (r"nghttp2/.*", r"src/net/.*", 0),
    "OpenSSL": (r"openssl/.*", r"src/base/hash\.c|src/net/.*|src/brokers/rabbitmq.*", 0),
    "cJSON": (r"(cjson/)?cJSON(_Utils)?\.h", r"tests/.*", 0),
    "curses": (r"(ncursesw?/)?(n?curses|term|panel|menu|form|unctrl|termcap)\.h", r"ui/term\.c", 1),
    "libyaml": (r"yaml\.h", r"src/engine/config.*", 0),
    "zlib and zstd": (r"zlib\.h|zstd\w*\.h|lz4\w*\.h|snappy-c\.h", r"decoders/unwrap.*", 0),
    "PCRE2": (r"pcre2\w*\.h", r"src/base/regex\.c", 1),
    "SQLite": (r"sqlite3\.h", r"src/engine/db\.c", 1),
    "libxml2": (r"libxml/.*", r"decoders/.*", 1),
    "protobuf-c": (r"protobuf-c/.*", r"decoders/.*", 1),
    "Avro": (r"avro(/.*|\.h)", r"decoders/avro.*", 0),
}

# What the C library and the kernel bring.
LIBC = re.compile(r"""(
    (assert|complex|ctype|errno|fenv|float|inttypes|iso646|limits|locale|math|setjmp|signal|stdalign|stdarg|stdatomic|
     stdbool|stddef|stdint|stdio|stdio_ext|stdlib|stdnoreturn|string|tgmath|threads|time|uchar|wchar|wctype|
     aio|dirent|dlfcn|endian|err|fcntl|fnmatch|ftw|getopt|glob|grp|iconv|ifaddrs|langinfo|libgen|malloc|mqueue|netdb|
     nl_types|poll|printf|pthread|pty|pwd|regex|resolv|sched|search|semaphore|spawn|strings|sysexits|syslog|termios|
     unistd|utime|utmp|wordexp|byteswap|execinfo|features|alloca|link|paths)\.h
    | (sys|netinet|arpa|net|linux|asm|bits|sanitizer)/.*
    | \w*intrin\.h | cpuid\.h
)""", re.X)

INCLUDE = re.compile(
    r'^[ \t]*(?:#|%:|\?\?=)[ \t]*(?:include(?:_next)?|import)\b[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)?', re.M)


# A variable that a declaration brings in without an include. (What has a bracket is a function.)
EXTERN = re.compile(r"\bextern\b([^;{}()]*?)\bstruct\s+(\w+)([^;{}()]*)[;=]")

# A second name for a struct, under which the declaration above would not be seen. (A pointer's or a function's is none.)
TYPEDEF = re.compile(r"\btypedef\b[^;{}()*]*?\bstruct\b\s*(?:\w+\s*)?(?:\{|(?:\w+\s+)?(\w+)\s*;)")

# struct: the room whose headers declare such variables.
CONCRETE = {"broker_ops": "brokers", "probe_ops": "probes", "decoder_ops": "decoders", "view_ops": "ui",
            "registry": "registry"}


def floor(path):
    best = max((p for p in FLOORS if path.startswith(p)), key=len, default=None)
    return FLOORS[best] if best else None


def module(path, room):
    """Of src/brokers/kafka_groups.c and src/brokers/kafka/groups.c alike: kafka."""
    return re.split(r"[/._-]", path.split("/" + room + "/", 1)[-1].removeprefix(room + "/"))[0]


def resolve(top, path, name):
    for base in ("", "src", os.path.dirname(path)):
        candidate = os.path.normpath(os.path.join(base, name))
        if os.path.exists(os.path.join(top, candidate)):
            return candidate
    return None


def inner(top, path, line, name, out):
    """An include of a file of our own."""
    target = resolve(top, path, name)
    if target is None:
        if not name.endswith(".inc"):       # made under build/gen
            out.error(path, line, '"%s" is no file of this tree' % name)
        return
    here, there = floor(path), floor(target)
    if there is None:
        out.error(path, line, '"%s" belongs to no floor of the house; only tests may include it' % target)
    elif there[0] > here[0]:
        out.error(path, line, 'floor %d (%s) may not include floor %d (%s): "%s"' % (here + there + (target,)))
    elif (here[1], there[1]) in STRANGERS:
        out.error(path, line, '%s may not include "%s": %s' % (here[1], target, STRANGERS[here[1], there[1]]))
    elif here[1] == there[1] and here[1] in ("brokers", "probes"):
        mine, theirs = module(path, here[1]), module(target, there[1])
        if mine != theirs and theirs != "common":
            out.error(path, line, '%s of %s may not include "%s" of %s: one of a kind never sees another'
                      % (here[1], mine, target, theirs))


def outer(path, line, name, out, seen):
    """An include of the system or of a library."""
    for library, (headers, doors, most) in DOORS.items():
        if re.fullmatch(headers, name):
            if not re.fullmatch(doors, path):
                out.error(path, line, "<%s>: %s enters only through %s" % (name, library, doors.replace("\\", "")))
            elif most:
                users = seen.setdefault(library, [])
                if path not in users:
                    users.append(path)
                if len(users) > most:
                    out.error(path, line, "<%s>: %s has its one door in %s already" % (name, library, users[0]))
            return
    if not LIBC.fullmatch(name):
        out.error(path, line, "<%s>: an unknown library; give it a door in scripts/lint/layers.py" % name)


def declared(path, line, struct, names, out):
    """An extern declaration: where a module is declared, its name is known."""
    home = CONCRETE.get(struct)
    here = floor(path)
    if not home or here[0] == FLOORS["src/main."][0]:
        return
    if here[1] != home:
        out.error(path, line, "%s declares a struct %s of %s by itself: %s" % (here[1], struct, home, TOP))
    elif home in ("brokers", "probes"):
        mine = module(path, home)
        for name in names:
            if not name.startswith(mine + "_"):
                out.error(path, line, "%s of %s may not declare %s: one of a kind never sees another"
                          % (home, mine, name))


def main():
    top, out, seen = source.root(), source.Findings(), {}
    for path in source.files(top, source.PRODUCT, (".c", ".h", ".def")):
        if floor(path) is None:
            out.error(path, 1, "this file belongs to no floor of the house")
            continue
        text = source.bare(source.read(top, path), keep_strings=True)
        for m in INCLUDE.finditer(text):
            line = text.count("\n", 0, m.start()) + 1
            if m[1]:
                inner(top, path, line, m[1], out)
            elif m[2]:
                outer(path, line, m[2], out, seen)
            else:
                out.error(path, line, "an include is written out, since nobody sees what a macro includes")
        for m in EXTERN.finditer(text):
            names = re.findall(r"\w+(?=\s*(?:\[[^\]]*\]\s*)*(?:,|$))", m[3])
            declared(path, text.count("\n", 0, m.start()) + 1, m[2], names, out)
        for m in TYPEDEF.finditer(text):
            out.error(path, text.count("\n", 0, m.start()) + 1,
                      "a struct has one name, by which it is found: write struct instead of a typedef")
    out.finish()


main()
