/* DESIGN. Whoever wants something puts a transfer on a list under the lock and wakes the thread; the thread alone touches
 * libcurl, begins what is new on the list, ends what is done or cancelled, and sleeps in curl_multi_poll, without a
 * time-out of its own while nothing runs. libcurl itself starts on that thread too: it takes several milliseconds. */
#include "net/http.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/thread.h"
#include "net/transfer.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_CONNECTIONS 8L
#define FLAG_LOOK_NS     (20 * NS_PER_MS) /* how often a running http_fetch looks at its flag */

struct http_client {
    pthread_mutex_t lock;
    pthread_t thread;
    bool started, stopping; /* under the lock, as what follows */
    CURLM *multi;           /* NULL: the thread is still starting libcurl */
    bool broken;            /* libcurl didn't start */
    bool look;              /* something on the list is new or cancelled */
    struct transfer *transfers;
};

void http_response_free(struct http_response *r)
{
    buffer_free(&r->headers);
    buffer_free(&r->body);
}

bool http_header_next(const struct http_response *r, const char *name, size_t *at, struct bytes *value)
{
    struct bytes all = buffer_view(&r->headers);
    size_t len = strlen(name);
    while (*at < all.len) {
        const uint8_t *end = memchr(all.data + *at, '\n', all.len - *at);
        struct bytes line = bytes_slice(all, *at, end ? (size_t)(end - all.data) - *at : all.len - *at);
        *at += line.len + 1;
        if (line.len <= len || line.data[len] != ':' || strncasecmp((const char *)line.data, name, len) != 0)
            continue;
        line = bytes_slice(line, len + 1, line.len);
        while (line.len && strchr(" \t", line.data[0]))
            line = bytes_slice(line, 1, line.len);
        while (line.len && strchr(" \t\r", line.data[line.len - 1]))
            line.len--;
        *value = line;
        return true;
    }
    return false;
}

const char *http_header(const struct http_response *r, const char *name, char *into, size_t size)
{
    struct bytes value = BYTES_NULL;
    return http_header_next(r, name, &(size_t){0}, &value) ? text_copy_bytes(into, size, value) : NULL;
}

/* ---- the list ---- */

static struct transfer **find(struct http_client *c, const struct transfer *t)
{
    struct transfer **at = &c->transfers;
    while (*at && *at != t)
        at = &(*at)->next;
    return at;
}

/* No lock is held: done may start the next request. */
static void finish(struct http_client *c, struct transfer *t)
{
    if (t->easy)
        curl_multi_remove_handle(c->multi, t->easy);
    pthread_mutex_lock(&c->lock);
    *find(c, t) = t->next;
    pthread_mutex_unlock(&c->lock);
    t->done(t->context, &t->response);
    transfer_free(t);
}

/* The first transfer that the thread has to begin or to cancel, or NULL. */
static struct transfer *next_to_attend(struct http_client *c, bool *cancelled)
{
    pthread_mutex_lock(&c->lock);
    struct transfer *t = c->look ? c->transfers : NULL;
    while (t && t->easy && !t->cancelled && !c->stopping)
        t = t->next;
    c->look = t != NULL;
    *cancelled = t && (t->cancelled || c->stopping);
    pthread_mutex_unlock(&c->lock);
    return t;
}

static void begin(struct http_client *c, struct transfer *t)
{
    if (!transfer_prepare(t))
        finish(c, t);
    else if (curl_multi_add_handle(c->multi, t->easy) != CURLM_OK) {
        transfer_fail(t, ERR_NOMEM, "no memory for an HTTP request");
        finish(c, t);
    }
}

static void attend(struct http_client *c)
{
    bool cancelled;
    for (struct transfer *t; (t = next_to_attend(c, &cancelled));) {
        if (cancelled) {
            transfer_fail(t, ERR_CANCELLED, "cancelled");
            finish(c, t);
        } else {
            begin(c, t);
        }
    }
}

static void collect(struct http_client *c)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(c->multi, &left));) {
        struct transfer *t = NULL;
        CURLcode result = m->data.result; /* m dies with remove_handle */
        if (m->msg != CURLMSG_DONE || curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t) || !t)
            continue;
        transfer_complete(t, result);
        finish(c, t);
    }
}

/* ---- the thread ---- */

static bool stopped(struct http_client *c)
{
    pthread_mutex_lock(&c->lock);
    bool stopping = c->stopping && !c->transfers;
    pthread_mutex_unlock(&c->lock);
    return stopping;
}

static void curl_start(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool open_multi(struct http_client *c)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, curl_start);
    CURLM *multi = curl_multi_init();
    if (multi)
        curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, KEPT_CONNECTIONS);
    pthread_mutex_lock(&c->lock);
    c->multi = multi;
    c->broken = !multi;
    pthread_mutex_unlock(&c->lock);
    return multi;
}

