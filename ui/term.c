/* DESIGN. curses keeps its own copy of the screen and writes only what differs; we keep one more, of cells, so that curses
 * is asked only about cells that changed. Widths are ours (base/utf8.h): a character that curses would measure otherwise is
 * drawn as a replacement of the right width, so that nothing ever shifts.
 *
 * Signals: SIGWINCH belongs to curses, which makes KEY_RESIZE of it. The loop blocks all others outside its wait. */
#include "ui/term.h"

#include "base/clock.h"
#include "base/text.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <sys/poll.h>

#include <termios.h>
#include <unistd.h>
#include <wchar.h>

/* curses' own names for keys collide with nothing of ours but these two, which we never use by them. */
enum { CODE_PASTE_BEGIN = 0x1000, CODE_PASTE_END, CODE_SYNC_YES, CODE_SYNC_NO };
#define PASTE_ON   "\033[?2004h"
#define PASTE_OFF  "\033[?2004l"
#define SYNC_BEGIN "\033[?2026h"
#define SYNC_END   "\033[?2026l"
#define SYNC_ASK   "\033[?2026$p"
/* After a lone Esc, the rest of a sequence that the line tore apart may still come. */
#define TORN_NS  (250 * NS_PER_MS)
#define CLOSE_MS 300 /* for a terminal that does not read, at the end */

struct term {
    SCREEN *screen;
    struct theme theme;
    struct canvas shown; /* what curses was told */
    struct cchar_style {
        attr_t attributes;
        short pair;
    } styles[ROLES][2]; /* [selected] */
    bool ascii, colour, ssh, sync, asked;
    bool everything;   /* the next frame starts from nothing */
    int64_t escape_ns; /* monotonic time of the last lone Esc; 0 none */
    bool torn;         /* swallowing the rest of such a sequence */
    char notice[160];
};

/* ---- giving the terminal back after a crash: only async-signal-safe calls, only this static memory ---- */

static struct {
    volatile sig_atomic_t armed;
    struct termios termios;
    char restore[256];
    size_t restore_len;
} crash;

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

static void crash_restore(int number)
{
    if (crash.armed) {
        crash.armed = 0;
        ssize_t ignored = write(STDOUT_FILENO, crash.restore, crash.restore_len);
        (void)ignored;
        tcsetattr(STDIN_FILENO, TCSANOW, &crash.termios);
    }
    raise(number); /* SA_RESETHAND: now with its default effect */
}

/* On a stack of its own, since the common one may be what ran over. */
static void crash_arm(void)
{
    static char stack[64 * 1024];
    stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&own, NULL);
    const char *leave = tigetstr("rmcup");
    snprintf(crash.restore, sizeof crash.restore,
             "\033[?1000l\033[?1006l" PASTE_OFF SYNC_END "\033[?25h\033[0m\033[?1l\033>%s\r\n",
             leave && leave != (char *)-1 ? leave : "");
    crash.restore_len = strlen(crash.restore);
    crash.armed = 1;
    for (size_t i = 0; i < sizeof crash_signals / sizeof *crash_signals; i++) {
        struct sigaction action = {.sa_handler = crash_restore,
                                   .sa_flags = (int)(SA_RESETHAND | SA_NODEFER | SA_ONSTACK)},
                         old;
        if (!sigaction(crash_signals[i], NULL, &old) && old.sa_handler == SIG_DFL)
            sigaction(crash_signals[i], &action, NULL);
    }
}

static void crash_disarm(void)
{
    crash.armed = 0;
    for (size_t i = 0; i < sizeof crash_signals / sizeof *crash_signals; i++) {
        struct sigaction old;
        if (!sigaction(crash_signals[i], NULL, &old) && old.sa_handler == crash_restore)
            signal(crash_signals[i], SIG_DFL);
    }
}

/* ---- colours ---- */

