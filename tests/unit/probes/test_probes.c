#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "engine/prober.h"
#include "probes/broker.h"
#include "probes/rest.h"
#include "probes/tcp.h"
#include "tests/support/punctual.h"
#include "tests/support/server.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- a driver that does as it is told ---- */

static enum { DRIVER_UP, DRIVER_ALARM, DRIVER_AUTH, DRIVER_HANG } driver;
static atomic_int opened, closed;

static enum err fake_open(struct broker *b, struct err_info *err)
{
    atomic_fetch_add(&opened, 1);
    if (driver == DRIVER_AUTH)
        return err_set(err, ERR_AUTH, "the broker refused user %s", b->endpoint->username);
    while (driver == DRIVER_HANG && !atomic_load(b->cancelled)) {
        struct pollfd fd = {.fd = b->wake_fd, .events = POLLIN};
        if (poll(&fd, 1, clock_poll_ms(b->deadline_ns)) == 0)
            return err_set(err, ERR_TIMEOUT, "no answer");
    }
    return atomic_load(b->cancelled) ? err_set(err, ERR_CANCELLED, "cancelled") : ERR_OK;
}

static void fake_close(struct broker *b)
{
    (void)b;
    atomic_fetch_add(&closed, 1);
}

static enum err fake_ping(struct broker *b, struct sample *sample, struct err_info *err)
{
    (void)b;
    (void)err;
    if (driver == DRIVER_ALARM) {
        sample->health = HEALTH_DEGRADED;
        snprintf(sample->reason, sizeof sample->reason, "memory alarm");
    }
    return ERR_OK;
}

static const struct broker_ops fake_broker = {
    .name = "fake",
    .schemes = (const char *const[]){"fake", NULL},
    .open = fake_open,
    .close = fake_close,
    .ping = fake_ping,
};

static const struct registry all = {
    .brokers = (const struct broker_ops *const[]){&fake_broker, NULL},
    .probes = (const struct probe_ops *const[]){&rest_probe, &tcp_probe, &broker_probe, NULL},
};

/* ---- targets ---- */

static struct sample sample;
static int64_t took_ms;

static void probe(const struct probe_target *t, int cancel_fd)
{
    int64_t start = clock_mono_ns();
    memset(&sample, 0x55, sizeof sample);
    probe_once(t, &all, cancel_fd, &sample);
    took_ms = (clock_mono_ns() - start) / NS_PER_MS;
    assert_true(sample.time_ns > 0);
}

static struct probe_target target(const char *kind, const char *url, int port)
{
    struct probe_target t = {.name = "target", .kind = kind, .timeout_ns = 5 * NS_PER_S};
    t.endpoint.text = url;
    t.endpoint.url.scheme = kind;
    t.endpoint.url.hosts[0].host = "127.0.0.1";
    t.endpoint.url.hosts[0].port = port;
    t.endpoint.url.host_count = 1;
    return t;
}

static void probe_tcp(int port)
{
    struct probe_target t = target("tcp", "tcp://", port);
    probe(&t, -1);
}

static void probe_rest(int port, const struct assertion *expect, size_t count)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/health", port);
    struct probe_target t = target("rest", url, port);
    t.expect = expect;
    t.expect_count = count;
    probe(&t, -1);
}

static void rest_answers(const char *answer, const struct assertion *expect, size_t count)
{
    struct server s;
    server_start(&s, serve_text, answer);
    probe_rest(s.port, expect, count);
    server_stop(&s);
}

static void assert_down(enum err error, const char *code, const char *reason)
{
    assert_int_equal(sample.health, HEALTH_DOWN);
    assert_int_equal(sample.error, error);
    assert_string_equal(sample.code, code);
    assert_string_equal(sample.reason, reason);
}

/* ---- tcp ---- */

