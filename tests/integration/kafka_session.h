/* A session with the Kafka driver as the engine would hold it, for the tests of the driver. */
#ifndef TESTS_INTEGRATION_KAFKA_SESSION_H
#define TESTS_INTEGRATION_KAFKA_SESSION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "brokers/kafka/kafka.h"
#include "tests/support/lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define KEEP 4096

struct session_of_test {
    struct endpoint endpoint;
    struct option options[8];
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
    struct publish_outcome outcomes[64];
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
    if (s->outcome_count < 64)
        s->outcomes[s->outcome_count] = *o;
    s->outcome_count++;
}

/* host_port as the lab gives it; the caller may then set user, password, tls and options. */
static inline struct session_of_test *session_new(const char *host_port)
{
    struct session_of_test *s = calloc(1, sizeof *s);
    const char *colon = strrchr(host_port, ':');
    snprintf(s->host, sizeof s->host, "%.*s", (int)(colon - host_port), host_port);
    s->endpoint = (struct endpoint){.name = "lab", .text = "kafka://lab", .options = s->options};
    s->endpoint.url = (struct url){.scheme = "kafka", .host_count = 1, .path = ""};
    s->endpoint.url.hosts[0].host = s->host;
    s->endpoint.url.hosts[0].port = (int)strtol(colon + 1, NULL, 10);
    s->broker = (struct broker){.ops = &kafka_broker,
                                .endpoint = &s->endpoint,
                                .state = calloc(1, kafka_broker.state_size),
                                .cancelled = &s->cancelled,
                                .wake_fd = eventfd(0, EFD_NONBLOCK)};
    return s;
}

static inline void session_option(struct session_of_test *s, const char *name, const char *value)
{
    s->options[s->endpoint.option_count++] = (struct option){name, value};
}

static inline void session_deadline(struct session_of_test *s, int ms)
{
    s->broker.deadline_ns = clock_mono_ns() + ms * NS_PER_MS;
}

static inline enum err session_open(struct session_of_test *s)
{
    session_deadline(s, 10000);
    return kafka_broker.open(&s->broker, &s->err);
}

static inline void session_forget(struct session_of_test *s)
{
    for (size_t i = 0; i < s->count && i < KEEP; i++)
        message_unref(&s->messages[i]);
    s->count = 0;
}

static inline void session_end(struct session_of_test *s)
{
    kafka_broker.close(&s->broker);
    session_forget(s);
    close(s->broker.wake_fd);
    free(s->broker.state);
    free(s);
}

static inline enum err session_read(struct session_of_test *s, const char *topic, enum read_mode mode,
                                    struct start start, int32_t partition, int64_t limit, uint32_t flags)
{
    const struct channel_name name = {CHANNEL_ANY, topic};
    const struct read_request request = {.mode = mode,
                                         .channels = &name,
                                         .channel_count = 1,
                                         .start = start,
                                         .partition = partition,
                                         .limit = limit,
                                         .flags = flags};
    const struct read_sink sink = {s, keep_message, keep_notice};
    session_forget(s);
    session_deadline(s, 10000);
    return kafka_broker.read_open(&s->broker, &request, &sink, &s->err);
}

/* A tail that goes on after a lost connection, in a session that is opened. */
static inline enum err session_read_on(struct session_of_test *s, const char *topic,
                                       const struct read_places *places)
{
    const struct channel_name name = {CHANNEL_ANY, topic};
    const struct read_request request = {.mode = READ_TAP,
                                         .channels = &name,
                                         .channel_count = 1,
                                         .partition = -1,
                                         .limit = -1,
                                         .resume = places};
    const struct read_sink sink = {s, keep_message, keep_notice};
    session_forget(s);
    session_deadline(s, 10000);
    return kafka_broker.read_open(&s->broker, &request, &sink, &s->err);
}

/* Steps until the driver says something else than OK, or `until` messages came, or 15 s passed (ERR_TIMEOUT). */
static inline enum err session_steps(struct session_of_test *s, size_t until)
{
    int64_t deadline = clock_mono_ns() + 15 * NS_PER_S;
    enum err e = ERR_OK;
    while (!e && s->count < until) {
        if (clock_mono_ns() > deadline)
            return ERR_TIMEOUT;
        e = kafka_broker.read_step(&s->broker, 500, &s->err);
    }
    return e;
}

/* All that is stored, in a session of its own that stays open: ends by itself. */
static inline struct session_of_test *session_browse(const char *host_port, const char *topic,
                                                     struct start start, uint32_t flags)
{
    struct session_of_test *s = session_new(host_port);
    enum err e = session_open(s);
    if (!e)
        e = session_read(s, topic, READ_BROWSE, start, -1, -1, flags);
    if (!e)
        e = session_steps(s, SIZE_MAX);
    if (e != ERR_END)
        print_message("%s\n", s->err.text);
    assert_int_equal(e, ERR_END);
    return s;
}

static inline void session_publish_wait(struct session_of_test *s, size_t outcomes)
{
    int64_t deadline = clock_mono_ns() + 15 * NS_PER_S;
    size_t pending = 1;
    while (s->outcome_count < outcomes) {
        assert_true(clock_mono_ns() < deadline);
        assert_int_equal(kafka_broker.publish_step(&s->broker, 500, &pending, &s->err), ERR_OK);
    }
}

static inline struct message session_message(const char *key, const char *payload)
{
    return (struct message){
        .time_ns = TIME_NONE, .key = bytes_of_text(key), .payload = bytes_of_text(payload)};
}

/* Publishes the messages to a topic that is made if it is missing, and waits for all to be confirmed. */
static inline void session_send(const char *host_port, const char *topic, const struct message *messages,
                                size_t count, uint32_t flags)
{
    struct session_of_test *s = session_new(host_port);
    const struct publish_request request = {.to = {CHANNEL_ANY, topic}, .flags = flags};
    const struct publish_sink sink = {.context = s, .outcome = keep_outcome};
    if (session_open(s) || kafka_broker.publish_open(&s->broker, &request, &sink, &s->err))
        fail_msg("%s", s->err.text);
    for (size_t i = 0; i < count; i++) {
        size_t pending;
        enum err e;
        while ((e = kafka_broker.publish(&s->broker, 0, &messages[i], i, &s->err)) == ERR_BUSY)
            assert_int_equal(kafka_broker.publish_step(&s->broker, 100, &pending, &s->err), ERR_OK);
        if (e)
            fail_msg("%s", s->err.text);
    }
    session_publish_wait(s, count);
    for (size_t i = 0; i < count && i < 64; i++)
        assert_int_equal(s->outcomes[i].outcome, OUTCOME_CONFIRMED);
    kafka_broker.publish_close(&s->broker);
    session_end(s);
}

/* A new topic with one message, by its unique name. */
static inline void session_topic(const char *prefix, char topic[64])
{
    const struct message m = session_message("k", "v");
    lab_unique(prefix, topic, 64);
    session_send(lab_need("SB_KAFKA"), topic, &m, 1, PUBLISH_CREATE);
}

#endif
