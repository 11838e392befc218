/* The contract of a broker driver. Floor 1. A new broker is one file (or folder) in src/brokers/ and one row in
 * src/registry.c.
 *
 * A driver gives primitives, never a policy: windows, order, retries, reconnecting, journal and counting belong to the
 * engine. It never asks the user, never prints, never exits, keeps no globals.
 *
 * One `struct broker` is one session: a connection (or what the library calls one) with one purpose, driven by one worker
 * thread. Every hook is called on that thread, except interrupt. The engine opens a session per purpose: one that watches
 * (list, ping), one per tail, browse or search, one per sending. A dead broker therefore never hides another one, and
 * a slow listing never delays a tail's heartbeats.
 *
 * Order of calls: open, then any of list/groups/ping, read_open .. read_step* .. read_close, lease_open .. lease_step*, settle* ..
 * lease_close, publish_open* .. publish*, publish_step*, commit* .. publish_close, then close. Leasing and publishing are two
 * sessions. After an error with policy RETRY the engine closes the session, waits
 * (back-off with jitter) and opens a new one with the next generation. close is called also after a failed open and must
 * leave nothing behind: no queue, no consumer, no group, no committed offset, no tracing flag. */
#ifndef SIGNALBOX_MODEL_BROKER_H
#define SIGNALBOX_MODEL_BROKER_H

#include "model/channel.h"
#include "model/endpoint.h"
#include "model/message.h"
#include "model/sample.h"

struct broker_ops;

/* What the engine lends to a session. */
struct broker {
    const struct broker_ops *ops;
    const struct endpoint *endpoint;
    void *state;            /* ops->state_size bytes, zeroed before open */
    atomic_bool *cancelled; /* set by any thread before interrupt; long loops look at it */
    /* Set some time behind `cancelled`, before one more interrupt: nothing is waited for any more, not even for what is to be undone; a
     * connection that holds a hook up is ended. NULL: never. */
    const atomic_bool *given_up;
    int wake_fd; /* eventfd, readable when commands wait: poll it beside the socket; the engine reads it */
    unsigned
        carries; /* enum carry, of the destination that is open: the ops', and what publish_open has added */
    /* Something the user must know that has no sink: what open found and mended. NULL: nobody would hear it. */
    void (*notice)(void *context, const char *text);
    void *notice_context;
    int64_t deadline_ns; /* monotonic: open, list, groups and ping must return by then with ERR_TIMEOUT */
};

/* ---- reading ---- */

enum read_mode {
    READ_TAP,    /* a copy of what flows from now (or start) on, for ever */
    READ_BROWSE, /* what is stored, up to the end as it stood at read_open */
};

enum start_kind { START_DEFAULT, START_BEGINNING, START_END, START_LAST, START_TIME, START_OFFSET };

struct start {
    enum start_kind kind; /* DEFAULT: end for a tap, beginning for a browse */
    int64_t value;        /* LAST: how many over all partitions; TIME: ns since 1970; OFFSET */
};

enum read_flag {
    READ_UNCOMMITTED = 1 << 0, /* also open and aborted transactions, marked MESSAGE_UNCOMMITTED */
    READ_FIREHOSE =
        1 << 1, /* RabbitMQ: switch tracing on to see the default exchange; prior state is restored */
    READ_INTERNAL = 1 << 2, /* channels of the broker's own are allowed */
    READ_BARE = 1 << 3, /* nobody looks at headers: a driver may leave them out where they cost something */
    /* A browse: transactions of whomever that are open are waited for (ERR_BUSY at the deadline), since all that stands behind one is held
     * back; what was committed before read_open is read then without a gap. */
    READ_SETTLED = 1 << 4,
    READ_HELD =
        1
        << 5, /* a browse: read_progress.held is wanted of each partition, also of those that had nothing to read */
};

struct channel_name {
    enum channel_kind kind; /* CHANNEL_ANY: find out */
    const char *name;
};

/* Where a tail stands in one partition: the next message that it has not handed over. */
struct read_place {
    size_t channel; /* index into the request's */
    int32_t partition;
    int64_t next; /* -1: it was not read, for want of a leader: its end then */
    bool anew;    /* the channel was deleted: of the one that takes its place nothing was seen yet */
};
struct read_places {
    struct read_place *items;
    size_t count; /* 0: begin as the request says */
};

