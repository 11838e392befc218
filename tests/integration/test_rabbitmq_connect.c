/* The RabbitMQ driver against the lab's broker: getting in, being kept out, and what the lists and the health say.
 * needs: rabbitmq */
#include "tests/integration/rabbit_session.h"

/* ---- getting in ---- */

static void the_administrator_gets_in(void **state)
{
    (void)state;
    session_end(session_up("/"));
    session_end(session_up("shop"));
}

static void a_wrong_password_is_auth(void **state)
{
    (void)state;
    struct session_of_test *s = session_new(lab_need("SB_RABBIT"));
    s->endpoint.password = "wrong";
    assert_int_equal(session_open(s), ERR_AUTH);
    assert_null(strstr(s->err.text, "wrong"));
    assert_string_not_equal(s->err.next, "");
    session_end(s);
}

static void an_unknown_vhost_is_told(void **state)
{
    (void)state;
    struct session_of_test *s = session_new(lab_need("SB_RABBIT"));
    s->endpoint.vhost = "nowhere";
    assert_int_equal(session_open(s), ERR_NOTFOUND);
    assert_non_null(strstr(s->err.text, "nowhere"));
    assert_non_null(strstr(s->err.next, "vhost"));
    session_end(s);
    s = session_new(lab_need("SB_RABBIT")); /* there, but not for the viewer */
    session_as(s, "SB_RABBIT_VIEWER", "SB_RABBIT_VIEWER_PASSWORD");
    s->endpoint.vhost = "shop";
    assert_int_equal(session_open(s), ERR_DENIED);
    session_end(s);
}

static void a_refused_port_is_unreachable(void **state)
{
    (void)state;
    struct session_of_test *s = session_new(lab_need("SB_REFUSED"));
    assert_int_equal(session_open(s), ERR_UNREACHABLE);
    session_end(s);
}

static void a_silent_port_is_a_timeout_in_time(void **state)
{
    (void)state;
    struct session_of_test *s = session_new(lab_need("SB_TCP_SILENT"));
    int64_t begin = clock_mono_ns();
    session_deadline(s, 1000);
    assert_int_equal(rabbitmq_broker.open(&s->broker, &s->err), ERR_TIMEOUT);
    session_end(s);
    assert_in_range((clock_mono_ns() - begin) / NS_PER_MS, 900, 4000);
}

static void what_is_no_amqp_port_is_no_broker(void **state)
{
    (void)state;
    const char *const ports[] = {"SB_TCP_CLOSES", "SB_TCP_GARBAGE"};
    for (size_t i = 0; i < 2; i++) {
        struct session_of_test *s = session_new(lab_need(ports[i]));
        session_deadline(s, 2000);
        enum err e = rabbitmq_broker.open(&s->broker, &s->err);
        assert_true(e == ERR_CLOSED || e == ERR_PROTOCOL || e == ERR_TIMEOUT || e == ERR_FORMAT);
        assert_string_not_equal(s->err.text, "");
        session_end(s);
    }
}

static void tls_is_verified(void **state)
{
    (void)state;
    struct session_of_test *s = session_new(lab_need("SB_RABBIT_TLS"));
    s->endpoint.tls = (struct tls_options){.on = true, .ca = lab_need("SB_CA")};
    if (session_open(s))
        fail_msg("%s", s->err.text);
    session_end(s);
    s = session_new(lab_need("SB_RABBIT_TLS")); /* an authority that this machine does not know */
    s->endpoint.tls = (struct tls_options){.on = true};
    assert_int_equal(session_open(s), ERR_TLS);
    assert_non_null(strstr(s->err.next, "ca"));
    session_end(s);
    s = session_new(lab_need("SB_RABBIT_TLS"));
    s->endpoint.tls = (struct tls_options){.on = true, .insecure = true};
    assert_int_equal(session_open(s), ERR_OK);
    session_end(s);
    char other
        [64]; /* the same server by a name that its certificate has not (rabbitmq-c before 0.14 looked at a part of it) */
    snprintf(other, sizeof other, "127.1%s", strrchr(lab_need("SB_RABBIT_TLS"), ':'));
    s = session_new(other);
    s->endpoint.tls = (struct tls_options){.on = true, .ca = lab_need("SB_CA")};
    assert_int_equal(session_open(s), ERR_TLS);
    assert_non_null(strstr(s->err.next, "that the name in the certificate is the host's"));
    session_end(s);
}

