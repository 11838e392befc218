# Looking into a quorum queue with a delivery limit, again and again, is refused before it costs a message.
# needs: rabbitmq
. "$(dirname "$0")/../lib.sh"

api=$SB_RABBIT_MGMT/api/queues/%2f
queue=limit-$$-$RANDOM
address="rabbitmq://$SB_RABBIT/%2f/$queue?management=$SB_RABBIT_MGMT"
ask() { curl -sS -u "$SB_RABBIT_USER:$SB_RABBIT_PASSWORD" -H content-type:application/json "$@"; }

name "looking stops before the delivery limit does harm"
ask -XPUT "$api/$queue" -d '{"durable":true,"arguments":{"x-queue-type":"quorum","x-delivery-limit":4}}'
echo precious >"$T/payload"
run "$SIGNALBOX" send "$address" "$T/payload" --execute
expect_status 0
deadline=$((SECONDS + 20))
until [[ $(ask "$api/$queue") =~ \"publish\":1 ]] || [ "$SECONDS" -ge "$deadline" ]; do sleep 0.2; done
XDG_STATE_HOME=/proc/none run "$SIGNALBOX" browse "$address" --plain
expect_status 1
expect_err 'delivery limit, .*/proc/none/.* Next: let XDG_STATE_HOME name'
expect_no_err 'waiting'
looks=0
while [ "$looks" -lt 8 ]; do
    run "$SIGNALBOX" browse "$address" --plain
    [ "$status" = 0 ] || break
    looks=$((looks + 1)) # the statistics do not know of it yet: the state directory does
done
expect_status 7
expect_err 'delivery limit'
expect_no_err 'waiting' # no wait would change it
check "it was looked at before" test "$looks" -ge 2
run curl -sS -u "$SB_RABBIT_USER:$SB_RABBIT_PASSWORD" -H content-type:application/json -XPOST "$api/$queue/get" -d '{"count":1,"ackmode":"ack_requeue_false","encoding":"auto"}'
expect_out 'precious'
ask -XDELETE "$api/$queue"

finish
