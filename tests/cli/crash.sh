# Every operation on the real brokers, killed in the middle (kill -9) and resumed: nothing lost, nothing doubled but what is reported in doubt,
# nothing changed; read back by the brokers' own means. `make crash` does so two hundred times.
# needs: kafka rabbitmq
# timeout: 400
. "$(dirname "$0")/../lib.sh"

# Most of it is waiting: three at a time.
all=("rabbitmq-classic replay" "rabbitmq-quorum replay" "kafka replay" "rabbitmq-quorum move" "rabbitmq-classic copy" "kafka copy" "kafka resend"
    "rabbitmq-classic purge" "kafka purge" "rabbitmq-quorum restore" "kafka restore" "rabbitmq-quorum-kafka move"
    "rabbitmq-classic dedupe" "rabbitmq-quorum dedupe")
for i in "${!all[@]}"; do
    [ "$i" -lt 3 ] || wait -n
    # shellcheck disable=SC2086
    python3 "$SB_ROOT/tests/crash/crash.py" ${all[i]} "${SB_KILLS:-2}" "${SB_MESSAGES:-2000}" >"$T/$i" 2>&1 &
done
wait
for i in "${!all[@]}"; do
    name "${all[i]}"
    if grep -qE "^(${SB_KILLS:-2}) of \1 kept$" "$T/$i"; then
        pass
    else
        fail "${all[i]}"
        cat "$T/$i"
    fi
    tail -1 "$T/$i" | sed "s/^/${all[i]}: /"
done
finish