static void a_tls_port_without_tls_is_told(void **state)
{
    (void)state;
    struct session_of_test *s = session_new(lab_need("SB_RABBIT_TLS"));
    assert_int_equal(session_open(s), ERR_CLOSED);
    assert_non_null(strstr(s->err.text, "it may not speak AMQP without TLS here"));
    assert_non_null(strstr(s->err.next, "a TLS port wants rabbitmqs://"));
    session_end(s);
}

static void tls_to_a_silent_port_times_out(void **state)
{
    (void)state;
    struct session_of_test *s = session_new(lab_need("SB_TCP_SILENT"));
    s->endpoint.tls = (struct tls_options){.on = true, .ca = lab_need("SB_CA")};
    int64_t begin = clock_mono_ns();
    session_deadline(s, 1000);
    assert_int_equal(rabbitmq_broker.open(&s->broker, &s->err), ERR_TIMEOUT);
    session_end(s);
    assert_in_range((clock_mono_ns() - begin) / NS_PER_MS, 0, 4000);
    s = session_new(lab_need("SB_REFUSED"));
    s->endpoint.tls = (struct tls_options){.on = true, .ca = lab_need("SB_CA")};
    assert_int_equal(session_open(s), ERR_UNREACHABLE);
    session_end(s);
}

static void a_name_without_an_address_is_unreachable(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        struct session_of_test *s = session_new("no-such-host.invalid:5671");
        s->endpoint.tls.on = tls;
        assert_int_equal(session_open(s), ERR_UNREACHABLE);
        assert_non_null(strstr(s->err.text, "no-such-host.invalid:5671"));
        session_end(s);
    }
}

/* ---- lists ---- */

static struct channel_list *list_of(struct session_of_test *s, const char *pattern)
{
    struct channel_list *list = channel_list_new();
    session_deadline(s, 10000);
    list->complete = true;
    if (rabbitmq_broker.list(&s->broker, pattern, 0, list, &s->err))
        fail_msg("%s", s->err.text);
    return list;
}

/* The queue of somebody's tap is no channel of the shop's, and what flows into it is counted where it came from. */
static void the_queues_of_taps_are_internal(void **state)
{
    struct rig *rig = *state;
    char tap[64];
    const amqp_table_entry_t mark = rig_truth("x-signalbox-tap");
    rig_queue(rig, "list-tap", "classic", &mark, tap);
    struct session_of_test *s = session_up("/");
    struct channel_list *list = list_of(s, NULL);
    assert_null(channel_list_find(list, tap, CHANNEL_QUEUE));
    channel_list_free(&list);
    list = channel_list_new();
    session_deadline(s, 10000);
    assert_int_equal(rabbitmq_broker.list(&s->broker, NULL, READ_INTERNAL, list, &s->err), ERR_OK);
    const struct channel *c = channel_list_find(list, tap, CHANNEL_QUEUE);
    assert_true(c && c->internal);
    channel_list_free(&list);
    session_end(s);
}

