/* The hub's tails. */
#include "hub_cut.h"
#include "hub_tail_rig.h"

#include "base/log.h"

static struct broker_ops one_channel; /* the memory broker, a session for each channel */

static const struct hub_read all = {
    .mode = READ_TAP, .start = {START_BEGINNING, 0}, .partition = -1, .limit = -1};

static void a_tail_fills_the_store_and_another_replaces_it(void **state)
{
    (void)state;
    struct address a = address_of("orders");
    assert_int_equal(hub_tail_open(hub, &a, 1, &tap, NULL), ERR_OK);
    assert_true(pump_until(tailing));
    publish("orders", 5);
    assert_true(pump_until(has_five));
    assert_int_equal(store_count(hub_store(hub)), 5);
    uint32_t serial = hub_tail(hub)->serial;
    assert_int_equal(hub_tail_open(hub, &a, 1, &browse, NULL), ERR_OK);
    assert_int_not_equal(hub_tail(hub)->serial, serial);
    assert_true(pump_until(has_five));
    assert_int_equal(hub_tail(hub)->channels[0].status.progress.total, 5);
}

static bool middle_failed_alone(void)
{
    const struct hub_tail *t = hub_tail(hub);
    return t->channels[0].status.state == SESSION_UP && t->channels[1].status.state == SESSION_ENDED &&
           t->channels[2].status.state == SESSION_UP;
}

/* They share a session, which a missing one makes fail as a whole. */
static void a_missing_channel_does_not_hide_the_others(void **state)
{
    (void)state;
    struct address three[] = {address_of("orders"), address_of("nowhere"), address_of("orders.dlq")};
    assert_int_equal(hub_tail_open(hub, three, 3, &tap, NULL), ERR_OK);
    assert_true(pump_until(middle_failed_alone));
    assert_int_equal(hub_tail(hub)->channels[1].status.err.code, ERR_NOTFOUND);
    publish("orders", 5);
    publish("orders.dlq", 5);
    assert_true(pump_until(has_ten));
}

/* The first row says from when on it knows. */
static void duplicates_are_marked_as_they_pass(void **state)
{
    (void)state;
    struct address a = address_of("orders");
    struct hub_read by_body = tap;
    size_t marked = 0, said = 0;
    memcpy(by_body.dedupe_by, "body", sizeof "body");
    assert_int_equal(hub_tail_open(hub, &a, 1, &by_body, NULL), ERR_OK);
    assert_true(pump_until(tailing));
    publish("orders", 5);
    assert_true(pump_until(has_five));
    const struct store *store = hub_store(hub);
    static const char first[] = "duplicates by body are marked; what passed before ";
    for (uint64_t id = store_oldest(store); id <= store_newest(store); id++) {
        const struct message *m = store_get(store, id);
        marked += (m->flags & MESSAGE_DUPLICATE) != 0;
        said += m->payload.len > sizeof first && memcmp(m->payload.data, first, sizeof first - 1) == 0;
    }
    assert_int_equal(marked, 4);
    assert_int_equal(said, 1);
    memcpy(by_body.dedupe_by, "bady", sizeof "bady");
    assert_int_equal(hub_tail_open(hub, &a, 1, &by_body, &(struct err_info){0}), ERR_USAGE);
}

static bool all_but_one_up(void)
{
    const struct hub_tail *t = hub_tail(hub);
    size_t up = 0;
    for (size_t i = 0; i < t->channel_count; i++)
        up += t->channels[i].status.state == SESSION_UP;
    return up == t->channel_count - 1;
}

static void nor_among_as_many_as_there_may_be(void **state)
{
    (void)state;
    struct address most[HUB_TAIL_MOST + 1];
    for (size_t i = 0; i <= HUB_TAIL_MOST; i++)
        most[i] = address_of(i == 40 ? "nowhere" : "orders");
    assert_int_equal(hub_tail_open(hub, most, HUB_TAIL_MOST + 1, &tap, NULL), ERR_LIMIT);
    assert_int_equal(hub_tail_open(hub, most, HUB_TAIL_MOST, &tap, NULL), ERR_OK);
    assert_true(pump_until(all_but_one_up));
}

static struct broker_ops telling; /* the memory broker, that says something between two messages */
static struct read_sink told;
static atomic_bool tells;

static enum err telling_open(struct broker *b, const struct read_request *r, const struct read_sink *s,
                             struct err_info *err)
{
    told = *s;
    s->notice(s->context, "a word before it begins");
    return memory_broker.read_open(b, r, s, err);
}

static enum err telling_step(struct broker *b, int timeout_ms, struct err_info *err)
{
    if (atomic_load(&tells)) {
        told.notice(told.context, "orders was deleted");
        atomic_store(&tells, false);
    }
    return memory_broker.read_step(b, timeout_ms, err);
}

static bool has_a_gap(void)
{
    return store_count(hub_store(hub)) > 0;
}

