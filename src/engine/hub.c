/* DESIGN. Workers and the prober make events (hub_event.h) and push them into one bounded queue; the UI thread takes them
 * in hub_pump and is the only one that touches anything else in here. Messages travel in batches, so that a burst costs
 * one allocation and one lock per 64 of them. A batch that finds the queue full stays with its source, which pauses its
 * session until half of the queue has been used up.
 *
 * A tail that was replaced is retired, not joined: its sessions get a cancel, and are reaped when their last status has
 * come, so that no key ever waits for a broker. */
#include "engine/hub_internal.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"

#include <stdlib.h>

#define WATCH_EVERY_NS   (5 * NS_PER_S)
#define WATCH_TIMEOUT_NS (5 * NS_PER_S)
#define WATCH_STALE_NS   (90 * NS_PER_S)
#define RATE_MOST_NS     (3 * WATCH_EVERY_NS) /* between two listings: a mean over an outage is nobody's rate */

/* ---- making and ending ---- */

/* Takes up the configuration's next endpoint. */
static enum err add_endpoint(struct hub *h, struct err_info *err)
{
    size_t i = h->endpoint_count;
    struct hub_endpoint *e = &h->endpoints[i];
    h->config->endpoints[i].endpoint.lean = true;
    e->config = &h->config->endpoints[i];
    e->totals = (struct channel_totals){COUNT_UNKNOWN, COUNT_UNKNOWN, COUNT_UNKNOWN, -1, -1};
    enum err code = availability_init(&e->health, 3, 1, 0, WATCH_STALE_NS, err);
    if (code)
        return code;
    hub_source_init(&h->watches[i].source, h->queue, HUB_SOURCE_ENDPOINT, i, 0);
    h->endpoint_count++;
    return ERR_OK;
}

/* There is room for all that can be added later, so that no view's row moves. */
static enum err init_endpoints(struct hub *h, struct err_info *err)
{
    h->endpoints = calloc(h->config->endpoint_cap + 1, sizeof *h->endpoints);
    h->watches = calloc(h->config->endpoint_cap + 1, sizeof *h->watches);
    if (!h->endpoints || !h->watches)
        return err_set(err, ERR_NOMEM, "no memory for the endpoints");
    enum err e = ERR_OK;
    while (!e && h->endpoint_count < h->config->endpoint_count)
        e = add_endpoint(h, err);
    return e;
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
    h->nothing = store_new(config->store_bytes ? config->store_bytes : LIMIT_STORE_DEFAULT);
    bool ok = h->queue && h->nothing;
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
    struct job job = {.kind = JOB_WATCH,
                      .reconnect = true,
                      .every_ns = WATCH_EVERY_NS,
                      .timeout_ns = WATCH_TIMEOUT_NS,
                      .prepare = config_prepare,
                      .prepare_context = h->config};
    struct session_sink sink = hub_source_sink(&h->watches[i].source);
    struct err_info err = {.code = ERR_OK};
    h->watches[i].session = session_start(c->broker, &c->endpoint, &job, &sink, &err);
    if (!h->watches[i].session)
        e->status = (struct session_status){.state = SESSION_ENDED, .since_ns = clock_wall_ns(), .err = err};
}

static void on_probe(void *context, const struct probe_target *target, const struct sample *sample)
{
    struct hub *h = context;
    hub_push_probe(h->queue, (size_t)(target - h->config->probes), sample);
}

static enum err prepare_probe(void *context, const struct probe_target *target, struct secret *into,
                              struct err_info *err)
{
    struct config *c = ((struct hub *)context)->config;
    struct config_password *password = config_probe_password(c, (size_t)(target - c->probes));
    return secret_get(password, target->name, &c->leaving, into, err);
}

void hub_start(struct hub *h)
{
    if (h->started)
        return;
    h->started = true;
    for (size_t i = 0; i < h->endpoint_count; i++)
        start_watch(h, i);
    struct err_info err = {.code = ERR_OK};
    struct prober_host host = {.context = h, .sample = on_probe, .prepare = prepare_probe};
    if (h->probe_count)
        h->prober = prober_start(h->config->probes, h->probe_count, h->registry, &host, &err);
    if (h->probe_count && !h->prober)
        log_write(LOG_ERROR, "probes", "%s", err.text);
}

/* A worker that a library holds on to keeps its source and the queue: they are given up with it. */
static bool join_all(struct hub *h)
{
    bool all = true;
    for (size_t i = 0; h->watches && i < h->endpoint_count; i++)
        if (h->watches[i].session)
            all &= session_join(&h->watches[i].session);
    return hub_tail_join(h) && all;
}

static void free_all(struct hub *h)
{
    hub_tail_free(h);
    hub_events_free(&h->taken);
    queue_free(&h->queue, hub_event_release);
    for (size_t i = 0; h->endpoints && i < h->endpoint_count; i++) {
        availability_free(&h->endpoints[i].health);
        channel_list_free(&h->endpoints[i].channels);
    }
    for (size_t i = 0; h->probes && i < h->probe_count; i++)
        availability_free(&h->probes[i].health);
    free(h->endpoints);
    free(h->watches);
    free(h->probes);
    store_free(&h->nothing);
    free(h);
}