static void the_list_tells_kinds_and_effects(void **state)
{
    struct rig *rig = *state;
    char classic[64], quorum[64], single[64], stream[64], topic[64];
    const amqp_table_entry_t sac = rig_truth("x-single-active-consumer");
    rig_queue(rig, "list-classic", "classic", NULL, classic);
    rig_queue(rig, "list-quorum", "quorum", NULL, quorum);
    rig_queue(rig, "list-single", "quorum", &sac, single);
    rig_queue(rig, "list-stream", "stream", NULL, stream);
    rig_exchange(rig, "topic", topic);
    struct session_of_test *s = session_up("/");
    struct channel_list *list = list_of(s, NULL);
    assert_true(list->complete);
    assert_ptr_equal(strstr(list->version, "RabbitMQ "), list->version);
    const struct channel *c = channel_list_find(list, classic, CHANNEL_QUEUE);
    assert_non_null(c);
    assert_string_equal(c->detail, "classic queue");
    assert_int_equal(c->browse_effect, EFFECT_MARKS);
    assert_int_equal(c->tap_effect, EFFECT_NONE);
    assert_null(c->why_not[CAN_BROWSE]);
    c = channel_list_find(list, quorum, CHANNEL_QUEUE);
    assert_non_null(c);
    assert_string_equal(c->detail, "quorum queue");
    assert_null(c->why_not[CAN_BROWSE]);
    c = channel_list_find(list, single, CHANNEL_QUEUE);
    assert_non_null(c);
    assert_non_null(c->why_not[CAN_BROWSE]);
    c = channel_list_find(list, stream, CHANNEL_STREAM);
    assert_non_null(c);
    assert_int_equal(c->browse_effect, EFFECT_NONE);
    assert_null(c->why_not[CAN_SEEK]);
    c = channel_list_find(list, topic, CHANNEL_EXCHANGE);
    assert_non_null(c);
    assert_string_equal(c->detail, "topic exchange");
    assert_non_null(c->why_not[CAN_BROWSE]);
    assert_null(channel_list_find(list, "amq.topic", CHANNEL_EXCHANGE));
    channel_list_free(&list);
    session_end(s);
}

/* Statistics come seconds late: the queue is asked. One of another connection alone would answer by closing the channel. */
static void the_list_tells_the_depth_of_one(void **state)
{
    struct rig *rig = *state;
    char queue[64], own[64];
    rig_queue(rig, "list-depth", "classic", NULL, queue);
    rig_fill(rig, queue, 5);
    lab_unique("list-own", own, sizeof own);
    amqp_queue_declare(rig->connection, rig->channel, amqp_cstring_bytes(own), 0, 0, 1, 0, amqp_empty_table);
    assert_true(rig_went_well(rig));
    rig_remember(rig, 'q', own);
    struct session_of_test *s = session_up("/");
    struct channel_list *list = list_of(s, queue);
    assert_int_equal(list->count, 1);
    assert_int_equal(list->items[0].depth, 5);
    assert_string_equal(list->items[0].state, "running");
    channel_list_free(&list);
    list = list_of(s, own);
    assert_int_equal(list->count, 1);
    channel_list_free(&list);
    list = list_of(s, "no-such-queue-at-all");
    assert_int_equal(list->count, 0);
    channel_list_free(&list);
    session_end(s);
}

static void without_management_a_named_queue_has_its_depth(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "nomgmt", "classic", NULL, queue);
    rig_fill(rig, queue, 3);
    struct session_of_test *s = session_new(lab_need("SB_RABBIT"));
    session_as(s, "SB_RABBIT_NOMGMT", "SB_RABBIT_NOMGMT_PASSWORD");
    assert_int_equal(session_open(s), ERR_OK);
    struct channel_list *list = list_of(s, NULL);
    assert_false(list->complete);
    assert_non_null(strstr(list->note, "nomgmt"));
    channel_list_free(&list);
    list = list_of(s, queue);
    assert_int_equal(list->count, 1);
    assert_int_equal(list->items[0].depth, 3);
    assert_false(list->complete);
    channel_list_free(&list);
    list = list_of(s, "no-such-queue-at-all"); /* costs the channel, not the session */
    assert_int_equal(list->count, 0);
    assert_int_equal(list->error, ERR_NOMATCH);
    assert_non_null(strstr(list->note, "no queue, stream or exchange no-such-queue-at-all"));
    channel_list_free(&list);
    assert_int_equal(session_browse(s, queue, -1), ERR_OK);
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
    assert_int_equal(s->count, 3);
    session_end(s);
    rig_wait_depth(rig, queue, 3);
}