static void fail_all(struct http_client *c)
{
    while (c->transfers) {
        transfer_fail(c->transfers, ERR_NOMEM, "libcurl didn't start");
        finish(c, c->transfers);
    }
}

static void *client_run(void *arg)
{
    struct http_client *c = arg;
    if (!open_multi(c)) {
        fail_all(c);
        return NULL;
    }
    while (!stopped(c)) {
        int running = 0;
        attend(c);
        curl_multi_perform(c->multi, &running);
        collect(c);
        if (!stopped(c))
            curl_multi_poll(c->multi, NULL, 0, INT_MAX, NULL);
    }
    return NULL;
}

/* ---- for every thread ---- */

struct http_client *http_client_new(struct err_info *err)
{
    struct http_client *c = calloc(1, sizeof *c);
    if (!c)
        err_set(err, ERR_NOMEM, "no memory for an HTTP client");
    else
        pthread_mutex_init(&c->lock, NULL);
    return c;
}

/* Under the lock. */
static void wake(struct http_client *c)
{
    c->look = true;
    if (c->multi)
        curl_multi_wakeup(c->multi);
}

void http_client_free(struct http_client **client)
{
    struct http_client *c = *client;
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    wake(c);
    pthread_mutex_unlock(&c->lock);
    if (c->started)
        pthread_join(c->thread, NULL);
    curl_multi_cleanup(c->multi);
    pthread_mutex_destroy(&c->lock);
    free(c);
    *client = NULL;
}

static void refuse(http_done *done, void *context, enum err code, const char *text)
{
    struct http_response r = {.certificate_expires_ns = TIME_NONE};
    phases_init(&r.phases);
    r.error = err_set(&r.err, code, "%s", text);
    done(context, &r);
    http_response_free(&r);
}

/* Puts t on the list; OK, or why the client can't take it. */
static enum err enlist(struct http_client *c, struct transfer *t)
{
    enum err code = ERR_OK;
    pthread_mutex_lock(&c->lock);
    if (c->stopping)
        code = ERR_CANCELLED;
    else if (c->broken || (!c->started && !thread_start(&c->thread, client_run, c)))
        code = ERR_NOMEM;
    if (!code) {
        c->started = true;
        t->next = c->transfers;
        c->transfers = t;
        wake(c);
    }
    pthread_mutex_unlock(&c->lock);
    return code;
}

void http_start(struct http_client *c, const struct http_request *request, http_done *done, void *context)
{
    struct transfer *t = transfer_new(request, done, context);
    enum err code = t ? enlist(c, t) : ERR_NOMEM;
    if (!code)
        return;
    refuse(done, context, code, code == ERR_NOMEM ? "no memory or thread for an HTTP request" : "cancelled");
    if (t)
        transfer_free(t);
}

/* ---- waiting for it ---- */

struct fetch {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    struct http_response *response;
};

static void fetched(void *context, struct http_response *response)
{
    struct fetch *f = context;
    pthread_mutex_lock(&f->lock);
    *f->response = *response;
    *response = (struct http_response){0};
    f->done = true;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static void fetch_init(struct fetch *f, struct http_response *response)
{
    *f = (struct fetch){.response = response};
    pthread_mutex_init(&f->lock, NULL);
    thread_cond_init(&f->changed);
}

static void cancel(struct http_client *c, const void *context)
{
    pthread_mutex_lock(&c->lock);
    for (struct transfer *t = c->transfers; t; t = t->next)
        t->cancelled |= t->context == context;
    wake(c);
    pthread_mutex_unlock(&c->lock);
}

/* A look at the flag now and then, while something runs: who sets it has nothing to wake us with. */
static bool wait_a_little(struct fetch *f)
{
    pthread_mutex_lock(&f->lock);
    if (!f->done)
        thread_cond_wait_until(&f->changed, &f->lock, clock_mono_ns() + FLAG_LOOK_NS);
    bool done = f->done;
    pthread_mutex_unlock(&f->lock);
    return done;
}

void http_fetch(struct http_client *c, const struct http_request *request, const atomic_bool *cancelled,
                struct http_response *response)
{
    struct fetch f;
    bool told = false;
    fetch_init(&f, response);
    http_start(c, request, fetched, &f);
    while (!wait_a_little(&f)) {
        if (!told && cancelled && atomic_load(cancelled)) {
            cancel(c, &f);
            told = true;
        }
    }
    pthread_cond_destroy(&f.changed);
    pthread_mutex_destroy(&f.lock);
}
