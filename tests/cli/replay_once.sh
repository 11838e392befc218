# Dead letters of a topic are replayed once, from however many hosts: what is there is not sent again, and the second of two at once cuts the
# first off.
# needs: kafka
# timeout: 170
. "$(dirname "$0")/../lib.sh"

K=kafka://$SB_KAFKA
id=$$
topic() { # topic NAME PARTITIONS
    "$SB_LAB_CACHE"/kafka/bin/kafka-topics.sh --bootstrap-server "$SB_KAFKA" --create --topic "$1" --partitions "$2" >/dev/null
}
make_topics() {
    topic "dead-$id" 3 && topic "orders-$id" 3 && topic "payments-$id" 1
}
check "topics are made" make_topics
fill() { # fill FIRST LAST: dead letters of two topics
    local n to
    for n in $(seq "$1" "$2"); do
        to=orders
        [ $((n % 4)) -ne 0 ] || to=payments
        printf '{"key":"k%d","payload":{"n":%d},"headers":[{"name":"x-original-topic","value":"%s-%d"}]}\n' $((n % 10)) "$n" "$to" $id
    done >"$T/fill.jsonl"
    "$SIGNALBOX" import "$T/fill.jsonl" "$K/dead-$id" --execute --quiet
}
there() { # every message that was sent, once
    for t in orders payments; do
        kcat -C -b "$SB_KAFKA" -t "$t-$id" -e -q -f '%s\n'
    done | sort >"$T/there"
    [ "$(wc -l <"$T/there")" = "$1" ] && [ "$(sort -u "$T/there" | wc -l)" = "$1" ]
}
from() { # from HOST COMMAND...
    local home=$T/$1
    mkdir -p "$home"
    shift
    XDG_STATE_HOME=$home "$@"
}

name "what one host has replayed another one does not send again"
check "there are dead letters" fill 1 200
run from one "$SIGNALBOX" replay "$K/dead-$id" --execute --json
expect_status 0
expect_out '"done":200,"skipped":0'
check "each is there once" eventually 20 there 200
check "some more" fill 201 220
run from two "$SIGNALBOX" replay "$K/dead-$id"
expect_err '150 .*skipped, a copy of it is there already'
expect_err 'would replay 20 messages'
run from two "$SIGNALBOX" replay "$K/dead-$id" --execute --json
expect_status 0
expect_out '"done":20,"skipped":200'
check "each is there once" eventually 20 there 220
run kcat -C -b "$SB_KAFKA" -t "orders-$id" -e -q -f '%h\n' -c 1
expect_out "x-signalbox-source=[A-Za-z0-9_-]{22}/dead-$id/[0-2]/[0-9]+"

name "of two at once the later one cuts the earlier one off, and both together send each once"
check "many more" fill 221 3000
from one "$SIGNALBOX" replay "$K/dead-$id" --execute --rate 300 >"$T/first.out" 2>"$T/first.err" &
first=$!
some() {
    kcat -C -b "$SB_KAFKA" -t "orders-$id" -e -q -f '%o\n' >"$T/some"
    [ "$(wc -l <"$T/some")" -gt 200 ]
}
check "the first is at work" eventually 30 some
run from two "$SIGNALBOX" replay "$K/dead-$id" --execute --json
expect_status 0
expect_out '"failed":0,"in_doubt":0'
wait $first
status=$?
cat "$T/first.err"
check "the first was refused" test $status = 7
check "and says so" grep -q "another signalbox has taken over [A-Za-z0-9_-]*-dead-$id" "$T/first.err"
check "each is there once" eventually 20 there 3000
run from one "$SIGNALBOX" resume --json
check "still once" there 3000

name "what an open transaction holds back is waited for"
run from three "$SIGNALBOX" replay "$K/dead-$id" --execute --json
expect_out '"done":0,"skipped":3000'
finish