/* AMQP names no types: the driver finds out, and takes nothing. */
static void without_management_the_kind_is_told(void **state)
{
    struct rig *rig = *state;
    static const char *const types[] = {"classic", "quorum", "stream"};
    struct session_of_test *s = session_new(lab_need("SB_RABBIT"));
    s->endpoint.management = "http://127.0.0.1:1";
    assert_int_equal(session_open(s), ERR_OK);
    for (size_t i = 0; i < 3; i++) {
        char name[64];
        bool stream = strcmp(types[i], "stream") == 0;
        rig_queue(rig, "told", types[i], NULL, name);
        rig_fill(rig, name, 2);
        struct channel_list *list = list_of(s, name);
        assert_int_equal(list->count, 1);
        assert_int_equal(list->items[0].kind, stream ? CHANNEL_STREAM : CHANNEL_QUEUE);
        assert_int_equal(list->items[0].browse_effect, stream ? EFFECT_NONE : EFFECT_MARKS);
        channel_list_free(&list);
        if (strcmp(types[i], "quorum") == 0)
            continue; /* it is not looked into without its limit being known */
        if (session_browse(s, name, -1))
            fail_msg("%s", s->err.text);
        assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
        assert_int_equal(s->count, 2);
        assert_int_equal(s->messages[0]->flags & MESSAGE_REDELIVERED, 0);
        assert_int_equal(session_close_read(s), ERR_OK);
    }
    session_end(s);
}

/* Who may not read a channel is not told what it is. */
static void a_kind_that_is_not_told_is_not_made_up(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "untold", "classic", NULL, queue);
    struct session_of_test *s = session_new(lab_need("SB_RABBIT"));
    session_as(s, "SB_RABBIT_VIEWER", "SB_RABBIT_VIEWER_PASSWORD");
    s->endpoint.management = "http://127.0.0.1:1";
    assert_int_equal(session_open(s), ERR_OK);
    struct channel_list *list = list_of(s, queue);
    assert_int_equal(list->count, 1);
    assert_int_equal(list->items[0].kind, CHANNEL_ANY);
    assert_string_equal(list->items[0].detail, "queue or stream");
    assert_int_equal(list->items[0].browse_effect, EFFECT_MARKS);
    channel_list_free(&list);
    const struct channel_name stream = {CHANNEL_STREAM, queue};
    assert_int_equal(session_read(s, stream, READ_BROWSE, (struct start){0}, -1, 0), ERR_REFUSED);
    assert_non_null(strstr(s->err.next, "management=URL"));
    session_end(s);
}

static void without_management_a_missing_queue_is_not_found(void **state)
{
    (void)state;
    struct session_of_test *s = session_new(lab_need("SB_RABBIT"));
    session_as(s, "SB_RABBIT_NOMGMT", "SB_RABBIT_NOMGMT_PASSWORD");
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(session_browse(s, "no-such-queue-at-all", -1), ERR_NOTFOUND);
    session_end(s);
    s = session_new(lab_need("SB_RABBIT"));
    s->endpoint.management = "http://127.0.0.1:1";
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(session_browse(s, "no-such-queue-at-all", -1), ERR_NOTFOUND);
    session_end(s);
}

static struct session_of_test *session_without_api(void)
{
    struct session_of_test *s = session_new(lab_need("SB_RABBIT"));
    session_as(s, "SB_RABBIT_NOMGMT", "SB_RABBIT_NOMGMT_PASSWORD");
    assert_int_equal(session_open(s), ERR_OK);
    return s;
}

/* Its limit cannot be known; that it is one is asked of AMQP, also behind arguments that are compared before the type. */
static void without_management_a_quorum_queue_is_refused(void **state)
{
    struct rig *rig = *state;
    char plain[64], other[64];
    const amqp_table_entry_t single = rig_truth("x-single-active-consumer"),
                             ttl = rig_number("x-message-ttl", 600000);
    rig_queue(rig, "nomgmt-quorum", "quorum", &ttl, plain);
    rig_queue(rig, "nomgmt-single", "quorum", &single, other);
    rig_fill(rig, plain, 2);
    const char *const names[] = {plain, other};
    for (size_t i = 0; i < 2; i++) {
        struct session_of_test *s = session_without_api();
        assert_int_equal(session_browse(s, names[i], -1), ERR_REFUSED);
        assert_non_null(strstr(s->err.text, "is a quorum queue"));
        assert_non_null(strstr(s->err.next, "?management=URL"));
        session_end(s);
    }
    rig_wait_depth(rig, plain, 2);
}

