/* The message inspector: golden screens. */
#include "stage.h"

#include "ui/inspect.h"

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
    type(&s, "/missing\r"); /* whoever reads that wants to know where it comes from */
    assert_true(screen_says(&s, "▸dead letter       field total missing"));
    type(&s, "n");
    assert_true(screen_says(&s, "▸x-exception-mess"));
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

/* Fields first, then key, headers and properties, then round again; what is found there is marked. */
static void key_and_headers_are_found(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        fake_message(s.hub, 0, "orders", "o-ACME", BYTES_LITERAL("{\"id\":7,\"by\":\"acme\"}"), 0);
        screen_event(s.screen, HUB_TAIL);
        type(&s, "\r/acme\r");
        assert_true(screen_says(&s, "body.by"));
        type(&s, "n");
        assert_true(screen_says(&s, "▸key               o-ACME"));
        type(&s, "n");
        golden(&s, "inspector-header-found");
        type(&s, "n");
        assert_false(screen_says(&s, "▸x-tenant"));
        assert_true(screen_says(&s, "From the top. In `body.by`"));
        type(&s, "N");
        assert_true(screen_says(&s, "From the end. In `x-tenant`"));
        type(&s, "N");
        assert_true(screen_says(&s, "▸key "));
        assert_false(screen_says(&s, "From the end"));
        type(&s, "N");
        assert_false(screen_says(&s, "▸key "));
        type(&s, "/STAMP_TYPE\r"); /* a name, in any case */
        assert_true(screen_says(&s, "▸timestamp_type"));
        type(&s, "n");
        assert_true(screen_says(&s, "Nothing else has `STAMP_TYPE`"));
        type(&s, "/00f067aa\r");
        assert_true(screen_says(&s, "▸traceparent"));
        type(&s, "/:7,\r"); /* in no field, in no header */
        assert_true(screen_says(&s, "No field or header has `:7,` as it stands; the bytes do, at 0x5"));
        assert_false(screen_says(&s, "▸traceparent"));
    }
}

static void a_large_header_is_looked_through_in_slices(void **state)
{
    struct stage s;
    struct buffer large;
    struct header header = {.name = BYTES_LITERAL("stack"), .value = {.type = VALUE_STRING}};
    struct message m = {.origin = origin_intern("kafka-a", "orders", CHANNEL_TOPIC),
                        .time_ns = FAKE_NOW,
                        .payload = BYTES_LITERAL("{}"),
                        .headers = {&header, 1}};
    (void)state;
    set_up(&s, 80, 24, true);
    buffer_init(&large, 1 * MIB);
    while (large.len < 900 * KIB)
        buffer_text(&large, "hay and hay and hay and hay and ");
    buffer_text(&large, "a needle");
    header.value.bytes = buffer_view(&large);
    open_tail(&s);
    store_add(s.hub->store, message_seal(&m, NULL));
    screen_event(s.screen, HUB_TAIL);
    type(&s, "\r/needle\r");
    while (screen_work(s.screen, 0))
        assert_true(screen_says(&s, "looking for `needle` …   Esc stops it"));
    assert_true(screen_says(&s, "▸stack"));
    assert_true(screen_says(&s, "In `stack`, 921602 bytes in"));
    tear_down(&s);
    buffer_free(&large);
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

/* A message may be as large as the store: it is held while one can come back to it, and not longer. */
static void what_was_left_is_not_held(void **state)
{
    static const char *const ways[] = {"q", "2", "1", "3q2"}; /* from behind the log, too */
    struct stage s;
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        set_up(&s, 120, 40, true);
        open_payload(&s, BYTES_LITERAL("{\"a\":1}"));
        const struct message *m = store_get(hub_store(s.hub), store_newest(hub_store(s.hub)));
        assert_int_equal(atomic_load(&m->refs), 2);
        type(&s, "3q");
        assert_true(screen_says(&s, "body"));
        assert_int_equal(atomic_load(&m->refs), 2);
        type(&s, ways[i]);
        assert_int_equal(atomic_load(&m->refs), 1);
        tear_down(&s);
    }
}

/* What a find in a large message does in slices. Returns how many it took. */
static unsigned look_on(struct stage *s)
{
    unsigned slices = 0;
    while (screen_work(s->screen, 0)) /* a deadline that is over */
        slices++;
    return slices;
}

