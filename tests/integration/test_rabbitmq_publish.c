/* The RabbitMQ driver against the lab's broker: what is published arrives as it was, and each outcome is the right one's.
 * needs: rabbitmq
 * timeout: 120 */
#include "tests/integration/rabbit_session.h"
#include "tests/support/equal.h"

/* ---- nothing of a message is lost ---- */

#define TEXT(s)                                   \
 {                                                \
  .type = VALUE_STRING, .bytes = BYTES_LITERAL(s) \
 }

static const struct header inner[] = {
    {BYTES_LITERAL("deep"), {.type = VALUE_BOOL, .b = true}},
    {BYTES_LITERAL("short"), {.type = VALUE_INT16, .i = -32768}},
};
static const struct header table[] = {
    {BYTES_LITERAL("in"), {.type = VALUE_TABLE, .list = {inner, 2}}},
    {BYTES_LITERAL("none"), {.type = VALUE_TABLE, .list = {inner, 0}}},
};
static const struct header array[] = {
    {BYTES_NULL, {.type = VALUE_INT8, .i = -128}},
    {BYTES_NULL, TEXT("x")},
    {BYTES_NULL, {.type = VALUE_ARRAY, .list = {NULL, 0}}},
    {BYTES_NULL, {.type = VALUE_TABLE, .list = {table, 2}}},
};
static const struct header typed[] = {
    {BYTES_LITERAL("table"), {.type = VALUE_TABLE, .list = {table, 2}}},
    {BYTES_LITERAL("array"), {.type = VALUE_ARRAY, .list = {array, 4}}},
    {BYTES_LITERAL("decimal"), {.type = VALUE_DECIMAL, .decimal = {2, 12345}}},
    {BYTES_LITERAL("float"), {.type = VALUE_FLOAT, .f = 0.5}},
    {BYTES_LITERAL("double"), {.type = VALUE_DOUBLE, .f = 0.1}},
    {BYTES_LITERAL("timestamp"), {.type = VALUE_TIMESTAMP, .u = 1700000000}},
    {BYTES_LITERAL("void"), {.type = VALUE_VOID}},
    {BYTES_LITERAL("bytes"), {.type = VALUE_BYTES, .bytes = BYTES_LITERAL("\x00\xff\x80")}},
    {BYTES_LITERAL("int8"), {.type = VALUE_INT8, .i = -128}},
    {BYTES_LITERAL("int16"), {.type = VALUE_INT16, .i = -32768}},
    {BYTES_LITERAL("int32"), {.type = VALUE_INT32, .i = INT32_MIN}},
    {BYTES_LITERAL("int64"), {.type = VALUE_INT64, .i = INT64_MIN}},
    {BYTES_LITERAL("uint8"), {.type = VALUE_UINT8, .u = 255}},
    {BYTES_LITERAL("uint16"), {.type = VALUE_UINT16, .u = 65535}},
    {BYTES_LITERAL("uint32"), {.type = VALUE_UINT32, .u = UINT32_MAX}},
    {BYTES_LITERAL("true"), {.type = VALUE_BOOL, .b = true}},
    {BYTES_LITERAL("empty"), TEXT("")},
    {BYTES_LITERAL("text"), TEXT("K\xc3\xb6ln")},
};

static void typed_tables_come_back_as_they_were(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "typed", "classic", NULL, queue);
    struct message m = session_message("", "typed");
    m.headers = (struct headers){typed, sizeof typed / sizeof *typed};
    session_send(queue, &m);
    struct session_of_test *s = session_look(queue);
    assert_int_equal(s->count, 1);
    struct headers got = s->messages[0]->headers;
    assert_int_equal(got.count, m.headers.count);
    for (uint32_t i = 0; i < got.count; i++) {
        if (!value_equal(&got.items[i].value, &typed[i].value))
            fail_msg("%.*s came back as %s", (int)typed[i].name.len, (const char *)typed[i].name.data,
                     value_type_name(got.items[i].value.type));
    }
    assert_true(headers_equal(got, m.headers));
    session_end(s);
}

