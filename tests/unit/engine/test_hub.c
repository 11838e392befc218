/* The hub: what the console would see of endpoints, without a screen. */
#include "hub_cut.h"

#include "base/log.h"
#include "engine/hub_internal.h"

#include <stdio.h>
#include <string.h>

/* The hub is gone; what it is started with again is the memory broker, of which a test breaks something. */
static void stop_to_break(void)
{
    hub_stop(&hub);
    config.leaving = false;
    breaking = memory_broker;
    config.endpoints[0].broker = &breaking;
}

static void start_again(const struct registry *registry)
{
    hub = hub_new(&config, registry, NULL);
    assert_non_null(hub);
    hub_start(hub);
}

static bool listed(void)
{
    return hub_endpoint(hub, 0)->channels != NULL;
}

static void channels_and_health_arrive(void **state)
{
    (void)state;
    assert_true(pump_until(listed));
    assert_int_equal(hub_endpoint(hub, 0)->channels->count, 2);
    assert_int_equal(hub_endpoint(hub, 0)->health.state, HEALTH_UP);
}

static bool second_listed(void)
{
    return hub_endpoint(hub, 1)->channels != NULL;
}

/* `:tail URL` of a server that the console was not started with. */
static void an_endpoint_joins_at_run_time(void **state)
{
    (void)state;
    struct address a;
    assert_true(pump_until(listed));
    assert_int_equal(hub_endpoint_count(hub), 1);
    assert_int_equal(hub_address(hub, "memory:/orders", &a, NULL), ERR_OK);
    assert_int_equal(hub_endpoint_count(hub), 1); /* that one is there already */
    assert_int_equal(hub_address(hub, "memory://other/orders", &a, NULL), ERR_OK);
    assert_int_equal(hub_endpoint_count(hub), 2);
    assert_string_equal(a.channel.name, "orders");
    assert_ptr_equal(hub_endpoint(hub, 1)->config, a.endpoint);
    assert_true(pump_until(second_listed));
    assert_int_equal(hub_address(hub, "kafcha://h/x", &a, NULL), ERR_USAGE);
    assert_int_equal(hub_endpoint_count(hub), 2);
    struct err_info err = {0};
    assert_int_equal(hub_address(hub, "orders", &a, &err), ERR_USAGE); /* a channel, not an endpoint */
    assert_string_equal(err.next, "write memory:/orders");
}

static int64_t since;

static bool dead_letters_shown(void)
{
    const struct hub_attention *row;
    size_t n = hub_attention(hub, &row);
    if (n == 1 && strcmp(row->word, "DLQ") == 0 && strstr(row->text, "1 dead letter"))
        since = row->since_ns;
    return n == 1 && since;
}

static int64_t listing;

static bool listed_again(void)
{
    return hub_endpoint(hub, 0)->channels->time_ns != listing;
}

static void dead_letters_age_from_the_first_look(void **state)
{
    (void)state;
    since = 0;
    publish("orders", 1);
    assert_true(memory_reject("orders", "rejected"));
    hub_refresh(hub);
    assert_true(pump_until(dead_letters_shown));
    int64_t first = since;
    listing = hub_endpoint(hub, 0)->channels->time_ns;
    hub_refresh(hub);
    assert_true(pump_until(listed_again));
    assert_true(dead_letters_shown());
    assert_int_equal(since, first);
}

static enum err breaking_rest(struct broker *b, int timeout_ms, struct err_info *err)
{
    struct pollfd p = {.fd = b->wake_fd, .events = POLLIN};
    poll(&p, 1, timeout_ms < 5 ? timeout_ms : 5);
    return atomic_load(&cut) ? err_set(err, ERR_CLOSED, "the peer hung up") : ERR_OK;
}

static bool lost(void)
{
    const struct hub_attention *row;
    size_t n = hub_attention(hub, &row);
    return n == 1 && !strcmp(row->word, "LOST") && !strcmp(row->text, "the peer hung up") &&
           !strcmp(row->next, "trying again");
}

static bool down(void)
{
    const struct hub_attention *row;
    size_t n = hub_attention(hub, &row);
    return n == 1 && !strcmp(row->word, "DOWN");
}

static bool well(void)
{
    const struct hub_attention *row;
    return hub_attention(hub, &row) == 0 && hub_endpoint(hub, 0)->health.state == HEALTH_UP;
}

static bool refreshed_until_down(void)
{
    hub_refresh(hub); /* does not wait for the back-off */
    return down();
}

