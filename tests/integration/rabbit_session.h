/* A session with the RabbitMQ driver as the engine would hold it, and a rig beside it: a connection of the tests' own that
 * declares, binds, counts and removes. */
#ifndef TESTS_INTEGRATION_RABBIT_SESSION_H
#define TESTS_INTEGRATION_RABBIT_SESSION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "brokers/rabbitmq/rabbitmq.h"
#include "brokers/rabbitmq/rabbitmq_library.h"
#include "tests/support/lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define KEEP 1024

/* ---- the rig ---- */

struct rig {
    amqp_connection_state_t connection;
    amqp_channel_t channel; /* the server closes one for each wrong question: the next one is used then */
    char names[256][80];    /* to remove: kind letter and name */
    size_t count;
};

static inline void rig_channel(struct rig *rig)
{
    amqp_channel_open(rig->connection, ++rig->channel);
    assert_int_equal(amqp_get_rpc_reply(rig->connection).reply_type, AMQP_RESPONSE_NORMAL);
}

static inline struct rig *rig_open(const char *vhost)
{
    const char *address = lab_need("SB_RABBIT");
    struct rig *rig = calloc(1, sizeof *rig);
    rig->connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(rig->connection);
    assert_int_equal(amqp_socket_open(socket, "127.0.0.1", (int)strtol(strrchr(address, ':') + 1, NULL, 10)),
                     0);
    amqp_rpc_reply_t reply = amqp_login(rig->connection, vhost, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN,
                                        lab_need("SB_RABBIT_USER"), lab_need("SB_RABBIT_PASSWORD"));
    assert_int_equal(reply.reply_type, AMQP_RESPONSE_NORMAL);
    rig_channel(rig);
    return rig;
}

