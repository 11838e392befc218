# The firehose is switched off again, also after a kill -9: by the last reader, by a guard, or by the next start.
# needs: rabbitmq
. "$(dirname "$0")/../lib.sh"

export SIGNALBOX_PASSWORD=$SB_RABBIT_PASSWORD
vhost=firehose-$$-$RANDOM
api=$SB_RABBIT_MGMT/api
curl() { command curl -s -m 10 -u "$SB_RABBIT_USER:$SB_RABBIT_PASSWORD" -H content-type:application/json "$@"; }
tracing() { curl "$api/vhosts/$vhost" | grep -q "\"tracing\":$1"; }
curl -X PUT "$api/vhosts/$vhost" -d '{}'
at_exit curl -X DELETE "$api/vhosts/$vhost"
curl -X PUT "$api/permissions/$vhost/$SB_RABBIT_USER" -d '{"configure":".*","write":".*","read":".*"}'
curl -X PUT "$api/queues/$vhost/q" -d '{"durable":true}'
address="rabbitmq://$SB_RABBIT_USER@$SB_RABBIT/$vhost/q?management=$SB_RABBIT_MGMT"
begin() { # in the background, until its mark says that the switch was made
    "$SIGNALBOX" tail "$address" --firehose >"$T/tail" 2>&1 &
    pid=$!
    at_exit "kill -9 $pid 2>/dev/null"
}
kill_all() { # the guard, too, as a machine that loses its power does
    guard=$(pgrep -P "$pid" signalbox-guard)
    kill -9 "$pid" $guard
    wait "$pid" 2>/dev/null
}
firehose_seen() { "$SIGNALBOX" send "$address" /dev/stdin --execute <<<hello >/dev/null 2>&1 && grep -q hello "$1"; }

name "it is on while somebody reads, and off afterwards"
begin
check "on" eventually 20 tracing true
check "it shows the default exchange" eventually 20 firehose_seen "$T/tail"
kill -TERM $pid
wait $pid
check "off" tracing false

name "the last of two readers switches it off"
begin
first=$pid
check "on" eventually 20 tracing true
check "the first reads" eventually 20 firehose_seen "$T/tail"
mv "$T/tail" "$T/tail1"
begin
check "the second reads" eventually 20 firehose_seen "$T/tail"
kill -TERM $first
wait $first
check "still on" tracing true
kill -TERM $pid
wait $pid
check "off" tracing false

name "after a kill -9 it is switched off all the same, and nothing of ours stays"
begin
check "on" eventually 20 tracing true
check "it reads" eventually 20 firehose_seen "$T/tail"
guard=$(pgrep -P $pid signalbox-guard)
check "a guard is there" test -n "$guard"
kill -9 -- $pid
wait $pid 2>/dev/null
check "off" eventually 20 tracing false
gone() { ! kill -0 "$guard" 2>/dev/null; }
check "the guard is gone" eventually 20 gone
check "no mark is left" test -z "$(find "$XDG_STATE_HOME" -name '*.mark')"

name "what another broker was left with keeps no guard waiting"
begin
check "on" eventually 20 tracing true
check "it reads" eventually 20 firehose_seen "$T/tail"
guard=$(pgrep -P $pid signalbox-guard)
other=$(find "$XDG_STATE_HOME" -name '*.mark' -printf %h)/rabbitmq-tracing-0.mark
echo "signalbox switched tracing on at rabbitmq://elsewhere" >"$other"
kill -9 -- $pid
wait $pid 2>/dev/null
check "off" eventually 20 tracing false
check "the guard is gone" eventually 3 gone
rm -f "$other"

name "a guard that is not needed is dismissed"
begin
check "on" eventually 20 tracing true
guard=$(pgrep -P $pid signalbox-guard)
kill -TERM $pid
wait $pid
check "off" tracing false
check "dismissed" gone

