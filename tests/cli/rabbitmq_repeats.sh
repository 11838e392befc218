# An exchange of the type x-recent-history gives its last messages to each new binding: a tap shows them, and says that they are old.
# needs: rabbitmq
# waits
. "$(dirname "$0")/../lib.sh"

export SIGNALBOX_PASSWORD=$SB_RABBIT_PASSWORD
vhost=repeats-$$-$RANDOM
api=$SB_RABBIT_MGMT/api
curl() { command curl -s -m 10 -u "$SB_RABBIT_USER:$SB_RABBIT_PASSWORD" -H content-type:application/json "$@"; }
curl -X PUT "$api/vhosts/$vhost" -d '{}'
at_exit curl -X DELETE "$api/vhosts/$vhost"
curl -X PUT "$api/permissions/$vhost/$SB_RABBIT_USER" -d '{"configure":".*","write":".*","read":".*"}'
broker="rabbitmq://$SB_RABBIT_USER@$SB_RABBIT/$vhost"
management="?management=$SB_RABBIT_MGMT"
make() { curl -X PUT "$api/exchanges/$vhost/$1" -d '{"type":"x-recent-history"}'; }
add() { # add EXCHANGE N...: messages with these numbers
    printf '{"payload":{"text":"%s"}}\n' "${@:2}" >"$T/lines"
    "$SIGNALBOX" send "$broker/exchange:$1$management" "$T/lines" --json --execute >"$T/null" 2>&1
}
shown() { cut -f6 "$1" | tr '\n' ' '; }

make recent
curl -X PUT "$api/queues/$vhost/behind" -d '{}'
curl -X POST "$api/bindings/$vhost/e/recent/q/behind" -d '{"routing_key":"a"}'
curl -X PUT "$api/queues/$vhost/late" -d '{}'

name "nothing is said where nothing is repeated"
run "$SIGNALBOX" tail "$broker/exchange:recent$management" --timeout 1s
expect_status 8
expect_no_err 'x-recent-history'

name "of the exchange, all is shown and called old"
add recent 1 2 3
run "$SIGNALBOX" tail "$broker/exchange:recent$management" --plain -n 3
expect_status 0
check "nothing is left out" test "$(shown "$out")" = "1 2 3 "
expect_err 'recent: an x-recent-history exchange repeats its last messages .*: up to 3 of the first messages are old'

name "of a queue behind it, too"
run "$SIGNALBOX" tail "$broker/behind$management" --plain -n 3
expect_status 0
check "nothing is left out" test "$(shown "$out")" = "1 2 3 "
expect_err 'behind: an x-recent-history exchange repeats .*: up to 3 of'

name "without the management API the type is unknown, and that is said"
run "$SIGNALBOX" tail "$broker/exchange:recent?management=http://$SB_REFUSED" --plain -n 3
expect_status 0
expect_err 'an x-recent-history one shows old messages first'

name "of what is bound while it is tapped"
make again
"$SIGNALBOX" tail "$broker/late$management" "$broker/exchange:again$management" --plain >"$T/tail" 2>"$T/said" &
pid=$!
at_exit "kill -9 $pid 2>/dev/null"
tapped() { curl "$api/exchanges/$vhost/again/bindings/source" | grep -q amq.gen; }
check "it listens" eventually 20 tapped
curl -X POST "$api/bindings/$vhost/e/recent/q/late" -d '{"routing_key":"b"}'
curl -X DELETE "$api/exchanges/$vhost/again"
make again
add again 4 5
check "the queue" eventually 30 grep -q 'queue late is given what an x-recent-history exchange repeats' "$T/said"
check "the exchange" eventually 30 grep -q 'exchange again is given what an x-recent-history exchange repeats' "$T/said"
all_five() { [ "$(cut -f6 "$T/tail" | sort | tr '\n' ' ')" = "1 2 3 4 5 " ]; }
check "nothing is left out" eventually 20 all_five
kill $pid
wait $pid

finish
