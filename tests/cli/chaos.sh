# The fault proxy from a shell test.
# needs: lab
. "$(dirname "$0")/../lib.sh"
name chaos
chaos_start "${SB_HTTP#http://}"
run curl -s -m 5 "http://$chaos/health"
expect_status 0
expect_out UP
check "command" chaos refuse
run curl -s -m 5 "http://$chaos/health"
check "refused" expr " 7 55 56 " : ".* $status "
check "command" chaos accept
check "command" chaos delay 300
run curl -s -m 5 -o /dev/null -w '%{time_total}' "http://$chaos/health"
expect_out '^0\.[6-9]'
check "once" chaos once 100
run curl -s -m 5 "http://$chaos/huge?bytes=100000000"
expect_status 56
finish
