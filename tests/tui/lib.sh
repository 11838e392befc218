# tests/tui/lib.sh: the program in a real pseudo-terminal, which a private tmux server provides. A test sources
# ../lib.sh first, then this.
#
#   tui_start W H CMD...     starts CMD at that size        tui_shell W H      an interactive shell instead (prompt "$ ")
#   tui_keys KEY...          tmux key names: a Enter Escape C-z Up F1      tui_type TEXT      as it stands
#   tui_wait REGEX [S]       until it is on the screen, at most 10 s; counts as a test
#   tui_gone REGEX [S]       until it is not                tui_ended [S]      until the program has ended
#   tui_expect REGEX / tui_expect_no REGEX   as it is now   tui_screen [FILE]  prints or saves the screen
#   tui_row N                line N (from 1) of the screen  tui_cursor         x,y and whether it is visible
#   tui_resize W H           tui_size                       tui_pid            the program's pid (of tui_start)
#   tui_status               exit code once it has ended    tui_bytes          bytes written to the terminal so far
#   tui_stop                 ends the server; also happens at exit
#
# TUI_TERM chooses TERM inside (tmux-256color); TUI_ENV="A=1 B=2" adds to the environment.

TUI=sb-$$
tui_count=0
tui_up=

tui_tmux() { tmux -L "$TUI" -f /dev/null "$@"; }

# The server's own options: nothing of the user's, no status line, sizes set by hand, no waiting after Escape.
tui_open() {
    local w=$1 h=$2 e args=()
    shift 2
    tui_stop
    TUI=sb-$$-$((tui_count += 1)) # a name of its own: the last server may still be on its way out
    : >"$T/tty"
    for e in ${TUI_ENV:-}; do args+=(-e "$e"); done
    # (window-size comes after the first session: tmux 3.3a dies of it before)
    tui_tmux start-server \; set -g status off \; set -sg escape-time 0 \; set -g history-limit 1000 \; \
        set -g default-terminal "${TUI_TERM:-tmux-256color}" \; set -g allow-passthrough off \; \
        new-session -d -s t -x "$w" -y "$h" "${args[@]}" "$@" \; set -g window-size manual || return 1
    tui_up=1
    tui_tmux pipe-pane -O -t t "cat >>'$T/tty'"
}

tui_start() {
    local w=$1 h=$2
    shift 2
    rm -f "$T/tui.status" "$T/tui.pid"
    # The program waits behind a gate until the pipe that counts its bytes is there. The shell tells how it ended.
    printf 'stty -echo; until [ -e %q ]; do sleep 0.01; done; stty echo\n(echo $BASHPID >%q; exec %s)\n' \
        "$T/gate" "$T/tui.pid" "$(printf '%q ' "$@")" >"$T/tui.sh"
    printf 'echo $? >%q; mv %q %q; exec sleep 3600\n' "$T/s" "$T/s" "$T/tui.status" >>"$T/tui.sh"
    rm -f "$T/gate"
    tui_open "$w" "$h" bash "$T/tui.sh" || { fail "$sb_title: tmux did not start"; return 1; }
    : >"$T/gate"
    eventually 5 test -s "$T/tui.pid"
}

tui_shell() {
    printf 'PS1="$ "\nunset HISTFILE PROMPT_COMMAND\n' >"$T/tui.rc"
    tui_open "$1" "$2" bash --noprofile --rcfile "$T/tui.rc" -i || { fail "$sb_title: tmux did not start"; return 1; }
}

tui_stop() {
    [ -z "$tui_up" ] || tui_tmux kill-server 2>/dev/null || true
    tui_up=
}
at_exit tui_stop

tui_keys() { tui_tmux send-keys -t t -- "$@"; }
tui_type() { tui_tmux send-keys -t t -l -- "$*"; }
tui_resize() { tui_tmux resize-window -t t -x "$1" -y "$2"; }
tui_size() { tui_tmux display -p -t t '#{pane_width}x#{pane_height}'; }
tui_pid() { cat "$T/tui.pid"; }
tui_status() { cat "$T/tui.status" 2>/dev/null; }
tui_bytes() { stat -c %s "$T/tty"; }
tui_cursor() { tui_tmux display -p -t t '#{cursor_x},#{cursor_y} #{?cursor_flag,visible,hidden}'; }
tui_row() { tui_tmux capture-pane -p -t t | sed -n "$1p"; }
tui_screen() { if [ -n "${1:-}" ]; then tui_tmux capture-pane -p -t t >"$1"; else tui_tmux capture-pane -p -t t; fi; }
tui_has() { tui_tmux capture-pane -p -t t 2>/dev/null | grep -qE -- "$1"; }
tui_lacks() { ! tui_has "$1"; }
tui_failed() {
    fail "$sb_title: $1"
    tui_screen 2>/dev/null | sed 's/^/    | /'
}
tui_limit() { awk -v s="${1:-10}" -v f="${SB_SLOW:-1}" 'BEGIN { print int(s * (f > 1 ? f : 1) + 0.999) }'; }
tui_wait() {
    if eventually "$(tui_limit "${2:-10}")" tui_has "$1"; then pass; else tui_failed "not on the screen in ${2:-10} s: $1"; fi
}
tui_gone() {
    if eventually "$(tui_limit "${2:-10}")" tui_lacks "$1"; then pass; else tui_failed "still on the screen: $1"; fi
}
tui_ended() {
    if eventually "$(tui_limit "${1:-10}")" test -s "$T/tui.status"; then pass; else tui_failed "has not ended in ${1:-10} s"; fi
}
tui_expect() { if tui_has "$1"; then pass; else tui_failed "not on the screen: $1"; fi; }
tui_expect_no() { if tui_has "$1"; then tui_failed "on the screen: $1"; else pass; fi; }
