# The commands on a real Kafka: there and back, byte for byte; how they fail.
# needs: kafka rabbitmq
. "$(dirname "$0")/../lib.sh"

kafka=kafka://$SB_KAFKA
topic=cli-$$-$RANDOM
printf 'x\0\377\n' >"$T/bytes"

name "send is a dry run until --execute, and creates only when told"
run "$SIGNALBOX" send "$kafka/$topic" "$T/bytes" --key k1
expect_status 1
expect_err "no topic $topic"
expect_err "create makes it"
run "$SIGNALBOX" send "$kafka/$topic" "$T/bytes" --key k1 --create
expect_status 0
expect_err "topic $topic is missing and would be made"
expect_err 'nothing was sent'
run "$SIGNALBOX" send "$kafka/$topic" "$T/bytes" --key k1 --execute
expect_status 1
run "$SIGNALBOX" send "$kafka/$topic" "$T/bytes" --key k1 -H b=2 -H a=1 -H b= --execute --create
expect_status 0
expect_err '1 confirmed'
for n in 2 3 4; do
    echo "{\"n\":$n}" >"$T/json"
    run "$SIGNALBOX" send "$kafka/$topic" "$T/json" --execute
    expect_status 0
done

name "browse"
run "$SIGNALBOX" browse "$kafka/$topic" --json
expect_status 0
expect_lines 4
expect_err 'NONE'
expect_out '"key":\{"text":"k1"\},"headers":\[\{"name":"b","type":"bytes","value":\{"text":"2"\}\},\{"name":"a"'
expect_out '"payload":\{"base64":"eAD/Cg=="\}'
cp "$out" "$T/before"
run "$SIGNALBOX" browse "$kafka/$topic" --from end-1 --format '%{offset} %{body.n}'
expect_out '^3 4$'
expect_lines 1
run "$SIGNALBOX" browse "$kafka/$topic" --from end-500000 --plain # more than are ever kept, but only four are there
expect_status 0
expect_lines 4

name "search"
run "$SIGNALBOX" search "$kafka/$topic" 'body.n>=3' --format '%{body.n}'
expect_status 0
expect_lines 2
expect_err 'scanned 4 of (at most )?4, stopped because'
run "$SIGNALBOX" search "$kafka/$topic" 'body.n>=30'
expect_status 4

name "a line that has no place for headers is found by them all the same"
run "$SIGNALBOX" browse "$kafka/$topic" --plain --where headers.a=1
expect_status 0
expect_lines 1

name "tail ends at its limit, or at its time-out"
run "$SIGNALBOX" tail "$kafka/$topic" --from beginning -n 4 --plain
expect_status 0
expect_lines 4
run "$SIGNALBOX" tail "$kafka/$topic" --timeout 1s
expect_status 8

name "ls"
run "$SIGNALBOX" ls "$kafka/$topic" --json
expect_out '"depth":4,"depth_upper":true'
expect_out '"partitions":1,.*"watermarks":\[\{"partition":0,"low":0,"high":4,"leader":1\}\],"consumer_groups":\[\]'
run "$SIGNALBOX" ls "$kafka/$topic*" --json
expect_no_out 'watermarks'
run "$SIGNALBOX" ls "$kafka/$topic"
expect_out '^  partition 0  low 0  high 4$'
run "$SIGNALBOX" ls "$kafka/${topic}x"
expect_status 4
expect_empty out
expect_err "no channel ${topic}x. Next: did you mean $topic"
run "$SIGNALBOX" ls "kafka://$SB_REFUSED" "$kafka/$topic" --plain
expect_status 6
expect_lines 1
SIGNALBOX_PASSWORD=$SB_KAFKA_NOBODY_PASSWORD run "$SIGNALBOX" ls "kafka://$SB_KAFKA_NOBODY@$SB_KAFKA_SASL"
expect_status 0
expect_err "no channel is visible to $SB_KAFKA_NOBODY"

name "export and import"
for kind in sba jsonl; do
    run "$SIGNALBOX" export "$kafka/$topic" "$T/saved.$kind"
    expect_status 0
    run "$SIGNALBOX" import "$T/saved.$kind" "$kafka/$topic-$kind" --create --execute
    expect_status 0
    run "$SIGNALBOX" browse "$kafka/$topic-$kind" --json
    for f in "$out" "$T/before"; do
        sed 's/"channel":"[^"]*"//; s/"received":"[^"]*"//; s/"position":"[^"]*"//' "$f" | sort >"$f.same"
    done
    check "$kind brings back the same" cmp "$out.same" "$T/before.same"
done

name "an import is whole, or does not begin"
for n in {0..99}; do
    echo "{\"position\":\"$((n % 4))/$((n / 4))\",\"key\":{\"text\":\"k$n\"},\"properties\":{\"partition\":$((n % 4))},\"payload\":{\"text\":\"$n\"}}"
