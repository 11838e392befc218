# What a dry run says, on the real brokers: what another protocol does not carry; dead letters by their reasons, and some of them picked.
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

name "from Kafka to RabbitMQ: what maps, what these messages lose"
topic "k-$id" 2
for n in $(seq 40); do
    payload='{"text":"m'$n'"}'
    [ "$n" -gt 35 ] && payload=null
    printf '{"key":{"text":"k%d"},"payload":%s,"headers":[{"name":"n","type":"bytes","value":{"text":"%d"}}]}\n' "$n" "$payload" "$n"
done >"$T/fill.jsonl"
run "$SIGNALBOX" import "$T/fill.jsonl" "$K/k-$id" --execute
expect_status 0
api PUT "queues/%2f/q-$id" '{"durable":true}'
run "$SIGNALBOX" copy "$K/k-$id" --to "$R/q-$id$M"
expect_status 0
expect_err 'from Kafka to RabbitMQ: payload kept, null payload empty, key left out, headers kept with their types'
expect_err '40 messages have a key, which RabbitMQ has no place for: it would be left out'
expect_err '5 payloads are null, which RabbitMQ cannot tell from empty: they would be sent empty'
expect_err 'would copy 40 messages '
run "$SIGNALBOX" copy "$K/k-$id" --to "$R/q-$id$M" --select m1 --json
expect_status 0
expect_err '11 messages have a key'
check "as JSON" test "$(jq -c '[.executed, .counts.planned, .preview.looked_at, .preview.whole, .preview.carries.key] + [.preview.losses[] | .loss, .messages]' "$out")" \
    = '[false,11,40,true,"left out","key",11,"time",11]'
run "$SIGNALBOX" copy "$K/k-$id" --to "$R/q-$id$M" --limit 7
expect_err '7 messages have a key'
check "nothing was sent" eventually 5 depth "q-$id" 0

name "of a large source a sample is looked at"
head -1 "$T/fill.jsonl" >"$T/one.jsonl"
for n in $(seq 12); do cat "$T/one.jsonl"; done >"$T/dozen.jsonl"
for n in $(seq 1000); do cat "$T/dozen.jsonl"; done >"$T/large.jsonl"
topic "large-$id" 1
run "$SIGNALBOX" import "$T/large.jsonl" "$K/large-$id" --execute
run "$SIGNALBOX" copy "$K/large-$id" --to "$R/q-$id$M"
expect_status 0
expect_err 'of 10,000 looked at, 10000 messages have a key'
expect_err 'would copy at most 12,000 messages'

name "from RabbitMQ to Kafka: types, properties"
printf '{"payload":{"text":"a"},"headers":[{"name":"n","type":"int32","value":7}],"properties":{"app_id":"shop","message_id":"7"}}\n' >"$T/typed.jsonl"
run "$SIGNALBOX" import "$T/typed.jsonl" "$R/q-$id" --execute
expect_status 0
check "it is there" eventually 10 depth "q-$id" 1
topic "to-$id" 1
run "$SIGNALBOX" move "$R/q-$id$M" --to "$K/to-$id"
expect_status 0
expect_err 'looking MARKS'
expect_err 'from RabbitMQ to Kafka: payload kept, .*properties left out'
expect_err '1 message has headers with types .* of which Kafka keeps the text'
expect_err '1 message has properties that Kafka has no place for \(.*app_id.*\): they would be left out'
check "it is back" eventually 10 depth "q-$id" 1
run "$SIGNALBOX" copy "$K/k-$id" --to "$K/to-$id"
expect_status 0
expect_no_err 'left out'
expect_no_err 'looking'

name "dead letters of RabbitMQ by reason and by where they would go"
api PUT "queues/%2f/dead-$id" '{"durable":true}'
for q in a b; do
    api PUT "queues/%2f/$q-$id" '{"durable":true,"arguments":{"x-dead-letter-exchange":"","x-dead-letter-routing-key":"dead-'"$id"'"}}'
