/* HTTP client: one libcurl multi handle on one worker thread serves any number of requests. Floor 2; with dial the only
 * door to libcurl. */
#ifndef SIGNALBOX_NET_HTTP_H
#define SIGNALBOX_NET_HTTP_H

#include "base/buffer.h"
#include "model/endpoint.h"
#include "model/sample.h"

struct http_request {
    const char *method; /* NULL: GET */
    const char *url;
    const char *username, *password; /* basic authentication; NULL none */
    const char *const *headers;      /* "Name: value", NULL-terminated; NULL none */
    struct bytes body;               /* null: none */
    struct tls_options tls;          /* insecure, ca, cert, key; on is taken from the URL */
    int64_t deadline_ns;             /* monotonic */
    size_t max_body;                 /* the rest is not read: truncated is set */
    bool follow;                     /* redirects, at most 5, never from https to http */
    bool fresh;                      /* a new connection: probes measure all phases */
};

struct http_response {
    enum err error; /* ERR_OK: an HTTP answer came, whatever its status */
    struct err_info err;
    long status;
    struct phases phases;
    struct buffer headers; /* raw lines of the last answer */
    struct buffer body;
    bool truncated;
    int64_t certificate_expires_ns; /* TIME_NONE unknown */
    char peer[64];                  /* address that was used */
};
void http_response_free(struct http_response *r);
/* The next value of that name; *at begins at 0. Names may stand several times. */
bool http_header_next(const struct http_response *r, const char *name, size_t *at, struct bytes *value);
const char *http_header(const struct http_response *r, const char *name, char *into,
                        size_t size); /* NULL: absent */

struct http_client;
typedef void http_done(void *context,
                       struct http_response *response); /* client's thread; contents freed after the call */

struct http_client *http_client_new(struct err_info *err); /* starts its thread at the first request */
void http_client_free(struct http_client **c);             /* running requests end with ERR_CANCELLED first */
/* Copies what it needs. done is called exactly once, also for requests that cannot start: on the client's thread, or within
 * http_start where there is no memory or thread, or the client is being freed. Any thread. */
void http_start(struct http_client *c, const struct http_request *request, http_done *done, void *context);
/* Blocking form for workers: returns when done, cancelled (flag) or at the deadline. The caller frees the response. */
void http_fetch(struct http_client *c, const struct http_request *request, const atomic_bool *cancelled,
                struct http_response *response);

#endif
