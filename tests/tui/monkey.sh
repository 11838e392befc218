# Keys at random on the embedded demo. q is not among them: nothing but SIGTERM ends it.
# timeout: 120
. "$(dirname "$0")/../lib.sh"

[ -x "$SIGNALBOX" ] || { skip monkey "no $SIGNALBOX"; finish; }

RUN_LIMIT=100
for seed in 1 $RANDOM; do # one that is the same each time, and one that is not
    name "seed $seed"
    run python3 "$SB_ROOT/tests/tui/monkey.py" "$seed" 6 "$SIGNALBOX" --demo
    expect_status 0
    expect_out 'ended with 143 on SIGTERM'
done
finish
