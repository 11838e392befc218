/* A tail that is paused, and what its filter and search say of each other. */
#include "stage.h"

static void work(struct stage *s)
{
    while (screen_work(s->screen, INT64_MAX))
        ;
}

/* Large ones, which take the place of as many small ones as are held. */
static void flood(struct stage *s)
{
    static char large[200 * KIB];
    memset(large, 'x', sizeof large);
    for (unsigned i = 0; i < 6; i++)
        fake_message(s->hub, 900 + i, "orders", "large", bytes_of(large, sizeof large), 0);
    screen_event(s->screen, HUB_TAIL);
    work(s);
}

/* The cursor of a paused tail goes to no other message unsaid, and opens none that nobody has chosen. */
static void what_was_evicted_is_said(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        fill_tail(&s, 20);
        type(&s, "kkkk");
        assert_false(screen_says(&s, "evicted"));
        flood(&s);
        golden(&s, "tail-evicted");
        type(&s, "\r");
        assert_string_equal(screen_top(s.screen)->ops->name, "tail");
        assert_true(screen_says(&s, "The message that you were on was evicted"));
        type(&s, "j");
        assert_true(screen_says(&s, "evicted 25   "));
        type(&s, "k\r");
        assert_string_equal(screen_top(s.screen)->ops->name, "message");
        assert_false(screen_says(&s, "evicted"));
        flood(&s);
        golden(&s, "inspector-evicted");
        type(&s, "[");
        assert_true(screen_says(&s, "This message was evicted, and all before it"));
        type(&s, "]");
        assert_true(screen_says(&s, "What came between was evicted"));
        assert_false(screen_says(&s, " evicted  body"));
        type(&s, "[");
        assert_true(screen_says(&s, "This is the oldest message held"));
    }
}

/* Under a filter those rows count that it showed. */
static void what_was_evicted_is_counted_as_filtered(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    open_tail(&s);
    fill_tail(&s, 20);
    type(&s, "\\REFUSED\r");
    work(&s);
    type(&s, "k");
    flood(&s);
    assert_true(screen_says(&s, "evicted at least 5, the cursor's row too"));
    tear_down(&s);
}

/* A match that came and went must not pass for one that never came. */
static void matches_that_are_gone_are_counted_while_it_follows(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 120, 40, true);
    open_tail(&s);
    fill_tail(&s, 20);
    type(&s, "\\REFUSED\r");
    work(&s);
    flood(&s);
    assert_true(screen_says(&s, "evicted at least 5   "));
    tear_down(&s);
}

/* Who reads what has come must know that no more comes. */
static void a_paused_tail_says_what_is_lost(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    open_tail(&s);
    fill_tail(&s, 20);
    type(&s, "p");
    s.hub->tail.channels[0].status.state = SESSION_BACKOFF;
    s.hub->tail.channels[0].status.was_up = true;
    assert_true(screen_says(&s, "PAUSED, "));
    assert_true(screen_says(&s, "LOST"));
    tear_down(&s);
}

/* What a find did not find is no count of what the filter shows; what it did find stays. */
static void a_filter_ends_a_find_without_a_match(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    open_tail(&s);
    fill_tail(&s, 20);
    for (int i = 0; i < 2; i++) {
        type(&s, i ? "\\\x15" : "/nowhere\r");
        type(&s, i ? "REFUSED\r" : "");
        work(&s);
        screen_event(s.screen, HUB_TAIL);
        screen_key(s.screen, 'j'); /* ends what was said */
        assert_int_equal(screen_says(&s, "0 match"), !i);
    }
    type(&s, "/p-1036\r");
    work(&s);
    type(&s, "\\\x15");
    type(&s, "AUTHORIZED\r");
    work(&s);
    assert_false(screen_says(&s, "match"));
    type(&s, "/p-1037\r");
    work(&s);
    type(&s, "\\ state\r");
    work(&s);
    assert_true(screen_says(&s, "match 1 of 1"));
    tear_down(&s);
}

/* Before anything has come, too. */
static void an_empty_tail_can_be_paused(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    open_tail(&s);
    type(&s, "kp");
    assert_true(screen_says(&s, " PAUSED   "));
    fill_tail(&s, 40);
    assert_true(screen_says(&s, " PAUSED +44 new   "));
    assert_true(screen_says(&s, "▸   12:04:30.000"));
    type(&s, "p");
    assert_true(screen_says(&s, " LIVE   "));
    type(&s, "\\nowhere\rp");
    assert_true(screen_says(&s, " PAUSED   "));
    tear_down(&s);
}

/* q leads from a browse to the tail beneath it, as that was looked at, and only then away. */
static void a_browse_leads_back_to_the_tail(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    open_tail(&s);
    fill_tail(&s, 30);
    type(&s, "\\REFUSED\rkk");
    s.hub->kept = s.hub->tail.serial;
    type(&s, ":browse kafka-a/orders\r");
    assert_true(screen_says(&s, "browse orders (q: tail orders)"));
    assert_false(screen_says(&s, "filter REFUSED"));
    type(&s, "q");
    assert_string_equal(screen_top(s.screen)->ops->name, "tail");
    assert_true(screen_says(&s, "PAUSED"));
    assert_true(screen_says(&s, "filter REFUSED"));
    type(&s, "q");
    assert_string_equal(screen_top(s.screen)->ops->name, "dashboard");
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_evicted_is_said),
        cmocka_unit_test(what_was_evicted_is_counted_as_filtered),
        cmocka_unit_test(matches_that_are_gone_are_counted_while_it_follows),
        cmocka_unit_test(a_paused_tail_says_what_is_lost),
        cmocka_unit_test(a_filter_ends_a_find_without_a_match),
        cmocka_unit_test(a_browse_leads_back_to_the_tail),
        cmocka_unit_test(an_empty_tail_can_be_paused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
