# A server that demands a client certificate and gets none, or refuses the one it gets, is said to do so: Kafka, RabbitMQ, HTTPS.
# needs: kafka rabbitmq
. "$(dirname "$0")/../lib.sh"

tls=$SB_LAB/tls
lab_rabbit() { # lab_rabbit PORT MORE: a listener that demands a certificate; one that is left from an earlier run will do
    HOME=$SB_LAB run "$SB_ROOT/tests/lab/lab" rabbitmqctl eval "rabbit_networking:start_ssl_listener({\"127.0.0.1\",$1,auto},
        [{cacertfile,\"$tls/ca.pem\"},{certfile,\"$tls/server.pem\"},{keyfile,\"$tls/server.key\"},{verify,verify_peer},$2
        {fail_if_no_peer_cert,true}],2)."
}
lab_rabbit $((SB_PORT_BASE + 16)) ""
lab_rabbit $((SB_PORT_BASE + 17)) "{versions,['tlsv1.2']},"

# Each server with each certificate: kafka-client, rabbit12-stranger.
entries() { # entries NAME URL
    local c
    for c in none client stranger expired; do
        echo "  $1-$c: {url: \"$2\", tls: {ca: $tls/ca.pem$([ $c = none ] || echo ", cert: $tls/$c.pem, key: $tls/$c.key")}}"
    done
}
{
    echo endpoints:
    entries kafka "kafkas://$SB_KAFKA_MUTUAL"
    entries rabbit "rabbitmqs://localhost:$((SB_PORT_BASE + 16))"
    entries rabbit12 "rabbitmqs://localhost:$((SB_PORT_BASE + 17))"
    entries management "rabbitmqs://$SB_RABBIT_TLS/%2f?management=$SB_HTTPS_MUTUAL"
    echo probes:
    entries http "$SB_HTTPS_MUTUAL/health"
    entries http12 "$SB_HTTPS_MUTUAL_12/health"
    echo "  reset: {url: \"$SB_HTTPS/reset\", tls: {ca: $tls/ca.pem}}"
} >"$T/c.yaml"

demands='the server demands a client certificate'
refuses='the server refuses the client certificate: '
guess='the server asked for a client certificate and hung up: it may'
name_one='name one in the configuration: tls: \{cert: FILE, key: FILE\}'
another='name one that it takes: tls: \{cert: FILE, key: FILE\}'

name "Kafka"
run "$SIGNALBOX" ls kafka-client --config "$T/c.yaml"
expect_status 0
run "$SIGNALBOX" ls kafka-none --config "$T/c.yaml"
expect_status 1
expect_err "kafka-none: $demands \(.*\). Next: $name_one"
for c in stranger expired; do
    run "$SIGNALBOX" ls kafka-$c --config "$T/c.yaml"
    expect_status 1
    expect_err "kafka-$c: ${refuses}its authority may be unknown there, or it has expired \(.*\). Next: $another"
done
run "$SIGNALBOX" probe kafka-none --config "$T/c.yaml" --json
expect_out '"code":"TLS"'

# With TLS 1.3 the refusal comes after the handshake, and is lost where the client writes just then.
for s in rabbit rabbit12; do
    name "RabbitMQ: $s"
    run "$SIGNALBOX" probe $s-client --config "$T/c.yaml"
    expect_status 0
    run "$SIGNALBOX" ls $s-none --config "$T/c.yaml"
    expect_status 1
    expect_err "$s-none: ($demands|$guess demand one). Next: $name_one"
    run "$SIGNALBOX" ls $s-stranger --config "$T/c.yaml"
    expect_status 1
    expect_err "$s-stranger: (${refuses}its authority is unknown there|$guess have refused ours). Next: $another"
    run "$SIGNALBOX" ls $s-expired --config "$T/c.yaml"
    expect_status 1
    expect_err "$s-expired: (${refuses}it has expired|$guess have refused ours). Next: $another"
done

name "the management API"
run "$SIGNALBOX" ls management-none --config "$T/c.yaml"
expect_err "management-none: (no management API: $demands; $name_one|.*$guess demand one)"

for s in http http12; do
    name "HTTPS: $s"
    run "$SIGNALBOX" probe $s-client --config "$T/c.yaml"
    expect_status 0
    for i in 1 2 3; do
        run "$SIGNALBOX" probe $s-none --config "$T/c.yaml"
        expect_status 3
        expect_out "(TLS +.*$demands|(TLS|CLOSED) +.*$guess demand one); $name_one"
    done
    run "$SIGNALBOX" probe $s-stranger --config "$T/c.yaml"
    expect_out "(TLS +.*${refuses}its authority is unknown there|CLOSED +.*$guess have refused ours); $another"
    run "$SIGNALBOX" probe $s-expired --config "$T/c.yaml"
    expect_out "(TLS +.*${refuses}it has expired|CLOSED +.*$guess have refused ours); $another"
done

name "a server that asks for none is not suspected"
run "$SIGNALBOX" probe reset --config "$T/c.yaml"
expect_status 3
expect_no_out 'client certificate'

finish
