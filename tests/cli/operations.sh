# Messages are moved, copied, resent and replayed on the real brokers, as scripts see it.
# needs: kafka rabbitmq
. "$(dirname "$0")/../lib.sh"

id=$$-$RANDOM
K=kafka://$SB_KAFKA R=rabbitmq://$SB_RABBIT_USER@$SB_RABBIT/%2f M="?management=$SB_RABBIT_MGMT"
export SIGNALBOX_PASSWORD=$SB_RABBIT_PASSWORD
api() { # api METHOD PATH [JSON]
    curl -sf -u "$SB_RABBIT_USER:$SB_RABBIT_PASSWORD" -X "$1" "$SB_RABBIT_MGMT/api/$2" -H content-type:application/json ${3:+-d "$3"} >"$T/api"
}
topic() { "$SB_ROOT/tests/lab/lab" topic "$@" >"$T/topic" || fail "no topic $1"; }
topic "from-$id" 3
topic "to-$id" 3
topic "six-$id" 6
for n in $(seq 300); do
    printf '{"key":{"text":"k%d"},"payload":{"text":"m%03d"},"headers":[{"name":"n","type":"bytes","value":{"text":"%d"}}]}\n' $((n % 30)) $n $n
done >"$T/fill.jsonl"
run "$SIGNALBOX" import "$T/fill.jsonl" "$K/from-$id" --execute
expect_status 0

name "a dry run says how many, and changes nothing"
run "$SIGNALBOX" copy "$K/from-$id" --to "$K/to-$id"
expect_status 0
expect_err 'would copy at most 300 messages from .*; nothing was changed. Add --execute to do it$'
run "$SIGNALBOX" copy "$K/from-$id" --to "$K/to-$id" --select n1x --json
expect_status 4
expect_out '"counts":\{"planned":0,'
run "$SIGNALBOX" journal
expect_err 'no operation yet'

name "a copy keeps partition, key, headers and bytes, and says where each came from"
run "$SIGNALBOX" copy "$K/from-$id" --to "$K/to-$id" --execute --json
expect_status 0
expect_out '"state":"done",.*"counts":\{"planned":300,"done":300,"skipped":0,"failed":0,"in_doubt":0\}'
# A transaction is visible a moment after its commit was answered.
lines() { # lines COUNT COMMAND...: it prints so many different ones
    [ "$("${@:2}" | sort -u | wc -l)" = "$1" ]
}
same() {
    for t in from to; do
        kcat -C -b "$SB_KAFKA" -t "$t-$id" -e -q -f '%p %k %s %h\n' | sed 's/,x-signalbox-.*//' | sort >"$T/$t"
    done
    cmp -s "$T/from" "$T/to"
}
check "they are the same" eventually 10 same
run kcat -C -b "$SB_KAFKA" -t "to-$id" -e -q -f '%h\n' -c 1
expect_out "^n=[0-9]+,x-signalbox-operation=[0-9a-z]{16}/[0-9]+,x-signalbox-source=[A-Za-z0-9_-]{22}/from-$id/[0-2]/[0-9]+$"

name "into another number of partitions a message goes by its key"
run "$SIGNALBOX" copy "$K/from-$id" --to "$K/six-$id" --execute
expect_status 0
expect_err "topic six-$id has 6 partitions, not 3: messages go by their keys"
check "each key is in one partition" eventually 10 lines 30 kcat -C -b "$SB_KAFKA" -t "six-$id" -e -q -f '%k %p\n'

name "nothing is moved off a topic, nor onto itself"
run "$SIGNALBOX" move "$K/from-$id" --to "$K/to-$id" --execute
expect_status 7
expect_err 'Kafka removes no single message.* Next: `signalbox copy`'
run "$SIGNALBOX" copy "$K/from-$id" --to "$K/topic:from-$id" --execute
expect_status 7
expect_err 'the same channel'

name "a resend may go to where it comes from; its copies are not sent again"
run "$SIGNALBOX" resend "$K/six-$id" --select /m01/ --to "$K/six-$id" --execute --json
expect_status 0
expect_out '"done":10,"skipped":0'
run "$SIGNALBOX" resend "$K/six-$id" --select /m01/ --to "$K/six-$id" --no-mark --execute
expect_status 7
expect_err 'its own copies would not be known'