done >"$T/four.jsonl"
run "$SIGNALBOX" import "$T/four.jsonl" "$kafka/$topic-four" --create
expect_status 0
expect_err 'would be made with 4 partitions'
run "$SIGNALBOX" ls "$kafka/$topic-four"
expect_status 4
run "$SIGNALBOX" import "$T/four.jsonl" "$kafka/$topic-four" --create --execute
expect_status 0
expect_err 'was made with 4 partitions'
run "$SIGNALBOX" ls "$kafka/$topic-four" --json
expect_out '"depth":100,.*"partitions":4'
run "$SIGNALBOX" export "$kafka/$topic-four" "$T/four.sba"
expect_status 0
run "$SIGNALBOX" send "$kafka/$topic-one" "$T/bytes" --create --execute -p 0
expect_status 0
for file in four.sba four.jsonl; do
    for how in "" --execute "--execute --create"; do
        run "$SIGNALBOX" import "$T/$file" "$kafka/$topic-one" $how
        expect_status 1
        expect_err 'no partition 3.*its partitions are 0 to 0'
    done
done
printf '%s\n' '{"schema":"signalbox.message/2","payload":{"text":"x"}}' | cat "$T/four.jsonl" - >"$T/wrong.jsonl"
run "$SIGNALBOX" import "$T/wrong.jsonl" "$kafka/$topic-four" --execute
expect_status 1
expect_err 'wrong.jsonl: line 101'
expect_err 'nothing was sent'
run sh -c "'$SIGNALBOX' import - '$kafka/$topic-one' --execute <'$T/four.jsonl'"
expect_status 1
run "$SIGNALBOX" ls "$kafka/$topic-one" --json
expect_out '"depth":1,'
run sh -c "cat '$T/four.jsonl' | '$SIGNALBOX' import - '$kafka/$topic-four' --execute"
expect_status 0
expect_err 'the input is a stream'

name "a pipe's messages are counted too late for the topic that they want"
for how in "" --execute; do
    run sh -c "cat '$T/four.jsonl' | '$SIGNALBOX' import - '$kafka/$topic-pipe' --create $how"
    expect_status 1
    expect_err "topic $topic-pipe is missing, and how many partitions the messages of a pipe name is not known"
    expect_err 'make the topic first, or put the messages in a file'
    run "$SIGNALBOX" ls "$kafka/$topic-pipe" # nothing was made
    expect_status 4
    run sh -c "cat '$T/four.jsonl' | '$SIGNALBOX' import - '$kafka/$topic-pipe' $how"
    expect_status 1
    expect_err "no topic $topic-pipe\..* Next: .*; make the topic first, or put the messages in a file, which --create can count\$"
    run sh -c ": | '$SIGNALBOX' import - '$kafka/$topic-pipe' --create $how"
    expect_status 4
    expect_err 'the input has no message: nothing to send'
    expect_no_err 'missing'
done
run sh -c "cat '$T/four.jsonl' | '$SIGNALBOX' import - '$kafka/$topic-four'"
expect_status 0
expect_err 'would send 100 messages'
for how in "" --create; do # a dry run has counted them
    run sh -c "cat '$T/four.jsonl' | '$SIGNALBOX' import - '$kafka/$topic-one' $how"
    expect_status 1
    expect_err 'no partition 3\. Next: its partitions are 0 to 0; .* of messages in a file'
    expect_no_err 'would send'
done
run sh -c "cat '$T/four.jsonl' | '$SIGNALBOX' send '$kafka/$topic-pipe' - --json -p 2 --create --execute" # told, not counted
expect_status 0
expect_err 'was made with 3 partitions'

name "Kafka's own topics take no messages"
for how in "" --execute "--create --execute"; do
    run "$SIGNALBOX" send "$kafka/__consumer_offsets" "$T/bytes" $how
    expect_status 1
    expect_err "__consumer_offsets is Kafka's own and takes no messages\$"
done

name "an archive is one by its first line, out of a file"
cp "$T/four.sba" "$T/four.saved"
run "$SIGNALBOX" import "$T/four.saved" "$kafka/$topic-four"
expect_status 0
expect_err 'would send 100 messages'
run sh -c "'$SIGNALBOX' import - '$kafka/$topic-four' <'$T/four.sba'"
expect_status 0
expect_err 'would send 100 messages'
{ echo 'a line' && cat "$T/four.sba"; } >"$T/begun"
run sh -c "{ read -r line; '$SIGNALBOX' import - '$kafka/$topic-four'; } <'$T/begun'" # goes on behind it
expect_status 0
expect_err 'would send 100 messages'
run sh -c "cat '$T/four.sba' | '$SIGNALBOX' import - '$kafka/$topic-four' --execute"
expect_status 2
expect_err 'standard input: this is an archive, .* Next: name its file'
expect_err 'nothing was sent'

