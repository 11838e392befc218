/* A topic's own settings, as its cluster tells them. */
#include "brokers/kafka/kafka_internal.h"

#include <stdio.h>

static int64_t number_of(const rd_kafka_ConfigResource_t *topic, const char *name)
{
    size_t count = 0;
    int64_t number;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(topic, &count);
    for (size_t i = 0; i < count; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        if (!strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) && value && text_int64(value, &number))
            return number;
    }
    return -1;
}

static int64_t answer_of(rd_kafka_event_t *event, const char *name)
{
    size_t count = 0;
    const rd_kafka_DescribeConfigs_result_t *result =
        !rd_kafka_event_error(event) ? rd_kafka_event_DescribeConfigs_result(event) : NULL;
    const rd_kafka_ConfigResource_t **topics =
        result ? rd_kafka_DescribeConfigs_result_resources(result, &count) : NULL;
    return count && !rd_kafka_ConfigResource_error(topics[0]) ? number_of(topics[0], name) : -1;
}

int64_t kafka_topic_number(struct broker *b, const char *topic, const char *name)
{
    const struct kafka_state *s = b->state;
    if (s->mock)
        return -1;
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_AdminOptions_t *options = kafka_admin_options(b, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(s->rk);
    rd_kafka_DescribeConfigs(s->rk, &resource, 1, options, queue);
    rd_kafka_event_t *event;
    int64_t number =
        kafka_answer(b, queue, "the topic's settings", &event, NULL) ? -1 : answer_of(event, name);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);
    return number;
}