static void tcp_up_and_refused(void **state)
{
    (void)state;
    struct server s;
    server_start(&s, serve_close, NULL);
    probe_tcp(s.port);
    assert_int_equal(sample.health, HEALTH_UP);
    assert_true(sample.phases.dns >= 0 && sample.phases.connect >= 0);
    assert_true(sample.phases.total >= sample.phases.connect);
    server_stop(&s);
    probe_tcp(server_unused_port());
    assert_down(ERR_UNREACHABLE, "UNREACHABLE", "127.0.0.1: Connection refused");
}

static void tcp_without_a_port_says_so(void **state)
{
    (void)state;
    probe_tcp(0);
    assert_down(ERR_USAGE, "USAGE", "the address names no port: tcp://127.0.0.1:PORT");
}

static void tcp_every_host_must_answer(void **state)
{
    (void)state;
    struct server s;
    server_start(&s, serve_close, NULL);
    struct probe_target t = target("tcp", "tcp://", s.port);
    t.endpoint.url.hosts[1].host = "127.0.0.1";
    t.endpoint.url.hosts[1].port = server_unused_port();
    t.endpoint.url.host_count = 2;
    probe(&t, -1);
    assert_int_equal(sample.health, HEALTH_DOWN);
    server_stop(&s);
}

/* ---- rest ---- */

#define JSON_ANSWER "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
#define JSON_BODY   "{\"status\":\"DOWN\",\"n\":1.0,\"ok\":true,\"none\":null,\"checks\":[{\"id\":7}]}"

static void rest_up_is_any_2xx(void **state)
{
    (void)state;
    rest_answers("HTTP/1.1 204 No Content\r\n\r\n", NULL, 0);
    assert_int_equal(sample.health, HEALTH_UP);
    assert_string_equal(sample.code, "204");
    assert_string_equal(sample.reason, "");
    assert_true(sample.phases.first_byte >= 0);
    rest_answers("HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n", NULL, 0);
    assert_down(ERR_DOWN, "503", "status 503, expected 200-299");
}

static void rest_expected_status(void **state)
{
    (void)state;
    const struct assertion exact = {ASSERT_STATUS, NULL, "418"}, range = {ASSERT_STATUS, NULL, "200-418"};
    const char *answer = "HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n";
    rest_answers(answer, &exact, 1);
    assert_int_equal(sample.health, HEALTH_UP);
    rest_answers(answer, &range, 1);
    assert_int_equal(sample.health, HEALTH_UP);
}

static void rest_headers(void **state)
{
    (void)state;
    const struct assertion x[] = {{ASSERT_HEADER, "x-mode", "live"}};
    rest_answers("HTTP/1.1 200 OK\r\nX-Mode: live\r\n\r\n", x, 1);
    assert_int_equal(sample.health, HEALTH_UP);
    rest_answers("HTTP/1.1 200 OK\r\nX-Mode: demo\r\n\r\n", x, 1);
    assert_down(ERR_DOWN, "200", "expected live, got demo in header x-mode");
    rest_answers("HTTP/1.1 200 OK\r\n\r\n", x, 1);
    assert_down(ERR_DOWN, "200", "expected live, got no header x-mode");
    rest_answers("HTTP/1.1 200 OK\r\nX-Mode: demo\r\nx-mode: live\r\nX-Mode: old\r\n\r\n", x, 1);
    assert_int_equal(sample.health, HEALTH_UP);
    rest_answers("HTTP/1.1 200 OK\r\nX-Mode: demo\r\nX-Mode: old\r\n\r\n", x, 1);
    assert_down(ERR_DOWN, "200", "expected live, got demo in header x-mode");
}

/* The server closes after one answer: whoever followed would get none. */
static void rest_redirects_are_seen_by_who_expects_them(void **state)
{
    (void)state;
    const struct assertion moved = {ASSERT_STATUS, NULL, "302"}, any = {ASSERT_STATUS, NULL, "300-399"},
                           wide = {ASSERT_STATUS, NULL, "200-399"};
    const char *answer =
        "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    rest_answers(answer, &moved, 1);
    assert_int_equal(sample.health, HEALTH_UP);
    assert_string_equal(sample.code, "302");
    rest_answers(answer, &any, 1);
    assert_int_equal(sample.health, HEALTH_UP);
    rest_answers(answer, &wide, 1); /* it redirects to itself */
    assert_int_equal(sample.error, ERR_LIMIT);
}

