# What befalls an operation from outside, on the real brokers: a cut network, a full, missing or refusing destination, a full disk, others at
# work on the same messages: nothing lost, nothing doubled but what is reported in doubt; counted by the brokers' own means.
# needs: kafka rabbitmq
# timeout: 400
. "$(dirname "$0")/../lib.sh"

RUN_LIMIT=380
faults=$(python3 "$SB_ROOT/tests/crash/faults.py" --list | grep -v -e restart -e cut-kafka)
run python3 "$SB_ROOT/tests/crash/faults.py" --seconds "${SB_CUT_SECONDS:-5}" $faults
name "all of them are kept"
expect_status 0
expect_out '^[0-9]+ of [0-9]+ kept$'
grep '^skip ' "$out" && skip "full disks" "no file system can be mounted here"
[ "$status" = 0 ] || cat "$out"
finish
