/* The dashboard: golden screens, and what its keys lead to. */
#include "stage.h"

static void dashboard(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        golden(&s, "dashboard");
        type(&s, "jjjj");
        golden(&s, "dashboard-probe");
        type(&s, "\t");
        golden(&s, "dashboard-broker");
        type(&s, " jG");
        golden(&s, "dashboard-folded");
    }
}

/* Silence of what was not asked yet is no good news, and no nought. */
static void dashboard_begins_with_nothing_known(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        s.hub->attention_count = 0;
        for (size_t i = 0; i < hub_endpoint_count(s.hub); i++) {
            struct hub_endpoint *e = &s.hub->endpoints[i];
            availability_free(&e->health);
            fake_samples(&e->health, 0, 0, 0, "", "");
            channel_list_free(&e->channels);
            e->totals.depth = e->totals.dead = e->totals.lag = COUNT_UNKNOWN;
            e->totals.in_rate = e->totals.out_rate = -1;
        }
        for (size_t i = 0; i < hub_probe_count(s.hub); i++) {
            availability_free(&s.hub->probes[i].health);
            fake_samples(&s.hub->probes[i].health, 0, 0, 0, "", "");
        }
        golden(&s, "dashboard-first");
    }
}

/* More than fits: each pane says what part of it is shown, and scrolls by itself. */
static void dashboard_overflowing(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        char name[32];
        for (int i = 0; i < 4; i++)
            fake_attention(s.hub, SEVERITY_WARN, "DLQ", "orders.dlq", "rabbit-1", 60 + i, "one of many");
        for (int i = 0; i < 60; i++) {
            snprintf(name, sizeof name, "queue-%02d", i);
            fake_channel(s.hub->endpoints[1].channels, name, CHANNEL_QUEUE, "classic queue", i);
        }
        type(&s, "G ");
        screen_key(s.screen, UIKEY_UP);
        type(&s, "l");
        golden(&s, "dashboard-overflowing");
        type(&s, "G");
        golden(&s, "dashboard-overflowing-end");
    }
}

static void dashboard_empty(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, false)
    {
        golden(&s, "dashboard-empty");
        type(&s, "jkG\r tb\t2");
        golden(&s, "dashboard-no-tail");
    }
}

/* Numbers too wide for their column are shortened, never cut. */
static void dashboard_large_counts(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        s.hub->endpoints[0].channels->items[0].depth = s.hub->endpoints[0].totals.depth = 7708412;
        s.hub->endpoints[0].channels->items[0].lag = s.hub->endpoints[0].totals.lag = 123456789;
        s.hub->endpoints[0].channels->items[0].lag_partial = true;
        s.hub->endpoints[1].totals.dead = 99950;
        golden(&s, "dashboard-large");
    }
}

/* Names from outside are hostile as payloads are; production shows; the filter is said and can be cleared. */
static void dashboard_filtered(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        s.config.endpoints[1].endpoint.production = true;
        fake_channel(s.hub->endpoints[1].channels, "evil\x1b[2J\xE2\x80\xAEqueue", CHANNEL_QUEUE,
                     "\x9b"
                     "31m",
                     7);
        golden(&s, "dashboard-production");
        type(&s, "/orders");
        golden(&s, "dashboard-filtering");
        type(&s, "\r");
        golden(&s, "dashboard-filtered");
        type(&s, "/zzz\r");
        golden(&s, "dashboard-filtered-away");
        screen_key(s.screen, UIKEY_ESCAPE);
        type(&s, "/");
        screen_key(s.screen, UIKEY_ESCAPE);
        golden(&s, "dashboard-unfiltered");
        s.hub->endpoints[0].channels->items[0].lag = COUNT_UNKNOWN;
        type(&s, "/lag>100000\r");
        golden(&s, "dashboard-filtered-unknown");
    }
    set_up(&s, 120, 40, true);
    type(&s, "/state=DOWN\r"); /* as the columns say it */
    assert_true(screen_says(&s, "Probes (1)") && screen_says(&s, "✖ DOWN     rabbit-2"));
    type(&s, "/\x15state=slow\r");
    assert_true(screen_says(&s, "Probes (1)") && screen_says(&s, "filter state=slow   search-api is SLOW"));
    tear_down(&s);
}

