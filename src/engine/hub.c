/* DESIGN. Workers and the prober make events (hub_event.h) and push them into one bounded queue; the UI thread takes them
 * in hub_pump and is the only one that touches anything else in here. Messages travel in batches, so that a burst costs
 * one allocation and one lock per 64 of them. A batch that finds the queue full stays with its source, which pauses its
 * session until half of the queue has been used up.
 *
 * A tail that was replaced is retired, not joined: its sessions get a cancel, and are reaped when their last status has
 * come, so that no key ever waits for a broker. */
#include "engine/hub.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/hub_event.h"

#include <stdio.h>
#include <stdlib.h>

#define WATCH_EVERY_NS     (5 * NS_PER_S)
#define WATCH_TIMEOUT_NS   (5 * NS_PER_S)
#define WATCH_STALE_NS     (90 * NS_PER_S)
#define ATTENTION_MOST     256
#define TAIL_MOST_SESSIONS 64

struct watch {
    struct session *session;
    struct hub_source source;
};

/* One set of reading sessions with one store generation. */
struct tail_run {
    struct tail_run *next; /* in the list of retired ones */
    uint32_t serial;
    size_t session_count, ended;
    struct session *sessions[TAIL_MOST_SESSIONS];
    struct hub_source sources[TAIL_MOST_SESSIONS];
    struct channel_name *names; /* of all channels; sessions hold slices of it */
    size_t *first_channel;      /* of each session: index into names and tail.channels */
    struct hub_tail tail;
    int64_t second; /* of the newest per_second slot */
    uint64_t bytes_this_second, messages_this_second;
};

struct hub {
    struct config *config;
    const struct registry *registry;
    struct queue *queue;
    struct queue_item *taken; /* taken from the queue, not yet used up */
    struct hub_endpoint *endpoints;
    struct watch *watches;
    size_t endpoint_count;
    struct hub_probe *probes;
    size_t probe_count;
    struct prober *prober;
    struct tail_run *tail;
    struct tail_run *retired;
    uint32_t serial;
    struct store *store;
    struct hub_attention attention[ATTENTION_MOST];
    size_t attention_count;
    char notice[240];
    uint64_t notice_serial;
    enum severity notice_severity;
    bool started;
};

/* ---- making and ending ---- */

static enum err init_endpoints(struct hub *h, struct err_info *err)
{
    h->endpoint_count = h->config->endpoint_count;
    h->endpoints = calloc(h->endpoint_count + 1, sizeof *h->endpoints);
    h->watches = calloc(h->endpoint_count + 1, sizeof *h->watches);
    if (!h->endpoints || !h->watches)
        return err_set(err, ERR_NOMEM, "no memory for the endpoints");
    for (size_t i = 0; i < h->endpoint_count; i++) {
        struct hub_endpoint *e = &h->endpoints[i];
        e->config = &h->config->endpoints[i];
        e->depth = e->dead = e->lag = COUNT_UNKNOWN;
        e->in_rate = e->out_rate = -1;
        enum err code = availability_init(&e->health, 3, 1, 0, WATCH_STALE_NS, err);
        if (code)
            return code;
        hub_source_init(&h->watches[i].source, h->queue, HUB_SOURCE_ENDPOINT, i, 0);
    }
    return ERR_OK;
}

static enum err init_probes(struct hub *h, struct err_info *err)
{
    h->probe_count = h->config->probe_count;
    h->probes = calloc(h->probe_count + 1, sizeof *h->probes);
    if (!h->probes)
        return err_set(err, ERR_NOMEM, "no memory for the probes");
    for (size_t i = 0; i < h->probe_count; i++) {
        const struct probe_target *t = &h->config->probes[i];
        h->probes[i].target = t;
        enum err code = availability_init(&h->probes[i].health, t->down_after, t->up_after, t->slow_ns,
                                          3 * t->every_ns + t->timeout_ns, err);
        if (code)
            return code;
    }
    return ERR_OK;
}

