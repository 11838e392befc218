# Rules that hide, on a real Kafka: whatever way leads to a message, it is hidden; archives alone keep it.
# needs: kafka
. "$(dirname "$0")/../lib.sh"

kafka=kafka://$SB_KAFKA
topic=redact-$$-$RANDOM

name "what redact hides is hidden everywhere but in archives, and is not sent again"
printf 'endpoints:\n  k: {url: "%s"}\nredact: [{field: "card.*"}, {header: Authorization}]\n' "$kafka" >"$T/redact.yaml"
echo '{"card":{"number":4111},"n":7}' >"$T/card"
run "$SIGNALBOX" send "$kafka/$topic" "$T/card" -H authorization=Bearer-x --execute --create
expect_status 0
run "$SIGNALBOX" --config "$T/redact.yaml" browse "k/$topic" --json
expect_status 0
expect_out 'card.*:.*redacted'
expect_out '"flags":\["redacted"\]'
expect_no_out '4111|Bearer'
run "$SIGNALBOX" --config "$T/redact.yaml" search "k/$topic" body.card.number=4111
expect_status 4
run "$SIGNALBOX" --config "$T/redact.yaml" browse "k/$topic" --format '%{payload:raw}'
expect_no_out '4111'
run "$SIGNALBOX" --config "$T/redact.yaml" export "k/$topic" "$T/redact.jsonl"
expect_status 0
run "$SIGNALBOX" import "$T/redact.jsonl" "$kafka/$topic"
expect_status 7
expect_err 'redacted.*\.sba'
run "$SIGNALBOX" --config "$T/redact.yaml" export "k/$topic" "$T/redact.sba"
expect_status 0
check "the archive keeps it" grep -q 4111 "$T/redact.sba"
finish