static void without_management_other_queues_are_looked_into(void **state)
{
    struct rig *rig = *state;
    char queue[64], stream[64];
    const amqp_table_entry_t lazy = rig_number("x-max-priority", 5);
    rig_queue(rig, "nomgmt-classic", "classic", &lazy, queue);
    rig_queue(rig, "nomgmt-stream", "stream", NULL, stream);
    rig_fill(rig, queue, 2);
    rig_fill(rig, stream, 3);
    struct session_of_test *s = session_without_api();
    assert_int_equal(session_browse(s, queue, -1), ERR_OK);
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
    assert_int_equal(s->count, 2);
    session_end(s);
    s = session_without_api();
    assert_int_equal(session_browse(s, stream, -1), ERR_OK);
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
    assert_int_equal(s->count, 3);
    session_end(s);
    s = session_without_api(); /* a reader of streams acknowledges, which would empty the queue */
    assert_int_equal(
        session_read(s, (struct channel_name){CHANNEL_STREAM, queue}, READ_BROWSE, (struct start){0}, -1, 0),
        ERR_USAGE);
    session_end(s);
    rig_wait_depth(rig, queue, 2);
}

/* The viewer may not declare, by which the type is asked; so nothing is risked. */
static void where_the_type_cannot_be_known_nothing_is_looked_into(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "orders", "quorum", NULL, queue);
    rig_fill(rig, queue, 1);
    struct session_of_test *s = session_new(lab_need("SB_RABBIT"));
    session_as(s, "SB_RABBIT_VIEWER", "SB_RABBIT_VIEWER_PASSWORD");
    s->endpoint.management = "http://127.0.0.1:1";
    assert_int_equal(session_open(s), ERR_OK);
    enum err e = session_browse(s, queue, -1);
    assert_int_equal(e, ERR_REFUSED);
    assert_non_null(strstr(s->err.next, "?management=URL"));
    session_end(s);
    rig_wait_depth(rig, queue, 1);
}

/* Reads what begins with `orders`, writes and configures nothing. */
static void the_viewer_sees_and_looks_but_taps_nothing(void **state)
{
    struct rig *rig = *state;
    char mine[64], other[64], exchange[64];
    rig_queue(rig, "orders", "classic", NULL, mine);
    rig_queue(rig, "other", "classic", NULL, other);
    rig_exchange(rig, "fanout", exchange);
    rig_fill(rig, mine, 2);
    rig_fill(rig, other, 1);
    struct session_of_test *s = session_new(lab_need("SB_RABBIT"));
    session_as(s, "SB_RABBIT_VIEWER", "SB_RABBIT_VIEWER_PASSWORD");
    assert_int_equal(session_open(s), ERR_OK);
    struct channel_list *list = list_of(s, NULL);
    assert_true(list->complete);
    assert_non_null(channel_list_find(list, mine, CHANNEL_QUEUE));
    channel_list_free(&list);
    assert_int_equal(session_browse(s, mine, -1), ERR_OK);
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
    assert_int_equal(s->count, 2);
    assert_int_equal(session_close_read(s), ERR_OK);
    assert_int_equal(session_browse(s, other, -1), ERR_OK);
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_DENIED);
    session_close_read(s);
    assert_int_equal(session_read(s, (struct channel_name){CHANNEL_EXCHANGE, exchange}, READ_TAP,
                                  (struct start){0}, -1, 0),
                     ERR_DENIED);
    session_end(s);
    rig_wait_depth(rig, mine, 2);
    rig_wait_depth(rig, other, 1);
}

/* ---- tags ---- */

static struct session_of_test *session_of_tag(const char *tag)
{
    rig_user(tag);
    struct session_of_test *s = session_new(lab_need("SB_RABBIT"));
    s->endpoint.username = s->endpoint.password = tag;
    if (session_open(s))
        fail_msg("%s", s->err.text);
    return s;
}

