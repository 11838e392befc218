# Duplicates that are removed from queues, left out of copies, and keys that go from compacted topics, on the real servers.
# needs: kafka rabbitmq
. "$(dirname "$0")/../lib.sh"

id=$$-$RANDOM
K=kafka://$SB_KAFKA R=rabbitmq://$SB_RABBIT_USER@$SB_RABBIT/%2f M="?management=$SB_RABBIT_MGMT"
export SIGNALBOX_PASSWORD=$SB_RABBIT_PASSWORD
api() {
    curl -sf -u "$SB_RABBIT_USER:$SB_RABBIT_PASSWORD" -X "$1" "$SB_RABBIT_MGMT/api/$2" -H content-type:application/json ${3:+-d "$3"} >"$T/api"
}
topic() { "$SB_ROOT/tests/lab/lab" topic "$@" >"$T/topic" || fail "no topic $1"; }
ids() { "$SIGNALBOX" browse "$1" --limit 1000 --format '%{id}=%{body}' --quiet | tr '\n' ' '; }
# Forty ids, three times, to the last byte; those of m7 are three bodies.
for n in $(seq 0 119); do
    i=$((n % 40)) body=b$((n % 40))
    test $i = 7 && body=other$n
    echo '{"id":{"text":"m'$i'"},"key":{"text":"m'$i'"},"payload":{"text":"'$body'"},"properties":{"message_id":"m'$i'","delivery_mode":2}}'
done >"$T/fill.jsonl"
sed 's/"id":{[^}]*},//; s/"message_id":"m[0-9]*",//' "$T/fill.jsonl" >"$T/keys.jsonl"

for type in classic quorum; do
    q=dedupe-$type-$id
    api PUT "queues/%2f/$q" '{"durable":true,"arguments":{"x-queue-type":"'$type'"}}'
    at_exit api DELETE "queues/%2f/$q"
    run "$SIGNALBOX" import "$T/fill.jsonl" "$R/$q" --execute
    expect_status 0

    name "$type: a dry run says what would go, and how"
    run "$SIGNALBOX" dedupe "$R/$q$M" --by id
    expect_status 0
    expect_out '^120 messages: 40 unique, 40 groups of duplicates, 80 extras'
    expect_err '2 extras of groups whose bodies differ would stay; --bodies-differ takes those, too'
    expect_err 'would archive and remove 78 extras \([0-9]+ B\) of 40 groups; nothing was changed'
    expect_err "to do it: signalbox dedupe .* --by id --execute$"
    run "$SIGNALBOX" dedupe "$R/$q$M" --by id --json
    expect_out '"going":78,"going_bytes":[0-9]+,"operation":\{"schema":"signalbox.operation/1",.*"kind":"dedupe",.*"counts":\{"planned":78,'

    name "$type: one of each stays, and what went comes back"
    run "$SIGNALBOX" dedupe "$R/$q$M" --by id --execute --json
    expect_status 0
    expect_out '"kind":"dedupe","state":"done",.*"counts":\{"planned":78,"done":78,"skipped":0,"failed":0,"in_doubt":0\}'
    archive=$(jq -r .archive "$out")
    expected=$(for n in $(seq 0 39); do test $n = 7 && printf 'm7=other7 ' || printf 'm%d=b%d ' $n $n; done)"m7=other47 m7=other87 "
    check "one of each is left, in its order" test "$(ids "$R/$q$M")" = "$expected"
    run "$SIGNALBOX" dedupe "$R/$q$M" --by id --execute
    expect_status 4
    run "$SIGNALBOX" restore "$archive" --execute
    expect_status 0
    check "all are back" test "$(ids "$R/$q$M" | wc -w)" = 120

    name "$type: the last one stays, also where bodies differ"
    run "$SIGNALBOX" dedupe "$R/$q$M" --by id --keep last --bodies-differ --execute
    expect_status 0
    expect_err 'done: 80 done'
    check "forty are left" test "$(ids "$R/$q$M" | wc -w)" = 40
    check "the last body" test "$(ids "$R/$q$M" | tr ' ' '\n' | grep '^m7=')" = "m7=other87"
done

