/* The `:` line: its words, the shell's flags, Tab, and what is wrong on it. */
#include "stage.h"

static void command_line(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        type(&s, ":t");
        golden(&s, "command");
        screen_key(s.screen, UIKEY_CONTROL('u'));
        type(&s, "fliter x\r");
        golden(&s, "command-unknown");
        type(&s, ":theme mono\r");
        assert_int_equal(screen_take_wants(s.screen), SCREEN_THEME);
        type(&s, ":theme\r");
        assert_true(
            screen_says(&s, "The theme is mono. There are terminal, dark, mono, and files of your own"));
        assert_int_equal(screen_take_wants(s.screen), 0);
        type(&s, ":q\r");
        assert_int_equal(screen_take_wants(s.screen), SCREEN_QUIT);
    }
}

/* The shell's flags work on the `:` line: a line of the one can be typed into the other. */
static void command_line_takes_the_shells_flags(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 120, 40, true);
    type(&s, ":tail --");
    assert_true(screen_says(&s, "--from  --where  --partition  --uncommitted  --firehose  --internal"));
    type(&s, "from ");
    assert_true(screen_says(&s, "--from WHERE: beginning end end-N"));
    type(&s, "end-5 kafka-a/orders --uncommitted --where 'size>1 key=\"a b\"'\r");
    assert_int_equal(s.hub->asked.mode, READ_TAP);
    assert_int_equal(s.hub->asked.start.kind, START_LAST);
    assert_int_equal(s.hub->asked.start.value, 5);
    assert_int_equal(s.hub->asked.flags, READ_UNCOMMITTED);
    assert_true(screen_says(&s, "size>1 key=\"a b\""));
    type(&s, ":browse kafka-a/orders --from=7 -p 2 -n 20\r");
    assert_int_equal(s.hub->asked.mode, READ_BROWSE);
    assert_int_equal(s.hub->asked.start.kind, START_OFFSET);
    assert_int_equal(s.hub->asked.partition, 2);
    assert_int_equal(s.hub->asked.limit, 20);
    tear_down(&s);
}

static void an_endpoint_alone_means_its_channels(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 120, 40, true);
    type(&s, ":tail kafka-a --from end-3\r");
    assert_int_equal(s.hub->tail.channel_count, 2);
    assert_int_equal(s.hub->asked.start.kind, START_LAST);
    type(&s, ":browse kafka-a\r");
    assert_true(screen_says(&s, "a channel is missing; write kafka-a/CHANNEL"));
    type(&s, ":zzz kafka-a\r");
    assert_true(screen_says(&s, "`signalbox help` those of the shell"));
    tear_down(&s);
}

static void tab_completes_the_command_line(void **state)
{
    static const struct {
        const char *typed, *line, *note;
    } rows[] = {
        {":bro\t", ":browse", "browse ENDPOINT/CHANNEL"},
        {":t\t", ":t", "tail  theme"},
        {":tail k\t", ":tail kafka-a/", "tail ENDPOINT"},
        {":tail rab\t", ":tail rabbit-", "rabbit-1/  rabbit-2/"},
        {":tail kafka-a/o\t", ":tail kafka-a/orders", ""},
        {":browse kafka-a/orders --fr\t", ":browse kafka-a/orders --from", "--from WHERE"},
        {":theme x\t", ":theme x", "theme NAME"},
        {":zzz\t", ":zzz", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stage s;
        set_up(&s, 120, 40, true);
        type(&s, rows[i].typed);
        if (!screen_says(&s, rows[i].line) || !screen_says(&s, rows[i].note))
            fail_msg("%s did not become %s (%s)", rows[i].typed, rows[i].line, rows[i].note);
        tear_down(&s);
    }
}

static void command_line_opens_nothing_on_a_wrong_flag(void **state)
{
    static const struct {
        const char *line, *said;
    } wrong[] = {
        {":tail kafka-a/orders --frm 1\r", "unknown flag `--frm`; did you mean `--from`?"},
        {":tail kafka-a/orders --from yesterday\r", "yesterday"},
        {":tail kafka-a/orders --json\r", "`:tail` takes no --json here"},
        {":tail kafka-a/orders --partition\r", "--partition needs a value"},
        {":tail kafka-a/orders -p 0 --partition 1\r", "--partition is given twice"},
        {":tail kafka-a/orders -p x\r", "--partition x: write a number"},
        {":tail kafka-a/orders --where 'size>\r", "a quote is not closed"},
        {":tail kafka-a/orders --where sice=1\r", "sice"},
        {":browse kafka-a/orders kafka-a/payments\r", "browse which one?"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct stage s;
        set_up(&s, 120, 40, true);
        type(&s, wrong[i].line);
        if (!screen_says(&s, wrong[i].said))
            fail_msg("%s was not answered with %s", wrong[i].line, wrong[i].said);
        assert_null(hub_tail(s.hub));
        tear_down(&s);
    }
}

static void what_takes_nothing_says_so(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 120, 40, true);
    type(&s, ":quit now\r");
    assert_int_equal(screen_take_wants(s.screen), 0);
    assert_true(screen_says(&s, "`:quit` takes nothing behind it: it did not run because of `now`"));
    type(&s, ":log x\r");
    assert_string_equal(screen_top(s.screen)->ops->name, "dashboard");
    type(&s, ":refresh");
    assert_true(screen_says(&s, "refresh: list and probe everything now"));
    type(&s, " \r");
    assert_int_equal(s.hub->refreshed, 1);
    tear_down(&s);
}

/* An error stands while one moves about to read it, and is gone when something else is done. */
static void an_error_ends_with_the_next_command_or_view(void **state)
{
    static const char *const ends[] = {":refresh\r", "3", "t"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct stage s;
        set_up(&s, 120, 40, true);
        type(&s, ":theme nope\r");
        type(&s, "Gkjk"); /* on a channel */
        assert_true(screen_says(&s, "✖ no theme"));
        type(&s, ends[i]);
        if (screen_says(&s, "no theme"))
            fail_msg("the error outlives %s", ends[i]);
        tear_down(&s);
    }
}

/* Who types a word of the shell here is told what does it here. */
static void words_of_the_shell_are_explained(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 120, 40, true);
    type(&s, ":search orders\r");
    assert_true(screen_says(&s, "`search` is a command of the shell: signalbox search. Here: / finds"));
    type(&s, ":export\r");
    assert_true(screen_says(&s, "`export` is a command of the shell: signalbox export"));
    type(&s, ":filter x\r");
    assert_true(screen_says(&s, "No tail is open that :filter could narrow; / on the dashboard"));
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_line),
        cmocka_unit_test(command_line_takes_the_shells_flags),
        cmocka_unit_test(an_endpoint_alone_means_its_channels),
        cmocka_unit_test(tab_completes_the_command_line),
        cmocka_unit_test(command_line_opens_nothing_on_a_wrong_flag),
        cmocka_unit_test(what_takes_nothing_says_so),
        cmocka_unit_test(words_of_the_shell_are_explained),
        cmocka_unit_test(an_error_ends_with_the_next_command_or_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
