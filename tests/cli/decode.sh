# decode: found out or told, whole or not, for people and as JSON.
. "$(dirname "$0")/../lib.sh"

printf '{"id":9007199254740993,"a":[1,{"b":null}],"a":2}' >"$T/good.json"
printf '{"id":1,"a":[1,' >"$T/cut.json"
printf '\x00\xff\x1b[31m' >"$T/bytes"

name "for people"
run "$SIGNALBOX" decode "$T/good.json"
expect_status 0
expect_out '^  id: 9007199254740993$'
expect_out 'b: null'

name "as JSON"
run "$SIGNALBOX" decode "$T/good.json" --json
expect_out '^\{"format":"json","type":.*"decoded":\{"id":"9007199254740993","a":\[1,\{"b":null\}\],"a":2\}\}$'
run "$SIGNALBOX" decode "$T/good.json" --json --as json
expect_out '^\{"id":"9007199254740993",'

name "what there is is named by the registry"
run "$SIGNALBOX" decode "$T/good.json" --as zzz
expect_status 2
expect_err 'no such format; there are jsonl json unwrap text hex'
run "$SIGNALBOX" help config
expect_out '\.decode .*decoder of the payloads: json unwrap text hex'

name "not whole"
run "$SIGNALBOX" decode "$T/cut.json" --as json
expect_status 1
expect_out 'id: 1'
expect_err 'offset 15: '
run "$SIGNALBOX" decode "$T/cut.json" --as json --json
expect_status 1
expect_empty out

name "two values are jsonl, not json"
printf '{"n":1}\n\n[2]\n' >"$T/lines"
run "$SIGNALBOX" decode "$T/lines" --as json --json
expect_status 1
run "$SIGNALBOX" decode "$T/lines" --as jsonl --json
expect_status 0
expect_lines 2
printf '{"n":1}\n{"n":\n' >"$T/lines"
run "$SIGNALBOX" decode "$T/lines" --as jsonl --json
expect_status 1
expect_err 'offset 13'

name "several values are found out"
printf '{"n":1}\n{"n":2}\n' >"$T/lines"
run "$SIGNALBOX" decode "$T/lines" --json
expect_status 0
expect_lines 2

name "several values behind a wrapping"
printf '{"n":1}\n{"n":2}\n' | gzip >"$T/lines.gz"
run "$SIGNALBOX" decode "$T/lines.gz" --json
expect_status 0
expect_out '"decoded":\[\{"n":1\},\{"n":2\}\]\}$'
run "$SIGNALBOX" decode "$T/lines.gz" --as jsonl
expect_status 1
expect_err 'Next: it is wrapped: --as unwrap'
printf '{"n":1}\n{"n":' | gzip >"$T/lines.gz"
run "$SIGNALBOX" decode "$T/lines.gz"
expect_status 1
expect_err 'lines.gz: offset 8 inside the gzip: '

name "short base64, and more layers than are opened"
printf 'aGVsbG8=' >"$T/short"
run "$SIGNALBOX" decode "$T/short" --as unwrap --json
expect_status 0
expect_out '^"hello"$'
for i in 1 2 3 4 5 6 7 8 9; do
    printf '[%s]' "$(sed 's/[\\"]/\\&/g; s/.*/"&"/' "$T/deep" 2>/dev/null || echo 1)" >"$T/deeper"
    mv "$T/deeper" "$T/deep"
done
run "$SIGNALBOX" decode "$T/deep" --as unwrap
expect_no_err 'layers'
printf '["%s"]' "$(sed 's/[\\"]/\\&/g' "$T/deep")" >"$T/deeper"
run "$SIGNALBOX" decode "$T/deeper" --as unwrap
expect_status 0
expect_err 'not all was opened: too many layers \(8 deep at most\), or too large'
printf '{"a":"%s"}' "$(head -c 30000000 /dev/zero | gzip | base64 -w0)" >"$T/bomb"
run "$SIGNALBOX" decode "$T/bomb" --as unwrap
expect_status 0
expect_err 'not all was opened: too many layers \(8 deep at most\), or too large'

name "redact asks what can be shown, not what the format is guessed to be"
printf 'redact: [{field: card}]\n' >"$T/redact.yaml"
printf 'eyJjYXJkIjo0MTExLCJuIjoxfQ==\n\n' >"$T/card"
run "$SIGNALBOX" decode --config "$T/redact.yaml" "$T/card" --as unwrap
expect_out 'redacted'
expect_no_out '4111'

