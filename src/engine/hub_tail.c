/* The tail: sessions that read into the store, the time line's gaps, and its rates. */
#include "engine/hub_internal.h"

#include "base/log.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

static void take_status(struct hub *h, struct tail_run *t, struct tail_part *part,
                        const struct session_status *status);

/* ---- parts ---- */

static struct tail_part *add_part(struct hub *h, struct tail_run *t, size_t first, size_t count)
{
    struct tail_part *part = &t->parts[t->part_count];
    hub_source_init(&part->source, h->queue, HUB_SOURCE_TAIL, t->part_count, t->serial);
    part->first = first;
    part->count = count;
    t->part_count++;
    return part;
}

/* Those of one endpoint become neighbours, at the place of its first. */
static void take_channels(struct tail_run *t, const struct address *addresses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        while (at > 0 && t->tail.channels[at - 1].address.endpoint != addresses[i].endpoint)
            at--;
        at = at > 0 ? at : i; /* none of it yet */
        for (size_t k = i; k > at; k--) {
            t->names[k] = t->names[k - 1];
            t->tail.channels[k].address = t->tail.channels[k - 1].address;
        }
        t->names[at] = addresses[i].channel;
        t->tail.channels[at].address = addresses[i];
    }
    t->tail.channel_count = count;
}

static void group_channels(struct tail_run *t, const struct address *addresses, size_t count, struct hub *h)
{
    take_channels(t, addresses, count);
    /* Neighbours share a session as far as the driver can: one connection, of whose loss one row tells. */
    for (size_t i = 0, n; i < count; i += n) {
        const struct config_endpoint *e = t->tail.channels[i].address.endpoint;
        for (n = 1;
             i + n < count && n < e->broker->max_channels && t->tail.channels[i + n].address.endpoint == e;)
            n++;
        add_part(h, t, i, n);
    }
}

/* Of a browse; a tail that goes on beneath it has the other half. */
static size_t room_of(const struct hub *h)
{
    bool shared = h->beneath || (h->kept && !hub_run_is_browse(h->kept));
    size_t budget = store_budget(h->nothing) / (shared ? 2 : 1);
    return budget > STORE_FIRST ? budget - STORE_FIRST : 0;
}

static void start_part(struct hub *h, struct tail_run *t, struct tail_part *part)
{
    const struct hub_read *how = &t->tail.how;
    struct config_endpoint *c = t->tail.channels[part->first].address.endpoint;
    /* The source looks for as long as it takes to find so many. */
    part->source.filter = t->filter;
    part->source.mark = t->mark;
    part->source.left = t->filter ? how->limit : -1;
    if (how->mode == READ_BROWSE)
        part->source.room = room_of(h);
    struct job job = {.kind = JOB_READ,
                      .reconnect = how->mode == READ_TAP,
                      .prepare = config_prepare,
                      .prepare_context = h->config,
                      .redaction = h->config->redaction,
                      .read = {.mode = how->mode,
                               .channels = &t->names[part->first],
                               .channel_count = part->count,
                               .start = how->start,
                               .partition = how->partition,
                               .limit = t->filter ? -1 : how->limit,
                               .flags = how->flags}};
    struct session_sink sink = hub_source_sink(&part->source);
    struct err_info err = {.code = ERR_OK};
    part->session = session_start(c->broker, &c->endpoint, &job, &sink, &err);
    if (part->session)
        return;
    struct session_status status = {.state = SESSION_ENDED, .since_ns = clock_wall_ns(), .err = err};
    t->ended++;
    take_status(h, t, part, &status);
}

/* One of several channels may be what could not be opened, and must not hide the others: each gets a session of its own. False:
 * there is but one. */
static bool split(struct hub *h, struct tail_run *t, struct tail_part *part)
{
    size_t first = part->first, count = part->count, from = t->part_count;
    if (count < 2)
        return false;
    part->count = 0;
    for (size_t i = 0; i < count; i++)
        add_part(h, t, first + i, 1);
    for (size_t i = 0; i < count; i++)
        start_part(h, t, &t->parts[from + i]);
    return true;
}