static void an_absent_table_is_not_an_empty_one(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "absent", "classic", NULL, queue);
    struct message m = session_message("", "absent");
    session_send(queue, &m);
    m.headers = (struct headers){typed, 0};
    session_send(queue, &m);
    struct session_of_test *s = session_look(queue);
    assert_int_equal(s->count, 2);
    assert_null(s->messages[0]->headers.items);
    assert_non_null(s->messages[1]->headers.items);
    assert_int_equal(s->messages[1]->headers.count, 0);
    session_end(s);
}

static void a_name_that_the_wire_cannot_carry_is_refused(void **state)
{
    struct rig *rig = *state;
    char queue[64], long_name[256];
    rig_queue(rig, "names", "classic", NULL, queue);
    memset(long_name, 'n', sizeof long_name);
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_open_publish(s, CHANNEL_QUEUE, queue, 0), ERR_OK);
    const struct header bad = {bytes_of(long_name, 256), {.type = VALUE_VOID}};
    const struct header around = {BYTES_LITERAL("t"), {.type = VALUE_TABLE, .list = {&bad, 1}}};
    struct message m = session_message("", "m");
    m.headers = (struct headers){&bad, 1};
    assert_int_equal(rabbitmq_broker.publish(&s->broker, 0, &m, 1, &s->err), ERR_UNSUPPORTED);
    m.headers = (struct headers){&around, 1};
    assert_int_equal(rabbitmq_broker.publish(&s->broker, 0, &m, 1, &s->err), ERR_UNSUPPORTED);
    session_end(s);
    assert_int_equal(rig_depth(rig, queue), 0);
}

/* The largest that one frame holds is taken; one byte more is refused before any of it is sent, and the session goes on. */
static void headers_of_more_than_a_frame_are_refused(void **state)
{
    enum { FRAME = 131072, AROUND = 20 + 2 + 4 + 1 + 1 + 1 + 4 + 1 }; /* the last one: delivery_mode */
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "wide", "classic", NULL, queue);
    char *data = malloc(FRAME);
    memset(data, 'x', FRAME);
    struct header wide = {BYTES_LITERAL("w"),
                          {.type = VALUE_STRING, .bytes = bytes_of(data, FRAME - AROUND + 1)}};
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_open_publish(s, CHANNEL_QUEUE, queue, 0), ERR_OK);
    struct message m = session_message("", "m");
    m.headers = (struct headers){&wide, 1};
    assert_int_equal(rabbitmq_broker.publish(&s->broker, 0, &m, 1, &s->err), ERR_LIMIT);
    assert_non_null(strstr(s->err.text, "128 KiB"));
    assert_non_null(strstr(s->err.next, "payload"));
    wide.value.bytes.len--;
    assert_int_equal(rabbitmq_broker.publish(&s->broker, 0, &m, 2, &s->err), ERR_OK);
    session_publish_wait(s, 1);
    assert_int_equal(s->outcomes[0].outcome, OUTCOME_CONFIRMED);
    session_end(s);
    free(data);
}

/* The broker passes an empty name on, and rabbitmq-c's own reading stops there. In one frame and in several. */
static void an_empty_name_is_a_name(void **state)
{
    struct rig *rig = *state;
    static const char *const types[] = {"classic", "quorum"};
    static char large[300000];
    const struct header unnamed = {BYTES_LITERAL(""), TEXT("in")};
    const struct header named[] = {{BYTES_LITERAL(""), TEXT("out")},
                                   {BYTES_LITERAL("t"), {.type = VALUE_TABLE, .list = {&unnamed, 1}}}};
    memset(large, 'L', sizeof large);
    for (size_t i = 0; i < 2; i++) {
        char queue[64];
        rig_queue(rig, "unnamed", types[i], NULL, queue);
        struct message m = session_message("", "small");
        m.headers = (struct headers){named, 2};
        session_send(queue, &m);
        m.payload = bytes_of(large, sizeof large);
        session_send(queue, &m);
        m.payload = BYTES_LITERAL("");
        session_send(queue, &m);
        rig_wait_depth(rig, queue, 3);
        struct session_of_test *s = session_look(queue);
        assert_int_equal(s->count, 3);
        for (size_t n = 0; n < 3; n++)
            assert_true(headers_equal(s->messages[n]->headers, m.headers));
        assert_true(bytes_equal(s->messages[0]->payload, BYTES_LITERAL("small")));
        assert_true(bytes_equal(s->messages[1]->payload, bytes_of(large, sizeof large)));
        assert_int_equal(s->messages[2]->payload.len, 0);
        assert_non_null(s->messages[2]->payload.data);
        session_end(s);
        rig_wait_depth(rig, queue, 3);
    }
}

