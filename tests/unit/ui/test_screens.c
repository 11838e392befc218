/* The screen around the views: log and help, sizes, leaving, pastes, the clock. */
#include "stage.h"

static void log_screen(void **state)
{
    struct stage s;
    static bool written;
    (void)state;
    clock_fake(FAKE_NOW - 300 * NS_PER_S);
    if (!written) {
        written = true;
        log_write(LOG_DEBUG, "kafka-a", "listing topics");
        log_change(LOG_INFO, "kafka-a", "unknown -> up");
        log_change(LOG_ERROR, "payments-api", "up -> down: connection refused");
        for (int i = 0; i < 14; i++) {
            log_chatter(LOG_WARN, "kafka-a", "10.0.0.7:9092: Connection refused");
            log_chatter(LOG_WARN, "kafka-a", "ERROR: 1/1 brokers are down");
        }
        log_write(LOG_ERROR, "rabbit-2",
                  "\x1b[31m10.9.9.9:5672: connection refused. Next: is the broker running, and is "
                  "the port the one of AMQP (5672), not of the management interface (15672)?");
    }
    AT_ALL_SIZES(s, true)
    {
        type(&s, "3");
        golden(&s, "log");
        type(&s, "vk");
        golden(&s, "log-warn");
    }
}

static void help(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        type(&s, "?");
        golden(&s, "help");
        type(&s, "fold");
        golden(&s, "help-search");
        screen_key(s.screen, UIKEY_CONTROL('u'));
        assert_true(screen_says(&s, "THIS PLACE"));
        type(&s, "--firehose"); /* as a notice names it */
        assert_true(screen_says(&s, "the default exchange too, by tracing"));
        screen_key(s.screen, UIKEY_ESCAPE);
        assert_string_equal(screen_top(s.screen)->ops->name, "dashboard");
    }
}

static void small_terminals(void **state)
{
    static const int small[][2] = {{59, 24}, {80, 15}, {40, 12}, {10, 5}, {10, 3}, {20, 2}, {1, 1}};
    struct stage s;
    (void)state;
    for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
        set_up(&s, small[i][0], small[i][1], true);
        golden(&s, "small");
        type(&s, "jjt");
        assert_int_equal(screen_take_wants(s.screen), 0);
        type(&s, "q");
        assert_int_equal(screen_take_wants(s.screen), SCREEN_QUIT);
        tear_down(&s);
    }
}

/* The smallest that is drawn at all: names and what matters stay, columns go. */
static void narrow_terminals_keep_names(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, SCREEN_MIN_WIDTH, SCREEN_MIN_HEIGHT, true);
    golden(&s, "narrow-dashboard");
    open_tail(&s);
    fill_tail(&s, 3);
    golden(&s, "narrow-tail");
    type(&s, "k\r");
    golden(&s, "narrow-inspector");
    type(&s, "?");
    golden(&s, "narrow-help");
    tear_down(&s);
}

/* Where the header has no room for all, what is down is the last to go. */
static void narrow_terminals_say_what_is_down(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, SCREEN_MIN_WIDTH, SCREEN_MIN_HEIGHT, true);
    s.config.endpoints[0].endpoint.production = true;
    for (const char *keys = "123?"; *keys; keys++) {
        screen_key(s.screen, *keys);
        assert_true(screen_says(&s, " signalbox │  PRODUCTION  │ RO │ 1 slow 2 DOWN "));
    }
    tear_down(&s);
}

/* No size, no view and no key may run into anything. */
static void any_size_draws(void **state)
{
    struct stage s;
    (void)state;
    for (int w = SCREEN_MIN_WIDTH; w <= 200; w += 7)
        for (int h = SCREEN_MIN_HEIGHT; h <= 64; h += 6) {
            set_up(&s, w, h, true);
            screen_draw(s.screen);
            type(&s, "?");
            screen_draw(s.screen);
            screen_key(s.screen, UIKEY_ESCAPE);
            open_tail(&s);
            fill_tail(&s, 3);
            screen_draw(s.screen);
            type(&s, "k\r");
            screen_draw(s.screen);
            type(&s, "v\tGv\tjv3");
            screen_draw(s.screen);
            for (const char *keys = "1234?"; *keys; keys++) { /* what is said takes room from each view */
                screen_key(s.screen, *keys);
                screen_say(s.screen, SEVERITY_CRIT, "%400s", "said");
                screen_draw(s.screen);
            }
            tear_down(&s);
        }
}

static void quit_goes_back_first(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    type(&s, "3");
    type(&s, "q");
    assert_int_equal(screen_take_wants(s.screen), 0);
    screen_key(s.screen, UIKEY_ESCAPE); /* never leaves the program */
    assert_int_equal(screen_take_wants(s.screen), 0);
    type(&s, "q");
    assert_int_equal(screen_take_wants(s.screen), SCREEN_QUIT);
    tear_down(&s);
}

