/* The tail: golden screens, its filter, its search, and what it says of lost connections. */
#include "stage.h"

static void tail(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        golden(&s, "tail-waiting");
        fill_tail(&s, 60);
        golden(&s, "tail-live");
        type(&s, "kkkk");
        fill_tail(&s, 5);
        golden(&s, "tail-paused");
        type(&s, "f\\REFUSED");
        golden(&s, "tail-filtering");
        type(&s, "\r");
        golden(&s, "tail-filtered");
        screen_key(s.screen, UIKEY_ESCAPE);
        type(&s, "\\body.total>abc");
        assert_true(screen_says(&s, "`abc` is no number: > compares as text"));
        screen_key(s.screen, UIKEY_ESCAPE);
        type(&s, "\\totl=3");
        golden(&s, "tail-filter-fault");
    }
}

/* A tail whose connection is lost, or never was there, doesn't call itself live. */
static void tail_lost(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    open_tail(&s);
    fill_tail(&s, 2);
    assert_true(screen_says(&s, " LIVE   "));
    s.hub->tail.channels[1].status.state = SESSION_BACKOFF;
    assert_true(screen_says(&s, " LIVE, 1 of 2 connecting   "));
    s.hub->tail.channels[0].status.state = SESSION_CONNECTING;
    assert_true(screen_says(&s, " CONNECTING   "));
    s.hub->tail.channels[0].status.state = SESSION_UP;
    s.hub->tail.channels[1].status.was_up = true;
    assert_true(screen_says(&s, " LIVE, kafka-a LOST   "));
    s.hub->tail.channels[1].address.endpoint = &s.config.endpoints[1];
    assert_true(screen_says(&s, " LIVE, rabbit-1 LOST   "));
    s.hub->tail.channels[1].status.state = SESSION_ENDED;
    assert_true(screen_says(&s, " LIVE, payments FAILED   "));
    s.hub->tail.channels[1].status.state = SESSION_BACKOFF;
    s.hub->tail.channels[0].status.state = SESSION_CONNECTING;
    s.hub->tail.channels[0].status.was_up = true;
    assert_true(screen_says(&s, " LOST, trying again   "));
    tear_down(&s);
}

/* The dashboard knows already why nothing will come. */
static void a_tail_on_a_broker_that_is_down_says_so(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 120, 40, true);
    open_tail(&s);
    s.hub->tail.channels[0].status.state = SESSION_CONNECTING;
    struct session_status *broker = NULL;
    for (size_t i = 0; i < 4 && !broker; i++)
        if (s.hub->endpoints[i].config == s.hub->tail.channels[0].address.endpoint)
            broker = &s.hub->endpoints[i].status;
    assert_non_null(broker);
    broker->state = SESSION_BACKOFF;
    err_set(&broker->err, ERR_UNREACHABLE, "Connection refused");
    assert_true(screen_says(&s, "connecting; it did not answer before: Connection refused"));
    tear_down(&s);
}

/* What could not be opened leaves the tail before as it was looked at. */
static void tail_comes_back_as_it_was(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 120, 40, true);
    open_tail(&s);
    fill_tail(&s, 30);
    type(&s, "\\REFUSED\rkk");
    assert_true(screen_says(&s, "PAUSED"));
    assert_true(screen_says(&s, "filter REFUSED"));
    type(&s, "/p-1046\r");
    s.hub->kept = s.hub->tail.serial;
    for (int i = 0; i < 2; i++) { /* another one opens, and before it has begun one more */
        s.hub->tail.serial++;
        screen_event(s.screen, HUB_TAIL);
        assert_false(screen_says(&s, "PAUSED"));
        assert_false(screen_says(&s, "filter REFUSED"));
    }
    s.hub->tail.serial = s.hub->kept;
    s.hub->kept = 0;
    screen_event(s.screen, HUB_TAIL);
    while (screen_work(s.screen, INT64_MAX))
        ;
    assert_true(screen_says(&s, " 1 matches "));
    assert_true(screen_says(&s, "PAUSED"));
    assert_true(screen_says(&s, "filter REFUSED"));
    tear_down(&s);
}