/* The nodes, whose alarms a ping asks for, are not for everybody: all else is, afterwards too. */
static void a_refused_path_is_no_refused_user(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    struct sample sample;
    rig_queue(rig, "tagged", "classic", NULL, queue);
    struct session_of_test *s = session_of_tag("management");
    sample_init(&sample);
    assert_int_equal(rabbitmq_broker.ping(&s->broker, &sample, &s->err), ERR_OK);
    assert_int_equal(sample.health, HEALTH_UP);
    struct channel_list *list = list_of(s, NULL);
    assert_true(list->complete);
    assert_non_null(channel_list_find(list, queue, CHANNEL_QUEUE));
    channel_list_free(&list);
    session_end(s);
}

static void who_may_switch_the_firehose_is_told(void **state)
{
    (void)state;
    static const char *const tags[] = {"management", "monitoring"};
    for (size_t i = 0; i < 2; i++) {
        struct session_of_test *s = session_of_tag(tags[i]);
        const struct channel_name name = {CHANNEL_EXCHANGE, ""};
        assert_int_equal(session_read(s, name, READ_TAP, (struct start){0}, -1, READ_FIREHOSE), ERR_DENIED);
        assert_non_null(strstr(s->err.text, "Not administrator user"));
        assert_non_null(strstr(s->err.next, "by an administrator"));
        session_end(s);
    }
}

/* ---- health ---- */

static void ping_says_up(void **state)
{
    (void)state;
    const char *const users[][2] = {{"SB_RABBIT_USER", "SB_RABBIT_PASSWORD"},
                                    {"SB_RABBIT_NOMGMT", "SB_RABBIT_NOMGMT_PASSWORD"}};
    for (size_t i = 0; i < 2; i++) {
        struct session_of_test *s = session_new(lab_need("SB_RABBIT"));
        struct sample sample;
        session_as(s, users[i][0], users[i][1]);
        assert_int_equal(session_open(s), ERR_OK);
        sample_init(&sample);
        assert_int_equal(rabbitmq_broker.ping(&s->broker, &sample, &s->err), ERR_OK);
        assert_int_equal(sample.health, HEALTH_UP);
        assert_string_equal(sample.code, "AMQP");
        session_end(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_administrator_gets_in),
        cmocka_unit_test(a_wrong_password_is_auth),
        cmocka_unit_test(an_unknown_vhost_is_told),
        cmocka_unit_test(a_refused_port_is_unreachable),
        cmocka_unit_test(a_silent_port_is_a_timeout_in_time),
        cmocka_unit_test(what_is_no_amqp_port_is_no_broker),
        cmocka_unit_test(tls_is_verified),
        cmocka_unit_test(a_tls_port_without_tls_is_told),
        cmocka_unit_test(tls_to_a_silent_port_times_out),
        cmocka_unit_test(a_name_without_an_address_is_unreachable),
        cmocka_unit_test(the_list_tells_kinds_and_effects),
        cmocka_unit_test(the_queues_of_taps_are_internal),
        cmocka_unit_test(the_list_tells_the_depth_of_one),
        cmocka_unit_test(without_management_a_named_queue_has_its_depth),
        cmocka_unit_test(without_management_the_kind_is_told),
        cmocka_unit_test(a_kind_that_is_not_told_is_not_made_up),
        cmocka_unit_test(without_management_a_missing_queue_is_not_found),
        cmocka_unit_test(without_management_a_quorum_queue_is_refused),
        cmocka_unit_test(without_management_other_queues_are_looked_into),
        cmocka_unit_test(where_the_type_cannot_be_known_nothing_is_looked_into),
        cmocka_unit_test(the_viewer_sees_and_looks_but_taps_nothing),
        cmocka_unit_test(a_refused_path_is_no_refused_user),
        cmocka_unit_test(who_may_switch_the_firehose_is_told),
        cmocka_unit_test(ping_says_up),
    };
    return rig_run(tests, rig_teardown);
}
