# A tail of a stream whose connection is closed notices it at once, and goes on behind what it showed; what is tapped cannot. What a
# stream cannot keep is said.
# needs: rabbitmq
. "$(dirname "$0")/../lib.sh"

export SIGNALBOX_PASSWORD=$SB_RABBIT_PASSWORD
vhost=stream-$$-$RANDOM
api=$SB_RABBIT_MGMT/api
curl() { command curl -s -m 10 -u "$SB_RABBIT_USER:$SB_RABBIT_PASSWORD" -H content-type:application/json "$@"; }
curl -X PUT "$api/vhosts/$vhost" -d '{}'
at_exit curl -X DELETE "$api/vhosts/$vhost"
curl -X PUT "$api/permissions/$vhost/$SB_RABBIT_USER" -d '{"configure":".*","write":".*","read":".*"}'
curl -X PUT "$api/queues/$vhost/s" -d '{"durable":true,"arguments":{"x-queue-type":"stream"}}'
broker="rabbitmq://$SB_RABBIT_USER@$SB_RABBIT/$vhost"
management="?management=$SB_RABBIT_MGMT"

add() { # add N...: messages with these numbers
    printf '{"payload":{"text":"%s"}}\n' "$@" >"$T/lines"
    "$SIGNALBOX" send "$broker/s$management" "$T/lines" --json --execute >"$T/null" 2>&1
}
begin() { # begin CHANNEL...: a tail in the background, with its connection's name
    "$SIGNALBOX" tail "$@" --plain >"$T/tail" 2>"$T/said" &
    pid=$!
    at_exit "kill -9 $pid 2>/dev/null"
    eventually 20 connected || fail "$sb_title: no connection"
}
connected() {
    connection=$(curl "$api/vhosts/$vhost/connections" | jq -r '.[0].name // empty|@uri')
    [ -n "$connection" ]
}
shows() { [ "$(cut -f3,6 "$T/tail" | tr '\t' '-' | tr '\n' ' ')" = "$* " ]; }
end() {
    kill -TERM $pid
    wait $pid
}

name "nothing is shown twice, and nothing is left out"
add 0 1 2
begin "$broker/s$management" --from beginning
check "what was there" eventually 20 shows 0-0 1-1 2-2
curl -X DELETE "$api/connections/$connection"
check "the close is said at once" eventually 2 grep -q 'CONNECTION_FORCED' "$T/said"
add 3 4
check "what came meanwhile" eventually 20 shows 0-0 1-1 2-2 3-3 4-4
add 5
check "what comes" eventually 20 shows 0-0 1-1 2-2 3-3 4-4 5-5
end
check "it says so" grep -q 'connected again; goes on behind the last message' "$T/said"

name "a tap beside it has a gap, and that is said"
begin "$broker/s$management" "$broker/exchange:amq.topic$management"
add 6
check "what comes" eventually 20 shows 6-6
curl -X DELETE "$api/connections/$connection"
check "the close is said at once" eventually 2 grep -q 'CONNECTION_FORCED' "$T/said"
add 7
check "what came meanwhile" eventually 20 shows 6-6 7-7
end
check "both are said" grep -q 'streams go on behind their last message; what else flowed meanwhile was not seen' "$T/said"

name "a stream that was made anew is read from its beginning"
begin "$broker/s$management"
add 8
check "what comes" eventually 20 shows 8-8
curl -X DELETE "$api/queues/$vhost/s"
curl -X PUT "$api/queues/$vhost/s" -d '{"durable":true,"arguments":{"x-queue-type":"stream"}}'
add 20 21 22 23 24 25 26 27 28 29
check "all of it" eventually 20 shows 8-8 0-20 1-21 2-22 3-23 4-24 5-25 6-26 7-27 8-28 9-29
end
check "it says so" grep -q 'connected again; what was deleted meanwhile is read anew, from its beginning' "$T/said"

name "headers that a stream drops are said, one that it cannot take is refused before the broker ends the connection"
curl -X PUT "$api/queues/$vhost/kept" -d '{"durable":true,"arguments":{"x-queue-type":"stream"}}'
curl -X PUT "$api/queues/$vhost/q" -d '{"durable":true}'
cat >"$T/nested.jsonl" <<'EOF'
{"payload":{"text":"a"},"headers":[{"name":"x-death","type":"array","value":[{"type":"table","value":[{"name":"n","type":"int64","value":3}]}]}]}
{"payload":{"text":"b"},"headers":[{"name":"price","type":"table","value":[{"name":"n","type":"decimal","value":{"scale":2,"digits":314}}]}]}
{"payload":{"text":"c"},"headers":[{"name":"n","type":"int64","value":3}]}
EOF
run "$SIGNALBOX" import "$T/nested.jsonl" "$broker/kept$management"
expect_status 0
expect_err '2 messages have headers that are arrays or tables .*a stream of RabbitMQ does not keep: they would be left out'
run "$SIGNALBOX" import "$T/nested.jsonl" "$broker/kept$management" --execute
expect_status 0
expect_err '2 messages have headers that are arrays or tables .* they were left out'
run "$SIGNALBOX" browse "$broker/queue:kept$management" --json
expect_status 0
expect_err 'kept.*: looking has no effect'
run "$SIGNALBOX" browse "$broker/kept$management" --json
check "so it is" test "$(grep -c '"headers":\[\]' "$out")" = 2
run "$SIGNALBOX" import "$T/nested.jsonl" "$broker/q$management" --execute
expect_status 0
expect_no_err 'arrays or tables'
echo '{"payload":{"text":"d"},"headers":[{"name":"n","type":"decimal","value":{"scale":2,"digits":314}}]}' >"$T/decimal.jsonl"
for execute in "" --execute; do
    run "$SIGNALBOX" import "$T/decimal.jsonl" "$broker/kept$management" $execute
    expect_status 7
    expect_err 'a header of the type decimal, which no stream of RabbitMQ can keep'
done
run "$SIGNALBOX" import "$T/decimal.jsonl" "$broker/q$management" --execute
expect_status 0

name "a copy off a stream says where it was, by the cluster's own name"
curl -X PUT "$api/queues/$vhost/copied" -d '{"durable":true}'
run "$SIGNALBOX" copy "$broker/queue:kept$management" --to "$broker/copied$management" --limit 1 --execute
expect_status 0
run "$SIGNALBOX" browse "$broker/copied$management" --json
expect_out "\"x-signalbox-source\",\"type\":\"string\",\"value\":\{\"text\":\"[a-z-]+@[^,/]+,$vhost/kept/[0-9]+\""

name "bytes that are not counted are those of the streams alone"
curl -X PUT "$api/queues/$vhost/counted" -d '{"durable":true}'
bytes_said() {
    run "$SIGNALBOX" ls "$broker$management"
    grep -q '/counted[? ].* 0 B ' "$out"
}
check "the queue's bytes are counted" eventually 20 bytes_said
expect_err ': BYTES of (s|kept and 1 more) are not known: RabbitMQ does not count those of a stream$'
run "$SIGNALBOX" ls "$broker/s$management"
expect_err ': BYTES are not known: RabbitMQ does not count those of a stream$'
finish
