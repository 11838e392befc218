# The first frame comes before anything is connected, the second no sooner than 50 ms after it, and keys wait for neither.
# waits
. "$(dirname "$0")/../lib.sh"

[ -x "$SIGNALBOX" ] || { skip start "no $SIGNALBOX"; finish; }

for what in nothing second answered key; do
    name "$what"
    RUN_LIMIT=120 run python3 "$SB_ROOT/tests/tui/start.py" "$what" "$SIGNALBOX"
    expect_status 0
done
finish