/* ---- what comes ---- */

static void tick(struct tail_run *t, int64_t now_ns)
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

void hub_tail_tick(struct hub *h, int64_t now_ns)
{
    if (h->tail)
        tick(h->tail, now_ns);
    if (h->kept)
        tick(h->kept, now_ns);
    if (h->beneath)
        tick(h->beneath, now_ns);
}

/* A lost or restored connection becomes a row of its own in the time line: a message without a position whose flag says
 * so would be a lie, so it is a payload from the origin `signalbox`. */
static void store_gap(struct tail_run *t, const char *channel, const char *text)
{
    struct message gap = {.origin = origin_intern("signalbox", channel, CHANNEL_ANY),
                          .time_ns = clock_wall_ns(),
                          .received_ns = clock_wall_ns(),
                          .payload = bytes_of_text(text)};
    struct message *sealed = message_seal(&gap, NULL);
    if (sealed)
        store_add(t->store, sealed);
}

/* The row goes with its tail; that something is missing must be known after that, too. */
static void note_gap(struct tail_run *t, enum log_level level, const char *endpoint, const char *text)
{
    store_gap(t, endpoint, text);
    log_change(level, endpoint, "%s", text);
}

/* One that has no room beside the message that somebody looks at has left no other sign. */
static void note_missing(struct tail_run *t, const struct origin *from, size_t payload)
{
    char size[32], text[400];
    snprintf(text, sizeof text,
             "%.200s: a message of %s has no room beside the one that is open: missing here", from->channel,
             text_bytes(size, sizeof size, payload));
    t->tail.gap_count++;
    note_gap(t, LOG_WARN, from->endpoint, text);
}

static void store_message(struct tail_run *t, struct message *m)
{
    uint16_t *slot = &t->tail.per_second[sizeof t->tail.per_second / sizeof *t->tail.per_second - 1];
    if (*slot < UINT16_MAX)
        (*slot)++;
    t->messages_this_second++;
    t->bytes_this_second += m->payload.len;
    t->tail.received++;
    const struct origin *from = m->origin;
    size_t payload = m->payload.len;
    if (!store_add(t->store, m))
        note_missing(t, from, payload);
}

static const char *part_endpoint(const struct tail_run *t, const struct tail_part *part)
{
    return t->tail.channels[part->first].address.endpoint->endpoint.name;
}

/* "orders: " or "orders + 2: ", where others of the endpoint's channels have a connection of their own; else "". */
static const char *part_scope(const struct tail_run *t, const struct tail_part *part, char *into, size_t size)
{
    const struct address *first = &t->tail.channels[part->first].address;
    size_t all = 0;
    for (size_t i = 0; i < t->tail.channel_count; i++)
        all += t->tail.channels[i].address.endpoint == first->endpoint;
    *into = '\0';
    if (all > part->count && part->count > 1)
        snprintf(into, size, "%.200s + %zu: ", first->channel.name, part->count - 1);
    else if (all > part->count)
        snprintf(into, size, "%.200s: ", first->channel.name);
    return into;
}

/* Not of the connection, which would fail as often again. */
static bool is_of_a_channel(enum err e)
{
    return e == ERR_NOTFOUND || e == ERR_DENIED || e == ERR_UNSUPPORTED || e == ERR_REFUSED;
}

