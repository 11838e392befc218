# The configuration: every fault at once, with its place; where it is looked for; the sample of init; secrets.
. "$(dirname "$0")/../lib.sh"

cat >"$T/bad.yaml" <<'END'
endpoints:
  k: {url: "memroy:", wrte: true}
probes:
  p: {needs: [kk]}
END
name "all faults at once"
run "$SIGNALBOX" config check --config "$T/bad.yaml"
expect_status 2
expect_empty out
expect_err 'bad.yaml:2:12: unknown scheme `memroy`; did you mean `memory`'
expect_err 'bad.yaml:2:23: unknown key `wrte` under endpoints.\*; did you mean `write`'
expect_err 'bad.yaml:4:3: `p` has no url'
expect_err 'bad.yaml:4:15: needs: no endpoint or probe is called `kk`; did you mean `k`'
run "$SIGNALBOX" config check --config "$T/bad.yaml" --json
expect_status 2
expect_out '"good":false,"faults":\[\{"line":2,"column":12,'

name "what can never work"
cat >"$T/never.yaml" <<'END'
endpoints:
  both: {url: "kafkas://h", tls: {ca: nofile}}
probes:
  both: {url: "tcp://x"}
  r: {url: "http://x/", expect: {body: "/((/"}, needs: [s]}
  s: {url: "http://x/", needs: [r]}
END
run "$SIGNALBOX" config check --config "$T/never.yaml"
expect_status 2
expect_err 'never.yaml:2:39: tls.ca: /.*/nofile: No such file or directory'
expect_err 'never.yaml:4:3: `both` is the name of an endpoint already'
expect_err 'never.yaml:4:15: the URL names no port; write tcp://HOST:PORT'
expect_err 'never.yaml:5:40: expect.body: this is no regular expression'
expect_err 'never.yaml:6:33: needs go round in a circle: `r` needs `s` needs `r`'

name "a schema that is missing is a fault, and what has no effect is warned of"
mkdir "$T/schemas"
cat >"$T/idle.yaml" <<'END'
endpoints:
  k: {url: "kafka://h:1?registry=http://r:8081"}
  r: {url: "rabbitmq://h?ca=x.pem"}
  j: {url: "rabbitmqs://h?jolokia=http://j"}
schemas: [schemas]
END
run "$SIGNALBOX" config check --config "$T/idle.yaml"
expect_status 0
expect_out 'idle.yaml: good: 3 endpoints'
expect_err 'idle.yaml:2:12: warning: \?registry= has no effect: nothing uses it in this version'
expect_err 'idle.yaml:3:12: warning: \?ca= has no effect: `rabbitmq` speaks without TLS'
expect_err 'idle.yaml:4:12: warning: \?jolokia= has no effect'
expect_err 'idle.yaml:5:10: warning: schemas have no effect'
run "$SIGNALBOX" config check --config "$T/idle.yaml" --json
expect_status 0
expect_out '"good":true,"faults":\[\],"warnings":\[\{"line":2,"column":12,"text":"\?registry='
run "$SIGNALBOX" probe r --timeout 1ms --config "$T/idle.yaml"
expect_no_err 'warning'
printf 'schemas:\n  - schemas\n  - schemas/shop.proto\n' >"$T/missing.yaml"
run "$SIGNALBOX" config check --config "$T/missing.yaml"
expect_status 2
expect_err 'missing.yaml:3:5: schemas: /.*/schemas/shop.proto: No such file or directory; name a file or folder'
run "$SIGNALBOX" ls 'kafka://127.0.0.1:1/x?registry=http://r' --timeout 1s
expect_err 'kafka://127.0.0.1:1: \?registry= has no effect'

name "tls with a scheme that speaks without it has the URL that was meant"
cat >"$T/tls.yaml" <<'END'
endpoints:
  k: {url: "kafka://a:9092,b:9092?management=x", tls: {insecure: true}}
probes:
  t: {url: "tcp://h:1", tls: {insecure: true}}
END
run "$SIGNALBOX" config check --config "$T/tls.yaml"
expect_status 2
expect_err 'tls.yaml:2:55: tls is set, but `kafka` speaks without it; write url: "kafkas://a:9092,b:9092\?management=x"'
expect_err 'tls.yaml:4:30: tls is set, but `tcp` speaks without it; take tls out'

name "options that the library refuses, all at once, without connecting"
cat >"$T/options.yaml" <<'END'
endpoints:
  each: {url: "kafkas://h", options: {group.id: x, enable.auto.commit: true, sasl.mechanizms: PLAIN, fetch.max.bytes: lots}}
  two: {url: "kafka://h", options: {enable.idempotence: true, acks: 0}}
  token: {url: "kafka://h", options: {sasl.mechanism: OAUTHBEARER}}
  ticket: {url: "kafka://h", options: {security.protocol: sasl_ssl}}
  login: {url: "kafka://h", options: {sasl.mechanisms: PLAIN}}