name "a guard tries again while the management API is away"
chaos_start "${SB_RABBIT_MGMT#http://}"
plain=$address address="rabbitmq://$SB_RABBIT_USER@$SB_RABBIT/$vhost/q?management=http://$chaos"
begin
check "on" eventually 20 tracing true
check "it reads" eventually 20 firehose_seen "$T/tail"
guard=$(pgrep -P $pid signalbox-guard)
check "refuses" chaos refuse
check "cuts" chaos cut
granted() { grep -h "access to vhost '$vhost'" "$SB_LAB"/rabbitmq/log/*.log | wc -l; }
before=$(granted)
granted_more() { [ "$(granted)" -gt "$before" ]; }
kill -9 $pid
wait $pid 2>/dev/null
check "the guard was there, without the API" eventually 20 granted_more
check "still on" tracing true
check "accepts" chaos accept
check "off" eventually 20 tracing false
check "the guard is gone" eventually 20 gone
address=$plain

name "what a kill -9 of everything left on is switched off by the next start"
begin
check "on" eventually 20 tracing true
check "it reads" eventually 20 firehose_seen "$T/tail"
kill_all
check "left on" tracing true
run "$SIGNALBOX" ls "${address%/q\?*}?management=$SB_RABBIT_MGMT"
expect_status 0
check "off" tracing false
expect_err 'the firehose is off again, which a killed signalbox had left on at 20[0-9-]*T[0-9:.]*Z'
run "$SIGNALBOX" ls "${address%/q\?*}?management=$SB_RABBIT_MGMT"
expect_no_err 'firehose'
check "no mark is left" test -z "$(find "$XDG_STATE_HOME" -name '*.mark')"

name "doctor tells what a kill -9 left on, and whether it is off by now"
begin
check "on" eventually 20 tracing true
check "it reads" eventually 20 firehose_seen "$T/tail"
kill_all
run "$SIGNALBOX" doctor
expect_out "note +left behind +signalbox switched tracing on at .*virtual host $vhost"
expect_out '-> a killed signalbox left this.*signalbox ls'
check "left on" tracing true
echo "endpoints: {rb: {url: \"${address%/q\?*}\", management: \"$SB_RABBIT_MGMT\", password_env: SIGNALBOX_PASSWORD}}" >"$T/rb.yaml"
run "$SIGNALBOX" doctor --config "$T/rb.yaml" --json
expect_out '"check":"left behind","finding":"remark","text":"signalbox switched tracing on.*undone by now'
check "off" tracing false
run "$SIGNALBOX" doctor
expect_no_out 'left behind'

name "a sending says it too; a probe, which could not, leaves it on"
begin
check "on" eventually 20 tracing true
check "it reads" eventually 20 firehose_seen "$T/tail"
kill_all
run "$SIGNALBOX" probe "$address" --once
expect_status 0
check "left on" tracing true
run "$SIGNALBOX" send "$address" /dev/null --execute
expect_err 'the firehose is off again'
check "off" tracing false

name "what is off by now is no news"
begin
check "on" eventually 20 tracing true
check "it reads" eventually 20 firehose_seen "$T/tail"
kill_all
curl -X PUT "$api/vhosts/$vhost" -d '{"tracing":false}'
run "$SIGNALBOX" ls "${address%/q\?*}?management=$SB_RABBIT_MGMT"
expect_no_err 'firehose'
check "no mark is left" test -z "$(find "$XDG_STATE_HOME" -name '*.mark')"

name "an operator elsewhere is told when the firehose is switched off under him"
begin
first=$pid
check "the first reads" eventually 20 firehose_seen "$T/tail"
mv "$T/tail" "$T/tail1"
XDG_STATE_HOME=$T/elsewhere begin
check "the second reads" eventually 20 firehose_seen "$T/tail"
grep -q 'on already: it stays on, unless' "$T/tail" && pass || fail "the second does not say that it was on"
kill -TERM $first
wait $first
check "off" tracing false
check "it is said" eventually 20 grep -q 'somebody has switched the firehose off' "$T/tail"
curl -X PUT "$api/vhosts/$vhost" -d '{"tracing":true}'
check "on again" eventually 20 grep -q 'the firehose is on again' "$T/tail"
kill -TERM $pid
wait $pid
curl -X PUT "$api/vhosts/$vhost" -d '{"tracing":false}'

name "what somebody else had switched on stays on"
curl -X PUT "$api/vhosts/$vhost" -d '{"tracing":true}'
begin
check "it reads" eventually 20 firehose_seen "$T/tail"
grep -q 'on already' "$T/tail" && pass || fail "it does not say that it was on"
kill -TERM $pid
wait $pid
check "on" tracing true
finish