static void find(struct stage *s, const char *keys)
{
    type(s, keys);
    look_on(s);
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
        find(&s, "/Needle\r");
        golden(&s, "inspector-cut-found");
        find(&s, "n");
        assert_true(screen_says(&s, "Nothing else has `Needle`"));
        find(&s, "/hay\r");
        assert_true(
            screen_says(&s, "In the bytes, at 0x61aaf, which are not decoded: more than 200000 fields"));
        find(&s, "n");
        assert_true(screen_says(&s, "body.first"));
        find(&s, "N");
        assert_true(screen_says(&s, "In the bytes, at 0x61aaf"));
        find(&s, "/straw\r");
        assert_true(screen_says(&s, "Nothing has `straw`: no field, no header, nor the bytes"));
        type(&s, "v");
        wait_until_decoded(&s);
        assert_true(screen_says(&s, "Tree  unwrap, chosen"));
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
    assert_true(screen_says(&s, "No field or header has `8412,\"NA` as it stands; the bytes do, at 0x7"));
    type(&s, "n");
    assert_true(screen_says(&s, "Nothing else has `8412,\"NA`"));
    type(&s, "/needle\r");
    assert_true(screen_says(&s, "body.name"));
    fake_message(s.hub, 1, "orders", "k", BYTES_LITERAL("{\"a\":\"x\\ny\",\"bb\":\"x\\ny\",\"c\":\"X\\nY\"}"),
                 0);
    screen_event(s.screen, HUB_TAIL);
    type(&s, "]/x\\ny\r");
#define ON   "as it stands; the bytes do, at "
#define TOP  "From the top. In the bytes, at "
#define END_ "From the end. In the bytes, at "
    static const char *const steps[][2] = {{"", ON "0x6"},   {"n", ON "0x12"},    {"n", ON "0x1d"},
                                           {"n", TOP "0x6"}, {"N", END_ "0x1d"},  {"N", ON "0x12"},
                                           {"N", ON "0x6"},  {"gN", END_ "0x1d"}, {"Gn", TOP "0x6"}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        char said[80];
        snprintf(said, sizeof said, "%s\n", steps[i][1]);
        type(&s, steps[i][0]);
        assert_true(screen_says(&s, said));
    }
    tear_down(&s);
}

