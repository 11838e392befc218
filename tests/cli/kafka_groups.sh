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

finish
