/* RabbitMQ's driver and a broker that falls silent in the middle: who waits can be freed, and nothing else is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "brokers/rabbitmq/rabbitmq_internal.h"
#include "tests/support/server.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- a broker that knows a few answers by heart ---- */

/* A method frame, without its last byte. */
#define FRAME(channel, size, class, method) "\1\0" channel "\0\0\0" size "\0" class "\0" method
#define END                                 "\xce"

struct line {
    const char *wanted; /* class and method that the client sends; NULL: not waited for */
    const char *answer;
    size_t size;
};
#define LINE(wanted, answer)         \
 {                                   \
  wanted, answer, sizeof(answer) - 1 \
 }

static const struct line lines[] = {
    LINE("AMQP", FRAME("\0", "\x1c", "\x0a", "\x0a") "\0\x09\0\0\0\0\0\0\0\5PLAIN\0\0\0\5en_US" END),
    LINE("\0\x0a\0\x0b", FRAME("\0", "\x0c", "\x0a", "\x1e") "\0\0\0\2\0\0\0\0" END),
    LINE("\0\x0a\0\x28", FRAME("\0", "\5", "\x0a", "\x29") "\0" END),
    LINE("\0\x14\0\x0a", FRAME("\1", "\x08", "\x14", "\x0b") "\0\0\0\0" END),
    LINE("\0\x14\0\x14", "\3\0\1"), /* channel.flow: a body begins instead */
};
enum { TO_LOGIN = 3, TO_CHANNEL = 4, ALL = 5 };

static atomic_int heard; /* how many lines were */

static bool hear(int fd, const char *wanted)
{
    char last[4] = "";
    while (memcmp(last, wanted, 4) != 0) {
        memmove(last, last + 1, 3);
        if (read(fd, last + 3, 1) != 1)
            return false;
    }
    atomic_fetch_add(&heard, 1);
    return true;
}

static bool say(int fd, const struct line *line)
{
    return send(fd, line->answer, line->size, MSG_NOSIGNAL) == (ssize_t)line->size;
}

/* Hears one line more than it answers, and falls silent. */
static void serve_some(struct server *s, int fd)
{
    int known = *(const int *)s->script;
    for (int i = 0; i < known; i++)
        if (!hear(fd, lines[i].wanted) || !say(fd, &lines[i]))
            return;
    if (known < ALL)
        hear(fd, lines[known].wanted);
    serve_hang(s, fd);
}

/* ---- the driver ---- */

struct fixture {
    struct server server;
    struct endpoint endpoint;
    struct broker broker;
    struct err_info err;
    char host[16];
    atomic_bool cancelled, given_up;
    int known;
    enum err result;
    pthread_t thread;
};

static struct fixture *start(int known)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->known = known;
    atomic_store(&heard, 0);
    server_start(&f->server, serve_some, &f->known);
    snprintf(f->host, sizeof f->host, "127.0.0.1");
    f->endpoint.name = "silent";
    f->endpoint.url.scheme = "rabbitmq";
    f->endpoint.url.host_count = 1;
    f->endpoint.url.hosts[0].host = f->host;
    f->endpoint.url.hosts[0].port = f->server.port;
    f->broker = (struct broker){.endpoint = &f->endpoint,
                                .cancelled = &f->cancelled,
                                .given_up = &f->given_up,
                                .wake_fd = eventfd(0, EFD_CLOEXEC),
                                .deadline_ns = clock_mono_ns() + 30 * NS_PER_S,
                                .state = calloc(1, sizeof(struct rabbit))};
    return f;
}

static void stop(struct fixture *f)
{
    rabbit_disconnect(&f->broker);
    server_stop(&f->server);
    close(f->broker.wake_fd);
    free(f->broker.state);
    free(f);
}

static void *connect_run(void *arg)
{
    struct fixture *f = arg;
    f->result = rabbit_connect(&f->broker, &f->err);
    return NULL;
}

/* Frees one who connects, at the step that the broker leaves open. */
static void leave_while_connecting(int known, bool given_up)
{
    struct fixture *f = start(known);
    assert_int_equal(pthread_create(&f->thread, NULL, connect_run, f), 0);
    while (atomic_load(&heard) <= known)
        usleep(1000);
    int64_t start = clock_mono_ns();
    atomic_store(&f->given_up, given_up);
    atomic_store(&f->cancelled, true);
    rabbit_interrupt(&f->broker);
    pthread_join(f->thread, NULL);
    assert_true(clock_mono_ns() - start < 2 * NS_PER_S);
    assert_int_equal(f->result, ERR_CANCELLED);
    stop(f);
}

static void a_login_can_be_left(void **state)
{
    (void)state;
    leave_while_connecting(1, false);
    leave_while_connecting(1, true);
}

static void a_channel_that_is_not_opened_can_be_left(void **state)
{
    (void)state;
    leave_while_connecting(TO_LOGIN, false);
    leave_while_connecting(TO_LOGIN, true);
}

/* The library closes its socket when a question times out, and the next one of the process gets that number. */
static void what_is_opened_later_is_not_cut(void **state)
{
    (void)state;
    int pair[2];
    char byte = 0;
    struct fixture *f = start(TO_CHANNEL);
    assert_int_equal(rabbit_connect(&f->broker, &f->err), ERR_OK);
    f->broker.deadline_ns = clock_mono_ns() + 100 * NS_PER_MS;
    assert_int_equal(rabbit_ask(&f->broker, &f->err), ERR_TIMEOUT);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    atomic_store(&f->cancelled, true);
    atomic_store(&f->given_up, true);
    rabbit_interrupt(&f->broker);
    assert_int_equal(send(pair[0], "x", 1, MSG_NOSIGNAL), 1);
    assert_int_equal(read(pair[1], &byte, 1), 1);
    close(pair[0]);
    close(pair[1]);
    stop(f);
}

static void a_message_that_begins_is_a_sign_of_life(void **state)
{
    (void)state;
    struct fixture *f = start(ALL);
    assert_int_equal(rabbit_connect(&f->broker, &f->err), ERR_OK);
    assert_int_equal(rabbit_listen(&f->broker, &f->err), ERR_OK);
    stop(f);
}

static void nothing_is_none(void **state)
{
    (void)state;
    struct fixture *f = start(TO_CHANNEL);
    assert_int_equal(rabbit_connect(&f->broker, &f->err), ERR_OK);
    f->broker.deadline_ns = clock_mono_ns() + 100 * NS_PER_MS;
    assert_int_equal(rabbit_listen(&f->broker, &f->err), ERR_TIMEOUT);
    assert_string_equal(f->err.text, "the broker does not answer");
    stop(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_can_be_left),
        cmocka_unit_test(a_channel_that_is_not_opened_can_be_left),
        cmocka_unit_test(what_is_opened_later_is_not_cut),
        cmocka_unit_test(a_message_that_begins_is_a_sign_of_life),
        cmocka_unit_test(nothing_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