name "more than a tree holds"
{ printf '{"a":[1'; yes ,1 | head -n 250000 | tr -d '\n'; printf '],"needle":1}'; } >"$T/many"
run "$SIGNALBOX" decode "$T/many"
expect_status 1
expect_out 'a: \[199998\+\]'
expect_err '--json writes all of it'
run "$SIGNALBOX" decode "$T/many" --as json --json
expect_status 0
expect_out '"needle":1'

name "what went in comes out"
printf '{"a":"\\ud800","b":"\302\233"}' >"$T/odd"
run "$SIGNALBOX" decode "$T/odd" --as json --json
expect_status 0
expect_out '^\{"a":"\\ud800","b":"\\u009b"\}$'

name "a closed descriptor is no place for a file"
sh -c '"$1" decode --json "$2" >"$3" 2>&-' - "$SIGNALBOX" "$T/cut.json" "$T/none.out"
check "nothing in it" test ! -s "$T/none.out"

name "hostile bytes don't reach the terminal"
run "$SIGNALBOX" decode "$T/bytes" --color always
check "no escape" sh -c "! grep -q \"\$(printf '\\033\\[31m')\" '$out'"

run "$SIGNALBOX" decode "$(printf 'no\xe2\x80\xae\033[31mfile\xc2\x9b')"
expect_err 'no<202E> \[31mfile\\x9b'

name "bytes for people"
printf 'hello\000\001\377{"a":1} and more' >"$T/mixed"
run "$SIGNALBOX" decode --as hex "$T/mixed"
expect_status 0
expect_lines 3
expect_out '^00000000  68 65 6c 6c 6f 00 01 ff  7b 22 61 22 3a 31 7d 20  \|hello\.\.\.\{"a":1\} \|$'
expect_out '^00000010  61 6e 64 20 6d 6f 72 65                           \|and more\|$'
expect_out '^00000018$'
run "$SIGNALBOX" decode --as hex --json "$T/mixed"
expect_lines 1

name "bytes within something"
gzip -c "$T/mixed" >"$T/mixed.gz"
run "$SIGNALBOX" decode "$T/mixed.gz"
expect_status 0
expect_out '^    00000010  61 6e'

name "formats"
run "$SIGNALBOX" decode "$T/bytes" --as hxe
expect_status 2
expect_err 'did you mean `hex`'
run "$SIGNALBOX" decode "$T/none"
expect_status 2
run "$SIGNALBOX" decode "$T"
expect_status 1
name "empty input"
run "$SIGNALBOX" decode
expect_status 0
name "what redact names is hidden here, too"
printf 'redact: [{field: "d*"}, {regex: "4[0-9]{3}"}]\n' >"$T/redact.yaml"
echo '{"d":1.10,"n":7}' >"$T/plain.json"
printf '{"n":7,"d":"secret"}\n{"n":8,"d":"secret"}\n' >"$T/two.jsonl"
echo '{"n":7,"d":"secret' >"$T/cut-secret.json"
gzip -c "$T/plain.json" >"$T/plain.gz"
run "$SIGNALBOX" decode --config "$T/redact.yaml" "$T/plain.json"
expect_status 0
expect_out 'd: .*\[redacted\]'
expect_out 'n: 7'
expect_err 'plain.json: what the configuration.s `redact` names is hidden'
for words in "" --json "--as json" "--as json --json" "--as hex" "--as text" "--as hex --json" "--as unwrap"; do
    for file in plain.json two.jsonl plain.gz cut-secret.json; do
        run "$SIGNALBOX" decode --config "$T/redact.yaml" $words "$T/$file"
        expect_no_out '1\.10|secret|MS4x|31 2e 31 30|73 65 63 72'
    done
done
run "$SIGNALBOX" decode --config "$T/redact.yaml" --json "$T/two.jsonl"
expect_out '^\{"format":"json","type":null,"decoded":\{"n":8,"d":"\[redacted\]"\}\}$'
expect_lines 2
run "$SIGNALBOX" decode --config "$T/redact.yaml" "$T/cut-secret.json"
expect_status 1
expect_err 'cut-secret.json: offset [0-9]+: '
echo 'card 4111 of Zoe' >"$T/note"
run "$SIGNALBOX" decode --config "$T/redact.yaml" "$T/note"
expect_out 'card \[redacted\] of Zoe'
run "$SIGNALBOX" send --config "$T/redact.yaml" memory:/q "$T/plain.json"
expect_out '"payload":.*d.*:.*\[redacted\]'
expect_out '"flags":\["redacted"\]'
run "$SIGNALBOX" decode "$T/plain.json"
expect_out 'd: 1\.10'
expect_no_err 'hidden'
run "$SIGNALBOX" decode --config "$T/none.yaml" "$T/plain.json"
expect_status 2

finish