static void all_properties_come_back(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    const struct header properties[] = {
        {BYTES_LITERAL("content_type"), TEXT("application/json")},
        {BYTES_LITERAL("content_encoding"), TEXT("gzip")},
        {BYTES_LITERAL("delivery_mode"), {.type = VALUE_UINT8, .u = 2}},
        {BYTES_LITERAL("priority"), {.type = VALUE_UINT8, .u = 9}},
        {BYTES_LITERAL("correlation_id"), TEXT("c-1")},
        {BYTES_LITERAL("reply_to"), TEXT("answers")},
        {BYTES_LITERAL("expiration"), TEXT("3600000")},
        {BYTES_LITERAL("message_id"), TEXT("m-1")},
        {BYTES_LITERAL("timestamp"), {.type = VALUE_TIMESTAMP, .u = 1700000000}},
        {BYTES_LITERAL("type"), TEXT("order.created")},
        {BYTES_LITERAL("user_id"), TEXT("guest")},
        {BYTES_LITERAL("app_id"), TEXT("shop")},
    };
    rig_queue(rig, "properties", "classic", NULL, queue);
    struct message m = session_message("", "p");
    m.properties = (struct headers){properties, 12};
    session_send(queue, &m);
    struct session_of_test *s = session_look(queue);
    assert_int_equal(s->count, 1);
    const struct message *got = s->messages[0];
    assert_int_equal(got->properties.count, 14); /* and exchange, routing_key */
    assert_true(headers_equal((struct headers){got->properties.items, 12}, m.properties));
    assert_true(bytes_equal_text(headers_find(got->properties, BYTES_LITERAL("routing_key"))->bytes, queue));
    assert_true(bytes_equal_text(headers_find(got->properties, BYTES_LITERAL("exchange"))->bytes, ""));
    assert_true(bytes_equal_text(got->id, "m-1"));
    assert_int_equal(got->time_ns, INT64_C(1700000000) * NS_PER_S);
    session_end(s);
}

static void a_large_payload_is_exact(void **state)
{
    struct rig *rig = *state;
    const size_t sizes[] = {0, (size_t)MIB, 20 * (size_t)MIB};
    uint8_t *data = malloc(20 * (size_t)MIB);
    for (size_t i = 0; i < 20 * (size_t)MIB; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    for (size_t i = 0; i < 3; i++) {
        char queue[64];
        rig_queue(rig, "large", "classic", NULL, queue);
        struct message m = session_message("", "");
        m.payload = bytes_of(data, sizes[i]);
        session_send(queue, &m);
        struct session_of_test *s = session_look(queue);
        assert_int_equal(s->count, 1);
        assert_non_null(s->messages[0]);
        assert_true(bytes_equal(s->messages[0]->payload, m.payload));
        session_end(s);
    }
    free(data);
}

/* ---- outcomes ---- */

static void only_the_unroutable_one_is_returned(void **state)
{
    struct rig *rig = *state;
    char exchange[64], queue[64];
    rig_exchange(rig, "topic", exchange);
    rig_queue(rig, "routed", "classic", NULL, queue);
    rig_bind(rig, queue, exchange, "a.#");
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_open_publish(s, CHANNEL_EXCHANGE, exchange, 0), ERR_OK);
    for (uint64_t i = 0; i < 51; i++) { /* the same payload: key and order alone tell which one came back */
        struct message m = session_message(i == 25 ? "b.x" : "a.x", "same");
        assert_int_equal(rabbitmq_broker.publish(&s->broker, 0, &m, 100 + i, &s->err), ERR_OK);
    }
    session_publish_wait(s, 51);
    assert_int_equal(s->outcome_count, 51);
    bool seen[51] = {false};
    for (size_t i = 0; i < 51; i++) {
        const struct publish_outcome *o = &s->outcomes[i];
        assert_in_range(o->token, 100, 150);
        assert_false(seen[o->token - 100]);
        seen[o->token - 100] = true;
        assert_int_equal(o->outcome, o->token == 125 ? OUTCOME_RETURNED : OUTCOME_CONFIRMED);
        assert_int_equal(o->err.code, o->token == 125 ? ERR_UNROUTABLE : ERR_OK);
    }
    session_end(s);
    rig_wait_depth(rig, queue, 50);
}

