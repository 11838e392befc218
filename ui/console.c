/* DESIGN. One loop, one wait: ppoll on the terminal and the hub, signals open only there. Whatever wakes it, it takes all
 * keys, pumps the hub for a few milliseconds, does a slice of the views' long work, and draws if something visible
 * changed: at once for a key, else at most ten times a second and, over SSH, within a budget of bytes. When nothing moves
 * it sleeps until the next moment at which something drawn changes by itself (clock, ages), which drawing has told it. */
#include "ui/console.h"

#include "base/clock.h"
#include "base/log.h"
#include "engine/hub.h"
#include "ui/screen.h"
#include "ui/term.h"

#include <malloc.h>
#include <poll.h>
#include <sys/time.h>
#include <termios.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FRAME_NS  (100 * NS_PER_MS) /* between frames that no key asked for */
#define SECOND_NS (50 * NS_PER_MS)  /* the second frame comes no sooner */
#define GATHER_NS (5 * NS_PER_MS)   /* between pumps while the hub has something */
#define PUMP_NS   (4 * NS_PER_MS)
#define WORK_NS   (4 * NS_PER_MS)
#define SSH_RATE  (8 * 1024) /* bytes a second */
#define MOST_KEYS 64         /* taken before the hub has its turn */

struct console {
    struct hub *hub;
    struct screen *screen;
    struct term *term;
    bool dirty, urgent; /* something visible changed; because of a key */
    bool keys;          /* some wait, or a signal came: curses may have one for us */
    bool more;          /* the hub or a view has more to do */
    int64_t frame_ns;   /* monotonic: the next frame that no key asked for */
    int64_t wakeup_ns;  /* monotonic: when what is drawn changes by itself */
    int64_t tokens;     /* bytes that SSH may still take */
    int64_t tokens_at_ns;
    int64_t pump_ns; /* monotonic: the hub may wake us from then on */
    unsigned wants;  /* of the screen, not yet fulfilled */
    bool quit;
};

/* ---- signals ---- */

static volatile sig_atomic_t signal_end, signal_stop, signal_continue;
static volatile sig_atomic_t drawing; /* a frame is being written */

/* A terminal that does not read holds the writes of a frame, of which there are many: what waits for it is thrown away until the frame is
 * through. Only async-signal-safe calls. */
static void on_end(int number)
{
    static const struct itimerval soon = {.it_interval = {.tv_usec = 20000}, .it_value = {.tv_usec = 20000}};
    signal_end = number;
    if (drawing)
        setitimer(ITIMER_REAL, &soon, NULL);
}

static void on_alarm(int number)
{
    (void)number;
    if (drawing)
        tcflush(STDOUT_FILENO, TCOFLUSH);
}

static void on_stop(int number)
{
    signal_stop = number;
}

static void on_continue(int number)
{
    signal_continue = number;
}

static const int end_signals[] = {SIGTERM, SIGHUP, SIGINT};

/* Blocked from here on, in every thread that is started later too; *open is the mask of the wait. */
static void signals_take(sigset_t *before, sigset_t *open)
{
    sigset_t ours;
    struct sigaction end = {.sa_handler = on_end}, stop = {.sa_handler = on_stop};
    struct sigaction resume = {.sa_handler = on_continue}, again = {.sa_handler = on_alarm};
    signal_end = signal_stop = signal_continue = 0;
    sigemptyset(&ours);
    for (size_t i = 0; i < sizeof end_signals / sizeof *end_signals; i++) {
        sigaddset(&ours, end_signals[i]);
        sigaction(end_signals[i], &end, NULL);
    }
    sigaddset(&ours, SIGTSTP);
    sigaddset(&ours, SIGWINCH);
    sigaddset(&ours, SIGCONT);
    sigaddset(&ours, SIGALRM);
    sigaction(SIGTSTP, &stop, NULL);
    sigaction(SIGCONT, &resume, NULL);
    sigaction(SIGALRM, &again, NULL);
    pthread_sigmask(SIG_BLOCK, &ours, before);
    *open = *before;
    for (size_t i = 0; i < sizeof end_signals / sizeof *end_signals; i++)
        sigdelset(open, end_signals[i]);
    sigdelset(open, SIGTSTP);
    sigdelset(open, SIGWINCH);
    sigdelset(open, SIGCONT);
}

static void signals_give_back(const sigset_t *before)
{
    for (size_t i = 0; i < sizeof end_signals / sizeof *end_signals; i++)
        signal(end_signals[i],
               SIG_IGN); /* a terminal that goes sends several: what is left is ended in peace */
    setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {0, 0}}, NULL);
    signal(SIGTSTP, SIG_DFL);
    signal(SIGCONT, SIG_DFL);
    signal(SIGALRM, SIG_IGN); /* one may be pending */
    pthread_sigmask(SIG_SETMASK, before, NULL);
    signal(SIGALRM, SIG_DFL);
    for (size_t i = 0; i < sizeof end_signals / sizeof *end_signals; i++)
        signal(end_signals[i], SIG_DFL);
}