name "one message is resent, with another payload"
printf '{"edited":true}' >"$T/edited.json"
run "$SIGNALBOX" resend "$K/from-$id" --select m017 --to "$K/to-$id" --edit "$T/edited.json" --execute
expect_status 0
check "it has arrived" eventually 10 lines 301 kcat -C -b "$SB_KAFKA" -t "to-$id" -e -q -f '%p %o\n'
run kcat -C -b "$SB_KAFKA" -t "to-$id" -e -q -f '%k %s %h\n'
expect_out '^k17 \{"edited":true\} n=17,.*x-signalbox-replays=1,x-signalbox-edited=true,'
run "$SIGNALBOX" resend "$K/from-$id" --select m01 --to "$K/to-$id" --edit "$T/edited.json"
expect_status 2
expect_err 'messages are selected, and an edited payload is for one'
run "$SIGNALBOX" resend "$K/from-$id" --to "$K/to-$id"
expect_status 2

name "from Kafka to RabbitMQ and back"
run "$SIGNALBOX" copy "$K/from-$id" --to "$R/q-$id" --create --execute
expect_status 0
run "$SIGNALBOX" copy "$R/q-$id$M" --to "$K/back-$id" --create --execute
expect_status 0
check "all have come back" eventually 10 lines 300 kcat -C -b "$SB_KAFKA" -t "back-$id" -e -q -f '%s\n'

name "a move takes what is selected, and leaves the rest in its order"
run "$SIGNALBOX" move "$R/q-$id$M" --to "$R/odd-$id$M" --select 'hdr.n~/[13579]$/' --create --execute
expect_status 0
expect_err 'move [0-9a-z]{16}: done: 150 done'
run "$SIGNALBOX" browse "$R/odd-$id$M" --limit 1000 --format '%{body}'
check "150 have gone" test "$(wc -l <"$out")" = 150
run "$SIGNALBOX" browse "$R/q-$id$M" --limit 1000 --format '%{hdr.n}'
check "150 are there" test "$(wc -l <"$out")" = 150

name "what was moved is moved back by the command that the report gives"
run "$SIGNALBOX" move "$R/odd-$id$M" --to "$R/q-$id$M" --limit 10 --execute --json
expect_status 0
expect_err "now: 140 ready in .*odd-$id.*, 150 before"
expect_err "now: 160 ready in .*/q-$id.*, 150 before"
expect_err "counted, not read back: looking into q-$id would mark its messages"
check "and as JSON" test "$(jq -c '.verified | [.sent, .equal, .missing]' "$out")" = '[10,0,0]'
undo=$(jq -r .undo "$out")
run sh -c "'${SIGNALBOX%/*}'/$undo --execute"
expect_status 0
expect_err 'move [0-9a-z]{16}: done: 10 done'
expect_err "now: 150 ready in .*odd-$id.*, 140 before"

name "dead letters go back to the queue that they died in, without what the broker wrote of it"
api PUT "queues/%2f/dead-$id" '{"durable":true}'
api PUT "queues/%2f/work-$id" '{"durable":true,"arguments":{"x-dead-letter-exchange":"","x-dead-letter-routing-key":"dead-'"$id"'"}}'
head -20 "$T/fill.jsonl" >"$T/twenty.jsonl"
run "$SIGNALBOX" import "$T/twenty.jsonl" "$R/work-$id" --execute
api POST "queues/%2f/work-$id/get" '{"count":20,"ackmode":"reject_requeue_false","encoding":"auto"}'
dead() { test "$("$SIGNALBOX" ls "$R/dead-$id$M" --json 2>"$T/null" | jq '.depth')" = "$1"; }
check "they have died" eventually 20 dead 20
run "$SIGNALBOX" replay "$R/dead-$id$M"
expect_status 0
expect_err 'would replay 20 messages .* to the channel that each died in'
run "$SIGNALBOX" replay "$R/dead-$id$M" --execute --json
expect_status 0
expect_out '"kind":"replay","state":"done",.*"done":20,'
replayed=$(jq -r .id "$out")
run "$SIGNALBOX" journal "$replayed" --json
check "the journal keeps what was taken off" test "$(jq -c '[.headers_off[0].name, .headers_off[0].value[0].value[1].value.text, .headers_on[0].value.text]' "$out" | sort -u | wc -l)" = 20
expect_out '"headers_off":\[\{"name":"x-death","type":"array",.*"headers_on":\[\{"name":"x-signalbox-operation","type":"string","value":\{"text":"'"$replayed/20"'"\}\},'
run "$SIGNALBOX" journal "$replayed"
expect_out '  - x-death: \[\{count: 1, reason: rejected, queue: work-'"$id"', time: 20'
expect_out '  \+ x-signalbox-replays: 1'
printf 'redact: [{header: x-death}]\n' >"$T/redact.yaml"
run "$SIGNALBOX" journal "$replayed" --config "$T/redact.yaml"
expect_out '  - x-death: \[redacted\]'
expect_no_out 'count: 1, reason: rejected'
run "$SIGNALBOX" browse "$R/work-$id$M" --json
check "they are back" test "$(wc -l <"$out")" = 20
expect_no_out 'x-death'
expect_out 'x-signalbox-replays'

