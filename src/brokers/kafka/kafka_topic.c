/* A topic's own settings, as its cluster tells them. */
#include "brokers/kafka/kafka_internal.h"

bool kafka_topic_is_kafkas(const char *topic)
{
    return strcmp(topic, "__consumer_offsets") == 0 || strcmp(topic, "__transaction_state") == 0 ||
           strcmp(topic, "__share_group_state") == 0;
}

static bool value_of(const rd_kafka_ConfigResource_t *topic, const char *name, char *into, size_t size)
{
    size_t count = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(topic, &count);
    for (size_t i = 0; i < count; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) != 0 || !value)
            continue;
        text_copy(into, size, value);
        return true;
    }
    return false;
}

static bool answer_of(rd_kafka_event_t *event, const char *name, char *into, size_t size)
{
    size_t count = 0;
    const rd_kafka_DescribeConfigs_result_t *result =
        !rd_kafka_event_error(event) ? rd_kafka_event_DescribeConfigs_result(event) : NULL;
    const rd_kafka_ConfigResource_t **topics =
        result ? rd_kafka_DescribeConfigs_result_resources(result, &count) : NULL;
    return count && !rd_kafka_ConfigResource_error(topics[0]) && value_of(topics[0], name, into, size);
}

bool kafka_topic_setting(struct broker *b, const char *topic, const char *name, char *into, size_t size)
{
    const struct kafka_state *s = b->state;
    if (s->mock)
        return false;
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_AdminOptions_t *options = kafka_admin_options(b, s->rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(s->rk);
    rd_kafka_DescribeConfigs(s->rk, &resource, 1, options, queue);
    rd_kafka_event_t *event;
    bool told =
        !kafka_answer(b, queue, "the topic's settings", &event, NULL) && answer_of(event, name, into, size);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);
    return told;
}

int64_t kafka_topic_number(struct broker *b, const char *topic, const char *name)
{
    char text[32];
    int64_t number;
    return kafka_topic_setting(b, topic, name, text, sizeof text) && text_int64(text, &number) ? number : -1;
}
