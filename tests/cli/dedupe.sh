# Duplicates on the real servers: what the report says, and that it changes nothing.
# needs: kafka rabbitmq
. "$(dirname "$0")/../lib.sh"

kafka=kafka://$SB_KAFKA
topic=dedupe-$$-$RANDOM

name "keys of a Kafka topic"
# 20,000 keys, of which 1,000 come again later; one of them has another body then. One message has no key.
seq 20000 | sed 's/.*/{"key":{"text":"o-&"},"payload":{"text":"{\\"id\\":&}"}}/' >"$T/lines.jsonl"
head -1000 "$T/lines.jsonl" | sed '7s/"id/"changed\\":1,\\"id/' >"$T/again.jsonl"
echo '{"payload":{"text":"{}"}}' >>"$T/again.jsonl"
for file in lines again; do
    run "$SIGNALBOX" import "$T/$file.jsonl" "$kafka/$topic" --execute --create
    expect_status 0
done
run "$SIGNALBOX" dedupe "$kafka/$topic"
expect_status 0
expect_out '^id +21,001 +0 +0 +0 +0.00 % +0 +0$'
expect_out '^key +1 +20,000 +1,000 +1,000 +4.76 % +2 +1$'
expect_out '^body +0 +20,002 +999 +999 +4.76 % +2 +0$'
run "$SIGNALBOX" dedupe "$kafka/$topic" --by key --limit 3
expect_status 0
expect_out '^21,001 messages: 20,000 unique, 1,000 groups of duplicates, 1,000 extras \(4.76 %\)$'
expect_out '^      2  o-1 .* 0/0 '
expect_err 'the 3 biggest groups are listed'
expect_err '^signalbox: the bodies of 1 group differ'
expect_err 'nothing can be removed: .*Kafka removes no single message.* Next: write a copy without the extras into another channel: --to'
run "$SIGNALBOX" dedupe "$kafka/$topic" --by field:id --json --select 'key=o-7'
expect_status 0
expect_out '"listed":\[\{"value":\{"text":"7"\},.*"bodies":"differ".*"kept":\{"channel":"dedupe-.*","position":"0/6"'
run "$SIGNALBOX" dedupe "$kafka/$topic" --by key --from 1000 --select 'key=o-1500'
expect_status 4
run "$SIGNALBOX" dedupe "$kafka/$topic" --by header:x-none
expect_status 4
expect_err '21,001 without a value by header:x-none'
run "$SIGNALBOX" dedupe "$kafka/$topic" --by key --execute
expect_status 7
expect_err 'Kafka removes no single message.*--to ADDRESS'

name "ids of a RabbitMQ queue, which is as long as before"
queue=dedupe-$$-$RANDOM
api=$SB_RABBIT_MGMT/api/queues/%2f
address="rabbitmq://$SB_RABBIT/%2f/$queue?management=$SB_RABBIT_MGMT"
ask() { curl -sS -m 10 -u "$SB_RABBIT_USER:$SB_RABBIT_PASSWORD" -H content-type:application/json "$@"; }
ask -XPUT "$api/$queue" -d '{"durable":true}'
at_exit ask -XDELETE "$api/$queue"
for id in a b a c a; do
    echo "{\"id\":{\"text\":\"$id\"},\"properties\":{\"message_id\":\"$id\"},\"payload\":{\"text\":\"$id\"}}"
done >"$T/ids.jsonl"
run "$SIGNALBOX" import "$T/ids.jsonl" "$address" --execute
expect_status 0
run "$SIGNALBOX" dedupe "$address" --by id --keep last
expect_status 0
expect_err 'MARKS'
expect_out '^5 messages: 3 unique, 1 group of duplicates, 2 extras \(40.00 %\)$'
expect_out '^      3  a  .* no. 5 +same$'
run "$SIGNALBOX" browse "$address" --plain
expect_lines 5
finish