name "back to the exchange they go with the key that they were published with, whatever their dead letter exchange made of it"
api PUT "exchanges/%2f/ex-$id" '{"type":"topic","durable":true}'
api PUT "queues/%2f/first-$id" '{"durable":true,"arguments":{"x-dead-letter-exchange":"","x-dead-letter-routing-key":"again-'"$id"'"}}'
api PUT "queues/%2f/again-$id" '{"durable":true}'
api POST "bindings/%2f/e/ex-$id/q/first-$id" '{"routing_key":"ord.#"}'
api POST "exchanges/%2f/ex-$id/publish" '{"properties":{},"routing_key":"ord.1","payload":"a","payload_encoding":"string"}'
api POST "queues/%2f/first-$id/get" '{"count":1,"ackmode":"reject_requeue_false","encoding":"auto"}'
holds() { "$SIGNALBOX" browse "$R/$1-$id$M" --json 2>"$T/null" >"$T/held"; test "$(wc -l <"$T/held")" = 1; }
check "it has died" eventually 20 holds again
run "$SIGNALBOX" replay "$R/again-$id$M" --to exchange --execute --json
expect_status 0
expect_out '"done":1,'
check "it is back" eventually 10 holds first
check "with its key" grep -q '"exchange":"ex-'"$id"'","routing_key":"ord.1"' "$T/held"

name "a replay of a topic sends each dead letter once"
topic "dlt-$id" 1
topic "orig-$id" 1
for n in 1 2 3; do
    echo "v$n" | kcat -P -b "$SB_KAFKA" -t "dlt-$id" -H "kafka_dlt-original-topic=orig-$id" -H kafka_dlt-exception-message=boom
done
echo nothing | kcat -P -b "$SB_KAFKA" -t "dlt-$id"
run "$SIGNALBOX" replay "$K/dlt-$id" --execute
expect_status 0
expect_err 'done: 3 done, 1 skipped'
run "$SIGNALBOX" replay "$K/dlt-$id" --execute
expect_status 0
expect_err 'done: 0 done, 4 skipped'
check "three are there" eventually 10 lines 3 kcat -C -b "$SB_KAFKA" -t "orig-$id" -e -q

name "the journal tells of each, and of each message"
run "$SIGNALBOX" journal --json
expect_status 0
first=$(head -1 "$out" | jq -r .id)
expect_out '"schema":"signalbox.operation/1","id":"[0-9a-z]{16}","kind":"replay","state":"done"'
expect_out '"command":"signalbox replay .* --execute"'
run "$SIGNALBOX" journal "${first:0:8}" --json
expect_out '"outcome":"skipped","reason":"an earlier replay has sent it there","from":"0/0"'
expect_out '"reason":"no header tells where it came from: say it with --to"'
run "$SIGNALBOX" resume
expect_status 0
expect_err 'nothing was interrupted'
run "$SIGNALBOX" journal nosuch
expect_status 1
expect_err 'no operation nosuch in the journal'

name "a destination that refuses all stops it after five in a row, and nothing is lost"
api PUT "queues/%2f/full-$id" '{"durable":true,"arguments":{"x-max-length":2,"x-overflow":"reject-publish"}}'
run "$SIGNALBOX" move "$R/odd-$id$M" --to "$R/full-$id$M" --execute
expect_status 6
expect_err 'partial: 2 done, [0-9]+ failed; 5 failed in a row'
run "$SIGNALBOX" browse "$R/odd-$id$M" --limit 1000 --format '%{body}'
check "148 are there" test "$(wc -l <"$out")" = 148

name "a time-out ends it in peace, and it is gone on with"
run "$SIGNALBOX" move "$R/odd-$id$M" --to "$R/late-$id$M" --create --rate 20/s --timeout 2s --execute --json
expect_status 8
expect_out '"state":"interrupted"'
resumed=$(jq -r .id "$out")
expect_err "the time-out has passed: no more are begun"
expect_err "\`signalbox resume $resumed\` finishes it"
run "$SIGNALBOX" resume "$resumed" --json
expect_status 0
expect_out '"state":"done",.*"done":148,'
finish
