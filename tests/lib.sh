# tests/lib.sh: what shell tests share. A test is a bash script that begins with
#
#     # what it proves, in one line
#     # needs: lab            (only where it talks to the lab's servers)
#     . "$(dirname "$0")/../lib.sh"
#
# runs things, says what it expects, and ends with `finish`. By hand: bash tests/cli/version.sh
#
#   run CMD...            runs it without stdin, at most 30 s (RUN_LIMIT); sets $status, $out and $err (files)
#   expect_status N       the last run's exit code           expect_out REGEX / expect_err REGEX   a line matches
#   expect_no_out / _err REGEX   no line matches              expect_empty out|err   nothing was printed there
#   check NAME CMD...     passes when the command does        pass NAME / fail NAME WHY / skip NAME WHY
#   name WORDS            the name of what follows
#   eventually SECONDS CMD...   tries every 50 ms until it succeeds
#
# $SIGNALBOX is the program, $T a private folder, $HOME too. With a lab running, its variables (SB_KAFKA and so on, see
# tests/lab/README.md) are set.

set -u
SB_ROOT=${SB_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
SIGNALBOX=${SIGNALBOX:-$SB_ROOT/build/signalbox}
export SB_ROOT SIGNALBOX LC_ALL=C.UTF-8
if [ -z "${SB_BUILD:-}" ]; then # by hand: the same surroundings as the runner's
    SB_BUILD=$SB_ROOT/build
    if [ -r "$SB_ROOT/build/lab/env" ]; then
        set -a
        . "$SB_ROOT/build/lab/env"
        set +a
    fi
fi
T=$(mktemp -d "${TMPDIR:-/tmp}/sb-XXXXXX")
export HOME=$T TMUX_TMPDIR=$T XDG_CONFIG_HOME=$T/config XDG_STATE_HOME=$T/state XDG_CACHE_HOME=$T/cache
SB_NAME=$(basename "$0" .sh)
sb_passed=0 sb_failed=0 sb_skipped=0 sb_finished=
sb_title=start sb_last=
out=$T/out err=$T/err status=0
: >"$out"
: >"$err"

name() { sb_title="$*"; }
pass() { sb_passed=$((sb_passed + 1)); }
fail() {
    sb_failed=$((sb_failed + 1))
    printf 'FAIL: %s\n' "$*"
}
skip() {
    sb_skipped=$((sb_skipped + 1))
    printf 'skip: %s: %s\n' "$1" "${2:-no reason given}"
}
check() {
    local title=$1
    shift
    if "$@"; then pass "$title"; else fail "$title: failed: $*"; fi
}

run() {
    sb_last="$*"
    timeout -k 2 "${RUN_LIMIT:-30}" "$@" </dev/null >"$out" 2>"$err"
    status=$?
    [ $status != 124 ] || fail "$sb_title: took longer than ${RUN_LIMIT:-30} s: $*"
}

# Prints why, the command, and what it said.
sb_show() {
    fail "$sb_title: $1"
    printf '    command: %s\n    status: %s\n' "$sb_last" "$status"
    sed 's/^/    out: /' "$out" | head -n 20
    sed 's/^/    err: /' "$err" | head -n 20
}
expect_status() { if [ "$status" = "$1" ]; then pass; else sb_show "exit code $status, expected $1"; fi; }
expect_out() { if grep -qE -- "$1" "$out"; then pass; else sb_show "no line of stdout matches: $1"; fi; }
expect_err() { if grep -qE -- "$1" "$err"; then pass; else sb_show "no line of stderr matches: $1"; fi; }
expect_no_out() { if grep -qE -- "$1" "$out"; then sb_show "a line of stdout matches: $1"; else pass; fi; }
expect_no_err() { if grep -qE -- "$1" "$err"; then sb_show "a line of stderr matches: $1"; else pass; fi; }
expect_empty() { if [ -s "$T/$1" ]; then sb_show "std$1 is not empty"; else pass; fi; }
expect_lines() { # expect_lines N: stdout has that many
    local n
    n=$(wc -l <"$out")
    if [ "$n" = "$1" ]; then pass; else sb_show "$n lines on stdout, expected $1"; fi
}

eventually() {
    local limit=$1 began=$SECONDS
    shift
    until "$@"; do
        [ $((SECONDS - began)) -lt "$limit" ] || return 1
        sleep 0.05
    done
}

sb_cleanup=()
at_exit() { sb_cleanup+=("$*"); } # a command to run at the end, whatever happens

finish() {
    sb_finished=1
    exit $((sb_failed > 0))
}

sb_close() {
    local code=$? i
    trap - EXIT
    for ((i = ${#sb_cleanup[@]} - 1; i >= 0; i--)); do eval "${sb_cleanup[i]}"; done
    if [ -z "$sb_finished" ]; then
        fail "$sb_title: the script ended early, exit code $code"
    fi
    rm -rf "$T"
    printf '%s: %d passed, %d failed, %d skipped\n' "$SB_NAME" $sb_passed $sb_failed $sb_skipped
    exit $((sb_failed > 0))
}
trap sb_close EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# The fault proxy (tests/lab/chaos.py). chaos_start HOST:PORT sets $chaos (127.0.0.1:PORT, in front of it); then
# `chaos stall`, `chaos cut` and so on, as its head says.
chaos_start() {
    coproc SB_CHAOS_PROXY { exec "$SB_ROOT/tests/lab/chaos.py" "$1" 2>&1; }
    local words
    read -r -t 10 -u "${SB_CHAOS_PROXY[0]}" -a words || { fail "$sb_title: the fault proxy did not start"; return 1; }
    chaos=127.0.0.1:${words[1]}
}
chaos() {
    printf '%s\n' "$*" >&"${SB_CHAOS_PROXY[1]}"
    read -r -t 10 -u "${SB_CHAOS_PROXY[0]}" chaos_answer && [ "${chaos_answer%% *}" = ok ]
}