/* What comes back is read in as many frames as it was sent in. */
static void a_large_message_is_returned(void **state)
{
    struct rig *rig = *state;
    static char large[400000];
    char exchange[64];
    memset(large, 'L', sizeof large);
    rig_exchange(rig, "topic", exchange);
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_open_publish(s, CHANNEL_EXCHANGE, exchange, 0), ERR_OK);
    for (uint64_t i = 0; i < 3; i++) {
        struct message m = session_message("nobody", "");
        m.payload = bytes_of(large, sizeof large - i);
        assert_int_equal(rabbitmq_broker.publish(&s->broker, 0, &m, i, &s->err), ERR_OK);
    }
    session_publish_wait(s, 3);
    assert_int_equal(s->outcome_count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(s->outcomes[i].outcome, OUTCOME_RETURNED);
    session_end(s);
}

static void a_missing_queue_is_made_on_request_only(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    lab_unique("missing", queue, sizeof queue);
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_open_publish(s, CHANNEL_QUEUE, queue, 0), ERR_NOTFOUND);
    assert_non_null(strstr(s->err.text, queue));
    rabbitmq_broker.publish_close(&s->broker);
    assert_int_equal(rig_depth(rig, queue), -1);
    assert_int_equal(session_open_publish(s, CHANNEL_QUEUE, queue, PUBLISH_CREATE), ERR_OK);
    rig_remember(rig, 'q', queue);
    struct message m = session_message("", "made");
    assert_int_equal(rabbitmq_broker.publish(&s->broker, 0, &m, 1, &s->err), ERR_OK);
    session_publish_wait(s, 1);
    assert_int_equal(s->outcomes[0].outcome, OUTCOME_CONFIRMED);
    session_end(s);
    rig_wait_depth(rig, queue, 1);
}

static void a_missing_stream_is_made_as_a_stream(void **state)
{
    struct rig *rig = *state;
    char stream[64], topic[64];
    lab_unique("missing-stream", stream, sizeof stream);
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_open_publish(s, CHANNEL_STREAM, stream, PUBLISH_CREATE), ERR_OK);
    rig_remember(rig, 'q', stream);
    struct message m = session_message("", "made");
    assert_int_equal(rabbitmq_broker.publish(&s->broker, 0, &m, 1, &s->err), ERR_OK);
    session_publish_wait(s, 1);
    rabbitmq_broker.publish_close(&s->broker);
    const struct channel_name name = {CHANNEL_STREAM, stream};
    if (session_read(s, name, READ_BROWSE, (struct start){START_OFFSET, 0}, -1, 0))
        fail_msg("%s", s->err.text);
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
    assert_true(session_has(s, 0, "made"));
    session_end(s);
    lab_unique("no-topic", topic, sizeof topic);
    s = session_up("/");
    assert_int_equal(session_open_publish(s, CHANNEL_TOPIC, topic, PUBLISH_CREATE), ERR_NOTFOUND);
    assert_non_null(strstr(s->err.text, "RabbitMQ has no topic"));
    session_end(s);
    assert_int_equal(rig_depth(rig, topic), -1);
}

static void a_queue_is_no_stream(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "no-stream", "classic", NULL, queue);
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_open_publish(s, CHANNEL_STREAM, queue, PUBLISH_CREATE), ERR_USAGE);
    assert_non_null(strstr(s->err.next, "queue:"));
    session_end(s);
}