struct read_request {
    enum read_mode mode;
    const struct channel_name
        *channels; /* drivers take several where one connection can; the engine checks max_channels */
    size_t channel_count;
    struct start start;
    int32_t partition; /* -1: all */
    /* A tail that goes on after its connection was lost: there instead of `start`; partitions that are new since then from
     * their beginning. What the broker has removed meanwhile is said. NULL: a first connection. */
    const struct read_places *resume;
    int64_t limit; /* browse: stop after so many messages were handed over; -1 none */
    uint32_t flags;
};

/* What a sink says to a message. */
enum emit {
    EMIT_OK, /* taken, more please */
    EMIT_PAUSE, /* taken; emit no more until read_pause(false) was called. A driver with messages in hand keeps them */
    EMIT_STOP, /* taken; end of interest: read_step returns ERR_END soon */
};

/* Where a driver hands messages to. Called on the worker thread only. */
struct read_sink {
    void *context;
    enum emit (*message)(void *context, const struct message *borrowed);
    /* Something the user must know, once: "misses what comes by the default exchange", "3 messages could not be returned". */
    void (*notice)(void *context, const char *text);
};

struct read_progress {
    int64_t scanned;  /* messages looked at */
    int64_t total;    /* as counted at read_open; COUNT_UNKNOWN */
    bool total_upper; /* total is an upper bound */
    int64_t most;     /* where a bound of the driver's own ends it; 0: none */
    bool incomplete;  /* a bound of the driver's own ended it: what was asked for is not all */
    char held
        [160]; /* a browse at its end: what stands behind that, held back by an open transaction of whomever; "" nothing known */
    int64_t dropped; /* lost on the way because the source cannot pause */
    char stopped
        [160]; /* browse at its end: why, "the end as it stood at 12:04:30Z", "limit of 10,000 held messages" */
};

/* ---- leasing: messages that are taken, to be removed or returned one by one ---- */

/* What is to become of most messages that are taken: the driver lays out by that what it holds. */
enum lease_use {
    LEASE_REMOVES, /* they are removed */
    LEASE_SELECTS, /* some are removed among many that are kept */
    LEASE_PICKS,   /* the same, and fast: their order may be another one after a connection that was lost */
    LEASE_KEEPS,   /* all are kept, whatever is said of one */
};

struct lease_request {
    struct channel_name from;
    size_t
        window; /* messages that may be handed over and not settled, at least 1; those that are kept (SETTLE_KEEP) do not count */
    int64_t most; /* stop after so many were handed over; -1: as many as are ready when it begins */
    enum lease_use use;
};

struct lease_sink {
    void *context;
    /* handle: the driver's name for this message until it is settled, or the lease is closed. Worker thread only. */
    enum emit (*message)(void *context, const struct message *borrowed, uint64_t handle);
    /* Something the user must know: that the queue has consumers, who do not see what is held. */
    void (*notice)(void *context, const char *text);
};

enum settle {
    SETTLE_REMOVE, /* it is done with: the source forgets it */
    SETTLE_KEEP, /* it stays at the source: held until the lease is closed, and returned with all others then */
};

/* ---- publishing ---- */

enum outcome {
    OUTCOME_CONFIRMED,
    OUTCOME_RETURNED, /* unroutable */
    OUTCOME_REFUSED,  /* the broker said no */
    OUTCOME_UNKNOWN,  /* the connection went away before an answer: may have arrived */
    OUTCOME_UNSENT,   /* it never left: given up before its turn came */
};

struct publish_outcome {
    uint64_t token; /* the caller's */
    enum outcome outcome;
    struct position position; /* at the destination, where the broker tells */
    struct err_info err;      /* of a failure */
};

struct publish_sink {
    void *context;
    void (*outcome)(void *context, const struct publish_outcome *outcome);
    /* Something the user must know: "topic x was made with 4 partitions". Optional. */
    void (*notice)(void *context, const char *text);
};

