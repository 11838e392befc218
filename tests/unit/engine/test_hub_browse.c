/* The hub's browses, the tail that goes on beneath one, and what the store has room for. */
#include "hub_tail_rig.h"

#include "engine/hub_internal.h"

/* The hub is another one, with a store of so many bytes. */
static void start_with_store(size_t bytes)
{
    hub_stop(&hub);
    config.store_bytes = bytes;
    hub = hub_new(&config, &rows, NULL);
    assert_non_null(hub);
    hub_start(hub);
}

static bool has_one(void)
{
    return hub_tail(hub)->received == 1;
}

static bool ended(void)
{
    return hub_tail(hub)->channels[0].status.state == SESSION_ENDED;
}

static void publish_sized(const char *queue, size_t size)
{
    uint8_t *payload = calloc(1, size);
    struct message m = {.payload = {payload, size}, .time_ns = TIME_NONE};
    assert_int_equal(memory_publish(queue, &m, NULL, NULL), ERR_OK);
    free(payload);
}

static atomic_bool closed;

static enum err closing_close(struct broker *b, struct err_info *err)
{
    enum err e = memory_broker.read_close(b, err);
    atomic_store(&closed, true);
    return e;
}

/* The queue has no room for the last batch until the session has ended: nobody would ask it for that once more. */
static void what_is_read_last_arrives_though_the_queue_was_full(void **state)
{
    (void)state;
    static struct broker_ops closing;
    closing = memory_broker;
    closing.read_close = closing_close;
    config.endpoints[0].broker = &closing;
    publish_sized("orders", 37 * LIMIT_QUEUE / 40);
    publish_sized("orders", 4 * LIMIT_QUEUE / 40);
    struct address a = address_of("orders");
    assert_int_equal(hub_tail_open(hub, &a, 1, &browse, NULL), ERR_OK);
    int64_t end = clock_mono_ns() + 10 * NS_PER_S;
    while (!atomic_load(&closed) && clock_mono_ns() < end)
        poll(NULL, 0, 1);
    assert_true(pump_until(ended));
    assert_int_equal(hub_tail(hub)->received, 2);
}

/* As in the shell: the limit counts what the filter takes, and what it does not take is not held. */
static void the_limit_of_a_browse_counts_what_its_filter_takes(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        char text[16];
        snprintf(text, sizeof text, "n%03d", i);
        struct message m = {.payload = bytes_of_text(text), .time_ns = TIME_NONE};
        assert_int_equal(memory_publish("orders", &m, NULL, NULL), ERR_OK);
    }
    struct address a = address_of("orders");
    struct hub_read how = browse;
    how.limit = 5;
    snprintf(how.where, sizeof how.where, "'7'");
    assert_int_equal(hub_tail_open(hub, &a, 1, &how, NULL), ERR_OK);
    assert_true(pump_until(ended));
    assert_int_equal(hub_tail(hub)->received, 5);
    const struct message *last = store_get(hub_store(hub), 5);
    assert_true(bytes_equal(last->payload, BYTES_LITERAL("n047")));
    assert_int_equal(hub_tail(hub)->channels[0].status.progress.scanned, 48);
    how.limit = 500; /* more than there are */
    assert_int_equal(hub_tail_open(hub, &a, 1, &how, NULL), ERR_OK);
    assert_true(pump_until(ended));
    assert_int_equal(hub_tail(hub)->received, 57);
    struct err_info err = {0};
    snprintf(how.where, sizeof how.where, "sice=1");
    assert_int_equal(hub_tail_open(hub, &a, 1, &how, &err), ERR_USAGE);
    assert_int_equal(hub_tail(hub)->received, 57); /* what was shown stays */
}

static bool said_ended(void)
{
    uint64_t serial;
    enum severity severity;
    const char *text = hub_notice(hub, &serial, &severity);
    return text && strstr(text, "The tail of orders was ended");
}

/* A look at what is stored ends no tail: it goes on, and is come back to. Another tail does, and says so. */
static void a_tail_goes_on_beneath_a_browse(void **state)
{
    (void)state;
    struct address a = address_of("orders"), other = address_of("orders.dlq");
    assert_int_equal(hub_tail_open(hub, &a, 1, &tap, NULL), ERR_OK);
    assert_true(pump_until(tailing));
    publish("orders", 5);
    assert_true(pump_until(has_five));
    uint32_t serial = hub_tail(hub)->serial;
    for (int i = 0; i < 2; i++) { /* a second one takes the first one's place, and not the tail's */
        assert_int_equal(hub_tail_open(hub, &a, 1, &browse, NULL), ERR_OK);
        assert_true(pump_until(ended));
        assert_true(store_budget(hub_store(hub)) < 64 * MIB);
        assert_true(hub_tail_holds(hub, serial));
    }
    publish("orders", 5);
    assert_true(hub_tail_back(hub));
    assert_int_equal(hub_tail(hub)->serial, serial);
    assert_true(pump_until(has_ten));
    assert_int_equal(store_budget(hub_store(hub)), 64 * MIB);
    assert_int_equal(store_count(hub_store(hub)), 10);
    assert_false(hub_tail_back(hub));
    assert_int_equal(hub_tail_open(hub, &a, 1, &browse, NULL), ERR_OK);
    assert_true(pump_until(ended));
    assert_int_equal(hub_tail_open(hub, &other, 1, &tap, NULL), ERR_OK);
    assert_true(pump_until(said_ended));
    assert_false(hub_tail_holds(hub, serial));
    assert_false(hub_tail_back(hub));
}

static bool has_two(void)
{
    return hub_tail(hub)->received == 2;
}