struct hub *hub_new(struct config *config, const struct registry *registry, struct err_info *err)
{
    struct hub *h = calloc(1, sizeof *h);
    if (!h) {
        err_set(err, ERR_NOMEM, "no memory for the console");
        return NULL;
    }
    h->config = config;
    h->registry = registry;
    h->queue = queue_new(LIMIT_EVENTS, LIMIT_QUEUE);
    h->store = store_new(config->store_bytes ? config->store_bytes : LIMIT_STORE_DEFAULT);
    bool ok = h->queue && h->store;
    if (!ok)
        err_set(err, ERR_NOMEM, "no memory for the console");
    if (!ok || init_endpoints(h, err) || init_probes(h, err))
        hub_stop(&h);
    return h;
}

static void start_watch(struct hub *h, size_t i)
{
    struct hub_endpoint *e = &h->endpoints[i];
    struct config_endpoint *c = &h->config->endpoints[i];
    struct job job = {
        .kind = JOB_WATCH, .reconnect = true, .every_ns = WATCH_EVERY_NS, .timeout_ns = WATCH_TIMEOUT_NS};
    struct session_sink sink = hub_source_sink(&h->watches[i].source);
    struct err_info err = {.code = ERR_OK};
    if (!config_secret(h->config, c, &err))
        h->watches[i].session = session_start(c->broker, &c->endpoint, &job, &sink, &err);
    if (!h->watches[i].session)
        e->status = (struct session_status){.state = SESSION_ENDED, .since_ns = clock_wall_ns(), .err = err};
}

static void on_probe(void *context, const struct probe_target *target, const struct sample *sample)
{
    struct hub *h = context;
    hub_push_probe(h->queue, (size_t)(target - h->config->probes), sample);
}

void hub_start(struct hub *h)
{
    if (h->started)
        return;
    h->started = true;
    for (size_t i = 0; i < h->endpoint_count; i++)
        start_watch(h, i);
    struct err_info err = {.code = ERR_OK};
    for (size_t i = 0; i < h->probe_count; i++)
        if (config_probe_secret(h->config, i, &err))
            log_write(LOG_ERROR, h->probes[i].target->name, "%s", err.text);
    if (h->probe_count)
        h->prober = prober_start(h->config->probes, h->probe_count, h->registry, on_probe, h, &err);
    if (h->probe_count && !h->prober)
        log_write(LOG_ERROR, "probes", "%s", err.text);
}

static void tail_free(struct tail_run *t)
{
    for (size_t i = 0; i < t->session_count; i++)
        hub_source_free(&t->sources[i]);
    free(t->names);
    free(t->first_channel);
    free(t->tail.channels);
    free(t);
}

static bool tail_join(struct tail_run *t)
{
    bool all = true;
    for (size_t i = 0; i < t->session_count; i++)
        all &= session_join(&t->sessions[i]);
    return all;
}

static void tail_cancel(struct tail_run *t)
{
    for (size_t i = 0; i < t->session_count; i++)
        if (t->sessions[i])
            session_cancel(t->sessions[i]);
}

/* A worker that a library holds on to keeps its source and the queue: they are given up with it. */
static bool join_all(struct hub *h)
{
    bool all = true;
    for (size_t i = 0; h->watches && i < h->endpoint_count; i++)
        if (h->watches[i].session)
            all &= session_join(&h->watches[i].session);
    for (struct tail_run *t = h->retired; t; t = t->next)
        all &= tail_join(t);
    return all;
}

static void free_all(struct hub *h)
{
    for (struct tail_run *t = h->retired, *next; t; t = next) {
        next = t->next;
        tail_free(t);
    }
    hub_events_free(&h->taken);
    queue_free(&h->queue, hub_event_release);
    for (size_t i = 0; h->endpoints && i < h->endpoint_count; i++) {
        availability_free(&h->endpoints[i].health);
        channel_list_unref(&h->endpoints[i].channels);
    }
    for (size_t i = 0; h->probes && i < h->probe_count; i++)
        availability_free(&h->probes[i].health);
    free(h->endpoints);
    free(h->watches);
    free(h->probes);
    store_free(&h->store);
    free(h);
}

void hub_stop(struct hub **hp)
{
    struct hub *h = *hp;
    *hp = NULL;
    if (!h)
        return;
    if (h->queue)
        queue_close(h->queue);
    hub_tail_close(h);
    for (size_t i = 0; h->watches && i < h->endpoint_count; i++)
        if (h->watches[i].session)
            session_cancel(h->watches[i].session);
    prober_stop(&h->prober);
    if (join_all(h))
        free_all(h);
}

