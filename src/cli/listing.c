#include "cli/listing.h"

#include "base/utf8.h"
#include "cli/signals.h"
#include "engine/session.h"

#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TIMEOUT_NS (10 * NS_PER_S)

struct wait {
    const struct cli *cli;
    const char *endpoint;
    int event_fd;
    pthread_mutex_t lock; /* guards what follows, written by the worker */
    struct channel_list *lists[2];
    unsigned count, wanted;
    struct sample sample;
    struct session_status status;
};

static void tell(struct wait *w)
{
    (void)!write(w->event_fd, &(uint64_t){1}, sizeof(uint64_t));
}

static void on_listed(void *context, struct channel_list *list)
{
    struct wait *w = context;
    pthread_mutex_lock(&w->lock);
    if (w->count < w->wanted)
        w->lists[w->count++] = list;
    else
        channel_list_free(&list);
    pthread_mutex_unlock(&w->lock);
    tell(w);
}

static void on_sampled(void *context, const struct sample *sample)
{
    struct wait *w = context;
    pthread_mutex_lock(&w->lock);
    w->sample = *sample;
    pthread_mutex_unlock(&w->lock);
}

static void on_status(void *context, const struct session_status *status)
{
    struct wait *w = context;
    pthread_mutex_lock(&w->lock);
    w->status = *status;
    pthread_mutex_unlock(&w->lock);
    tell(w);
}

static void on_notice(void *context, const char *text)
{
    const struct wait *w = context;
    cli_notice(w->cli, "%s: %s", w->endpoint, text);
}

static bool is_over(struct wait *w)
{
    pthread_mutex_lock(&w->lock);
    bool over = w->count == w->wanted || w->status.state == SESSION_ENDED;
    pthread_mutex_unlock(&w->lock);
    return over;
}

/* What the broker counts and doesn't rate, or rates as nought between two of its samples. */
static void derive_rates(const struct channel_list *before, struct channel_list *after)
{
    double seconds = (double)(after->time_ns - before->time_ns) / 1e9;
    for (size_t i = 0; i < after->count; i++) {
        struct channel *c = &after->items[i];
        const struct channel *b = channel_list_find(before, c->name, c->kind);
        if (b && seconds > 0)
            channel_rates_since(b, c, seconds);
    }
}

enum err listing_no_answer(const struct config_endpoint *e, int64_t timeout_ns, struct err_info *err)
{
    err_set(err, ERR_TIMEOUT, "no answer within %.3g s", (double)timeout_ns / NS_PER_S);
    err_where(err, "%s", e->endpoint.name);
    err_next(
        err,
        "check host and port, that %s speaks there, and what lies between; or allow more time: --timeout",
        e->broker->title);
    return err->code;
}

static void wait_for_lists(struct wait *w, struct session *session, const struct config_endpoint *e,
                           int64_t timeout, struct listing *l)
{
    int64_t deadline = clock_mono_ns() + timeout;
    enum waited why = WAITED_EVENT;
    while (!is_over(w) && why != WAITED_SIGNAL && why != WAITED_TIMEOUT)
        why = wait_for(w->event_fd, deadline);
    if (why == WAITED_SIGNAL)
        l->signal = signals_seen();
    session_cancel(session);
    if (why == WAITED_TIMEOUT)
        listing_no_answer(e, timeout, &l->err);
    else if (why == WAITED_SIGNAL)
        err_set(&l->err, ERR_CANCELLED, "interrupted");
}

void listing_get(const struct cli *c, const struct config_endpoint *e, const char *pattern, uint32_t flags,
                 bool again, struct listing *l)
{
    /* Static: a worker that has to be left behind may still come back to it. One listing at a time. */
    static struct wait w = {.lock = PTHREAD_MUTEX_INITIALIZER};
    int64_t timeout = cli_number(c, FLAG_TIMEOUT, TIMEOUT_NS);
    struct job job = {.kind = JOB_WATCH,
                      .pattern = pattern,
                      .list_flags = flags,
                      .every_ns = again ? NS_PER_S : 3600 * NS_PER_S,
                      .timeout_ns = timeout};
    struct session_sink sink = {
        .context = &w, .status = on_status, .notice = on_notice, .listed = on_listed, .sampled = on_sampled};
    *l = (struct listing){.err.code = ERR_OK};
    w.cli = c;
    w.endpoint = e->endpoint.name;
    w.event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    w.count = 0;
    w.wanted = again ? 2 : 1;
    w.status = (struct session_status){.state = SESSION_CONNECTING};
    w.lists[0] = w.lists[1] = NULL;
    signals_take();
    struct session *session = session_start(e->broker, &e->endpoint, &job, &sink, &l->err);
    if (session) {
        wait_for_lists(&w, session, e, timeout + (again ? 2 * NS_PER_S : 0), l);
        session_join(&session);
    }
    close(w.event_fd);
    l->sample = w.sample;
    l->list = w.lists[w.count ? w.count - 1 : 0];
    if (w.count == 2) {
        derive_rates(w.lists[0], w.lists[1]);
        channel_list_free(&w.lists[0]);
    }
    if (w.count == w.wanted)
        l->err = (struct err_info){.code = ERR_OK};
    else if (!l->err.code)
        l->err = w.status.err;
    if (l->err.code && !l->err.where[0])
        err_where(&l->err, "%s", e->endpoint.name);
}

