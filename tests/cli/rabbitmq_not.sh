# What RabbitMQ does not have is refused with the reason, not left out without a word; and a name that is not there is an exit code.
# needs: rabbitmq
. "$(dirname "$0")/../lib.sh"

export SIGNALBOX_PASSWORD=$SB_RABBIT_PASSWORD
queue=not-$$-$RANDOM
broker="rabbitmq://$SB_RABBIT_USER@$SB_RABBIT/%2f"
management="?management=$SB_RABBIT_MGMT"
ask() { curl -sS -m 10 -u "$SB_RABBIT_USER:$SB_RABBIT_PASSWORD" -H content-type:application/json "$@"; }
ask -XPUT "$SB_RABBIT_MGMT/api/queues/%2f/$queue" -d '{"durable":true}'
at_exit ask -XDELETE "$SB_RABBIT_MGMT/api/queues/%2f/$queue"
echo '{"position":"3/7","properties":{"partition":3},"payload":{"text":"from Kafka"}}' >"$T/lines"

name "it has no partitions: who names one is told, before anything is sent"
run "$SIGNALBOX" send "$broker/$queue$management" "$T/lines" --partition 1 --execute
expect_status 2
expect_err 'RabbitMQ has no partitions'
run "$SIGNALBOX" import "$T/lines" "$broker/$queue$management" --execute
expect_status 0
expect_err '1 confirmed'

name "a dry run fails as the sending would: without the permission to write, or to make the queue"
for to in "$queue" exchange:amq.topic "$queue-new"; do
    SIGNALBOX_PASSWORD=$SB_RABBIT_VIEWER_PASSWORD run "$SIGNALBOX" send "rabbitmq://$SB_RABBIT_VIEWER@$SB_RABBIT/%2f/$to$management" \
        "$T/lines" --create
    expect_status 5
    expect_err '403 ACCESS_REFUSED - .*refused for user'
    expect_no_err 'would send'
done
writer=writer-$queue
ask -XPUT "$SB_RABBIT_MGMT/api/users/$writer" -d '{"password":"w","tags":""}'
at_exit ask -XDELETE "$SB_RABBIT_MGMT/api/users/$writer"
ask -XPUT "$SB_RABBIT_MGMT/api/permissions/%2f/$writer" -d '{"configure":"^$","write":"^amq\\.default$","read":"^$"}'
SIGNALBOX_PASSWORD=w run "$SIGNALBOX" send "rabbitmq://$writer@$SB_RABBIT/%2f/$queue$management" "$T/lines"
expect_status 0
expect_err 'would send 1 message'
expect_no_err 'not known'
SIGNALBOX_PASSWORD=w run "$SIGNALBOX" send "rabbitmq://$writer@$SB_RABBIT/%2f/exchange:amq.fanout$management" "$T/lines"
expect_status 5
run "$SIGNALBOX" send "$broker/$queue-new$management" "$T/lines" --create
expect_status 0
run "$SIGNALBOX" ls "$broker/$queue-new$management"
expect_status 4

name "the default exchange routes by the queue's name"
run "$SIGNALBOX" send "$broker/amq.default$management" "$T/lines" --key "$queue" --execute
expect_status 0
expect_err '1 confirmed'
run "$SIGNALBOX" send "$broker/amq.default$management" "$T/lines" --key "$queue-nobody" --execute
expect_status 1
expect_err 'NO_ROUTE'
run "$SIGNALBOX" ls "$broker/$queue$management" --json
expect_out '"state":"running","depth":2,'

name "an exchange is not made"
run "$SIGNALBOX" send "$broker/exchange:$queue-x$management" "$T/lines" --create --execute
expect_status 1
expect_err 'no exchange .*only queues and streams are made'
run "$SIGNALBOX" ls "$broker/amq.topic$management" --json
expect_out '"create":"only queues and streams are made"'

name "an exchange has nothing to look at: that alone is said"
run "$SIGNALBOX" browse "$broker/exchange:amq.topic$management"
expect_status 1
expect_err 'keeps nothing to look at'
expect_no_err 'has no effect'

name "one of two names is not there"
run "$SIGNALBOX" ls "$broker/$queue$management" "$broker/$queue-y$management"
expect_status 6
expect_err "no channel $queue-y"
run "$SIGNALBOX" ls "$broker/$queue$management" "$broker/exchange:$queue$management"
expect_status 6
run "$SIGNALBOX" ls "$broker/$queue-y$management"
expect_status 4
run "$SIGNALBOX" ls "$broker/$queue$management" "$broker/$queue-y*$management"
expect_status 0
run "$SIGNALBOX" ls "$broker/$queue$management" "$broker/$queue$management" --where 'depth>100'
expect_status 4

name "a name that two have is completed as each of them"
ask -XPUT "$SB_RABBIT_MGMT/api/exchanges/%2f/$queue" -d '{"type":"fanout"}'
at_exit ask -XDELETE "$SB_RABBIT_MGMT/api/exchanges/%2f/$queue"
echo "endpoints: {r: {url: \"$broker$management\"}}" >"$T/two.yaml"
for typed in exch "exchange:$queue" queue:not- "queue:$queue"; do
    run "$SIGNALBOX" completion addresses "r/$typed" --config "$T/two.yaml"
    expect_status 0
    kind=${typed%%[:-]*}
    [ "$kind" = exch ] && kind=exchange
    check "$typed: once" test "$(grep -c "^r/.*$queue\$" "$out")" = 1
    expect_out "^r/$kind:$queue\$"
done
run "$SIGNALBOX" completion addresses "r/$queue" --config "$T/two.yaml"
expect_out "^r/queue:$queue\$"
expect_out "^r/exchange:$queue\$"
finish
