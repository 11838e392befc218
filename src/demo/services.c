#include "demo/services.h"

#include "base/clock.h"
#include "base/thread.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_SERVICES    8
#define MOST_CONNECTIONS 64

struct connection {
    int fd; /* -1: free */
    size_t service;
    size_t received; /* bytes of the request, of which only the end matters */
    uint8_t last[4];
    bool asked;
    int64_t answer_at_ns;
    struct service_answer answer;
};

struct services {
    pthread_t thread;
    int stop_fd;
    size_t count;
    struct service services[MOST_SERVICES];
    int listeners[MOST_SERVICES];
    int ports[MOST_SERVICES];
    uint64_t requests[MOST_SERVICES];
    int64_t start_ns;
    struct connection connections[MOST_CONNECTIONS];
};

static int listen_loopback(int *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 64) ||
        getsockname(fd, (struct sockaddr *)&a, &len)) {
        close(fd);
        return -1;
    }
    *port = ntohs(a.sin_port);
    return fd;
}

static void hang_up(struct connection *c)
{
    close(c->fd);
    c->fd = -1;
}

static void accept_one(struct services *s, size_t service)
{
    int fd = accept4(s->listeners[service], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    for (size_t i = 0; i < MOST_CONNECTIONS; i++) {
        if (s->connections[i].fd >= 0)
            continue;
        s->connections[i] = (struct connection){.fd = fd, .service = service};
        return;
    }
    close(fd);
}

/* A request without a body ends with an empty line; what it asks for does not matter here. */
static bool request_ends(struct connection *c, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        memmove(c->last, c->last + 1, 3);
        c->last[3] = data[i];
        if (memcmp(c->last, "\r\n\r\n", 4) == 0)
            return true;
    }
    return false;
}

static void receive(struct services *s, struct connection *c)
{
    uint8_t data[2048];
    ssize_t n = read(c->fd, data, sizeof data);
    if (n <= 0) {
        hang_up(c);
        return;
    }
    c->received += (size_t)n;
    if (c->asked || !request_ends(c, data, (size_t)n))
        return;
    int64_t now = clock_mono_ns();
    double seconds = (double)(now - s->start_ns) / NS_PER_S;
    c->asked = true;
    c->answer = s->services[c->service].answer(seconds, s->requests[c->service]++);
    c->answer_at_ns = now + c->answer.delay_ns;
}

static void answer(struct connection *c)
{
    char text[512];
    int n = snprintf(text, sizeof text,
                     "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n%s",
                     c->answer.status, c->answer.status == 200 ? "OK" : "Service Unavailable",
                     strlen(c->answer.body), c->answer.body);
    (void)!send(c->fd, text, (size_t)n, MSG_NOSIGNAL);
    hang_up(c);
}

static int64_t answer_due(struct services *s, int64_t now)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < MOST_CONNECTIONS; i++) {
        struct connection *c = &s->connections[i];
        if (c->fd < 0 || !c->asked)
            continue;
        if (c->answer_at_ns <= now)
            answer(c);
        else if (c->answer_at_ns < next)
            next = c->answer_at_ns;
    }
    return next;
}

static void *serve(void *context)
{
    struct services *s = context;
    for (;;) {
        struct pollfd fds[1 + MOST_SERVICES + MOST_CONNECTIONS];
        size_t at[1 + MOST_SERVICES + MOST_CONNECTIONS], n = 0;
        int64_t next = answer_due(s, clock_mono_ns());
        fds[n++] = (struct pollfd){.fd = s->stop_fd, .events = POLLIN};
        for (size_t i = 0; i < s->count; i++)
            fds[n++] = (struct pollfd){.fd = s->listeners[i], .events = POLLIN};
        for (size_t i = 0; i < MOST_CONNECTIONS; i++)
            if (s->connections[i].fd >= 0)
                at[n] = i, fds[n++] = (struct pollfd){.fd = s->connections[i].fd, .events = POLLIN};
        poll(fds, n, clock_poll_ms(next));
        if (fds[0].revents)
            return NULL;
        for (size_t i = 1 + s->count; i < n; i++)
            if (fds[i].revents)
                receive(s, &s->connections[at[i]]);
        for (size_t i = 0; i < s->count; i++)
            if (fds[1 + i].revents)
                accept_one(s, i);
    }
}

static void services_free(struct services *s)
{
    for (size_t i = 0; i < s->count; i++)
        close(s->listeners[i]);
    for (size_t i = 0; i < MOST_CONNECTIONS; i++)
        if (s->connections[i].fd >= 0)
            close(s->connections[i].fd);
    if (s->stop_fd >= 0)
        close(s->stop_fd);
    free(s);
}

struct services *services_start(const struct service *services, size_t count, struct err_info *err)
{
    struct services *s = calloc(1, sizeof *s);
    bool ok = s && count <= MOST_SERVICES;
    if (s) {
        s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        s->start_ns = clock_mono_ns();
        for (size_t i = 0; i < MOST_CONNECTIONS; i++)
            s->connections[i].fd = -1;
    }
    for (size_t i = 0; ok && i < count; i++) {
        s->services[i] = services[i];
        s->listeners[i] = listen_loopback(&s->ports[i]);
        ok = s->listeners[i] >= 0;
        s->count += ok;
    }
    if (ok && s->stop_fd >= 0 && thread_start(&s->thread, serve, s))
        return s;
    err_set(err, ERR_FAILED, "the demo's services found no port on loopback");
    if (s)
        services_free(s);
    return NULL;
}

int services_port(const struct services *s, size_t i)
{
    return s->ports[i];
}

void services_stop(struct services **sp)
{
    struct services *s = *sp;
    *sp = NULL;
    if (!s)
        return;
    (void)!write(s->stop_fd, &(uint64_t){1}, sizeof(uint64_t));
    pthread_join(s->thread, NULL);
    services_free(s);
}
