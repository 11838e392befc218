/* The hub: all sessions, probes and messages of one console, behind plain accessors. Floor 4. UI thread only.
 *
 * The console creates it, draws its first frame, then calls hub_start; from then on it polls hub_fd, calls hub_pump with a
 * time budget, and draws from the accessors. Nothing here blocks. Workers talk to it through one bounded queue. */
#ifndef SIGNALBOX_ENGINE_HUB_H
#define SIGNALBOX_ENGINE_HUB_H

#include "engine/config.h"
#include "engine/decode_pool.h"
#include "engine/filter.h"
#include "engine/prober.h"
#include "engine/session.h"
#include "engine/store.h"
#include "model/registry.h"

struct hub;

/* What a pump changed: the console redraws only for these. */
enum hub_change {
    HUB_ENDPOINTS = 1 << 0,
    HUB_PROBES = 1 << 1,
    HUB_TAIL = 1 << 2,
    HUB_NOTICE = 1 << 3,
    HUB_LOG = 1 << 4,
    HUB_DECODED = 1 << 5, /* a job of hub_decode is done */
};

struct hub_endpoint {
    const struct config_endpoint *config;
    struct session_status status;
    struct availability health;    /* from its pings: the broker's own probe */
    struct channel_list *channels; /* newest listing, rates derived; NULL: none yet */
    bool unlisted; /* the newest listing brought nothing but a reason: channels are those of the one before */
    struct channel_totals totals;
    int64_t lost_since_ns; /* wall clock: the connection was up and is not; 0: it is, or never was */
    char lost_why[160];
    bool
        tried; /* joined by URL while the console ran, and was never up: rather a typing error than an outage */
};

struct hub_probe {
    const struct probe_target *target;
    struct availability health;
};

/* Its connection was lost or never came about: what its pings said last, until they say that it is down, is no news. */
static inline bool hub_is_lost(const struct hub_endpoint *e)
{
    return e->lost_since_ns || e->status.state == SESSION_BACKOFF ||
           (e->status.state == SESSION_ENDED && e->status.err.code);
}

/* What its listing says was so then, and may not be so now. */
static inline bool hub_is_stale(const struct hub_endpoint *e)
{
    return e->channels &&
           (e->unlisted || e->status.state != SESSION_UP || e->channels->time_ns < e->status.since_ns);
}

/* Also while a broker that came back doesn't know yet how much a channel holds. */
static inline bool hub_channel_is_stale(const struct hub_endpoint *e, const struct channel *c)
{
    return c->counts_of_ns || hub_is_stale(e);
}

static inline int64_t hub_counts_ns(const struct hub_endpoint *e, const struct channel *c)
{
    return c->counts_of_ns ? c->counts_of_ns : e->channels->time_ns;
}

enum severity { SEVERITY_INFO, SEVERITY_WARN, SEVERITY_CRIT };

struct hub_attention {
    enum severity severity;
    const char *word;  /* "DOWN" "SLOW" "WARN" "FAIL" "STALE" "DLQ" "LOST": static */
    const char *name;  /* endpoint, probe or channel */
    const char *where; /* kind and address */
    int64_t since_ns;  /* wall clock */
    bool since_before; /* it was so already then: nothing else was ever seen */
    bool fails;        /* not down yet, and its newest run or its connection failed */
    char text[240];    /* what */
    const char *next;  /* what to do, or what is done, about it: static; "" nothing to add */
};

/* store_bytes etc. come from the configuration, which must outlive the hub. */
struct hub *hub_new(struct config *config, const struct registry *registry, struct err_info *err);
void hub_start(struct hub *h); /* connects everything; returns at once */
void hub_stop(struct hub **h); /* cancels and joins all workers (bounded) */
int hub_fd(const struct hub *h);
/* Takes what workers sent, at most budget_ns long. Returns enum hub_change bits; *more: there is more to take. */
uint32_t hub_pump(struct hub *h, int64_t budget_ns, bool *more);
/* When hub_pump should be called although nothing arrives (staleness), monotonic; INT64_MAX: never. */
int64_t hub_wakeup_ns(const struct hub *h);
void hub_refresh(struct hub *h); /* list, ping and probe everything now */

