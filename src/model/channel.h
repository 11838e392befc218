/* A channel as a broker lists it: kind, statistics, what reading it does, what can be done to it. Floor 1. */
#ifndef SIGNALBOX_MODEL_CHANNEL_H
#define SIGNALBOX_MODEL_CHANNEL_H

#include "model/message.h"

#define COUNT_UNKNOWN INT64_C(-1)

/* What looking at a channel does to it. */
enum read_effect { EFFECT_NONE, EFFECT_MARKS, EFFECT_CONSUMES };
const char *read_effect_name(enum read_effect effect); /* "NONE" "MARKS" "CONSUMES" */

enum capability {
    CAN_TAP,    /* a copy of what flows */
    CAN_BROWSE, /* what is stored */
    CAN_SEEK,   /* --from other than beginning and end */
    CAN_PUBLISH,
    CAN_CREATE,
    CAN_PURGE,  /* all of it, by the broker itself */
    CAN_REMOVE, /* one message, and no other */
    CAN_GROUPS,
    CAPABILITIES
};
const char *capability_name(enum capability c);

/* What a channel does with what it holds, beyond keeping it. */
struct channel_bounds {
    char unknown[160];        /* why not all of this is known: there may be more; "" it is */
    int64_t messages, bytes;  /* that it holds at most, of those that are ready; -1: no limit */
    int64_t stored;           /* bytes that are ready there; COUNT_UNKNOWN. Some seconds late */
    bool refuses;             /* what is beyond the limit is refused; else the oldest make way for it */
    bool log;                 /* they make way later, many at once: how much room there is says nothing */
    int64_t ttl_ms;           /* how long it keeps a message; -1: for ever */
    char age[32];             /* the same of a log, in the broker's words; "" for ever */
    int64_t expires_ms;       /* unused for so long, it is deleted with all that is in it; -1: it is not */
    bool dead_letters;        /* what makes way or is too old goes on to an exchange, and is gone else */
    char dead_letter_to[256]; /* its name; "" the default one */
};

struct channel_partition {
    int32_t id;
    int64_t low, high; /* COUNT_UNKNOWN where not known */
    int32_t leader;    /* -1: none */
};

/* A consumer group in one channel. */
struct channel_group {
    char name[256];
    char state[64];
    int64_t lag;
    bool
        lag_partial; /* it has committed nothing in some partitions that hold messages: lag is without them */
    int32_t members; /* -1: not visible */
};

struct channel {
    char name[256];
    enum channel_kind kind;
    char detail[64]; /* "quorum queue", "topic, 12 partitions", "fanout exchange" */
    bool
        compacted; /* of each key the last message is what counts; known where one channel was asked for by its name */
    bool internal;    /* the broker's own; hidden unless asked for */
    int64_t depth;    /* messages stored; COUNT_UNKNOWN */
    bool depth_upper; /* depth is an upper bound (Kafka: high - low) */
    int64_t unacked;  /* handed out, not yet settled */
    int64_t bytes;    /* COUNT_UNKNOWN, and bytes_why says why */
    int64_t consumers;
    int64_t groups;
    int64_t lag;              /* of the group that is furthest behind */
    bool lag_partial;         /* some group's lag is: the lag is that, or more */
    double in_rate, out_rate; /* messages a second; negative: unknown */
    int64_t in_total,
        out_total;      /* ever produced and delivered, where the broker counts: the engine derives rates */
    int32_t partitions; /* 0 where the word means nothing */
    enum read_effect browse_effect, tap_effect;
    const char *why_not[CAPABILITIES]; /* NULL: it can; else one sentence, static text */
    const char *bytes_why;             /* static text or NULL */
    char state[64];                    /* "running", "idle", "no leader for 2 of 12 partitions"; "" unknown */
    bool dead_letters;                 /* it looks like a dead letter channel */
    int64_t filled_since_ns;           /* wall clock of the first listing that found messages; the engine's */
    int64_t
        counts_of_ns; /* depth, unacked and bytes are those of that older listing; 0: of this one; the engine's */
};

/* Everything unknown, every capability absent without a reason: drivers start from this. */
void channel_init(struct channel *c, const char *name, enum channel_kind kind);
/* Rates that the broker doesn't tell, or tells as nought between two of its samples, from what it has counted since the listing
 * before, `seconds` ago. A counter that went back was reset: nothing is known. What grew although nothing came in grew so fast at least. */
void channel_rates_since(const struct channel *before, struct channel *now, double seconds);

/* A broker's channels at one moment, made by a worker and handed on: one owner at a time. */
struct channel_list {
    int64_t time_ns;
    bool complete; /* false: cut by a limit or a refusal; note says why */
    char note[200];
    char version[64]; /* the broker's, "RabbitMQ 3.10.8"; "" unknown */
    enum err error;   /* what kept it from being complete; ERR_OK: nothing, or a limit */
    size_t count, cap;
    struct channel *items;
    /* Of the one channel of a list that was asked for by its plain name, where the broker tells. Allocated with malloc, the list's. */
    struct channel_partition *partitions;
    size_t partition_count;
    struct channel_group *groups;
    size_t group_count;
};
struct channel_list *channel_list_new(void);
/* The new row, initialised; NULL over LIMIT_CHANNELS (complete becomes false) or out of memory. */
struct channel *channel_list_add(struct channel_list *l, const char *name, enum channel_kind kind);
void channel_list_free(struct channel_list **l);
void channel_list_sort(struct channel_list *l); /* by name, then kind */
/* What a broker's channels come to, its own left out. Rates are those of what keeps messages: an exchange's are counted again by the
 * queues behind it. */
struct channel_totals {
    int64_t depth, dead, lag; /* dead: in dead letter channels, which depth leaves out; COUNT_UNKNOWN */
    double in_rate, out_rate; /* negative: unknown */
};
struct channel_totals channel_list_totals(const struct channel_list *l);
/* Does a name of that kind mean one of this? A stream may be called a queue, ANY is any. */
bool channel_kind_covers(enum channel_kind named, enum channel_kind kind);
const struct channel *channel_list_find(const struct channel_list *l, const char *name,
                                        enum channel_kind kind);

#endif