/* With the management API, and by AMQP alone. */
static void an_ambiguous_name_is_refused(void **state)
{
    struct rig *rig = *state;
    const char *const apis[] = {lab_need("SB_RABBIT_MGMT"), "http://127.0.0.1:1"};
    char queue[64], choice[160];
    rig_queue(rig, "both", "classic", NULL, queue);
    amqp_exchange_declare(rig->connection, rig->channel, amqp_cstring_bytes(queue),
                          amqp_cstring_bytes("topic"), 0, 0, 0, 0, amqp_empty_table);
    assert_true(rig_went_well(rig));
    rig_remember(rig, 'x', queue);
    snprintf(choice, sizeof choice, "queue:%s or exchange:%s", queue, queue);
    for (size_t i = 0; i < 2; i++) {
        struct session_of_test *s = session_new(lab_need("SB_RABBIT"));
        s->endpoint.management = apis[i];
        assert_int_equal(session_open(s), ERR_OK);
        assert_int_equal(session_open_publish(s, CHANNEL_ANY, queue, 0), ERR_USAGE);
        assert_non_null(strstr(s->err.next, choice));
        rabbitmq_broker.publish_close(&s->broker);
        s->broker.carries = 0;
        assert_int_equal(session_open_publish(s, CHANNEL_QUEUE, queue, 0), ERR_OK);
        assert_int_equal(s->broker.carries & CARRY_KEY, 0);
        rabbitmq_broker.publish_close(&s->broker);
        assert_int_equal(session_open_publish(s, CHANNEL_EXCHANGE, queue, 0), ERR_OK);
        assert_int_equal(s->broker.carries & CARRY_KEY, CARRY_KEY); /* it routes */
        session_end(s);
    }
}

static void a_name_that_begins_with_a_kind_is_named(void **state)
{
    struct rig *rig = *state;
    char queue[64], address[80];
    rig_queue(rig, "queue:rvr", "classic", NULL, queue);
    snprintf(address, sizeof address, "write queue:%s", queue);
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_open_publish(s, CHANNEL_QUEUE, strchr(queue, ':') + 1, 0), ERR_NOTFOUND);
    assert_non_null(strstr(s->err.next, address));
    rabbitmq_broker.publish_close(&s->broker);
    assert_int_equal(session_open_publish(s, CHANNEL_QUEUE, queue, 0), ERR_OK);
    session_end(s);
}

static void the_name_of_another_user_is_refused(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "user", "classic", NULL, queue);
    const struct header user = {BYTES_LITERAL("user_id"), TEXT("somebody")};
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_open_publish(s, CHANNEL_QUEUE, queue, 0), ERR_OK);
    struct message m = session_message("", "m");
    m.properties = (struct headers){&user, 1};
    assert_int_equal(rabbitmq_broker.publish(&s->broker, 0, &m, 1, &s->err), ERR_DENIED);
    assert_non_null(strstr(s->err.text, "somebody"));
    m.properties = (struct headers){NULL, 0}; /* and the session goes on */
    assert_int_equal(rabbitmq_broker.publish(&s->broker, 0, &m, 2, &s->err), ERR_OK);
    session_publish_wait(s, 1);
    assert_int_equal(s->outcomes[0].token, 2);
    assert_int_equal(s->outcomes[0].outcome, OUTCOME_CONFIRMED);
    session_end(s);
}

/* The broker would close the channel for the others; the largest one that it takes is taken. */
static void an_expiration_that_is_none_is_refused(void **state)
{
    struct rig *rig = *state;
    static const char *const none[] = {"", "soon", "1.5", "-1", "4294967296", "60 s"};
    char queue[64];
    rig_queue(rig, "expiration", "classic", NULL, queue);
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_open_publish(s, CHANNEL_QUEUE, queue, 0), ERR_OK);
    struct message m = session_message("", "m");
    struct header expiration = {BYTES_LITERAL("expiration"), TEXT("4294967295")};
    m.properties = (struct headers){&expiration, 1};
    assert_int_equal(rabbitmq_broker.publish(&s->broker, 0, &m, 1, &s->err), ERR_OK);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        expiration.value.bytes = bytes_of_text(none[i]);
        assert_int_equal(rabbitmq_broker.publish(&s->broker, 0, &m, 2 + i, &s->err), ERR_USAGE);
        assert_non_null(strstr(s->err.next, "milliseconds"));
    }
    session_publish_wait(s, 1);
    assert_int_equal(s->outcomes[0].outcome, OUTCOME_CONFIRMED);
    session_end(s);
}

