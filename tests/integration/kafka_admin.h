/* What an administrator does to topics while they are read, by the library's own admin API. */
#ifndef TESTS_INTEGRATION_KAFKA_ADMIN_H
#define TESTS_INTEGRATION_KAFKA_ADMIN_H

#include "tests/integration/kafka_session.h"

#include <librdkafka/rdkafka.h>

struct admin {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    char error[256];
};

static inline struct admin admin_open(void)
{
    struct admin a = {0};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", lab_need("SB_KAFKA"), a.error, sizeof a.error);
    a.rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, a.error, sizeof a.error);
    a.queue = rd_kafka_queue_new(a.rk);
    return a;
}

/* Waits for the answer to what was asked. */
static inline void admin_close(struct admin *a)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(a->queue, 10000);
    assert_non_null(event);
    if (rd_kafka_event_error(event))
        fail_msg("%s", rd_kafka_event_error_string(event));
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(a->queue);
    rd_kafka_destroy(a->rk);
}

/* As the brokers tell; 0 where there is none. Asked for all topics: a question for one would make it, as brokers are
 * set up by default. */
static inline int topic_partitions(const char *name)
{
    struct admin a = admin_open();
    const struct rd_kafka_metadata *md;
    int partitions = 0;
    assert_int_equal(rd_kafka_metadata(a.rk, 1, NULL, &md, 10000), 0);
    for (int i = 0; i < md->topic_cnt; i++)
        if (strcmp(md->topics[i].topic, name) == 0)
            partitions = md->topics[i].partition_cnt;
    rd_kafka_metadata_destroy(md);
    rd_kafka_queue_destroy(a.queue);
    rd_kafka_destroy(a.rk);
    return partitions;
}

/* The controller answers before its brokers have heard: whoever asks one of them at once may be told of the state before. */
static inline void await_partitions(const char *name, int partitions)
{
    int64_t deadline = clock_mono_ns() + 15 * NS_PER_S;
    while (topic_partitions(name) != partitions)
        if (clock_mono_ns() > deadline)
            fail_msg("topic %s should have %d partitions, and no broker knows it", name, partitions);
}

/* One partition, and a setting of its own. */
static inline void make_topic_with(const char *name, const char *setting, const char *value)
{
    struct admin a = admin_open();
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, 1, 1, a.error, sizeof a.error);
    rd_kafka_NewTopic_set_config(topic, setting, value);
    rd_kafka_CreateTopics(a.rk, &topic, 1, NULL, a.queue);
    admin_close(&a);
    rd_kafka_NewTopic_destroy(topic);
    await_partitions(name, 1);
}

/* With several partitions: the driver itself makes topics as the broker's defaults say. */
static inline void make_topic(const char *name, int partitions)
{
    struct admin a = admin_open();
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, 1, a.error, sizeof a.error);
    rd_kafka_CreateTopics(a.rk, &topic, 1, NULL, a.queue);
    admin_close(&a);
    rd_kafka_NewTopic_destroy(topic);
    await_partitions(name, partitions);
}

static inline void add_partitions(const char *name, size_t partitions)
{
    struct admin a = admin_open();
    rd_kafka_NewPartitions_t *more = rd_kafka_NewPartitions_new(name, partitions, a.error, sizeof a.error);
    rd_kafka_CreatePartitions(a.rk, &more, 1, NULL, a.queue);
    admin_close(&a);
    rd_kafka_NewPartitions_destroy(more);
    await_partitions(name, (int)partitions);
}

static inline void delete_topic(const char *name)
{
    struct admin a = admin_open();
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(name);
    rd_kafka_DeleteTopics(a.rk, &topic, 1, NULL, a.queue);
    admin_close(&a);
    rd_kafka_DeleteTopic_destroy(topic);
    await_partitions(name, 0);
}

/* As retention does: what lies before the offset is gone. */
static inline void delete_records(const char *name, int32_t partition, int64_t before)
{
    struct admin a = admin_open();
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, name, partition)->offset = before;
    rd_kafka_DeleteRecords_t *records = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(a.rk, &records, 1, NULL, a.queue);
    admin_close(&a);
    rd_kafka_DeleteRecords_destroy(records);
    rd_kafka_topic_partition_list_destroy(list);
}

#endif