static void browse_asks_before_it_marks(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        type(&s, "Gk");
        type(&s, "b");
        golden(&s, "browse-asks");
        type(&s, "b"); /* the key that asked is no answer */
        assert_null(hub_tail(s.hub));
        type(&s, "by");
        assert_non_null(hub_tail(s.hub));
        assert_string_equal(s.hub->tail.channels[0].address.channel.name, "orders.dlq");
        assert_int_equal(s.hub->asked.limit, 1000);
    }
}

/* An address that was tried and never answered is no outage: its row says so, the count does not. */
static void what_was_only_tried_is_not_counted(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    assert_true(screen_says(&s, "8 checks: 4 up 1 slow 2 DOWN"));
    s.hub->endpoints[2].tried = true;
    assert_true(screen_says(&s, "7 checks: 4 up 1 slow 1 DOWN"));
    assert_true(screen_says(&s, "DOWN     rabbit-2"));
    tear_down(&s);
}

/* Since when is not known of what was never seen otherwise. */
static void an_age_that_is_not_known_is_not_stated(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 120, 40, true);
    assert_true(screen_says(&s, ">29m connection refused"));
    type(&s, "jjjj");
    assert_true(screen_says(&s, "payments-api is DOWN for 2m, since 12:01:48Z: "));
    type(&s, "jj");
    assert_true(screen_says(&s, "orders-api is UP for >39m, since before 11:24:33Z"));
    tear_down(&s);
}

/* t on a row that needs attention means its channel, also when its broker is folded and a filter hides it. */
static void attention_leads_to_its_channel(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    type(&s, "Gkkkk ");      /* folds rabbit-1 */
    type(&s, "/kafka\rgjj"); /* hides it, and goes to orders.dlq */
    type(&s, "t");
    assert_non_null(hub_tail(s.hub));
    assert_string_equal(s.hub->tail.channels[0].address.channel.name, "orders.dlq");
    tear_down(&s);
}

/* Of what is not connected the counts are of then, dimmed, and say so. */
static void old_data_is_marked(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        struct hub_endpoint *e = &s.hub->endpoints[1];
        availability_free(&e->health);
        fake_samples(&e->health, 30, 3, 5, "OK", "rabbit-1:5672: connection refused");
        e->status = (struct session_status){.state = SESSION_BACKOFF};
        e->totals.in_rate = e->totals.out_rate = -1; /* the hub forgets them */
        for (size_t i = 0; i < e->channels->count; i++)
            e->channels->items[i].in_rate = e->channels->items[i].out_rate = -1;
        err_set(&e->status.err, ERR_UNREACHABLE, "rabbit-1:5672: connection refused");
        golden(&s, "dashboard-old");
        type(&s, "Gkkkk"); /* on rabbit-1 */
        assert_true(screen_says(&s, "showing data of 12:04:29Z"));
        assert_true(screen_says(&s, "connection refused"));
        type(&s, "jj");
        assert_true(screen_says(&s, "invoices: data of 12:04:29Z, and nothing newer"));
        assert_true(screen_says(&s, "? STALE      "));
    }
}

/* Between the loss of a connection and DOWN a broker is not up, neither in its row nor in the sum. */
static void what_is_lost_is_not_counted_as_up(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 120, 40, true);
    assert_true(screen_says(&s, "8 checks: 4 up 1 slow 2 DOWN 1 waiting"));
    s.hub->endpoints[0].lost_since_ns = FAKE_NOW - NS_PER_S;
    s.hub->endpoints[1].status.state = SESSION_BACKOFF;
    s.hub->endpoints[2].status.state = SESSION_BACKOFF; /* DOWN stays that */
    assert_true(screen_says(&s, "8 checks: 2 up 1 slow 2 DOWN 2 failing 1 waiting"));
    assert_true(screen_says(&s, "▲ RETRY  ▾ kafka-a"));
    tear_down(&s);
}

