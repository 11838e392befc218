# The commands on a real RabbitMQ: what a refusal and a missing management API look like.
# needs: kafka rabbitmq
. "$(dirname "$0")/../lib.sh"

broker=rabbitmq://$SB_RABBIT
management="management=$SB_RABBIT_MGMT"
queue=orders.cli-$$-$RANDOM
api() { # api METHOD PATH [BODY]: asks the management API
    curl -sf -m 20 -u "$SB_RABBIT_USER:$SB_RABBIT_PASSWORD" -X "$1" -H content-type:application/json -d "${3-}" "$SB_RABBIT_MGMT/api/$2"
}
export SIGNALBOX_PASSWORD=$SB_RABBIT_PASSWORD
echo '{"n":1}' >"$T/json"
run "$SIGNALBOX" send "$broker/%2f/$queue" "$T/json" --execute --create
expect_status 0
at_exit api DELETE "queues/%2f/$queue"

name "what the other system cannot keep is said, and a routing key does not come back as a key"
kafka=kafka://$SB_KAFKA
printf '%s\n' '{"key":{"text":"k1"},"payload":null}' '{"key":null,"payload":{"text":"x"}}' >"$T/lines"
run "$SIGNALBOX" send "$kafka/cross-$$" "$T/lines" --json --execute --create
expect_status 0
run "$SIGNALBOX" export "$kafka/cross-$$" "$T/cross.sba"
expect_status 0
for api in "" "?$management"; do
    run "$SIGNALBOX" import "$T/cross.sba" "$broker/%2f/$queue-x$api"
    expect_status 1
    expect_err "no queue, stream or exchange $queue-x"
done
run "$SIGNALBOX" import "$T/cross.sba" "$broker/%2f/$queue-x" --create
expect_status 0
expect_err "queue $queue-x is missing and would be made"
expect_err '1 message has a key, which RabbitMQ has no place for: it would be left out'
expect_err '1 payload is null, which RabbitMQ cannot tell from empty: it would be sent empty'
run "$SIGNALBOX" import "$T/cross.sba" "$broker/%2f/$queue-x" --execute --create
expect_status 0
expect_err 'it was sent empty'
at_exit api DELETE "queues/%2f/$queue-x"
run "$SIGNALBOX" browse "$broker/%2f/$queue-x?$management" --json
expect_status 0
expect_out '"key":null'
expect_out "\"routing_key\":\"$queue-x\""
cp "$out" "$T/back.jsonl"
run "$SIGNALBOX" import "$T/back.jsonl" "$kafka/back-$$" --execute --create
expect_status 0
run "$SIGNALBOX" browse "$kafka/back-$$" --json
expect_lines 2
expect_no_out '"key":\{'

name "a place to begin at that is not there is no silent beginning"
run "$SIGNALBOX" browse "$broker/%2f/$queue?$management" --from end-2
expect_status 2
expect_err 'is read from its head, and from nowhere else'
run "$SIGNALBOX" browse "$broker/%2f/$queue?$management" --from beginning --limit 1
expect_status 0
run "$SIGNALBOX" browse "$broker/%2f/$queue?$management" --partition 3
expect_status 2
expect_err 'RabbitMQ has no partitions'
run "$SIGNALBOX" tail "$broker/%2f/exchange:amq.topic?$management" --from beginning --timeout 2s
expect_err 'is tapped and has no past'

name "a member that nobody knows is refused"
echo '{"kye":{"text":"k1"},"payload":{"text":"x"}}' >"$T/slip"
run "$SIGNALBOX" send "$kafka/cross-$$" "$T/slip" --json
expect_status 1
expect_err 'no member .kye.*did you mean .key'

name "a partition that the topic has not is refused, not chosen anew"
echo '{"position":"7/1","properties":{"partition":7},"payload":{"text":"x"}}' >"$T/far.jsonl"
run "$SIGNALBOX" import "$T/far.jsonl" "$kafka/cross-$$" --execute
expect_status 1
expect_err 'no partition 7'

name "a refused message is refused, not in doubt"
export SIGNALBOX_PASSWORD=$SB_RABBIT_VIEWER_PASSWORD
run "$SIGNALBOX" send "rabbitmq://$SB_RABBIT_VIEWER@$SB_RABBIT/%2f/$queue?$management" "$T/json" --execute
expect_status 5
expect_err 'access to exchange.*refused'
expect_no_err 'may have arrived'

name "without the management API"
export SIGNALBOX_PASSWORD=$SB_RABBIT_NOMGMT_PASSWORD
nobody="rabbitmq://$SB_RABBIT_NOMGMT@$SB_RABBIT/%2f"
run "$SIGNALBOX" ls "$nobody?$management"
expect_status 5
expect_empty out
expect_err 'management'
run "$SIGNALBOX" ls "$nobody/$queue?$management" --json
expect_status 0
expect_out '"depth":1'
run "$SIGNALBOX" tail "$nobody/$queue?management=http://$SB_REFUSED" --timeout 10s
expect_status 1
expect_err 'management=URL'
run "$SIGNALBOX" ls "$nobody?management=http://$SB_REFUSED"
expect_status 1
expect_err 'management=URL'
run "$SIGNALBOX" ls "$nobody/nope-$$?management=http://$SB_REFUSED"
expect_status 4
expect_err "^signalbox: [^ ]*: no queue, stream or exchange nope-$$ in vhost /\$"

