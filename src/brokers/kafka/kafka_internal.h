/* What the files of the Kafka driver share. Private to src/brokers/kafka/. */
#ifndef SIGNALBOX_BROKERS_KAFKA_INTERNAL_H
#define SIGNALBOX_BROKERS_KAFKA_INTERNAL_H

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "model/broker.h"

#include <librdkafka/rdkafka.h>

#define KAFKA_PORT 9092

/* The worst that the connection has said of itself. Worker thread only: the library reports it inside rd_kafka_poll. */
struct kafka_trouble {
    enum err code; /* ERR_OK: none */
    char text[256];
    const char *next;    /* static text; NULL: what its code suggests */
    bool decisive;       /* trying again cannot help: wrong password, wrong certificate */
    int64_t all_down_ns; /* monotonic: since when no broker answers; 0: some may */
};

struct kafka_read;
struct kafka_publish;

#define KAFKA_TRANSACTIONAL_ID 512

struct kafka_state {
    const char *source; /* the endpoint's name, for the log; any thread */
    bool mock;
    bool scram;
    bool certificate;    /* we show a client certificate */
    atomic_int event_fd; /* written by the library when a queue of ours gets something, and by interrupt */
    rd_kafka_t *rk;
    rd_kafka_t *groups; /* see kafka_group_handle; NULL until groups are asked for */
    int64_t batch_most; /* bytes, of a producer's batch; 0: as the library has it */
    char transactional_id[KAFKA_TRANSACTIONAL_ID]; /* of the producer; "" none */
    bool committed;                                /* what rk reads, and what it calls a partition's end */
    rd_kafka_queue_t *events;
    struct kafka_trouble trouble;
    struct kafka_read *read;
    struct kafka_publish *publish;
};

/* ---- kafka_options.c ---- */

/* A handle with this endpoint's options; NULL with *err (CONFIG names the option). Connects lazily. */
rd_kafka_t *kafka_handle_new(struct broker *b, rd_kafka_type_t type, bool committed, struct err_info *err);
/* One that may ask for what groups have committed; it is in none itself. */
rd_kafka_t *kafka_group_handle_new(struct broker *b, struct err_info *err);
void kafka_check_options(const struct endpoint *e, option_sink *sink, void *context);
bool kafka_is_mock(const struct endpoint *e);

/* ---- kafka_errors.c ---- */

enum err kafka_err(rd_kafka_resp_err_t e);
bool kafka_is_electing(rd_kafka_resp_err_t e);
/* Fills *err from a library's error: "WHAT: its text", with the endpoint and the next step. */
enum err kafka_fail(const struct broker *b, rd_kafka_resp_err_t e, const char *what, struct err_info *err);
/* Keeps what an error event says, the first decisive one longest. */
void kafka_trouble_note(struct kafka_state *s, rd_kafka_resp_err_t e, const char *reason);
enum err kafka_trouble_fail(const struct broker *b, struct err_info *err);
enum err kafka_lost(const struct broker *b, struct err_info *err); /* ERR_CLOSED: all brokers went away */

/* ---- kafka.c ---- */

/* Milliseconds left of b->deadline_ns, at least 1. */
int kafka_left_ms(const struct broker *b);
/* Waits for the library, interrupt or wake_fd. */
void kafka_wait(struct broker *b, int timeout_ms);
void kafka_drain(
    struct kafka_state *s); /* the descriptor: before looking at the queues, so that nothing is missed */
/* The queue writes the session's descriptor from now on; drop ends that before the descriptor can be another's. */
void kafka_queue_watch(struct kafka_state *s, rd_kafka_queue_t *queue);
void kafka_queue_drop(rd_kafka_queue_t **queue);

/* The next answer to what was asked with this queue: waits until the deadline, or a cancel. The caller destroys the event. */
enum err kafka_answer(struct broker *b, rd_kafka_queue_t *queue, const char *what, rd_kafka_event_t **event,
                      struct err_info *err) SB_MUST_USE;
