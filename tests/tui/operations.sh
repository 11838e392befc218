# Operations on the screen of the embedded demo: dry runs, the question, jobs, archives, the journal; and that nothing is left behind.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

[ -x "$SIGNALBOX" ] || { skip demo "no $SIGNALBOX"; finish; }

# The dialog is closed to keys for 300 ms: it is answered once it is seen.
answer() { tui_wait "$1"; sleep 0.4; tui_type y; }

looks_again() { tui_has "$1" || { tui_type r && false; }; }

for size in "80 24" "120 40"; do
    name "replay of dead letters, $size"
    # shellcheck disable=SC2086
    TUI_ENV="TMPDIR=$T XDG_RUNTIME_DIR= XDG_STATE_HOME=$T/state" tui_start $size "$SIGNALBOX" --demo
    tui_wait '● UP +▾ .*queues'
    tui_wait 'invoices.dlq +queue +.* [1-9]' 15
    tui_type '/invoices.dlq'
    tui_keys Enter G
    tui_type X
    tui_wait 'Change +invoices.dlq on demo-queues'
    tui_type r
    tui_wait 'Would +replay [1-9][0-9]* messages?'
    tui_type x
    answer 'y Replay'
    tui_wait '● done'
    tui_wait 'queue:invoices'
    tui_wait 'counted, not read back: invoices has consumers'
    tui_has 'Message 1' || tui_keys Enter # there it is always shown
    tui_wait '\+ x-signalbox-replays: [1-9]'

    name "a Kafka topic keeps its dead letters, $size"
    tui_keys q
    tui_wait 'invoices.dlq +queue'
    tui_type ':replay demo-kafka/orders.dlt'
    tui_keys Enter
    tui_wait 'Source +keeps them'
    check "there are some, sooner or later" eventually 15 looks_again 'replay (at most )?[1-9]'
    tui_type x
    answer 'y Replay'
    tui_wait '● done' 20

    name "purge, and restore from the journal, $size"
    tui_type ':purge demo-queues/emails'
    tui_keys Enter
    tui_wait 'Would +purge [1-9]'
    tui_type x
    answer 'y Purge'
    tui_wait '● done'
    tui_wait 'archived in'
    tui_type 4
    tui_wait 'ended +purge'
    tui_type X
    tui_wait 'bring back what a purge'
    tui_type u
    tui_wait 'Would +restore [1-9]'
    tui_type x
    answer 'y Restore'
    tui_wait '● done'

    name "what was copied is taken off again, $size"
    tui_type ':copy demo-queues/parcels --to demo-queues/copy --create'
    tui_keys Enter
    tui_wait 'Would +copy [1-9]'
    tui_type x
    answer 'y Copy'
    tui_wait 'verified: ([0-9]+) of \1 were read back'
    tui_wait 'undo: X u'
    tui_type Xu
    tui_wait 'Would +purge [1-9]'
    tui_type x
    answer 'y Purge'
    tui_wait 'now: 0 ready in demo-queues/copy'

    name "duplicates: a report, its removal, and the restore, $size"
    tui_type ':dedupe demo-queues/parcels'
    tui_keys Enter
    check "there are some, sooner or later" eventually 20 looks_again '[1-9][0-9]* groups?'
    tui_type x
    tui_wait 'Would +remove [1-9][0-9]* extras?'
    tui_wait 'dedupe demo-queues/parcels --by id --execute'
    tui_wait 'reach the demo|the demo\)'
    tui_type x
    answer 'y Remove [1-9][0-9]* extras?'
    tui_wait '● done|▲ partial +dedupe' # the demo's consumer may have had one of them
    tui_wait 'archived in'
    tui_type X
    tui_wait 'bring back what'
    tui_type u
    tui_wait 'Would +restore [1-9]'
    tui_type x
    answer 'y Restore'
    tui_wait '● done'
    tui_type ':dedupe demo-kafka/payments --by key --keep last' # a topic removes none
    tui_keys Enter
    tui_wait 'Next: +write|write a copy'
    tui_keys q

    name "across brokers, gently, paused and cancelled, $size"
    tui_type ':copy demo-kafka/orders --to demo-queues/emails --rate 2/s'
    tui_keys Enter
    tui_wait 'Would +copy (at most )?[1-9]'
    tui_type x
    answer 'y Copy'
    tui_wait '▶ running'
    tui_wait '▶ 1 job'
    tui_type p
    tui_wait '■ paused'
    tui_type c
    answer 'y cancel it'
    tui_wait '■ cancelled'

    name "what cannot be is said, $size"
    tui_type ':move demo-kafka/orders --to demo-queues/emails'
    tui_keys Enter
    tui_wait 'nothing can be moved off it'
    tui_type x
    tui_wait 'It cannot be done'
    tui_keys q

    name "leaving, $size"
    tui_type 1
    tui_wait '\[1 Dashboard\]'
    tui_keys Escape Escape q
    tui_ended 15
    check "status" test "$(tui_status)" = 0
    check "its state went with it" test -z "$(ls -d "$T"/signalbox-demo-* 2>/dev/null)"
    check "the real state has none of it" test ! -e "$T/state/signalbox/journal.db"
done

name "a terminal that goes leaves nothing behind either"
TUI_ENV="TMPDIR=$T XDG_RUNTIME_DIR= XDG_STATE_HOME=$T/state" tui_start 80 24 "$SIGNALBOX" --demo
tui_wait '● UP +▾ .*queues'
check "it has a state" test -n "$(ls -d "$T"/signalbox-demo-* 2>/dev/null)"
tui_stop
nothing_left() { [ -z "$(ls -d "$T"/signalbox-demo-* 2>/dev/null)" ]; }
check "and then none" eventually 15 nothing_left
finish