/* What is lost is tried again, what has ended or failed is read anew as it was opened, under the filter that stands. */
static void tail_again(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 120, 40, true);
    type(&s, ":browse kafka-a/orders --from end-7\r");
    fill_tail(&s, 7);
    type(&s, "\\REFUSED\r");
    s.hub->asked = (struct hub_read){.partition = 0};
    type(&s, "r");
    assert_int_equal(s.hub->asked.start.kind, START_DEFAULT); /* it goes on: nothing was opened */
    s.hub->tail.channels[0].status.state = SESSION_ENDED;
    type(&s, "r");
    assert_int_equal(s.hub->asked.mode, READ_BROWSE);
    assert_int_equal(s.hub->asked.start.kind, START_LAST);
    assert_int_equal(s.hub->asked.start.value, 7);
    assert_true(screen_says(&s, "filter REFUSED"));
    tear_down(&s);
}

/* A browse that ended says why; what a tap misses and what was lost stay in sight. */
static void tail_remarks(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        err_set(&s.hub->tail.channels[0].status.err, ERR_NOTFOUND, "no topic `orders`");
        err_where(&s.hub->tail.channels[0].status.err, "kafka-a");
        err_next(&s.hub->tail.channels[0].status.err, "did you mean `orders.v2`?");
        s.hub->tail.channels[0].status.state = SESSION_ENDED;
        s.hub->tail.channels[1].status.state = SESSION_CONNECTING;
        golden(&s, "tail-refused");
        err_next(&s.hub->tail.channels[0].status.err,
                 "is the name right? `signalbox ls kafka-a` shows what is there; a remedy is never cut off");
        golden(&s, "tail-refused-long");
        fill_tail(&s, 2);
        s.hub->tail.dropped = 17;
        for (int i = 0; i < 2; i++) {
            s.hub->tail.channels[i].status.state = SESSION_ENDED;
            s.hub->tail.channels[i].status.err.code = ERR_END;
        }
        snprintf(s.hub->tail.channels[1].status.progress.stopped, 160, "the end as it stood at 12:04:30Z");
        golden(&s, "tail-ended");
        s.hub->notice_serial = 1;
        snprintf(s.hub->notice, sizeof s.hub->notice, "orders: misses what comes by the default exchange");
        screen_event(s.screen, HUB_NOTICE);
        golden(&s, "tail-notice");
        screen_say(
            s.screen, SEVERITY_WARN,
            "orders.eu is tapped where it is bound; what comes by the default exchange is not seen, "
            "and this sentence is so long that it needs several rows on any terminal that people have");
        golden(&s, "tail-notice-long");
    }
}

/* What has happened once is not read as what is; what a tap misses is missed all the time. */
static void a_word_that_is_over_goes(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        fill_tail(&s, 2);
        text_copy(s.hub->tail.channels[0].notice, 240, "now led");
        assert_true(screen_says(&s, "now led"));
        s.hub->tail.channels[0].notice_ns = FAKE_NOW - 29 * NS_PER_S;
        assert_true(screen_says(&s, "now led"));
        assert_true(screen_draw(s.screen) <= FAKE_NOW + NS_PER_S);
        s.hub->tail.channels[0].notice_ns = FAKE_NOW - 30 * NS_PER_S;
        assert_false(screen_says(&s, "now led"));
    }
}

/* Among the others' rows nothing tells why one of them sends none. */
static void what_failed_in_a_merged_tail_says_why(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    open_tail(&s);
    fill_tail(&s, 5);
    struct session_status *status = &s.hub->tail.channels[1].status;
    status->state = SESSION_ENDED;
    err_set(&status->err, ERR_DENIED, "not authorized to read `payments`");
    assert_true(screen_says(&s, "LIVE, payments FAILED"));
    assert_true(screen_says(&s, "payments: not authorized to read `payments`"));
    status->err.code = ERR_END;
    assert_false(screen_says(&s, "not authorized"));
    tear_down(&s);
}

/* What is stored is read from its first row down; how much of it was read is said, and how to see more. */
static void browse(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        type(&s, ":browse kafka-a/orders --limit 60\r");
        golden(&s, "browse-waiting");
        fill_tail(&s, 60);
        struct session_status *status = &s.hub->tail.channels[0].status;
        status->progress = (struct read_progress){.scanned = 60, .total = 18402, .total_upper = true};
        golden(&s, "browse-reading");
        status->state = SESSION_ENDED;
        status->err.code = ERR_END;
        snprintf(status->progress.stopped, sizeof status->progress.stopped, "the limit was reached");
        type(&s, "jjp");
        golden(&s, "browse-ended");
        type(&s, "/p-1040");
        golden(&s, "browse-finding");
        type(&s, "\rG");
        golden(&s, "browse-last");
        type(&s, ":browse kafka-a/orders --from end-5\r");
        fill_tail(&s, 5);
        assert_true(screen_says(&s, "row 9 of 9"));
    }
}

