# What a filter finds in messages that are wrapped and large, as it does in plain ones; and what it says of those it cannot see.
# needs: kafka
. "$(dirname "$0")/../lib.sh"

kafka=kafka://$SB_KAFKA
topic=wrapped-$$-$RANDOM
# More fields than a tree has; a stream that is cut off; one that is larger unpacked than a filter looks into.
python3 - "$T" <<'EOF'
import base64, gzip, json, sys
def put(name, data):
    open(sys.argv[1] + '/' + name, 'wb').write(data)
text = json.dumps({'a': list(range(210000)), 'end': 'GZ-END'}).encode()
packed = gzip.compress(text)
put('plain', text)
put('gzip', packed)
put('base64', base64.b64encode(packed))
put('other', gzip.compress(b'{"end":"other"}'))
put('cut', packed[:-20])
put('huge', gzip.compress(json.dumps({'a': ['0' * 1000] * 25500, 'end': 'GZ-END'}).encode()))
EOF
for file in plain gzip base64 other; do
    run "$SIGNALBOX" send "$kafka/$topic" "$T/$file" --key $file -p 0 --create --execute
    expect_status 0
done

name "a wrapped body is read to its end"
run "$SIGNALBOX" search "$kafka/$topic" body.end=GZ-END --format '%{key} %{body.end}'
expect_status 0
expect_lines 3
expect_out '^plain GZ-END$'
expect_out '^gzip GZ-END$'
expect_out '^base64 GZ-END$'
expect_no_err 'could not be judged'
run "$SIGNALBOX" search "$kafka/$topic" 'body.end!=GZ-END' --format '%{key}'
expect_status 0
expect_lines 1
expect_out '^other$'

name "what cannot be seen is counted, and neither found nor not found"
for file in cut huge; do
    run "$SIGNALBOX" send "$kafka/$topic" "$T/$file" --key $file -p 0 --execute
    expect_status 0
done
said='^signalbox: 2 could not be judged \(damaged, or too much to unpack: 24.0 MiB at most\)$'
for expression in body.end=other '!(body.end!=other)'; do
    run "$SIGNALBOX" search "$kafka/$topic" "$expression" --format '%{key}'
    expect_status 0
    expect_lines 1
    expect_err "$said"
done
run "$SIGNALBOX" browse "$kafka/$topic" --where 'body.end!=GZ-END' --format '%{key}' --quiet
expect_status 0
expect_lines 1
expect_err "$said"
run "$SIGNALBOX" tail "$kafka/$topic" --from beginning --where body.end=GZ-END --timeout 5s --format '%{key}'
expect_status 8
expect_lines 3
expect_err "$said"
run "$SIGNALBOX" export "$kafka/$topic" "$T/all.jsonl" --where body.end=GZ-END
expect_status 0
expect_err "$said"

name "nothing found is no answer while some could not be judged"
run "$SIGNALBOX" search "$kafka/$topic" body.end=nowhere
expect_status 6
expect_err "$said"
run "$SIGNALBOX" search "$kafka/$topic" body.end=nowhere --limit 0
expect_no_err 'could not be judged'
finish