END
run "$SIGNALBOX" config check --config "$T/options.yaml"
expect_status 2
check "eight faults" test "$(wc -l <"$err")" = 8
expect_err 'options.yaml:2:39: option group.id is signalbox.s own to set'
expect_err 'options.yaml:2:52: option enable.auto.commit is signalbox.s own to set'
expect_err 'options.yaml:2:78: option sasl.mechanizms is refused: .*; did you mean sasl.mechanisms\?'
expect_err 'options.yaml:2:102: option fetch.max.bytes is refused: Invalid value'
expect_err 'options.yaml:3:36: `acks` must be set to `all` when `enable.idempotence` is true'
expect_err 'options.yaml:4:39: OAUTHBEARER lacks a token; set `sasl.mechanisms`'
expect_err 'options.yaml:5:39: GSSAPI lacks the option sasl.kerberos.keytab; set'
expect_err 'options.yaml:6:39: PLAIN lacks a login; give `username` and a password'
cat >"$T/options.yaml" <<'END'
endpoints:
  k: {url: "kafkas://127.0.0.1:1", username: u, options: {sasl.mechanisms: SCRAM-SHA-256, message.max.bytes: 90000000}}
  t: {url: "kafka://127.0.0.1:1", options: {sasl.mechanisms: GSSAPI, sasl.kerberos.keytab: /no/keytab}}
  r: {url: "rabbitmq://127.0.0.1:1", options: {heartbeat: 5}}
END
run "$SIGNALBOX" config check --config "$T/options.yaml"
expect_status 0
expect_err 'options.yaml:4:47: warning: options have no effect: RabbitMQ takes none'
check "nothing but the warning" test "$(wc -l <"$err")" = 1

name "a client certificate and its key must belong together"
if command -v openssl >/dev/null; then
    for k in a b; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$k" -keyout "$T/$k.key" -out "$T/$k.pem" 2>"$err"
    done
    openssl genrsa -out "$T/rsa.key" 2048 2>"$err"
    openssl ec -in "$T/a.key" -aes128 -passout pass:secret -out "$T/locked.key" 2>"$err"
    cat >"$T/pair.yaml" <<'END'
endpoints:
  good: {url: "rabbitmqs://h", tls: {cert: a.pem, key: a.key}}
  other: {url: "kafkas://h", tls: {cert: a.pem, key: b.key}}
  kind: {url: "rabbitmqs://h", tls: {cert: a.pem, key: rsa.key}}
probes:
  empty: {url: "https://h/", tls: {cert: pair.yaml, key: a.key}}
  locked: {url: "https://h/", tls: {cert: a.pem, key: locked.key}}
END
    run "$SIGNALBOX" config check --config "$T/pair.yaml"
    expect_status 2
    check "four faults" test "$(wc -l <"$err")" = 4
    expect_err 'pair.yaml:3:54: tls.key: /.*/b.key: it is not the key of tls.cert'
    expect_err 'pair.yaml:4:56: tls.key: /.*/rsa.key: it is not the key of tls.cert'
    expect_err 'pair.yaml:6:42: tls.cert: /.*/pair.yaml: no certificate can be read from it as PEM'
    expect_err 'pair.yaml:7:55: tls.key: /.*/locked.key: it has a pass phrase, for which there is no setting'
else
    skip certificates "no openssl on this machine"
fi

name "a pipe is read to its end, and its writer may come later"
echo 'endpoints: {m: {url: "memory:"}}' >"$T/ok.yaml"
mkfifo "$T/late"
{ sleep 0.3; exec >"$T/late"; sleep 0.2; cat "$T/ok.yaml"; sleep 0.2; echo '# the end'; } &
run "$SIGNALBOX" config check --config "$T/late"
wait
expect_status 0
expect_out 'late: good: 1 endpoint,'
(sleep 0.3; cat "$T/ok.yaml") | "$SIGNALBOX" config check --config /dev/stdin >"$out" 2>"$err"
status=$?
expect_status 0
expect_out '/dev/stdin: good: 1 endpoint,'

name "no home"
run env -u HOME -u XDG_CONFIG_HOME "$SIGNALBOX" config check
expect_status 0
expect_out '^no file: neither HOME nor XDG_CONFIG_HOME says where to look'
run env -u HOME -u XDG_CONFIG_HOME "$SIGNALBOX" doctor
expect_out 'configuration  *none: neither HOME'

name "more faults than are listed"
{ echo endpoints: && for i in $(seq 60); do echo "  e$i: {url: \"kafkx://h\"}"; done; } >"$T/many.yaml"
run "$SIGNALBOX" config check --config "$T/many.yaml"
check "sixty are listed" test "$(wc -l <"$err")" = 60
seq -f 'key%g: 1' 1010 >"$T/many.yaml"
run "$SIGNALBOX" config check --config "$T/many.yaml"
expect_status 2
check "a thousand and the rest" test "$(wc -l <"$err")" = 1001
expect_err 'many.yaml: and 10 more faults'
run "$SIGNALBOX" config check --config "$T/many.yaml" --json
expect_out '"more":10\}$'

