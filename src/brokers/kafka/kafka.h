/* The Kafka driver, over librdkafka. Floor 3. Reading has no effect: the simple consumer joins no group, commits nothing,
 * and names are looked up without creating topics. The endpoint option `signalbox.mock` (`yes`) says that the peer is
 * librdkafka's mock cluster: then only metadata, watermarks, reading and producing are asked for. */
#ifndef SIGNALBOX_BROKERS_KAFKA_H
#define SIGNALBOX_BROKERS_KAFKA_H

#include "model/broker.h"

extern const struct broker_ops kafka_broker;

#endif
