# The fuzzers' inputs: a fuzzer without any is a failure, not a pass; every fuzzer has some.
. "$(dirname "$0")/../lib.sh"

name "every fuzzer has a corpus"
for source in "$SB_ROOT"/tests/fuzz/fuzz_*.c; do
    fuzzer=$(basename "$source" .c)
    if [ -n "$(ls "$SB_ROOT/tests/fuzz/corpus/${fuzzer#fuzz_}" 2>/dev/null)" ]; then pass; else sb_show "$fuzzer has no inputs"; fi
done

replay=$SB_BUILD/tests/replay/fuzz_json
mkdir "$T/empty" "$T/one"
echo '{}' >"$T/one/object"

name "a replay without inputs fails"
run "$replay" "$T/empty"
expect_status 1
expect_err 'empty: there are no inputs'
run "$replay" "$T/missing"
expect_status 1
expect_err 'missing: No such file or directory'
run "$replay"
expect_status 1

name "a replay with one runs it"
run "$replay" "$T/one"
expect_status 0
expect_out '^replayed 2 inputs$'
finish
