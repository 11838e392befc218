/* The broker probe over real drivers: up, refused, silent, wrong password, cancelled.
 * needs: lab */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "engine/prober.h"
#include "registry.h"
#include "tests/support/lab.h"

#include <sys/eventfd.h>
#include <unistd.h>

static struct arena arena;
static struct sample sample;
static int64_t took_ms;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 64 * 1024);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static struct probe_target target(const char *scheme, const char *address)
{
    char text[128];
    struct probe_target t = {.name = scheme, .kind = "broker", .timeout_ns = 10 * NS_PER_S};
    snprintf(text, sizeof text, "%s://%s", scheme, address);
    assert_int_equal(url_parse(&t.endpoint.url, text, &arena, NULL), ERR_OK);
    t.endpoint.name = t.endpoint.text = arena_strdup(&arena, text);
    return t;
}

static void run(const struct probe_target *t, int cancel_fd)
{
    int64_t start = clock_mono_ns();
    probe_once(t, &registry, cancel_fd, &sample);
    took_ms = (clock_mono_ns() - start) / NS_PER_MS;
}

static void is_up(const char *scheme, const char *address)
{
    struct probe_target t = target(scheme, address);
    run(&t, -1);
    assert_string_equal(sample.reason, "");
    assert_int_equal(sample.health, HEALTH_UP);
    assert_true(sample.code[0]);
    assert_true(sample.phases.connect > 0 && sample.phases.total >= sample.phases.connect);
}

/* Whatever is wrong, by the deadline and with a reason. */
static void is_down(const char *scheme, const char *address)
{
    struct probe_target t = target(scheme, address);
    t.timeout_ns = NS_PER_S;
    run(&t, -1);
    assert_int_equal(sample.health, HEALTH_DOWN);
    assert_true(sample.error != ERR_OK && sample.reason[0] && sample.code[0]);
    assert_true(took_ms < 2500);
}

static void cancels(const char *scheme)
{
    struct probe_target t = target(scheme, lab_need("SB_TCP_SILENT"));
    int cancel_fd = eventfd(1, EFD_CLOEXEC);
    t.timeout_ns = 30 * NS_PER_S;
    run(&t, cancel_fd);
    close(cancel_fd);
    assert_int_equal(sample.error, ERR_CANCELLED);
    assert_true(took_ms < 3000);
}

static void kafka(void **state)
{
    (void)state;
    is_up("kafka", lab_need("SB_KAFKA"));
    is_down("kafka", lab_need("SB_REFUSED"));
    is_down("kafka", lab_need("SB_TCP_SILENT"));
    is_down("kafka", lab_need("SB_TCP_GARBAGE"));
    cancels("kafka");
}

static void kafka_with_a_wrong_password(void **state)
{
    const struct option plain = {"sasl.mechanisms", "PLAIN"};
    struct probe_target t = target("kafka", lab_need("SB_KAFKA_SASL"));
    (void)state;
    t.endpoint.username = lab_need("SB_KAFKA_USER");
    t.endpoint.password = "wrong";
    t.endpoint.options = &plain;
    t.endpoint.option_count = 1;
    run(&t, -1);
    assert_int_equal(sample.health, HEALTH_DOWN);
    assert_int_equal(sample.error, ERR_AUTH);
    t.endpoint.password = lab_need("SB_KAFKA_PASSWORD");
    run(&t, -1);
    assert_int_equal(sample.health, HEALTH_UP);
}

static bool has_driver(const char *name)
{
    for (broker_registry b = registry.brokers; *b; b++)
        if (strcmp((*b)->name, name) == 0)
            return true;
    return false;
}

static void rabbitmq(void **state)
{
    (void)state;
    if (!has_driver("rabbitmq")) {
        print_message("skip: this build has no driver for RabbitMQ\n");
        skip();
    }
    is_up("rabbitmq", lab_need("SB_RABBIT"));
    is_down("rabbitmq", lab_need("SB_REFUSED"));
    is_down("rabbitmq", lab_need("SB_TCP_SILENT"));
    is_down("rabbitmq", lab_need("SB_TCP_GARBAGE"));
    cancels("rabbitmq");
    struct probe_target t = target("rabbitmq", lab_need("SB_RABBIT"));
    t.endpoint.username = lab_need("SB_RABBIT_USER");
    t.endpoint.password = "wrong";
    run(&t, -1);
    assert_int_equal(sample.error, ERR_AUTH);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(kafka),
        TEST(kafka_with_a_wrong_password),
        TEST(rabbitmq),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
