# A port that speaks something else, or nothing: what it is, and what to do.
# needs: lab
. "$(dirname "$0")/../lib.sh"

name "TLS to a port without"
run "$SIGNALBOX" ls "rabbitmqs://$SB_RABBIT"
expect_status 1
expect_err ': what answers there speaks no TLS. Next: use rabbitmq://'
run "$SIGNALBOX" probe "rabbitmqs://$SB_TCP_CLOSES"
expect_status 3
expect_out ' CLOSED  *the connection was closed while TLS was agreed on'
run "$SIGNALBOX" probe "$SB_HTTPS"
expect_out ' TLS  *the certificate is signed by an unknown authority'
run "$SIGNALBOX" ls "rabbitmqs://$SB_RABBIT_TLS"
expect_err 'Next: check tls: \{ca: FILE\}'

name "no TLS to a port with it"
run "$SIGNALBOX" probe "${SB_HTTPS/https/http}"
expect_status 3
expect_out 'if it speaks TLS, write https://$'

name "no AMQP"
run "$SIGNALBOX" ls "rabbitmq://$SB_TCP_GARBAGE"
expect_status 1
expect_err 'login: what answers there speaks no AMQP 0-9-1. Next: is this an AMQP port'

name "silence"
run "$SIGNALBOX" ls "rabbitmq://$SB_TCP_SILENT" --timeout 1s
expect_status 8
expect_err 'no answer .*Next: check host and port, that RabbitMQ speaks '
run "$SIGNALBOX" tail "rabbitmq://$SB_TCP_SILENT/%2f/x" --timeout 1s
expect_status 8
expect_err 'no answer .*Next: check host and port, that RabbitMQ speaks '
expect_err '0 messages, stopped because the time-out passed'

name "what a service sends is escaped once for people, twice where the form promises it"
cat >"$T/hostile.yaml" <<END
probes: {h: {url: "$SB_HTTP/hostile", expect: {headers: {X-Note: good}}}}
END
run "$SIGNALBOX" probe h --config "$T/hostile.yaml"
expect_out 'expected good, got \\x1b\[5mblink in header X-Note'
run "$SIGNALBOX" probe h --config "$T/hostile.yaml" --plain
expect_out 'expected good, got \\\\x1b\[5mblink in header X-Note'
finish
