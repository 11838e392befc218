# The shell test library itself: what it counts, how it ends.
. "$(dirname "$0")/../lib.sh"

inner() { # inner BODY: a test of its own; stdout and exit code as of `run`
    printf '. %q\n%s\n' "$SB_ROOT/tests/lib.sh" "$1" >"$T/inner.sh"
    run bash "$T/inner.sh"
}

name "all pass"
inner 'run sh -c "echo hello; echo bad >&2; exit 3"; expect_status 3; expect_out "^hel"; expect_err bad; finish'
expect_status 0
expect_out '^inner: 3 passed, 0 failed, 0 skipped$'

name "a failure"
inner 'name x; run true; expect_status 1; finish'
expect_status 1
expect_out '^FAIL: x: exit code 0, expected 1$'
expect_out '^inner: 0 passed, 1 failed, 0 skipped$'

name "a skip"
inner 'skip this "no server"; finish'
expect_status 0
expect_out '^skip: this: no server$'

name "an early end"
inner 'exit 0'
expect_status 1
expect_out '^inner: 0 passed, 1 failed'

name "a hang"
inner 'RUN_LIMIT=1; run sleep 20; finish'
expect_status 1
expect_out 'took longer than 1 s'
finish