static void note_connection(struct hub *h, struct tail_run *t, const struct tail_part *part,
                            const struct session_status *before, const struct session_status *now)
{
    static const char *const restored[] = {
        [GAP_ALL] = "connection restored: what was sent in between is missing here",
        [GAP_PART] = "connection restored: taps have a gap here, streams have none",
        [GAP_NONE] = "connection restored: goes on behind the last message",
        [GAP_ANEW] = "connection restored: what was deleted meanwhile is read anew, from its beginning",
    };
    const char *name = part_endpoint(t, part);
    char why[360], text[680], scope[240];
    part_scope(t, part, scope, sizeof scope);
    if (now->state == SESSION_BACKOFF && before->state == SESSION_UP) {
        bool named = strcmp(now->err.where, name) == 0; /* the row is under that name already */
        snprintf(text, sizeof text, "%sconnection lost: %s", scope,
                 named ? now->err.text : err_format(&now->err, why, sizeof why));
        note_gap(t, LOG_WARN, name, text);
    } else if (now->state == SESSION_UP && now->was_up && before->state != SESSION_UP) {
        t->tail.gap_count += now->gap != GAP_NONE;
        snprintf(text, sizeof text, "%s%s", scope, restored[now->gap]);
        note_gap(t, now->gap == GAP_NONE ? LOG_INFO : LOG_WARN, name, text);
    } else if (hub_run_has_failed(now)) {
        log_write(LOG_ERROR, name, "%s", err_format(&now->err, why, sizeof why));
        if (h->kept || store_count(t->store)) /* else its place is the whole view */
            hub_say(h, SEVERITY_CRIT, why);
        if (store_count(t->store))
            store_gap(t, name, why);
    }
}

/* From when on it knows what has passed: its first row. */
static void note_mark(struct tail_run *t, const struct tail_part *part, const struct session_status *status)
{
    char text[200];
    if (!t->mark || t->mark_said || status->state != SESSION_UP)
        return;
    t->mark_said = true;
    store_gap(t, part_endpoint(t, part), dedupe_mark_since(t->mark, text, sizeof text));
}

static void take_status(struct hub *h, struct tail_run *t, struct tail_part *part,
                        const struct session_status *status)
{
    if (hub_run_has_failed(status) && !status->was_up && is_of_a_channel(status->err.code) &&
        split(h, t, part))
        return;
    const struct session_status *before = &t->tail.channels[part->first].status;
    if (status->state == SESSION_UP && before->state != SESSION_UP)
        hub_answered(h, t->tail.channels[part->first].address.endpoint, status->since_ns);
    note_connection(h, t, part, before, status);
    note_mark(t, part, status);
    for (size_t i = 0; i < part->count; i++)
        t->tail.channels[part->first + i].status = *status;
    t->tail.full |= atomic_load(&part->source.full);
    t->tail.dropped = t->tail.unknown = 0;
    for (size_t i = 0; i < t->part_count; i++)
        t->tail.unknown += atomic_load(&t->parts[i].source.unknown);
    for (size_t i = 0; i < t->part_count; i++)
        if (t->parts[i].count)
            t->tail.dropped += (uint64_t)t->tail.channels[t->parts[i].first].status.progress.dropped;
    if (t == h->tail && h->kept)
        hub_runs_settle(h);
}

/* What is said while messages flow (a topic was deleted, a tap was full) has its place among them. */
static void take_notice(struct tail_run *t, const struct tail_part *part, const char *text)
{
    bool tap = t->tail.how.mode == READ_TAP, up = t->tail.channels[part->first].status.state == SESSION_UP;
    char *notice = t->tail.channels[part->first].notice;
    /* What a tap misses is said at each opening; anything else that is said after the first one has just happened. */
    bool again = !strncmp(notice, text, sizeof t->tail.channels->notice - 1);
    if (tap && (up || t->tail.channels[part->first].status.was_up) && !again)
        t->tail.channels[part->first].notice_ns = clock_wall_ns();
    text_copy(notice, sizeof t->tail.channels->notice, text);
    if (tap && up)
        store_gap(t, part_endpoint(t, part), text);
}

static uint32_t use_event(struct hub *h, struct tail_run *t, struct hub_event *e)
{
    switch (e->kind) {
    case HUB_EVENT_BATCH:
        for (size_t i = 0; i < e->batch.count; i++) {
            store_message(t, e->batch.messages[i]);
            e->batch.messages[i] = NULL;
            hub_runs_share(h);
        }
        break;
    case HUB_EVENT_STATUS: take_status(h, t, &t->parts[e->index], &e->status); return HUB_TAIL | HUB_NOTICE;
    case HUB_EVENT_NOTICE:
        take_notice(t, &t->parts[e->index], e->notice);
        hub_say(h, SEVERITY_INFO, e->notice); /* its place is among the tail's rows, or above them */
        return HUB_TAIL | HUB_NOTICE;
    default: break;
    }
    return HUB_TAIL;
}