done
died() { # died N TEXT QUEUE REASON
    for n in $(seq "$1"); do
        printf '{"payload":{"text":"%s %d"},"headers":[{"name":"x-exception-message","type":"string","value":{"text":"%s"}}]}\n' "$3" "$n" "$2"
    done >"$T/died.jsonl"
    run "$SIGNALBOX" import "$T/died.jsonl" "$R/$3-$id" --execute
    api POST "queues/%2f/$3-$id/get" '{"count":'"$1"',"ackmode":"reject_requeue_false","encoding":"auto"}'
}
died 6 "field total missing" a
died 4 "field total missing" b
died 3 "order 88412 refused" a
printf '{"payload":{"text":"late"},"properties":{"expiration":"1"}}\n' >"$T/late.jsonl"
run "$SIGNALBOX" import "$T/late.jsonl" "$R/a-$id" --execute
printf '{"payload":{"text":"stray"}}\n' >"$T/stray.jsonl"
run "$SIGNALBOX" import "$T/stray.jsonl" "$R/dead-$id" --execute
check "all have died" eventually 20 depth "dead-$id" 15
run "$SIGNALBOX" replay "$R/dead-$id$M"
expect_status 0
expect_err "6 rejected: field total missing; to queue:a-$id, 20.*; such as a 1"
expect_err "4 rejected: field total missing; to queue:b-$id, "
expect_err "3 rejected: order # refused; to queue:a-$id, "
expect_err "1 expired; to queue:a-$id, "
expect_err '1 no reason told; skipped, no header tells where it came from: say it with --to'
expect_err '1 of them would be skipped'
expect_err 'would replay 14 messages '
expect_err 'of a 1 these headers change:'
expect_err '  - x-death: \[\{count: 1, reason: rejected, queue: a-'"$id"', time: 20.*routing-keys: \['
expect_err '  - x-first-death-reason: rejected'
expect_err '  \+ x-signalbox-replays: 1'
check "it is all there" eventually 20 depth "dead-$id" 15
run "$SIGNALBOX" replay "$R/dead-$id$M" --json
check "its headers as JSON" test "$(jq -c '.preview.groups[0].example | [.headers_off[0].name, .headers_off[0].type, ([.headers_on[].name] | join(" "))]' "$out")" \
    = '["x-death","array","x-signalbox-operation x-signalbox-replays"]'
check "as JSON" test "$(jq -c '[.counts.planned, .preview.skipped, (.preview.groups | length), (.preview.groups[0] | .reason, .messages, .to, (.oldest | length))]' "$out")" \
    = '[14,1,5,"rejected: field total missing",6,"queue:a-'"$id"'",24]'

name "a group is picked, and the rest stays"
check "it is all there" eventually 20 depth "dead-$id" 15
run "$SIGNALBOX" replay "$R/dead-$id$M" --reason "rejected: order # refused" --reason expired --json
expect_status 0
check "four are planned" test "$(jq '.counts.planned' "$out")" = 4
check "it is all there" eventually 20 depth "dead-$id" 15
run "$SIGNALBOX" replay "$R/dead-$id$M" --reason reject
expect_status 4
check "it is all there" eventually 20 depth "dead-$id" 15
run "$SIGNALBOX" replay "$R/dead-$id$M" --reason "rejected: field total missing" --execute --json
expect_status 0
expect_out '"state":"done",.*"done":10,"skipped":0,'
check "six are back" eventually 20 depth "a-$id" 6
check "four are back" eventually 20 depth "b-$id" 4
check "five are left" eventually 20 depth "dead-$id" 5
run "$SIGNALBOX" journal --json
expect_out "--reason 'rejected: field total missing'"
run "$SIGNALBOX" replay "$R/dead-$id$M" --reason rejected --execute
expect_status 0
expect_err 'done: 3 done'
run "$SIGNALBOX" replay "$R/dead-$id$M" --reason ''
expect_status 2
expect_err 'wants a reason'

name "dead letters of Kafka: Spring, Connect, and what was replayed before"
topic "dlt-$id" 1
topic "orig-$id" 1
for n in 1 2 3; do
    echo "v$n" | kcat -P -b "$SB_KAFKA" -t "dlt-$id" -H "kafka_dlt-original-topic=orig-$id" -H "kafka_dlt-exception-fqcn=java.lang.IllegalStateException" \
        -H "kafka_dlt-exception-message=order 9841$n is closed"
