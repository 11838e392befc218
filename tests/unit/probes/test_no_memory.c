/* Every allocation of a probe fails once: that is a sample with an error, never a crash, a leak or a wait without end. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "engine/prober.h"
#include "probes/rest.h"
#include "probes/tcp.h"
#include "tests/support/alloc.h"
#include "tests/support/server.h"

#include <stdio.h>

static const struct registry all = {.probes =
                                        (const struct probe_ops *const[]){&rest_probe, &tcp_probe, NULL}};

/* Probes with the Nth allocation failing, for every N; gives how many there were. */
static long probe_each(const struct probe_target *t)
{
    for (long n = 1;; n++) {
        struct sample sample;
        alloc_fail(n);
        probe_once(t, &all, -1, &sample);
        bool failed = alloc_failed();
        assert_true(n < 1000 && sample.time_ns > 0);
        assert_true(sample.health == HEALTH_UP || (failed && sample.error != ERR_OK && sample.reason[0]));
        if (!failed)
            return n - 1;
    }
}

static void rest(void **state)
{
    (void)state;
    struct server s;
    char url[64];
    const struct assertion expect[] = {
        {ASSERT_HEADER, "X-Mode", "live"}, {ASSERT_BODY, NULL, "/stat.s/"}, {ASSERT_JSON, "/status", "UP"}};
    server_start(&s, serve_text, "HTTP/1.1 200 OK\r\nX-Mode: live\r\n\r\n{\"status\":\"\\u0055P\"}");
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", s.port);
    struct probe_target t = {.name = "rest",
                             .kind = "rest",
                             .timeout_ns = 5 * NS_PER_S,
                             .expect = expect,
                             .expect_count = 3,
                             .endpoint = {.text = url}};
    assert_true(probe_each(&t) > 8);
    server_stop(&s);
}

static void tcp(void **state)
{
    (void)state;
    struct server s;
    server_start(&s, serve_hang, NULL);
    struct probe_target t = {.name = "tcp", .kind = "tcp", .timeout_ns = 5 * NS_PER_S};
    t.endpoint.url.hosts[0].host = "localhost";
    t.endpoint.url.hosts[0].port = s.port;
    t.endpoint.url.host_count = 1;
    assert_true(probe_each(&t) > 0);
    server_stop(&s);
}

static void ignore(void *context, const struct probe_target *t, const struct sample *sample)
{
    (void)context;
    (void)t;
    (void)sample;
}

static void scheduler(void **state)
{
    (void)state;
    struct probe_target t = {.name = "rest",
                             .kind = "rest",
                             .every_ns = NS_PER_S,
                             .timeout_ns = NS_PER_S,
                             .endpoint = {.text = "http://127.0.0.1:1/"}};
    for (long n = 1; n < 6; n++) {
        struct err_info err = {.code = ERR_OK};
        alloc_fail(n);
        struct prober *p = prober_start(&t, 1, &all, &(struct prober_host){.sample = ignore}, &err);
        alloc_failed();
        assert_true(p || err.code);
        prober_stop(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rest),
        cmocka_unit_test(tcp),
        cmocka_unit_test(scheduler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