/* ---- frames ---- */

/* A wall clock moment as a monotonic one, a millisecond late so that it has surely come. */
static int64_t mono_of(int64_t wall_ns)
{
    int64_t in = wall_ns - clock_wall_ns();
    return wall_ns == INT64_MAX ? INT64_MAX : clock_mono_ns() + (in > 0 ? in : 0) + NS_PER_MS;
}

static void earn_tokens(struct console *c, int64_t now)
{
    int64_t earned = (now - c->tokens_at_ns) / 1000 * SSH_RATE / 1000000;
    if (earned <= 0)
        return;
    c->tokens = c->tokens + earned < SSH_RATE ? c->tokens + earned : SSH_RATE;
    c->tokens_at_ns = now;
}

/* Open to the signals that end the program, and to no others: what they interrupt would be missing on the screen. */
static size_t show(struct console *c)
{
    sigset_t ends, before;
    sigemptyset(&ends);
    for (size_t i = 0; i < sizeof end_signals / sizeof *end_signals; i++)
        sigaddset(&ends, end_signals[i]);
    sigaddset(&ends, SIGALRM);
    drawing = 1;
    pthread_sigmask(SIG_UNBLOCK, &ends, &before);
    size_t bytes = signal_end ? 0 : term_show(c->term, screen_canvas(c->screen));
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    drawing = 0;
    return bytes;
}

static void draw(struct console *c)
{
    int64_t now = clock_mono_ns();
    c->wakeup_ns = mono_of(screen_draw(c->screen));
    size_t bytes = show(c);
    earn_tokens(c, now);
    c->tokens -= (int64_t)bytes;
    c->frame_ns = now + FRAME_NS;
    if (term_over_ssh(c->term) && c->tokens < 0) /* until the budget is even again */
        c->frame_ns = now + FRAME_NS + -c->tokens * NS_PER_S / SSH_RATE;
    c->dirty = c->urgent = false;
}

static void resize(struct console *c)
{
    int w, h;
    term_size(c->term, &w, &h);
    if (!screen_resize(c->screen, w, h))
        c->quit = true;
    c->dirty = c->urgent = true;
}

/* ---- one turn ---- */

static void edit(struct console *c)
{
    char command[1000];
    const char *visual = getenv("VISUAL"), *editor = getenv("EDITOR");
    const char *name = visual && *visual ? visual : editor && *editor ? editor : "vi";
    snprintf(command, sizeof command, "%.900s \"$1\"", name);
    bool well = term_run(c->term, command, screen_edit_path(c->screen)) == 0;
    if (!well)
        screen_say(c->screen, SEVERITY_WARN, "%s has failed: EDITOR names another editor", name);
    screen_edited(c->screen, well);
    resize(c);
}

static void fulfil(struct console *c)
{
    unsigned wants = c->wants | screen_take_wants(c->screen);
    c->wants = 0;
    c->quit |= (wants & SCREEN_QUIT) != 0;
    if (wants & SCREEN_REDRAW)
        term_redraw(c->term);
    if (wants & SCREEN_THEME)
        term_theme(c->term, screen_theme(c->screen));
    if (wants & SCREEN_EDIT)
        edit(c);
    if (wants & SCREEN_SUSPEND || signal_stop) {
        signal_stop = 0;
        term_suspend(c->term);
        resize(c);
    } else if (signal_continue) {
        signal_continue = 0;
        term_resume(c->term);
        resize(c);
    }
    c->dirty |= wants != 0;
}

static void take_keys(struct console *c)
{
    int key, i = 0;
    for (; i < MOST_KEYS && (key = term_key(c->term)) != UIKEY_NONE; i++) {
        if (key == UIKEY_UNKNOWN) /* the terminal's answer to term_ask, which must not hasten a frame */
            continue;
        if (key == UIKEY_RESIZED) {
            resize(c);
            continue;
        }
        screen_key(c->screen, key);
        c->dirty = c->urgent = true;
        c->wants |= screen_take_wants(c->screen);
        if (c->wants & (SCREEN_QUIT | SCREEN_SUSPEND |
                        SCREEN_EDIT)) { /* what was typed after it is for whoever comes next */
            c->keys = true;
            return;
        }
    }
    c->keys |= i == MOST_KEYS;
}

static void turn(struct console *c)
{
    bool more = false, keys = c->keys;
    c->more = c->keys = false;
    if (keys)
        take_keys(c);
    fulfil(c);
    uint32_t changes = hub_pump(c->hub, PUMP_NS, &more);
    int64_t now = clock_mono_ns();
    if (changes) {
        c->dirty |= screen_event(c->screen, changes);
        c->pump_ns = now + GATHER_NS;
    }
    c->more |= more;
    c->dirty |= screen_pump(c->screen);
    if (screen_work(c->screen, now + WORK_NS))
        c->more = c->dirty = true;
    now = clock_mono_ns();
    c->dirty |= now >= c->wakeup_ns;
    if (c->dirty && (c->urgent || now >= c->frame_ns))
        draw(c);
}