name "a stream without the management API"
export SIGNALBOX_PASSWORD=$SB_RABBIT_PASSWORD
alone="management=http://$SB_REFUSED"
run "$SIGNALBOX" send "$broker/%2f/stream:$queue-s" "$T/json" --execute --create
expect_status 0
at_exit api DELETE "queues/%2f/$queue-s"
run "$SIGNALBOX" ls "$broker/%2f/$queue-s?$alone" --json
expect_out '"kind":"stream".*"browse_effect":"NONE"'
run "$SIGNALBOX" browse "$broker/%2f/$queue-s?$alone" --from 0 --plain
expect_status 0
expect_lines 1
expect_err 'looking has no effect'

name "a name that a queue and an exchange have needs its kind, and ls prints it"
api PUT "exchanges/%2f/$queue" '{"type":"topic"}'
at_exit api DELETE "exchanges/%2f/$queue"
run "$SIGNALBOX" ls "$broker/%2f/$queue?$management"
expect_out "/queue:$queue[?]$management +queue"
expect_out "/exchange:$queue[?]$management +exchange"
run "$SIGNALBOX" send "$broker/%2f/$queue?$management" "$T/json" --execute
expect_status 2
expect_err "say which: queue:$queue or exchange:$queue"
run "$SIGNALBOX" browse "$broker/%2f/$queue?$management"
expect_status 2
expect_no_err 'looking'
run "$SIGNALBOX" browse "$broker/%2f/queue:$queue?$management"
expect_status 0
expect_out '^-  .*  -  .N  8  '
run "$SIGNALBOX" browse "$broker/%2f/queue:$queue?$management" --plain
expect_out '^.N	'

name "a key that an exchange routes by is not lost"
exchange=$queue-exchange
api PUT "exchanges/%2f/$exchange" '{"type":"direct"}'
at_exit api DELETE "exchanges/%2f/$exchange"
api POST "bindings/%2f/e/$exchange/q/$queue" '{"routing_key":"red"}'
run "$SIGNALBOX" send "$broker/%2f/$exchange?$management" "$T/json" --key red --execute
expect_status 0
expect_no_err 'left out'
name "a time is kept, as far as a broker has a place for it"
printf '{"time":"%s","payload":{"text":"t"}}\n' 2020-01-01T00:00:00.123Z 1960-01-01T00:00:00Z >"$T/times.jsonl"
run "$SIGNALBOX" import "$T/times.jsonl" "$broker/%2f/$queue-t?$management" --create --execute
at_exit api DELETE "queues/%2f/$queue-t"
expect_status 0
expect_err '1 time was cut to the second'
expect_err '1 time lies at the beginning of 1970 or before it, which RabbitMQ cannot keep: it was left out'
run "$SIGNALBOX" browse "$broker/%2f/$queue-t?$management" --json
expect_out '"time":"2020-01-01T00:00:00.000Z"'
run "$SIGNALBOX" import "$T/times.jsonl" "$kafka/times-$$" --create --execute
expect_no_err 'cut to the second'
expect_err '1 time lies at the beginning of 1970 or before it, which Kafka cannot keep: it was left out'

name "a key is the routing key of an exchange, and no part of a queue"
echo '{"key":{"text":"red"},"payload":{"text":"x"}}' >"$T/keyed.jsonl"
run "$SIGNALBOX" import "$T/keyed.jsonl" "$broker/%2f/$exchange?$management" --execute
expect_status 0
expect_no_err 'left out'
run "$SIGNALBOX" send "$broker/%2f/queue:$queue?$management" "$T/json" --key red --execute
expect_status 0
expect_err '1 message has a key, which RabbitMQ has no place for: it was left out'

name "a dry run knows what an exchange would return, and is silent where it cannot be certain"
for type in direct fanout topic headers; do
    api PUT "exchanges/%2f/$queue-r-$type" "{\"type\":\"$type\",\"auto_delete\":false}"
    at_exit api DELETE "exchanges/%2f/$queue-r-$type"
    run "$SIGNALBOX" send "$broker/%2f/$queue-r-$type?$management" "$T/json" --key red
    expect_status 0
    expect_err "nothing is bound to $queue-r-$type: the broker would return what is sent to it"
    api POST "bindings/%2f/e/$queue-r-$type/q/$queue" '{"routing_key":"blue"}'
    run "$SIGNALBOX" send "$broker/%2f/$queue-r-$type?$management" "$T/json" --key blue
    expect_no_err 'nothing is bound'
    run "$SIGNALBOX" send "$broker/%2f/$queue-r-$type?$management" "$T/json" --key red
    expect_status 0
    case $type in
    direct) expect_err "nothing is bound to $queue-r-direct with key red: the broker would return the message" ;;
    *) expect_no_err 'nothing is bound' ;;
    esac
