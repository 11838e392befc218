/* The RabbitMQ driver and streams: a tail that lost its connection goes on where it stood, and says what it cannot have.
 * needs: rabbitmq */
#include "tests/integration/rabbit_session.h"

#include <pthread.h>

#define SEGMENT 20000

static void new_stream(struct rig *rig, const char *prefix, char name[64])
{
    rig_queue(rig, prefix, "stream", NULL, name);
}

static void remake_stream(struct rig *rig, const char *name)
{
    amqp_table_entry_t entries[] = {rig_text("x-queue-type", "stream")};
    amqp_queue_delete(rig->connection, rig->channel, amqp_cstring_bytes(name), 0, 0);
    assert_true(rig_went_well(rig));
    amqp_queue_declare(rig->connection, rig->channel, amqp_cstring_bytes(name), 0, 1, 0, 0,
                       (amqp_table_t){1, entries});
    assert_true(rig_went_well(rig));
}

static struct session_of_test *publisher(const char *stream)
{
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_open_publish(s, CHANNEL_STREAM, stream, 0), ERR_OK);
    return s;
}

static void put(struct session_of_test *s, const char *text)
{
    const struct message m = session_message(NULL, text);
    enum err e;
    size_t pending;
    while ((e = rabbitmq_broker.publish(&s->broker, 0, &m, 1, &s->err)) == ERR_BUSY)
        assert_int_equal(rabbitmq_broker.publish_step(&s->broker, 500, &pending, &s->err), ERR_OK);
    assert_int_equal(e, ERR_OK);
}

/* COUNT messages "FROM", "FROM + 1", ..., all there when this returns. */
static void add(const char *stream, int from, int count)
{
    struct session_of_test *s = publisher(stream);
    for (int i = from; i < from + count; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        put(s, text);
    }
    session_publish_wait(s, (size_t)count);
    session_end(s);
}

/* 200 messages of 1,000 bytes, each ten confirmed before the next: a segment ends between two chunks, which are small this way. */
static void add_large(const char *stream)
{
    char text[1001];
    struct session_of_test *s = publisher(stream);
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (size_t i = 1; i <= 200; i++) {
        put(s, text);
        if (i % 10 == 0)
            session_publish_wait(s, i);
    }
    session_end(s);
}

static struct session_of_test *tail(const struct channel_name *names, size_t count, struct start start,
                                    const struct read_places *places)
{
    struct session_of_test *s = session_up("/");
    const struct read_request request = {.mode = READ_TAP,
                                         .channels = names,
                                         .channel_count = count,
                                         .start = start,
                                         .resume = places,
                                         .partition = -1,
                                         .limit = -1};
    const struct read_sink sink = {s, keep_message, keep_notice};
    if (rabbitmq_broker.read_open(&s->broker, &request, &sink, &s->err))
        fail_msg("%s", s->err.text);
    return s;
}

static struct session_of_test *tail_one(const char *stream, struct start start,
                                        const struct read_places *places)
{
    return tail(&(struct channel_name){CHANNEL_STREAM, stream}, 1, start, places);
}

static struct read_places leave(struct session_of_test *s)
{
    struct read_places places;
    rabbitmq_broker.read_places(&s->broker, &places);
    assert_int_equal(session_close_read(s), ERR_OK);
    session_end(s);
    return places;
}

static void expect_place(struct read_places *places, int64_t next)
{
    assert_int_equal(places->count, 1);
    assert_int_equal(places->items[0].next, next);
    free(places->items);
}

/* COUNT messages come: offsets FROM, FROM + 1, ..., each with its own number in it. */
static void expect_from(struct session_of_test *s, int64_t from, size_t count)
{
    assert_int_equal(session_steps(s, count), ERR_OK);
    assert_int_equal(rabbitmq_broker.read_step(&s->broker, 200, &s->err), ERR_OK);
    assert_int_equal(s->count, count);
    for (size_t i = 0; i < count; i++) {
        char text[32];
        snprintf(text, sizeof text, "%lld", (long long)from + (long long)i);
        assert_int_equal(s->messages[i]->position.offset, from + (int64_t)i);
        assert_true(session_has(s, i, text));
    }
}

