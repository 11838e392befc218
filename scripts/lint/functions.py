#!/usr/bin/env python3
"""How long functions are (warning at 60 lines, error at 100) and how they branch (20 and 35). Usage: functions.py [TREE]

It relies on the layout that clang-format keeps: a function's braces stand alone in the first column. A branch is an if,
a loop, a switch (not its cases), a ?: or a short-circuit operator."""
import re

import source

WARN_LINES, MOST_LINES = 60, 100
WARN_BRANCHES, MOST_BRANCHES = 20, 35
BRANCH = re.compile(r"\b(?:if|for|while|switch)\b|&&|\|\||\?")
NAME = re.compile(r"(\w+)\s*\(")


def functions(text):
    """Gives (name, line of the name, lines between the braces, bare text of them)."""
    lines = source.bare(text).split("\n")
    opened = None
    for n, line in enumerate(lines):
        if line.rstrip() == "{" and opened is None:
            opened = n
        elif line.rstrip() == "}" and opened is not None:
            start = opened - 1
            while start > 0 and (lines[start].startswith((" ", "\t")) or not NAME.search(lines[start])):
                start -= 1
            m = NAME.search(lines[start])
            yield m[1] if m else "?", start + 1, n - opened - 1, "\n".join(lines[opened:n])
            opened = None


def main():
    top, out = source.root(), source.Findings()
    for path in source.files(top, source.PRODUCT + ("tests",), (".c", ".h")):
        for name, line, length, body in functions(source.read(top, path)):
            if name == "main" and path.startswith("tests/"):
                continue                # a list of tests
            branches = len(BRANCH.findall(body)) + 1
            if length > MOST_LINES:
                out.error(path, line, "%s has %d lines, the most is %d; split it" % (name, length, MOST_LINES))
            elif length > WARN_LINES:
                out.warning(path, line, "%s has %d lines; beyond %d it wants to be split" % (name, length, WARN_LINES))
            if branches > MOST_BRANCHES:
                out.error(path, line, "%s branches %d times, the most is %d; split it" % (name, branches, MOST_BRANCHES))
            elif branches > WARN_BRANCHES:
                out.warning(path, line, "%s branches %d times; beyond %d it is hard to follow"
                            % (name, branches, WARN_BRANCHES))
    out.finish()


main()
