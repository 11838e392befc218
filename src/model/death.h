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

#endif
