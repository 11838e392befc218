/* One reading session. Private to this folder. */
#ifndef SIGNALBOX_BROKERS_RABBITMQ_READER_H
#define SIGNALBOX_BROKERS_RABBITMQ_READER_H

#include "base/guard.h"
#include "brokers/rabbitmq/rabbitmq_internal.h"

#define RABBIT_PREFETCH        500
#define RABBIT_TAP_ARGUMENT    "x-signalbox-tap" /* of the queues that taps make */
#define RABBIT_FOLLOW_EVERY_NS (10 * NS_PER_S)

enum rabbit_mode { RABBIT_CONSUME, RABBIT_LOOK };

/* A look into a queue with a delivery limit; see rabbitmq_looks.c. */
struct rabbit_looks {
    int64_t bound;       /* no message had been returned more often when the look began */
    int64_t redelivered; /* the queue's statistics then, ours counted */
    int64_t worst;       /* the highest count that was seen; -1: none yet */
    bool quiet;          /* the queue has no consumers */
    bool begun;
};

/* One consumer; its tag is its index. */
struct rabbit_source {
    const struct origin *origin;
    char tap[128]; /* the server's name of the queue that was made for it; "": it reads one that was there */
    bool
        by_list; /* that queue is bound as a list of bindings tells, which may change: a queue's or a direct exchange's */
    bool gone;      /* what it listens to was deleted */
    bool full;      /* that queue was full when last looked at */
    bool stream;    /* x-stream-offset becomes the position */
    size_t channel; /* stream: index into the request's */
    int64_t next;   /* stream: the next offset to hand over; -1: not known before a message has come */
    bool anew;      /* stream: it took the place of the one that was read before the connection was lost */
    bool firehose;  /* messages of amq.rabbitmq.trace, turned back into what they tell of */
    char queue
        [256]; /* firehose: only what went to this queue by the default exchange; "" all of the default exchange */
};

struct rabbit_reader {
    struct read_sink sink;
    enum rabbit_mode mode;
    struct rabbit_source sources[RABBIT_MOST_CHANNELS * 2];
    size_t source_count;
    struct arena arena; /* of the message at hand */
    uint64_t last_tag;  /* of the newest delivery that is not acknowledged */
    size_t unacked;
    bool browse, paused, stopped;
    bool at_end;          /* of a stream, as it stood at the start */
    bool was_paused;      /* since the last look at the taps */
    int64_t look_ns;      /* monotonic: the next look at them */
    int64_t follow_ns;    /* monotonic: the next look at their bindings, and whether the broker answers */
    int64_t looked, seen; /* messages and bytes taken since the last look */
    int64_t left;         /* until the limit */
    struct read_progress progress;
    /* LOOK: messages held until they all go back together */
    char queue[256];
    bool quorum;        /* taken by consumers of the look's own, else by basic.get */
    int consumers;      /* those of the look, so far */
    int64_t wanted;     /* messages that these may be given together */
    int64_t silent_ns;  /* monotonic: since when they were given none; 0: not silent */
    bool returned_last; /* the last one taken had been returned before */
    bool back;          /* all were handed over */
    int64_t missing;    /* of these the broker has not taken back yet */
    int64_t held, snapshot, away, delivery_limit;
    int64_t give_back_ns; /* monotonic */
    bool empty;           /* nothing was left */
    struct rabbit_looks looks;
    /* streams: browse ends behind this offset; INT64_MAX a tap */
    int64_t stream_end;
    int64_t
        silent_until_ns; /* monotonic: nothing by then, and it begins behind what is stored; INT64_MAX: it does not */
    /* firehose */
    bool tracing_switched;
    int tracing_mark; /* base/mark.h */
    struct guard tracing_guard;
    bool has_firehose;
    bool firehose_off; /* by somebody else */
};

/* Hands a message to the sink; heeds the answer. */
void rabbit_emit(struct rabbit_reader *r, const struct message *m);
enum err rabbit_finish(struct rabbit_reader *r, const char *format, ...) SB_PRINTF(2, 3);
/* Of the consumers that are started from now on. */
enum err rabbit_prefetch(struct broker *b, uint16_t messages, struct err_info *err) SB_MUST_USE;
/* Starts consuming a queue as the next source. arguments may be NULL. */
enum err rabbit_consume(struct broker *b, amqp_bytes_t queue, const amqp_table_t *arguments,
                        struct err_info *err) SB_MUST_USE;
/* The source that the next rabbit_consume starts; NULL over the limit. */
struct rabbit_source *rabbit_source_add(struct broker *b, const char *channel, enum channel_kind kind);

enum err rabbit_tap_open(struct broker *b, const struct channel_name *name,
                         const struct rabbit_channel *found, uint32_t flags,
                         struct err_info *err) SB_MUST_USE; /* rabbitmq_tap.c */
/* An exclusive, server-named, bounded queue; *queue is the caller's to free. */
enum err rabbit_tap_declare(struct broker *b, amqp_bytes_t *queue, struct err_info *err) SB_MUST_USE;
/* rabbit_consume of such a queue, which is watched from now on: see rabbit_tap_look and rabbit_bindings_follow. */
enum err rabbit_tap_consume(struct broker *b, amqp_bytes_t queue, bool by_list,
                            struct err_info *err) SB_MUST_USE;
/* While messages come, once a second and after each pause: says so where the broker drops from a tap's full queue. Asks the broker
 * once a tap. Called before deliveries are acknowledged, which would make room. */
enum err rabbit_tap_look(struct broker *b, struct err_info *err) SB_MUST_USE;

