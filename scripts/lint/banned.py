#!/usr/bin/env python3
"""Functions that don't exist here, and words that mean "unfinished". Usage: banned.py [TREE]

Exceptions stand in scripts/lint/allowances: PATH FUNCTION REASON, one a line. One that nothing needs is a finding."""
import os
import re

import source

EVERYWHERE = {
    "strcpy": "no bound; use snprintf or memcpy with a length",
    "strcat": "no bound; use a buffer",
    "stpcpy": "no bound; use memcpy with a length",
    "sprintf": "no bound; use snprintf",
    "vsprintf": "no bound; use vsnprintf",
    "gets": "no bound",
    "strncpy": "leaves no terminator; use snprintf or memcpy",
    "strncat": "its bound is not what one thinks; use a buffer",
    "strtok": "keeps hidden state; walk the bytes",
    "alloca": "no bound on the stack",
    "atoi": "hides errors; parse with limits",
    "atol": "hides errors; parse with limits",
    "atoll": "hides errors; parse with limits",
    "atof": "hides errors; parse with limits",
    "scanf": "overflows and hides errors", "fscanf": "overflows and hides errors",
    "sscanf": "overflows and hides errors", "vscanf": "overflows and hides errors",
    "vsscanf": "overflows and hides errors", "vfscanf": "overflows and hides errors",
    "tmpnam": "a race; use mkstemp", "mktemp": "a race; use mkstemp", "tempnam": "a race; use mkstemp",
    "localtime": "shares one buffer; use localtime_r", "gmtime": "shares one buffer; use gmtime_r",
    "ctime": "shares one buffer; use strftime", "asctime": "shares one buffer; use strftime",
    "gethostbyname": "use getaddrinfo", "inet_ntoa": "use inet_ntop", "inet_addr": "use inet_pton",
}
PRODUCT = {
    "system": "a shell nobody asked for", "popen": "a shell nobody asked for",
    "pthread_cancel": "cancellation is an object here", "pthread_kill": "cancellation is an object here",
    "sleep": "wait on something that can be woken", "usleep": "wait on something that can be woken",
    "exit": "only main exits; give an error back", "_exit": "only main exits; give an error back",
    "quick_exit": "only main exits; give an error back", "_Exit": "only main exits; give an error back",
    "abort": "give an error back, or assert",
    "rand": "not for anything; use getrandom", "srand": "not for anything; use getrandom",
    "longjmp": "give an error back",
    "pthread_create": "use thread_start, whose threads leave signals alone",
}
PRINTING = {
    "printf": "", "vprintf": "", "dprintf": "", "vdprintf": "", "puts": "", "putchar": "", "perror": "", "putchar_unlocked": "",
}
PRINT_WHY = "only src/cli, src/main.c and ui/term.c write there; below them, give an event or write to the log"
EXIT_HOME = ("src/main.c",)
PRINT_HOME = ("src/main.c", "src/cli/", "ui/term.c")
# The bare word, since a function is also used where it isn't called; o.exit and h->exit are members.
NAME = re.compile(r"(?<![\w.])(?<!->)([A-Za-z_]\w*)")
STREAM = re.compile(r"(?<![\w.>])(v?fprintf|fputs|fputc|putc|fwrite|fflush|write)\s*\(([^;]*?)\)\s*[;,)&|?]", re.S)
WORDS = re.compile(r"\b(TODO|FIXME|XXX)\b|\b(not (?:yet )?implemented)\b", re.I)
TEXT = (".c", ".h", ".def", ".py", ".sh", ".md", ".1", ".mk", ".yaml", ".yml", ".theme", ".default")


def allowances(top, out):
    path, allowed = "scripts/lint/allowances", {}
    if os.path.exists(os.path.join(top, path)):
        for n, line in enumerate(source.read(top, path).splitlines(), 1):
            words = line.split(None, 2)
            if not words or words[0].startswith("#"):
                continue
            if len(words) < 3 or len(words[2]) < 10:
                out.error(path, n, "an allowance is PATH FUNCTION REASON")
            else:
                allowed[words[0], words[1]] = n
    return path, allowed


def calls(top, path, out, allowed, used):
    product = path.startswith(tuple(f + "/" for f in source.PRODUCT))
    text = source.bare(source.read(top, path))

    def found(name, at, why):
        if (path, name) in allowed:
            used.add((path, name))
        else:
            out.error(path, text.count("\n", 0, at) + 1, "%s: %s" % (name, why))

    for m in NAME.finditer(text):
        name = m[1]
        if name in EVERYWHERE:
            found(name, m.start(), EVERYWHERE[name])
        elif product and name in PRODUCT and not (name == "exit" and path in EXIT_HOME):
            found(name, m.start(), PRODUCT[name])
        elif product and name in PRINTING and not path.startswith(PRINT_HOME):
            found(name, m.start(), PRINT_WHY)
    if product and not path.startswith(PRINT_HOME):
        for m in STREAM.finditer(text):
            if re.search(r"\b(stdout|stderr|STDOUT_FILENO|STDERR_FILENO)\b", m[2]):
                found(m[1], m.start(), PRINT_WHY)


def words(top, path, out):
    for n, line in enumerate(source.read(top, path).splitlines(), 1):
        m = WORDS.search(line)
        if m and (m[1] is None or m[1].isupper() or m[1].lower() != "xxx"):
            out.error(path, n, '"%s": finish it, or leave it out' % m[0])


def main():
    top, out, used = source.root(), source.Findings(), set()
    where, allowed = allowances(top, out)
    for path in source.files(top, source.PRODUCT + ("tests",), (".c", ".h", ".def")):
        calls(top, path, out, allowed, used)
    for key in sorted(set(allowed) - used):
        out.error(where, allowed[key], "nothing needs the allowance of %s in %s" % (key[1], key[0]))
    folders = source.PRODUCT + ("tests", "docs", "man", "themes", "scripts")
    here = [p for p in source.files(top, folders, TEXT) if not p.startswith(("tests/lint/", "scripts/lint/"))]
    here += [p for p in sorted(os.listdir(top)) if p == "Makefile" or p.endswith(".md")]
    for path in here:
        words(top, path, out)
    out.finish()


main()