/* Options of a question to the cluster, which ends by the deadline; the caller destroys them. */
rd_kafka_AdminOptions_t *kafka_admin_options(struct broker *b, rd_kafka_t *rk, rd_kafka_admin_op_t op);
/* Waits until the handle has had an answer, by the deadline; what its error events say ends it early. */
enum err kafka_wait_up(struct broker *b, rd_kafka_t *rk, struct err_info *err) SB_MUST_USE;
/* A handle's isolation decides where it sees a partition's end: at the last stable offset or at the high watermark. A
 * session opens committed, for reading; one that lists wants the watermark and changes its handle once. */
enum err kafka_isolate(struct broker *b, bool committed, struct err_info *err) SB_MUST_USE;

/* The session's handle for questions about groups, made with the first one. librdkafka 2.0.2 crashes where a coordinator refuses a
 * question about committed offsets (a broker that restarts: NOT_COORDINATOR), unless the handle has a group.id itself. */
rd_kafka_t *kafka_group_handle(struct broker *b, struct err_info *err);

/* ---- kafka_metadata.c ---- */

/* One topic's metadata, or all topics' for NULL. Never creates. The caller frees with rd_kafka_metadata_destroy. */
enum err kafka_metadata(struct broker *b, const char *topic, const struct rd_kafka_metadata **md,
                        struct err_info *err) SB_MUST_USE;
/* As above for one topic that must exist: ERR_NOTFOUND names the nearest. */
enum err kafka_topic_metadata(struct broker *b, const char *topic, const struct rd_kafka_metadata **md,
                              struct err_info *err) SB_MUST_USE;
/* Asks one kind of offset for every row of the list at once: OFFSET_BEGINNING, OFFSET_END, or milliseconds since 1970.
 * Each row's own err says what failed for it, also where that is all of them. Rows' offsets are overwritten. */
enum err kafka_offsets(struct broker *b, rd_kafka_t *rk, rd_kafka_topic_partition_list_t *rows, int64_t which,
                       struct err_info *err) SB_MUST_USE;
/* As above where the rows were in the metadata a moment ago: what a cluster answers while a new topic or leader spreads is waited
 * out for a second. */
enum err kafka_offsets_soon(struct broker *b, rd_kafka_t *rk, rd_kafka_topic_partition_list_t *rows,
                            int64_t which, struct err_info *err) SB_MUST_USE;
/* As above where all rows are wanted: it is waited out for some seconds. */
enum err kafka_offsets_settled(struct broker *b, rd_kafka_t *rk, rd_kafka_topic_partition_list_t *rows,
                               int64_t which, struct err_info *err) SB_MUST_USE;
/* The listing's note, unless there is one already: what is missing, why, and what to do. */
void kafka_list_lacks(struct channel_list *list, const char *what, const struct err_info *why);
/* The cluster's id. */
enum err kafka_cluster(struct broker *b, char *name, size_t size, struct err_info *err);
enum err kafka_list(struct broker *b, const char *pattern, uint32_t flags, struct channel_list *list,
                    struct err_info *err) SB_MUST_USE;
enum err kafka_ping(struct broker *b, struct sample *sample, struct err_info *err);

/* ---- kafka_headers.c ---- */

/* The message's headers as Kafka's, the caller's to destroy; NULL: it has none. */
enum err kafka_headers_of(const struct message *m, rd_kafka_headers_t **out,
                          struct err_info *err) SB_MUST_USE;

/* ---- kafka_topic.c ---- */

/* One of the topic's settings; false: not told (it may be denied). Waits for the cluster as kafka_answer does. */
bool kafka_topic_setting(struct broker *b, const char *topic, const char *name, char *into, size_t size);
int64_t kafka_topic_number(struct broker *b, const char *topic, const char *name); /* -1: not told */
bool kafka_topic_is_kafkas(const char *topic); /* of those whose messages the brokers write alone */

/* ---- kafka_truncate.c ---- */

