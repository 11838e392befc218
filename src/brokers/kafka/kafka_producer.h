/* Producing, shared by kafka_publish.c (messages and outcomes) and kafka_destination.c (the topics they go to). Private to
 * src/brokers/kafka/. */
#ifndef SIGNALBOX_BROKERS_KAFKA_PRODUCER_H
#define SIGNALBOX_BROKERS_KAFKA_PRODUCER_H

#include "brokers/kafka/kafka_internal.h"

#define KAFKA_DESTINATIONS  64
#define KAFKA_BATCH_DEFAULT 1000000 /* bytes that the library puts into a batch at most */

struct kafka_destination {
    char topic[256];
    rd_kafka_topic_t *handle; /* its opaque is this destination; NULL: nothing is sent */
    int32_t partitions;
    int64_t message_most; /* bytes that the topic takes at once; -1: not known */
    uint32_t flags;
    bool alike;       /* it has as many partitions as the request says */
    bool narrow;      /* it takes less than the library's batches may have */
    size_t pending;   /* without an outcome */
    size_t weight;    /* narrow: bytes that a batch may have by now, since none was pending */
    size_t misplaced; /* messages whose own partition is not there */
};

struct kafka_publish {
    rd_kafka_t *rk; /* NULL: nothing is sent */
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

#endif