/* Colours a theme names beyond what the terminal has become the nearest of its eight or sixteen. */
static short colour_fit(int16_t colour, attr_t *attributes)
{
    if (colour < 0 || colour < COLORS)
        return colour;
    if (colour < 16) { /* a bright one, of eight */
        *attributes |= A_BOLD;
        return (short)(colour - 8);
    }
    if (colour >= 232)
        return colour < 238 ? COLOR_BLACK : COLOR_WHITE;
    int cube = colour - 16, r = cube / 36, g = cube / 6 % 6, b = cube % 6;
    int most = r > g ? r : g;
    most = b > most ? b : most;
    if (most < 2)
        return COLOR_BLACK;
    return (short)((r * 2 > most ? COLOR_RED : 0) | (g * 2 > most ? COLOR_GREEN : 0) |
                   (b * 2 > most ? COLOR_BLUE : 0));
}

static attr_t attributes_of(const struct theme_style *s)
{
    return (s->attributes & THEME_BOLD ? A_BOLD : 0) | (s->attributes & THEME_DIM ? A_DIM : 0) |
           (s->attributes & THEME_UNDERLINE ? A_UNDERLINE : 0) |
           (s->attributes & THEME_REVERSE ? A_REVERSE : 0) | (s->attributes & THEME_ITALIC ? A_ITALIC : 0);
}

static void style_make(struct term *t, int role, int selected)
{
    struct theme_style style = t->theme.roles[role];
    const struct theme_style *ground = &t->theme.roles[ROLE_SELECTED];
    struct cchar_style *made = &t->styles[role][selected];
    if (selected) {
        style.bg = ground->bg >= 0 ? ground->bg : style.bg;
        if (ground->attributes & THEME_REVERSE) /* one bar, not as many as there are roles in the row */
            style.fg = ground->fg;
        style.attributes = (uint8_t)((style.attributes & ~THEME_DIM) | ground->attributes);
    }
    *made = (struct cchar_style){.attributes = attributes_of(&style)};
    if (!t->colour || (style.fg < 0 && style.bg < 0))
        return;
    made->pair = (short)(1 + role * 2 + selected);
    init_pair(made->pair, colour_fit(style.fg, &made->attributes), colour_fit(style.bg, &made->attributes));
}

void term_theme(struct term *t, const struct theme *theme)
{
    /* Without colours every theme is mono: what others say with a colour, it says with an attribute. */
    if (t->colour || theme_load(&t->theme, "mono", NULL))
        t->theme = *theme;
    for (int i = 0; i < ROLES; i++)
        for (int selected = 0; selected < 2; selected++)
            style_make(t, i, selected);
    t->everything = true;
}

static bool colour_wanted(enum term_colour colour)
{
    const char *no = getenv("NO_COLOR");
    if (colour == TERM_COLOUR_NEVER || (colour == TERM_COLOUR_AUTO && no && *no))
        return false;
    return has_colors();
}

/* ---- opening ---- */

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

static enum err usable(struct err_info *err)
{
    const char *name = getenv("TERM");
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        err_set(err, ERR_USAGE, "the console needs a terminal, and this is a %s",
                isatty(STDIN_FILENO) ? "pipe or file for output" : "pipe or file for input");
        err_next(err, "try `signalbox probe --once`, `signalbox ls`, or `signalbox tail ADDRESS`");
        return ERR_USAGE;
    }
    if (!name || !*name || !strcmp(name, "dumb")) {
        err_set(err, ERR_USAGE,
                name && *name ? "TERM is %s, which cannot move a cursor" : "TERM is not set%s",
                name ? name : "");
        err_next(err,
                 "set it to what your terminal is (TERM=xterm-256color), or use `signalbox tail ADDRESS`");
        return ERR_USAGE;
    }
    return ERR_OK;
}

static enum err start_curses(struct term *t, struct err_info *err)
{
    /* Exported sizes would freeze ours (seen: 132 columns reported as 100). */
    unsetenv("LINES");
    unsetenv("COLUMNS");
    if (!getenv("ESCDELAY"))
        set_escdelay(t->ssh ? 100 : 25);
    t->screen = newterm(NULL, stdout, stdin);
    if (t->screen)
        return ERR_OK;
    const char *name = getenv("TERM");
    t->screen = newterm("xterm-256color", stdout, stdin);
    if (!t->screen) {
        err_set(err, ERR_USAGE, "no terminfo entry for TERM=%s", name);
        err_next(err, "on the machine where you sit: infocmp -x | ssh HOST tic -x -   (or set TERM=xterm)");
        return ERR_USAGE;
    }
    snprintf(t->notice, sizeof t->notice,
             "no terminfo entry for TERM=%.60s here: drawing as for xterm-256color", name);
    return ERR_OK;
}

