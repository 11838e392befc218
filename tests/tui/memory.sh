# Memory has a bound, whatever flows and whatever is open in the inspector: in the console the budget of the store, which
# has room for the largest message here, 32 MiB and twice that message; in the shell, which stores nothing, as much as a console of the standard budget has.
# needs: kafka rabbitmq
# timeout: 300
. "$(dirname "$0")/../lib.sh"

if grep -qaE '__[at]san_init' "$SIGNALBOX"; then
    skip memory "a sanitizer keeps what is freed: VmHWM says nothing"
    finish
fi
memory() { python3 "$SB_ROOT/tests/tui/memory.py" "$@"; }
RUN_LIMIT=90
for kind in text dense tiny fields large; do
    name "$kind"
    topic=memory-$kind-$$-$RANDOM
    partitions=4 store=24 twice=0
    [ $kind != fields ] || partitions=1 twice=$((2 * 399981 / 1024))
    [ $kind != large ] || partitions=1 store=64 twice=$((2 * 20000001 / 1024))
    "$SB_ROOT/tests/lab/lab" topic "$topic" $partitions max.message.bytes=33554432 >"$T/null" || fail "$kind: no topic"
    at_exit "'$SB_ROOT/tests/lab/lab' kafka-tool org.apache.kafka.tools.TopicCommand --bootstrap-server $SB_KAFKA --delete --topic $topic"
    count=$(memory fill $kind "$topic")
    run python3 "$SB_ROOT/tests/tui/memory.py" console "$SIGNALBOX" "$topic" ${store}MiB "$count" \
        $(((store + 32) * 1024 + twice))
    expect_status 0
    grep -o 'peak .*' "$out" | sed "s/^/$kind console: /"
    if [ $kind = large ]; then # the store has room for one of them
        run python3 "$SB_ROOT/tests/tui/memory.py" above "$SIGNALBOX" "$topic" 24MiB "$count" $(((24 + 32) * 1024 + twice))
        expect_status 0
        grep -o 'peak .*' "$out" | sed "s/^/$kind above: /"
    fi
    for command in tail search; do
        run python3 "$SB_ROOT/tests/tui/memory.py" shell "$SIGNALBOX" $command "$topic" "$count" $(((64 + 32) * 1024 + twice))
        expect_status 0
        grep -o 'peak .*' "$out" | sed "s/^/$kind $command: /"
    done
done
name queue
export SIGNALBOX_PASSWORD=$SB_RABBIT_PASSWORD
run python3 "$SB_ROOT/tests/tui/memory.py" queue "$SIGNALBOX" memory-$$-$RANDOM $(((64 + 32) * 1024 + 2 * 25699964 / 1024))
expect_status 0
grep -o 'peak .*' "$out" | sed 's/^/queue console: /'
finish