done
echo c | kcat -P -b "$SB_KAFKA" -t "dlt-$id" -H "__connect.errors.topic=orig-$id" -H "__connect.errors.exception.class.name=org.apache.kafka.connect.errors.DataException" \
    -H "__connect.errors.exception.message=no schema"
run "$SIGNALBOX" replay "$K/dlt-$id"
expect_status 0
expect_err "3 IllegalStateException: order # is closed; to topic:orig-$id, 20.*; such as v1"
expect_err "1 DataException: no schema; to topic:orig-$id, 20"
run "$SIGNALBOX" replay "$K/dlt-$id" --reason DataException --execute
expect_status 0
expect_err 'done: 1 done'
run "$SIGNALBOX" replay "$K/dlt-$id"
expect_status 0
expect_err '1 DataException: no schema; skipped, an earlier replay has sent it there'
expect_err 'would replay 3 messages '
run "$SIGNALBOX" replay "$K/dlt-$id" --reason DataException --json
expect_status 0
expect_err 'nothing of .* would be sent'
check "none is planned" test "$(jq -c '[.counts.planned, .preview.skipped]' "$out")" = '[0,1]'
check "one is there" test "$(kcat -C -b "$SB_KAFKA" -t "orig-$id" -e -q)" = c

name "what redact names is in no reason"
cat >"$T/config.yaml" <<END
endpoints:
  r: {url: "rabbitmq://$SB_RABBIT/%2f$M", username: $SB_RABBIT_USER, password_env: SIGNALBOX_PASSWORD}
  k: {url: "$K"}
redact: [{header: kafka_dlt-exception-message}]
END
run "$SIGNALBOX" replay -c "$T/config.yaml" "k/dlt-$id"
expect_status 0
expect_err '3 IllegalStateException: \[redacted\]; to'
expect_no_err 'is closed'
run "$SIGNALBOX" replay -c "$T/config.yaml" "k/dlt-$id" --reason 'IllegalStateException: [redacted]' --execute --write
expect_status 0
expect_err 'done: 3 done'

name "both ends that are production are confirmed, each by its name"
cat >"$T/production.yaml" <<END
endpoints:
  r: {url: "rabbitmq://$SB_RABBIT/%2f$M", username: $SB_RABBIT_USER, password_env: SIGNALBOX_PASSWORD, production: true, write: true}
  k: {url: "$K", production: true, write: true}
END
run "$SIGNALBOX" move -c "$T/production.yaml" "r/b-$id" --to "k/to-$id"
expect_status 0
expect_err "Add --execute --confirm k/to-$id --confirm r/b-$id to do it"
run "$SIGNALBOX" move -c "$T/production.yaml" "r/b-$id" --to "k/to-$id" --execute --confirm "k/to-$id"
expect_status 7
expect_err "add --confirm r/b-$id"
run "$SIGNALBOX" move -c "$T/production.yaml" "r/b-$id" --to "k/to-$id" --execute --confirm "r/b-$id"
expect_status 7
expect_err "add --confirm k/to-$id"
check "it is back" eventually 20 depth "b-$id" 4
run "$SIGNALBOX" move -c "$T/production.yaml" "r/b-$id" --to "k/to-$id" --execute --confirm "r/b-$id" --confirm "k/to-$id"
expect_status 0
expect_err 'done: 4 done'
run "$SIGNALBOX" copy -c "$T/production.yaml" "k/to-$id" --to "r/b-$id" --execute --confirm "r/b-$id"
expect_status 0
expect_err 'done: 4 done'

name "what the run has lost it says, too"
run "$SIGNALBOX" copy "$K/k-$id" --to "$R/q-$id$M" --select m1 --execute
expect_status 0
expect_err '11 messages have a key, which RabbitMQ has no place for: it was left out'
run "$SIGNALBOX" copy "$K/k-$id" --to "$K/to-$id" --execute
expect_no_err 'left out'
finish