/* Whether the name alone would mean another channel too, or a kind. */
static bool needs_kind(const struct channel_list *list, const struct channel *c)
{
    const char *rest;
    if (channel_kind_parse(c->name, &rest) != CHANNEL_ANY)
        return true;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].kind != c->kind && strcmp(list->items[i].name, c->name) == 0)
            return true;
    return false;
}

static void scrubbed(struct buffer *out, const char *text)
{
    utf8_scrub(out, bytes_of_text(text), SCRUB_PLAIN);
}

void listing_address(struct buffer *out, const struct config_endpoint *e, const struct channel_list *list,
                     const struct channel *c)
{
    struct buffer encoded;
    buffer_init(&encoded, 4096);
    if (e->endpoint.by_url)
        url_encode(&encoded, c->name);
    else
        buffer_text(&encoded, c->name);
    scrubbed(out, e->endpoint.name);
    buffer_byte(out, '/');
    if (needs_kind(list, c))
        buffer_printf(out, "%s:", channel_kind_name(c->kind ? c->kind : CHANNEL_QUEUE));
    scrubbed(out, buffer_cstr(&encoded));
    if (e->endpoint.by_url) /* without the query the endpoint may be another one */
        scrubbed(out, strchrnul(e->endpoint.text, '?'));
    buffer_free(&encoded);
}

static const char *words_for(const struct channel *channel)
{
    if (channel->browse_effect == EFFECT_NONE)
        return "has no effect (NONE)";
    return channel->kind == CHANNEL_ANY
               ? "MARKS, unless it is a stream, which only the management API knows here: messages are handed back, "
                 "with redelivered set; a delivery limit may count it"
               : "MARKS: messages are handed back, with redelivered set; a delivery limit may count it";
}

/* NULL: it is not listed, or several are called so, which reading will say. */
static const struct channel *find_one(const struct channel_list *list, const struct channel_name *name)
{
    const struct channel *found = channel_list_find(list, name->name, name->kind);
    for (size_t i = 0; found && i < list->count; i++)
        if (name->kind == CHANNEL_ANY && list->items[i].kind != found->kind &&
            strcmp(list->items[i].name, name->name) == 0)
            return NULL;
    return found;
}

int listing_announce_effect(const struct cli *c, const struct address *address)
{
    struct listing l;
    if (address->endpoint->broker->browse_is_free) {
        cli_notice(c, "%s/%s: looking has no effect (NONE)", address->endpoint->endpoint.name,
                   address->channel.name);
        return 0;
    }
    listing_get(c, address->endpoint, address->channel.name, READ_INTERNAL, false, &l);
    const struct channel *channel = l.list ? find_one(l.list, &address->channel) : NULL;
    int code = l.signal ? 128 + l.signal : 0;
    if (!l.list && !code && l.err.code != ERR_DENIED && l.err.code != ERR_NOTFOUND &&
        l.err.code != ERR_UNSUPPORTED)
        code = cli_error(&l.err);
    if (channel && channel->browse_effect == EFFECT_CONSUMES) {
        struct err_info err;
        err_set(&err, ERR_REFUSED, "looking at this channel takes its messages away");
        err_where(&err, "%s/%s", address->endpoint->endpoint.name, channel->name);
        err_next(&err, "tail a copy instead, if the broker can make one");
        code = cli_error(&err);
    } else if (channel && !channel->why_not[CAN_BROWSE]) { /* else reading says why */
        cli_notice(c, "%s/%s: looking %s", address->endpoint->endpoint.name, channel->name,
                   words_for(channel));
    }
    channel_list_free(&l.list);
    return code;
}
