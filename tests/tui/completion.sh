# Tab in real shells: an address with colons, which bash cuts into words, and a name that becomes one with its kind before it.
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
touch "$T/a:file"
cd "$T" || exit 1

becomes() { # becomes TYPED LINE [TABS]: the line after Tab
    local i
    tui_type "signalbox browse $1"
    for ((i = 0; i < ${3:-1}; i++)); do tui_keys Tab; done
    tui_type '#' # where the cursor is
    tui_wait "signalbox browse $2#"
    tui_keys C-u C-l
    tui_gone 'signalbox browse'
}

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