static int64_t next_turn(const struct console *c)
{
    int64_t at = hub_wakeup_ns(c->hub);
    if (c->more || c->keys)
        return 0;
    if (c->dirty && c->frame_ns < at)
        at = c->frame_ns;
    if (!c->dirty && c->wakeup_ns < at)
        at = c->wakeup_ns > c->frame_ns ? c->wakeup_ns : c->frame_ns;
    return at;
}

/* Waits; false: the terminal is gone. The hub is left alone for a moment after it had something, so that a flood costs
 * two hundred turns a second and not one for each batch. */
static bool wait_for(struct console *c, const sigset_t *open)
{
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = hub_fd(c->hub), .events = POLLIN},
                           {.fd = screen_fd(c->screen), .events = POLLIN}};
    int64_t at = next_turn(c), now = clock_mono_ns();
    bool gather = now < c->pump_ns;
    if (gather && c->pump_ns < at)
        at = c->pump_ns;
    int64_t in = at - now;
    struct timespec timeout = {.tv_sec = in > 0 ? in / NS_PER_S : 0, .tv_nsec = in > 0 ? in % NS_PER_S : 0};
    int n = ppoll(fds, gather ? 1 : 3, at == INT64_MAX ? NULL : &timeout, open);
    c->keys |= n < 0 || fds[0].revents || (n == 0 && !gather); /* a signal may have met another thread */
    return n <= 0 || !(fds[0].revents & (POLLHUP | POLLERR | POLLNVAL));
}

/* ---- start and end ---- */

/* The first frame goes out before anything is connected; the second waits a little, so that the first isn't torn. */
static void first_frame(struct console *c, const struct console_options *options)
{
    if (term_is_ascii(c->term))
        screen_ascii(c->screen);
    resize(c);
    c->tokens = SSH_RATE;
    c->tokens_at_ns = clock_mono_ns();
    draw(c);
    term_ask(c->term);
    hub_start(c->hub);
    if (options->address_count)
        screen_tail(c->screen, options->addresses, options->address_count, NULL);
    if (term_notice(c->term))
        screen_say(c->screen, SEVERITY_WARN, "%s", term_notice(c->term));
    c->dirty = true;
    c->frame_ns = clock_mono_ns() + SECOND_NS;
}

static int run(struct console *c, const struct console_options *options)
{
    sigset_t before, open;
    signals_take(&before, &open);
    first_frame(c, options);
    while (!c->quit && !signal_end && wait_for(c, &open))
        turn(c);
    int code = signal_end ? 128 + signal_end : c->quit ? 0 : 128 + SIGHUP;
    term_close(&c->term); /* before the sessions end, which may take a moment */
    screen_free(&c->screen);
    hub_stop(&c->hub);
    signals_give_back(&before);
    return code;
}

static enum term_colour colour_of(const char *word)
{
    if (word && !strcmp(word, "always"))
        return TERM_COLOUR_ALWAYS;
    return word && !strcmp(word, "never") ? TERM_COLOUR_NEVER : TERM_COLOUR_AUTO;
}

/* A theme that the configuration names wrongly is the configuration's fault, and exits like one. */
static bool choose_theme(struct console *c, const char *asked, const struct config *config,
                         struct err_info *err)
{
    if (!screen_set_theme(c->screen, asked ? asked : config->theme, err))
        return true;
    err->code = asked ? ERR_USAGE : ERR_CONFIG;
    if (!asked && config->file)
        err_where(err, "%s: ui.theme", config->file);
    return false;
}

/* The C library gives each thread an arena of its own and keeps what was freed in it; the client libraries have dozens of threads. Two
 * arenas that shrink took a tail with five brokers from 108 to 90 MiB. */
static void keep_memory_small(void)
{
    (void)mallopt(M_ARENA_MAX, 2);
    (void)mallopt(M_TRIM_THRESHOLD, 128 * 1024);
}

int console_run(struct config *config, const struct registry *registry, const struct console_options *options,
                struct err_info *err)
{
    struct console c = {.wakeup_ns = INT64_MAX};
    int code = -1;
    err->code = ERR_OK;
    keep_memory_small();
    c.hub = hub_new(config, registry, err);
    c.screen = c.hub ? screen_new(c.hub, options->demo, err) : NULL;
    if (c.screen && choose_theme(&c, options->theme, config, err))
        c.term = term_open(screen_theme(c.screen), colour_of(options->colour), err);
    if (c.term)
        code = run(&c, options);
    screen_free(&c.screen);
    hub_stop(&c.hub);
    return code >= 0 ? code : err_exit_code(err->code);
}