done
printf '%s\n' '{"key":{"text":"red"},"payload":null}' '{"key":{"text":"blue"},"payload":null}' '{"key":null,"payload":null}' >"$T/r.jsonl"
run "$SIGNALBOX" import "$T/r.jsonl" "$broker/%2f/$queue-r-direct?$management"
expect_status 0
expect_err "nothing is bound to $queue-r-direct with the keys of 2 messages \(the first: red\)"
api PUT "exchanges/%2f/$queue-r-alternate" '{"type":"direct","auto_delete":true,"arguments":{"alternate-exchange":"amq.fanout"}}'
at_exit api DELETE "exchanges/%2f/$queue-r-alternate"
run "$SIGNALBOX" send "$broker/%2f/$queue-r-alternate?$management" "$T/json" --key red
expect_status 0
expect_no_err 'nothing is bound'
api PUT "policies/%2f/$queue-r" "{\"pattern\":\"$queue-r-direct\",\"apply-to\":\"exchanges\",\"definition\":{\"alternate-exchange\":\"amq.fanout\"}}"
at_exit api DELETE "policies/%2f/$queue-r"
run "$SIGNALBOX" send "$broker/%2f/$queue-r-direct?$management" "$T/json" --key red
expect_status 0
expect_no_err 'nothing is bound'

name "what other brokers send lasts, what came from RabbitMQ stays as it was"
echo '{"payload":{"text":"lasting"}}' >"$T/lasting.jsonl"
run "$SIGNALBOX" import "$T/lasting.jsonl" "$broker/%2f/$queue-l?$management" --create --execute
at_exit api DELETE "queues/%2f/$queue-l"
echo '{"payload":{"text":"passing"},"properties":{"exchange":"","routing_key":"x"}}' >"$T/passing.jsonl"
run "$SIGNALBOX" import "$T/passing.jsonl" "$broker/%2f/$queue-l?$management" --execute
expect_status 0
run "$SIGNALBOX" browse "$broker/%2f/$queue-l?$management" --json
check "persistent" grep -q 'delivery_mode":2.*lasting' "$out"
check "as it was" sh -c 'grep passing "$0" | grep -qv delivery_mode' "$out"

name "a header that sends copies is refused, in a dry run too"
echo '{"payload":{"text":"x"},"headers":[{"name":"CC","type":"array","value":[{"type":"string","value":{"text":"elsewhere"}}]}]}' >"$T/cc.jsonl"
for execute in "" --execute; do
    run "$SIGNALBOX" import "$T/cc.jsonl" "$broker/%2f/$queue-l?$management" $execute
    expect_status 7
    expect_err 'the header CC: RabbitMQ would send copies'
done

name "dead letters go to Kafka, and what it has no place for is said"
cat >"$T/dead.jsonl" <<'EOF'
{"payload":{"text":"x"},"headers":[{"name":"x-death","type":"array","value":[{"type":"table","value":[{"name":"count","type":"int64","value":3}]}]}],"properties":{"message_id":"m-1","content_type":"text/plain","exchange":"","routing_key":"q"}}
EOF
run "$SIGNALBOX" import "$T/dead.jsonl" "$kafka/dead-$$" --create --execute
expect_status 0
expect_err '1 message has properties that Kafka has no place for \(message_id, content_type\): they were left out'
expect_err '1 message has headers with types'
run "$SIGNALBOX" browse "$kafka/dead-$$" --format '%{headers.x-death}'
expect_out '^\[\{"count":3\}\]$'

name "a listing of more than a page is whole"
many=pages-$$
api PUT "vhosts/$many"
at_exit api DELETE "vhosts/$many"
api PUT "permissions/$many/$SB_RABBIT_USER" '{"configure":".*","write":".*","read":".*"}'
{
    printf '{"queues":['
    for i in $(seq 1101); do printf '%s{"name":"q%04d","durable":true,"auto_delete":false,"arguments":{}}' "${comma:-}" "$i"; comma=,; done
    printf ']}'
} >"$T/many.json"
api POST "definitions/$many" "@$T/many.json"
run "$SIGNALBOX" ls "$broker/$many/queue:q*?$management" --json
expect_status 0
expect_lines 1101
check "each once" test "$(jq -r .channel "$out" | sort -u | wc -l)" = 1101

name "a message that cannot be sent is told by its number, before anything is sent"
printf '%s\n' '{"payload":"a"}' '{"payload":"b","properties":{"expiration":"soon"}}' >"$T/bad.jsonl"
run "$SIGNALBOX" send "$broker/%2f/queue:$queue?$management" "$T/bad.jsonl" --json
expect_status 2
expect_err 'message 2: property expiration is `soon`'
name "administrators see who is connected"
"$SIGNALBOX" tail "$broker/%2f/queue:$queue?$management" >"$T/tail" 2>&1 &
tail=$!
at_exit "kill $tail 2>/dev/null"
named() { api GET 'connections?columns=client_properties' | grep -q '"connection_name":"signalbox".*"product":"signalbox"'; }
check "connection_name and product" eventually 20 named
kill $tail
finish
