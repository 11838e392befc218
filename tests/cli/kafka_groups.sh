# Groups of the new protocol (KIP-848) on a real Kafka: state and lag are known; who reads now is not, and is not taken for nobody.
# needs: kafka
# waits
. "$(dirname "$0")/../lib.sh"

topic=kip848-$$-$RANDOM
address=kafka://$SB_KAFKA/$topic
consume() { # consume GROUP [ARGUMENT...]: Kafka's own reader, in the background; its process is $pid
    java -Xmx128m -XX:TieredStopAtLevel=1 -cp "$SB_KAFKA_JARS/*" org.apache.kafka.tools.consumer.ConsoleConsumer \
        --bootstrap-server "$SB_KAFKA" --topic "$topic" --group "$1" --consumer-property group.protocol=consumer --from-beginning \
        "${@:2}" >"$T/read" 2>"$T/said" &
    pid=$!
    at_exit "kill -9 $pid 2>/dev/null"
}
listed() { # listed REGEX: it is in the listing's row
    run "$SIGNALBOX" ls "$address" --json
    grep -qE -- "$1" "$out"
}
seq 5 | sed 's/.*/{"payload":{"text":"m&"}}/' >"$T/five.jsonl"
run "$SIGNALBOX" send "$address" "$T/five.jsonl" --json --create --execute
expect_status 0

name "what a group has left behind is its lag"
consume "$topic-left" --max-messages 3
wait $pid
check "it read three" test "$(wc -l <"$T/read")" = 3
run "$SIGNALBOX" ls "$address" --json
expect_status 0
expect_out '"consumers":0,"groups":1,"lag":2,"lag_partial":false,'
expect_out '"consumer_groups":\[\{"name":"[^"]*-left","state":"Empty","members":0,"lag":2,"lag_partial":false\}\]'

name "a group that reads is stable, and its members are unknown"
consume "$topic-reads"
check "it reads to the end" eventually 30 listed '"name":"[^"]*-reads","state":"Stable","members":null,"lag":0,'
expect_out '"consumers":null,"groups":2,"lag":2,'
expect_out '"name":"[^"]*-left","state":"Empty","members":0,'
run "$SIGNALBOX" ls "$address"
expect_out "^  group $topic-reads  Stable  lag 0$"

name "a bound is marked, for scripts too"
printf '{"payload":"%s","properties":{"partition":%d}}\n' a 0 b 0 c 1 >"$T/two.jsonl"
run "$SIGNALBOX" send "$address-2" "$T/two.jsonl" --json --create --execute
expect_status 0
topic=$topic-2
java -Xmx128m -XX:TieredStopAtLevel=1 -cp "$SB_KAFKA_JARS/*" org.apache.kafka.tools.consumer.group.ConsumerGroupCommand \
    --bootstrap-server "$SB_KAFKA" --group "$topic-part" --topic "$topic:0" --reset-offsets --to-earliest --execute >"$T/read" 2>"$T/said"
check "a group has committed in one partition" eventually 10 sh -c '"$0" ls "$1" --plain -q | grep -qF "$2"' "$SIGNALBOX" "$address-2" \
    "$topic	topic	<=3			0	2+		NONE	"
run "$SIGNALBOX" ls "$address-2"
expect_out ' <=3 .* 2\+ '
run "$SIGNALBOX" ls "$address-2" --json
expect_out '"depth":3,"depth_upper":true,.*"lag":2,"lag_partial":true'
run "$SIGNALBOX" ls "kafkas://$SB_KAFKA_TLS/$topic?ca=$SB_CA"
expect_out "^kafkas://$SB_KAFKA_TLS/$topic[?]ca=$SB_CA "

finish
