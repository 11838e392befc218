/* A TCP server on loopback in threads of the test's own: one that accepts, one for each connection. */
#ifndef TESTS_SUPPORT_SERVER_H
#define TESTS_SUPPORT_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define SERVER_CONNECTIONS 64

struct server;
/* Serves one connection, on a thread of its own; the socket is closed after it. */
typedef void server_serve(struct server *s, int fd);

struct server_connection {
    struct server *server;
    int fd; /* -1 once closed */
    pthread_t thread;
};

struct server {
    int port;
    atomic_int accepted;
    server_serve *serve;
    const void *script; /* the serve function's own */
    int listener;
    pthread_t thread;
    struct server_connection connections[SERVER_CONNECTIONS];
    pthread_mutex_t lock;
};

void server_start(struct server *s, server_serve *serve, const void *script);
void server_stop(struct server *s); /* ends all connections and waits for the threads */

/* Ready-made ones. */
void serve_text(struct server *s, int fd);  /* reads a request, sends script (a string), closes */
void serve_hang(struct server *s, int fd);  /* reads until the client goes away, says nothing */
void serve_reset(struct server *s, int fd); /* reads a request and resets the connection */
void serve_close(struct server *s, int fd); /* closes at once */

/* Reads up to an empty line; false: the client went away before. */
bool server_request(int fd, char *into, size_t size);
bool server_send(int fd, const char *text);
/* A port of 127.0.0.1 where nothing listens. */
int server_unused_port(void);

/* A port that answers no SYN: a listener whose backlog is full. A black hole that needs no firewall. */
struct black_hole {
    int port;
    int listener, held[4];
};

void black_hole_open(struct black_hole *b);
void black_hole_close(struct black_hole *b);

#endif