static void a_tail_goes_on_behind_what_it_saw(void **state)
{
    struct rig *rig = *state;
    static const struct start starts[] = {{START_BEGINNING, 0}, {START_LAST, 5}, {START_OFFSET, 3}};
    static const int64_t first[] = {0, 5, 3};
    for (size_t i = 0; i < 3; i++) {
        char stream[64];
        new_stream(rig, "goes-on", stream);
        add(stream, 0, 10);
        struct session_of_test *s = tail_one(stream, starts[i], NULL);
        expect_from(s, first[i], (size_t)(10 - first[i]));
        struct read_places places = leave(s);
        add(stream, 10, 5);
        s = tail_one(stream, starts[i], &places);
        free(places.items);
        expect_from(s, 10, 5);
        assert_string_equal(s->notice, "");
        add(stream, 15, 1);
        assert_int_equal(session_steps(s, 6), ERR_OK);
        places = leave(s);
        expect_place(&places, 16);
    }
}

/* Nothing has come yet: its end is its place all the same, of an empty stream too. */
static void a_silent_tail_misses_nothing(void **state)
{
    struct rig *rig = *state;
    for (int old = 0; old <= 10; old += 10) {
        char stream[64];
        new_stream(rig, "silent", stream);
        if (old)
            add(stream, 0, old);
        struct session_of_test *s = tail_one(stream, (struct start){0}, NULL);
        assert_int_equal(rabbitmq_broker.read_step(&s->broker, 200, &s->err), ERR_OK);
        assert_int_equal(s->count, 0);
        struct read_places places = leave(s);
        add(stream, old, 3);
        s = tail_one(stream, (struct start){0}, &places);
        free(places.items);
        expect_from(s, old, 3);
        session_end(s);
    }
}

static int64_t first_offset(const char *stream)
{
    struct session_of_test *s = tail_one(stream, (struct start){START_BEGINNING, 0}, NULL);
    assert_int_equal(session_steps(s, 1), ERR_OK);
    int64_t first = s->messages[0]->position.offset;
    session_end(s);
    return first;
}

/* The broker removes in its own time. */
static int64_t settled_first(const char *stream)
{
    int64_t deadline = clock_mono_ns() + 15 * NS_PER_S, before = -1, now = 0;
    while (now == 0 || now != before) {
        assert_true(clock_mono_ns() < deadline);
        usleep(300000);
        before = now;
        now = first_offset(stream);
    }
    return now;
}

static void what_retention_took_meanwhile_is_said(void **state)
{
    struct rig *rig = *state;
    char stream[64], text[80];
    amqp_table_entry_t entries[] = {rig_text("x-queue-type", "stream"),
                                    rig_number("x-max-length-bytes", 3 * SEGMENT),
                                    rig_number("x-stream-max-segment-size-bytes", SEGMENT)};
    lab_unique("retention", stream, sizeof stream);
    amqp_queue_declare(rig->connection, rig->channel, amqp_cstring_bytes(stream), 0, 1, 0, 0,
                       (amqp_table_t){3, entries});
    assert_true(rig_went_well(rig));
    rig_remember(rig, 'q', stream);
    add(stream, 0, 5);
    struct session_of_test *s = tail_one(stream, (struct start){START_BEGINNING, 0}, NULL);
    expect_from(s, 0, 5);
    struct read_places places = leave(s);
    add_large(stream);
    int64_t first = settled_first(stream);
    assert_true(first > 5);
    s = tail_one(stream, (struct start){0}, &places);
    free(places.items);
    snprintf(text, sizeof text, ": %lld offsets were removed before they could be seen",
             (long long)first - 5);
    assert_non_null(strstr(s->notice, text));
    assert_int_equal(session_steps(s, 1), ERR_OK);
    assert_int_equal(s->messages[0]->position.offset, first);
    session_end(s);
}

static void a_stream_that_was_made_anew_is_read_from_its_beginning(void **state)
{
    struct rig *rig = *state;
    char stream[64];
    new_stream(rig, "anew", stream);
    add(stream, 0, 10);
    struct session_of_test *s = tail_one(stream, (struct start){START_BEGINNING, 0}, NULL);
    expect_from(s, 0, 10);
    struct read_places places = leave(s);
    remake_stream(rig, stream);
    add(stream, 0, 3);
    s = tail_one(stream, (struct start){0}, &places);
    free(places.items);
    assert_non_null(strstr(s->notice, "was made anew since it was seen: it is read from its beginning"));
    expect_from(s, 0, 3);
    session_end(s);
}