/* Neither of the two would fit beside the other: what is looked at has the budget, the tail that nobody sees goes without. */
static void a_large_message_above_a_tail_takes_its_room(void **state)
{
    (void)state;
    start_with_store(2 * MIB);
    struct address a = address_of("orders");
    assert_int_equal(hub_tail_open(hub, &a, 1, &tap, NULL), ERR_OK);
    assert_true(pump_until(tailing));
    publish_sized("orders", 1500 * KIB);
    assert_true(pump_until(has_one));
    assert_int_equal(hub_tail_open(hub, &a, 1, &browse, NULL), ERR_OK);
    assert_true(pump_until(ended));
    assert_int_equal(store_count(hub_store(hub)), 1);
    assert_true(hub_tail_back(hub));
    assert_int_equal(store_count(hub_store(hub)), 0);
    assert_int_equal(store_newest(hub_store(hub)), 1); /* it was there */
    publish_sized("orders", 1500 * KIB);
    assert_true(pump_until(has_two));
    assert_non_null(store_get(hub_store(hub), 2));
}

static atomic_bool may_open;

static enum err slow_read_open(struct broker *b, const struct read_request *r, const struct read_sink *sink,
                               struct err_info *err)
{
    while (strcmp(r->channels[0].name, "orders.dlq") == 0 && !atomic_load(&may_open))
        poll(NULL, 0, 1);
    return memory_broker.read_open(b, r, sink, err);
}

static bool beneath_has_two(void)
{
    return hub->beneath && hub->beneath->tail.received == 2;
}

/* What comes to the tail that it will replace, while it opens, takes nothing from it. */
static void a_tail_that_follows_a_browse_has_the_whole_store(void **state)
{
    (void)state;
    static struct broker_ops slow;
    slow = memory_broker;
    slow.read_open = slow_read_open;
    config.endpoints[0].broker = &slow;
    struct address a = address_of("orders"), other = address_of("orders.dlq");
    assert_int_equal(hub_tail_open(hub, &a, 1, &tap, NULL), ERR_OK);
    assert_true(pump_until(tailing));
    publish("orders", 1);
    assert_true(pump_until(has_one));
    assert_int_equal(hub_tail_open(hub, &a, 1, &browse, NULL), ERR_OK);
    assert_true(pump_until(ended));
    assert_int_equal(hub_tail_open(hub, &other, 1, &tap, NULL), ERR_OK);
    publish("orders", 1);
    assert_true(pump_until(beneath_has_two));
    atomic_store(&may_open, true);
    assert_true(pump_until(tailing));
    assert_int_equal(store_budget(hub_store(hub)), 64 * MIB);
    config.endpoints[0].broker = &memory_broker;
}

/* What was read first stays: one that pushed it out would show the end of what was asked for, and say nothing of the rest. */
static void a_browse_ends_where_the_store_is_full(void **state)
{
    (void)state;
    start_with_store(2 * MIB);
    for (int i = 0; i < 7; i++)
        publish_sized("orders", 900 * KIB);
    struct address a = address_of("orders");
    assert_int_equal(hub_tail_open(hub, &a, 1, &browse, NULL), ERR_OK);
    assert_true(pump_until(ended));
    assert_true(hub_tail(hub)->full);
    assert_int_equal(store_oldest(hub_store(hub)), 1);
    assert_int_equal(store_count(hub_store(hub)), 2);
    assert_int_equal(hub_tail_open(hub, &a, 1, &browse, NULL),
                     ERR_OK); /* again: all of the budget, not the half */
    assert_true(pump_until(ended));
    assert_int_equal(store_count(hub_store(hub)), 2);
    memory_reset();
    assert_int_equal(memory_declare("orders", CHANNEL_QUEUE, NULL, NULL), ERR_OK);
    start_with_store(256 * KIB);
    publish("orders", 3000); /* small ones, for which the store's own slots count */
    assert_int_equal(hub_tail_open(hub, &a, 1, &browse, NULL), ERR_OK);
    assert_true(pump_until(ended));
    assert_true(hub_tail(hub)->full);
    assert_int_equal(store_oldest(hub_store(hub)), 1);
    assert_int_equal(store_count(hub_store(hub)), hub_tail(hub)->received);
}

static bool has_three(void)
{
    return hub_tail(hub)->received == 3;
}

/* A message that cannot stay beside the one that is looked at is missing in the midst of the others: that is a row. */
static void what_has_no_room_beside_the_open_message_is_said(void **state)
{
    (void)state;
    start_with_store(2 * MIB);
    struct address a = address_of("orders");
    assert_int_equal(hub_tail_open(hub, &a, 1, &tap, NULL), ERR_OK);
    assert_true(pump_until(tailing));
    publish_sized("orders", 1500 * KIB);
    assert_true(pump_until(has_one));
    hub_hold(hub, store_get(hub_store(hub), 1));
    publish_sized("orders", 700 * KIB);
    publish("orders", 1);
    assert_true(pump_until(has_three));
    assert_int_equal(store_count(hub_store(hub)), 3);
    const struct message *row = store_get(hub_store(hub), 2);
    assert_string_equal(row->origin->endpoint, "signalbox");
    assert_true(bytes_equal_text(
        row->payload, "orders: a message of 700 KiB has no room beside the one that is open: missing here"));
    assert_int_equal(hub_tail(hub)->gap_count, 1);
    hub_hold(hub, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_read_last_arrives_though_the_queue_was_full),
        TEST(the_limit_of_a_browse_counts_what_its_filter_takes),
        TEST(a_tail_goes_on_beneath_a_browse),
        TEST(a_large_message_above_a_tail_takes_its_room),
        TEST(a_tail_that_follows_a_browse_has_the_whole_store),
        TEST(a_browse_ends_where_the_store_is_full),
        TEST(what_has_no_room_beside_the_open_message_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