/* A quorum queue counts in a header what it gives out again, as our looks make it do: a copy begins without that. */
static void the_brokers_counter_is_not_sent_again(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    const struct header own = {BYTES_LITERAL("a"), TEXT("b")};
    struct message plain = session_message("", "plain"), named = session_message("", "named");
    named.headers = (struct headers){&own, 1};
    rig_queue(rig, "counted", "quorum", NULL, queue);
    session_send(queue, &plain);
    session_send(queue, &named);
    rig_wait_depth(rig, queue, 2);
    session_end(session_look(queue));
    rig_wait_depth(rig, queue, 2);
    struct session_of_test *s = session_look(queue);
    assert_int_equal(s->count, 2);
    assert_non_null(headers_find(s->messages[0]->headers, BYTES_LITERAL("x-delivery-count")));
    for (size_t i = 0; i < 2; i++)
        session_send(queue, s->messages[i]);
    session_end(s);
    rig_wait_depth(rig, queue, 4);
    s = session_look(queue);
    assert_int_equal(s->count, 4);
    assert_null(s->messages[2]->headers.items);
    assert_true(headers_equal(s->messages[3]->headers, named.headers));
    session_end(s);
}

static void a_full_window_is_busy_and_goes_on(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "window", "classic", NULL, queue);
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_open_publish(s, CHANNEL_QUEUE, queue, 0), ERR_OK);
    struct message m = session_message("", "m");
    uint64_t sent = 0;
    enum err e = ERR_OK;
    for (; !e && sent < 100000; sent += !e)
        e = rabbitmq_broker.publish(&s->broker, 0, &m, sent, &s->err);
    assert_int_equal(e, ERR_BUSY);
    session_publish_wait(s, sent);
    assert_int_equal(s->outcome_count, sent);
    assert_int_equal(rabbitmq_broker.publish(&s->broker, 0, &m, 0, &s->err), ERR_OK);
    session_publish_wait(s, sent + 1);
    session_end(s);
    rig_wait_depth(rig, queue, (int64_t)sent + 1);
}

static void closing_reports_what_is_outstanding(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "outstanding", "classic", NULL, queue);
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_open_publish(s, CHANNEL_QUEUE, queue, 0), ERR_OK);
    struct message m = session_message("", "m");
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(rabbitmq_broker.publish(&s->broker, 0, &m, i, &s->err), ERR_OK);
    rabbitmq_broker.publish_close(&s->broker);
    assert_int_equal(s->outcome_count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(s->outcomes[i].outcome, OUTCOME_UNKNOWN);
    session_end(s);
}

/* Nobody knows what became of them: confirmed would be a lie, and so would be lost. */
static void a_cut_connection_leaves_outcomes_unknown(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    struct lab_chaos chaos;
    rig_queue(rig, "cut", "classic", NULL, queue);
    assert_true(lab_chaos_start(&chaos, lab_need("SB_RABBIT")));
    struct session_of_test *s = session_new(chaos.address);
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(session_open_publish(s, CHANNEL_QUEUE, queue, 0), ERR_OK);
    assert_true(lab_chaos(&chaos, "stall"));
    struct message m = session_message("", "m");
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(rabbitmq_broker.publish(&s->broker, 0, &m, i, &s->err), ERR_OK);
    assert_true(lab_chaos(&chaos, "cut"));
    int64_t deadline = clock_mono_ns() + 15 * NS_PER_S;
    enum err e = ERR_OK;
    for (size_t pending = 5; !e && pending; assert_true(clock_mono_ns() < deadline))
        e = rabbitmq_broker.publish_step(&s->broker, 500, &pending, &s->err);
    assert_int_equal(err_policy(e), ERR_POLICY_RETRY);
    assert_int_equal(e, ERR_CLOSED);
    rabbitmq_broker.publish_close(&s->broker);
    assert_int_equal(s->outcome_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(s->outcomes[i].outcome, OUTCOME_UNKNOWN);
        assert_int_equal(s->outcomes[i].token, i);
    }
    session_end(s);
    lab_chaos_stop(&chaos);
}