static void long_reasons_end_at_a_word(void **state)
{
    (void)state;
    const struct assertion long_text = {ASSERT_BODY, NULL,
                                        "one two three four five six seven eight nine ten eleven"};
    struct err_info err;
    struct sample s;
    rest_answers("HTTP/1.1 200 OK\r\n\r\nnone", &long_text, 1);
    assert_down(ERR_DOWN, "200", "the body doesn't contain one two three four five six seven eight…");
    char words[240];
    for (size_t i = 0; i < sizeof words; i++)
        words[i] = "word "[i % 5];
    words[sizeof words - 1] = '\0';
    err_set(&err, ERR_CLOSED, "%s", words);
    sample_init(&s);
    sample_fail(&s, &err);
    size_t len = strlen(s.reason);
    assert_true(len < sizeof s.reason && len > 180);
    assert_string_equal(s.reason + len - 7, "word…");
}

static void rest_body(void **state)
{
    (void)state;
    const struct assertion text = {ASSERT_BODY, NULL, "fine"}, re = {ASSERT_BODY, NULL, "/^all .*ne$/"};
    rest_answers("HTTP/1.1 200 OK\r\n\r\nall is fine", &text, 1);
    assert_int_equal(sample.health, HEALTH_UP);
    rest_answers("HTTP/1.1 200 OK\r\n\r\nall is fine", &re, 1);
    assert_int_equal(sample.health, HEALTH_UP);
    rest_answers("HTTP/1.1 200 OK\r\n\r\nnothing is", &text, 1);
    assert_down(ERR_DOWN, "200", "the body doesn't contain fine");
    rest_answers("HTTP/1.1 200 OK\r\n\r\nnothing is", &re, 1);
    assert_down(ERR_DOWN, "200", "the body doesn't match /^all .*ne$/");
}

