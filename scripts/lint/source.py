"""What the lint checks share: which files there are, C without its comments and strings, how a finding is printed."""
import os
import re
import sys

PRODUCT = ("src", "decoders", "probes", "ui")


def root():
    """The tree to look at: the first argument, or the one that this script lies in."""
    here = os.path.dirname(os.path.abspath(__file__))
    return os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(here))


def files(top, folders, endings):
    """Paths below TOP, relative to it, in order."""
    found = []
    for folder in folders:
        for where, below, names in os.walk(os.path.join(top, folder)):
            below.sort()
            found += [os.path.relpath(os.path.join(where, n), top) for n in sorted(names) if n.endswith(endings)]
    return found


def read(top, path):
    with open(os.path.join(top, path), encoding="utf-8", errors="replace") as f:
        return f.read()


TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def bare(text, keep_strings=False):
    """C with comments, and the insides of strings, replaced by blanks; line numbers stay."""
    def blank(m):
        s = m[0]
        if s[0] == "/":
            return re.sub(r"[^\n]", " ", s)
        return s if keep_strings else s[0] + " " * (len(s) - 2) + s[0]
    return TOKEN.sub(blank, text)


class Findings:
    def __init__(self):
        self.errors = self.warnings = 0

    def error(self, path, line, why):
        self.errors += 1
        print("%s:%d: %s" % (path, line, why))

    def warning(self, path, line, why):
        self.warnings += 1
        print("%s:%d: warning: %s" % (path, line, why))

    def finish(self):
        sys.exit(1 if self.errors else 0)
