#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "net/dial.h"
#include "tests/support/punctual.h"
#include "tests/support/resolver.h"
#include "tests/support/server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static struct phases phases;
static struct err_info err;

static int dial(const char *host, int port, int ms, int cancel_fd, int64_t *took_ms)
{
    int64_t start = clock_mono_ns();
    memset(&err, 0, sizeof err);
    int fd = dial_tcp(host, port, start + ms * NS_PER_MS, cancel_fd, &phases, &err);
    *took_ms = (clock_mono_ns() - start) / NS_PER_MS;
    return fd;
}

static void connects_with_what_is_promised(void **state)
{
    (void)state;
    struct server s;
    int64_t took;
    server_start(&s, serve_hang, NULL);
    int fd = dial("localhost", s.port, 5000, -1, &took), on = 0;
    socklen_t size = sizeof on;
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
    assert_true(on);
    assert_true(phases.dns >= 0 && phases.connect >= 0 && phases.total >= phases.dns + phases.connect);
    assert_int_equal(phases.tls, PHASE_NONE);
    close(fd);
    server_stop(&s);
}

static void refused_names_address_and_reason(void **state)
{
    (void)state;
    int64_t took;
    char where[32];
    int port = server_unused_port();
    assert_int_equal(dial("127.0.0.1", port, 5000, -1, &took), -1);
    assert_int_equal(err.code, ERR_UNREACHABLE);
    assert_string_equal(err.text, "127.0.0.1: Connection refused");
    snprintf(where, sizeof where, "127.0.0.1:%d", port);
    assert_string_equal(err.where, where);
    assert_true(err.next[0]);
    assert_int_equal(phases.connect, PHASE_NONE);
}

static void every_address_is_tried(void **state)
{
    (void)state;
    struct server s;
    int64_t took;
    server_start(&s, serve_hang, NULL); /* on 127.0.0.1 alone; two.test is 127.0.0.2 first */
    int fd = dial("two.test", s.port, 5000, -1, &took);
    assert_true(fd >= 0);
    close(fd);
    server_stop(&s);
    assert_int_equal(dial("two.test", server_unused_port(), 5000, -1, &took), -1);
    assert_string_equal(err.text, "127.0.0.2: Connection refused, 127.0.0.1: Connection refused");
}

static void an_unknown_name_says_so(void **state)
{
    (void)state;
    int64_t took;
    assert_int_equal(dial("no-such-host.invalid", 80, 20000, -1, &took), -1);
    assert_int_equal(err.code, ERR_UNREACHABLE);
    assert_non_null(strstr(err.text, "no-such-host.invalid"));
}

static void a_resolver_that_hangs_holds_nobody_beyond_the_deadline(void **state)
{
    (void)state;
    int64_t took;
    resolver_hang();
    assert_int_equal(dial("hang.test", 80, 150, -1, &took), -1);
    assert_int_equal(err.code, ERR_TIMEOUT);
    ASSERT_PUNCTUAL(took, 150, dial("hang.test", 80, 150, -1, &took));
    resolver_release();
}

static void cancelling_ends_it_early(void **state)
{
    (void)state;
    int64_t took;
    int cancel_fd = eventfd(1, EFD_CLOEXEC);
    resolver_hang();
    assert_int_equal(dial("hang.test", 80, 10000, cancel_fd, &took), -1);
    assert_int_equal(err.code, ERR_CANCELLED);
    assert_true(took < 1000);
    resolver_release();
    close(cancel_fd);
}

static void a_silent_address_times_out(void **state)
{
    (void)state;
    struct black_hole hole;
    int64_t took;
    black_hole_open(&hole);
    assert_int_equal(dial("127.0.0.1", hole.port, 150, -1, &took), -1);
    assert_int_equal(err.code, ERR_TIMEOUT);
    assert_string_equal(err.text, "127.0.0.1: no answer");
    ASSERT_PUNCTUAL(took, 150, dial("127.0.0.1", hole.port, 150, -1, &took));
    black_hole_close(&hole);
}

/* 127.0.0.1 swallows all, 127.0.0.2 refuses: each has its share of the time, so that the second one is heard. */
static void a_silent_address_leaves_time_for_the_next(void **state)
{
    (void)state;
    struct black_hole hole;
    int64_t took;
    black_hole_open(&hole);
    assert_int_equal(dial("deaf.test", hole.port, 300, -1, &took), -1);
    assert_int_equal(err.code, ERR_UNREACHABLE);
    assert_string_equal(err.text, "127.0.0.1: no answer, 127.0.0.2: Connection refused");
    ASSERT_PUNCTUAL(took, 150, dial("deaf.test", hole.port, 300, -1, &took));
    black_hole_close(&hole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connects_with_what_is_promised),
        cmocka_unit_test(refused_names_address_and_reason),
        cmocka_unit_test(every_address_is_tried),
        cmocka_unit_test(an_unknown_name_says_so),
        cmocka_unit_test(a_resolver_that_hangs_holds_nobody_beyond_the_deadline),
        cmocka_unit_test(cancelling_ends_it_early),
        cmocka_unit_test(a_silent_address_times_out),
        cmocka_unit_test(a_silent_address_leaves_time_for_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
