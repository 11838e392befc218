/* librdkafka's in-process mock cluster: a real Kafka protocol server on loopback, for the demo. Floor 3.
 * It serves metadata, produce, fetch and watermarks; no groups, no administration. */
#ifndef SIGNALBOX_BROKERS_KAFKA_MOCK_H
#define SIGNALBOX_BROKERS_KAFKA_MOCK_H

#include "base/err.h"

struct kafka_mock;

struct kafka_mock *kafka_mock_start(struct err_info *err);    /* NULL with *err */
const char *kafka_mock_bootstrap(const struct kafka_mock *m); /* "127.0.0.1:PORT", lives as long as m */
enum err kafka_mock_topic(struct kafka_mock *m, const char *name, int partitions,
                          struct err_info *err) SB_MUST_USE;
void kafka_mock_stop(struct kafka_mock **m);

#endif
