# What make asks of scripts/deps, on a machine where nothing is installed yet: a stub that has nothing and says so.
. "$(dirname "$0")/../lib.sh"

mkdir -p "$T/tree/scripts"
cp "$SB_ROOT/Makefile" "$T/tree/"
cat >"$T/tree/scripts/deps" <<'STUB'
#!/bin/sh
echo "asked for $*" >&2
exit 2
STUB
chmod +x "$T/tree/scripts/deps"

make_there() { # as somebody at a shell runs it, not as this test's own make
    run env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u SIGNALBOX_DEPS make -C "$T/tree" "$@"
}

name "every target asks first, and ends where packages are missing"
while read -r groups goals; do
    make_there $goals
    expect_status 2
    expect_err "^asked for $(echo "$groups" | tr + ' ')$"
    expect_err 'packages are missing, see above'
done <<'GOALS'
build
build all
build demo
build install
build -j2 all
build VARIANT=asan V=1
build+test check-unit
build+test lint
build+test asan
build+test+lab check
build+lab lab
build+lab+bench bench
GOALS

name "what needs nothing asks nothing"
for goal in help "-n all" "-sn all"; do
    make_there $goal
    expect_no_err 'asked for'
done
finish