enum publish_flag {
    PUBLISH_CREATE = 1 << 0,    /* create a missing destination; without it that is ERR_NOTFOUND */
    PUBLISH_EXACT = 1 << 1,     /* keep timestamp and, where it fits, partition of the message */
    PUBLISH_PARTITION = 1 << 2, /* the message's partition or none: one that is not there is ERR_NOTFOUND */
    /* Without any effect: the destination is looked up, or its making checked, and each message is checked as far as can be
     * known here, but for its partition: the request's count stands for all of them. Nothing is made, nothing is
     * sent, no outcome is reported. */
    PUBLISH_DRY = 1 << 3,
    /* How many partitions they name is known when they have gone: a destination that has some is not made for them. */
    PUBLISH_UNCOUNTED = 1 << 4,
    /* Keep the message's partition only where the destination has just as many as the request says; else it goes by its key. A position
     * without an offset (-1) is where its sender had it, and kept wherever there is such a partition. */
    PUBLISH_ALIKE = 1 << 5,
};

struct publish_request {
    struct channel_name to;
    uint32_t flags; /* enum publish_flag */
    /* The highest partition that the messages name, plus one; 0: none, or it does not matter. A destination that is made gets so
     * many. With PUBLISH_PARTITION one that is there and has fewer is ERR_NOTFOUND, before anything is sent. */
    int32_t partitions;
    /* Whose messages these are, of the first destination of a session: the name of an operation. Of two sessions that claim one name
     * one alone goes on: the later one cuts the earlier one off (ERR_REFUSED at that one's next answer), or waits for its end until the
     * deadline (ERR_BUSY). Once it is open nothing of the earlier one is on its way any more. NULL: nobody's. */
    const char *claim;
    /* With a claim, where the broker can (broker_ops.commit): what is published becomes visible with `commit` alone. */
    bool transaction;
    /* With a transaction: sessions of one fence cut each other off as those of one claim do, whatever they claim. NULL: none. */
    const char *fence;
};

/* How far an operation is, as the broker keeps it with what was published: in its own words, and as places in channels of its own. */
struct commit {
    const char *claim;
    const struct read_place *places; /* of `channels`; count 0: the source is no channel of this broker */
    const struct channel_name *channels;
    size_t place_count;
    const char *note; /* what stands there of a source that is elsewhere; "" none */
};

/* ---- groups ---- */

struct group_row {
    char group[256];
    char state[64];
    char channel[256];
    int32_t partition;           /* -1: the whole channel */
    int64_t committed, end, lag; /* COUNT_UNKNOWN */
    int32_t members;             /* -1: not visible with this library */
    char note[160];
};
typedef void group_sink(void *context, const struct group_row *row);

/* What a message keeps on its way through this broker; what is not here is lost on the way in. */
enum carry {
    CARRY_KEY = 1 << 0,
    CARRY_NULL = 1 << 1,      /* a null payload is not an empty one */
    CARRY_TIME = 1 << 2,      /* times to the millisecond; else to the second */
    CARRY_PAST = 1 << 3,      /* times before 1970; else such a message has none, or that of its arrival */
    CARRY_PARTITION = 1 << 4, /* the partition that it is sent to */
    CARRY_TYPES = 1 << 5,     /* the types of header values; else they become text */
    CARRY_AMQP = 1 << 6,      /* AMQP's properties: message_id, delivery_mode and so on */
    CARRY_ANY = 1 << 7,       /* properties of any name */
    CARRY_NESTED = 1 << 8,    /* headers that are arrays or tables; else they are dropped */
};

/* option: the name of the one at fault; NULL: it is about all of them together. */
typedef void option_sink(void *context, const char *option, const char *text);

struct broker_ops {
    const char *name;           /* "kafka": also the `kind` on screen */
    const char *title;          /* "Kafka" */
    const char *const *schemes; /* NULL-terminated */
    int default_port;
    size_t state_size;
    size_t max_channels; /* that one read session can take */
    unsigned carries;    /* enum carry */
    const char *const *
        counters; /* headers that it counts itself, and that are not sent to it; NULL-terminated, NULL: none */
    bool path_is_channel; /* the URL's path is CHANNEL; false: VHOST/CHANNEL */
    bool
        tells_redelivered; /* what was handed out before comes with MESSAGE_REDELIVERED, so that what has none was not */
    bool
        unacked_is_late; /* what `count` says is with consumers is some seconds old, where it is known at all */
    bool count_is_upper; /* what `count` says is an upper bound */
    bool
        browse_is_free; /* looking at any channel leaves no trace; false: each channel's browse_effect says */