/* The limit counts what its filter takes, and so does what one is told; the view's own filter is another one. */
static void browse_where(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        type(&s, ":browse kafka-a/orders --limit 6 --where 'body.state=\"REFUSED\"'\r");
        assert_string_equal(s.hub->asked.where, "body.state=\"REFUSED\"");
        assert_int_equal(s.hub->asked.limit, 6);
        struct session_status *status = &s.hub->tail.channels[0].status;
        status->progress = (struct read_progress){.scanned = 60, .total = 18402};
        assert_true(screen_says(&s, "orders  reading"));
        status->state = SESSION_ENDED;
        assert_true(screen_says(&s, "nothing that is stored there matches"));
        assert_true(screen_says(&s, "the \" of `\"REFUSED\"` is looked for as it stands"));
        fill_tail(&s, 2);
        s.hub->tail.received = 6;
        snprintf(status->progress.stopped, sizeof status->progress.stopped, "enough was seen");
        golden(&s, "browse-where");
        type(&s, "\\AUTHORIZED\rr"); /* again: both filters stay what they are */
        assert_string_equal(s.hub->asked.where, "body.state=\"REFUSED\"");
        assert_true(screen_says(&s, "filter AUTHORIZED"));
        assert_true(screen_says(&s, "where body.state="));
        fake_message(s.hub, 0, "orders", NULL, BYTES_LITERAL("{}"), 0);
        screen_event(s.screen, HUB_TAIL);
        type(&s, "\\\x15"
                 "body.total>>3\r");
        assert_true(screen_says(&s, "Nothing that is held matches `body.total>>3`"));
        assert_true(screen_says(&s, "`>3` is no number: > compares as text"));
    }
    set_up(&s, 120, 40, true);
    type(&s, ":browse rabbit-1/invoices --where x --limit 6\r");
    assert_true(screen_says(&s, "invoices holds 92 messages. Looking takes so many that 6 match, hands all"));
    tear_down(&s);
}

/* A moment of looking is no time of a message. */
static void a_message_without_a_time_has_none(void **state)
{
    struct stage s;
    struct message m = {.origin = origin_intern("rabbit-1", "invoices", CHANNEL_QUEUE),
                        .time_ns = TIME_NONE,
                        .received_ns = FAKE_NOW,
                        .payload = BYTES_LITERAL("{}")};
    (void)state;
    set_up(&s, 80, 24, true);
    type(&s, ":tail rabbit-1/invoices\r");
    store_add(s.hub->store, message_seal(&m, NULL));
    screen_event(s.screen, HUB_TAIL);
    assert_true(screen_says(&s, "  12:04:31.000 "));
    type(&s, ":browse kafka-a/orders\r");
    store_add(s.hub->store, message_seal(&m, NULL));
    screen_event(s.screen, HUB_TAIL);
    assert_false(screen_says(&s, "  12:04:31.000 "));
    tear_down(&s);
}

/* Nobody has measured the fraction of a second of AMQP's timestamp. */
static void a_time_in_seconds_shows_no_fraction(void **state)
{
    struct stage s;
    struct header stamp = {.name = BYTES_LITERAL("timestamp"),
                           .value = {.type = VALUE_TIMESTAMP, .u = FAKE_NOW / NS_PER_S}};
    struct message m = {.origin = origin_intern("rabbit-1", "invoices", CHANNEL_QUEUE),
                        .time_ns = FAKE_NOW,
                        .received_ns = FAKE_NOW + NS_PER_MS,
                        .payload = BYTES_LITERAL("{}"),
                        .properties = {&stamp, 1}};
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        fake_message(s.hub, 0, "orders", "k", BYTES_LITERAL("{}"), 0);
        store_add(s.hub->store, message_seal(&m, NULL));
        m.time_ns += NS_PER_MS; /* somebody knew better than the property */
        store_add(s.hub->store, message_seal(&m, NULL));
        m.time_ns -= NS_PER_MS;
        screen_event(s.screen, HUB_TAIL);
        assert_true(screen_says(&s, "   12:04:31     "));
        assert_true(screen_says(&s, "   12:04:30.000 "));
        assert_true(screen_says(&s, "   12:04:31.001 "));
        type(&s, "k\r");
        assert_true(screen_says(&s, "  2025-11-24T12:04:31Z"));
        assert_true(screen_says(&s, "timestamp         2025-11-24T12:04:31Z  "));
    }
}

