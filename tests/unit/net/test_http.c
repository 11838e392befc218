#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "net/certificate.h"
#include "net/http.h"
#include "tests/support/punctual.h"
#include "tests/support/resolver.h"
#include "tests/support/server.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct http_client *client;
static struct http_response response;

static int setup(void **state)
{
    (void)state;
    client = http_client_new(NULL);
    return client ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    http_response_free(&response);
    http_client_free(&client);
    return 0;
}

static struct http_request request_to(const char *url, int ms)
{
    return (struct http_request){.url = url,
                                 .deadline_ns = clock_mono_ns() + ms * NS_PER_MS,
                                 .max_body = 4096,
                                 .follow = true,
                                 .fresh = true};
}

static int64_t fetch(const struct http_request *request)
{
    int64_t start = clock_mono_ns();
    http_response_free(&response);
    http_fetch(client, request, NULL, &response);
    return (clock_mono_ns() - start) / NS_PER_MS;
}

static int64_t fetch_port(int port, const char *path, int ms)
{
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
    struct http_request r = request_to(url, ms);
    return fetch(&r);
}

static void an_answer_with_all_that_is_known(void **state)
{
    (void)state;
    struct server s;
    char value[32], peer[32];
    server_start(&s, serve_text,
                 "HTTP/1.1 503 Gone fishing\r\nX-Fish:  trout \r\nContent-Length: 5\r\n\r\nhello");
    fetch_port(s.port, "/a?b", 5000);
    assert_int_equal(response.error, ERR_OK);
    assert_int_equal(response.status, 503);
    assert_string_equal(buffer_cstr(&response.body), "hello");
    assert_string_equal(http_header(&response, "x-fish", value, sizeof value), "trout");
    assert_null(http_header(&response, "fish", value, sizeof value));
    assert_int_equal(response.certificate_expires_ns, TIME_NONE);
    snprintf(peer, sizeof peer, "127.0.0.1:%d", s.port);
    assert_string_equal(response.peer, peer);
    const struct phases *p = &response.phases;
    assert_true(p->connect >= 0 && p->first_byte >= 0);
    assert_int_equal(p->tls, PHASE_NONE);
    assert_true(p->total >= p->dns + p->connect + p->first_byte);
    server_stop(&s);
}

static char seen[8192];

static void serve_seen(struct server *s, int fd)
{
    if (!server_request(fd, seen, sizeof seen))
        return;
    size_t len = strlen(seen);
    const char *length = strstr(seen, "Content-Length: ");
    for (long left = length ? strtol(length + 16, NULL, 10) : 0; left > 0; left--)
        if (read(fd, seen + len++, 1) != 1)
            return;
    seen[len] = '\0';
    server_send(fd, s->script);
}

static void method_headers_credentials_and_body_arrive(void **state)
{
    (void)state;
    struct server s;
    char url[64];
    server_start(&s, serve_seen, "HTTP/1.1 204 No Content\r\n\r\n");
    snprintf(url, sizeof url, "http://127.0.0.1:%d/p", s.port);
    struct http_request r = request_to(url, 5000);
    r.method = "PUT";
    r.username = "guest";
    r.password = "secret";
    r.headers = (const char *const[]){"X-One: 1", NULL};
    r.body = BYTES_LITERAL("{\"a\":1}");
    fetch(&r);
    assert_int_equal(response.status, 204);
    server_stop(&s);
    assert_int_equal(strncmp(seen, "PUT /p HTTP/1.1\r\n", 17), 0);
    assert_non_null(strstr(seen, "Authorization: Basic Z3Vlc3Q6c2VjcmV0\r\n"));
    assert_non_null(strstr(seen, "X-One: 1\r\n"));
    assert_null(strstr(seen, "Expect:"));
    assert_non_null(strstr(seen, "\r\n\r\n{\"a\":1}"));
}

static void refused(void **state)
{
    (void)state;
    fetch_port(server_unused_port(), "/?token=secret", 5000);
    assert_int_equal(response.error, ERR_UNREACHABLE);
    assert_string_equal(response.err.text, "Connection refused");
    assert_null(strstr(response.err.where, "secret"));
    assert_true(response.err.next[0]);
}

