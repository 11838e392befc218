# The examples of CONTRIBUTING.md, followed literally: they compile, and are all that is needed.
# timeout: 180
. "$(dirname "$0")/../lib.sh"
cd "$SB_ROOT" || exit 1
if [ -e ui/views/clock.c ] || [ -e decoders/lines.c ] || [ -e src/brokers/nats ]; then
    skip "the examples" "this tree has them already"
    finish
fi
tree=$T/tree
mkdir -p "$tree"/{decoders,ui/views,src/brokers/nats} "$T/obj"

example() { # example N: the Nth block of C
    awk -v n="$1" '/^```c$/ { i++; inside = 1; next } /^```$/ { inside = 0 } inside && i == n' CONTRIBUTING.md
}
header() { printf '#include "model/%s.h"\nextern const struct %s_ops %s;\n' "$1" "$1" "$2"; }

header decoder lines_decoder >"$tree/decoders/lines.h"
example 1 >"$tree/decoders/lines.c"
example 2 >"$tree/ui/views/clock.c"
sed "/^#undef PLACE/i $(example 3 | grep '^PLACE')" ui/views.def >"$tree/ui/views.def"
{ cat ui/keys.def && example 3 | grep '^X'; } >"$tree/ui/keys.def"
header broker nats_broker >"$tree/src/brokers/nats/nats.h"
example 4 >"$tree/src/brokers/nats/nats.c"
sed -e '/^#include "brokers.memory/i #include "brokers/nats/nats.h"' -e '/^#include "decoders.hex/i #include "decoders/lines.h"' \
    -e 's/^    &memory_broker,/&\n    \&nats_broker,/' -e 's/&hex_decoder, NULL/\&hex_decoder, \&lines_decoder, NULL/' \
    src/registry.c >"$tree/src/registry.c"

# What the build compiles and links with; the tree above is looked into first, for the tables with the new rows.
flags=$(cat "$SB_BUILD/flags")
compiler="${flags%% / *} -O0 -U_FORTIFY_SOURCE"
compiler=${compiler/ -I. / -I$tree -I$tree/src -I. }
compile() { eval "$compiler -c -o $T/obj/$(basename "$1" .c).o $1"; }
export -f compile
export compiler T

name "they compile"
sources=("$tree"/decoders/lines.c "$tree"/src/registry.c "$tree"/src/brokers/nats/nats.c "$tree"/ui/views/clock.c ui/*.c ui/views/*.c)
RUN_LIMIT=150 run bash -c 'printf "%s\0" "$@" | xargs -0 -P "$(nproc)" -I{} bash -c "compile {}"' _ "${sources[@]}"
expect_status 0
expect_empty err
RUN_LIMIT=60 run bash -c "${flags%% *} -o $T/signalbox $T/obj/*.o $SB_BUILD/obj/src/main.o $SB_BUILD/libsignalbox-app.a \
    $SB_BUILD/libsignalbox.a ${flags##* / }"
expect_status 0

name "the decoder"
printf 'a\nb c\n' >"$T/lines"
run "$T/signalbox" decode --as lines --json "$T/lines"
expect_out '^\["a","b c"\]$'
run "$T/signalbox" help config
expect_out 'decoder of the payloads: json .*lines'

name "the view"
run "$T/signalbox" help man
expect_out '^the clock: what time it is$'
expect_out '^\.SS Clock$'
expect_out '^\\fB:clock\\fR$'

name "the broker"
run "$T/signalbox" ls nats://127.0.0.1:1
expect_err 'Connection refused'
run "$T/signalbox" tail nats://127.0.0.1:1/x
expect_err 'NATS gives signalbox no messages'
finish
