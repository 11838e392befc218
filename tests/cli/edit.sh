# A message is edited in $EDITOR and resent, on a real broker: in a terminal, as JSON, text or hex.
# needs: kafka
. "$(dirname "$0")/../lib.sh"

id=$$-$RANDOM
K=kafka://$SB_KAFKA
topic() { "$SB_ROOT/tests/lab/lab" topic "$@" >"$T/topic" || fail "no topic $1"; }
topic "from-$id" 1
topic "to-$id" 1
printf '%s\n' '{"key":{"text":"json"},"payload":{"text":"{\"total\": 1,\n \"to\": \"a\"}"}}' '{"key":{"text":"text"},"payload":{"text":"hello"}}' \
    '{"key":{"text":"bytes"},"payload":{"base64":"AAEC/w=="}}' >"$T/fill.jsonl"
run "$SIGNALBOX" import "$T/fill.jsonl" "$K/from-$id" --execute
expect_status 0
# in_terminal EDITOR KEY [FLAG]...: resends that message, in a terminal of its own
in_terminal() {
    local editor=$1 key=$2
    shift 2
    run env -u VISUAL EDITOR="$editor" SHELL=/bin/sh script -qec "'$SIGNALBOX' resend $K/from-$id --select key=$key --to $K/to-$id --edit $*" "$T/typescript"
}
left() { find "${XDG_STATE_HOME:-$HOME/.local/state}" -name 'edit-*' | wc -l; }

name "JSON stays JSON, as it stood but for what was edited"
in_terminal 'sed -i s/1/27/' json --execute
expect_status 0
expect_out 'edited as JSON: 25 bytes, where there were 24'
expect_out 'done: 1 done'
run kcat -C -b "$SB_KAFKA" -t "to-$id" -e -q -f '%k %S %s %h\n'
expect_out '^json 25 \{"total": 27,$'
expect_out '^ "to": "a"\} x-signalbox-operation=.*,x-signalbox-edited=true'
run "$SIGNALBOX" journal --json
expect_out '"command":"signalbox resend .* --edit'
in_terminal 'sed -i s/1/oops/' json --execute
expect_status 1
expect_out 'line 1: this is no JSON any more: '
expect_out 'Enter edits it again'
check "nothing is left behind" test "$(left)" = 0

name "text has no line end that was not there"
in_terminal 'sed -i s/hello/bye/' text --execute
expect_status 0
run kcat -C -b "$SB_KAFKA" -t "to-$id" -e -q -f '%k %S %s %h\n'
expect_out '^text 3 bye '
in_terminal 'printf "more\\n" >>' text --execute
expect_status 0
run kcat -C -b "$SB_KAFKA" -t "to-$id" -e -q -f '%k %S %s %h\n'
expect_out '^text 9 hellomore '

name "bytes are edited in hex"
in_terminal 'sed -i "s/^00 01/0a 0b 0c/"' bytes --execute
expect_status 0
expect_out 'edited as hex: 5 bytes, where there were 4'
kcat -C -b "$SB_KAFKA" -t "to-$id" -e -q -f '%s' | tail -c 5 | od -An -tx1 | tr -d ' ' >"$T/bytes"
check "these bytes" grep -qx 0a0b0c02ff "$T/bytes"
in_terminal 'sed -i "s/^00 01/0g/"' bytes --execute
expect_status 1
expect_out 'this is no hex'

name "what was left alone is not sent, nor what an editor has not saved"
count=$(kcat -C -b "$SB_KAFKA" -t "to-$id" -e -q -f '.' | wc -c)
in_terminal true text --execute
expect_status 4
expect_out 'left as it was'
in_terminal false text --execute
expect_status 1
expect_out 'the editor has failed'
in_terminal 'sed -i s/hello/bye/' text
expect_status 0
expect_out 'would resend 1 message'
expect_out 'with --execute the editor opens again'
check "nothing was sent" test "$(kcat -C -b "$SB_KAFKA" -t "to-$id" -e -q -f '.' | wc -c)" = "$count"
check "nothing is left behind" test "$(left)" = 0

name "without a terminal, with several messages, with what redact hides"
run setsid "$SIGNALBOX" resend "$K/from-$id" --select key=text --to "$K/to-$id" --edit --execute
expect_status 2
expect_err 'no terminal to edit on'
in_terminal true 'text\|key=json' --execute
expect_status 2
expect_out '2 messages are selected'
in_terminal true none --execute
expect_status 4
cat >"$T/config.yaml" <<END
endpoints:
  k: {url: "$K", write: true}
redact: [{field: total}]
END
run env EDITOR=true SHELL=/bin/sh script -qec "'$SIGNALBOX' resend -c $T/config.yaml k/from-$id --select key=json --to k/to-$id --edit --execute" "$T/typescript"
expect_status 7
expect_out 'hides a part of this payload'

name "a file that is no JSON for a message that is"
echo oops >"$T/oops.json"
run "$SIGNALBOX" resend "$K/from-$id" --select key=json --to "$K/to-$id" --edit "$T/oops.json"
expect_status 1
expect_err 'payload is JSON, and the edited one is not'
finish
