# --timeout on real servers that fall silent: it ends then, says what was done by then, and loses nothing.
# needs: kafka rabbitmq
# alone
# timeout: 120
. "$(dirname "$0")/../lib.sh"

api=$SB_RABBIT_MGMT/api/queues/%2f
queue=timeout-$$-$RANDOM topic=timeout-$$-$RANDOM
management="?management=$SB_RABBIT_MGMT"
kafka=kafka://$SB_KAFKA/$topic
direct=rabbitmq://$SB_RABBIT/%2f/$queue$management
chaos_start "$SB_RABBIT"
address=rabbitmq://$chaos/%2f/$queue$management

# begin COMMAND...: in the background; sets pid and began. So late that what was asked for had begun: silence COMMAND, then end.
begin() {
    sb_last="$*"
    began=$(date +%s%N)
    env --default-signal=INT "$@" >"$out" 2>"$err" </dev/null &
    pid=$!
}
silence() {
    check "$sb_title: it has begun" eventually 10 "$@"
    check "stall" chaos stall
}
# ends_within MS: of its beginning; sets status
ends_within() {
    wait "$pid"
    status=$?
    local ms=$((($(date +%s%N) - began) / 1000000))
    check "$sb_title: $ms ms" test "$ms" -le "$1"
    chaos resume
    chaos rate 0
}
count() { curl -sS -m 10 -u "$SB_RABBIT_USER:$SB_RABBIT_PASSWORD" "$api/$1" | grep -oE '"messages_ready":[0-9]+' | cut -d: -f2; }
all_back() { [ "$(count "$queue")" = 3000 ]; }
has_lines() { [ "$(wc -l <"$out")" -gt 50 ]; }
has_taken() { chaos stat && [[ $chaos_answer =~ down=([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -gt "$1" ]; }
has_sent() { chaos stat && [[ $chaos_answer =~ up=([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -gt "$1" ]; }
down() { chaos stat && [[ $chaos_answer =~ down=([0-9]+) ]] && echo "${BASH_REMATCH[1]}"; }
up() { chaos stat && [[ $chaos_answer =~ up=([0-9]+) ]] && echo "${BASH_REMATCH[1]}"; }

pad=$(printf '%4000s' '')
seq 3000 | sed "s/.*/{\"payload\":{\"text\":\"m&$pad\"}}/" >"$T/lines.jsonl"
run "$SIGNALBOX" import "$T/lines.jsonl" "$direct" --execute --create
expect_status 0
at_exit curl -sS -u "$SB_RABBIT_USER:$SB_RABBIT_PASSWORD" -XDELETE "$api/$queue"
check "all are there" eventually 20 all_back

name "a browse that is silenced"
chaos rate 1000000
begin "$SIGNALBOX" browse "$address" -n 3000 --plain --timeout 3s
silence has_lines
ends_within 5500
expect_status 8
expect_err 'looked at [0-9,]+ of 3,000, [0-9,]+ not yet back: the broker goes on taking them back'
expect_err '[0-9,]+ of 3,000: the time-out passed'
check "$sb_title: all are back" eventually 20 all_back

name "a search that is silenced"
chaos rate 1000000
begin "$SIGNALBOX" search "$address" nothing --timeout 3s
silence has_taken $(($(down) + 300000))
ends_within 5500
expect_status 8
expect_err 'looked at [0-9,]+ of 3,000, [0-9,]+ not yet back'
expect_err 'scanned [0-9,]+ of 3,000, stopped because the time-out passed; 0 matched'
check "$sb_title: all are back" eventually 20 all_back

name "an export that is silenced"
chaos rate 1000000
begin "$SIGNALBOX" export "$address" "$T/cut.sba" --timeout 3s
silence has_taken $(($(down) + 300000))
ends_within 5500
expect_status 8
expect_err 'looked at [0-9,]+ of 3,000, [0-9,]+ not yet back'
expect_err 'cut.sba: not written, .* after [0-9,]+ of 3,000 messages: the time-out passed. Next: .*--timeout'
check "$sb_title: all are back" eventually 20 all_back

name "a look whose connection is cut"
chaos rate 1000000
begin "$SIGNALBOX" browse "$address" -n 3000 --plain
check "$sb_title: it has begun" eventually 10 has_lines
chaos cut
ends_within 5000
expect_status 1
expect_err 'looked at [0-9,]+ of 3,000, [0-9,]+ not yet back'
expect_err "$queue: the connection was lost while this was read: .*\. Next: read it again"
expect_err '[0-9,]+ of 3,000: the connection was lost'
check "$sb_title: all are back" eventually 20 all_back

name "an import that is silenced"
curl -sS -u "$SB_RABBIT_USER:$SB_RABBIT_PASSWORD" -H content-type:application/json -XPUT "$api/$queue-to" -d '{"durable":true}'
at_exit curl -sS -u "$SB_RABBIT_USER:$SB_RABBIT_PASSWORD" -XDELETE "$api/$queue-to"
to=rabbitmq://$chaos/%2f/$queue-to$management
cat "$T/lines.jsonl" "$T/lines.jsonl" >"$T/more.jsonl" # than may be without an answer at once
chaos rate 1000000
begin "$SIGNALBOX" import "$T/more.jsonl" "$to" --execute --timeout 4s
silence has_sent $(($(up) + 1000000))
ends_within 6500
expect_status 6
expect_err "$queue-to: the time-out passed. Next: allow more time: --timeout"
expect_err '^signalbox: [0-9,]+ of 6,000 confirmed, [0-9,]+ not sent, [0-9,]+ without an answer'

name "an import that is silenced and interrupted"
chaos rate 1000000
begin "$SIGNALBOX" import "$T/more.jsonl" "$to" --execute
silence has_sent $(($(up) + 1000000))
began=$(date +%s%N)
kill -INT "$pid"
ends_within 2500
expect_status 130
expect_err '^signalbox: [0-9,]+ of 6,000 confirmed, [0-9,]+ not sent'

name "nothing was sent in time"
chaos stall
begin "$SIGNALBOX" send "$to" --execute --timeout 1s
ends_within 2500
expect_status 8

name "a Kafka broker that is frozen within an import"
read -r kafka_pid _ <"$SB_LAB/pid/kafka"
at_exit kill -CONT "$kafka_pid"
run "$SIGNALBOX" send "$kafka" --create --execute
mkfifo "$T/feed"
begin sh -c "exec '$SIGNALBOX' import - '$kafka' --execute --timeout 6s <'$T/feed'"
exec {feed}>"$T/feed"
head -n 100 "$T/lines.jsonl" >&"$feed"
holds() { [ "$("$SIGNALBOX" browse "$kafka" -n 1000 --plain 2>/dev/null | wc -l)" = "$1" ]; }
check "a hundred arrive" eventually 5 holds 101
kill -STOP "$kafka_pid"
sed -n 101,150p "$T/lines.jsonl" >&"$feed"
ends_within 8000
kill -CONT "$kafka_pid"
exec {feed}>&-
expect_status 6
expect_err "$topic: the time-out passed. Next: allow more time"
expect_err '^signalbox: 100 confirmed(, [0-9]+ not sent)?(, [0-9]+ without an answer .*)?$'

name "an input that never comes"
begin sh -c "exec '$SIGNALBOX' import - '$kafka' --execute --timeout 1s <'$T/feed'"
exec {feed}>"$T/feed"
ends_within 3000
expect_status 8
expect_err ': the time-out passed'
expect_err ': nothing was sent'
exec {feed}>&-

name "a Kafka browse whose output nobody takes"
run "$SIGNALBOX" import "$T/lines.jsonl" "$kafka" --execute
expect_status 0
mkfifo "$T/full"
exec {full}<>"$T/full"
began=$(date +%s%N)
"$SIGNALBOX" browse "$kafka" -n 10000 --timeout 1s >"$T/full" 2>"$err" &
pid=$!
ends_within 5000
exec {full}<&-
expect_status 8
expect_err '[0-9,]+ of (at most )?3,1[0-9]*: the time-out passed'

finish