uint32_t hub_tail_event(struct hub *h, struct hub_event *e)
{
    struct tail_run *t = hub_runs_find(h, e->serial);
    if (t && e->kind == HUB_EVENT_STATUS && e->status.state == SESSION_ENDED)
        t->ended++;
    return t && (t == h->tail || t == h->kept || t == h->beneath) ? use_event(h, t, e) : 0;
}

static void resume(struct tail_run *t)
{
    for (size_t i = 0; t && i < t->part_count; i++)
        if (t->parts[i].session && hub_source_was_paused(&t->parts[i].source))
            session_resume(t->parts[i].session);
}

void hub_tail_resume(struct hub *h)
{
    resume(h->tail);
    resume(h->kept);
    resume(h->beneath);
}

/* ---- opening and closing ---- */

static enum err make_mark(struct hub *h, const char *rule, struct tail_run *t, struct err_info *err)
{
    struct dedupe_mark_job job = {.rule = rule, .decoders = h->registry->decoders};
    t->mark = *rule ? dedupe_mark_new(&job, err) : NULL;
    return t->mark || !*rule ? ERR_OK : err->code;
}

static enum err tail_alloc(struct hub *h, const struct hub_read *how, size_t count, struct tail_run **out,
                           struct err_info *err)
{
    const char *where = how->where;
    struct tail_run *t = calloc(1, sizeof *t);
    if (t) {
        t->names = calloc(count, sizeof *t->names);
        t->tail.channels = calloc(count, sizeof *t->tail.channels);
    }
    if (!t || !t->names || !t->tail.channels) {
        if (t)
            hub_run_free(t);
        return err_set(err, ERR_NOMEM, "no memory for a tail");
    }
    t->store = store_new(store_budget(h->nothing));
    if (!t->store) {
        hub_run_free(t);
        return err_set(err, ERR_NOMEM, "no memory for a store");
    }
    if (*where && !(t->filter = filter_new(where, FILTER_MESSAGES, h->registry->decoders, NULL, err))) {
        hub_run_free(t);
        return ERR_USAGE;
    }
    if (make_mark(h, how->dedupe_by, t, err)) {
        hub_run_free(t);
        return err->code;
    }
    t->serial = t->tail.serial = ++h->serial;
    t->second = clock_wall_ns() / NS_PER_S;
    *out = t;
    return ERR_OK;
}

static enum err open_run(struct hub *h, const struct address *addresses, size_t count,
                         const struct hub_read *how, struct err_info *err)
{
    struct tail_run *t = NULL;
    enum err e = tail_alloc(h, how, count, &t, err);
    if (e)
        return e;
    if (h->kept) /* the one that is shown has not begun */
        hub_run_retire(h, &h->tail);
    else
        hub_runs_keep(h);
    group_channels(t, addresses, count, h);
    t->tail.how = *how;
    h->tail = t;
    size_t parts = t->part_count; /* one that fails at once may become several, which are started then */
    for (size_t i = 0; i < parts; i++)
        start_part(h, t, &t->parts[i]);
    return ERR_OK;
}

enum err hub_tail_open(struct hub *h, const struct address *addresses, size_t count,
                       const struct hub_read *how, struct err_info *err)
{
    if (count == 0)
        return err_set(err, ERR_USAGE, "nothing to read");
    if (count > HUB_TAIL_MOST)
        return err_set(err, ERR_LIMIT, "at most %d channels in one tail", HUB_TAIL_MOST);
    return open_run(h, addresses, count, how, err);
}

bool hub_tail_retry(struct hub *h)
{
    bool lives = false;
    for (size_t i = 0; h->tail && i < h->tail->part_count; i++) {
        const struct tail_part *part = &h->tail->parts[i];
        bool goes_on =
            part->count && part->session && h->tail->tail.channels[part->first].status.state != SESSION_ENDED;
        if (goes_on)
            session_refresh(part->session);
        lives |= goes_on;
    }
    return lives;
}