/* ---- what the status row says ---- */

static void say(struct hub *h, enum severity severity, const char *text)
{
    text_copy(h->notice, sizeof h->notice, text);
    h->notice_severity = severity;
    h->notice_serial++;
}

/* ---- endpoints ---- */

/* A counter that went back was reset: the rate is unknown until the next listing. */
static void derive_rates(const struct channel *b, struct channel *c, double seconds)
{
    if (c->in_rate < 0 && b->in_total >= 0 && c->in_total >= b->in_total)
        c->in_rate = (double)(c->in_total - b->in_total) / seconds;
    if (c->out_rate < 0 && b->out_total >= 0 && c->out_total >= b->out_total)
        c->out_rate = (double)(c->out_total - b->out_total) / seconds;
}

/* What a listing alone cannot tell: rates, and since when a channel holds messages. Lists are sorted alike, so that one walk
 * over both finds the pairs. */
static void compare_lists(const struct channel_list *before, struct channel_list *now)
{
    double seconds = before ? (double)(now->time_ns - before->time_ns) / NS_PER_S : 0;
    for (size_t i = 0, j = 0; i < now->count; i++) {
        struct channel *c = &now->items[i];
        while (before && j < before->count && strcmp(before->items[j].name, c->name) < 0)
            j++;
        const struct channel *b = before && j < before->count ? &before->items[j] : NULL;
        bool same = b && b->kind == c->kind && strcmp(b->name, c->name) == 0;
        c->filled_since_ns = same && b->depth > 0 ? b->filled_since_ns : now->time_ns;
        if (same && seconds > 0.1)
            derive_rates(b, c, seconds);
    }
}

static void add_known(int64_t *sum, int64_t value)
{
    if (value >= 0)
        *sum = (*sum < 0 ? 0 : *sum) + value;
}

static void sum_channels(struct hub_endpoint *e)
{
    e->depth = e->dead = e->lag = COUNT_UNKNOWN;
    e->in_rate = e->out_rate = -1;
    for (size_t i = 0; i < e->channels->count; i++) {
        const struct channel *c = &e->channels->items[i];
        if (c->internal)
            continue;
        add_known(c->dead_letters ? &e->dead : &e->depth, c->depth);
        add_known(&e->lag, c->lag);
        if (c->in_rate >= 0)
            e->in_rate = (e->in_rate < 0 ? 0 : e->in_rate) + c->in_rate;
        if (c->out_rate >= 0)
            e->out_rate = (e->out_rate < 0 ? 0 : e->out_rate) + c->out_rate;
    }
}

static void take_list(struct hub_endpoint *e, struct channel_list *list)
{
    compare_lists(e->channels, list);
    channel_list_unref(&e->channels);
    e->channels = list;
    sum_channels(e);
}

static void log_change(const char *name, const struct availability *a)
{
    const struct health_change *c = &a->changes[0];
    log_write(c->to == HEALTH_UP ? LOG_INFO : LOG_WARN, name, "%s -> %s%s%s", health_name(c->from),
              health_name(c->to), c->reason[0] ? ": " : "", c->reason);
}

static uint32_t use_endpoint(struct hub *h, struct hub_event *e)
{
    struct hub_endpoint *endpoint = &h->endpoints[e->index];
    const char *name = endpoint->config->endpoint.name;
    switch (e->kind) {
    case HUB_EVENT_STATUS: endpoint->status = e->status; break;
    case HUB_EVENT_LIST:
        take_list(endpoint, e->list);
        e->list = NULL;
        break;
    case HUB_EVENT_SAMPLE:
        if (availability_sample(&endpoint->health, &e->sample))
            log_change(name, &endpoint->health);
        break;
    case HUB_EVENT_NOTICE: say(h, SEVERITY_INFO, e->notice); return HUB_NOTICE;
    case HUB_EVENT_BATCH: break;
    }
    return HUB_ENDPOINTS;
}

/* ---- the tail ---- */

