# Several sources in one command, on the real brokers: an operation each, one report.
# needs: kafka rabbitmq
# timeout: 120
. "$(dirname "$0")/../lib.sh"

id=$$-$RANDOM
K=kafka://$SB_KAFKA R=rabbitmq://$SB_RABBIT_USER@$SB_RABBIT/%2f M="?management=$SB_RABBIT_MGMT"
export SIGNALBOX_PASSWORD=$SB_RABBIT_PASSWORD
api() { # api METHOD PATH [JSON]
    curl -sf -u "$SB_RABBIT_USER:$SB_RABBIT_PASSWORD" -X "$1" "$SB_RABBIT_MGMT/api/$2" -H content-type:application/json ${3:+-d "$3"} >"$T/api"
}
topic() { "$SB_ROOT/tests/lab/lab" topic "$@" >"$T/topic" || fail "no topic $1"; }
depth() { test "$("$SIGNALBOX" ls "$R/$1$M" --json 2>"$T/null" | jq '.depth')" = "$2"; }
fill() { # fill NAME N
    for n in $(seq "$2"); do printf '{"payload":{"text":"%s %03d"}}\n' "$1" "$n"; done >"$T/fill.jsonl"
    run "$SIGNALBOX" import "$T/fill.jsonl" "$R/$1-$id" --execute
    expect_status 0
}
sources=()
for q in a b c d e f g h i j; do
    api PUT "queues/%2f/$q-$id" '{"durable":true,"arguments":{"x-queue-type":"'"$([ $q \< e ] && echo quorum || echo classic)"'"}}'
    sources+=("$R/$q-$id$M")
    fill "$q" 30
done
api PUT "queues/%2f/all-$id" '{"durable":true}'
check "they are there" eventually 20 depth "j-$id" 30

name "a dry run tells of each, and of all"
run "$SIGNALBOX" move "${sources[@]}" --to "$R/all-$id$M" --json
expect_status 0
expect_lines 10
expect_err 'would move 30 messages from .*/a-'
expect_err 'in all: 300 messages from 10 sources, an operation each'

name "nothing begins where one of them cannot"
run "$SIGNALBOX" move "${sources[@]}" "$R/none-$id$M" --to "$R/all-$id$M" --execute
expect_status 1
run "$SIGNALBOX" move "${sources[0]}" "$R/b-$id$M" "$R/queue:a-$id" --to "$R/all-$id$M" --execute
expect_status 2
run "$SIGNALBOX" move "${sources[0]}" "${sources[1]}" "${sources[0]}" --to "$R/all-$id$M" --execute
expect_status 2
expect_err 'is given twice'
run "$SIGNALBOX" move "${sources[2]}" "$R/all-$id$M" --to "$R/all-$id$M" --execute
expect_status 7
expect_err 'the same channel'
check "the others are as they were" eventually 20 depth "c-$id" 30

name "each is an operation of its own, in its own order"
run "$SIGNALBOX" move "${sources[@]:2}" --to "$R/all-$id$M" --execute --json
expect_status 0
expect_lines 8
expect_err 'in all: 8 of 8 sources done: 240 messages done, 0 skipped, 0 failed, 0 in doubt'
check "all have come" eventually 20 depth "all-$id" 240
run "$SIGNALBOX" browse "$R/all-$id$M" --limit 1000 --format '%{body}'
expect_lines 240
for q in c d e f g h i j; do
    grep "^$q " "$out" >"$T/$q"
    check "$q is in its order" sort -c "$T/$q"
done
run "$SIGNALBOX" journal --json
expect_out '"command":"signalbox move [^ ]*/c-[^ ]* --to [^ ]* --execute --json"|"command":"signalbox move [^ ]*/c-'

name "what goes wrong with one does not stop the others"
api PUT "queues/%2f/full-$id" '{"durable":true,"arguments":{"x-max-length":40,"x-overflow":"reject-publish"}}'
run "$SIGNALBOX" move "${sources[0]}" "${sources[1]}" --to "$R/full-$id$M" --execute
expect_status 6
expect_err 'in all: [01] of 2 sources done: 4[0-9] messages done'
run "$SIGNALBOX" copy "$R/c-$id$M" "$R/d-$id$M" --to "$R/all-$id$M" --execute
expect_status 4

name "dead letters of several topics, each exactly once"
for n in 1 2 3; do
    topic "dlt$n-$id" 2
    for i in $(seq 50); do printf 'k%d:v%d.%d\n' "$i" "$n" "$i"; done | kcat -P -b "$SB_KAFKA" -t "dlt$n-$id" -K: -H "kafka_dlt-original-topic=orig-$id"
done
topic "orig-$id" 2
run "$SIGNALBOX" replay "$K/dlt1-$id" "$K/dlt2-$id" "$K/dlt3-$id" --rate 1000/s --execute
expect_status 0
expect_err 'in all: 3 of 3 sources done: 150 messages done'
check "150 are there" test "$(kcat -C -b "$SB_KAFKA" -t "orig-$id" -e -q -f '%s\n' | sort -u | wc -l)" = 150
run "$SIGNALBOX" replay "$K/dlt1-$id" "$K/dlt2-$id" --execute
expect_status 0
expect_err 'in all: 2 of 2 sources done: 0 messages done, 100 skipped'

name "a signal ends all of them in peace"
fill c 400
fill d 400
"$SIGNALBOX" move "${sources[2]}" "${sources[3]}" --to "$R/all-$id$M" --rate 40/s --execute 2>"$T/slow" &
pid=$!
begun() { test "$("$SIGNALBOX" ls "$R/all-$id$M" --json 2>"$T/null" | jq .depth)" -gt 240; }
check "it has begun" eventually 20 begun
both() { "$SIGNALBOX" journal --json >"$T/journal" 2>"$T/null"; test "$(jq -r 'select(.state == "running") | .id' "$T/journal" | while read -r one; do "$SIGNALBOX" journal "$one" --json 2>"$T/null" | head -1; done | wc -l)" = 2; }
check "both have" eventually 20 both
kill -TERM $pid
wait $pid
check "it says so" test $? = 143
check "they were cancelled" test "$(grep -c ': cancelled: ' "$T/slow")" = 2
kept() { test $(($("$SIGNALBOX" ls "${sources[2]}" --json 2>"$T/null" | jq .depth) + $("$SIGNALBOX" ls "${sources[3]}" --json 2>"$T/null" | jq .depth) + $("$SIGNALBOX" ls "$R/all-$id$M" --json 2>"$T/null" | jq .depth))) = 1040; }
check "nothing is lost" eventually 20 kept
finish
