/* Probes against the lab's HTTP, HTTPS and TCP services: certificates good and bad, and everything a service does wrong.
 * needs: lab */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "engine/prober.h"
#include "net/http.h"
#include "probes/rest.h"
#include "probes/tcp.h"
#include "tests/support/lab.h"
#include "tests/support/punctual.h"

static const struct registry all = {.probes =
                                        (const struct probe_ops *const[]){&rest_probe, &tcp_probe, NULL}};

static struct sample sample;
static int64_t took_ms;

static void run(const struct probe_target *t)
{
    int64_t start = clock_mono_ns();
    probe_once(t, &all, -1, &sample);
    took_ms = (clock_mono_ns() - start) / NS_PER_MS;
}

static struct probe_target rest(const char *base, const char *path, char url[256])
{
    snprintf(url, 256, "%s%s", base, path);
    return (struct probe_target){
        .name = url, .kind = "rest", .timeout_ns = 10 * NS_PER_S, .endpoint = {.text = url}};
}

static void probe_rest(const char *variable, const char *path, const struct assertion *expect)
{
    char url[256];
    struct probe_target t = rest(lab_need(variable), path, url);
    t.endpoint.tls.ca = lab_need("SB_CA");
    t.expect = expect;
    t.expect_count = expect ? 1 : 0;
    run(&t);
}

static void assert_reason(enum health health, const char *reason)
{
    assert_string_equal(sample.reason, reason);
    assert_int_equal(sample.health, health);
}

static int64_t days_left(void)
{
    return (sample.certificate_expires_ns - clock_wall_ns()) / (24 * 3600 * NS_PER_S);
}

/* ---- TLS ---- */

static void a_good_certificate(void **state)
{
    const struct assertion x = {ASSERT_JSON, "/status", "UP"};
    (void)state;
    probe_rest("SB_HTTPS", "/health", &x);
    assert_reason(HEALTH_UP, "");
    assert_string_equal(sample.code, "200");
    assert_true(sample.phases.tls > 0 && sample.phases.connect >= 0 && sample.phases.first_byte > 0);
    assert_true(sample.phases.total >= sample.phases.connect + sample.phases.tls + sample.phases.first_byte);
    assert_true(sample.certificate_expires_ns != TIME_NONE && days_left() >= 14);
}

static void a_certificate_that_ends_soon_degrades(void **state)
{
    (void)state;
    probe_rest("SB_HTTPS_SOON", "/health", NULL);
    assert_int_equal(sample.health, HEALTH_DEGRADED);
    assert_true(text_starts(sample.reason, "the certificate ends in 2 days") ||
                text_starts(sample.reason, "the certificate ends in 3 days"));
    assert_true(days_left() == 2 || days_left() == 3);
    probe_rest("SB_HTTPS_SOON", "/down", NULL);
    assert_reason(HEALTH_DOWN, "status 503, expected 200-299");
}

static void bad_certificates_are_told_apart(void **state)
{
    (void)state;
    probe_rest("SB_HTTPS_EXPIRED", "/health", NULL);
    assert_reason(HEALTH_DOWN, "the certificate has expired; renew it");
    assert_int_equal(sample.error, ERR_TLS);
    assert_string_equal(sample.code, "TLS");
    assert_true(sample.certificate_expires_ns != TIME_NONE && days_left() <= 0);
    assert_true(sample.phases.connect >= 0);
    assert_int_equal(sample.phases.tls, PHASE_NONE);
    probe_rest("SB_HTTPS_OTHER", "/health", NULL);
    assert_reason(HEALTH_DOWN, "the certificate is for another name; use a name that it lists");
    probe_rest("SB_HTTPS_STRANGER", "/health", NULL);
    assert_reason(HEALTH_DOWN,
                  "the certificate is signed by an unknown authority; name it in the configuration: "
                  "tls: {ca: FILE}");
}

/* The system's authorities don't know the lab's. */
static void verification_is_on_by_default(void **state)
{
    char url[256];
    struct probe_target t = rest(lab_need("SB_HTTPS"), "/health", url);
    (void)state;
    run(&t);
    assert_reason(HEALTH_DOWN,
                  "the certificate is signed by an unknown authority; name it in the configuration: "
                  "tls: {ca: FILE}");
    t.endpoint.tls.insecure = true;
    run(&t);
    assert_reason(HEALTH_UP, "");
}

static void an_expired_certificate_degrades_where_nobody_verifies(void **state)
{
    char url[256];
    struct probe_target t = rest(lab_need("SB_HTTPS_EXPIRED"), "/health", url);
    (void)state;
    run(&t);
    assert_reason(HEALTH_DOWN,
                  "the certificate has expired, and an unknown authority signed it; renew it, and name its "
                  "authority in the configuration: tls: {ca: FILE}");
    t.endpoint.tls.insecure = true;
    run(&t);
    assert_reason(HEALTH_DEGRADED, "the certificate has expired");
}

static void wrong_files_are_named(void **state)
{
    char url[256];
    struct probe_target t = rest(lab_need("SB_HTTPS"), "/health", url);
    (void)state;
    t.endpoint.tls.ca = "/no/such/ca.pem";
    run(&t);
    assert_int_equal(sample.error, ERR_CONFIG);
    t.endpoint.tls.ca = lab_need("SB_CA");
    t.endpoint.tls.cert = "/no/such/client.pem";
    run(&t);
    assert_int_equal(sample.error, ERR_CONFIG);
    t.endpoint.tls.cert = lab_need("SB_CLIENT_CERT");
    t.endpoint.tls.key = lab_need("SB_CLIENT_KEY");
    run(&t);
    assert_reason(HEALTH_UP, "");
}