static bool has_said_a_word(void)
{
    return hub_tail(hub)->channels[0].notice[0] != '\0' && tailing();
}

/* What is said while messages flow stands among them; what was said before they did does not. */
static void a_word_of_a_running_tail_is_a_row(void **state)
{
    (void)state;
    telling = memory_broker;
    telling.read_open = telling_open;
    telling.read_step = telling_step;
    config.endpoints[0].broker = &telling;
    struct address a = address_of("orders");
    assert_int_equal(hub_tail_open(hub, &a, 1, &tap, NULL), ERR_OK);
    assert_true(pump_until(has_said_a_word));
    assert_int_equal(hub_tail(hub)->channels[0].notice_ns, 0); /* it holds for the whole reading */
    atomic_store(&tells, true);
    hub_tail_retry(hub); /* which wakes it */
    assert_true(pump_until(has_a_gap));
    assert_int_equal(hub_tail(hub)->gap_count, 0); /* nothing is missing for it */
    assert_int_equal(store_count(hub_store(hub)), 1);
    const struct message *row = store_get(hub_store(hub), store_newest(hub_store(hub)));
    assert_true(bytes_equal(row->payload, BYTES_LITERAL("orders was deleted")));
    assert_string_equal(row->origin->endpoint, "signalbox");
    assert_true(hub_tail(hub)->channels[0].notice_ns > 0); /* it is over some time */
}

enum { FLOODS = 6, FLOOD_EACH = 900, FLOOD_PAYLOAD = 7000 };

/* Six sources with 38 MB for a queue of 8 MiB, taken slowly: every source is paused again and again, several at once, and
 * every message arrives, in the order of its queue. */
static void credit_loses_nothing(void **state)
{
    (void)state;
    static uint8_t payload[FLOOD_PAYLOAD];
    char names[FLOODS][24];
    struct address addresses[FLOODS];
    int64_t next[FLOODS] = {0};
    for (int q = 0; q < FLOODS; q++) {
        snprintf(names[q], sizeof names[q], "flood%d", q);
        addresses[q] = address_of(names[q]);
        assert_int_equal(memory_declare(names[q], CHANNEL_QUEUE, NULL, NULL), ERR_OK);
        for (int i = 0; i < FLOOD_EACH; i++) {
            struct message m = {.payload = {payload, sizeof payload}, .time_ns = TIME_NONE};
            assert_int_equal(memory_publish(names[q], &m, NULL, NULL), ERR_OK);
        }
    }
    /* Neighbours on one endpoint share a session: single openings by hand would hide what is tested. */
    one_channel = memory_broker;
    one_channel.max_channels = 1;
    config.endpoints[0].broker = &one_channel;
    assert_int_equal(hub_tail_open(hub, addresses, FLOODS, &all, NULL), ERR_OK);
    int64_t end = clock_mono_ns() + 30 * NS_PER_S;
    bool more = false;
    uint64_t seen = 0;
    while (hub_tail(hub)->received < FLOODS * FLOOD_EACH && clock_mono_ns() < end) {
        struct pollfd p = {.fd = hub_fd(hub), .events = POLLIN};
        if (!more)
            poll(&p, 1, 100);
        hub_pump(hub, NS_PER_MS / 20, &more);
        for (; seen < hub_tail(hub)->received; seen++) {
            const struct message *m = store_get(hub_store(hub), seen + 1);
            int q = m->origin->channel[5] - '0';
            assert_int_equal(m->position.offset, next[q]++);
        }
    }
    assert_int_equal(hub_tail(hub)->received, FLOODS * FLOOD_EACH);
    config.endpoints[0].broker = &memory_broker;
}

static enum err breaking_step(struct broker *b, int timeout_ms, struct err_info *err)
{
    if (atomic_load(&cut))
        return err_set(err, ERR_CLOSED, "the peer hung up");
    (void)timeout_ms; /* a cut line wakes nobody */
    return memory_broker.read_step(b, 5, err);
}

static bool logs(const char *text)
{
    uint64_t oldest, newest;
    struct log_line line;
    log_range(&oldest, &newest);
    for (uint64_t id = newest; id >= oldest && id; id--)
        if (log_get(id, &line) && line.level == LOG_WARN && line.kind == LOG_CHANGE &&
            strstr(line.text, text))
            return true;
    return false;
}

static bool loss_logged(void)
{
    return logs("the peer hung up");
}

static bool restored(void)
{
    hub_tail_retry(hub);
    return hub_tail(hub)->gap_count == 1;
}

/* A tail is replaced; what it missed is in the log. */
static void what_a_tail_missed_is_logged(void **state)
{
    (void)state;
    breaking = memory_broker;
    breaking.read_step = breaking_step;
    breaking.open = breaking_open;
    config.endpoints[0].broker = &breaking;
    struct address a = address_of("orders");
    assert_int_equal(hub_tail_open(hub, &a, 1, &tap, NULL), ERR_OK);
    assert_true(pump_until(tailing));
    atomic_store(&cut, true);
    assert_true(pump_until(loss_logged));
    atomic_store(&cut, false);
    assert_true(pump_until(restored));
    assert_true(logs("connection restored: what was sent in between is missing here"));
    config.endpoints[0].broker = &memory_broker;
}

