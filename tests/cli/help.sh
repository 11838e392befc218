# Help, version, manual and completion: made of one table, on one screen, with the nearest name for what is misspelt.
. "$(dirname "$0")/../lib.sh"

commands=$("$SIGNALBOX" help | sed -n 's/^  \([a-z]*\)  .*/\1/p' | grep -v signalbox)
check "there are commands" test -n "$commands"

for command in $commands; do
    name "$command --help"
    run "$SIGNALBOX" "$command" --help
    expect_status 0
    expect_empty err
    expect_out "^signalbox $command: "
    expect_out "^Usage: signalbox $command "
    expect_out '^Exit: '
    check "$command --help fits 80x24" test "$(wc -l <"$out")" -le 24 -a "$(wc -L <"$out")" -le 80
    check "$command --help has three examples" test "$(grep -c '^  .*signalbox.* # ' "$out")" = 3
    name "help $command"
    cp "$out" "$T/before"
    [ "$command" = config ] && continue # also a topic: its keys
    run "$SIGNALBOX" help "$command"
    check "help $command is the same" cmp -s "$out" "$T/before"
done

name "the overview"
run "$SIGNALBOX" --help
expect_status 0
check "fits 80x24" test "$(wc -L <"$out")" -le 80

name "what is too much, and what is cut short"
run "$SIGNALBOX" version x
expect_status 2
expect_err 'one argument too many: signalbox version$'
run "$SIGNALBOX" decode --js
expect_status 2
expect_err 'did you mean `--json`'

name "topics"
for topic in config addresses filter redact output changes operations man; do
    run "$SIGNALBOX" help $topic
    expect_status 0
    check "$topic says something" test -s "$out"
done
run "$SIGNALBOX" help filtr
expect_status 2
expect_err 'did you mean `filter`'

name "the manual of the source is that of the program"
run "$SIGNALBOX" help man
check "man/signalbox.1" cmp "$out" "$SB_ROOT/man/signalbox.1"

name "the manual has the screen's keys and words"
expect_out '^\.SH KEYS$'
expect_out '^\.SS Dashboard$'
expect_out '^show only what matches \(filter language\); empty shows all$'
expect_out '^\\fB:theme NAME\\fR$'

name "version"
run "$SIGNALBOX" --version
expect_out '^signalbox [0-9]+\.[0-9]+\.[0-9]+$'
run "$SIGNALBOX" version
expect_out '^  libyaml +[0-9.]+'
run "$SIGNALBOX" version --json
expect_out '^\{"version":"[0-9.]+","libraries":\{".*"libyaml":"[0-9.]+"'

name "the filter's help says what a missing field makes of a test, and how a name with a dot is written"
run "$SIGNALBOX" help filter
expect_out 'every test false except != !~ and !'
expect_out 'body\."k\.z"=5'

name "version names every library that is linked"
run "$SIGNALBOX" version
linked=$(readelf -d "$SIGNALBOX" | sed -n 's/.*(NEEDED).*\[lib\(.*\)\.so.*/\1/p')
check "readelf finds some" test -n "$linked"
for library in $linked; do
    case $library in
    c | m | pthread | dl | asan | ubsan | tsan) continue ;; # the compiler's own
    rabbitmq) word=rabbitmq-c ;;
    curl*) word=libcurl ;;
    yaml-0) word=libyaml ;;
    ssl | crypto) word=OpenSSL ;;
    z) word=zlib ;;
    sqlite3) word=SQLite ;;
    pcre2-8) word=PCRE2 ;;
    ncursesw | tinfo) word=ncurses ;;
    rdkafka) word=librdkafka ;;
    *) word=$library ;;
    esac
    expect_out "^  $word +.*[0-9]+\.[0-9]+"
done

