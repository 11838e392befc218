/* One HTTP exchange: from the copied request through a libcurl handle to the response. Floor 2; internal to http.c, whose
 * thread alone calls everything below but transfer_new. */
#ifndef SIGNALBOX_NET_TRANSFER_H
#define SIGNALBOX_NET_TRANSFER_H

#include "base/arena.h"
#include "net/http.h"

#include <curl/curl.h>

struct transfer {
    struct transfer *next; /* the client's list, as `cancelled` is, under its lock */
    bool cancelled;
    CURL *easy; /* NULL: not begun */
    struct curl_slist *headers;
    struct arena arena;
    struct http_request request; /* a copy, in the arena */
    struct http_response response;
    int64_t tls_began_ns; /* monotonic; 0: it didn't come so far */
    int64_t began_ns;
    struct ssl_ctx_st *tls; /* of the connection that it made last, which leads back here; NULL: none */
    bool asked;             /* the server asked for a client certificate */
    bool long_headers;      /* beyond LIMIT_HEADERS: it was ended for that */
    http_done *done;
    void *context;
    char reason[CURL_ERROR_SIZE]; /* libcurl's own words */
};

/* Any thread. NULL: no memory. */
struct transfer *transfer_new(const struct http_request *request, http_done *done, void *context);
void transfer_free(struct transfer *t);
/* Makes t->easy, with t as its private pointer. False: t->response says why. */
bool transfer_prepare(struct transfer *t);
/* Fills the response from what the handle knows after it has ended with result. */
void transfer_complete(struct transfer *t, CURLcode result);
/* Ends it without libcurl: cancelled, no memory. */
void transfer_fail(struct transfer *t, enum err code, const char *text);

#endif
