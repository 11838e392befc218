/* Reading, shared by kafka_read.c (steps), kafka_start.c (where to begin) and kafka_merge.c (the first or last N by time). Private
 * to src/brokers/kafka/. */
#ifndef SIGNALBOX_BROKERS_KAFKA_READER_H
#define SIGNALBOX_BROKERS_KAFKA_READER_H

#include "brokers/kafka/kafka_internal.h"

#define KAFKA_BATCH  1000
#define KAFKA_TOPICS 64

#define KAFKA_LOOK_EVERY_NS (10 * NS_PER_S)
#define KAFKA_LOOKS_GONE    2 /* so many in a row that do not find a topic mean that it was deleted */

struct kafka_partition {
    int32_t id;
    bool wanted;      /* asked for, and it has a leader */
    bool started;     /* with the library */
    bool done;        /* nothing more wanted of it in this phase */
    int64_t low, end; /* as they stood at read_open */
    int64_t from, to; /* of this phase: [from, to); to is INT64_MAX for a tap */
    int64_t next;     /* of a tap that flows: behind the last message handed over */
    int64_t seen;     /* messages in this phase */
    int64_t high;     /* kafka_held.c: the watermark that was told last */
    int64_t held;     /* where it was seen to stand before an open transaction; -1 */
    bool held_said;
    int64_t oldest_ns, newest_ns;
    struct header properties[3]; /* what messages borrow: partition, timestamp_type, timestamp_ms */
};

struct kafka_topic {
    rd_kafka_topic_t *handle;
    const struct origin *origin;
    struct kafka_partition *partitions; /* index is the id */
    int32_t count;
    int missed; /* looks in a row that did not find it */
    bool gone;  /* it was deleted, and the tail waits for it */
};

struct kafka_merge;
struct kafka_marks;

enum kafka_phase { KAFKA_COLLECT, KAFKA_REPLAY, KAFKA_FLOW };

struct kafka_read {
    rd_kafka_t *rk; /* the session's, or one of its own that sees uncommitted messages */
    rd_kafka_queue_t *own_events;
    rd_kafka_queue_t *queue;
    struct kafka_topic topics[KAFKA_TOPICS];
    size_t topic_count, hit; /* hit: the topic of the last message */
    struct read_sink sink;
    struct read_progress progress;
    enum kafka_phase phase;
    struct kafka_merge *merge; /* until what it holds was handed over */
    struct kafka_marks *marks;
    bool browse, paused, stopped;
    bool tells_held;  /* see READ_HELD */
    bool bare;        /* without headers */
    int64_t since_ns; /* what was stored at read_open and is older is passed over; TIME_NONE: nothing is */
    int64_t passed;   /* so many were, and were not told of yet */
    bool resumed;     /* it goes on: what holds for all of it was said at its first opening */
    bool blocked;     /* the next message of the batch waits for the committed reader */
    int32_t only;     /* the one partition that was asked for; -1: all */
    int64_t look_ns;  /* monotonic: when kafka_watch looks again */
    int unanswered;   /* its looks in a row that nobody answered */
    int64_t look_scanned; /* messages that had come by the last of them */
    int64_t opened_ns;
    int64_t left;                             /* until the limit; INT64_MAX none */
    int64_t open;                             /* partitions that aren't done */
    size_t at, count;                         /* of the batch: what was not handed over yet */
    rd_kafka_topic_partition_list_t *leaders; /* one partition of each leading broker, for kafka_nudge */
    size_t since_nudge;                       /* bytes taken */
    int64_t received_ns;
    rd_kafka_message_t *batch[KAFKA_BATCH];
    struct header *headers;
    size_t header_cap;
};

/* ---- kafka_start.c ---- */
enum err kafka_start_resolve(struct broker *b, struct kafka_read *r, const struct read_request *request,
                             struct err_info *err) SB_MUST_USE;
/* Starts every wanted partition at its `from`; stops them all. */
enum err kafka_start_all(struct broker *b, struct kafka_read *r, struct err_info *err) SB_MUST_USE;
void kafka_stop_all(struct kafka_read *r);
void kafka_stop_one(struct kafka_topic *t, struct kafka_partition *p);
/* A broker thread of the library (2.0.2) that found our queue full looks again after up to a second, whatever we have
 * taken meanwhile; anything to send wakes it. So it gets a small question whose answer nobody waits for. */
