# Tab in real shells: an address with colons, which bash cuts into words, a value behind --flag=, a quote within a word, and a name that
# becomes one with its kind before it.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

mkdir "$T/bin"
cat >"$T/bin/signalbox" <<EOF # the completed word as it must come, and what the real one says of it where a broker has these
#!/bin/bash
[ "\$2" = addresses ] || exec "$SIGNALBOX" "\$@"
case "\${*: -1}" in
r/exchange:tw) echo r/exchange:twin ;;
r/que | r/queue:) printf 'r/queue:%s\n' solo twin ;;
r/queue:so) echo r/queue:solo ;;
r/tw) printf 'r/%s:twin\n' queue exchange ;;
r/topic | r/topic:) echo r/queue:topic:weird ;;
r/two) echo 'r/two words' ;;
'r/two w') echo 'r/two words' ;;
esac
EOF
chmod +x "$T/bin/signalbox"
mkdir "$T/dir"
touch "$T/a:file" "$T/wonder" "$T/dir/wfile.yaml" "$T/dir/b c.yaml"
cd "$T" || exit 1

line_becomes() { # line_becomes TYPED LINE: behind the program's name, after Tab
    tui_type "signalbox $1"
    tui_keys Tab
    tui_type '#' # where the cursor is
    tui_wait "signalbox $2#"
    tui_keys C-u C-l
    tui_gone signalbox
}
becomes() { line_becomes "browse $1" "browse $2"; }

name "bash"
tui_shell 100 20
tui_type "PATH=$T/bin:\$PATH; . <(signalbox completion bash); clear"
tui_keys Enter
tui_gone completion
becomes r/exchange:tw 'r/exchange:twin '
becomes r/queue:so 'r/queue:solo '
becomes r/que 'r/queue\\:'
becomes 'r/queue\:so' 'r/queue\\:solo '
becomes r/tw r/tw # two that have less in common
becomes r/topic 'r/queue\\:topic\\:weird '
becomes r/topic: r/topic: # what is before a colon stays
becomes '"r/topic:' '"r/queue:topic:weird" '
becomes r/two 'r/two\\ words '
becomes 'r/two\ w' 'r/two\\ words '
becomes a:f 'a:file '
becomes '>a' '>a\\:file '
tui_type 'signalbox browse r/queue:'
tui_keys Tab Tab
tui_wait '^solo +twin'
tui_keys C-u C-l
tui_gone signalbox

name "bash, behind --flag="
line_becomes 'decode --config=dir/wf' 'decode --config=dir/wfile.yaml '
line_becomes 'ls --config=di' 'ls --config=dir/'
line_becomes 'ls --config=dir/b' 'ls --config=dir/b\\ c.yaml '
line_becomes 'ls --config="dir/b' 'ls --config="dir/b c.yaml" '
line_becomes 'ls "--config=dir/w' 'ls "--config=dir/wfile.yaml" '
line_becomes 'decode --color=al' 'decode --color=always '
line_becomes 'decode --as=un' 'decode --as=unwrap '
line_becomes 'send --confirm=r/exchange:tw' 'send --confirm=r/exchange:twin '
line_becomes 'send --confirm=r/two' 'send --confirm=r/two\\ words '
line_becomes '--config=dir/wfile.yaml browse r/two' '--config=dir/wfile.yaml browse r/two\\ words '
tui_type 'signalbox decode --color='
tui_keys Tab Tab
tui_wait '^always +auto +never'
tui_keys C-u C-l
tui_gone signalbox

name "bash, a quote within a word"
line_becomes 'decode --as "" won' 'decode --as "" wonder ' # an empty word is one
line_becomes 'decode r/"two w' 'decode r/"two w' # nothing begins so
becomes 'r/"two w' 'r/"two words" '
becomes "r/'two w" "r/'two words' "
becomes 'r/"two "w' 'r/two\\ words '
becomes 'r/"exchange:tw' 'r/"exchange:twin" '
becomes '"r/exchange":tw' '"r/exchange":twin '
becomes 'r/queue:"so' 'r/queue:"solo" '
tui_type 'COMP_WORDBREAKS=${COMP_WORDBREAKS//[:=]}; clear'
tui_keys Enter
tui_gone COMP

name "bash that cuts at no = and :"
line_becomes 'decode --config=dir/wf' 'decode --config=dir/wfile.yaml '
line_becomes 'send --confirm=r/exchange:tw' 'send --confirm=r/exchange:twin '
tui_stop

name "zsh"
if ! command -v zsh >/dev/null; then
    skip zsh "not installed"
    finish
fi
mkdir "$T/zsh"
"$SIGNALBOX" completion zsh >"$T/zsh/_signalbox"
cat >"$T/zsh/.zshrc" <<EOF
PS1='$ '
PATH=$T/bin:\$PATH
fpath=($T/zsh \$fpath)
autoload -Uz compinit
compinit -D -u
EOF
TUI_ENV="ZDOTDIR=$T/zsh" tui_open 100 20 zsh -i
tui_wait '^\$'
becomes r/exchange:tw 'r/exchange:twin '
becomes r/que r/queue:
becomes r/tw r/tw
becomes r/topic 'r/queue:topic:weird '
becomes r/topic: 'r/queue:topic:weird '
finish
