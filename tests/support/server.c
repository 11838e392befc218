#include "tests/support/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int bind_loopback(int *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) ||
        getsockname(fd, (struct sockaddr *)&at, &size))
        abort();
    *port = ntohs(at.sin_port);
    return fd;
}

static void *connection_run(void *arg)
{
    struct server_connection *c = arg;
    struct server *s = c->server;
    s->serve(s, c->fd);
    pthread_mutex_lock(&s->lock);
    close(c->fd);
    c->fd = -1;
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void *accept_run(void *arg)
{
    struct server *s = arg;
    for (int i = 0; i < SERVER_CONNECTIONS; i++) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0)
            break;
        pthread_mutex_lock(&s->lock);
        s->connections[i] = (struct server_connection){.server = s, .fd = fd};
        atomic_fetch_add(&s->accepted, 1); /* before it can answer: who has the answer may count on it */
        if (pthread_create(&s->connections[i].thread, NULL, connection_run, &s->connections[i]))
            abort();
        pthread_mutex_unlock(&s->lock);
    }
    return NULL;
}

void server_start(struct server *s, server_serve *serve, const void *script)
{
    memset(s, 0, sizeof *s);
    s->serve = serve;
    s->script = script;
    pthread_mutex_init(&s->lock, NULL);
    s->listener = bind_loopback(&s->port);
    if (listen(s->listener, 128) || pthread_create(&s->thread, NULL, accept_run, s))
        abort();
}

void server_stop(struct server *s)
{
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    int accepted = atomic_load(&s->accepted);
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < accepted; i++)
        if (s->connections[i].fd >= 0)
            shutdown(s->connections[i].fd, SHUT_RDWR);
    pthread_mutex_unlock(&s->lock);
    for (int i = 0; i < accepted; i++)
        pthread_join(s->connections[i].thread, NULL);
    pthread_mutex_destroy(&s->lock);
}

bool server_request(int fd, char *into, size_t size)
{
    size_t len = 0;
    while (len + 1 < size) {
        ssize_t n = recv(fd, into + len, 1, 0);
        if (n <= 0)
            return false;
        into[++len] = '\0';
        if (len >= 4 && memcmp(into + len - 4, "\r\n\r\n", 4) == 0)
            return true;
    }
    return false;
}

bool server_send(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

void serve_hang(struct server *s, int fd)
{
    char rest[4096];
    (void)s;
    while (recv(fd, rest, sizeof rest, 0) > 0)
        ;
}

void serve_text(struct server *s, int fd)
{
    char request[8192];
    if (!server_request(fd, request, sizeof request) || !server_send(fd, s->script))
        return;
    shutdown(fd, SHUT_WR);
    serve_hang(s, fd);
}

void serve_reset(struct server *s, int fd)
{
    char request[8192];
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)s;
    server_request(fd, request, sizeof request);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void serve_close(struct server *s, int fd)
{
    (void)s;
    (void)fd;
}

int server_unused_port(void)
{
    int port;
    int fd = bind_loopback(&port);
    close(fd);
    return port;
}

void black_hole_open(struct black_hole *b)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    b->listener = bind_loopback(&b->port);
    at.sin_port = htons((uint16_t)b->port);
    if (listen(b->listener, 0))
        abort();
    for (int i = 0; i < 4; i++) {
        b->held[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connect(b->held[i], (struct sockaddr *)&at, sizeof at) && errno != EINPROGRESS)
            abort();
    }
}

void black_hole_close(struct black_hole *b)
{
    for (int i = 0; i < 4; i++)
        close(b->held[i]);
    close(b->listener);
}
