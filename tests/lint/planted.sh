# Every lint check finds what was planted for it, names the place, and leaves the innocent alone.
# timeout: 120
. "$(dirname "$0")/../lib.sh"
lint=$SB_ROOT/scripts/lint
export PYTHONDONTWRITEBYTECODE=1
tree=$T/tree

fresh() { # a small tree that nothing is wrong with
    rm -rf "$tree"
    mkdir -p "$tree"/src/{base,model,net,brokers,engine,cli} "$tree"/{decoders,probes,ui/views,tests/unit,scripts/lint}
    cp "$SB_ROOT/.clang-format" "$tree/"
    put src/base/err.h '#include <stdint.h>' 'int err_count(void);'
    put src/base/err.c '#include "base/err.h"' '' 'int err_count(void)' '{' '    return 0;' '}'
    put src/model/broker.h '#include "base/err.h"'
    put src/net/http.h '#include "base/err.h"'
    put src/net/http.c '#include "net/http.h"' '#include <curl/curl.h>'
    put src/brokers/kafka.h '#include "model/broker.h"'
    put src/brokers/kafka.c '#include "brokers/kafka.h"' '#include "net/http.h"' '#include <librdkafka/rdkafka.h>'
    put src/brokers/rabbitmq.h '#include "model/broker.h"'
    put decoders/json.h '#include "model/broker.h"'
    put probes/rest.h '#include "decoders/json.h"' '#include "net/http.h"'
    put src/engine/store.h '#include "model/broker.h"'
    put src/cli/cli.h '#include "engine/store.h"'
    put ui/canvas.h '#include "engine/store.h"'
    put ui/term.c '#include <curses.h>'
    put src/registry.c '#include "brokers/kafka.h"' '#include "probes/rest.h"'
}
put() { # put FILE LINE...
    local f=$tree/$1
    shift
    mkdir -p "$(dirname "$f")"
    printf '%s\n' "$@" >"$f"
}
finds() { # finds CHECK REGEX: it ends with 1 and says so
    RUN_LIMIT=60 run "$lint/$1" "$tree"
    expect_status 1
    expect_out "$2"
}
silent() { # silent CHECK
    RUN_LIMIT=60 run "$lint/$1" "$tree"
    expect_status 0
    expect_empty out
}
plant() { # plant CHECK REGEX FILE LINE...: alone in a fresh tree
    local check=$1 regex=$2
    shift 2
    name "$check: $1"
    fresh
    put "$@"
    finds "$check" "$regex"
    [ "$(grep -cE '^[^ ]+:[0-9]+: ' "$out")" = 1 ] || sb_show "more than the one finding"
}

fresh
for check in layers.py banned.py functions.py format cppcheck; do
    name "$check on an innocent tree"
    silent $check
done