void hub_stop(struct hub **hp)
{
    struct hub *h = *hp;
    *hp = NULL;
    if (!h)
        return;
    atomic_store(&h->config->leaving, true);
    if (h->queue)
        queue_close(h->queue);
    decode_pool_free(&h->decode_pool);
    hub_tail_close(h);
    for (size_t i = 0; h->watches && i < h->endpoint_count; i++)
        if (h->watches[i].session)
            session_cancel(h->watches[i].session);
    prober_stop(&h->prober);
    if (join_all(h))
        free_all(h);
}

/* ---- what the status row says ---- */

void hub_say(struct hub *h, enum severity severity, const char *text)
{
    text_copy(h->notice, sizeof h->notice, text);
    h->notice_severity = severity;
    h->notice_serial++;
}

const char *hub_notice(const struct hub *h, uint64_t *serial, enum severity *severity)
{
    *serial = h->notice_serial;
    *severity = h->notice_severity;
    return h->notice_serial ? h->notice : NULL;
}

/* ---- endpoints ---- */

/* A broker that came back lists its channels before it has counted what they hold. */
static void keep_counts(const struct channel_list *list, const struct channel *before, struct channel *now)
{
    if (now->depth >= 0 || before->depth < 0)
        return;
    now->depth = before->depth;
    now->depth_upper = before->depth_upper;
    now->unacked = before->unacked;
    now->bytes = before->bytes;
    now->counts_of_ns = before->counts_of_ns ? before->counts_of_ns : list->time_ns;
}

/* How fast it goes nobody knows without a connection; how much there was stays worth knowing. */
static void forget_rates(struct channel_list *list)
{
    for (size_t i = 0; list && i < list->count; i++)
        list->items[i].in_rate = list->items[i].out_rate = -1;
}

static void lose_rates(struct hub_endpoint *e)
{
    forget_rates(e->channels);
    e->totals.in_rate = e->totals.out_rate = -1;
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
            channel_rates_since(b, c, seconds);
        if (same)
            keep_counts(before, b, c);
    }
}

/* A list that was refused says nothing of what was listed before. */
static void take_refusal(struct hub_endpoint *e, const struct channel_list *list)
{
    e->unlisted = true;
    e->channels->complete = false;
    e->channels->error = list->error;
    text_copy(e->channels->note, sizeof e->channels->note, list->note);
    lose_rates(e);
}

/* The broker's own rates, too, are means over the time in which it stood. */
static bool follows_a_gap(const struct hub_endpoint *e, const struct channel_list *list)
{
    int64_t before_ns = e->channels ? e->channels->time_ns : list->time_ns;
    return list->time_ns - before_ns > RATE_MOST_NS || before_ns < e->status.since_ns;
}

static void take_list(struct hub_endpoint *e, struct channel_list *list)
{
    if (list->error && !list->count && e->channels && e->channels->count) {
        take_refusal(e, list);
        channel_list_free(&list);
        return;
    }
    e->unlisted = false;
    compare_lists(e->channels, list);
    if (follows_a_gap(e, list))
        forget_rates(list);
    channel_list_free(&e->channels);
    e->channels = list;
    e->totals = channel_list_totals(list);
}

static void log_health(const char *name, const struct availability *a)
{
    const struct health_change *c = &a->changes[0];
    const char *word = c->to != HEALTH_DEGRADED ? ""
                       : a->slow                ? ", SLOW"
                                                : ", WARN"; /* as the dashboard says */
    enum log_level level = c->to == HEALTH_UP ? LOG_INFO : c->to == HEALTH_DOWN ? LOG_ERROR : LOG_WARN;
    log_change(level, name, "%s -> %s%s%s%s", health_name(c->from), health_name(c->to), word,
               c->reason[0] ? ": " : "", c->reason);
}

/* Attention shows a loss as long as it lasts, and the log that there was one. */
static void take_return(struct hub_endpoint *e, const struct session_status *status)
{
    char lasted[32];
    if (e->lost_since_ns)
        log_change(LOG_INFO, e->config->endpoint.name, "is there again, after %s",
                   text_age(lasted, sizeof lasted, status->since_ns - e->lost_since_ns));
    e->lost_since_ns = 0;
    e->tried = false;
}

static void take_status(struct hub_endpoint *e, const struct session_status *status)
{
    bool was_up = e->status.state == SESSION_UP;
    e->status = *status;
    if (status->state == SESSION_UP)
        take_return(e, status);
    if (!was_up || status->state != SESSION_BACKOFF)
        return;
    e->lost_since_ns = status->since_ns;
    text_copy(e->lost_why, sizeof e->lost_why, status->err.text);
    log_change(LOG_WARN, e->config->endpoint.name, "lost: %s", e->lost_why);
    lose_rates(e);
}