/* As config_address; an endpoint given by URL that is new is connected and watched from here on. */
enum err hub_address(struct hub *h, const char *text, struct address *address,
                     struct err_info *err) SB_MUST_USE;

size_t hub_endpoint_count(const struct hub *h);
const struct hub_endpoint *hub_endpoint(const struct hub *h, size_t i);
size_t hub_probe_count(const struct hub *h);
const struct hub_probe *hub_probe(const struct hub *h, size_t i);
/* Sorted by severity, then what fails before what works with a reservation, then age. Valid until the next pump. */
size_t hub_attention(const struct hub *h, const struct hub_attention **rows);

/* ---- the tail: one merged time line ---- */

enum tail_row_kind { TAIL_MESSAGE, TAIL_GAP /* connection lost or restored; text says which */ };

/* How channels are read. */
struct hub_read {
    enum read_mode mode; /* what flows, or what is stored now */
    struct start start;
    int32_t partition;   /* -1: all */
    int64_t limit;       /* browse: so many at most; -1: no limit */
    uint32_t flags;      /* enum read_flag */
    char dedupe_by[256]; /* duplicates by that rule are marked as they pass; "": none */
    char where[1024];    /* only what this filter takes is held, and counts towards the limit; "": all */
};

struct hub_tail {
    uint32_t serial;     /* counts openings: another one means another store, ids begin anew */
    struct hub_read how; /* it was opened; a browse is shown in the same place */
    size_t channel_count;
    struct {
        struct address address;
        struct session_status status;
        char notice[240];  /* what this tap misses, or what has happened to it; "" */
        int64_t notice_ns; /* wall clock: when that happened; 0: it holds for the whole reading */
    } * channels;
    uint64_t received, dropped; /* dropped: by sources that cannot pause */
    uint64_t unknown;           /* of which how.where could not tell: they are not held */
    double rate, byte_rate;     /* received, over the last second */
    uint16_t per_second[60];    /* messages, newest last, saturating */
    bool full;                  /* a browse ended because the store has no room for more */
    uint64_t gap_count;         /* how often messages are missing, or may be: each has a row */
};

#define HUB_TAIL_MOST 64 /* channels in one tail */

/* Shows what is read of these instead of the tail; a browse takes one channel, and its read effect is announced by the caller first.
 * Beneath a browse the tail goes on, each in half of the store's budget; another tail ends it once it has begun, which is said.
 * Addresses' names must live in the configuration's arena. */
enum err hub_tail_open(struct hub *h, const struct address *addresses, size_t count,
                       const struct hub_read *how, struct err_info *err) SB_MUST_USE;
void hub_tail_close(struct hub *h);
/* Lost connections are tried again now. False: nothing waits, all of it has ended. */
bool hub_tail_retry(struct hub *h);
const struct hub_tail *hub_tail(const struct hub *h);         /* NULL: none open */
const struct hub_tail *hub_tail_beneath(const struct hub *h); /* NULL: none, or no browse is shown */
/* Ends the browse that is shown: the tail beneath it is shown again. False: there is none. */
bool hub_tail_back(struct hub *h);
/* Does the one of that serial go on out of sight: beneath a browse, or until the one that is shown has begun? */
bool hub_tail_holds(const struct hub *h, uint32_t serial);
const struct store *hub_store(const struct hub *h);
/* A view keeps a reference of this one of hub_store (NULL: no longer): see store_hold. */
void hub_hold(struct hub *h, const struct message *m);

/* The newest thing worth a sentence on the status row; NULL none. `serial` counts, so that it is shown once. */
const char *hub_notice(const struct hub *h, uint64_t *serial, enum severity *severity);

/* Decodes beside the screen's thread; HUB_DECODED tells of the end. The job must be taken or dropped before hub_stop. NULL: the
 * caller decodes by itself. */
struct decode_job *hub_decode(struct hub *h, struct message *m, const char *wanted);

const struct registry *hub_registry(const struct hub *h);
struct config *hub_config(const struct hub *h);

#endif
