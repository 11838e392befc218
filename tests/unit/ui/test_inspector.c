/* The message inspector: golden screens. */
#include "stage.h"

static void inspector(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        fill_tail(&s, 3);
        type(&s, "k\r");
        golden(&s, "inspector");
        type(&s, "jjjj");
        golden(&s, "inspector-field");
        type(&s, "\tjl");
        golden(&s, "inspector-hex");
        type(&s, "\t\t");
        golden(&s, "inspector-value");
        type(&s, "\t");
        golden(&s, "inspector-why");
        type(&s, "\tg h");
        golden(&s, "inspector-folded");
        type(&s, "[");
        golden(&s, "inspector-binary");
        type(&s, "]]");
        golden(&s, "inspector-null");
    }
}

/* A RabbitMQ message has no key and no position of its own: none is invented; the default exchange has a name. */
static void inspector_amqp(void **state)
{
    struct stage s;
    struct header properties[] = {
        {.name = BYTES_LITERAL("exchange"), .value = {.type = VALUE_STRING, .bytes = BYTES_LITERAL("")}},
        {.name = BYTES_LITERAL("routing_key"),
         .value = {.type = VALUE_STRING, .bytes = BYTES_LITERAL("orders")}}};
    struct message m = {.origin = origin_intern("rabbit-1", "orders.dlq", CHANNEL_QUEUE),
                        .time_ns = TIME_NONE,
                        .received_ns = FAKE_NOW,
                        .payload = BYTES_LITERAL("{\"a\":1,\"a\":2}"),
                        .properties = {properties, 2}};
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        store_add(s.hub->store, message_seal(&m, NULL));
        screen_event(s.screen, HUB_TAIL);
        type(&s, "\r");
        golden(&s, "inspector-amqp");
    }
}

/* Why it died stands first; what does not fit is said. */
static void inspector_dead_letter(void **state)
{
    struct stage s;
    struct header headers[12] = {
        {.name = BYTES_LITERAL("x-exception-message"),
         .value = {.type = VALUE_STRING, .bytes = BYTES_LITERAL("field total missing")}}};
    for (int i = 1; i < 12; i++)
        headers[i] = (struct header){.name = BYTES_LITERAL("n"), .value = {.type = VALUE_INT32, .i = i}};
    struct message m = {.origin = origin_intern("rabbit-1", "orders.dlq", CHANNEL_QUEUE),
                        .time_ns = FAKE_NOW,
                        .payload = BYTES_LITERAL("{}"),
                        .headers = {headers, 12}};
    (void)state;
    set_up(&s, 80, 24, true);
    open_tail(&s);
    store_add(s.hub->store, message_seal(&m, NULL));
    screen_event(s.screen, HUB_TAIL);
    type(&s, "\r");
    assert_true(screen_says(&s, "dead letter       field total missing"));
    assert_true(screen_says(&s, "Headers and properties  1-5 of 13"));
    type(&s, "/missing\rn");
    tear_down(&s);
}

/* An unwrapped layer has bytes of its own: the cursor in the tree changes between them. */
static void inspector_layers(void **state)
{
    static const char wrapped[] = "eyJiYXNlNjQiOnRydWUsInNheXMiOiJoZWxsbyJ9";
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        fake_message(s.hub, 0, "orders", "k", bytes_of_text(wrapped), 0);
        screen_event(s.screen, HUB_TAIL);
        type(&s, "\r");
        golden(&s, "inspector-layers");
        type(&s, "G");
        golden(&s, "inspector-layers-last");
        fake_message(s.hub, 1, "orders", "k", bytes_of_text("{\"id\":1,\"list\":[1,2,oops"), 0);
        type(&s, "]");
        golden(&s, "inspector-broken");
        type(&s, "v");
        golden(&s, "inspector-not-it");
    }
}

static void wait_until_decoded(struct stage *s)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 20;
    assert_int_equal(sem_timedwait(&s->hub->decoded, &deadline), 0);
    assert_true(screen_event(s->screen, HUB_DECODED));
}

static void open_payload(struct stage *s, struct bytes payload)
{
    open_tail(s);
    fake_message(s->hub, 0, "orders", "k", payload, 0);
    screen_event(s->screen, HUB_TAIL);
    type(s, "\r");
}