static void count_second(struct tail_run *t, int64_t now_ns)
{
    int64_t second = now_ns / NS_PER_S;
    int64_t steps = second - t->second;
    if (steps <= 0)
        return;
    size_t slots = sizeof t->tail.per_second / sizeof *t->tail.per_second;
    t->tail.rate = steps == 1 ? (double)t->messages_this_second : 0;
    t->tail.byte_rate = steps == 1 ? (double)t->bytes_this_second : 0;
    size_t shift = (size_t)steps < slots ? (size_t)steps : slots;
    memmove(t->tail.per_second, t->tail.per_second + shift, (slots - shift) * sizeof *t->tail.per_second);
    memset(t->tail.per_second + slots - shift, 0, shift * sizeof *t->tail.per_second);
    t->second = second;
    t->messages_this_second = t->bytes_this_second = 0;
}

static void store_message(struct hub *h, struct message *m)
{
    struct tail_run *t = h->tail;
    uint16_t *slot = &t->tail.per_second[sizeof t->tail.per_second / sizeof *t->tail.per_second - 1];
    if (*slot < UINT16_MAX)
        (*slot)++;
    t->messages_this_second++;
    t->bytes_this_second += m->payload.len;
    t->tail.received++;
    store_add(h->store, m);
}

/* A lost or restored connection becomes a row of its own in the time line: a message without a position whose flag says
 * so would be a lie, so it is a payload from the origin `signalbox`. */
static void store_gap(struct hub *h, const char *channel, const char *text)
{
    struct message gap = {.origin = origin_intern("signalbox", channel, CHANNEL_ANY),
                          .time_ns = clock_wall_ns(),
                          .received_ns = clock_wall_ns(),
                          .payload = bytes_of_text(text)};
    struct message *sealed = message_seal(&gap, NULL);
    if (sealed) {
        h->tail->tail.gap_count++;
        store_add(h->store, sealed);
    }
}

static const char *session_endpoint(const struct tail_run *t, size_t session)
{
    return t->tail.channels[t->first_channel[session]].address.endpoint->endpoint.name;
}

static void note_connection(struct hub *h, size_t session, const struct session_status *before,
                            const struct session_status *now)
{
    const char *name = session_endpoint(h->tail, session);
    char why[360], text[440];
    if (now->state == SESSION_BACKOFF && before->state == SESSION_UP) {
        snprintf(text, sizeof text, "connection lost: %s", err_format(&now->err, why, sizeof why));
        store_gap(h, name, text);
    } else if (now->state == SESSION_UP && now->generation > 1 && before->state != SESSION_UP) {
        store_gap(h, name, "connection restored: what was sent in between is missing here");
    } else if (now->state == SESSION_ENDED && now->err.code != ERR_OK && now->err.code != ERR_END &&
               now->err.code != ERR_CANCELLED) {
        say(h, SEVERITY_CRIT, err_format(&now->err, why, sizeof why));
        store_gap(h, name, why);
    }
}

static void take_tail_status(struct hub *h, size_t session, const struct session_status *status)
{
    struct tail_run *t = h->tail;
    size_t first = t->first_channel[session];
    size_t end = session + 1 < t->session_count ? t->first_channel[session + 1] : t->tail.channel_count;
    note_connection(h, session, &t->tail.channels[first].status, status);
    for (size_t i = first; i < end; i++)
        t->tail.channels[i].status = *status;
    t->tail.dropped = 0;
    for (size_t i = 0; i < t->session_count; i++)
        t->tail.dropped += (uint64_t)t->tail.channels[t->first_channel[i]].status.progress.dropped;
}

static uint32_t use_tail(struct hub *h, struct hub_event *e)
{
    struct tail_run *t = h->tail;
    switch (e->kind) {
    case HUB_EVENT_BATCH:
        for (size_t i = 0; i < e->batch.count; i++) {
            store_message(h, e->batch.messages[i]);
            e->batch.messages[i] = NULL;
        }
        break;
    case HUB_EVENT_STATUS: take_tail_status(h, e->index, &e->status); break;
    case HUB_EVENT_NOTICE:
        text_copy(t->tail.channels[t->first_channel[e->index]].notice, sizeof t->tail.channels->notice,
                  e->notice);
        say(h, SEVERITY_WARN, e->notice);
        return HUB_TAIL | HUB_NOTICE;
    default: break;
    }
    return HUB_TAIL;
}

