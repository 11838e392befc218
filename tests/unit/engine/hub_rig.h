/* A hub over the memory broker, with orders and orders.dlq: what the tests of the hub begin with. */
#ifndef TESTS_UNIT_ENGINE_HUB_RIG_H
#define TESTS_UNIT_ENGINE_HUB_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "brokers/memory/memory.h"
#include "brokers/memory/memory_server.h"
#include "engine/hub.h"

#include <sys/poll.h>

static const struct broker_ops *const brokers[] = {&memory_broker, NULL};
static const struct decoder_ops *const decoders[] = {NULL};
static const struct probe_ops *const probes[] = {NULL};
static const struct registry rows = {.brokers = brokers, .decoders = decoders, .probes = probes};

static struct config config;
static struct hub *hub;

static void publish(const char *queue, int count)
{
    for (int i = 0; i < count; i++) {
        struct message m = {.payload = BYTES_LITERAL("{}"), .time_ns = TIME_NONE};
        assert_int_equal(memory_publish(queue, &m, NULL, NULL), ERR_OK);
    }
}

static int setup(void **state)
{
    (void)state;
    struct err_info err = {0};
    config = (struct config){0};
    if (memory_declare("orders.dlq", CHANNEL_QUEUE, NULL, &err) ||
        memory_declare("orders", CHANNEL_QUEUE, "orders.dlq", &err) ||
        !config_add_url(&config, "memory:", brokers, &err))
        return -1;
    hub = hub_new(&config, &rows, &err);
    if (hub)
        hub_start(hub);
    return hub ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    hub_stop(&hub);
    config_free(&config);
    memory_reset();
    return 0;
}

typedef bool condition(void);

/* Pumps until it holds; false at the deadline. */
static bool pump_until(condition *holds)
{
    int64_t end = clock_mono_ns() + 10 * NS_PER_S;
    bool more = false;
    while (!holds() && clock_mono_ns() < end) {
        struct pollfd p = {.fd = hub_fd(hub), .events = POLLIN};
        if (!more)
            poll(&p, 1, 100);
        hub_pump(hub, 4 * NS_PER_MS, &more);
    }
    return holds();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