/* More than a tree holds: it is said why, by every decoder, and what is behind is found in the bytes. */
static void what_is_cut_is_said_and_searched(void **state)
{
    struct stage s;
    struct buffer many;
    (void)state;
    buffer_init(&many, 1 * MIB);
    buffer_text(&many, "{\"first\":\"hay\",\"rows\":[0");
    for (int i = 0; i < LIMIT_DECODE_NODES; i++)
        buffer_text(&many, ",1");
    buffer_text(&many, "],\"last\":\"needle\",\"z\":\"hay\"}");
    AT_ALL_SIZES(s, true)
    {
        open_payload(&s, buffer_view(&many));
        wait_until_decoded(&s);
        golden(&s, "inspector-cut");
        type(&s, "/Needle\r");
        golden(&s, "inspector-cut-found");
        type(&s, "n");
        assert_true(screen_says(&s, "Nothing else has `Needle`"));
        type(&s, "/hay\r");
        assert_true(
            screen_says(&s, "In the bytes, at 0x61aaf, which are not decoded: more than 200000 fields"));
        type(&s, "n");
        assert_true(screen_says(&s, "body.first"));
        type(&s, "N");
        assert_true(screen_says(&s, "In the bytes, at 0x61aaf"));
        type(&s, "/straw\r");
        assert_true(screen_says(&s, "Nothing has `straw`: neither a field nor the bytes"));
        type(&s, "v");
        wait_until_decoded(&s);
        assert_true(screen_says(&s, "Tree  unwrap"));
        assert_true(screen_says(&s, "▲ decoding stops at byte"));
        assert_true(screen_says(&s, "more than 200000"));
    }
    buffer_free(&many);
}

static void what_no_field_says_is_found_in_the_bytes(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    open_payload(&s, BYTES_LITERAL("{\"id\":88412,\"name\":\"a needle\"}"));
    type(&s, "/8412,\"NA\r");
    assert_true(screen_says(&s, "No field has `8412,\"NA` as it stands; the bytes do, at 0x7"));
    type(&s, "/needle\r");
    assert_true(screen_says(&s, "body.name"));
    tear_down(&s);
}

/* However deep: the cursor's field is in the pane, and its path at the foot. */
static void nesting_is_followed(void **state)
{
    struct stage s;
    char deep[601] = "";
    (void)state;
    memset(deep, '[', 300);
    memset(deep + 300, ']', 300);
    AT_ALL_SIZES(s, true)
    {
        open_payload(&s, bytes_of(deep, 600));
        type(&s, "llllllllllllllllllll");
        assert_true(screen_says(&s, "▸   ") && screen_says(&s, "▾ [0] [1]"));
        golden(&s, "inspector-deep");
        type(&s, "G");
        assert_true(screen_says(&s, " [0] [0]"));
        type(&s, "g");
        assert_true(screen_says(&s, "▸ ▾ [1]"));
    }
}

/* ] keeps the field and the pane; where the next message lacks it the headers are shown again. */
static void the_next_message_is_shown_at_the_same_field(void **state)
{
    static const char *const payloads[] = {"{\"a\":{\"b\":\"first\"}}",
                                           "{\"z\":0,\"a\":{\"x\":1,\"b\":\"second\"}}", "{\"a\":[]}"};
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    open_payload(&s, bytes_of_text(payloads[0]));
    for (unsigned i = 1; i < 3; i++)
        fake_message(s.hub, i, "orders", "k", bytes_of_text(payloads[i]), 0);
    screen_event(s.screen, HUB_TAIL);
    type(&s, "jj\t\t\t");
    assert_true(screen_says(&s, "│ first  "));
    type(&s, "]");
    assert_true(screen_says(&s, "│ second  "));
    assert_true(screen_says(&s, "body.a.b"));
    type(&s, "]");
    assert_true(screen_says(&s, "Headers and properties"));
    tear_down(&s);
}

/* A megabyte is decoded beside: the screen does not wait, and shows the bytes meanwhile. */
static void a_large_payload_is_decoded_beside(void **state)
{
    struct stage s;
    (void)state;
    struct buffer large;
    buffer_init(&large, 2 * MIB);
    buffer_text(&large, "{\"id\":88412,\"text\":\"");
    while (large.len < MIB)
        buffer_text(&large, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    buffer_text(&large, "\"}");
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        fake_message(s.hub, 0, "orders", "k", buffer_view(&large), 0);
        screen_event(s.screen, HUB_TAIL);
        type(&s, "\r");
        golden(&s, "inspector-decoding");
        wait_until_decoded(&s);
        golden(&s, "inspector-decoded");
        type(&s, "vvv"); /* each drops the job before it */
    }
    buffer_free(&large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inspector),
        cmocka_unit_test(inspector_amqp),
        cmocka_unit_test(inspector_dead_letter),
        cmocka_unit_test(inspector_layers),
        cmocka_unit_test(what_is_cut_is_said_and_searched),
        cmocka_unit_test(what_no_field_says_is_found_in_the_bytes),
        cmocka_unit_test(nesting_is_followed),
        cmocka_unit_test(the_next_message_is_shown_at_the_same_field),
        cmocka_unit_test(a_large_payload_is_decoded_beside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