/* An exchange copies: the sum over queues is not what was published. */
static void a_sum_of_copies_is_called_that(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 120, 40, true);
    type(&s, "Gkkkk");
    assert_true(screen_says(&s, " rabbit-1 is UP "));
    assert_true(screen_says(&s, "   IN/s: into its queues, each copy counted"));
    type(&s, "kkk");
    assert_true(screen_says(&s, " kafka-a is UP "));
    assert_false(screen_says(&s, "each copy counted"));
    tear_down(&s);
}

/* The first failure of what was never up: it is not waited for. */
static void a_first_failure_is_shown(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 120, 40, true);
    struct sample down = {
        .health = HEALTH_DOWN, .time_ns = FAKE_NOW - NS_PER_S, .code = "500", .reason = "HTTP 500"};
    availability_sample(&s.hub->probes[4].health, &down);
    assert_true(screen_says(&s, "▲ FAIL   новый-сервис"));
    assert_true(screen_says(&s, "2 DOWN 1 failing"));
    assert_false(screen_says(&s, "waiting"));
    type(&s, "jjjjjjjj");
    assert_true(
        screen_says(&s, "новый-сервис is FAIL for >1s, since before 12:04:30Z: HTTP 500, 1 of 3 probes"));
    tear_down(&s);
}

/* A name in what needs attention is cut last. */
static void attention_names_before_it_explains(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    s.hub->attention_count = 0;
    fake_attention(s.hub, SEVERITY_WARN, "DLQ", "orders.dlq", "rabbitmq", 4, "one");
    fake_attention(s.hub, SEVERITY_WARN, "DLQ", "orders.dlq", "rabbitmq-tls", 4,
                   "2 dead letters, nobody reading them");
    assert_true(
        screen_says(&s, "▲ DLQ    rabbitmq-tls/orders.dlq     4s 2 dead letters, nobody reading them"));
    fake_attention(s.hub, SEVERITY_WARN, "DLQ", "a-name-that-is-longer-than-any-that-is-told-whole", "r", 4,
                   "2 dead letters, nobody reading them");
    assert_true(screen_says(&s, "a-name-that-is-longer-than-any-that…     4s 2 dead letters, no"));
    tear_down(&s);
}

static void an_upper_bound_has_a_sign_without_unicode(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    assert_true(screen_says(&s, " ≤991 "));
    screen_ascii(s.screen);
    assert_true(screen_resize(s.screen, 81, 24));
    assert_true(screen_says(&s, " <=991 "));
    tear_down(&s);
}

/* A broker that is back and has not counted yet: its row is of now, the counts are of before. */
static void an_old_count_is_marked(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    struct channel_list *l = s.hub->endpoints[0].channels;
    for (size_t i = 0; i < l->count; i++)
        if (!strcmp(l->items[i].name, "orders"))
            l->items[i].counts_of_ns = FAKE_NOW - 70 * NS_PER_S;
    assert_true(screen_says(&s, "? STALE      orders "));
    type(&s, "jjjjjj");
    for (int i = 0; i < 12 && !screen_says(&s, "▸ ? STALE "); i++)
        type(&s, "j");
    assert_true(screen_says(&s, " orders: data of 12:03:21Z, and nothing newer"));
    tear_down(&s);
}

/* A state that the newest run speaks against says how much longer it stands. */
static void what_speaks_against_the_state_is_counted(void **state)
{
    struct stage s;
    struct sample down = {.health = HEALTH_DOWN,
                          .time_ns = FAKE_NOW - NS_PER_S,
                          .code = "503",
                          .reason = "HTTP 503",
                          .certificate_expires_ns = TIME_NONE};
    struct sample up = {.health = HEALTH_UP,
                        .time_ns = FAKE_NOW - NS_PER_S,
                        .code = "200",
                        .certificate_expires_ns = TIME_NONE};
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        availability_sample(&s.hub->probes[0].health, &up);
        availability_sample(&s.hub->probes[2].health, &down);
        availability_sample(&s.hub->probes[2].health, &down);
        golden(&s, "dashboard-turning");
        type(&s, "jjjj");
        assert_true(screen_says(&s, "payments-api is DOWN for 2m"));
        assert_true(screen_says(&s, " probes; up 1 of 2 "));
        type(&s, "jj");
        assert_true(screen_says(&s, "HTTP 503; failing 2 of 3"));
    }
    set_up(&s, 60, 16, true);
    availability_sample(&s.hub->probes[2].health, &down);
    type(&s, "jjjjjj");
    assert_true(screen_says(&s, "503 failing 1 of 3"));
    tear_down(&s);
}