    /* Every fault of the endpoint's options, as `open` would find them one by one, without connecting and without a password. No
     * session; any thread. NULL: it takes no options, and those that are given have no effect. */
    void (*check_options)(const struct endpoint *e, option_sink *sink, void *context);

    /* Connects and authenticates. Blocks up to deadline_ns; errors: UNREACHABLE, TIMEOUT, TLS, AUTH, DENIED, PROTOCOL,
     * CONFIG (an option the library refuses, named), CANCELLED. */
    enum err (*open)(struct broker *b, struct err_info *err) SB_MUST_USE;
    void (*close)(struct broker *b);
    /* Any thread, from before open (state is zeroed then) until close begins: makes a blocking hook return soon. */
    void (*interrupt)(struct broker *b);

    /* Lists channels with statistics. pattern: text_glob, NULL all; a plain name must be cheap (describe one), and gets that channel's
     * partitions and groups too. Rates may be
     * negative: the engine derives them from two lists. Partial results: list->complete is false and note says why. */
    enum err (*list)(struct broker *b, const char *pattern, uint32_t flags, struct channel_list *list,
                     struct err_info *err) SB_MUST_USE;
    /* Consumer groups; NULL: the protocol has none. pattern of group names. */
    enum err (*groups)(struct broker *b, const char *pattern, group_sink *sink, void *context,
                       struct err_info *err) SB_MUST_USE;
    /* Health of the broker itself: alarms, offline partitions. Fills code and reason; health UP or DEGRADED on success. */
    enum err (*ping)(struct broker *b, struct sample *sample, struct err_info *err);

    /* The name that the cluster has for itself, the same from every host, by the deadline. NULL: it has none, and the endpoint's stands
     * for it. */
    enum err (*cluster)(struct broker *b, char *name, size_t size, struct err_info *err) SB_MUST_USE;

    /* Between two questions: serves the connection for at most timeout_ms; returns early on wake_fd or interrupt. Anything but
     * ERR_OK: the connection was lost. Optional: NULL where only the next question finds that out. */
    enum err (*rest)(struct broker *b, int timeout_ms, struct err_info *err) SB_MUST_USE;

    /* All of read_* are NULL where nothing can be read, all of publish* where nothing can be sent: that is said then.
     * Looks names up, without creating anything (ERR_NOTFOUND with the nearest name in err->next), and starts. Says in
     * err/notice what the read does. ERR_REFUSED where looking could lose messages (delivery limit near). */
    enum err (*read_open)(struct broker *b, const struct read_request *request, const struct read_sink *sink,
                          struct err_info *err) SB_MUST_USE;
    /* Serves the connection for at most timeout_ms (-1: until something happens; returns early on wake_fd or interrupt),
     * emits what came; a step that emitted anything does not wait, so that the caller can flush. ERR_OK: call again.
     * ERR_END: browse done, or the sink said stop. ERR_CHANGED: a tap's channel has become another one (partitions were added, it
     * was made anew): it is to be opened again at its places, on this connection; a notice has said so. Any other: the session is
     * lost. Keeps heartbeats while paused. */
    enum err (*read_step)(struct broker *b, int timeout_ms, struct err_info *err) SB_MUST_USE;
    void (*read_pause)(struct broker *b, bool pause);
    void (*read_progress)(struct broker *b, struct read_progress *progress);
    /* Before read_close of a tap: fills places with calloc'ed items, the caller's to free. A channel of which what flows during a
     * lost connection cannot be had again has none. Optional: NULL where that is so of all. */
    void (*read_places)(struct broker *b, struct read_places *places);
    /* Ends reading and undoes its effects (returns held messages, restores tracing). Also after errors. */
    enum err (*read_close)(struct broker *b, struct err_info *err) SB_MUST_USE;