static void set_modes(void)
{
    raw(); /* also clears IXON: ^S and ^Q are free; ^C and ^Z come as keys */
    noecho();
    nonl();
    nodelay(stdscr, TRUE);
    keypad(stdscr, TRUE);
    intrflush(stdscr, FALSE);
    idlok(stdscr, TRUE); /* a tail that scrolls becomes a scroll region */
    scrollok(stdscr, FALSE);
    curs_set(0);
    define_key("\033[200~", CODE_PASTE_BEGIN);
    define_key("\033[201~", CODE_PASTE_END);
    define_key("\033[?2026;0$y", CODE_SYNC_NO);
    define_key("\033[?2026;1$y", CODE_SYNC_YES);
    define_key("\033[?2026;2$y", CODE_SYNC_YES);
    define_key("\033[?2026;3$y", CODE_SYNC_NO);
    define_key("\033[?2026;4$y", CODE_SYNC_NO);
}

static void say(const char *sequence)
{
    fputs(sequence, stdout);
    fflush(stdout);
}

struct term *term_open(const struct theme *theme, enum term_colour colour, struct err_info *err)
{
    if (usable(err))
        return NULL;
    struct term *t = calloc(1, sizeof *t);
    if (!t) {
        err_set(err, ERR_NOMEM, "no memory for the terminal");
        return NULL;
    }
    setlocale(LC_CTYPE, "");
    t->ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    t->ssh = is_set("SSH_TTY") || is_set("SSH_CONNECTION");
    tcgetattr(STDIN_FILENO, &crash.termios);
    if (start_curses(t, err)) {
        free(t);
        return NULL;
    }
    crash_arm();
    set_modes();
    if (colour_wanted(colour) && start_color() == OK && COLORS >= 8) {
        t->colour = true;
        use_default_colors();
    }
    term_theme(t, theme);
    say(PASTE_ON);
    return t;
}

static bool takes_output(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&p, 1, CLOSE_MS) > 0 && (p.revents & POLLOUT);
}

/* Nobody reads it: what waits there is thrown away, so that there is room for what gives it back, and nothing here waits for ever. */
static void close_stuck(struct term *t)
{
    tcflush(STDOUT_FILENO, TCOFLUSH);
    __fpurge(stdout);
    if (takes_output()) {
        ssize_t ignored = write(STDOUT_FILENO, crash.restore, crash.restore_len);
        (void)ignored;
    }
    tcsetattr(STDIN_FILENO, TCSANOW, &crash.termios);
    crash_disarm();
    canvas_free(&t->shown);
    free(t);
}

void term_close(struct term **tp)
{
    struct term *t = *tp;
    *tp = NULL;
    if (!t)
        return;
    if (!takes_output()) {
        close_stuck(t);
        return;
    }
    say(PASTE_OFF);
    if (t->asked) /* an answer that is still under way must not reach the shell */
        tcflush(STDIN_FILENO, TCIFLUSH);
    curs_set(1);
    erase(); /* tmux shows what was there when its window has grown meanwhile */
    refresh();
    endwin();
    crash_disarm();
    delscreen(t->screen);
    canvas_free(&t->shown);
    free(t);
}

const char *term_notice(const struct term *t)
{
    return t->notice[0] ? t->notice : NULL;
}

bool term_over_ssh(const struct term *t)
{
    return t->ssh;
}

bool term_is_ascii(const struct term *t)
{
    return t->ascii;
}

void term_size(const struct term *t, int *w, int *h)
{
    (void)t;
    *w = COLS;
    *h = LINES;
}

/* ---- showing ---- */

