# The terminal harness itself: sizes, keys, resize, exit codes, byte counts.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

name "start, size and keys"
tui_start 80 24 bash -c 'stty size; read -r line; echo "got <$line>"; stty size; read -rsn1; exit 7'
tui_wait '^24 80$'
tui_type 'a b"$x'
tui_keys Enter
tui_wait '^got <a b"\$x>$'
check "size" test "$(tui_size)" = 80x24

name "resize"
tui_resize 100 30
check "new size" test "$(tui_size)" = 100x30

name "exit code"
tui_keys q
tui_ended
check "status" test "$(tui_status)" = 7

name "bytes"
tui_start 60 10 bash -c 'printf %0500d 0; read -r'
tui_wait '^0{20}$'
check "at least what was written" test "$(tui_bytes)" -ge 500

name "interactive shell with job control"
tui_shell 80 24
tui_wait '^\$$'
tui_type 'sleep 60; echo back=$((6*7))'
tui_keys Enter
tui_wait '^\$ sleep 60'
sleep 0.3
tui_keys C-z
tui_wait Stopped
tui_keys C-c
tui_type 'kill %1'
tui_keys Enter

name "stop"
tui_stop
check "no server left" test -z "$(tmux -L "$TUI" ls 2>/dev/null)"
finish