void kafka_nudge(const struct broker *b, struct kafka_read *r);

/* The library found that a partition no longer has the offset that it was to go on from. A tail then ends with ERR_CHANGED; what
 * ends by itself goes on with what is left. */
enum err kafka_start_over(struct broker *b, struct kafka_read *r, struct kafka_topic *t,
                          struct kafka_partition *p, struct err_info *err) SB_MUST_USE;

/* ---- kafka_watch.c ---- */
/* Whether the topics still are what they were; every ten seconds a question to the cluster, for which it waits a second at
 * most. ERR_CHANGED: a tail must begin again at its places. ERR_NOTFOUND: what was browsed is gone. ERR_TIMEOUT: the cluster has
 * not answered several times. */
enum err kafka_watch(struct broker *b, struct kafka_read *r, struct err_info *err) SB_MUST_USE;

/* ---- kafka_held.c ---- */
/* Says where an open transaction holds messages back: at the end of a browse, and where a tail has stood for two looks. Waits a
 * second at most for the cluster, four where nothing at all was to be read. */
void kafka_held_look(struct broker *b, struct kafka_read *r);
/* Until nothing of what the partitions hold at this moment is held back. Overwrites the rows' offsets. ERR_BUSY: it still is at the
 * deadline. */
enum err kafka_held_await(struct broker *b, const struct kafka_read *r, rd_kafka_topic_partition_list_t *rows,
                          struct err_info *err) SB_MUST_USE;

/* ---- kafka_read.c ---- */
/* Tells of what was passed over because it is older than the time that was asked for. */
void kafka_say_passed(struct kafka_read *r);
/* Turns the library's message into a borrowed one; the pointers live as long as m. */
void kafka_message_fill(struct kafka_read *r, struct kafka_topic *t, const rd_kafka_message_t *m,
                        struct message *out);

/* ---- kafka_marks.c: only while uncommitted messages are read ---- */
enum kafka_mark { KAFKA_MARK_WAIT, KAFKA_MARK_COMMITTED, KAFKA_MARK_UNCOMMITTED };
enum err kafka_marks_open(struct broker *b, struct kafka_read *r, struct err_info *err) SB_MUST_USE;
void kafka_marks_close(struct kafka_read *r);
/* The committed reader begins where the other one does; start and stop go together. */
enum err kafka_marks_start(struct broker *b, struct kafka_read *r, struct err_info *err) SB_MUST_USE;
void kafka_marks_stop(struct kafka_read *r);
/* Takes what the committed reader has got, without waiting. */
enum err kafka_marks_pump(struct broker *b, struct kafka_read *r, struct err_info *err) SB_MUST_USE;
void kafka_marks_new_batch(struct kafka_read *r);
/* WAIT: the committed reader is on its way there; the session's descriptor tells when to ask again. */
enum err kafka_marks_decide(struct broker *b, struct kafka_read *r, const struct kafka_topic *t,
                            const rd_kafka_message_t *m, enum kafka_mark *mark,
                            struct err_info *err) SB_MUST_USE;

/* ---- kafka_merge.c ---- */
struct kafka_merge *kafka_merge_last(int64_t want, struct err_info *err);
struct kafka_merge *kafka_merge_first(int64_t want, struct err_info *err);
void kafka_merge_free(struct kafka_merge **merge);
bool kafka_merge_is_first(const struct kafka_merge *g);
/* Whether m, the partition's newest, belongs among them as far as is known. Where the first N don't want it, they want nothing
 * of what follows it in its partition either. */
bool kafka_merge_wants(const struct kafka_merge *g, const struct kafka_partition *p, const struct message *m);
enum err kafka_merge_take(struct kafka_merge *g, const struct kafka_partition *p,
                          const struct message *borrowed, struct err_info *err) SB_MUST_USE;
/* After a round: true where older messages must be read first; the partitions' from and to are then set. */
bool kafka_merge_reach_back(struct kafka_merge *g, struct kafka_read *r);
void kafka_merge_sort(struct kafka_merge *g);
/* The next one in order of time, NULL after the newest. Valid until the next call. */
const struct message *kafka_merge_next(struct kafka_merge *g);
/* True where the messages took too much memory: the partitions' from and to are then set to where they begin. */
bool kafka_merge_places(const struct kafka_merge *g, struct kafka_read *r);

#endif