    /* Taking messages off a channel; all of these are NULL where nothing can be removed one by one (why_not[CAN_REMOVE] says why).
     * Looks the channel up (ERR_NOTFOUND as read_open) and begins to hand over. ERR_REFUSED where taking could lose messages: a delivery
     * limit near, a queue that goes with its last consumer. */
    enum err (*lease_open)(struct broker *b, const struct lease_request *request,
                           const struct lease_sink *sink, struct err_info *err) SB_MUST_USE;
    /* As read_step. ERR_END: all that was asked for, or was ready at the start, has been handed over; what is out can still be settled,
     * and a step serves the connection then. */
    enum err (*lease_step)(struct broker *b, int timeout_ms, struct err_info *err) SB_MUST_USE;
    void (*lease_pause)(struct broker *b, bool pause); /* as read_pause */
    /* Without waiting until the broker has dealt with it. In the order of the handles; what was not settled when the connection goes,
     * comes back. */
    enum err (*settle)(struct broker *b, uint64_t handle, enum settle how, struct err_info *err) SB_MUST_USE;
    /* Returns once the broker has dealt with every removal so far: none of them comes back any more. */
    enum err (*settle_sync)(struct broker *b, struct err_info *err) SB_MUST_USE;
    /* Ends it: everything that is held goes back at once, to where it stood. Also after errors. *returned: how many those were. */
    enum err (*lease_close)(struct broker *b, int64_t *returned, struct err_info *err) SB_MUST_USE;
    /* How many are ready there now; for the end of a lease, and for a plan. */
    enum err (*count)(struct broker *b, const struct channel_name *channel, int64_t *ready, int64_t *unacked,
                      struct err_info *err) SB_MUST_USE;
    /* What the channel does with what is sent to it. Without any effect. NULL: it keeps it. */
    enum err (*bounds)(struct broker *b, const struct channel_name *channel, struct channel_bounds *into,
                       struct err_info *err) SB_MUST_USE;
    /* The broker's own purge: at once, and nothing of it can be had back. Kafka: up to the places. *removed: COUNT_UNKNOWN where it does
     * not tell. NULL: it has none. */
    enum err (*truncate)(struct broker *b, const struct channel_name *channel,
                         const struct read_places *up_to, int64_t *removed, struct err_info *err) SB_MUST_USE;

    /* Opens one more destination of this session: number 0 is the first, and so on. The sink is the first one's. */
    enum err (*publish_open)(struct broker *b, const struct publish_request *request,
                             const struct publish_sink *sink, struct err_info *err) SB_MUST_USE;
    /* Hands one message over without waiting for its outcome, to the destination of that number; the driver copies what it needs. ERR_BUSY:
     * its window is full, call publish_step first. */
    enum err (*publish)(struct broker *b, size_t to, const struct message *m, uint64_t token,
                        struct err_info *err) SB_MUST_USE;
    /* Serves the connection for at most timeout_ms, reporting outcomes. *pending: how many have none yet. */
    enum err (*publish_step)(struct broker *b, int timeout_ms, size_t *pending,
                             struct err_info *err) SB_MUST_USE;
    /* Outstanding messages are reported OUTCOME_UNKNOWN, or OUTCOME_UNSENT where that is known; a transaction that is open is aborted. */
    void (*publish_close)(struct broker *b);
    /* Makes all that was published since the last one visible, together with how far the operation is; no outcome is pending. Any error
     * but ERR_OK: it is not known whether it did, and `committed` tells. NULL: this broker has no transactions that carry progress. */
    enum err (*commit)(struct broker *b, const struct commit *commit, struct err_info *err) SB_MUST_USE;
    /* What the last commit of that claim says: places[].next is filled (-1: nothing was committed there), and note. Any session. */
    enum err (*committed)(struct broker *b, const struct commit *of, struct read_place *places, char *note,
                          size_t size, struct err_info *err) SB_MUST_USE;
    /* What commits have left at the broker goes; the operation has ended. */
    enum err (*forget)(struct broker *b, const char *claim, struct err_info *err) SB_MUST_USE;
};

/* NULL-terminated. */
typedef const struct broker_ops *const *broker_registry;

#endif