void hub_answered(struct hub *h, const struct config_endpoint *endpoint, int64_t since_ns)
{
    for (size_t i = 0; i < h->endpoint_count; i++) {
        if (h->endpoints[i].config != endpoint)
            continue;
        h->watches[i].answered_ns = since_ns;
        if (h->watches[i].session && h->endpoints[i].status.state == SESSION_BACKOFF)
            session_refresh(h->watches[i].session);
    }
}

/* It failed, and while it tried the endpoint has answered another session. */
static bool is_outrun(const struct watch *w, const struct session_status *before,
                      const struct session_status *now)
{
    return before->state == SESSION_CONNECTING && now->state == SESSION_BACKOFF &&
           w->answered_ns >= before->since_ns;
}

static void take_watch_status(struct hub *h, size_t i, const struct session_status *status)
{
    bool outrun = is_outrun(&h->watches[i], &h->endpoints[i].status, status);
    take_status(&h->endpoints[i], status);
    if (!outrun)
        return;
    h->watches[i].answered_ns = 0; /* once: a clock that was set back must not make it try without end */
    session_refresh(h->watches[i].session);
}

static uint32_t use_endpoint(struct hub *h, struct hub_event *e)
{
    struct hub_endpoint *endpoint = &h->endpoints[e->index];
    const char *name = endpoint->config->endpoint.name;
    switch (e->kind) {
    case HUB_EVENT_STATUS: take_watch_status(h, e->index, &e->status); break;
    case HUB_EVENT_LIST:
        take_list(endpoint, e->list);
        e->list = NULL;
        break;
    case HUB_EVENT_SAMPLE:
        if (availability_sample(&endpoint->health, &e->sample))
            log_health(name, &endpoint->health);
        break;
    case HUB_EVENT_NOTICE: hub_say(h, SEVERITY_INFO, e->notice); return HUB_NOTICE;
    case HUB_EVENT_BATCH:
    case HUB_EVENT_DECODED: break;
    }
    return HUB_ENDPOINTS;
}

/* ---- the pump ---- */

static uint32_t use_event(struct hub *h, struct hub_event *e)
{
    if (e->source == HUB_SOURCE_ENDPOINT)
        return use_endpoint(h, e);
    if (e->source == HUB_SOURCE_PROBE) {
        if (availability_sample(&h->probes[e->index].health, &e->sample))
            log_health(h->probes[e->index].target->name, &h->probes[e->index].health);
        return HUB_PROBES;
    }
    if (e->source == HUB_SOURCE_DECODER)
        return HUB_DECODED;
    return hub_tail_event(h, e);
}

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
    hub_tail_tick(h, clock_wall_ns());
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
        hub_tail_resume(h);
    hub_tail_reap(h);
    if (changed & (HUB_ENDPOINTS | HUB_PROBES | HUB_TAIL))
        hub_attend(h);
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

/* A channel's name alone is no address; where it is listed is known here. */
static void suggest_channel(const struct hub *h, const char *text, struct err_info *err)
{
    const char *name;
    enum channel_kind kind = channel_kind_parse(text, &name);
    for (size_t i = 0; i < h->endpoint_count; i++) {
        const struct channel_list *l = h->endpoints[i].channels;
        if (!l || !channel_list_find(l, name, kind))
            continue;
        err_next(err, "write %s/%s", h->endpoints[i].config->endpoint.name, text);
        return;
    }
}

enum err hub_address(struct hub *h, const char *text, struct address *address, struct err_info *err)
{
    enum err e = config_address(h->config, text, h->registry->brokers, address, err);
    if (e)
        suggest_channel(h, text, err);
    while (!e && h->endpoint_count < h->config->endpoint_count) {
        e = add_endpoint(h, err);
        if (!e && h->started) {
            h->endpoints[h->endpoint_count - 1].tried = true;
            start_watch(h, h->endpoint_count - 1);
        }
    }
    return e;
}

void hub_refresh(struct hub *h)
{
    for (size_t i = 0; i < h->endpoint_count; i++)
        if (h->watches[i].session)
            session_refresh(h->watches[i].session);
    if (h->prober)
        prober_refresh(h->prober);
}

static void on_decoded(void *context)
{
    struct hub *h = context;
    hub_push_decoded(h->queue);
}

struct decode_job *hub_decode(struct hub *h, struct message *m, const char *wanted)
{
    if (!h->decode_pool)
        h->decode_pool = decode_pool_new(h->registry->decoders, on_decoded, h);
    return h->decode_pool ? decode_pool_start(h->decode_pool, m, wanted) : NULL;
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

const struct store *hub_store(const struct hub *h)
{
    return h->tail ? h->tail->store : h->nothing;
}

const struct registry *hub_registry(const struct hub *h)
{
    return h->registry;
}

struct config *hub_config(const struct hub *h)
{
    return h->config;
}