static size_t rows_with(const char *text)
{
    size_t n = 0;
    for (uint64_t id = 1; id <= store_count(hub_store(hub)); id++) {
        const struct message *m = store_get(hub_store(hub), id);
        n += m && memmem(m->payload.data, m->payload.len, text, strlen(text)) != NULL;
    }
    return n;
}

static bool all_tailing(void)
{
    const struct hub_tail *t = hub_tail(hub);
    bool up = true;
    for (size_t i = 0; t && i < t->channel_count; i++)
        up &= t->channels[i].status.state == SESSION_UP;
    return t && up;
}

static bool all_lost(void)
{
    const struct hub_tail *t = hub_tail(hub);
    bool any_up = false;
    for (size_t i = 0; i < t->channel_count; i++)
        any_up |= t->channels[i].address.endpoint == &config.endpoints[0] &&
                  t->channels[i].status.state == SESSION_UP;
    return !any_up;
}

/* Tails channels of two endpoints, mixed, and loses the first one's. */
static void lose_mixed(size_t most)
{
    static struct config_endpoint other;
    other = config.endpoints[0];
    one_channel = memory_broker;
    other.broker = &one_channel;
    breaking = memory_broker;
    breaking.read_step = breaking_step;
    breaking.open = breaking_open;
    breaking.max_channels = most;
    config.endpoints[0].broker = &breaking;
    struct address mixed[] = {address_of("orders"), address_of("orders"), address_of("orders.dlq")};
    mixed[1].endpoint = &other;
    assert_int_equal(hub_tail_open(hub, mixed, 3, &tap, NULL), ERR_OK);
    assert_true(pump_until(all_tailing));
    atomic_store(&cut, true);
    assert_true(pump_until(all_lost));
    atomic_store(&cut, false);
}

static void a_lost_connection_is_one_row(void **state)
{
    (void)state;
    lose_mixed(8);
    assert_int_equal(rows_with("connection lost"), 1);
    assert_string_equal(hub_tail(hub)->channels[1].address.channel.name, "orders.dlq");
    hub_stop(&hub);
}

static void connections_of_several_name_their_channels(void **state)
{
    (void)state;
    lose_mixed(1);
    assert_int_equal(rows_with("connection lost"), 2);
    assert_int_equal(rows_with("orders: connection lost: the peer hung up"), 1);
    assert_int_equal(rows_with("orders.dlq: connection lost: the peer hung up"), 1);
    hub_stop(&hub);
}

static bool failed(void)
{
    return hub_tail(hub)->channels[0].status.state == SESSION_ENDED;
}

static bool said_missing(void)
{
    uint64_t serial;
    enum severity severity;
    const char *text = hub_notice(hub, &serial, &severity);
    return text && strstr(text, "no channel nothing");
}

/* A mistyped name costs nothing: what was shown goes on, and has missed nothing. */
static void a_missing_channel_is_said_and_the_tail_before_goes_on(void **state)
{
    (void)state;
    struct address both[] = {address_of("nothing"), address_of("orders")};
    assert_int_equal(hub_tail_open(hub, &both[0], 1, &tap, NULL), ERR_OK);
    assert_true(pump_until(failed)); /* there is none before it */
    assert_non_null(strstr(hub_tail(hub)->channels[0].status.err.text, "no channel nothing"));
    assert_int_equal(hub_tail_open(hub, &both[1], 1, &tap, NULL), ERR_OK);
    assert_true(pump_until(tailing));
    uint32_t serial = hub_tail(hub)->serial;
    publish("orders", 5);
    assert_true(pump_until(has_five));
    assert_int_equal(hub_tail_open(hub, &both[0], 1, &tap, NULL), ERR_OK);
    assert_int_not_equal(hub_tail(hub)->serial, serial);
    publish("orders", 5);
    assert_true(pump_until(said_missing));
    assert_int_equal(hub_tail(hub)->serial, serial);
    assert_true(pump_until(has_ten));
    assert_int_equal(store_count(hub_store(hub)), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_tail_fills_the_store_and_another_replaces_it),
        TEST(duplicates_are_marked_as_they_pass),
        TEST(a_missing_channel_does_not_hide_the_others),
        TEST(nor_among_as_many_as_there_may_be),
        TEST(a_word_of_a_running_tail_is_a_row),
        TEST(credit_loses_nothing),
        TEST(what_a_tail_missed_is_logged),
        TEST(a_lost_connection_is_one_row),
        TEST(connections_of_several_name_their_channels),
        TEST(a_missing_channel_is_said_and_the_tail_before_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
