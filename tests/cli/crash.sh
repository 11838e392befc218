# Operations on the real brokers that are killed in the middle (kill -9) and resumed: nothing lost, nothing doubled; read back by the
# brokers' own means. `make crash` does the same two hundred times.
# needs: kafka rabbitmq
# timeout: 400
. "$(dirname "$0")/../lib.sh"

RUN_LIMIT=180
for what in "rabbitmq-classic move" "rabbitmq-quorum move" "rabbitmq-classic copy" "rabbitmq-classic dedupe" "rabbitmq-quorum dedupe" "kafka copy"; do
    name "$what"
    run env SB_LAB="$SB_ROOT/tests/lab/lab" python3 "$SB_ROOT/tests/crash/crash.py" $what "${SB_KILLS:-3}" "${SB_MESSAGES:-3000}"
    expect_status 0
    expect_out '^[0-9]+ of [0-9]+ kept$'
    tail -1 "$out" | sed "s/^/$what: /"
done
finish
