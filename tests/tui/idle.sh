# A console at which nothing happens writes less than 100 bytes a second, none where it shows no clock, and does not wake for more.
# waits
# timeout: 90
. "$(dirname "$0")/../lib.sh"

[ -x "$SIGNALBOX" ] || { skip idle "no $SIGNALBOX"; finish; }

cases=(clock broker nothing)
declare -A pids
for what in "${cases[@]}"; do
    python3 "$SB_ROOT/tests/tui/idle.py" "$what" "$SIGNALBOX" >"$T/$what" 2>&1 &
    pids[$what]=$!
done
for what in "${cases[@]}"; do
    if wait "${pids[$what]}"; then pass; else fail "$what: $(cat "$T/$what")"; fi
done
finish