name "what is for the report alone is refused"
run "$SIGNALBOX" dedupe "$R/$q$M" --execute
expect_status 2
expect_err 'by what are they the same'
run "$SIGNALBOX" dedupe "$R/$q$M" --by id --from 5 --execute
expect_status 2
expect_err -- '--from is for the report'
run "$SIGNALBOX" dedupe "$R/$q$M" --by id --rate 5 --execute
expect_status 2

name "a topic removes none: a copy has one of each"
topic "from-$id" 3
topic "to-$id" 3
run "$SIGNALBOX" import "$T/keys.jsonl" "$K/from-$id" --execute
expect_status 0
run "$SIGNALBOX" dedupe "$K/from-$id" --by key --to "$K/to-$id"
expect_status 0
expect_err "would copy 42 messages to .*to-$id, without 78 extras"
run "$SIGNALBOX" dedupe "$K/from-$id" --by key --to "$K/to-$id" --execute
expect_status 0
expect_err 'dedupe [0-9a-z]{16}: done: 42 done'
check "the copy has them" test "$(kcat -C -b "$SB_KAFKA" -t "to-$id" -e -q -f '%k\n' | sort -u | wc -l)" = 40
run "$SIGNALBOX" dedupe "$K/to-$id" --by key --json
expect_out '"groups":1,"extras":2,.*"differ":1,"going":0,.*"operation":null'
run "$SIGNALBOX" dedupe "$K/from-$id" --by key --bodies-differ --to "$R/copy-$id" --create --execute
expect_status 0
at_exit api DELETE "queues/%2f/copy-$id"
check "a queue, too" test "$(ids "$R/copy-$id$M" | wc -w)" = 40
run "$SIGNALBOX" dedupe "$K/from-$id" --by key --to "$K/from-$id" --execute
expect_status 7

name "of a compacted topic keys go by tombstones"
run "$SIGNALBOX" purge "$K/from-$id" --tombstones
expect_status 7
expect_err 'it is no compacted topic'
topic "table-$id" 2 cleanup.policy=compact
run "$SIGNALBOX" import "$T/keys.jsonl" "$K/table-$id" --execute
expect_status 0
run "$SIGNALBOX" purge "$K/table-$id" --execute
expect_status 7
expect_err 'take out keys: --tombstones'
run "$SIGNALBOX" dedupe "$K/table-$id" --by key --execute
expect_status 7
expect_err 'purge --tombstones'
run "$SIGNALBOX" purge "$K/table-$id" --tombstones --select 'key=m7 | key=m8'
expect_status 0
expect_err 'would write them for the keys of at most 6 messages'
run "$SIGNALBOX" purge "$K/table-$id" --tombstones --select 'key=m7 body=other47' --execute
expect_status 4
run "$SIGNALBOX" purge "$K/table-$id" --tombstones --select 'key=m7 | key=m8' --execute --json
expect_status 0
expect_out '"kind":"purge","state":"done",.*"done":2,'
archive=$(jq -r .archive "$out")
run kcat -C -b "$SB_KAFKA" -t "table-$id" -e -q -Z -f '%k %s\n'
check "two tombstones" test "$(grep -c '^m[78] NULL$' "$out")" = 2
run "$SIGNALBOX" restore "$archive" --execute
expect_status 0
run kcat -C -b "$SB_KAFKA" -t "table-$id" -e -q -Z -f '%k %s\n'
check "the last one is there again" test "$(grep '^m7 ' "$out" | tail -1)" = "m7 other87"

name "a tail marks duplicates as they pass"
run "$SIGNALBOX" tail "$K/from-$id" --from beginning --dedupe-by key --json --limit 120
expect_status 0
expect_err 'duplicates by key are marked; what passed before [0-9:]+ is not known'
expect_err '80 duplicates by key of 120 messages since '
check "80 are marked" test "$(grep -c '"flags":\["duplicate"\]' "$out")" = 80
run "$SIGNALBOX" tail "$K/from-$id" --from beginning --dedupe-by key --where dup=true --plain --limit 80
expect_status 0
check "and found" test "$(grep -c '	duplicate$' "$out")" = 80
run "$SIGNALBOX" tail "$K/from-$id" --dedupe-by kez
expect_status 2
expect_err 'did you mean `key`'
finish