static void pastes_run_no_keys(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    screen_key(s.screen, UIKEY_PASTE_BEGIN);
    type(&s, "qqq\r:q\r");
    screen_key(s.screen, UIKEY_PASTE_END);
    assert_int_equal(screen_take_wants(s.screen), 0);
    type(&s, ":");
    screen_key(s.screen, UIKEY_PASTE_BEGIN);
    type(&s, "quit\r"); /* its line end confirms nothing */
    screen_key(s.screen, UIKEY_PASTE_END);
    assert_int_equal(screen_take_wants(s.screen), 0);
    type(&s, "\r");
    assert_int_equal(screen_take_wants(s.screen), SCREEN_QUIT);
    tear_down(&s);
}

/* The screen knows when it changes by itself: with the clock, each second; never sooner. */
static void it_says_when_it_changes(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    assert_int_equal(screen_draw(s.screen), FAKE_NOW + NS_PER_S);
    clock_fake_advance(NS_PER_S / 2);
    assert_int_equal(screen_draw(s.screen), FAKE_NOW + NS_PER_S);
    tear_down(&s);
}

struct tab {
    enum view_id id;
    const char *key, *name;
};

/* The tab with its number, drawn as the one that is open. */
static void check_tab(struct stage *s, const struct tab *tab)
{
    char drawn[64];
    snprintf(drawn, sizeof drawn, "[%s %c%s]", tab->key, tab->name[0] - 'a' + 'A', tab->name + 1);
    if (screen_top(s->screen) != screen_view(s->screen, tab->id) || !screen_says(s, drawn))
        fail_msg("%s is not shown as %s", tab->name, drawn);
}

/* A row of ui/views.def is all that a new view needs: its number, tab and word follow. */
static void views_are_reached_by_their_rows(void **state)
{
    static const struct tab tabs[] = {
#define TAB(id, ops, key, name, help) {VIEW_##id, key, name},
#include "ui/views.def"
    };
    static const struct tab words[] = {
#define PLACE(id, ops, key, name, help) {VIEW_##id, key, name},
#include "ui/views.def"
    };
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    open_tail(&s);
    for (size_t i = 0; i < sizeof tabs / sizeof *tabs; i++) {
        type(&s, tabs[i].key);
        check_tab(&s, &tabs[i]);
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        type(&s, ":");
        type(&s, words[i].name);
        type(&s, "\r");
        check_tab(&s, &words[i]);
    }
    tear_down(&s);
}

/* Enter runs what was searched for, without a step to it. */
static void help_runs_what_was_found(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 120, 40, true);
    open_tail(&s);
    fill_tail(&s, 3);
    type(&s, "?paus\r");
    assert_string_equal(screen_top(s.screen)->ops->name, "tail");
    assert_true(screen_says(&s, "PAUSED"));
    type(&s, "3?refresh\r"); /* no key of the log: a word of the `:` line */
    assert_int_equal(s.hub->refreshed, 1);
    assert_true(screen_says(&s, "Asked everything again"));
    type(&s, "?theme\rmono\r");
    assert_int_equal(screen_take_wants(s.screen), SCREEN_THEME);
    tear_down(&s);
}

/* Headings are passed over both ways. */
static void help_stands_on_no_heading(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    type(&s, "?zzz");
    screen_draw(s.screen);
    for (int i = 0; i < 3; i++)
        screen_key(s.screen, UIKEY_ERASE);
    for (int i = 0; i < 60; i++) {
        assert_false(screen_says(&s, "▸ EVERYWHERE") || screen_says(&s, "▸ COMMANDS") ||
                     screen_says(&s, "▸ WORDS"));
        screen_key(s.screen, i < 40 ? UIKEY_DOWN : UIKEY_UP);
    }
    screen_key(s.screen, UIKEY_HOME);
    assert_true(screen_says(&s, "THIS PLACE"));
    tear_down(&s);
}

/* Upwards from the newest, in any case, over sources and texts; n goes on, N back. */
static void the_log_is_searched(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 120, 40, true);
    for (int n = 0; n < 9; n++) {
        char text[32];
        snprintf(text, sizeof text, "line %d %s", n, n % 4 == 1 ? "Needle" : "hay");
        log_write(LOG_INFO, "kafka-a", "%s", text);
    }
    type(&s, "3/needle\r");
    assert_true(screen_says(&s, "PAUSED"));
    assert_true(screen_says(&s, "lines   line 5 Needle"));
    type(&s, "n");
    assert_true(screen_says(&s, "lines   line 1 Needle"));
    type(&s, "n");
    assert_true(screen_says(&s, "No line further up has `needle`"));
    type(&s, "NN");
    assert_true(screen_says(&s, "No line further down has `needle`"));
    type(&s, "/absent\r");
    assert_true(screen_says(&s, "No line further up has `absent`"));
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_screen),
        cmocka_unit_test(the_log_is_searched),
        cmocka_unit_test(help),
        cmocka_unit_test(small_terminals),
        cmocka_unit_test(narrow_terminals_keep_names),
        cmocka_unit_test(narrow_terminals_say_what_is_down),
        cmocka_unit_test(any_size_draws),
        cmocka_unit_test(quit_goes_back_first),
        cmocka_unit_test(pastes_run_no_keys),
        cmocka_unit_test(it_says_when_it_changes),
        cmocka_unit_test(views_are_reached_by_their_rows),
        cmocka_unit_test(help_runs_what_was_found),
        cmocka_unit_test(help_stands_on_no_heading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