/* A queue that refuses what is over its bound says so by basic.nack. */
static void a_full_queue_refuses(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    amqp_table_entry_t entries[] = {rig_number("x-max-length", 3), rig_text("x-overflow", "reject-publish")};
    lab_unique("full", queue, sizeof queue);
    amqp_queue_declare(rig->connection, rig->channel, amqp_cstring_bytes(queue), 0, 1, 0, 0,
                       (amqp_table_t){2, entries});
    assert_true(rig_went_well(rig));
    rig_remember(rig, 'q', queue);
    rig_fill(rig, queue, 3);
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_open_publish(s, CHANNEL_QUEUE, queue, 0), ERR_OK);
    struct message m = session_message("", "one too many");
    assert_int_equal(rabbitmq_broker.publish(&s->broker, 0, &m, 9, &s->err), ERR_OK);
    session_publish_wait(s, 1);
    assert_int_equal(s->outcomes[0].outcome, OUTCOME_REFUSED);
    assert_int_equal(s->outcomes[0].token, 9);
    session_end(s);
    rig_wait_depth(rig, queue, 3);
}

/* The lab's broker takes 30 MB at most. It closes the channel at the message that is larger: that one has not arrived, nor has what
 * was sent behind it, and both are told why. */
static void a_message_that_is_too_large_is_refused(void **state)
{
    const size_t size = 31 * (size_t)1000000;
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "huge", "classic", NULL, queue);
    char *data = malloc(size + 1);
    memset(data, 'x', size);
    data[size] = '\0';
    const struct message m[] = {session_message("", "before"), session_message("", data),
                                session_message("", "behind")};
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_open_publish(s, CHANNEL_QUEUE, queue, 0), ERR_OK);
    size_t pending = 1;
    enum err e = ERR_OK;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(rabbitmq_broker.publish(&s->broker, 0, &m[i], i, &s->err), ERR_OK);
    for (int64_t until = clock_mono_ns() + 15 * NS_PER_S; !e && clock_mono_ns() < until;)
        e = rabbitmq_broker.publish_step(&s->broker, 500, &pending, &s->err);
    assert_int_equal(e, ERR_FAILED);
    assert_non_null(strstr(s->err.text, "larger than"));
    rabbitmq_broker.publish_close(&s->broker);
    assert_int_equal(s->outcome_count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct publish_outcome *o = &s->outcomes[i];
        if (o->token > 0)
            assert_int_equal(o->outcome, OUTCOME_REFUSED);
        if (o->token > 0 || o->outcome != OUTCOME_CONFIRMED)
            assert_non_null(strstr(o->err.text, "larger than"));
    }
    session_end(s);
    rig_wait_depth(rig, queue, 1);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typed_tables_come_back_as_they_were),
        cmocka_unit_test(an_absent_table_is_not_an_empty_one),
        cmocka_unit_test(a_name_that_the_wire_cannot_carry_is_refused),
        cmocka_unit_test(headers_of_more_than_a_frame_are_refused),
        cmocka_unit_test(an_empty_name_is_a_name),
        cmocka_unit_test(all_properties_come_back),
        cmocka_unit_test(a_large_payload_is_exact),
        cmocka_unit_test(a_message_that_is_too_large_is_refused),
        cmocka_unit_test(only_the_unroutable_one_is_returned),
        cmocka_unit_test(a_large_message_is_returned),
        cmocka_unit_test(a_missing_queue_is_made_on_request_only),
        cmocka_unit_test(a_missing_stream_is_made_as_a_stream),
        cmocka_unit_test(a_queue_is_no_stream),
        cmocka_unit_test(an_ambiguous_name_is_refused),
        cmocka_unit_test(a_name_that_begins_with_a_kind_is_named),
        cmocka_unit_test(the_name_of_another_user_is_refused),
        cmocka_unit_test(an_expiration_that_is_none_is_refused),
        cmocka_unit_test(the_brokers_counter_is_not_sent_again),
        cmocka_unit_test(a_full_window_is_busy_and_goes_on),
        cmocka_unit_test(closing_reports_what_is_outstanding),
        cmocka_unit_test(a_cut_connection_leaves_outcomes_unknown),
        cmocka_unit_test(a_full_queue_refuses),
    };
    return rig_run(tests, rig_teardown);
}
