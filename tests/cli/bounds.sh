# What the destination does with what it is sent is said before, and it is not sent more than it holds.
# needs: rabbitmq
. "$(dirname "$0")/../lib.sh"

id=$$-$RANDOM
R=rabbitmq://$SB_RABBIT_USER@$SB_RABBIT/%2f M="?management=$SB_RABBIT_MGMT"
export SIGNALBOX_PASSWORD=$SB_RABBIT_PASSWORD
api() { # api METHOD PATH [JSON]
    curl -sf -u "$SB_RABBIT_USER:$SB_RABBIT_PASSWORD" -X "$1" "$SB_RABBIT_MGMT/api/$2" -H content-type:application/json ${3:+-d "$3"} >"$T/api"
}
depth() { "$SIGNALBOX" ls "$R/$1$M" --json 2>"$T/null" | jq '.depth'; }
api PUT "queues/%2f/ten-$id" '{"durable":true}'
api PUT "queues/%2f/three-$id" '{"durable":true,"arguments":{"x-max-length":3}}'
api PUT "queues/%2f/short-$id" '{"durable":true,"arguments":{"x-message-ttl":3600000,"x-dead-letter-exchange":"amq.fanout"}}'
seq 10 | sed 's/.*/{"payload":{"text":"m&"}}/' >"$T/ten.jsonl"
run "$SIGNALBOX" import "$T/ten.jsonl" "$R/ten-$id" --execute
expect_status 0

name "more than there is room for is refused before anything"
run "$SIGNALBOX" move "$R/ten-$id$M" --to "$R/three-$id$M"
expect_status 7
expect_err 'holds at most 3 messages, and has room for 3: beyond that its oldest make way, and are gone'
expect_err 'has room for 3, not for 10'
run "$SIGNALBOX" move "$R/ten-$id$M" --to "$R/three-$id$M" --execute
expect_status 7
expect_err 'has room for 3, not for 10.* Next: --limit 3, or raise its limit'
check "nothing has gone" test "$(depth "ten-$id")" = 10
run "$SIGNALBOX" copy "$R/ten-$id$M" --to "$R/three-$id$M" --limit 3 --json
expect_status 0
check "as JSON" test "$(jq -c '.preview.destination | [.max_messages, .room, .ttl_ms]' "$out")" = '[3,3,null]'

name "a selection, of which nobody knows how many it takes, ends where it is full"
run "$SIGNALBOX" move "$R/ten-$id$M" --to "$R/three-$id$M" --select m --execute
expect_status 6
expect_err 'partial: 3 done; three-.* is full'
check "the others have stayed" test "$(depth "ten-$id")" = 7
check "and none was pushed out" test "$(depth "three-$id")" = 3

name "how long it keeps a message"
run "$SIGNALBOX" copy "$R/ten-$id$M" --to "$R/short-$id$M"
expect_status 0
expect_err 'keeps a message for 1h00m: then it goes on to the exchange amq.fanout'

name "without the management API nobody knows"
run "$SIGNALBOX" copy "$R/ten-$id" --to "$R/short-$id"
expect_status 0
expect_err 'has a limit or a time to live is not known: only the management API tells'
name "by a policy, also of a queue that is made on the way"
api PUT "policies/%2f/low-$id" '{"pattern":"^made-'"$id"'","priority":1,"definition":{"max-length":100}}'
api PUT "policies/%2f/high-$id" '{"pattern":"^made-'"$id"'","priority":2,"definition":{"max-length":2}}'
at_exit api DELETE "policies/%2f/low-$id"
at_exit api DELETE "policies/%2f/high-$id"
run "$SIGNALBOX" move "$R/ten-$id$M" --to "$R/made-$id$M" --create --execute
expect_status 6
expect_err 'partial: 2 done; made-.* is full'
run "$SIGNALBOX" move "$R/ten-$id$M" --to "$R/made-$id$M"
expect_status 7
expect_err 'holds at most 2 messages, and has room for 0'
for q in ten three short made; do api DELETE "queues/%2f/$q-$id"; done
finish