# Floors.
plant layers.py '^src/base/bytes.c:1: floor 0 .* floor 1' src/base/bytes.c '#include "model/broker.h"'
plant layers.py '^src/model/x.h:2: floor 1 .* floor 2' src/model/x.h '' '#include "net/http.h"'
plant layers.py '^decoders/x.c:1: floor 2 .* floor 3' decoders/x.c '#include "brokers/kafka.h"'
plant layers.py '^decoders/x.c:1: decoders may not include "src/net/http.h"' decoders/x.c '#include "net/http.h"'
plant layers.py '^src/brokers/x.c:1: brokers may not include "probes/rest.h"' src/brokers/x.c '#include "probes/rest.h"'
plant layers.py '^probes/x.c:1: probes may not include "src/brokers/kafka.h"' probes/x.c '#include "brokers/kafka.h"'
plant layers.py '^src/brokers/kafka_x.c:1: brokers of kafka .* rabbitmq' src/brokers/kafka_x.c '#include "brokers/rabbitmq.h"'
plant layers.py '^src/engine/x.c:1: floor 4 .* floor 5 \(ui\)' src/engine/x.c '#include "ui/canvas.h"'
plant layers.py '^src/engine/x.c:1: floor 4 .* floor 5 \(cli\)' src/engine/x.c '#include "cli/cli.h"'
plant layers.py '^src/engine/x.c:1: engine may not include "src/brokers/kafka.h"' src/engine/x.c '#include "brokers/kafka.h"'
plant layers.py '^src/cli/x.c:1: cli may not include "probes/rest.h"' src/cli/x.c '#include "probes/rest.h"'
plant layers.py '^ui/views/x.c:1: ui may not include "src/brokers/kafka.h"' ui/views/x.c '#include "brokers/kafka.h"'
plant layers.py '^src/cli/x.c:1: cli may not include "ui/canvas.h"' src/cli/x.c '#include "ui/canvas.h"'
plant layers.py '^ui/views/x.c:1: ui may not include "src/cli/cli.h"' ui/views/x.c '#include "cli/cli.h"'
plant layers.py '^src/other/x.c:1: this file belongs to no floor' src/other/x.c 'int x;'
plant layers.py '^src/base/x.def:1: floor 0' src/base/x.def '#include "model/broker.h"'
plant layers.py '^src/base/x.c:1: "nowhere.h" is no file' src/base/x.c '#include "nowhere.h"'
plant layers.py '^src/base/x.c:2: an include is written out' src/base/x.c '#define H <curl/curl.h>' '#include H'
plant layers.py '^src/base/x.c:1: an include is written out' src/base/x.c '# include \' '<curl/curl.h>'
plant layers.py '^src/base/x.c:1: <curl/curl.h>: libcurl enters' src/base/x.c '#include_next <curl/curl.h>'
plant layers.py '^src/engine/x.c:1: engine declares a struct broker_ops of brokers' src/engine/x.c 'extern const struct broker_ops kafka_broker;'
plant layers.py '^src/base/x.c:2: base declares a struct decoder_ops' src/base/x.c '' 'extern struct decoder_ops const' '    json_decoder;'
plant layers.py '^src/cli/x.h:1: cli declares a struct probe_ops' src/cli/x.h 'extern const struct probe_ops *const all[], rest_probe;'
plant layers.py '^src/cli/x.c:1: cli declares a struct view_ops' src/cli/x.c '#define VIEW(ops) extern const struct view_ops ops;'
plant layers.py '^src/engine/x.c:1: engine declares a struct registry' src/engine/x.c 'extern const struct registry registry;'
plant layers.py '^src/brokers/rabbitmq_x.c:1: brokers of rabbitmq may not declare kafka_broker' src/brokers/rabbitmq_x.c 'extern const struct broker_ops kafka_broker;'
plant layers.py '^probes/tcp.c:1: probes of tcp may not declare rest_probe' probes/tcp.c 'extern const struct probe_ops rest_probe;'
plant layers.py '^src/engine/x.c:1: a struct has one name' src/engine/x.c 'typedef const struct broker_ops ops;' 'extern ops kafka_broker;'
plant layers.py '^src/engine/x.c:1: a struct has one name' src/engine/x.c 'typedef struct filter filter;'
plant layers.py '^src/engine/x.c:2: a struct has one name' src/engine/x.c '' 'typedef struct {' 'int a;' '} t;'
plant layers.py '^src/engine/x.c:1: a struct has one name' src/engine/x.c 'typedef struct broker_ops const ops;'
name "layers: a module's own declaration, and what is no module"
fresh
put src/brokers/kafka.h '#include "model/broker.h"' 'extern const struct broker_ops kafka_broker;'
put src/main.c 'extern const struct broker_ops kafka_broker;'
put src/registry.h 'extern const struct registry registry;'
put src/engine/x.h 'extern const struct broker_ops *find(const char *name);' 'extern const struct key keys[];' \
    'typedef const struct broker_ops *const *list;' 'typedef void row(void *context, const struct key *key);'