static void tail_find(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        fill_tail(&s, 60);
        type(&s, "/p-10");
        golden(&s, "tail-finding");
        type(&s, "40\r");
        golden(&s, "tail-found");
        type(&s, "n");
        golden(&s, "tail-not-found");
    }
}

/* Who types fast takes away what is looked for before the jump has come anywhere. */
static void a_jump_ends_with_what_it_looks_for(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    open_tail(&s);
    fill_tail(&s, 60);
    type(&s, "/nowhere\r\033");
    while (screen_work(s.screen, INT64_MAX))
        ;
    assert_false(screen_says(&s, "No match"));
    tear_down(&s);
}

/* A gzip that ends too early may have anything: it is neither shown nor silently hidden. */
static void what_a_filter_cannot_judge_is_counted(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        fake_message(s.hub, 0, "orders", "k", BYTES_LITERAL("\x1f\x8b\x08 gzip that is damaged"), 0);
        fake_message(s.hub, 0, "orders", "k", BYTES_LITERAL("{\"a\":1}"), 0);
        screen_event(s.screen, HUB_TAIL);
        type(&s, "\\body.a=1\r");
        assert_true(screen_says(&s, "   1 could not be judged   "));
        type(&s, "\\\x15\r");
        assert_false(screen_says(&s, "could not be judged"));
        type(&s, "/body.a!=1\r");
        while (screen_work(s.screen, INT64_MAX))
            ;
        assert_true(screen_says(&s, "No match above, but 1 could not be judged: `body.a!=1`"));
    }
}

/* Gap rows come from `signalbox`; so may a channel of an endpoint that somebody calls that. */
static void an_endpoint_named_signalbox_is_no_gap(void **state)
{
    struct stage s;
    struct message m = {.origin = origin_intern("signalbox", "orders", CHANNEL_TOPIC),
                        .time_ns = FAKE_NOW,
                        .payload = BYTES_LITERAL("{}")};
    (void)state;
    set_up(&s, 80, 24, true);
    open_tail(&s);
    store_add(s.hub->store, message_seal(&m, NULL));
    screen_event(s.screen, HUB_TAIL);
    type(&s, "\r");
    assert_string_equal(screen_top(s.screen)->ops->name, "message");
    tear_down(&s);
}

/* The count beside a filter goes on while the line is open. */
static void the_count_of_a_filter_is_live(void **state)
{
    struct stage s;
    struct buffer text;
    (void)state;
    set_up(&s, 80, 24, true);
    open_tail(&s);
    type(&s, "\\REFUSED");
    fill_tail(&s, 50);
    while (screen_work(s.screen, clock_mono_ns() + 1))
        ;
    screen_draw(s.screen);
    buffer_init(&text, 1 * MIB);
    canvas_dump(screen_canvas(s.screen), false, &text);
    assert_non_null(strstr(buffer_cstr(&text), "11 of 54 "));
    buffer_free(&text);
    tear_down(&s);
}

/* `partition=` is not wrong but not yet meant: the list stands still; Esc takes away one thing at a time; another tail
 * begins without the filter. */
static void a_filter_half_typed_hides_nothing(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        fill_tail(&s, 60);
        type(&s, "\\REFUSED partition=");
        golden(&s, "tail-filter-half");
        type(&s, "\r"); /* would find nothing: the line stays open */
        assert_true(screen_says(&s, "partition="));
        type(&s, "3\r");
        screen_say(s.screen, SEVERITY_INFO, "said");
        screen_key(s.screen, UIKEY_ESCAPE);
        golden(&s, "tail-filter-kept");
        open_tail(&s);
        fill_tail(&s, 3);
        golden(&s, "tail-filter-reset");
    }
}