/* Upwards and downwards, piece by piece, the same as letter by letter. */
static void bytes_are_found_in_pieces(void **state)
{
    static uint8_t in[3 * FIND_PIECE + 5];
    uint8_t text[FIND_MOST];
    uint32_t random = 1;
    (void)state;
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = "aAbB"[(random = random * 1664525 + 1013904223) >> 30];
    for (size_t len = 1; len <= FIND_MOST; len += len < 20 ? 1 : 59) {
        for (size_t begin = 0; begin + len <= sizeof in; begin += FIND_PIECE / 2 - 3) {
            bytes_fold(text, bytes_of(in + begin, len));
            struct span left = {begin, SIZE_MAX};
            assert_int_equal(bytes_find(bytes_of(in, sizeof in), &left, bytes_of(text, len), 1), begin);
            left = (struct span){0, begin + 1};
            assert_int_equal(bytes_find(bytes_of(in, sizeof in), &left, bytes_of(text, len), -1), begin);
        }
        memset(text, 'c', len);
        for (int step = -1; step <= 1; step += 2) {
            struct span left = {0, SIZE_MAX};
            unsigned pieces = 0;
            for (; left.from < left.end; pieces++)
                assert_true(bytes_find(bytes_of(in, sizeof in), &left, bytes_of(text, len), step) ==
                            SIZE_MAX);
            assert_in_range(pieces, 3, 4);
        }
    }
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

/* The last that a filter shows is not the newest that there is. */
static void the_end_of_what_is_shown_is_called_that(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    open_tail(&s);
    fake_message(s.hub, 0, "orders", "k", bytes_of_text("a wanted one"), 0);
    fake_message(s.hub, 1, "orders", "k", bytes_of_text("another"), 0);
    screen_event(s.screen, HUB_TAIL);
    type(&s, "\\wanted\r\r]");
    assert_true(screen_says(&s, "This is the newest that is shown (1 hidden by the filter)"));
    type(&s, "qf");
    screen_key(s.screen, UIKEY_ESCAPE);
    type(&s, "\r]");
    assert_true(screen_says(&s, "This is the newest message"));
    type(&s, "q:browse kafka-a/orders\r");
    fake_message(s.hub, 0, "orders", "k", bytes_of_text("a wanted one"), 0);
    screen_event(s.screen, HUB_TAIL);
    type(&s, "\r]");
    assert_true(screen_says(&s, "This is the last that was read"));
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

/* A key waits for a fraction of it only; it is said meanwhile, and Esc, C-c and another message end it. */
static void a_large_payload_is_looked_through_in_slices(void **state)
{
    struct stage s;
    struct buffer large;
    (void)state;
    set_up(&s, 80, 24, true);
    buffer_init(&large, 1 * MIB);
    while (large.len < 900 * KIB)
        buffer_text(&large, "hay and hay and hay and hay and ");
    memcpy(large.data + 1000, "ONE", 3);
    memcpy(large.data + 899 * KIB, "one", 3);
    open_payload(&s, buffer_view(&large));
    static const char *const ends[] = {"\x1b", "\x03", "v"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        type(&s, "/needle\r");
        assert_true(screen_says(&s, "looking for `needle` …   Esc stops it"));
        assert_true(screen_work(s.screen, 0));
        type(&s, ends[i]);
        assert_false(screen_work(s.screen, 0));
        assert_true(screen_says(&s, "message k"));
        assert_false(screen_says(&s, "needle"));
    }
    type(&s, "/needle\r");
    assert_in_range(look_on(&s), 5, 20);
    assert_true(screen_says(&s, "Nothing has `needle`: no field, no header, nor the bytes"));
    type(&s, "/one\r");
    assert_true(screen_says(&s, "In the bytes, at 0x3e8; its fields are still being decoded"));
    type(&s, "N"); /* round, to the last one, which is near the end */
    assert_true(screen_says(&s, "In the bytes, at 0xe0c00; its fields are still being decoded"));
    type(&s, "n/needle\r:log\r"); /* what is not on the screen rests */
    assert_false(screen_work(s.screen, 0));
    type(&s, "q");
    assert_true(screen_work(s.screen, 0));
    type(&s, "qk\r");
    assert_false(screen_work(s.screen, 0));
    tear_down(&s);
    buffer_free(&large);
}

/* Decoding is ready while one looks: what was found in no byte may be in a field. */
static void fields_that_come_later_are_looked_through(void **state)
{
    struct stage s;
    struct buffer large;
    (void)state;
    set_up(&s, 80, 24, true);
    buffer_init(&large, 1 * MIB);
    buffer_text(&large, "[\"");
    while (large.len < 900 * KIB)
        buffer_text(&large, "hay and hay and hay and hay and ");
    buffer_text(&large, "\\u006eeedle and a needle\"]");
    open_payload(&s, buffer_view(&large));
    type(&s, "/a\\u006eeedle\r");
    type(&s, "/D NEEDLE\r");
    wait_until_decoded(&s);
    look_on(&s);
    assert_true(screen_says(&s, "body[0]"));
    assert_false(screen_says(&s, "In the bytes"));
    tear_down(&s);
    buffer_free(&large);
}

static size_t faults(struct stage *s)
{
    screen_draw(s->screen);
    const struct canvas *c = screen_canvas(s->screen);
    size_t count = 0;
    for (int n = 0; n < c->w * c->h; n++)
        count += c->cells[n].role == ROLE_FAULT;
    return count;
}

/* A fault is marked in the bytes where it lies: the payload around it is right. */
static void a_fault_in_a_layer_is_marked_there(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    open_payload(&s, BYTES_LITERAL("eyJiYXNlNjQiOnRydWUsInNheXMiOmhlbGxvLCJtb3JlIjpbMSwyLDNdfQ=="));
    assert_true(screen_says(&s, "✖ at byte 22 of layer 1: "));
    assert_int_equal(faults(&s), 0);
    type(&s, "j");
    assert_int_equal(faults(&s), 3); /* its digits and its letter */
    type(&s, "/ldndfq==\r");
    assert_true(screen_says(&s, "No field or header has `ldndfq==` as it stands; the bytes do, at 0x34"));
    tear_down(&s);
}

static void what_stays_closed_is_said(void **state)
{
    struct stage s;
    struct buffer in, next;
    (void)state;
    buffer_init(&in, MIB);
    buffer_init(&next, MIB);
    buffer_text(&in, "{\"a\":1}");
    for (unsigned i = 0; i <= LIMIT_UNWRAP_LAYERS; i++) {
        buffer_clear(&next);
        buffer_text(&next, "[\"");
        for (size_t n = 0; n < in.len; n++) {
            if (in.data[n] == '"' || in.data[n] == '\\')
                buffer_byte(&next, '\\');
            buffer_byte(&next, in.data[n]);
        }
        buffer_text(&next, "\"]");
        buffer_clear(&in);
        buffer_bytes(&in, buffer_view(&next));
    }
    AT_ALL_SIZES(s, true)
    {
        open_payload(&s, buffer_view(&in));
        assert_false(screen_says(&s, "stays closed"));
        type(&s, "v");
        golden(&s, "inspector-unopened");
    }
    buffer_free(&in);
    buffer_free(&next);
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
        cmocka_unit_test(key_and_headers_are_found),
        cmocka_unit_test(a_large_header_is_looked_through_in_slices),
        cmocka_unit_test(bytes_are_found_in_pieces),
        cmocka_unit_test(nesting_is_followed),
        cmocka_unit_test(the_next_message_is_shown_at_the_same_field),
        cmocka_unit_test(the_end_of_what_is_shown_is_called_that),
        cmocka_unit_test(a_large_payload_is_decoded_beside),
        cmocka_unit_test(a_large_payload_is_looked_through_in_slices),
        cmocka_unit_test(fields_that_come_later_are_looked_through),
        cmocka_unit_test(a_fault_in_a_layer_is_marked_there),
        cmocka_unit_test(what_stays_closed_is_said),
        cmocka_unit_test(what_was_left_is_not_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
