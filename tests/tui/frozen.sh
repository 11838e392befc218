# A RabbitMQ that is stopped keeps its connections: it is missed within a tail's and a listing's next questions all the same, counts as
# down, and the log knows afterwards.
# needs: rabbitmq
# alone
# timeout: 180
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

export SIGNALBOX_PASSWORD=$SB_RABBIT_PASSWORD
stream=frozen-$$-$RANDOM
api() { curl -sf -m 20 -u "$SB_RABBIT_USER:$SB_RABBIT_PASSWORD" -H content-type:application/json "$@"; }
check "a stream" api -X PUT "$SB_RABBIT_MGMT/api/queues/%2f/$stream" -d '{"durable":true,"arguments":{"x-queue-type":"stream"}}'
at_exit api -X DELETE "$SB_RABBIT_MGMT/api/queues/%2f/$stream"
pid=$("$SB_ROOT/tests/lab/lab" status | awk '/^rabbitmq /{print $3}')
at_exit kill -CONT "$pid" # before the stream is removed
cat >"$T/c.yaml" <<END
endpoints:
  rabbit: {url: "rabbitmq://$SB_RABBIT_USER@$SB_RABBIT/%2f", management: "$SB_RABBIT_MGMT", password_env: SIGNALBOX_PASSWORD}
END

name "up"
tui_start 150 40 "$SIGNALBOX" --config "$T/c.yaml"
tui_wait 'UP +. rabbit' # other tests' queues may be so many that they are folded
tui_type ":tail rabbit/$stream"
tui_keys Enter
tui_wait 'LIVE'
tui_keys 1
tui_wait '1 up'

name "stopped"
kill -STOP "$pid"
tui_wait 'LOST +rabbit .*the broker does not answer' 20
tui_wait 'DOWN +rabbit' 30
tui_keys 2
tui_wait 'rabbit: connection lost: the broker does not answer' 10

name "gone on"
kill -CONT "$pid"
tui_wait 'rabbit: connection restored' 40
tui_keys 1
tui_gone 'DOWN +rabbit' 40
tui_keys 3
tui_wait 'WARN +rabbit +lost: the broker does not answer'
tui_wait 'WARN +rabbit +connection lost: the broker does not answer'
tui_wait 'ERROR +rabbit +up -> down'
tui_wait 'INFO +rabbit +is there again, after '
tui_wait 'INFO +rabbit +down -> up'
tui_keys q
finish