silent layers.py
name "layers: a header of the tests"
fresh
put tests/unit/t.h 'int t;'
put src/base/x.c '#include "tests/unit/t.h"'
finds layers.py '^src/base/x.c:1: "tests/unit/t.h" belongs to no floor .* only tests'

# Doors.
plant layers.py '^src/brokers/rabbitmq.c:1: <librdkafka/rdkafka.h>' src/brokers/rabbitmq.c '#include <librdkafka/rdkafka.h>'
plant layers.py '^src/brokers/kafka2.c:1: <amqp.h>' src/brokers/kafka2.c '#include <amqp.h>'
plant layers.py '^src/brokers/kafka2.c:1: <rabbitmq-c/amqp.h>' src/brokers/kafka2.c '#include <rabbitmq-c/amqp.h>'
plant layers.py '^probes/rest.c:1: <curl/curl.h>' probes/rest.c '#include <curl/curl.h>'
plant layers.py '^src/base/str.c:1: <openssl/evp.h>' src/base/str.c '#include <openssl/evp.h>'
plant layers.py '^decoders/json.c:1: <cjson/cJSON.h>' decoders/json.c '#include <cjson/cJSON.h>'
plant layers.py '^ui/views/x.c:1: <ncurses.h>' ui/views/x.c '#include <ncurses.h>'
plant layers.py '^src/cli/x.c:1: <yaml.h>' src/cli/x.c '#include <yaml.h>'
plant layers.py '^decoders/text.c:1: <zstd.h>' decoders/text.c '#include <zstd.h>'
plant layers.py '^src/engine/filter.c:1: <pcre2.h>' src/engine/filter.c '#include <pcre2.h>'
plant layers.py '^src/engine/history.c:1: <sqlite3.h>' src/engine/history.c '#include <sqlite3.h>'
plant layers.py '^src/base/x.c:1: <glib.h>: an unknown library' src/base/x.c '#include <glib.h>'
name "one door each"
fresh
put decoders/soap.c '#include <libxml/parser.h>'
put decoders/xml.c '#include <libxml/tree.h>'
finds layers.py '^decoders/xml.c:1: .*decoders/soap.c already'

# Banned functions and words.
for f in strcpy strcat sprintf vsprintf gets strtok atoi atol atof sscanf scanf strncpy alloca; do
    plant banned.py "^src/base/x.c:2: $f:" src/base/x.c '' "void x(void) { $f(a); }"
done
for f in system popen pthread_cancel exit _exit sleep usleep printf puts perror; do
    plant banned.py "^ui/x.c:1: $f:" ui/x.c "void x(void) { $f(a); }"
done
plant banned.py '^src/base/x.c:1: strcpy:' src/base/x.c 'char *(*copy)(char *, const char *) = strcpy;'
plant banned.py '^src/base/x.h:1: sprintf:' src/base/x.h '#define PRINT sprintf'
plant banned.py '^src/base/x.def:1: atoi:' src/base/x.def 'ROW("x", atoi)'
plant banned.py '^src/net/x.c:1: system:' src/net/x.c 'void x(void) { run_later(&system, 0); }'
plant banned.py '^src/net/x.c:1: pthread_create:' src/net/x.c 'void x(void) { pthread_create(a, b, c, d); }'
plant banned.py '^decoders/x.c:1: fprintf:' decoders/x.c 'void x(void) { fprintf(stderr, "x"); }'
plant banned.py '^decoders/x.c:1: fputs:' decoders/x.c 'void x(void) { fputs("x", stdout); }'
plant banned.py '^tests/unit/test_x.c:1: strcpy:' tests/unit/test_x.c 'void x(void) { strcpy(a, b); }'
mark=TO
plant banned.py '^src/base/x.c:1: "TODO"' src/base/x.c "/* ${mark}DO: later */"
mark=FIX
plant banned.py '^ui/x.h:1: "FIXME"' ui/x.h "/* ${mark}ME */"
mark=XX
plant banned.py '^README.md:1: "XXX"' README.md "${mark}X"
plant banned.py '^src/cli/x.c:1: "not implemented"' src/cli/x.c "char s[] = \"not ""implemented\";"
name "banned: what is innocent"
fresh
put src/main.c 'int main(void) { printf("x"); exit(1); }'
put src/cli/x.c 'void x(void) { printf("%s", s); fprintf(stderr, "x"); fputs("x", stdout); }'
put src/base/x.c '/* strcpy(a, b) */ char s[] = "system(x)"; void x(void) { h->system(1); my_exit(2); o.exit(3); snprintf(s, 1, "x"); }' \
    'int y = mkstemp("/tmp/XXXXXX");' 'void z(void) { fprintf(file, "stderr"); }'
