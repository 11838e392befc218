# Probing with passwords: a command that takes its time delays nobody else, and one that was mended is seen.
# waits
. "$(dirname "$0")/../lib.sh"

watch() { # watch CONFIG ARGS...: --watch in the background; its lines go to $out
    "$SIGNALBOX" probe --watch --plain --config "$@" >"$out" 2>"$err" </dev/null &
    watching=$!
    at_exit "kill -KILL $watching 2>>/dev/null"
}
end_watch() { # and sets $status
    kill -TERM "$watching"
    wait "$watching"
    status=$?
}

cat >"$T/slow.yaml" <<END
endpoints:
  slow: {url: "memory:", password_command: "until [ -e $T/go ]; do sleep 0.05; done; echo x"}
  plain: {url: "memory:"}
probes:
  slow-too: {url: "http://127.0.0.1:1/", password_command: "touch $T/beside; until [ -e $T/go ]; do sleep 0.05; done; echo x"}
  t: {url: "tcp://127.0.0.1:1", every: 200ms}
END
name "a slow password_command"
watch "$T/slow.yaml"
check "an endpoint without a password is measured" eventually 8 grep -qP '\tup\tplain\t' "$out"
check "a probe without a password is measured" eventually 8 grep -qP '\tdown\tt\t' "$out"
check "two commands run side by side" eventually 8 test -e "$T/beside"
check "those with the command wait for it" eval '! grep -q slow "$out"'
touch "$T/go"
check "then they are measured" eventually 8 grep -qP '\tup\tslow\t' "$out"
check "all of them" eventually 8 grep -qP '\tdown\tslow-too\t.*\tUNREACHABLE\t' "$out"
end_watch
expect_status 143

name "an interrupt ends the command"
cat >"$T/hang.yaml" <<END
endpoints:
  hang: {url: "memory:", password_command: "echo \$\$ >$T/pid; sleep 100; echo x"}
END
watch "$T/hang.yaml"
check "it runs" eventually 8 test -s "$T/pid"
began=$SECONDS
end_watch
expect_status 143
check "at once" test $((SECONDS - began)) -lt 5
check "the command is gone" eventually 5 eval '! kill -0 "$(cat "$T/pid")" 2>>"$T/gone"'
expect_empty out

name "a password that can't be had hides nobody"
cat >"$T/none.yaml" <<END
endpoints:
  plain: {url: "memory:"}
  none: {url: "memory:", password_env: SB_NO_SUCH}
END
run "$SIGNALBOX" probe --plain --config "$T/none.yaml"
expect_status 3
expect_out $'\tup\tplain\t'
expect_out $'\tdown\tnone\t.*\tCONFIG\t\\$SB_NO_SUCH is not set$'
expect_err 'none: \$SB_NO_SUCH is not set.*export SB_NO_SUCH'
run "$SIGNALBOX" probe none --plain --config "$T/none.yaml"
expect_status 3
expect_out $'\tdown\tnone\t'

cat >"$T/server.py" <<'END'
import http.server, base64

class Door(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        good = 'Basic ' + base64.b64encode(b'u:new').decode()
        self.send_response(200 if self.headers['Authorization'] == good else 401)
        self.send_header('Content-Length', '0')
        self.end_headers()
    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Door)
print(server.server_port, flush=True)
server.serve_forever()
END
name "a password that was mended"
coproc DOOR { exec python3 "$T/server.py"; }
read -r -t 10 -u "${DOOR[0]}" port || fail "no server"
at_exit "kill $DOOR_PID"
(umask 077 && echo old >"$T/secret" && echo old >"$T/printed")
cat >"$T/mended.yaml" <<END
probes:
  f: {url: "http://u@127.0.0.1:$port/", every: 200ms, password_file: $T/secret}
  c: {url: "http://u@127.0.0.1:$port/", every: 200ms, password_command: "cat $T/printed"}
END
watch "$T/mended.yaml"
check "the file's is refused" eventually 8 grep -qP '\tdown\tf\t.*\t401\t' "$out"
check "the command's is refused" eventually 8 grep -qP '\tdown\tc\t.*\t401\t' "$out"
echo new >"$T/secret"
echo new >"$T/printed"
check "the file's is taken" eventually 8 grep -qP '\tup\tf\t.*\t200\t' "$out"
check "the command's is taken" eventually 15 grep -qP '\tup\tc\t.*\t200\t' "$out"
end_watch
expect_status 143
finish