static struct tail_run *run_of(struct hub *h, uint32_t serial)
{
    if (h->tail && h->tail->serial == serial)
        return h->tail;
    struct tail_run *t = h->retired;
    while (t && t->serial != serial)
        t = t->next;
    return t;
}

static void reap_retired(struct hub *h)
{
    for (struct tail_run **at = &h->retired; *at;) {
        struct tail_run *t = *at;
        if (t->ended < t->session_count) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        tail_join(t);
        tail_free(t);
    }
}

static uint32_t use_event(struct hub *h, struct hub_event *e)
{
    if (e->source == HUB_SOURCE_ENDPOINT)
        return use_endpoint(h, e);
    if (e->source == HUB_SOURCE_PROBE) {
        if (availability_sample(&h->probes[e->index].health, &e->sample))
            log_change(h->probes[e->index].target->name, &h->probes[e->index].health);
        return HUB_PROBES;
    }
    struct tail_run *t = run_of(h, e->serial);
    if (t && e->kind == HUB_EVENT_STATUS && e->status.state == SESSION_ENDED)
        t->ended++;
    return t && t == h->tail ? use_tail(h, e) : 0;
}

/* ---- the pump ---- */

static void resume_sources(struct hub *h)
{
    struct tail_run *t = h->tail;
    for (size_t i = 0; t && i < t->session_count; i++)
        if (t->sessions[i] && hub_source_was_paused(&t->sources[i]))
            session_resume(t->sessions[i]);
}

static void attend(struct hub *h);

static uint32_t tick(struct hub *h)
{
    int64_t now = clock_wall_ns();
    uint32_t changed = 0;
    for (size_t i = 0; i < h->endpoint_count; i++)
        if (availability_tick(&h->endpoints[i].health, now))
            changed |= HUB_ENDPOINTS;
    for (size_t i = 0; i < h->probe_count; i++)
        if (availability_tick(&h->probes[i].health, now))
            changed |= HUB_PROBES;
    return changed;
}

uint32_t hub_pump(struct hub *h, int64_t budget_ns, bool *more)
{
    int64_t end = clock_mono_ns() + budget_ns;
    uint32_t changed = tick(h);
    size_t items = 0, bytes = 0;
    if (h->tail)
        count_second(h->tail, clock_wall_ns());
    if (!h->taken)
        h->taken = queue_take(h->queue);
    while (h->taken) {
        struct queue_item *item = h->taken;
        h->taken = item->next;
        items++;
        bytes += item->bytes;
        changed |= use_event(h, (struct hub_event *)item);
        hub_event_release(item);
        if (clock_mono_ns() >= end)
            break;
    }
    queue_credit(h->queue, items, bytes);
    if (items && queue_low(h->queue))
        resume_sources(h);
    reap_retired(h);
    if (changed & (HUB_ENDPOINTS | HUB_PROBES | HUB_TAIL))
        attend(h);
    *more = h->taken != NULL;
    return changed;
}

int hub_fd(const struct hub *h)
{
    return queue_fd(h->queue);
}

/* The next moment at which something turns stale without a word from anybody. */
int64_t hub_wakeup_ns(const struct hub *h)
{
    int64_t wall = INT64_MAX;
    for (size_t i = 0; i < h->endpoint_count + h->probe_count; i++) {
        const struct availability *a =
            i < h->endpoint_count ? &h->endpoints[i].health : &h->probes[i - h->endpoint_count].health;
        if (a->last.time_ns == TIME_NONE || a->last.time_ns == 0 || a->state == HEALTH_UNKNOWN)
            continue;
        if (a->last.time_ns + a->stale_after_ns < wall)
            wall = a->last.time_ns + a->stale_after_ns;
    }
    if (wall == INT64_MAX)
        return INT64_MAX;
    int64_t in = wall - clock_wall_ns();
    return clock_mono_ns() + (in > 0 ? in : 0) + NS_PER_MS;
}

void hub_refresh(struct hub *h)
{
    for (size_t i = 0; i < h->endpoint_count; i++)
        if (h->watches[i].session)
            session_refresh(h->watches[i].session);
    if (h->prober)
        prober_refresh(h->prober);
}