/* What curses gets for a cell. Its idea of the width must be ours, else a replacement goes there. */
static void cell_make(const struct term *t, const struct cell *cell, cchar_t *made)
{
    wchar_t text[2 + CELL_MARKS] = {(wchar_t)cell->cp};
    const struct cchar_style *style = &t->styles[cell->role][cell->selected];
    if (t->ascii)
        text[0] = (wchar_t)canvas_ascii(cell->cp);
    else if (cell->cp >= 0x7F && wcwidth((wchar_t)cell->cp) != cell->width)
        text[0] = cell->width == 2 ? 0xFF1F : 0xFFFD; /* a wide question mark; the replacement character */
    for (int i = 0, n = 1; !t->ascii && i < CELL_MARKS && cell->marks[i]; i++)
        if (wcwidth((wchar_t)cell->marks[i]) == 0)
            text[n++] = (wchar_t)cell->marks[i];
    setcchar(made, text, style->attributes, style->pair, NULL);
}

static void show_cell(const struct term *t, int x, int y, const struct cell *cell)
{
    cchar_t made;
    if (cell->width == 0)
        return; /* came with its left half */
    cell_make(t, cell, &made);
    mvwadd_wch(stdscr, y, x, &made);
    if (t->ascii && cell->width == 2)
        mvwaddch(stdscr, y, x + 1, ' ');
}

/* Bytes, roughly: a character, a cursor move where a run of changes begins, a change of style. */
static size_t show_row(struct term *t, const struct canvas *c, int y)
{
    struct cell *old = &t->shown.cells[(size_t)y * (size_t)c->w];
    const struct cell *new = &c->cells[(size_t)y * (size_t)c->w];
    size_t bytes = 0;
    int role = -1;
    for (int x = 0, last = -2; x < c->w; x++) {
        if (cell_equal(&old[x], &new[x]))
            continue;
        show_cell(t, x, y, &new[x]);
        old[x] = new[x];
        bytes += (new[x].cp < 0x80 ? 1 : 3) + (last == x - 1 ? 0 : 6) + (role == new[x].role ? 0 : 8);
        last = x;
        role = new[x].role;
    }
    return bytes;
}

static bool make_shown(struct term *t, const struct canvas *c)
{
    bool same = t->shown.w == c->w && t->shown.h == c->h;
    if (!same && !canvas_resize(&t->shown, c->w, c->h))
        return false;
    if (!same || t->everything) {
        canvas_clear(&t->shown);
        werase(stdscr);
        t->everything = false;
    }
    return true;
}

size_t term_show(struct term *t, const struct canvas *c)
{
    size_t bytes = 0;
    if (!make_shown(t, c))
        return 0;
    for (int y = 0; y < c->h; y++)
        bytes += show_row(t, c, y);
    if (bytes == 0 && t->shown.cursor_x == c->cursor_x && t->shown.cursor_y == c->cursor_y &&
        t->shown.cursor_visible == c->cursor_visible && !is_wintouched(stdscr))
        return 0;
    if (t->shown.cursor_visible != c->cursor_visible)
        curs_set(c->cursor_visible);
    t->shown.cursor_x = c->cursor_x;
    t->shown.cursor_y = c->cursor_y;
    t->shown.cursor_visible = c->cursor_visible;
    wmove(stdscr, c->cursor_y, c->cursor_x);
    wnoutrefresh(stdscr);
    if (t->sync)
        say(SYNC_BEGIN);
    doupdate();
    if (t->sync)
        say(SYNC_END);
    return bytes + 12;
}

/* Only terminals that are known to keep quiet about a question they don't know are asked. */
void term_ask(struct term *t)
{
    static const char *const known[] = {"xterm",   "kitty",   "foot",   "alacritty",
                                        "wezterm", "ghostty", "contour"};
    const char *name = getenv("TERM");
    if (is_set("TMUX") || is_set("STY"))
        return;
    for (size_t i = 0; i < sizeof known / sizeof *known && !t->asked; i++)
        if (text_starts(name, known[i]) || strstr(name, known[i]))
            t->asked = true;
    if (t->asked)
        say(SYNC_ASK);
}

void term_redraw(struct term *t)
{
    t->everything = true;
    clearok(curscr, TRUE);
}

/* ---- keys ---- */

