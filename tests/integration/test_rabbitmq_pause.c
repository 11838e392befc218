/* A paused RabbitMQ reader: it sleeps although messages wait in its socket, and gets all of them afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "brokers/rabbitmq/rabbitmq.h"
#include "tests/support/lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MESSAGES 20

struct reader_of_test {
    struct endpoint endpoint;
    char host[64];
    atomic_bool cancelled;
    struct broker broker;
    struct err_info err;
    int count;
};

static enum emit count_and_pause(void *context, const struct message *m)
{
    struct reader_of_test *t = context;
    (void)m;
    return t->count++ == 0 ? EMIT_PAUSE : EMIT_OK;
}

static void nothing_to_say(void *context, const char *text)
{
    (void)context;
    (void)text;
}

static struct reader_of_test *reader_new(void)
{
    struct reader_of_test *t = calloc(1, sizeof *t);
    const char *address = lab_need("SB_RABBIT"), *colon = strrchr(address, ':');
    snprintf(t->host, sizeof t->host, "%.*s", (int)(colon - address), address);
    t->endpoint = (struct endpoint){
        .name = "lab", .text = "rabbitmq://lab", .vhost = "/", .management = lab_need("SB_RABBIT_MGMT")};
    t->endpoint.url = (struct url){.scheme = "rabbitmq", .host_count = 1, .path = ""};
    t->endpoint.url.hosts[0].host = t->host;
    t->endpoint.url.hosts[0].port = (int)strtol(colon + 1, NULL, 10);
    t->broker = (struct broker){.ops = &rabbitmq_broker,
                                .endpoint = &t->endpoint,
                                .state = calloc(1, rabbitmq_broker.state_size),
                                .cancelled = &t->cancelled,
                                .wake_fd = eventfd(0, EFD_NONBLOCK),
                                .deadline_ns = clock_mono_ns() + 20 * NS_PER_S};
    return t;
}

static void reader_free(struct reader_of_test *t)
{
    rabbitmq_broker.close(&t->broker);
    close(t->broker.wake_fd);
    free(t->broker.state);
    free(t);
}

static void publish(const char *key)
{
    char command[512];
    snprintf(command, sizeof command,
             "curl -sSf -u guest:guest -H content-type:application/json -XPOST "
             "%s/api/exchanges/%%2f/amq.topic/publish -d "
             "'{\"properties\":{},\"routing_key\":\"%s\",\"payload\":\"x\",\"payload_encoding\":\"string\"}'",
             lab_need("SB_RABBIT_MGMT"), key);
    assert_int_equal(lab_shell(command, NULL, 0), 0);
}

static void steps_until(struct reader_of_test *t, int count)
{
    int64_t deadline = clock_mono_ns() + 15 * NS_PER_S;
    while (t->count < count && clock_mono_ns() < deadline)
        assert_int_equal(rabbitmq_broker.read_step(&t->broker, 200, &t->err), ERR_OK);
    assert_true(t->count >= count);
}

static void a_paused_reader_sleeps(void **state)
{
    struct reader_of_test *t = reader_new();
    const struct channel_name name = {CHANNEL_EXCHANGE, "amq.topic"};
    const struct read_request request = {
        .mode = READ_TAP, .channels = &name, .channel_count = 1, .partition = -1, .limit = -1};
    const struct read_sink sink = {t, count_and_pause, nothing_to_say};
    char key[64];
    (void)state;
    lab_unique("pause", key, sizeof key);
    assert_int_equal(rabbitmq_broker.open(&t->broker, &t->err), ERR_OK);
    assert_int_equal(rabbitmq_broker.read_open(&t->broker, &request, &sink, &t->err), ERR_OK);
    publish(key);
    steps_until(t, 1);
    for (int i = 1; i < MESSAGES; i++)
        publish(key);
    /* The first step may still serve what came with the first message; then it must wait its time out. */
    assert_int_equal(rabbitmq_broker.read_step(&t->broker, 50, &t->err), ERR_OK);
    int64_t before = clock_mono_ns();
    assert_int_equal(rabbitmq_broker.read_step(&t->broker, 300, &t->err), ERR_OK);
    assert_true(clock_mono_ns() - before >= 250 * NS_PER_MS);
    assert_int_equal(t->count, 1);
    rabbitmq_broker.read_pause(&t->broker, false);
    steps_until(t, MESSAGES);
    assert_int_equal(rabbitmq_broker.read_close(&t->broker, &t->err), ERR_OK);
    reader_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_paused_reader_sleeps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