/* How to see more is never cut: the whole command where there is room, else what to change, with its number. */
static void what_a_limit_left_is_to_be_had(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    for (int i = 0; i < 2; i++) {
        type(&s, i ? ":browse kafka-a/orders-of-all-the-subsidiaries-of-last-year --limit 60\ry"
                   : ":browse kafka-a/orders --limit 60\r");
        fill_tail(&s, 6);
        struct session_status *status = &s.hub->tail.channels[0].status;
        status->progress = (struct read_progress){.scanned = 60, .total = 18402};
        snprintf(status->progress.stopped, sizeof status->progress.stopped, "the limit was reached");
        assert_true(screen_says(&s, " the first 60 of 18,402. More: --limit 600; newest: --from end-60"));
        type(&s, "\\REFUSED\r");
        assert_true(screen_says(&s, "More: --limit 600; newest: --from end-60"));
        status->progress.total = 60; /* nothing is left */
        assert_true(screen_says(&s, "the limit was reached"));
        assert_false(screen_says(&s, "More"));
    }
    tear_down(&s);
}

/* One word for one state. */
static void what_is_not_open_yet_is_not_read(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    type(&s, ":browse kafka-a/orders\r");
    s.hub->tail.channels[0].status.state = SESSION_CONNECTING;
    assert_true(screen_says(&s, " OPENING ") && screen_says(&s, "orders  opening"));
    s.hub->tail.channels[0].status.state = SESSION_UP;
    assert_true(screen_says(&s, " READING ") && screen_says(&s, "orders  reading"));
    tear_down(&s);
}

/* While what is to be found is wrong, no row carries the mark of what it was before. */
static void a_wrong_find_marks_nothing(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    open_tail(&s);
    fill_tail(&s, 5);
    type(&s, "/state");
    assert_true(screen_says(&s, "•"));
    type(&s, " > 1000");
    assert_false(screen_says(&s, "•"));
    screen_key(s.screen, UIKEY_CONTROL('u'));
    type(&s, "state");
    assert_true(screen_says(&s, "•"));
    tear_down(&s);
}

/* A row that says that a connection was lost is a row: what it says is found, under a filter too. */
static void what_a_gap_says_is_found(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    open_tail(&s);
    fill_tail(&s, 5);
    for (int filtered = 0; filtered < 2; filtered++) {
        type(&s, "f/connection\r");
        while (screen_work(s.screen, INT64_MAX))
            ;
        assert_true(screen_says(&s, " match 1 of 1 "));
        assert_true(screen_says(&s, "▸•──"));
        type(&s, "\\REFUSED\r");
    }
    tear_down(&s);
}

/* What is missing stands at the end of such a row: under the cursor all of it is shown. */
static void a_gap_is_told_whole(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        fill_tail(&s, 50);
        fake_gap(s.hub, 54,
                 "connection restored: what was sent in between is missing here, as a tap has no past");
        screen_event(s.screen, HUB_TAIL);
        type(&s, "p");
        golden(&s, "tail-gap");
        type(&s, "k");
        assert_int_equal(screen_says(&s, "has no past"), screen_canvas(s.screen)->w > 80);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tail),
        cmocka_unit_test(tail_lost),
        cmocka_unit_test(a_tail_on_a_broker_that_is_down_says_so),
        cmocka_unit_test(tail_comes_back_as_it_was),
        cmocka_unit_test(tail_again),
        cmocka_unit_test(tail_remarks),
        cmocka_unit_test(a_word_that_is_over_goes),
        cmocka_unit_test(what_failed_in_a_merged_tail_says_why),
        cmocka_unit_test(browse),
        cmocka_unit_test(browse_where),
        cmocka_unit_test(a_message_without_a_time_has_none),
        cmocka_unit_test(a_time_in_seconds_shows_no_fraction),
        cmocka_unit_test(tail_find),
        cmocka_unit_test(a_jump_ends_with_what_it_looks_for),
        cmocka_unit_test(what_a_filter_cannot_judge_is_counted),
        cmocka_unit_test(an_endpoint_named_signalbox_is_no_gap),
        cmocka_unit_test(the_count_of_a_filter_is_live),
        cmocka_unit_test(a_filter_half_typed_hides_nothing),
        cmocka_unit_test(what_is_not_open_yet_is_not_read),
        cmocka_unit_test(what_a_limit_left_is_to_be_had),
        cmocka_unit_test(a_wrong_find_marks_nothing),
        cmocka_unit_test(what_a_gap_says_is_found),
        cmocka_unit_test(a_gap_is_told_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