static void rest_json(void **state)
{
    (void)state;
    static const struct {
        const char *pointer, *expected, *reason; /* NULL: up */
    } cases[] = {
        {"/status", "UP", "expected UP, got DOWN at /status"},
        {"/status", "DOWN", NULL},
        {"/n", "1", NULL},
        {"/n", "2", "expected 2, got 1.0 at /n"},
        {"/ok", "true", NULL},
        {"/none", "null", NULL},
        {"/checks/0/id", "7", NULL},
        {"/checks/1/id", "7", "expected 7, got nothing at /checks/1/id"},
        {"/checks", "7", "expected 7, got an array at /checks"},
        {"/checks/0", "7", "expected 7, got an object at /checks/0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct assertion x = {ASSERT_JSON, cases[i].pointer, cases[i].expected};
        rest_answers(JSON_ANSWER JSON_BODY, &x, 1);
        assert_string_equal(sample.reason, cases[i].reason ? cases[i].reason : "");
        assert_int_equal(sample.health, cases[i].reason ? HEALTH_DOWN : HEALTH_UP);
    }
}

static void reasons_hold_nothing_a_terminal_obeys(void **state)
{
    (void)state;
    const struct assertion json = {ASSERT_JSON, "/status", "UP"}, header = {ASSERT_HEADER, "X-Note", "UP"};
    rest_answers("HTTP/1.1 200 OK\r\n\r\n{\"status\":\"\\u001b[2J\\u202e\"}", &json, 1);
    assert_down(ERR_DOWN, "200", "expected UP, got \\x1b[2J\\xe2\\x80\\xae at /status");
    rest_answers("HTTP/1.1 200 OK\r\nX-Note: \x1b[5m\xff\r\n\r\n", &header, 1);
    assert_down(ERR_DOWN, "200", "expected UP, got \\x1b[5m\\xff in header X-Note");
}

static void rest_json_that_is_none(void **state)
{
    (void)state;
    const struct assertion x = {ASSERT_JSON, "/status", "UP"};
    rest_answers("HTTP/1.1 200 OK\r\n\r\n<html>", &x, 1);
    assert_down(ERR_DOWN, "200", "expected UP at /status, got a body that isn't JSON");
    rest_answers("HTTP/1.1 200 OK\r\n\r\n{\"status\":\"UP\",", &x, 1);
    assert_down(ERR_DOWN, "200", "expected UP at /status, got a body that isn't JSON");
    rest_answers("HTTP/1.1 503 Sorry\r\n\r\n{\"status\":\"UP\"}", &x, 1);
    assert_down(ERR_DOWN, "503", "status 503, expected 200-299");
}

static void serve_garbage(struct server *s, int fd)
{
    (void)s;
    server_send(fd, "AMQP garbage\r\n");
    (void)!read(fd, (char[512]){0}, 512);
}

static void rest_failures_of_the_wire(void **state)
{
    (void)state;
    struct server s;
    probe_rest(server_unused_port(), NULL, 0);
    assert_down(ERR_UNREACHABLE, "UNREACHABLE", "Connection refused");
    server_start(&s, serve_reset, NULL);
    probe_rest(s.port, NULL, 0);
    assert_int_equal(sample.health, HEALTH_DOWN);
    assert_int_equal(sample.error, ERR_CLOSED);
    assert_non_null(strstr(sample.reason, "; if it speaks TLS, write https://"));
    server_stop(&s);
    server_start(&s, serve_text, "\x15\x03\x01 an alert");
    probe_rest(s.port, NULL, 0);
    assert_down(ERR_PROTOCOL, "PROTOCOL",
                "what answers there speaks no HTTP; if it speaks TLS, write https://");
    server_stop(&s);
}

static void rest_that_is_no_tls(void **state)
{
    (void)state;
    static const struct {
        server_serve *serve;
        enum err error;
        const char *code, *reason;
    } cases[] = {{serve_close, ERR_CLOSED, "CLOSED",
                  "the connection was closed while TLS was agreed on; does this port speak TLS?"},
                 {serve_garbage, ERR_TLS, "TLS", "what answers there speaks no TLS; is it http://?"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct server s;
        char url[64];
        server_start(&s, cases[i].serve, NULL);
        snprintf(url, sizeof url, "https://127.0.0.1:%d/", s.port);
        struct probe_target t = target("rest", url, s.port);
        probe(&t, -1);
        assert_down(cases[i].error, cases[i].code, cases[i].reason);
        server_stop(&s);
    }
}

static char request[8192];

static void serve_kept(struct server *s, int fd)
{
    if (server_request(fd, request, sizeof request))
        server_send(fd, s->script);
}

static void rest_credentials_leave_the_address(void **state)
{
    (void)state;
    struct server s;
    char url[64];
    server_start(&s, serve_kept, "HTTP/1.1 204 No Content\r\n\r\n");
    snprintf(url, sizeof url, "http://guest@127.0.0.1:%d/health?at=a@b", s.port);
    struct probe_target t = target("rest", url, s.port);
    t.endpoint.username = "guest";
    t.endpoint.password = "secret";
    probe(&t, -1);
    server_stop(&s);
    assert_int_equal(sample.health, HEALTH_UP);
    assert_non_null(strstr(request, "GET /health?at=a@b HTTP"));
    assert_non_null(strstr(request, "Authorization: Basic Z3Vlc3Q6c2VjcmV0\r\n"));
}

/* ERR_AUTH is what the scheduler forgets a password by. */
static void rest_that_is_not_let_in(void **state)
{
    (void)state;
    struct server s;
    static const struct assertion refusal[] = {{ASSERT_STATUS, NULL, "401"}};
    server_start(&s, serve_text, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    probe_rest(s.port, NULL, 0);
    assert_down(ERR_AUTH, "401", "status 401, expected 200-299");
    probe_rest(s.port, refusal, 1);
    assert_int_equal(sample.health, HEALTH_UP);
    assert_int_equal(sample.error, ERR_OK);
    server_stop(&s);
}

static void slow_answers_degrade(void **state)
{
    (void)state;
    struct server s;
    char url[64];
    server_start(&s, serve_text, "HTTP/1.1 200 OK\r\n\r\n");
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", s.port);
    struct probe_target t = target("rest", url, s.port);
    t.slow_ns = 1;
    probe(&t, -1);
    server_stop(&s);
    assert_int_equal(sample.health, HEALTH_DEGRADED);
    assert_non_null(strstr(sample.reason, "threshold"));
}

static void silence_ends_at_the_time_out_and_by_cancel(void **state)
{
    (void)state;
    struct server s;
    char url[64];
    server_start(&s, serve_hang, NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", s.port);
    struct probe_target t = target("rest", url, s.port);
    t.timeout_ns = 200 * NS_PER_MS;
    probe(&t, -1);
    assert_int_equal(sample.error, ERR_TIMEOUT);
    assert_int_equal(sample.health, HEALTH_DOWN);
    ASSERT_PUNCTUAL(took_ms, 200, probe(&t, -1));
    t.timeout_ns = 30 * NS_PER_S;
    int cancel_fd = eventfd(1, EFD_CLOEXEC);
    probe(&t, cancel_fd);
    assert_int_equal(sample.error, ERR_CANCELLED);
    assert_true(took_ms < 2000);
    close(cancel_fd);
    server_stop(&s);
}

/* ---- broker ---- */

static void probe_broker(int driver_does, int ms, int cancel_fd)
{
    struct probe_target t = target("broker", "fake://", 1);
    t.endpoint.url.scheme = "fake";
    t.endpoint.username = "ops";
    t.timeout_ns = ms * NS_PER_MS;
    driver = driver_does;
    opened = closed = 0;
    probe(&t, cancel_fd);
    assert_int_equal(opened, 1);
    assert_int_equal(closed, 1);
}

static void broker_states(void **state)
{
    (void)state;
    probe_broker(DRIVER_UP, 5000, -1);
    assert_int_equal(sample.health, HEALTH_UP);
    assert_string_equal(sample.code, "FAKE");
    assert_true(sample.phases.connect >= 0 && sample.phases.total >= sample.phases.connect);
    probe_broker(DRIVER_ALARM, 5000, -1);
    assert_int_equal(sample.health, HEALTH_DEGRADED);
    assert_string_equal(sample.reason, "memory alarm");
    probe_broker(DRIVER_AUTH, 5000, -1);
    assert_down(ERR_AUTH, "AUTH", "the broker refused user ops");
    probe_broker(DRIVER_HANG, 150, -1);
    assert_down(ERR_TIMEOUT, "TIMEOUT", "no answer");
    ASSERT_PUNCTUAL(took_ms, 150, probe_broker(DRIVER_HANG, 150, -1));
}

static void broker_is_cancelled_through_its_flag(void **state)
{
    (void)state;
    int cancel_fd = eventfd(1, EFD_CLOEXEC);
    probe_broker(DRIVER_HANG, 30000, cancel_fd);
    assert_int_equal(sample.error, ERR_CANCELLED);
    assert_true(took_ms < 2000);
    close(cancel_fd);
}

static void what_nobody_can_probe(void **state)
{
    (void)state;
    struct probe_target t = target("broker", "carrier-pigeon://", 1);
    t.endpoint.url.scheme = "carrier-pigeon";
    probe(&t, -1);
    assert_down(ERR_UNSUPPORTED, "UNSUPPORTED", "no driver for carrier-pigeon addresses");
    t.kind = "semaphore";
    probe(&t, -1);
    assert_down(ERR_UNSUPPORTED, "UNSUPPORTED", "there is no probe of the kind semaphore");
}

/* ---- idle ---- */

static atomic_int samples;

static void count_sample(void *context, const struct probe_target *t, const struct sample *result)
{
    (void)context;
    (void)t;
    (void)result;
    atomic_fetch_add(&samples, 1);
}

/* How often the threads of this process, but for this one, have gone to sleep. */
static long sleeps(void)
{
    static const char label[] = "voluntary_ctxt_switches:";
    char path[64], line[256];
    long sum = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (const struct dirent *task; (task = readdir(tasks));) {
        long id = strtol(task->d_name, NULL, 10);
        snprintf(path, sizeof path, "/proc/self/task/%ld/status", id);
        FILE *f = id > 0 && id != gettid() ? fopen(path, "r") : NULL;
        while (f && fgets(line, sizeof line, f))
            if (strncmp(line, label, sizeof label - 1) == 0)
                sum += strtol(line + sizeof label - 1, NULL, 10);
        if (f)
            fclose(f);
    }
    closedir(tasks);
    return sum;
}

static void pause_ms(int ms)
{
    int64_t until = clock_mono_ns() + ms * NS_PER_MS;
    while (clock_mono_ns() < until)
        poll(NULL, 0, clock_poll_ms(until));
}

/* Once all have settled, nobody stirs: 400 ms without a wake-up must come within some seconds. */
static void nothing_stirs_while_nothing_is_due(void **state)
{
    (void)state;
    struct server s;
    char url[64];
#ifdef __SANITIZE_THREAD__
    print_message("skip: the thread sanitizer has a thread of its own that wakes up\n");
    skip();
#endif
    server_start(&s, serve_text, "HTTP/1.1 200 OK\r\n\r\n");
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", s.port);
    struct probe_target targets[] = {target("rest", url, s.port), target("tcp", "tcp://", s.port)};
    targets[0].every_ns = targets[1].every_ns = 1000 * NS_PER_S;
    samples = 0;
    struct prober *p = prober_start(targets, 2, &all, &(struct prober_host){.sample = count_sample}, NULL);
    assert_non_null(p);
    int64_t deadline = clock_mono_ns() + 10 * NS_PER_S;
    bool quiet = false;
    while (!quiet && clock_mono_ns() < deadline) {
        long before = sleeps();
        pause_ms(400);
        quiet = atomic_load(&samples) == 2 && sleeps() == before;
    }
    assert_true(quiet);
    prober_stop(&p);
    server_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_up_and_refused),
        cmocka_unit_test(tcp_without_a_port_says_so),
        cmocka_unit_test(tcp_every_host_must_answer),
        cmocka_unit_test(rest_up_is_any_2xx),
        cmocka_unit_test(rest_expected_status),
        cmocka_unit_test(rest_headers),
        cmocka_unit_test(rest_redirects_are_seen_by_who_expects_them),
        cmocka_unit_test(long_reasons_end_at_a_word),
        cmocka_unit_test(rest_body),
        cmocka_unit_test(rest_json),
        cmocka_unit_test(reasons_hold_nothing_a_terminal_obeys),
        cmocka_unit_test(rest_json_that_is_none),
        cmocka_unit_test(rest_failures_of_the_wire),
        cmocka_unit_test(rest_that_is_no_tls),
        cmocka_unit_test(rest_credentials_leave_the_address),
        cmocka_unit_test(rest_that_is_not_let_in),
        cmocka_unit_test(slow_answers_degrade),
        cmocka_unit_test(silence_ends_at_the_time_out_and_by_cancel),
        cmocka_unit_test(broker_states),
        cmocka_unit_test(broker_is_cancelled_through_its_flag),
        cmocka_unit_test(what_nobody_can_probe),
        cmocka_unit_test(nothing_stirs_while_nothing_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
