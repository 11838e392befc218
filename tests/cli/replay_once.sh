# Dead letters of a topic are replayed once, from however many hosts: what is there is not sent again, and the second of two at once cuts the
# first off.
# needs: kafka
# timeout: 170
. "$(dirname "$0")/../lib.sh"

K=kafka://$SB_KAFKA
id=$$
"$SB_ROOT/tests/lab/lab" topic "dead-$id" 3 >/dev/null
"$SB_ROOT/tests/lab/lab" topic "orders-$id" 3 >/dev/null
"$SB_ROOT/tests/lab/lab" topic "payments-$id" 1 >/dev/null
fill() { # fill FIRST LAST: dead letters of two topics
    local n to
    for n in $(seq "$1" "$2"); do
        to=orders
        [ $((n % 4)) -ne 0 ] || to=payments
        printf '{"key":{"text":"k%d"},"payload":{"text":"m%d"},"headers":[{"name":"x-original-topic","type":"bytes","value":{"text":"%s-%d"}}]}\n' \
            $((n % 10)) "$n" "$to" $id
    done >"$T/fill.jsonl"
    "$SIGNALBOX" import "$T/fill.jsonl" "$K/dead-$id" --execute --quiet
}
there() { # every message that was sent, once
    for t in orders payments; do
        kcat -C -b "$SB_KAFKA" -t "$t-$id" -e -q -f '%s\n'
    done | sort >"$T/there"
    [ "$(wc -l <"$T/there")" = "$1" ] && [ "$(sort -u "$T/there" | wc -l)" = "$1" ]
}
at() { # at HOST: its state directory
    echo "XDG_STATE_HOME=$T/$1"
}
mkdir "$T/one" "$T/two" "$T/three"

name "what one host has replayed another one does not send again"
check "there are dead letters" fill 1 200
run env "$(at one)" "$SIGNALBOX" replay "$K/dead-$id" --execute --json
expect_status 0
expect_out '"done":200,"skipped":0'
check "each is there once" eventually 20 there 200
check "some more" fill 201 220
run env "$(at two)" "$SIGNALBOX" replay "$K/dead-$id"
expect_err '150 .*skipped, a copy of it is there already'
expect_err 'would replay 20 messages'
run env "$(at two)" "$SIGNALBOX" replay "$K/dead-$id" --execute --json
expect_status 0
expect_out '"done":20,"skipped":200'
check "each is there once" eventually 20 there 220
run kcat -C -b "$SB_KAFKA" -t "orders-$id" -e -q -f '%h\n' -c 1
expect_out "x-signalbox-source=[A-Za-z0-9_-]{22}/dead-$id/[0-2]/[0-9]+"

name "of two at once the later one cuts the earlier one off, and both together send each once"
check "many more" fill 221 3000
env "$(at one)" "$SIGNALBOX" replay "$K/dead-$id" --execute --rate 300 >"$T/first.out" 2>"$T/first.err" &
first=$!
some() {
    kcat -C -b "$SB_KAFKA" -t "orders-$id" -e -q -f '%o\n' >"$T/some"
    [ "$(wc -l <"$T/some")" -gt 300 ]
}
check "the first is at work" eventually 30 some
run env "$(at two)" "$SIGNALBOX" replay "$K/dead-$id" --execute --json
expect_status 0
expect_out '"failed":0,"in_doubt":0'
wait $first
status=$?
cat "$T/first.err"
check "the first was cut off" test $status = 6
check "and says so" grep -q "another signalbox has taken over [A-Za-z0-9_-]*-dead-$id" "$T/first.err"
check "each is there once" eventually 20 there 3000
run env "$(at one)" "$SIGNALBOX" resume --json
check "still once" there 3000

name "a third host finds all of them"
run env "$(at three)" "$SIGNALBOX" replay "$K/dead-$id" --execute --json
expect_out '"done":0,"skipped":3000'

name "each goes back to the partition that its headers name, whatever the dead letter topic has"
"$SB_ROOT/tests/lab/lab" topic "one-$id" 1 >/dev/null
"$SB_ROOT/tests/lab/lab" topic "three-$id" 3 >/dev/null
for n in 0 1 2; do
    printf '{"key":null,"payload":{"text":"p%d"},"headers":[{"name":"x-original-topic","type":"bytes","value":{"text":"three-%d"}},{"name":"x-original-partition","type":"bytes","value":{"text":"%d"}}]}\n' \
        $n $id $n
    printf '{"key":null,"payload":{"text":"p%d"},"headers":[{"name":"kafka_dlt-original-topic","type":"bytes","value":{"text":"three-%d"}},{"name":"kafka_dlt-original-partition","type":"bytes","value":{"base64":"AAAAA%s=="}}]}\n' \
        $n $id "$(printf 'AQg' | cut -c $((n + 1)))"
done >"$T/placed.jsonl"
run "$SIGNALBOX" import "$T/placed.jsonl" "$K/one-$id" --execute --quiet
expect_status 0
run "$SIGNALBOX" replay "$K/one-$id" --execute
expect_status 0
placed() { test "$(kcat -C -b "$SB_KAFKA" -t "three-$id" -e -q -f '%p %s\n' | sort | tr '\n' ' ')" = "0 p0 0 p0 1 p1 1 p1 2 p2 2 p2 "; }
check "they are there" eventually 10 placed
finish
