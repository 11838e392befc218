# A broker that is killed and started again, or stands still, in the middle of an operation: nothing lost, nothing doubled.
# needs: kafka rabbitmq
# alone
# timeout: 400
. "$(dirname "$0")/../lib.sh"

RUN_LIMIT=380
name "all of them are kept"
run python3 "$SB_ROOT/tests/crash/faults.py" --seconds "${SB_CUT_SECONDS:-5}" cut-kafka restart-kafka restart-classic restart-quorum
expect_status 0
expect_out '^4 of 4 kept$'
[ "$status" = 0 ] || cat "$out"
finish