/* ---- what needs attention ---- */

static struct hub_attention *attention_row(struct hub *h, enum severity severity, const char *word,
                                           const char *name, int64_t since_ns)
{
    if (h->attention_count == ATTENTION_MOST)
        return NULL;
    struct hub_attention *a = &h->attention[h->attention_count++];
    *a = (struct hub_attention){
        .severity = severity, .word = word, .name = name, .where = "", .since_ns = since_ns};
    return a;
}

static void attend_health(struct hub *h, const struct availability *a, const char *name, const char *where)
{
    struct hub_attention *row = NULL;
    if (a->state == HEALTH_DOWN)
        row = attention_row(h, SEVERITY_CRIT, "DOWN", name, a->since_ns);
    else if (a->state == HEALTH_DEGRADED)
        row = attention_row(h, SEVERITY_WARN, "SLOW", name, a->since_ns);
    else if (a->state == HEALTH_UNKNOWN && a->change_count) /* it was known before */
        row = attention_row(h, SEVERITY_WARN, "STALE", name, a->since_ns);
    if (!row)
        return;
    row->where = where;
    text_copy(row->text, sizeof row->text, a->change_count ? a->changes[0].reason : a->last.reason);
}

static void attend_dead_letters(struct hub *h, const struct hub_endpoint *e)
{
    for (size_t i = 0; e->channels && i < e->channels->count; i++) {
        const struct channel *c = &e->channels->items[i];
        if (!c->dead_letters || c->depth <= 0 || c->internal)
            continue;
        struct hub_attention *row = attention_row(h, SEVERITY_WARN, "DLQ", c->name, c->filled_since_ns);
        if (!row)
            return;
        char count[32];
        row->where = e->config->endpoint.name;
        snprintf(row->text, sizeof row->text, "%s dead letters, %s reading them: t tails, b browses",
                 text_count(count, sizeof count, (uint64_t)c->depth),
                 c->consumers > 0 ? "somebody" : "nobody");
    }
}

static int by_severity(const void *a, const void *b)
{
    const struct hub_attention *x = a, *y = b;
    if (x->severity != y->severity)
        return (int)y->severity - (int)x->severity;
    return x->since_ns < y->since_ns ? -1 : x->since_ns > y->since_ns;
}

static void attend(struct hub *h)
{
    h->attention_count = 0;
    for (size_t i = 0; i < h->endpoint_count; i++) {
        const struct hub_endpoint *e = &h->endpoints[i];
        attend_health(h, &e->health, e->config->endpoint.name, e->config->endpoint.text);
        attend_dead_letters(h, e);
    }
    for (size_t i = 0; i < h->probe_count; i++)
        attend_health(h, &h->probes[i].health, h->probes[i].target->name, h->probes[i].target->endpoint.text);
    qsort(h->attention, h->attention_count, sizeof *h->attention, by_severity);
}

size_t hub_attention(const struct hub *h, const struct hub_attention **rows)
{
    *rows = h->attention;
    return h->attention_count;
}

/* ---- opening and closing the tail ---- */

static enum err tail_alloc(struct hub *h, size_t count, struct tail_run **out, struct err_info *err)
{
    struct tail_run *t = calloc(1, sizeof *t);
    if (t) {
        t->names = calloc(count, sizeof *t->names);
        t->first_channel = calloc(count, sizeof *t->first_channel);
        t->tail.channels = calloc(count, sizeof *t->tail.channels);
    }
    if (!t || !t->names || !t->first_channel || !t->tail.channels) {
        if (t)
            tail_free(t);
        return err_set(err, ERR_NOMEM, "no memory for a tail");
    }
    t->serial = t->tail.serial = ++h->serial;
    t->second = clock_wall_ns() / NS_PER_S;
    *out = t;
    return ERR_OK;
}

