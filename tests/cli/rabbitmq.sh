# The commands on a real RabbitMQ: what a refusal and a missing management API look like.
# needs: rabbitmq
. "$(dirname "$0")/../lib.sh"

broker=rabbitmq://$SB_RABBIT
management="management=$SB_RABBIT_MGMT"
queue=orders.cli-$$-$RANDOM
export SIGNALBOX_PASSWORD=$SB_RABBIT_PASSWORD
echo '{"n":1}' >"$T/json"
run "$SIGNALBOX" send "$broker/%2f/$queue" "$T/json" --execute --create
expect_status 0
at_exit command curl -s -m 10 -u "$SB_RABBIT_USER:$SB_RABBIT_PASSWORD" -X DELETE "$SB_RABBIT_MGMT/api/queues/%2f/$queue"

name "a refused message is refused, not in doubt"
export SIGNALBOX_PASSWORD=$SB_RABBIT_VIEWER_PASSWORD
run "$SIGNALBOX" send "rabbitmq://$SB_RABBIT_VIEWER@$SB_RABBIT/%2f/$queue?$management" "$T/json" --execute
expect_status 5
expect_err 'access to exchange.*refused'
expect_no_err 'may have arrived'

name "without the management API"
export SIGNALBOX_PASSWORD=$SB_RABBIT_NOMGMT_PASSWORD
nobody="rabbitmq://$SB_RABBIT_NOMGMT@$SB_RABBIT/%2f"
run "$SIGNALBOX" ls "$nobody?$management"
expect_status 5
expect_empty out
expect_err 'management'
run "$SIGNALBOX" ls "$nobody/$queue?$management" --json
expect_status 0
expect_out '"depth":1'
run "$SIGNALBOX" tail "$nobody/$queue?management=http://$SB_REFUSED" --timeout 10s
expect_status 1
expect_err 'management=URL'
run "$SIGNALBOX" ls "$nobody?management=http://$SB_REFUSED"
expect_status 1
expect_err 'management=URL'
finish