/* Of one that comes back longer than it was, nothing was seen either. */
static void a_deleted_stream_is_forgotten(void **state)
{
    struct rig *rig = *state;
    char stream[64];
    new_stream(rig, "deleted", stream);
    add(stream, 0, 10);
    struct session_of_test *s = tail_one(stream, (struct start){START_BEGINNING, 0}, NULL);
    expect_from(s, 0, 10);
    amqp_queue_delete(rig->connection, rig->channel, amqp_cstring_bytes(stream), 0, 0);
    assert_true(rig_went_well(rig));
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_CLOSED);
    struct read_places places = leave(s);
    assert_true(places.items[0].anew);
    expect_place(&places, 0);
}

/* It is there again, and longer, before anybody asks for it. */
static void a_longer_stream_of_the_same_name_is_another_one(void **state)
{
    struct rig *rig = *state;
    for (int count = 0; count <= 12; count += 12) {
        char stream[64];
        new_stream(rig, "longer", stream);
        add(stream, 0, 4);
        struct session_of_test *s = tail_one(stream, (struct start){START_BEGINNING, 0}, NULL);
        expect_from(s, 0, 4);
        remake_stream(rig, stream);
        if (count)
            add(stream, 0, count);
        assert_int_equal(session_steps(s, SIZE_MAX), ERR_CLOSED);
        struct read_places places = leave(s);
        s = tail_one(stream, (struct start){0}, &places);
        free(places.items);
        assert_non_null(strstr(s->notice, "was made anew since it was seen: it is read from its beginning"));
        rabbitmq_broker.read_places(&s->broker, &places);
        assert_true(places.items[0].anew);
        free(places.items);
        if (count == 0)
            add(stream, 0, 12);
        expect_from(s, 0, 12);
        places = leave(s);
        assert_false(places.items[0].anew);
        expect_place(&places, 12);
    }
}

/* The end of the second one is looked at before the first one is read: its messages would be taken for the other's. */
static void two_streams_keep_their_messages_apart(void **state)
{
    struct rig *rig = *state;
    char first[64], second[64];
    new_stream(rig, "first", first);
    new_stream(rig, "second", second);
    add(first, 0, 10);
    add(second, 0, 10);
    const struct channel_name names[] = {{CHANNEL_STREAM, first}, {CHANNEL_STREAM, second}};
    struct session_of_test *s = tail(names, 2, (struct start){START_LAST, 4}, NULL);
    assert_int_equal(session_steps(s, 8), ERR_OK);
    assert_int_equal(rabbitmq_broker.read_step(&s->broker, 200, &s->err), ERR_OK);
    assert_int_equal(s->count, 8);
    session_end(s);
}

/* What is tapped has no place. */
static void only_streams_have_a_place(void **state)
{
    struct rig *rig = *state;
    char exchange[64], stream[64];
    rig_exchange(rig, "fanout", exchange);
    new_stream(rig, "beside", stream);
    add(stream, 0, 2);
    const struct channel_name names[] = {{CHANNEL_EXCHANGE, exchange}, {CHANNEL_STREAM, stream}};
    struct session_of_test *s = tail(names, 2, (struct start){START_BEGINNING, 0}, NULL);
    rig_send(rig, exchange, "", "tapped");
    assert_int_equal(session_steps(s, 3), ERR_OK);
    struct read_places places = leave(s);
    assert_int_equal(places.items[0].channel, 1);
    expect_place(&places, 2);
}

static enum err browse_since(struct session_of_test *s, const char *stream, int64_t ns)
{
    if (session_read(s, (struct channel_name){CHANNEL_STREAM, stream}, READ_BROWSE,
                     (struct start){START_TIME, ns}, -1, 0))
        fail_msg("%s", s->err.text);
    return session_steps(s, SIZE_MAX);
}

