/* RabbitMQ over AMQP 0-9-1 (rabbitmq-c) and its management API. Floor 3; this folder is the one door to rabbitmq-c.
 *
 * Taps are exclusive, server-named queues that the broker removes with the connection, so that nothing stays behind, kill -9
 * included. Looking into a queue gets messages and returns them all in one nack: they are marked redelivered (MARKS). A
 * message has no key: the routing key is a property. */
#ifndef SIGNALBOX_BROKERS_RABBITMQ_H
#define SIGNALBOX_BROKERS_RABBITMQ_H

#include "model/broker.h"

extern const struct broker_ops rabbitmq_broker;

#endif