static void group_channels(struct tail_run *t, const struct address *addresses, size_t count, struct hub *h)
{
    for (size_t i = 0; i < count; i++) {
        t->names[i] = addresses[i].channel;
        t->tail.channels[i].address = addresses[i];
    }
    t->tail.channel_count = count;
    /* Neighbours on one endpoint share a session as far as the driver can: addresses come grouped from the caller or not,
     * either is right, sharing is only cheaper. */
    for (size_t i = 0; i < count && t->session_count < TAIL_MOST_SESSIONS;) {
        size_t most = addresses[i].endpoint->broker->max_channels;
        size_t n = 1;
        while (i + n < count && n < most && addresses[i + n].endpoint == addresses[i].endpoint)
            n++;
        hub_source_init(&t->sources[t->session_count], h->queue, HUB_SOURCE_TAIL, t->session_count,
                        t->serial);
        t->first_channel[t->session_count++] = i;
        i += n;
    }
}

static void start_tail_session(struct hub *h, struct tail_run *t, size_t i, const struct job *like)
{
    size_t first = t->first_channel[i];
    size_t end = i + 1 < t->session_count ? t->first_channel[i + 1] : t->tail.channel_count;
    struct config_endpoint *c = t->tail.channels[first].address.endpoint;
    struct job job = *like;
    job.read.channels = &t->names[first];
    job.read.channel_count = end - first;
    struct session_sink sink = hub_source_sink(&t->sources[i]);
    struct err_info err = {.code = ERR_OK};
    if (!config_secret(h->config, c, &err))
        t->sessions[i] = session_start(c->broker, &c->endpoint, &job, &sink, &err);
    if (t->sessions[i])
        return;
    struct session_status status = {.state = SESSION_ENDED, .since_ns = clock_wall_ns(), .err = err};
    t->ended++;
    take_tail_status(h, i, &status);
}

static enum err open_run(struct hub *h, const struct address *addresses, size_t count, const struct job *job,
                         struct err_info *err)
{
    struct tail_run *t = NULL;
    size_t store_bytes = store_budget(h->store);
    struct store *fresh = store_new(store_bytes);
    if (!fresh)
        return err_set(err, ERR_NOMEM, "no memory for a store");
    enum err e = tail_alloc(h, count, &t, err);
    if (e) {
        store_free(&fresh);
        return e;
    }
    hub_tail_close(h);
    store_free(&h->store);
    h->store = fresh;
    group_channels(t, addresses, count, h);
    h->tail = t;
    for (size_t i = 0; i < t->session_count; i++)
        start_tail_session(h, t, i, job);
    return ERR_OK;
}

enum err hub_tail_open(struct hub *h, const struct address *addresses, size_t count, struct start start,
                       uint32_t flags, struct err_info *err)
{
    if (count == 0)
        return err_set(err, ERR_USAGE, "nothing to tail");
    struct job job = {
        .kind = JOB_READ,
        .reconnect = true,
        .read = {.mode = READ_TAP, .start = start, .partition = -1, .limit = -1, .flags = flags}};
    return open_run(h, addresses, count, &job, err);
}

enum err hub_browse_open(struct hub *h, const struct address *address, int64_t limit, struct err_info *err)
{
    struct job job = {.kind = JOB_READ, .read = {.mode = READ_BROWSE, .partition = -1, .limit = limit}};
    return open_run(h, address, 1, &job, err);
}

void hub_tail_close(struct hub *h)
{
    struct tail_run *t = h->tail;
    if (!t)
        return;
    h->tail = NULL;
    tail_cancel(t);
    t->next = h->retired;
    h->retired = t;
}

/* ---- plain accessors ---- */

size_t hub_endpoint_count(const struct hub *h)
{
    return h->endpoint_count;
}

const struct hub_endpoint *hub_endpoint(const struct hub *h, size_t i)
{
    return &h->endpoints[i];
}

size_t hub_probe_count(const struct hub *h)
{
    return h->probe_count;
}

const struct hub_probe *hub_probe(const struct hub *h, size_t i)
{
    return &h->probes[i];
}

const struct hub_tail *hub_tail(const struct hub *h)
{
    return h->tail ? &h->tail->tail : NULL;
}

const struct store *hub_store(const struct hub *h)
{
    return h->store;
}

const char *hub_notice(const struct hub *h, uint64_t *serial, enum severity *severity)
{
    *serial = h->notice_serial;
    *severity = h->notice_severity;
    return h->notice_serial ? h->notice : NULL;
}

const struct registry *hub_registry(const struct hub *h)
{
    return h->registry;
}

struct config *hub_config(const struct hub *h)
{
    return h->config;
}