static int code_key(struct term *t, wint_t code)
{
    switch (code) {
    case KEY_UP: return UIKEY_UP;
    case KEY_DOWN: return UIKEY_DOWN;
    case KEY_LEFT: return UIKEY_LEFT;
    case KEY_RIGHT: return UIKEY_RIGHT;
    case KEY_PPAGE: return UIKEY_PAGE_UP;
    case KEY_NPAGE: return UIKEY_PAGE_DOWN;
    case KEY_HOME: return UIKEY_HOME;
    case KEY_END: return UIKEY_END;
    case KEY_BACKSPACE: return UIKEY_ERASE;
    case KEY_DC: return UIKEY_DELETE;
    case KEY_BTAB: return UIKEY_BACK_TAB;
    case KEY_ENTER: return UIKEY_RETURN;
    case KEY_F(1): return UIKEY_HELP;
    case KEY_RESIZE: return UIKEY_RESIZED;
    case CODE_PASTE_BEGIN: return UIKEY_PASTE_BEGIN;
    case CODE_PASTE_END: return UIKEY_PASTE_END;
    case CODE_SYNC_YES: t->sync = true; return UIKEY_UNKNOWN;
    default: return UIKEY_UNKNOWN;
    }
}

/* True: the character is part of a sequence whose Esc came alone. Intermediate bytes go on, a final byte ends it. */
static bool is_torn(struct term *t, wint_t c)
{
    bool late = clock_mono_ns() - t->escape_ns > TORN_NS;
    if (t->escape_ns && !late && !t->torn && (c == '[' || c == 'O')) {
        t->torn = true;
        return true;
    }
    t->escape_ns = t->torn && !late ? t->escape_ns : 0;
    if (!t->torn)
        return false;
    t->torn = !late && (c < 0x40 || c > 0x7E);
    return !late;
}

int term_key(struct term *t)
{
    wint_t c = 0;
    int result = wget_wch(stdscr, &c);
    if (result == ERR)
        return UIKEY_NONE;
    if (result == KEY_CODE_YES)
        return code_key(t, c);
    if (is_torn(t, c))
        return UIKEY_UNKNOWN;
    if (c == UIKEY_ESCAPE)
        t->escape_ns = clock_mono_ns();
    if (c == 127 || c == UIKEY_CONTROL('h'))
        return UIKEY_ERASE;
    return c == 0 ? UIKEY_UNKNOWN : c == '\n' ? UIKEY_RETURN : (int)c;
}

/* ---- job control ---- */

static void take_size(void)
{
    struct winsize size;
    if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col)
        resizeterm(size.ws_row, size.ws_col);
}

void term_resume(struct term *t)
{
    reset_prog_mode();
    take_size();
    curs_set(t->shown.cursor_visible);
    say(PASTE_ON);
    term_redraw(t);
}

void term_suspend(struct term *t)
{
    sigset_t stop, before;
    struct sigaction plain = {.sa_handler = SIG_DFL}, ours;
    say(PASTE_OFF);
    curs_set(1);
    endwin();
    sigaction(SIGTSTP, &plain, &ours);
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    kill(0, SIGTSTP);                             /* the whole job, as the shell would */
    pthread_sigmask(SIG_UNBLOCK, &stop, &before); /* here it stops */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    sigaction(SIGTSTP, &ours, NULL);
    take_size();
    wrefresh(stdscr); /* enters the alternate screen again */
    term_resume(t);
}

static int spawn_and_wait(const char *command, const char *argument)
{
    char shell[] = "sh", option[] = "-c";
    char *argv[] = {shell, option, (char *)(uintptr_t)command, shell, (char *)(uintptr_t)argument, NULL};
    posix_spawnattr_t attr;
    sigset_t none, usual;
    pid_t pid;
    int status = 0;
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &usual);
    int failed = posix_spawn(&pid, "/bin/sh", NULL, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    if (failed)
        return -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int term_run(struct term *t, const char *command, const char *argument)
{
    say(PASTE_OFF);
    curs_set(1);
    endwin();
    int status = spawn_and_wait(command, argument);
    tcflush(STDIN_FILENO, TCIFLUSH); /* what was typed too much was meant for the other one */
    take_size();
    wrefresh(stdscr);
    term_resume(t);
    return status;
}