static void a_deadline_holds(void **state)
{
    (void)state;
    struct server s;
    server_start(&s, serve_hang, NULL);
    int64_t took = fetch_port(s.port, "/", 200);
    assert_int_equal(response.error, ERR_TIMEOUT);
    ASSERT_PUNCTUAL(took, 200, took = fetch_port(s.port, "/", 200));
    assert_non_null(strstr(response.err.text, "waiting for the answer"));
    server_stop(&s);
}

static void a_deadline_holds_while_nothing_answers(void **state)
{
    (void)state;
    struct black_hole hole;
    black_hole_open(&hole);
    int64_t took = fetch_port(hole.port, "/", 200);
    assert_int_equal(response.error, ERR_TIMEOUT);
    ASSERT_PUNCTUAL(took, 200, took = fetch_port(hole.port, "/", 200));
    assert_non_null(strstr(response.err.text, "connecting"));
    assert_int_equal(response.phases.connect, PHASE_NONE);
    black_hole_close(&hole);
}

static void a_deadline_holds_while_the_resolver_hangs(void **state)
{
    (void)state;
    resolver_hang();
    struct http_request r = request_to("http://hang.test/", 200);
    int64_t took = fetch(&r);
    assert_int_equal(response.error, ERR_TIMEOUT);
    ASSERT_PUNCTUAL(took, 200, (r = request_to("http://hang.test/", 200), took = fetch(&r)));
    resolver_release();
}