static bool refreshed_until_well(void)
{
    hub_refresh(hub);
    return well();
}

static bool fresh(void)
{
    return !hub_is_stale(hub_endpoint(hub, 0));
}

static atomic_bool refusing;

static enum err refusing_list(struct broker *b, const char *pattern, uint32_t flags,
                              struct channel_list *list, struct err_info *err)
{
    if (!atomic_load(&refusing))
        return memory_broker.list(b, pattern, flags, list, err);
    list->complete = false;
    list->error = ERR_UNREACHABLE;
    snprintf(list->note, sizeof list->note, "no management API");
    return ERR_OK;
}

static bool refused(void)
{
    hub_refresh(hub);
    return hub_endpoint(hub, 0)->unlisted;
}

static bool listed_fresh(void)
{
    hub_refresh(hub);
    return fresh();
}

/* A broker that goes stops listing before it closes the connection: what was listed stays, as what was. */
static void a_refused_listing_keeps_the_one_before(void **state)
{
    (void)state;
    stop_to_break();
    breaking.list = refusing_list;
    start_again(&rows);
    assert_true(pump_until(listed));
    atomic_store(&refusing, true);
    assert_true(pump_until(refused));
    assert_int_equal(hub_endpoint(hub, 0)->channels->count, 2);
    assert_string_equal(hub_endpoint(hub, 0)->channels->note, "no management API");
    assert_true(hub_is_stale(hub_endpoint(hub, 0)));
    assert_true(hub_endpoint(hub, 0)->totals.in_rate < 0);
    atomic_store(&refusing, false);
    assert_true(pump_until(listed_fresh));
    config.endpoints[0].broker = &memory_broker;
}

static atomic_bool counting;

static enum err uncounted_list(struct broker *b, const char *pattern, uint32_t flags,
                               struct channel_list *list, struct err_info *err)
{
    enum err e = memory_broker.list(b, pattern, flags, list, err);
    for (size_t i = 0; i < list->count && !atomic_load(&counting); i++)
        list->items[i].depth = COUNT_UNKNOWN; /* as RabbitMQ, which has just begun */
    return e;
}

static const struct channel *dead_channel(void)
{
    const struct hub_endpoint *e = hub_endpoint(hub, 0);
    return e->channels ? channel_list_find(e->channels, "orders.dlq", CHANNEL_QUEUE) : NULL;
}

static bool count_is_old(void)
{
    hub_refresh(hub);
    return dead_channel() && hub_channel_is_stale(hub_endpoint(hub, 0), dead_channel());
}

static bool count_is_new(void)
{
    return !count_is_old();
}

/* What was counted before a broker went stays, as old, until it has counted anew: dead letters don't vanish by a restart. */
static void counts_stay_until_there_are_new_ones(void **state)
{
    (void)state;
    since = 0;
    stop_to_break();
    breaking.list = uncounted_list;
    atomic_store(&counting, true);
    publish("orders", 1);
    assert_true(memory_reject("orders", "rejected"));
    start_again(&rows);
    assert_true(pump_until(dead_letters_shown));
    int64_t first = since, of = hub_endpoint(hub, 0)->channels->time_ns;
    for (int i = 0; i < 2; i++) {
        listing = hub_endpoint(hub, 0)->channels->time_ns;
        atomic_store(&counting, false);
        assert_true(pump_until(count_is_old));
        assert_true(pump_until(listed_again));
        assert_true(dead_letters_shown());
        assert_int_equal(since, first);
        assert_true(dead_channel()->counts_of_ns >= of);
        assert_int_equal(dead_channel()->depth, 1);
        assert_int_equal(hub_endpoint(hub, 0)->totals.dead, 1);
        assert_false(hub_is_stale(hub_endpoint(hub, 0)));
    }
    atomic_store(&counting, true);
    assert_true(pump_until(count_is_new));
    config.endpoints[0].broker = &memory_broker;
}

static _Atomic int64_t ahead_ns;

/* As a broker that counts a message each millisecond and tells no rate. */
static enum err counter_list(struct broker *b, const char *pattern, uint32_t flags, struct channel_list *list,
                             struct err_info *err)
{
    list->time_ns += ahead_ns;
    enum err e = memory_broker.list(b, pattern, flags, list, err);
    for (size_t i = 0; i < list->count; i++) {
        list->items[i].in_rate = -1;
        list->items[i].in_total = list->time_ns / NS_PER_MS;
    }
    return e;
}