/* Whether the last question went well; a refused one costs the channel. */
static inline bool rig_went_well(struct rig *rig)
{
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(rig->connection);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    assert_int_equal(reply.reply_type, AMQP_RESPONSE_SERVER_EXCEPTION);
    amqp_channel_close_ok_t ok = {0};
    amqp_send_method(rig->connection, rig->channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
    rig_channel(rig);
    return false;
}

static inline void rig_remember(struct rig *rig, char kind, const char *name)
{
    assert_true(rig->count < 256);
    snprintf(rig->names[rig->count++], sizeof rig->names[0], "%c%.78s", kind, name);
}

static inline amqp_table_entry_t rig_text(const char *name, const char *value)
{
    amqp_table_entry_t e = {.key = amqp_cstring_bytes(name), .value = {.kind = AMQP_FIELD_KIND_UTF8}};
    e.value.value.bytes = amqp_cstring_bytes(value);
    return e;
}

static inline amqp_table_entry_t rig_number(const char *name, int64_t value)
{
    amqp_table_entry_t e = {.key = amqp_cstring_bytes(name), .value = {.kind = AMQP_FIELD_KIND_I64}};
    e.value.value.i64 = value;
    return e;
}

static inline amqp_table_entry_t rig_truth(const char *name)
{
    amqp_table_entry_t e = {.key = amqp_cstring_bytes(name), .value = {.kind = AMQP_FIELD_KIND_BOOLEAN}};
    e.value.value.boolean = 1;
    return e;
}

/* A durable queue of that type with one more argument (or NULL), and its unique name into NAME. */
static inline void rig_queue(struct rig *rig, const char *prefix, const char *type,
                             const amqp_table_entry_t *more, char name[64])
{
    amqp_table_entry_t entries[2] = {rig_text("x-queue-type", type)};
    if (more)
        entries[1] = *more;
    lab_unique(prefix, name, 64);
    amqp_queue_declare(rig->connection, rig->channel, amqp_cstring_bytes(name), 0, 1, 0, 0,
                       (amqp_table_t){more ? 2 : 1, entries});
    assert_true(rig_went_well(rig));
    rig_remember(rig, 'q', name);
}

static inline void rig_exchange(struct rig *rig, const char *type, char name[64])
{
    lab_unique(type, name, 64);
    amqp_exchange_declare(rig->connection, rig->channel, amqp_cstring_bytes(name), amqp_cstring_bytes(type),
                          0, 0, 0, 0, amqp_empty_table);
    assert_true(rig_went_well(rig));
    rig_remember(rig, 'x', name);
}

static inline void rig_bind(struct rig *rig, const char *queue, const char *exchange, const char *key)
{
    amqp_queue_bind(rig->connection, rig->channel, amqp_cstring_bytes(queue), amqp_cstring_bytes(exchange),
                    amqp_cstring_bytes(key), amqp_empty_table);
    assert_true(rig_went_well(rig));
}

static inline void rig_send(struct rig *rig, const char *exchange, const char *key, const char *text)
{
    assert_int_equal(amqp_basic_publish(rig->connection, rig->channel, amqp_cstring_bytes(exchange),
                                        amqp_cstring_bytes(key), 0, 0, NULL, amqp_cstring_bytes(text)),
                     0);
}

/* Messages ready; -1 where there is no such queue. The same channel published before: those are counted. */
static inline int64_t rig_depth(struct rig *rig, const char *queue)
{
    amqp_queue_declare_ok_t *ok = amqp_queue_declare(rig->connection, rig->channel, amqp_cstring_bytes(queue),
                                                     1, 0, 0, 0, amqp_empty_table);
    int64_t depth = ok ? (int64_t)ok->message_count : -1;
    (void)rig_went_well(rig);
    return depth;
}

static inline void rig_wait_depth(struct rig *rig, const char *queue, int64_t depth)
{
    int64_t deadline = clock_mono_ns() + 15 * NS_PER_S, now;
    while ((now = rig_depth(rig, queue)) != depth) {
        if (clock_mono_ns() > deadline)
            fail_msg("%s has %lld messages, not %lld", queue, (long long)now, (long long)depth);
        usleep(20000);
    }
}

/* COUNT messages "0", "1", ... by the default exchange, all there when this returns. */
static inline void rig_fill(struct rig *rig, const char *queue, int count)
{
    for (int i = 0; i < count; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        rig_send(rig, "", queue, text);
    }
    rig_wait_depth(rig, queue, count);
}

static inline void rig_close(struct rig *rig)
{
    for (size_t i = 0; i < rig->count; i++) {
        amqp_bytes_t name = amqp_cstring_bytes(rig->names[i] + 1);
        if (rig->names[i][0] == 'q')
            amqp_queue_delete(rig->connection, rig->channel, name, 0, 0);
        else
            amqp_exchange_delete(rig->connection, rig->channel, name, 0);
        (void)rig_went_well(rig);
    }
    amqp_connection_close(rig->connection, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(rig->connection);
    free(rig);
}

/* GET of a path below /api, by the administrator. */
static inline void rig_api(const char *path, char *out, size_t size)
{
    char command[512];
    snprintf(command, sizeof command, "curl -sS -m 10 -u %s:%s '%s/api/%s'", lab_need("SB_RABBIT_USER"),
             lab_need("SB_RABBIT_PASSWORD"), lab_need("SB_RABBIT_MGMT"), path);
    assert_int_equal(lab_shell(command, out, size), 0);
}

/* Another method than GET, by the administrator. */
static inline void rig_ask(const char *method, const char *path, const char *json)
{
    char command[800];
    snprintf(command, sizeof command,
             "curl -sS -m 10 -u %s:%s -X %s -H content-type:application/json -d '%s' '%s/api/%s'",
             lab_need("SB_RABBIT_USER"), lab_need("SB_RABBIT_PASSWORD"), method, json,
             lab_need("SB_RABBIT_MGMT"), path);
    assert_int_equal(lab_shell(command, NULL, 0), 0);
}

/* A user called like its tag, and so is its password. */
static inline void rig_user(const char *tag)
{
    char path[120], json[120];
    snprintf(path, sizeof path, "users/%s", tag);
    snprintf(json, sizeof json, "{\"password\":\"%s\",\"tags\":\"%s\"}", tag, tag);
    rig_ask("PUT", path, json);
    snprintf(path, sizeof path, "permissions/%%2F/%s", tag);
    rig_ask("PUT", path, "{\"configure\":\".*\",\"write\":\".*\",\"read\":\".*\"}");
}

/* ---- a program of tests ---- */

static inline int rig_setup(void **state)
{
    *state = rig_open("/");
    return 0;
}

static inline int rig_teardown(void **state)
{
    if (*state)
        rig_close(*state);
    return 0;
}

static inline void rabbitmq_is_there(void **state)
{
    (void)state;
    (void)lab_need("SB_RABBIT");
}

static inline int rig_without_lab(void)
{
    const struct CMUnitTest there[] = {cmocka_unit_test(rabbitmq_is_there)};
    return cmocka_run_group_tests(there, NULL, NULL);
}

/* The tests' main: their state is a rig. Without the lab one test is skipped, which says so. */
#define rig_run(tests, teardown) \
 (lab_get("SB_RABBIT") ? cmocka_run_group_tests(tests, rig_setup, teardown) : rig_without_lab())

/* ---- the session ---- */

struct session_of_test {
    struct endpoint endpoint;
    char host[64];
    atomic_bool cancelled;
    struct broker broker;
    struct err_info err;
    /* what the sinks got */
    struct message *messages[KEEP];
    size_t count;
    size_t stop_at; /* EMIT_STOP with that one; 0 never */
    bool pause;     /* EMIT_PAUSE after each */
    char notice[512];
    struct publish_outcome outcomes[256];
    size_t outcome_count;
};

static inline enum emit keep_message(void *context, const struct message *m)
{
    struct session_of_test *s = context;
    if (s->count < KEEP)
        s->messages[s->count] = message_seal(m, NULL);
    s->count++;
    if (s->stop_at && s->count >= s->stop_at)
        return EMIT_STOP;
    return s->pause ? EMIT_PAUSE : EMIT_OK;
}

static inline void keep_notice(void *context, const char *text)
{
    struct session_of_test *s = context;
    snprintf(s->notice, sizeof s->notice, "%s", text);
}

static inline void keep_outcome(void *context, const struct publish_outcome *o)
{
    struct session_of_test *s = context;
    if (s->outcome_count < 256)
        s->outcomes[s->outcome_count] = *o;
    s->outcome_count++;
}

/* As the administrator, in vhost "/"; the caller may change the endpoint before session_open. */
static inline struct session_of_test *session_new(const char *host_port)
{
    struct session_of_test *s = calloc(1, sizeof *s);
    const char *colon = strrchr(host_port, ':');
    snprintf(s->host, sizeof s->host, "%.*s", (int)(colon - host_port), host_port);
    s->endpoint = (struct endpoint){.name = "lab",
                                    .text = "rabbitmq://lab",
                                    .vhost = "/",
                                    .username = lab_need("SB_RABBIT_USER"),
                                    .password = lab_need("SB_RABBIT_PASSWORD"),
                                    .management = lab_need("SB_RABBIT_MGMT")};
    s->endpoint.url = (struct url){.scheme = "rabbitmq", .host_count = 1, .path = ""};
    s->endpoint.url.hosts[0].host = s->host;
    s->endpoint.url.hosts[0].port = (int)strtol(colon + 1, NULL, 10);
    s->broker = (struct broker){.ops = &rabbitmq_broker,
                                .endpoint = &s->endpoint,
                                .state = calloc(1, rabbitmq_broker.state_size),
                                .cancelled = &s->cancelled,
                                .wake_fd = eventfd(0, EFD_NONBLOCK)};
    return s;
}

static inline void session_as(struct session_of_test *s, const char *user, const char *password)
{
    s->endpoint.username = lab_need(user);
    s->endpoint.password = lab_need(password);
}

static inline void session_deadline(struct session_of_test *s, int ms)
{
    s->broker.deadline_ns = clock_mono_ns() + ms * NS_PER_MS;
}

static inline enum err session_open(struct session_of_test *s)
{
    session_deadline(s, 10000);
    return rabbitmq_broker.open(&s->broker, &s->err);
}

/* Opened as the administrator in a vhost. */
static inline struct session_of_test *session_up(const char *vhost)
{
    struct session_of_test *s = session_new(lab_need("SB_RABBIT"));
    s->endpoint.vhost = vhost;
    if (session_open(s))
        fail_msg("%s", s->err.text);
    return s;
}

static inline void session_forget(struct session_of_test *s)
{
    for (size_t i = 0; i < s->count && i < KEEP; i++)
        message_unref(&s->messages[i]);
    s->count = 0;
}

static inline void session_end(struct session_of_test *s)
{
    rabbitmq_broker.close(&s->broker);
    session_forget(s);
    close(s->broker.wake_fd);
    free(s->broker.state);
    free(s);
}

static inline enum err session_read(struct session_of_test *s, struct channel_name name, enum read_mode mode,
                                    struct start start, int64_t limit, uint32_t flags)
{
    const struct read_request request = {.mode = mode,
                                         .channels = &name,
                                         .channel_count = 1,
                                         .start = start,
                                         .partition = -1,
                                         .limit = limit,
                                         .flags = flags};
    const struct read_sink sink = {s, keep_message, keep_notice};
    session_forget(s);
    session_deadline(s, 10000);
    return rabbitmq_broker.read_open(&s->broker, &request, &sink, &s->err);
}

static inline enum err session_browse(struct session_of_test *s, const char *name, int64_t limit)
{
    return session_read(s, (struct channel_name){CHANNEL_ANY, name}, READ_BROWSE, (struct start){0}, limit,
                        0);
}

static inline void session_tap(struct session_of_test *s, enum channel_kind kind, const char *name,
                               uint32_t flags)
{
    if (session_read(s, (struct channel_name){kind, name}, READ_TAP, (struct start){0}, -1, flags))
        fail_msg("%s", s->err.text);
}

/* Steps until the driver says something else than OK, or `until` messages came, or 15 s passed (ERR_TIMEOUT). */
static inline enum err session_steps(struct session_of_test *s, size_t until)
{
    int64_t deadline = clock_mono_ns() + 15 * NS_PER_S;
    enum err e = ERR_OK;
    while (!e && s->count < until) {
        if (clock_mono_ns() > deadline)
            return ERR_TIMEOUT;
        e = rabbitmq_broker.read_step(&s->broker, 500, &s->err);
    }
    return e;
}

static inline enum err session_close_read(struct session_of_test *s)
{
    return rabbitmq_broker.read_close(&s->broker, &s->err);
}

static inline bool session_has(const struct session_of_test *s, size_t i, const char *payload)
{
    return i < s->count && bytes_equal_text(s->messages[i]->payload, payload);
}

/* Reads a queue to its end; the session stays open for the messages. */
static inline struct session_of_test *session_look(const char *queue)
{
    struct session_of_test *s = session_up("/");
    enum err e = session_browse(s, queue, -1);
    if (!e)
        e = session_steps(s, SIZE_MAX);
    if (e != ERR_END)
        fail_msg("%s", s->err.text);
    assert_int_equal(session_close_read(s), ERR_OK);
    return s;
}

/* ---- publishing ---- */

static inline enum err session_open_publish(struct session_of_test *s, enum channel_kind kind,
                                            const char *name, uint32_t flags)
{
    const struct publish_request request = {.to = {kind, name}, .flags = flags};
    const struct publish_sink sink = {.context = s, .outcome = keep_outcome};
    session_deadline(s, 10000);
    return rabbitmq_broker.publish_open(&s->broker, &request, &sink, &s->err);
}

static inline void session_publish_wait(struct session_of_test *s, size_t outcomes)
{
    int64_t deadline = clock_mono_ns() + 15 * NS_PER_S;
    size_t pending = 1;
    while (s->outcome_count < outcomes) {
        assert_true(clock_mono_ns() < deadline);
        assert_int_equal(rabbitmq_broker.publish_step(&s->broker, 500, &pending, &s->err), ERR_OK);
    }
    assert_int_equal(pending, 0);
}

static inline struct message session_message(const char *key, const char *payload)
{
    return (struct message){
        .time_ns = TIME_NONE, .key = bytes_of_text(key), .payload = bytes_of_text(payload)};
}

/* One message to a queue, confirmed. */
static inline void session_send(const char *queue, const struct message *m)
{
    struct session_of_test *s = session_up("/");
    if (session_open_publish(s, CHANNEL_QUEUE, queue, 0) ||
        rabbitmq_broker.publish(&s->broker, 0, m, 7, &s->err))
        fail_msg("%s", s->err.text);
    session_publish_wait(s, 1);
    assert_int_equal(s->outcomes[0].outcome, OUTCOME_CONFIRMED);
    assert_int_equal(s->outcomes[0].token, 7);
    rabbitmq_broker.publish_close(&s->broker);
    session_end(s);
}

#endif
