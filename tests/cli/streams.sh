# How commands behave in a pipe and under signals, on the in-process broker.
. "$(dirname "$0")/../lib.sh"

name "a signal ends a tail"
for pair in INT:130 TERM:143; do
    rm -f "$T/watch"
    # A background job of a script ignores SIGINT, and so would we.
    env --default-signal=INT "$SIGNALBOX" probe memory: --watch >"$T/watch" 2>&1 &
    pid=$!
    check "a line comes" eventually 10 test -s "$T/watch"
    kill -"${pair%:*}" $pid
    wait $pid
    check "${pair%:*} gives ${pair#*:}" test $? = "${pair#*:}"
done

name "a closed pipe ends quietly"
check "help" sh -c '"$0" help config 2>"$1" | head -n 1 >/dev/null; ! test -s "$1"' "$SIGNALBOX" "$T/noise"
status=$(bash -c '"$0" probe memory: --watch 2>"$1" | head -n 1 >/dev/null; echo ${PIPESTATUS[0]}' "$SIGNALBOX" "$T/noise")
check "a watch ends when nobody reads, with 0" test "$status" = 0
check "and says nothing" test ! -s "$T/noise"

name "a full disk is an error"
if [ -w /dev/full ]; then
    "$SIGNALBOX" help config >/dev/full 2>"$err"
    check "exit 1" test $? = 1
    expect_err 'writing failed'
else
    skip "full disk" "no /dev/full"
fi

name "a closed input is no empty one"
closed() { "$SIGNALBOX" "$@" <&- >"$out" 2>"$err"; status=$?; } # run gives /dev/null
for command in "decode -" "decode" "send memory:/t - --execute" "send memory:/t - --json" "import - memory:/t"; do
    closed $command
    expect_status 1
    expect_err '^signalbox: standard input is closed$'
    expect_empty out
done

name "a closed output is no reader that has gone"
echo '{"a":1}' >"$T/one.json"
for command in version help "decode $T/one.json" "ls memory:" "probe memory: --once" "doctor" "completion bash"; do
    "$SIGNALBOX" $command >&- 2>"$err" </dev/null
    status=$?
    expect_status 1
    expect_err 'output: writing failed: it is closed'
done

name "demo in a pipe"
RUN_LIMIT=60 run "$SIGNALBOX" --demo x
expect_status 2
name "a signal ends sending while its input is open"
mkfifo "$T/open"
exec {writer}<>"$T/open"
for words in "send memory:/q - --json --create --execute" "send memory:/q - --json --create" "import - memory:/q --create --execute"; do
    # shellcheck disable=SC2086
    env --default-signal=TERM "$SIGNALBOX" $words <"$T/open" >"$out" 2>"$err" &
    pid=$!
    echo '{"payload":{"text":"x"}}' >&"$writer"
    [[ $words == *--execute ]] && check "it says that it sends a stream" eventually 10 grep -q 'sent as it is read' "$err"
    [[ $words == *--execute ]] || check "it shows the message" eventually 10 grep -q '"text":"x"' "$out"
    kill -TERM $pid
    SECONDS=0
    wait $pid
    check "$words: 143" test $? = 143
    check "soon" test $SECONDS -lt 5
done
exec {writer}>&-

name "a FIFO is opened once, and heeds --timeout"
mkfifo "$T/fifo"
for i in 1 2 3 4 5 6; do
    echo '{"payload":{"text":"x"}}' >"$T/fifo" &
    RUN_LIMIT=20 run "$SIGNALBOX" import "$T/fifo" memory:/q --create --execute
    expect_status 0
    expect_err '1 confirmed'
    wait $! # a writer that found no reader would wait for the next one
done
for words in "import $T/fifo memory:/q" "send memory:/q $T/fifo --json"; do
    for execute in "" --execute; do # nobody writes
        # shellcheck disable=SC2086
        RUN_LIMIT=20 run "$SIGNALBOX" $words --create --timeout 500ms $execute
        expect_status 8
    done
done

name "an input that was begun goes on where it stands"
printf '%s\n' 'a line' '{"payload":{"text":"x"}}' '{"payload":{"text":"y"}}' >"$T/begun"
begun() { # behind the first line; run gives /dev/null
    { read -r; timeout 20 "$SIGNALBOX" "$@" >"$out" 2>"$err"; status=$?; } <"$T/begun"
}
begun import - memory:/q --create --execute
expect_status 0
expect_err '2 confirmed'

finish
