# The console on the embedded demo: live rows from the dashboard to one field of one message, by keys alone.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

[ -x "$SIGNALBOX" ] || { skip demo "no $SIGNALBOX"; finish; }

name "dashboard"
tui_start 80 24 "$SIGNALBOX" --demo
tui_wait ' DEMO ' 5
tui_wait '● UP +orders-api'
tui_wait '● UP +▾ .*kafka'

name "find a channel and tail it"
tui_type '/orders'
tui_wait 'rows +Enter keeps it'
tui_keys Enter
tui_wait 'filter orders'
tui_keys G
tui_keys k
tui_keys t
tui_wait '^ LIVE '
tui_wait 'received [1-9]'

name "pause, and the stream goes on"
tui_keys p
tui_wait '^ PAUSED \+[0-9]+ new'
before=$(tui_row 5)
sleep 0.5
check "the rows stand still" test "$(tui_row 5)" = "$before"

name "a faulty filter keeps its line and says where"
tui_type '\totl=3'
tui_wait '\^ unknown field'
tui_keys Escape

name "inspect"
tui_keys Enter
tui_wait '┌ Tree'
tui_wait '┌ Bytes'
tui_keys j
tui_wait '^ body\.[a-z]'
tui_keys v
tui_wait 'Tree +(text|hex|unwrap)'
tui_resize 120 40
tui_wait 'Why this decoder'
tui_keys q
tui_wait '┌ Rate'
tui_keys f
tui_wait '^ LIVE '

name "an endpoint given by URL joins"
tui_type ':tail memory:/audit'
tui_keys Enter
tui_wait 'tail audit'
tui_wait 'received [1-9]'
tui_type ':tail kafcha://h/x'
tui_keys Enter
tui_wait 'did you mean .?kafka'
tui_keys Escape
tui_type ':tail orders payments'
tui_keys Enter
tui_wait 'no endpoint is called .orders.*write demo-kafka/orders'
tui_keys Escape
tui_type ':tail nothing/orders'
tui_keys Enter
tui_wait 'there are .demo-kafka., .demo-queues.'
tui_keys Escape

name "quit from the dashboard"
tui_keys 1
tui_wait '┌ Needs attention'
tui_keys Escape q
tui_ended 15
check "status" test "$(tui_status)" = 0

name "the demo's own brokers live through a suspension"
tui_shell 80 24
tui_type "$SIGNALBOX --demo"
tui_keys Enter
tui_wait '● UP +▾ .*kafka'
tui_keys C-z
tui_wait 'Stopped'
tui_type fg
tui_keys Enter
tui_wait 'q quit$'
tui_type ':tail demo-kafka/orders'
tui_keys Enter
tui_wait 'received [1-9]'
tui_keys 1
tui_wait '\[1 Dashboard\]'
tui_keys Escape q
tui_wait '^\$' 15
finish