/* ---- rabbitmq_bindings.c ---- */
enum err rabbit_bind(struct broker *b, amqp_bytes_t queue, const char *exchange, amqp_bytes_t key,
                     const amqp_table_t *arguments, struct err_info *err) SB_MUST_USE;
/* Binds a tap's queue so that it gets what passes the exchange, or what comes to the queue by exchanges; *bound counts. */
enum err rabbit_bind_exchange(struct broker *b, amqp_bytes_t tap, const char *name, const char *type,
                              struct err_info *err) SB_MUST_USE;
enum err rabbit_bind_like_queue(struct broker *b, amqp_bytes_t tap, const char *name, int *bound,
                                struct err_info *err) SB_MUST_USE;
/* Every ten seconds, whether or not anything comes: whether the broker answers; what was deleted is said, and bound
 * again once it is back; a tap follows the bindings of its queue, or of its direct exchange. Asks the management API, and AMQP where
 * there is none. */
enum err rabbit_bindings_follow(struct broker *b, struct err_info *err) SB_MUST_USE;

/* rabbitmq_firehose.c: what passes the default exchange, all of it or what went to one queue (queue_name). */
enum err rabbit_firehose_open(struct broker *b, const struct channel_name *name, enum channel_kind kind,
                              const char *queue_name, struct err_info *err) SB_MUST_USE;
/* With the looks at bindings: somebody else may switch it off. */
void rabbit_firehose_follow(struct broker *b);
enum err rabbit_firehose_restore(struct broker *b, struct err_info *err) SB_MUST_USE;
/* False: not for this source. */
bool rabbit_firehose_message(const struct rabbit_source *s, struct message *m, struct arena *arena);

enum err rabbit_browse_open(struct broker *b, const struct channel_name *name,
                            const struct rabbit_channel *found, const struct read_request *request,
                            struct err_info *err) SB_MUST_USE; /* rabbitmq_browse.c */
/* Whether messages of that queue may be taken and returned, which counts, is waited for and written down (rabbit_looks_begin); found
 * becomes what there is then. ERR_REFUSED and ERR_UNSUPPORTED say why not. */
enum err rabbit_look_begin(struct broker *b, const char *name, struct rabbit_channel *found,
                           struct err_info *err) SB_MUST_USE;
enum err rabbit_browse_step(struct broker *b, struct err_info *err) SB_MUST_USE;
enum err rabbit_browse_close(struct broker *b, struct err_info *err) SB_MUST_USE;

/* ---- rabbitmq_take.c: messages out of a queue and back into it ---- */

#define RABBIT_HOLD_MOST 10000

/* What is still on its way back to the queue, from looks before, is waited for, for some seconds. Sets depth and consumers to what they
 * are now, unacked to what is away for all that. */
enum err rabbit_await(struct broker *b, const char *queue, struct rabbit_channel *found,
                      struct err_info *err) SB_MUST_USE;
/* Takes the next message; *taken: there was one at hand, which the caller frees. r->empty: nothing is left. */
enum err rabbit_take(struct broker *b, struct rabbit_delivery *d, bool *taken,
                     struct err_info *err) SB_MUST_USE;
/* What the broker had sent on that channel by then is read and left aside. The channel is not opened again. */
enum err rabbit_end_channel(struct broker *b, amqp_channel_t channel, int64_t until_ns,
                            struct err_info *err) SB_MUST_USE;
/* All that is held goes back in its order; waits until the broker has it. r->missing: how many are not back by then. */
enum err rabbit_give_back(struct broker *b, struct err_info *err) SB_MUST_USE;

/* ---- rabbitmq_looks.c ---- */
/* rabbit_looks_begin would refuse, now and later: nobody looks at this moment, who could write down a lower count. */
bool rabbit_looks_are_up(const struct broker *b, const char *queue, const struct rabbit_channel *found);
/* ERR_IO: no look can be written down. */
enum err rabbit_looks_check(const struct broker *b, struct err_info *err) SB_MUST_USE;
/* ERR_REFUSED: a message may be so near to the limit that looking would lose it. Else the look is written down: it counts, also if
 * this process is killed. ERR_IO: it cannot be. */
enum err rabbit_looks_begin(struct broker *b, const char *queue, const struct rabbit_channel *found,
                            struct err_info *err) SB_MUST_USE;
bool rabbit_looks_saw(struct rabbit_reader *r, int64_t count, bool redelivered); /* true: look no further */
int64_t rabbit_delivery_count(const struct message *m); /* how often it was returned, as far as it says so */
/* all: every message was got. back: the broker has taken all back. */
void rabbit_looks_end(struct broker *b, bool all, bool back);
/* Our last look into the queue did not end, or ended with messages still on their way back. */
bool rabbit_looks_cut_off(const struct broker *b, const char *queue);

/* ---- rabbitmq_stream.c ---- */

/* Offsets of a stream as it stood when the reading began; -1: it is empty, or that was not asked for. */
struct rabbit_ends {
    int64_t oldest, newest;
};
/* Of the streams among the channels of a request, as far as its start needs them. Before anything is consumed: it takes every
 * delivery for its own. */
enum err rabbit_stream_ends(struct broker *b, const struct read_request *request,
                            const struct rabbit_channel *found, struct rabbit_ends *ends,
                            struct err_info *err) SB_MUST_USE;
enum err rabbit_stream_open(struct broker *b, const struct read_request *request, size_t channel,
                            const struct rabbit_ends *ends, struct err_info *err) SB_MUST_USE;
/* A browse from a time on that nothing in the stream has reached: the broker waits for what comes next, and says so to nobody. */
bool rabbit_stream_is_past(const struct rabbit_reader *r);
/* Takes x-stream-offset out of the headers, into the position. */
void rabbit_stream_position(struct message *m);

#endif