put tests/unit/test_x.c 'void x(void) { printf("x"); exit(1); usleep(3); }'
silent banned.py
name "allowances"
fresh
put src/engine/secret.c 'void x(void) { popen(a, b); }'
put scripts/lint/allowances '# comment' 'src/engine/secret.c popen the password command is a shell command'
silent banned.py
put src/engine/secret.c 'void x(void) { }'
finds banned.py '^scripts/lint/allowances:2: nothing needs'
put scripts/lint/allowances 'src/engine/secret.c popen'
finds banned.py '^scripts/lint/allowances:1: an allowance is'

# Functions.
body() { # body N LINE: that many times
    local i
    for ((i = 0; i < $1; i++)); do echo "    $2"; done
}
name "functions: length"
fresh
mapfile -t lines < <(body 101 'x();')
put src/base/x.c 'static int' 'long_one(int a,' '         int b)' '{' "${lines[@]}" '}' '' 'void short_one(void)' '{' '    x();' '}'
finds functions.py '^src/base/x.c:2: long_one has 101 lines'
expect_lines 1
mapfile -t lines < <(body 61 'x();')
put src/base/x.c 'int warn_one(void)' '{' "${lines[@]}" '}'
RUN_LIMIT=60 run "$lint/functions.py" "$tree"
expect_status 0
expect_out '^src/base/x.c:1: warning: warn_one has 61 lines'
name "functions: branches"
mapfile -t lines < <(body 40 'if (a) b();')
put src/base/x.c 'int branchy(void)' '{' "${lines[@]}" '}'
finds functions.py '^src/base/x.c:1: branchy branches 41 times'

plant format '^ui/views/x.c:.* laid out differently' ui/views/x.c 'void x(void) {' '  y( );' '}'
plant format '^src/base/x.h:1: more than 140 columns' src/base/x.h "/* $(printf '%0135d' 0) */"
plant format '^src/base/x.def:1: more than 140 columns' src/base/x.def "ROW(\"$(printf '%0140d' 0)\")"
name "format: columns are characters"
fresh
put src/base/x.h "/* $(printf '%0134d' 0 | tr 0 x | sed 's/x/é/g') */"
silent format
plant cppcheck '^src/base/x.c:4: error: ' src/base/x.c 'int x(void)' '{' '    int a[2] = {0, 1};' '    return a[2];' '}'
name "cppcheck: a suppression without a reason"
fresh
mkdir "$T/lint"
cp "$lint/cppcheck" "$T/lint/"
printf '// a reason\n\nnullPointer\n' >"$T/lint/cppcheck.supp"
run "$T/lint/cppcheck" "$tree"
expect_status 1
expect_out 'cppcheck.supp:3: no reason above it'

name "scripts that do not parse"
fresh
put scripts/bad '#!/bin/bash' 'if true; then'
run "$lint/scripts_ok" "$tree"
expect_status 1
expect_err '^scripts/bad: line 3: syntax error'
name "scripts that cannot be run"
fresh
put scripts/x '#!/bin/bash' 'echo hi'
finds scripts_ok 'scripts/x:1: .*not executable'
finish
