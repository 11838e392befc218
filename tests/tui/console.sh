# The console in a real terminal: start, keys, sizes, suspend, quit and kill, and what the terminal is like afterwards.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

[ -x "$SIGNALBOX" ] || { skip console "no $SIGNALBOX"; finish; }

name "start"
tui_start 80 24 "$SIGNALBOX"
tui_wait '^ signalbox '
tui_wait '^ \[1 Dashboard\]'
tui_expect '[0-9][0-9]:[0-9][0-9]:[0-9][0-9]Z$'
tui_expect 'q quit$'
check "the cursor is hidden" grep -q hidden <<<"$(tui_cursor)"

name "keys"
tui_keys 3
tui_wait '^ +1 Dashboard +2 Tail +\[3 Log\]'
tui_keys '?'
tui_wait 'EVERYWHERE'
tui_type zzz
tui_wait 'Nothing matches'
tui_keys Escape
tui_wait 'LEVEL'
tui_type ':fliter'
tui_wait ':fliter'
check "the cursor is in the input" grep -q visible <<<"$(tui_cursor)"
tui_keys Enter
tui_wait 'did you mean .filter.'
tui_keys Escape Escape
tui_wait '\[1 Dashboard\]'

name "a slow line tears a sequence apart"
tui_keys Escape
sleep 0.1
tui_type '[A'
sleep 0.3
tui_expect '\[1 Dashboard\]'

name "a paste runs no keys"
tui_tmux set-buffer 'qq:quit' \; paste-buffer -p -t t
tui_wait 'The paste was ignored'

name "resize"
tui_resize 120 40
tui_wait 'q quit$'
tui_wait '┌ Needs attention'
tui_resize 50 10
tui_wait 'Too small: 50x10, needs 60x16. q quits.'
tui_resize 10 5
tui_wait '^Too small:$'
tui_wait '^q quits$'
tui_resize 1 1
sleep 0.2
tui_resize 80 24
tui_wait '\[1 Dashboard\]'

name "quit"
tui_keys q
tui_ended
check "status" test "$(tui_status)" = 0

name "ten columns"
tui_start 10 5 "$SIGNALBOX"
tui_wait '^Too small:$'
tui_keys j t Enter q
tui_ended
check "status" test "$(tui_status)" = 0

name "a service by its URL is a probe"
tui_start 80 24 "$SIGNALBOX" tcp://127.0.0.1:9
tui_wait 'tcp://127'
tui_wait 'FAIL|DOWN'
tui_keys q
tui_ended

name "no TERM"
tui_start 100 24 env -u TERM "$SIGNALBOX"
tui_wait 'TERM is not set'
tui_ended
check "status" test "$(tui_status)" = 2
tui_start 100 24 env TERM=dumb "$SIGNALBOX"
tui_wait 'TERM is dumb'
check "status" test "$(tui_status)" = 2

name "an unknown theme"
printf 'ui: {theme: drak}\n' >"$T/theme.yaml"
tui_start 200 24 "$SIGNALBOX" --config "$T/theme.yaml"
tui_wait 'theme.yaml:1:13: .*no theme .drak.* did you mean .dark'
tui_ended
check "status" test "$(tui_status)" = 2
printf 'ui: {theme: dark}\n' >"$T/theme.yaml"
tui_start 100 24 "$SIGNALBOX" --config "$T/theme.yaml"
tui_wait '\[1 Dashboard\]'
tui_type ':theme mono'
tui_keys Enter
tui_gone ':theme'
tui_expect 'q quit$'
tui_keys q
tui_ended

name "a TERM that nobody here knows"
tui_start 100 24 env TERM=nonesuch "$SIGNALBOX"
tui_wait 'no terminfo entry for TERM=nonesuch'
tui_wait '\[1 Dashboard\]'
tui_keys q
tui_ended

name "a locale without UTF-8"
TUI_ENV="LC_ALL=C" tui_start 120 40 "$SIGNALBOX"
tui_wait '^\+ Needs attention -+'
tui_keys q
tui_ended

# What the terminal is like before and after: line discipline, alternate screen, cursor.
terminal_state() { stty -g <"$tty"; tui_tmux display -p -t t '#{alternate_on} #{cursor_flag} #{bracket_paste_flag}' 2>/dev/null; }
start_in_shell() {
    tui_shell 80 24
    tui_wait '^\$$'
    tty=$(tui_tmux display -p -t t '#{pane_tty}')
    state=$(terminal_state)
    tui_type "$SIGNALBOX"
    tui_keys Enter
    tui_wait '\[1 Dashboard\]'
    pid=$(pgrep -t "${tty#/dev/}" -x "$(basename "$SIGNALBOX")")
}
is_restored() { [ "$(terminal_state)" = "$state" ]; }

name "suspend and back"
start_in_shell
tui_keys C-z
tui_wait 'Stopped'
check "the shell's terminal is whole" eventually 5 is_restored
tui_type 'echo in=$((6*7))'
tui_keys Enter
tui_wait '^in=42$'
tui_resize 100 30
tui_type fg
tui_keys Enter
tui_wait '\[1 Dashboard\]'
tui_wait 'q quit$'
tui_keys 3
tui_wait '\[3 Log\]'
kill -TSTP "$pid"
tui_wait 'Stopped'
tui_type fg
tui_keys Enter
tui_wait '\[3 Log\]'
kill -STOP "$pid" # nothing of ours runs at that: the shell takes the terminal as it is
tui_wait 'Stopped'
tui_type fg
tui_keys Enter
tui_wait '\[3 Log\]'
tui_keys 1
tui_wait '\[1 Dashboard\]'
tui_keys q
tui_wait '^\$$'
check "the terminal is whole after quitting" eventually 5 is_restored

name "nothing stays behind where the window has grown"
start_in_shell
tui_resize 120 40
tui_wait '┌ Needs attention'
tui_keys q
tui_wait '^\$$'
tui_expect_no 'Dashboard|Needs attention|│'

for signal in TERM HUP INT SEGV ABRT; do
    name "killed by SIG$signal"
    start_in_shell
    kill -$signal "$pid"
    tui_wait '^\$ *$|Segmentation|Aborted'
    check "the terminal is whole" eventually 5 is_restored
    tui_type 'echo in=$((6*7))'
    tui_keys Enter
    tui_wait '^in=42$'
done
finish
