/* Why a message became a dead letter: what brokers and frameworks left in its headers. Floor 1. Any thread. */
#ifndef SIGNALBOX_MODEL_DEATH_H
#define SIGNALBOX_MODEL_DEATH_H

#include "model/message.h"

/* Visits every reason, newest first where there is an order, until visit returns false. RabbitMQ's x-death and what Spring Kafka,
 * Kafka Connect and others write. */
typedef bool death_visit(void *context, const struct value *reason);
void death_reasons(struct headers headers, death_visit *visit, void *context);
/* "rejected from orders, 3 times; expired from orders.retry"; returns into, "" where no header tells of a death. */
char *death_tell(struct headers headers, char *into, size_t size);

/* Why it died, of the last time: slices of its headers, null where none tells. */
struct death_why {
    struct bytes reason; /* "rejected", or the name of an exception without its package */
    struct bytes detail; /* what the exception said: its first line */
};
void death_why(struct headers headers, struct death_why *why);
int64_t death_time(struct headers headers); /* ns since 1970; TIME_NONE where the broker did not write it */

/* Where a dead letter came from, as its headers tell: slices of them. */
struct death_origin {
    enum channel_kind kind; /* ANY: a name alone */
    struct bytes channel;   /* the queue or topic it died in */
    struct bytes
        exchange; /* RabbitMQ: what it was first published to, null where that is not known; "" the default one */
    struct bytes routing_key; /* with which key then; null: not known */
    int32_t partition;        /* Kafka; -1: not known */
};
/* also: names of further headers that hold a channel, NULL-terminated; NULL: none. False: none of them tells. Where a RabbitMQ message
 * died several times it is the last time that counts: that queue's consumers have not dealt with it. */
bool death_origin(struct headers headers, const char *const *also, struct death_origin *origin);
/* What RabbitMQ writes of deaths, NULL-terminated: up to 3.13 it takes what stands there for its own, and drops a later dead letter as one
 * that goes round in a circle, without a word (https://www.rabbitmq.com/docs/dlx#cycles). */
extern const char *const death_headers[];

#endif