#define KAFKA_COMPACTED \
 "the topic is compacted: Kafka removes no prefix of it, only keys, with a null payload (a tombstone) for each"
#define KAFKA_NO_REMOVE "Kafka removes no single message, only a prefix of each partition"

/* An upper bound: markers of transactions, and what compaction took, count. unacked: COUNT_UNKNOWN. Not while the session reads or
 * publishes: what an open transaction holds back does not count then. */
enum err kafka_count(struct broker *b, const struct channel_name *channel, int64_t *ready, int64_t *unacked,
                     struct err_info *err) SB_MUST_USE;
/* Up to the places, each partition for itself; NULL: all that is there, open transactions included. *removed is an upper bound as
 * above, and also right of what went where an error says that something stayed. */
enum err kafka_truncate(struct broker *b, const struct channel_name *channel, const struct read_places *up_to,
                        int64_t *removed, struct err_info *err) SB_MUST_USE;

/* ---- kafka_read.c, kafka_start.c ---- */

enum err kafka_read_open(struct broker *b, const struct read_request *request, const struct read_sink *sink,
                         struct err_info *err) SB_MUST_USE;
enum err kafka_read_step(struct broker *b, int timeout_ms, struct err_info *err) SB_MUST_USE;
void kafka_read_pause(struct broker *b, bool pause);
void kafka_read_progress(struct broker *b, struct read_progress *progress);
void kafka_read_places(struct broker *b, struct read_places *places);
enum err kafka_read_close(struct broker *b, struct err_info *err); /* ERR_OK: it leaves no trace */

/* ---- kafka_publish.c ---- */

enum err kafka_publish_open(struct broker *b, const struct publish_request *request,
                            const struct publish_sink *sink, struct err_info *err) SB_MUST_USE;
enum err kafka_publish_message(struct broker *b, size_t to, const struct message *m, uint64_t token,
                               struct err_info *err) SB_MUST_USE;
enum err kafka_publish_step(struct broker *b, int timeout_ms, size_t *pending,
                            struct err_info *err) SB_MUST_USE;
void kafka_publish_close(struct broker *b);
/* The library's delivery report: called inside rd_kafka_poll of the producing handle. */
void kafka_publish_delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque);

/* ---- kafka_transaction.c, kafka_progress.c ---- */

/* A claim is a transactional id, `signalbox-CLAIM`, and what was committed the offsets of a group of that name; with a fence that is the
 * transactional id, `signalbox-FENCE`. With `transaction` the engine commits; without it the driver does, and outcomes are reported when
 * that has happened. An earlier session of the claim is told ERR_REFUSED, which nobody tries again: two would take it from each other for
 * ever. A commit has the session's deadline, and ten seconds at least. */
enum err kafka_commit(struct broker *b, const struct commit *commit, struct err_info *err) SB_MUST_USE;
/* ERR_BUSY: a transaction of that claim is still open, or ending; a new claim ends it. */
enum err kafka_committed(struct broker *b, const struct commit *of, struct read_place *places, char *note,
                         size_t size, struct err_info *err) SB_MUST_USE;
enum err kafka_forget(struct broker *b, const char *claim, struct err_info *err) SB_MUST_USE;

/* ---- kafka_groups.c ---- */

#define KAFKA_LISTED_GROUPS 100 /* a listing asks for the offsets of so many, a request each */

/* What lies between the first offset and the last: one row a partition that has a leader, alike in both, topics in the list's order.
 * NULL: not known. */
struct kafka_bounds {
    rd_kafka_topic_partition_list_t *low, *high;
};
/* Fills groups and lag of the channels, and with detail the list's own groups; where that fails the list's note says so. */
void kafka_groups_annotate(struct broker *b, struct channel_list *list, const struct kafka_bounds *bounds,
                           bool detail);
enum err kafka_groups(struct broker *b, const char *pattern, group_sink *sink, void *context,
                      struct err_info *err) SB_MUST_USE;

#endif