/* When a certificate ends is told before that is soon. */
static void a_probe_says_until_when_its_certificate_lasts(void **state)
{
    struct stage s;
    struct sample up = {.health = HEALTH_UP,
                        .time_ns = FAKE_NOW - NS_PER_S,
                        .code = "200",
                        .certificate_expires_ns = FAKE_NOW + INT64_C(90) * 24 * 3600 * NS_PER_S};
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        availability_sample(&s.hub->probes[2].health, &up);
        type(&s, "jjjjjj");
        golden(&s, "dashboard-certificate");
    }
}

/* What is down has half of the room where it needs that; what of it is still out of sight is counted. */
static void no_outage_is_hidden_unsaid(void **state)
{
    struct stage s;
    char name[8][24];
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        struct hub_attention warnings[2] = {s.hub->attention[2], s.hub->attention[3]};
        s.hub->attention_count = 2;
        for (int i = 0; i < 8; i++) {
            snprintf(name[i], sizeof name[i], "service-%d", i);
            fake_attention(s.hub, SEVERITY_CRIT, "DOWN", name[i], "http://service/", 90 - i, "HTTP 503");
        }
        memcpy(s.hub->attention + 10, warnings, sizeof warnings);
        s.hub->attention_count = 12;
        golden(&s, "dashboard-outages");
        for (int i = 0; i < 9; i++)
            type(&s, "j");
        assert_true(screen_says(&s, "service-7"));
    }
}

/* What unfolds by itself leaves every broker in sight; what is unfolded by hand says which ones it hides. */
static void channels_hide_no_broker_unsaid(void **state)
{
    struct stage s;
    char name[24];
    (void)state;
    set_up(&s, 80, 24, true);
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "topic-%d", i);
        fake_channel(s.hub->endpoints[0].channels, name, CHANNEL_TOPIC, "", 0);
    }
    assert_true(screen_says(&s, "▸ kafka-a"));
    assert_true(screen_says(&s, "▾ rabbit-1"));
    assert_true(screen_says(&s, "DOWN     rabbit-2"));
    assert_false(screen_says(&s, "below"));
    type(&s, "jjjjjjjjj ");
    assert_true(screen_says(&s, "▾ kafka-a"));
    assert_true(screen_says(&s, "+2 more brokers below: ✖ DOWN rabbit-2   ● UP rabbit-1"));
    type(&s, "G");
    assert_true(screen_says(&s, "▸ ✖ DOWN     rabbit-2"));
    assert_false(screen_says(&s, "below"));
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dashboard),
        cmocka_unit_test(dashboard_begins_with_nothing_known),
        cmocka_unit_test(dashboard_overflowing),
        cmocka_unit_test(dashboard_empty),
        cmocka_unit_test(dashboard_large_counts),
        cmocka_unit_test(dashboard_filtered),
        cmocka_unit_test(browse_asks_before_it_marks),
        cmocka_unit_test(what_was_only_tried_is_not_counted),
        cmocka_unit_test(an_age_that_is_not_known_is_not_stated),
        cmocka_unit_test(attention_leads_to_its_channel),
        cmocka_unit_test(old_data_is_marked),
        cmocka_unit_test(what_is_lost_is_not_counted_as_up),
        cmocka_unit_test(a_sum_of_copies_is_called_that),
        cmocka_unit_test(a_first_failure_is_shown),
        cmocka_unit_test(attention_names_before_it_explains),
        cmocka_unit_test(an_upper_bound_has_a_sign_without_unicode),
        cmocka_unit_test(an_old_count_is_marked),
        cmocka_unit_test(what_speaks_against_the_state_is_counted),
        cmocka_unit_test(a_probe_says_until_when_its_certificate_lasts),
        cmocka_unit_test(no_outage_is_hidden_unsaid),
        cmocka_unit_test(channels_hide_no_broker_unsaid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
