#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "engine/sample_json.h"
#include "tests/support/witness.h"

static const struct probe_target target = {.name = "payments", .kind = "rest"};

static void a_sample_as_scripts_read_it(void **state)
{
    (void)state;
    struct buffer out;
    struct sample s = {.health = HEALTH_DOWN,
                       .error = ERR_DOWN,
                       .time_ns = INT64_C(1770000000) * NS_PER_S + 250 * NS_PER_MS,
                       .code = "503",
                       .reason = "status 503, expected \"200\"",
                       .certificate_expires_ns = TIME_NONE};
    phases_init(&s.phases);
    s.phases.dns = 0;
    s.phases.connect = 1234567;
    s.phases.total = 12 * NS_PER_MS;
    buffer_init(&out, 4096);
    sample_json(&out, &target, HEALTH_DEGRADED, &s);
    assert_string_equal(
        buffer_cstr(&out),
        "{\"schema\":\"signalbox.sample/1\",\"target\":\"payments\",\"kind\":\"rest\","
        "\"state\":\"degraded\",\"reason\":\"status 503, expected \\\"200\\\"\",\"code\":\"503\","
        "\"phases_ms\":{\"dns\":0,\"connect\":1.235,\"tls\":null,\"first_byte\":null,\"total\":12},"
        "\"time\":\"2026-02-02T02:40:00.250Z\"}");
    assert_null(witness_objects(buffer_view(&out)));
    buffer_free(&out);
}

static void a_certificate_is_named(void **state)
{
    (void)state;
    struct buffer out;
    struct sample s = {.health = HEALTH_UP, .certificate_expires_ns = INT64_C(1770000000) * NS_PER_S};
    phases_init(&s.phases);
    buffer_init(&out, 4096);
    sample_json(&out, &target, HEALTH_UP, &s);
    assert_non_null(strstr(buffer_cstr(&out), "\"certificate_expires\":\"2026-02-02T02:40:00.000Z\"}"));
    assert_null(witness_objects(buffer_view(&out)));
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sample_as_scripts_read_it),
        cmocka_unit_test(a_certificate_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
