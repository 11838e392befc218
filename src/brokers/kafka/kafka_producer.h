/* Producing, shared by kafka_publish.c (messages and outcomes), kafka_destination.c (the topics they go to) and
 * kafka_transaction.c (claims). Private to src/brokers/kafka/. */
#ifndef SIGNALBOX_BROKERS_KAFKA_PRODUCER_H
#define SIGNALBOX_BROKERS_KAFKA_PRODUCER_H

#include "brokers/kafka/kafka_internal.h"

#define KAFKA_DESTINATIONS  64
#define KAFKA_BATCH_DEFAULT 1000000 /* bytes that the library puts into a batch at most */
#define KAFKA_CLAIM         200     /* characters */
#define KAFKA_OURS          "signalbox-"

struct kafka_destination {
    char topic[256];
    rd_kafka_topic_t *handle; /* its opaque is this destination; NULL: nothing is sent */
    int32_t partitions;
    int64_t message_most; /* bytes that the topic takes at once; -1: not known */
    uint32_t flags;
    bool compacted;   /* it takes no message without a key */
    bool alike;       /* it has as many partitions as the request says */
    bool narrow;      /* it takes less than the library's batches may have */
    size_t pending;   /* without an outcome */
    size_t weight;    /* narrow: bytes that a batch may have by now, since none was pending */
    size_t misplaced; /* messages whose own partition is not there */
};

/* An outcome that is not told before its transaction has ended. */
struct kafka_kept {
    uint64_t token;
    enum outcome outcome;
    struct position position;
};

/* Of a session with a claim. The library takes messages only within a transaction then, so that the driver ends those that the
 * engine did not ask for by itself: as soon as nothing is pending, or so many messages are in it. */
struct kafka_transaction {
    bool claimed, automatic;
    char claim[KAFKA_CLAIM + 1];
    const char *name; /* what another session may take over: the fence, else the claim */
    bool open;
    bool ending;  /* its commit was asked for: what becomes of it is the cluster's to say */
    bool dropped; /* it will never be committed */
    int64_t begun_ns;
    size_t count;           /* messages in it */
    struct err_info failed; /* why a message of it did not arrive: it cannot be committed */
    bool failed_for_cause;
    struct kafka_kept *kept;
    size_t kept_count;
    int64_t notes; /* the number of the last note; -1: not looked up yet */
};

struct kafka_publish {
    rd_kafka_t *rk; /* NULL: nothing is sent */
    struct kafka_transaction transaction;
    rd_kafka_queue_t *events;
    struct kafka_destination destinations[KAFKA_DESTINATIONS];
    size_t count;
    bool dry;
    struct publish_sink sink;
    size_t pending, pending_bytes;
};

/* ---- kafka_publish.c ---- */
void kafka_publish_say(const struct kafka_publish *p, const char *format, ...) SB_PRINTF(2, 3);

/* ---- kafka_destination.c ---- */
/* Looks the topic up, or makes it, as the request says; learns what it takes. Fills d. */
enum err kafka_destination_find(struct broker *b, const struct kafka_publish *p, struct kafka_destination *d,
                                const struct publish_request *request, struct err_info *err) SB_MUST_USE;
/* Makes it known to the producing handle. d stays where it is until the handle is destroyed. */
enum err kafka_destination_bind(struct broker *b, const struct kafka_publish *p, struct kafka_destination *d,
                                struct err_info *err) SB_MUST_USE;
bool kafka_destination_lacks(const struct kafka_destination *d, const struct message *m); /* its partition */
enum err kafka_destination_no_partition(const struct broker *b, const struct kafka_destination *d,
                                        int32_t partition, struct err_info *err);

/* ---- kafka_transaction.c ---- */
/* Before the handle is made: names it. */
enum err kafka_claim_name(struct broker *b, struct kafka_publish *p, const struct publish_request *request,
                          struct err_info *err) SB_MUST_USE;
/* Cuts earlier sessions of that claim off, and waits until what they had open is aborted. Nothing to do without a claim. */
enum err kafka_claim(struct broker *b, struct kafka_publish *p, struct err_info *err) SB_MUST_USE;
/* ERR_BUSY: the one that is open takes no more. */
enum err kafka_transaction_begin(struct broker *b, struct kafka_publish *p, struct err_info *err) SB_MUST_USE;
/* Is that error of a message one of its session? Nothing of the transaction that is open is ever committed then. */
bool kafka_transaction_is_over(const struct kafka_publish *p, rd_kafka_resp_err_t e);
/* Of a message of the one that is open. True: its outcome is kept. */
bool kafka_transaction_outcome(struct kafka_publish *p, struct publish_outcome *o);
/* The library took no message: says why, and aborts what can be aborted. */
enum err kafka_transaction_refused(struct broker *b, struct kafka_publish *p, rd_kafka_resp_err_t e,
                                   struct err_info *err);
/* Ends one that the driver is to end; finds out that another session has the claim. */
enum err kafka_transaction_serve(struct broker *b, struct kafka_publish *p, struct err_info *err) SB_MUST_USE;
/* The session ends: aborts what is open. Reports may come until close. */
void kafka_transaction_drop(struct broker *b, struct kafka_publish *p);
void kafka_transaction_close(struct kafka_publish *p); /* tells what was kept, after the last report */

/* ---- kafka_progress.c ---- */
/* The rows that a commit sends along, the caller's to destroy; none where it says nothing. */
enum err kafka_progress_rows(struct broker *b, struct kafka_publish *p, const struct commit *commit,
                             rd_kafka_topic_partition_list_t **rows, struct err_info *err) SB_MUST_USE;
void kafka_group_of_claim(const char *claim, char *into, size_t size); /* `signalbox-CLAIM` */

#endif
