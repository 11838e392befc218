# A dry run asks the destinations: which are missing, and which messages they would not take.
# needs: kafka rabbitmq
. "$(dirname "$0")/../lib.sh"

id=$$-$RANDOM
K=kafka://$SB_KAFKA R=rabbitmq://$SB_RABBIT_USER@$SB_RABBIT/%2f M="?management=$SB_RABBIT_MGMT"
export SIGNALBOX_PASSWORD=$SB_RABBIT_PASSWORD
topic() { "$SB_ROOT/tests/lab/lab" topic "$@" >"$T/topic" || fail "no topic $1"; }
fill() { # fill ADDRESS: with the lines of stdin
    cat >"$T/fill.jsonl"
    run "$SIGNALBOX" import "$T/fill.jsonl" "$1" --create --execute
    expect_status 0
}
topic "odd-$id" 1
topic "dead-$id" 3
topic "six-$id" 6
topic "compact-$id" 1 cleanup.policy=compact

name "messages that a queue of RabbitMQ would not take"
{
    printf '{"payload":{"text":"a"},"headers":[{"name":"%s","type":"bytes","value":{"text":"1"}}]}\n' "$(printf 'n%.0s' $(seq 320))"
    printf '{"payload":{"text":"b"},"headers":[{"name":"CC","type":"bytes","value":{"text":"1"}}]}\n'
    printf '{"key":{"text":"k"},"payload":{"text":"c"}}\n'
} | fill "$K/odd-$id"
run "$SIGNALBOX" copy "$K/odd-$id" --to "$R/odd-$id$M" --create --json
expect_status 0
expect_err "2 of them would fail and stay where they are, such as: a header's name has 320 bytes"
expect_err 'would copy 1 message '
check "as JSON" test "$(jq -c '[.counts.planned, .preview.failing]' "$out")" = '[1,2]'

name "messages without a key, which a compacted topic does not take"
run "$SIGNALBOX" copy "$K/odd-$id" --to "$K/compact-$id"
expect_status 0
expect_err "2 of them would fail .*, such as: a message without a key: topic compact-$id is compacted, and takes none"
run "$SIGNALBOX" copy "$K/odd-$id" --to "$K/compact-$id" --execute
expect_status 6
expect_err 'partial: 1 done, 2 failed'

name "dead letters whose topic is gone, or has other partitions"
{
    printf '{"payload":{"text":"a"},"headers":[{"name":"x-original-topic","type":"bytes","value":{"text":"gone-%s"}}]}\n' "$id"
    printf '{"key":{"text":"k"},"payload":{"text":"b"},"headers":[{"name":"x-original-topic","type":"bytes","value":{"text":"six-%s"}}]}\n' "$id"
} | fill "$K/dead-$id"
run "$SIGNALBOX" replay "$K/dead-$id"
expect_status 0
expect_err "would fail, no topic gone-$id"
expect_err "topic six-$id has 6 partitions, not 3: messages go by their keys"
expect_err 'would replay 1 message '
run "$SIGNALBOX" replay "$K/dead-$id" --select "body~/a/"
expect_status 6
expect_err 'nothing of .* would be sent'
finish