static void tls_to_a_port_without_it(void **state)
{
    char url[256], base[128];
    (void)state;
    snprintf(base, sizeof base, "https://%s", lab_need("SB_TCP_GARBAGE"));
    struct probe_target t = rest(base, "/", url);
    run(&t);
    assert_int_equal(sample.health, HEALTH_DOWN);
    assert_int_equal(sample.error, ERR_TLS);
}

static void a_handshake_that_hangs_is_told_from_a_connection(void **state)
{
    char url[256], base[128];
    (void)state;
    snprintf(base, sizeof base, "https://%s", lab_need("SB_TCP_SILENT"));
    struct probe_target t = rest(base, "/", url);
    t.timeout_ns = 300 * NS_PER_MS;
    run(&t);
    assert_int_equal(sample.error, ERR_TIMEOUT);
    assert_non_null(strstr(sample.reason, "agreeing on TLS"));
}

/* ---- HTTP ---- */

static void what_services_do_wrong(void **state)
{
    static const struct {
        const char *path, *reason;
    } cases[] = {
        {"/down", "status 503, expected 200-299"},
        {"/status/404", "status 404, expected 200-299"},
        {"/wrong", "expected UP, got WRONG at /status"},
        {"/notjson", "expected UP at /status, got a body that isn't JSON"},
        {"/badjson", "expected UP at /status, got a body that isn't JSON"},
        {"/loop", "more than 5 redirects"},
        {"/cut", "the answer was cut off"},
        {"/auth", "status 401, expected 200-299"},
        {"/empty", "expected UP at /status, got a body that isn't JSON"},
    };
    const struct assertion x = {ASSERT_JSON, "/status", "UP"};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        probe_rest("SB_HTTP", cases[i].path, &x);
        assert_reason(HEALTH_DOWN, cases[i].reason);
    }
    probe_rest("SB_HTTP", "/redirect", &x);
    assert_reason(HEALTH_UP, "");
    probe_rest("SB_HTTP", "/reset", &x);
    assert_int_equal(sample.error, ERR_CLOSED);
    probe_rest("SB_HTTP", "/redirect-off", &x);
    assert_int_equal(sample.error, ERR_UNREACHABLE);
}

static void a_body_that_is_too_long_to_look_into(void **state)
{
    const struct assertion x = {ASSERT_BODY, NULL, "needle"};
    (void)state;
    probe_rest("SB_HTTP", "/huge", NULL);
    assert_reason(HEALTH_UP, "");
    probe_rest("SB_HTTP", "/huge", &x);
    assert_int_equal(sample.health, HEALTH_DOWN);
    assert_true(took_ms < 5000);
}

static void time_outs_hold(void **state)
{
    static const char *const paths[] = {"/hang", "/drip", "/slow?ms=5000"};
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char url[256];
        struct probe_target t = rest(lab_need("SB_HTTP"), paths[i], url);
        t.timeout_ns = 300 * NS_PER_MS;
        run(&t);
        assert_int_equal(sample.error, ERR_TIMEOUT);
        ASSERT_PUNCTUAL(took_ms, 300, run(&t));
    }
}

static void credentials(void **state)
{
    char url[256];
    struct probe_target t = rest(lab_need("SB_HTTP"), "/auth", url);
    (void)state;
    t.endpoint.username = "lab";
    t.endpoint.password = "lab-secret";
    run(&t);
    assert_reason(HEALTH_UP, "");
}

/* From TLS there is no way back: what was asked for in private isn't asked for again in public. */
static void https_is_never_left(void **state)
{
    char url[256];
    struct probe_target t = rest(lab_need("SB_HTTPS"), "/redirect-off", url);
    (void)state;
    t.endpoint.tls.ca = lab_need("SB_CA");
    run(&t);
    assert_int_equal(sample.error, ERR_REFUSED);
    assert_int_equal(sample.health, HEALTH_DOWN);
}

/* ---- TCP ---- */

static void probe_tcp(const char *variable)
{
    char host[64];
    int64_t port = 0;
    const char *address = lab_need(variable), *colon = strchr(address, ':');
    text_copy_bytes(host, sizeof host, bytes_of(address, (size_t)(colon - address)));
    assert_true(text_int64(colon + 1, &port));
    struct probe_target t = {.name = address, .kind = "tcp", .timeout_ns = 5 * NS_PER_S};
    t.endpoint.url.hosts[0].host = host;
    t.endpoint.url.hosts[0].port = (int)port;
    t.endpoint.url.host_count = 1;
    run(&t);
}

static void something_listens_or_not(void **state)
{
    (void)state;
    probe_tcp("SB_TCP_SILENT");
    assert_reason(HEALTH_UP, "");
    probe_tcp("SB_TCP_CLOSES");
    assert_reason(HEALTH_UP, "");
    probe_tcp("SB_REFUSED");
    assert_reason(HEALTH_DOWN, "127.0.0.1: Connection refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_certificate),
        cmocka_unit_test(a_certificate_that_ends_soon_degrades),
        cmocka_unit_test(bad_certificates_are_told_apart),
        cmocka_unit_test(verification_is_on_by_default),
        cmocka_unit_test(an_expired_certificate_degrades_where_nobody_verifies),
        cmocka_unit_test(wrong_files_are_named),
        cmocka_unit_test(tls_to_a_port_without_it),
        cmocka_unit_test(a_handshake_that_hangs_is_told_from_a_connection),
        cmocka_unit_test(what_services_do_wrong),
        cmocka_unit_test(a_body_that_is_too_long_to_look_into),
        cmocka_unit_test(time_outs_hold),
        cmocka_unit_test(credentials),
        cmocka_unit_test(https_is_never_left),
        cmocka_unit_test(something_listens_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
