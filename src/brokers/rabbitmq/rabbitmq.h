/* RabbitMQ over AMQP 0-9-1 (rabbitmq-c) and its management API. Floor 3; this folder is the one door to rabbitmq-c.
 *
 * Taps are exclusive, server-named queues that the broker removes with the connection, so that nothing stays behind, kill -9
 * included. Looking into a queue gets messages and returns them all: they are marked redelivered (MARKS). A message has no key: the
 * routing key is a property.
 *
 * Publishing and removing are never one step: AMQP's transactions (tx) are of one channel, are atomic within one queue at most, and
 * quorum queues have none, so there is no commit. What is removed from a classic queue comes back where the broker itself is killed
 * before that queue was idle for a second or so (seen: 1,341 of 1,341); from a quorum queue it does not. */
#ifndef SIGNALBOX_BROKERS_RABBITMQ_H
#define SIGNALBOX_BROKERS_RABBITMQ_H

#include "model/broker.h"

extern const struct broker_ops rabbitmq_broker;

#endif