name "a warning takes no fault's place"
{
    echo endpoints:
    for i in $(seq 1000); do echo "  w$i: {url: \"rabbitmq://h?ca=x.pem\"}"; done
    echo probes:
    for i in $(seq 1000); do echo "  p$i: {url: \"http://h:1/\", expect: {body: \"/(/\"}}"; done
    seq -f 'key%g: 1' 5
} >"$T/mixed.yaml"
run "$SIGNALBOX" config check --config "$T/mixed.yaml" --json
expect_status 2
check "a thousand faults" test "$(grep -o '"line"' "$out" | wc -l)" = 1000
expect_out '"warnings":\[\],"more":5\}$'

name "a name that is none"
echo 'probes: {payments: {url: "http://x/"}, search: {url: "http://y/"}}' >"$T/names.yaml"
run "$SIGNALBOX" probe paymnts --config "$T/names.yaml"
expect_status 2
expect_err 'no probe or endpoint is called `paymnts`. Next: did you mean `payments`'
run "$SIGNALBOX" probe x --config "$T/names.yaml"
expect_err 'Next: there are `payments`, `search`; or give a URL'

name "a port is missing"
run "$SIGNALBOX" probe tcp://127.0.0.1
expect_status 2
expect_err 'names no port. Next: write tcp://HOST:PORT'

name "every command refuses it"
run "$SIGNALBOX" ls --config "$T/bad.yaml"
expect_status 2
expect_err ':4:3: '

name "no file"
run "$SIGNALBOX" config check
expect_status 0
expect_out 'no such file'
run "$SIGNALBOX" config check --config "$T/none.yaml"
expect_status 2
SIGNALBOX_CONFIG=$T/none.yaml run "$SIGNALBOX" config check
expect_status 2
run "$SIGNALBOX" config check --config "$T"
expect_status 2
expect_err 'directory'

name "init"
run "$SIGNALBOX" init
expect_status 0
cp "$out" "$T/sample.yaml"
run "$SIGNALBOX" init --config "$T/written.yaml"
expect_status 0
check "private" test "$(stat -c %a "$T/written.yaml")" = 600
check "the same" cmp -s "$T/written.yaml" "$T/sample.yaml"
run "$SIGNALBOX" init --config "$T/written.yaml"
expect_status 1

name "flags beat the environment, which beats the XDG file"
mkdir -p "$XDG_CONFIG_HOME/signalbox"
for n in xdg env flag; do echo "endpoints: {$n: {url: \"memory:\"}}" >"$T/$n.yaml"; done
cp "$T/xdg.yaml" "$XDG_CONFIG_HOME/signalbox/config.yaml"
run "$SIGNALBOX" probe --plain
expect_out 'xdg'
SIGNALBOX_CONFIG=$T/env.yaml run "$SIGNALBOX" probe --plain
expect_out 'env'
SIGNALBOX_CONFIG=$T/env.yaml run "$SIGNALBOX" probe --plain --config "$T/flag.yaml"
expect_out 'flag'

name "secrets"
echo 'endpoints: {k: {url: "memory:", password_file: secret}}' >"$T/s.yaml"
echo hunter2 >"$T/secret"
chmod 644 "$T/secret"
run "$SIGNALBOX" ls k --config "$T/s.yaml"
expect_status 2
expect_err 'chmod 600'
expect_no_err hunter2
chmod 600 "$T/secret"
run "$SIGNALBOX" ls k --config "$T/s.yaml"
expect_status 0
run "$SIGNALBOX" tail 'memory://u:hunter2@h/x'
expect_status 2
expect_no_err hunter2
name "an address without a channel says how to go on"
run "$SIGNALBOX" tail 'rabbitmq://u@h/orders?management=http://h:1'
expect_status 2
expect_err '`orders` is its virtual host.*write rabbitmq://u@h/orders/CHANNEL\?management=http://h:1 '
run "$SIGNALBOX" tail 'rabbitmq://u@h'
expect_status 2
expect_err 'write rabbitmq://u@h/%2F/CHANNEL '
name "an unknown theme has its place"
printf 'ui:\n  theme: drak\n' >"$T/theme.yaml"
run "$SIGNALBOX" config check --config "$T/theme.yaml"
expect_status 2
expect_err 'theme.yaml:2:10: .*dark'
mkdir -p "$XDG_CONFIG_HOME/signalbox/themes"
{ cat "$SB_ROOT/themes/dark.theme" && echo 'bogus = 3'; } >"$XDG_CONFIG_HOME/signalbox/themes/mine.theme"
printf 'ui: {theme: mine}\n' >"$T/mine.yaml"
run "$SIGNALBOX" config check --config "$T/mine.yaml"
expect_status 2
expect_err 'unknown role .bogus., in theme mine, line [0-9]+; mend .*/themes/mine.theme'
rm -r "$XDG_CONFIG_HOME/signalbox/themes"

finish
