# What cannot be reached is named by its endpoint, once, and with what to do.
. "$(dirname "$0")/../lib.sh"

name "nobody listens"
run "$SIGNALBOX" ls rabbitmq://127.0.0.1:1
expect_status 1
expect_err '^signalbox: rabbitmq://127.0.0.1:1/%2F: Connection refused \(127.0.0.1:1\). Next: check that the service runs'
run "$SIGNALBOX" ls 'rabbitmqs://[::1]:1'
expect_err '^signalbox: rabbitmqs://\[::1\]:1/%2F: [A-Z][a-z ]* \(\[::1\]:1\)'

name "a file of authorities that is not there"
echo 'endpoints: {r: {url: "rabbitmqs://127.0.0.1:1", tls: {ca: nofile}}}' >"$T/r.yaml"
run "$SIGNALBOX" ls r --config "$T/r.yaml"
expect_status 2
expect_err '^signalbox: r: no certificates can be read from /.*/nofile. Next: check that tls.ca'
run "$SIGNALBOX" doctor --config "$T/r.yaml"
expect_status 1
expect_out 'FAULT r  *no certificates can be read'
expect_out '-> check that tls.ca'
expect_no_out 'is it running'

name "no time at all"
run "$SIGNALBOX" probe memory: --timeout 0
expect_status 2
expect_err '^signalbox: --timeout 0: at least 1ms'
finish