static void a_flag_cancels(void **state)
{
    (void)state;
    struct server s;
    char url[64];
    atomic_bool cancelled = true;
    server_start(&s, serve_hang, NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", s.port);
    struct http_request r = request_to(url, 20000);
    int64_t start = clock_mono_ns();
    http_fetch(client, &r, &cancelled, &response);
    assert_int_equal(response.error, ERR_CANCELLED);
    assert_true(clock_mono_ns() - start < 2 * NS_PER_S);
    server_stop(&s);
}

static void lost_connections_are_told_apart(void **state)
{
    (void)state;
    struct server s;
    server_start(&s, serve_reset, NULL);
    fetch_port(s.port, "/", 5000);
    assert_int_equal(response.error, ERR_CLOSED);
    server_stop(&s);
    server_start(&s, serve_close, NULL);
    fetch_port(s.port, "/", 5000);
    assert_int_equal(response.error, ERR_CLOSED);
    server_stop(&s);
    server_start(&s, serve_text, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive.");
    fetch_port(s.port, "/", 5000);
    assert_int_equal(response.error, ERR_CLOSED);
    assert_non_null(strstr(response.err.text, "cut off"));
    server_stop(&s);
    server_start(&s, serve_text, "SSH-2.0-OpenSSH_9.2\r\n\r\n");
    fetch_port(s.port, "/", 5000);
    assert_int_equal(response.error, ERR_PROTOCOL);
    server_stop(&s);
}

static void serve_loop(struct server *s, int fd)
{
    char request[4096], answer[256];
    if (!server_request(fd, request, sizeof request))
        return;
    snprintf(
        answer, sizeof answer,
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        s->port);
    server_send(fd, answer);
}

static void redirects_are_bounded_and_optional(void **state)
{
    (void)state;
    struct server s;
    char url[64], to[64];
    server_start(&s, serve_loop, NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", s.port);
    struct http_request r = request_to(url, 5000);
    fetch(&r);
    assert_int_equal(response.error, ERR_LIMIT);
    assert_int_equal(s.accepted, 6);
    r.follow = false;
    fetch(&r);
    assert_int_equal(response.error, ERR_OK);
    assert_int_equal(response.status, 302);
    assert_string_equal(http_header(&response, "Location", to, sizeof to), url);
    server_stop(&s);
}

static void only_http_is_followed(void **state)
{
    (void)state;
    struct server s;
    server_start(&s, serve_text,
                 "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
    fetch_port(s.port, "/", 5000);
    assert_int_equal(response.error, ERR_REFUSED);
    assert_int_equal(response.body.len, 0);
    server_stop(&s);
    struct http_request r = request_to("file:///etc/passwd", 5000);
    fetch(&r);
    assert_int_equal(response.error, ERR_USAGE);
}

static void serve_huge(struct server *s, int fd)
{
    static char block[65536];
    char request[4096];
    (void)s;
    memset(block, 'x', sizeof block - 1);
    server_request(fd, request, sizeof request);
    server_send(fd, "HTTP/1.1 200 OK\r\n\r\n");
    while (server_send(fd, block))
        ;
}

static void a_huge_body_is_cut(void **state)
{
    (void)state;
    struct server s;
    server_start(&s, serve_huge, NULL);
    fetch_port(s.port, "/", 5000);
    assert_int_equal(response.error, ERR_OK);
    assert_int_equal(response.status, 200);
    assert_true(response.truncated);
    assert_int_equal(response.body.len, 4096);
    server_stop(&s);
}

static void serve_headers(struct server *s, int fd)
{
    char request[4096];
    (void)s;
    server_request(fd, request, sizeof request);
    server_send(fd, "HTTP/1.1 200 OK\r\n");
    while (server_send(
        fd, "X-Filler: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n"))
        ;
}

static void endless_headers_are_an_error(void **state)
{
    (void)state;
    struct server s;
    server_start(&s, serve_headers, NULL);
    fetch_port(s.port, "/", 5000);
    assert_int_equal(response.error, ERR_LIMIT);
    server_stop(&s);
}

static atomic_int ended, ended_cancelled;

static void count_end(void *context, struct http_response *r)
{
    (void)context;
    atomic_fetch_add(&ended, 1);
    if (r->error == ERR_CANCELLED)
        atomic_fetch_add(&ended_cancelled, 1);
}

static void freeing_the_client_ends_what_runs(void **state)
{
    (void)state;
    struct server s;
    char url[64];
    server_start(&s, serve_hang, NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", s.port);
    struct http_request r = request_to(url, 20000);
    for (int i = 0; i < 20; i++)
        http_start(client, &r, count_end, NULL);
    while (atomic_load(&s.accepted) == 0)
        usleep(1000);
    int64_t start = clock_mono_ns();
    http_client_free(&client);
    assert_true(clock_mono_ns() - start < NS_PER_S);
    assert_int_equal(ended, 20);
    assert_int_equal(ended_cancelled, 20);
    server_stop(&s);
}

static void certificate_times(void **state)
{
    (void)state;
    const int64_t expected = INT64_C(1893553445) * NS_PER_S;
    assert_int_equal(certificate_time("Jan  2 03:04:05 2030 GMT"), expected);
    assert_int_equal(certificate_time("Jan 2 03:04:05.123 2030 GMT"), expected);
    assert_int_equal(certificate_time(" 2030-01-02 03:04:05 GMT"), expected);
    assert_int_equal(certificate_time("2030-01-02T03:04:05Z"), expected);
    assert_int_equal(certificate_time("Dec 31 23:59:59 9999 GMT"), INT64_MAX);
    const char *const bad[] = {
        "",     "Bad time value",     "Jan", "Foo 2 03:04:05 2030 GMT", "Jan 99 03:04:05 2030",
        "2030", "2030-13-02 03:04:05"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(certificate_time(bad[i]), TIME_NONE);
}

static void certificates_end_in_units_that_tell(void **state)
{
    static const struct {
        int64_t minutes;
        const char *text;
    } cases[] = {{13 * 1440 + 1439, "13 days"},
                 {2 * 1440, "2 days"},
                 {2 * 1440 - 1, "47 hours"},
                 {120, "2 hours"},
                 {119, "119 minutes"},
                 {1, "1 minute"},
                 {0, "0 minutes"}};
    char text[40];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(certificate_left(cases[i].minutes * 60 * NS_PER_S, text, sizeof text),
                            cases[i].text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_with_all_that_is_known),
        TEST(method_headers_credentials_and_body_arrive),
        TEST(refused),
        TEST(a_deadline_holds),
        TEST(a_deadline_holds_while_nothing_answers),
        TEST(a_deadline_holds_while_the_resolver_hangs),
        TEST(a_flag_cancels),
        TEST(lost_connections_are_told_apart),
        TEST(redirects_are_bounded_and_optional),
        TEST(only_http_is_followed),
        TEST(a_huge_body_is_cut),
        TEST(endless_headers_are_an_error),
        TEST(freeing_the_client_ends_what_runs),
        TEST(certificate_times),
        TEST(certificates_end_in_units_that_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