/* A rate wants some time between two looks. */
static bool rate_known(void)
{
    if (listed() && clock_wall_ns() + ahead_ns > hub_endpoint(hub, 0)->channels->time_ns + NS_PER_S / 5)
        hub_refresh(hub);
    return listed() && hub_endpoint(hub, 0)->channels->items[0].in_rate > 0 &&
           hub_endpoint(hub, 0)->totals.in_rate > 0;
}

static bool listed_ahead(void)
{
    return hub_endpoint(hub, 0)->channels->time_ns > clock_wall_ns() + ahead_ns / 2;
}

/* A rate is of two looks that follow each other on one connection: a mean over an outage is none. */
static void an_outage_is_in_no_rate(void **state)
{
    (void)state;
    stop_to_break();
    breaking.open = breaking_open;
    breaking.rest = breaking_rest;
    breaking.list = counter_list;
    start_again(&rows);
    assert_true(pump_until(rate_known));
    atomic_store(&cut, true);
    assert_true(pump_until(lost));
    atomic_store(&cut, false);
    assert_true(pump_until(fresh));
    assert_true(hub_endpoint(hub, 0)->channels->items[0].in_rate < 0);
    assert_true(hub_endpoint(hub, 0)->totals.in_rate < 0);
    assert_true(pump_until(rate_known));
    ahead_ns = 16 * NS_PER_S;
    hub_refresh(hub);
    assert_true(pump_until(listed_ahead));
    assert_true(hub_endpoint(hub, 0)->channels->items[0].in_rate < 0);
    assert_true(pump_until(rate_known));
    ahead_ns = 0;
    config.endpoints[0].broker = &memory_broker;
}

static bool upper_bound_shown(void)
{
    const struct hub_attention *row;
    hub_refresh(hub);
    return hub_attention(hub, &row) == 1 && !strcmp(row->text, "at most 1 dead letter, nobody reading it");
}

static enum err counting_list(struct broker *b, const char *pattern, uint32_t flags,
                              struct channel_list *list, struct err_info *err)
{
    enum err e = memory_broker.list(b, pattern, flags, list, err);
    for (size_t i = 0; i < list->count; i++)
        list->items[i].depth_upper = true; /* as Kafka, which counts offsets */
    return e;
}

static void an_upper_bound_of_dead_letters_is_one(void **state)
{
    (void)state;
    stop_to_break();
    breaking.list = counting_list;
    publish("orders", 1);
    assert_true(memory_reject("orders", "rejected"));
    start_again(&rows);
    assert_true(pump_until(upper_bound_shown));
    config.endpoints[0].broker = &memory_broker;
}

/* How often the log has that of something that went up or down. */
static size_t logged(const char *text)
{
    uint64_t oldest, newest;
    struct log_line line;
    size_t n = 0;
    log_range(&oldest, &newest);
    for (uint64_t id = oldest; newest && id <= newest; id++)
        n += log_get(id, &line) && line.kind == LOG_CHANGE && strstr(line.text, text);
    return n;
}

static void a_lost_connection_needs_attention_before_it_is_down(void **state)
{
    (void)state;
    stop_to_break();
    breaking.open = breaking_open;
    breaking.rest = breaking_rest;
    start_again(&rows);
    assert_true(pump_until(listed));
    assert_true(well());
    atomic_store(&cut, true);
    assert_true(pump_until(lost));
    assert_true(pump_until(refreshed_until_down));
    assert_true(hub_is_stale(hub_endpoint(hub, 0)));
    assert_true(hub_endpoint(hub, 0)->totals.in_rate < 0 && hub_endpoint(hub, 0)->totals.out_rate < 0);
    for (size_t i = 0; i < hub_endpoint(hub, 0)->channels->count; i++)
        assert_true(hub_endpoint(hub, 0)->channels->items[i].in_rate < 0);
    const struct hub_attention *row;
    assert_int_equal(hub_attention(hub, &row), 1);
    assert_non_null(strstr(row->text, "; showing data of "));
    atomic_store(&cut, false);
    assert_true(pump_until(refreshed_until_well));
    assert_true(pump_until(fresh));
    assert_int_equal(logged("lost: the peer hung up"), 1);
    assert_int_equal(logged("is there again, after "), 1);
    config.endpoints[0].broker = &memory_broker;
}

/* Its next pause takes most of a minute then. */
static bool failed_often(void)
{
    const struct hub_endpoint *e = hub_endpoint(hub, 0);
    if (e->health.failures >= 8 && e->status.state == SESSION_BACKOFF)
        return true;
    hub_refresh(hub);
    return false;
}