/* Times are those of chunks, to the second: what was sent in one second may come with what was asked for. */
static void a_stream_is_read_from_a_time_on(void **state)
{
    struct rig *rig = *state;
    char name[64];
    new_stream(rig, "time", name);
    add(name, 0, 3);
    for (int64_t second = clock_wall_ns() / NS_PER_S; clock_wall_ns() / NS_PER_S < second + 2;)
        usleep(10000);
    int64_t between = clock_wall_ns();
    add(name, 3, 2);
    struct session_of_test *s = session_up("/");
    assert_int_equal(browse_since(s, name, between), ERR_END);
    assert_int_equal(s->count, 2);
    assert_true(session_has(s, 0, "3"));
    assert_non_null(strstr(s->notice, "from the chunk on"));
    assert_int_equal(session_close_read(s), ERR_OK);
    assert_int_equal(browse_since(s, name, between - 3600 * NS_PER_S), ERR_END);
    assert_int_equal(s->count, 5);
    session_end(s);
}

/* The broker would wait for what comes next, for ever. */
static void a_time_that_nothing_has_reached_ends_a_browse(void **state)
{
    struct rig *rig = *state;
    char name[64];
    new_stream(rig, "past", name);
    add(name, 0, 3);
    struct session_of_test *s = session_up("/");
    assert_int_equal(browse_since(s, name, clock_wall_ns() + 3600 * NS_PER_S), ERR_END);
    assert_int_equal(s->count, 0);
    struct read_progress progress;
    rabbitmq_broker.read_progress(&s->broker, &progress);
    assert_string_equal(progress.stopped, "nothing that is stored there is of that time or later");
    session_end(s);
}

/* One after the other, for as long as nobody cancels it. */
static void *put_steadily(void *context)
{
    struct session_of_test *s = context;
    size_t pending;
    do
        put(s, "more");
    while (!rabbitmq_broker.publish_step(&s->broker, 20, &pending, &s->err) && !usleep(20000) &&
           !atomic_load(&s->cancelled));
    return NULL;
}

/* More than the prefetch, in few chunks. */
static void the_end_of_a_large_chunk_is_found(void **state)
{
    struct rig *rig = *state;
    char name[64];
    new_stream(rig, "large", name);
    add(name, 0, 5000);
    for (int i = 0; i < 20; i++) {
        struct session_of_test *s = session_up("/");
        const struct channel_name stream = {CHANNEL_STREAM, name};
        assert_int_equal(session_read(s, stream, READ_BROWSE, (struct start){START_LAST, 1}, -1, 0), ERR_OK);
        assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
        assert_int_equal(s->count, 1);
        assert_true(session_has(s, 0, "4999"));
        session_end(s);
    }
}

static void the_end_of_a_busy_stream_is_found_at_once(void **state)
{
    struct rig *rig = *state;
    char name[64];
    pthread_t thread;
    new_stream(rig, "busy", name);
    add(name, 0, 1000);
    struct session_of_test *writer = publisher(name), *s = session_up("/");
    assert_int_equal(pthread_create(&thread, NULL, put_steadily, writer), 0);
    const struct channel_name stream = {CHANNEL_STREAM, name};
    int64_t start = clock_mono_ns();
    enum err e = session_read(s, stream, READ_BROWSE, (struct start){START_LAST, 3}, -1, 0);
    int64_t took = clock_mono_ns() - start;
    enum err ended = session_steps(s, SIZE_MAX);
    atomic_store(&writer->cancelled, true);
    pthread_join(thread, NULL);
    print_message("%.0f ms\n", (double)took / NS_PER_MS);
    assert_int_equal(e, ERR_OK);
    assert_int_equal(ended, ERR_END);
    assert_int_equal(s->count, 3);
    assert_true(took < 2 * NS_PER_S);
    session_end(s);
    session_end(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tail_goes_on_behind_what_it_saw),
        cmocka_unit_test(a_silent_tail_misses_nothing),
        cmocka_unit_test(what_retention_took_meanwhile_is_said),
        cmocka_unit_test(a_stream_that_was_made_anew_is_read_from_its_beginning),
        cmocka_unit_test(a_deleted_stream_is_forgotten),
        cmocka_unit_test(a_longer_stream_of_the_same_name_is_another_one),
        cmocka_unit_test(two_streams_keep_their_messages_apart),
        cmocka_unit_test(only_streams_have_a_place),
        cmocka_unit_test(a_stream_is_read_from_a_time_on),
        cmocka_unit_test(a_time_that_nothing_has_reached_ends_a_browse),
        cmocka_unit_test(the_end_of_a_large_chunk_is_found),
        cmocka_unit_test(the_end_of_a_busy_stream_is_found_at_once),
    };
    return rig_run(tests, rig_teardown);
}