name "misspelt"
run "$SIGNALBOX" tial
expect_status 2
expect_err 'did you mean `tail`'
expect_empty out
run "$SIGNALBOX" tail --limt 3 memory:/x
expect_status 2
expect_err 'did you mean `--limit`'
run "$SIGNALBOX" tail
expect_status 2
expect_err 'needs an address'
run "$SIGNALBOX" tail memory:/x --execute
expect_status 2
run "$SIGNALBOX" tail memory:/x --limit many
expect_status 2
run "$SIGNALBOX" tail memory:/x --json --plain
expect_status 2
run "$SIGNALBOX" version x
expect_status 2
run "$SIGNALBOX" tail memory:/x --where 'totl=('
expect_status 2
run "$SIGNALBOX"
expect_status 2
expect_err 'needs a terminal'

name "completion"
for shell in bash zsh fish; do
    run "$SIGNALBOX" completion $shell
    expect_status 0
    check "$shell knows tail --firehose" grep -q firehose "$out"
done
odd_quotes() { sed 's/\\.//g' "$out" | awk -F"'" 'NF % 2 == 0'; }
check "fish's quotes are balanced" test -z "$(odd_quotes)"
run "$SIGNALBOX" completion bash
check "bash can read it" bash -n "$out"
complete_bash() { # words before the cursor, the last one unfinished
    bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE=$*; COMP_POINT=${#COMP_LINE}; _signalbox; echo "${COMPREPLY[*]}"' _ "$out" "$@"
}
cp "$out" "$T/completion"
check "a command" test "$(complete_bash signalbox bro)" = browse
check "a flag" test "$(complete_bash signalbox tail --fire)" = --firehose
check "a word" test "$(complete_bash signalbox config che)" = check
touch "$T/json-file" "$T/check-file" "$T/bash-file"
words_alone() { (cd "$T" && complete_bash "$@"); }
check "a format, and no file" test "$(words_alone signalbox decode --as json)" = "jsonl json"
check "a format behind =, and no file" test "$(words_alone signalbox decode --as=json)" = "jsonl json"
check "config's own word, and no file" test "$(words_alone signalbox config check)" = check
check "a shell, and no file" test "$(words_alone signalbox completion bash)" = bash
check "a file where one stands" test "$(words_alone signalbox decode json)" = json-file
rm "$T"/*-file
mkdir -p "$XDG_CONFIG_HOME/signalbox"
printf 'endpoints: {red: {url: "kafka://localhost"}, ready: {url: "kafka://localhost"}, blue: {url: "kafka://localhost"}}\n' >"$XDG_CONFIG_HOME/signalbox/config.yaml"
PATH=$(dirname "$SIGNALBOX"):$PATH
cp "$T/completion" "$out"
check "an endpoint" test "$(complete_bash signalbox tail re)" = "red/ ready/"
check "only where an address stands" test "$(complete_bash signalbox decode re)" = ""
run "$SIGNALBOX" completion addresses blue/nothing
expect_status 1
expect_empty out
run "$SIGNALBOX" completion --help
expect_out '^Exit: .* 1 failed'
expect_out ' 5 .* 8 timed out, 130 '
rm "$XDG_CONFIG_HOME/signalbox/config.yaml"
run "$SIGNALBOX" completion tcsh
expect_status 2
name "commands of later versions are said to be such, with --help too"
for command in open encode call flow capacity; do
    run "$SIGNALBOX" $command --help
    expect_status 2
    expect_err 'not in this version'
done

for words in "tail --record f" "tail --record=f" "tail --watch x" "decode --schema f" "decode --type t"; do
    run "$SIGNALBOX" $words memory:/x
    expect_status 2
    expect_err "signalbox ${words%%[ =][!-]*}. is not in this version"
done
run "$SIGNALBOX" tail --recrd f memory:/x
expect_err 'unknown flag `--recrd`'

name "a wrong filter is said before any contact"
run "$SIGNALBOX" browse kafka://127.0.0.1:1/x --where 'totl=1'
expect_status 2
expect_no_err '127.0.0.1'
finish
