# A terminal that reads no more keeps nobody: the console ends when it is told to.
. "$(dirname "$0")/../lib.sh"

for signal in TERM HUP INT; do
    name "$signal"
    run python3 "$SB_ROOT/tests/tui/stuck.py" "$SIGNALBOX" $signal
    expect_status 0
done
finish