name "send --json goes where the messages were, if it can"
run "$SIGNALBOX" send "$kafka/$topic-again" "$T/four.jsonl" --json --create --execute
expect_status 0
run "$SIGNALBOX" browse "$kafka/$topic-again" -p 3 --format '%{key}'
expect_lines 25
expect_out '^k99$'
run "$SIGNALBOX" send "$kafka/$topic-one" "$T/four.jsonl" --json
expect_status 0
expect_err '75 messages are of a partition .* to be placed by key'
run "$SIGNALBOX" send "$kafka/$topic-one" "$T/four.jsonl" --json --execute
expect_status 0
expect_err '75 messages are of a partition .* placed by key'
expect_err '100 confirmed'

name "a partition that is not there is known before"
for how in "" --execute; do
    run "$SIGNALBOX" send "$kafka/$topic-four" "$T/bytes" -p 77 $how
    expect_status 1
    expect_err 'no partition 77.*0 to 3'
done

name "null and empty are told apart"
run "$SIGNALBOX" browse "$kafka/$topic" --limit 2
expect_out '  k1  4  x'
expect_out '  \\N  8  '

name "an offset beyond the end is no place to begin"
run "$SIGNALBOX" browse "$kafka/$topic" --from 4
expect_status 0
run "$SIGNALBOX" browse "$kafka/$topic" --from 5
expect_status 2
expect_err 'from 0 to 4'

name "failures"
run "$SIGNALBOX" browse "kafka://$SB_RABBIT/x"
expect_status 1
expect_err 'speaks AMQP, not Kafka'
run "$SIGNALBOX" browse "$kafka/none-$topic"
expect_status 1
expect_err 'no topic'
run "$SIGNALBOX" tail "kafka://$SB_REFUSED/x"
expect_status 1
run "$SIGNALBOX" probe "$kafka" --plain
expect_status 0
run "$SIGNALBOX" probe "kafka://$SB_REFUSED" --json
expect_status 3
expect_out '"state":"down"'
name "an interrupted import says what became of each message"
seq 400000 | sed 's/.*/{"payload":{"text":"m&"}}/' >"$T/many.jsonl"
mkfifo "$T/said"
env --default-signal=INT "$SIGNALBOX" import "$T/many.jsonl" "$kafka/$topic-many" --create --execute 2>"$T/said" &
pid=$!
exec {said}<"$T/said"
while read -r -t 20 -u "$said" line; do
    [[ $line == *' of 400,000 confirmed ('* ]] && break
done
kill -INT $pid
wait $pid
check "130" test $? = 130
cat <&"$said" >"$err"
exec {said}<&-
expect_err '^signalbox: [0-9,]+ of 400,000 confirmed, [0-9,]+ not sent'
expect_no_err refused

name "nothing to send, nothing stored"
: >"$T/none.jsonl"
run "$SIGNALBOX" import "$T/none.jsonl" "$kafka/$topic-none" --create --execute
expect_status 4
expect_err 'the input has no message: nothing to send'
run "$SIGNALBOX" browse "$kafka/$topic-none"
expect_status 0
expect_err '0 messages: the end as it stood'

name "of two exports to one file the second is refused, and the first is whole"
: >"$T/twice.jsonl.part"
exec 9<>"$T/twice.jsonl.part"
flock 9
run "$SIGNALBOX" export "$kafka/$topic" "$T/twice.jsonl"
expect_status 1
expect_err 'another export is writing this file'
check "the other's part stays" test -e "$T/twice.jsonl.part"
exec 9<&-
run "$SIGNALBOX" export "$kafka/$topic" "$T/twice.jsonl"
expect_status 0

name "a reader that goes ends a search quietly, and an export not at all"
sh -c '(sleep 0.05; "$0" search "$1" nothing 2>"$2"; echo $? >"$3") | true' "$SIGNALBOX" "$kafka/$topic-many" "$err" "$T/code"
check "0" test "$(cat "$T/code")" = 0
expect_no_err 'scanned|matched'
sh -c '"$0" export "$1" "$2" 2>"$3" | true' "$SIGNALBOX" "$kafka/$topic-many" "$T/piped.jsonl" "$err"
run "$SIGNALBOX" export "$kafka/$topic-many" "$T/whole.jsonl"
check "the file is whole" test "$(wc -l <"$T/piped.jsonl")" = "$(wc -l <"$T/whole.jsonl")"

name "a time that nothing has reached: Kafka answers with no offset, which is the end"
topic=late-$$-$RANDOM
echo hello | "$SIGNALBOX" send "$kafka/$topic" - --execute --create 2>/dev/null
for when in -0s 2099-01-01T00:00:00Z; do
    sleep_until_past() { [ "$(date +%s%3N)" -gt $((sent + 5)) ]; }
    sent=$(date +%s%3N)
    check "time passes" eventually 5 sleep_until_past
    run "$SIGNALBOX" browse "$kafka/$topic" --from $when --plain
    expect_status 0
    check "nothing" test ! -s "$out"
done
expect_err 'that time is yet to come'

name "ls says why sizes are not known"
run "$SIGNALBOX" ls "$kafka/$topic"
expect_err 'BYTES are not known: librdkafka'
finish