/* A tail that has connected shows that the broker is there: its row does not stay DOWN until the watch's pause is over. */
static void a_tail_that_comes_up_ends_the_pause_of_the_watch(void **state)
{
    (void)state;
    struct address a;
    struct err_info err = {0};
    static const struct hub_read how = {.mode = READ_TAP, .partition = -1, .limit = -1};
    stop_to_break();
    breaking.open = breaking_open;
    breaking.rest = breaking_rest;
    atomic_store(&cut, true);
    start_again(&rows);
    assert_true(pump_until(failed_often));
    assert_true(down());
    assert_int_equal(hub_address(hub, "memory:/orders", &a, NULL), ERR_OK);
    atomic_store(&cut, false);
    assert_int_equal(hub_tail_open(hub, &a, 1, &how, &err), ERR_OK);
    assert_true(pump_until(well));
    config.endpoints[0].broker = &memory_broker;
}

static bool refreshed_until_second_down(void)
{
    hub_refresh(hub); /* does not wait for the back-off */
    return hub_endpoint(hub, 1)->health.state == HEALTH_DOWN;
}

static bool refreshed_until_second_up(void)
{
    hub_refresh(hub);
    return hub_endpoint(hub, 1)->health.state == HEALTH_UP;
}

/* A mistyped URL is no outage; what was up once and is not any more is one. */
static void what_joined_and_was_never_up_is_no_alarm(void **state)
{
    (void)state;
    struct address a;
    const struct hub_attention *row;
    static const struct broker_ops *const cut_brokers[] = {&breaking, NULL};
    static struct registry cut_rows;
    cut_rows = rows;
    cut_rows.brokers = cut_brokers;
    stop_to_break();
    breaking.open = breaking_open;
    breaking.rest = breaking_rest;
    config.endpoints[0].broker = &memory_broker; /* the first one never breaks */
    start_again(&cut_rows);
    assert_true(pump_until(listed));
    atomic_store(&cut, true);
    assert_int_equal(hub_address(hub, "memory://nowhere/orders", &a, NULL), ERR_OK);
    assert_true(pump_until(refreshed_until_second_down));
    assert_true(hub_endpoint(hub, 1)->tried);
    assert_int_equal(hub_attention(hub, &row), 0);
    atomic_store(&cut, false);
    assert_true(pump_until(refreshed_until_second_up));
    assert_false(hub_endpoint(hub, 1)->tried);
    atomic_store(&cut, true);
    assert_true(pump_until(refreshed_until_second_down));
    assert_int_equal(hub_attention(hub, &row), 1);
    atomic_store(&cut, false);
}

/* What fails may be an outage in a moment; a certificate that ends has days. */
static void what_fails_stands_before_older_warnings(void **state)
{
    static struct hub alone;
    static const char *const names[] = {"certificate", "slow", "first-run", "again"};
    static struct probe_target targets[4];
    static struct hub_probe watched[4];
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        targets[i] = (struct probe_target){.name = names[i], .endpoint.text = "http://h/"};
        watched[i].target = &targets[i];
        watched[i].health = (struct availability){.state = i == 2 ? HEALTH_UNKNOWN : HEALTH_DEGRADED,
                                                  .slow = i == 1,
                                                  .since_ns = (int64_t)(i + 1) * NS_PER_S,
                                                  .run_since_ns = 9 * NS_PER_S,
                                                  .failures = i >= 2,
                                                  .down_after = 3};
    }
    alone.probes = watched;
    alone.probe_count = 4;
    hub_attend(&alone);
    assert_int_equal(alone.attention_count, 4);
    assert_string_equal(alone.attention[0].name, "again");
    assert_string_equal(alone.attention[1].name, "first-run");
    assert_string_equal(alone.attention[2].name, "certificate");
    assert_string_equal(alone.attention[3].name, "slow");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(channels_and_health_arrive),
        TEST(an_endpoint_joins_at_run_time),
        TEST(dead_letters_age_from_the_first_look),
        TEST(a_refused_listing_keeps_the_one_before),
        TEST(counts_stay_until_there_are_new_ones),
        TEST(an_upper_bound_of_dead_letters_is_one),
        TEST(a_lost_connection_needs_attention_before_it_is_down),
        TEST(a_tail_that_comes_up_ends_the_pause_of_the_watch),
        TEST(what_joined_and_was_never_up_is_no_alarm),
        TEST(what_fails_stands_before_older_warnings),
        TEST(an_outage_is_in_no_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
