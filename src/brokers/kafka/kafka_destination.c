/* The topics that a producing session sends to: found or made, and what they take. */
#include "brokers/kafka/kafka_producer.h"

#define CREATED_POLL_MS  50
#define EXISTING_RETRIES 200

static enum err created(struct broker *b, rd_kafka_event_t *event, const char *name, struct err_info *err)
{
    size_t n = 0;
    const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
    const rd_kafka_topic_result_t **topics = result ? rd_kafka_CreateTopics_result_topics(result, &n) : NULL;
    if (rd_kafka_event_error(event))
        return kafka_fail(b, rd_kafka_event_error(event), "creating the topic", err);
    rd_kafka_resp_err_t e = n ? rd_kafka_topic_result_error(topics[0]) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!e || e == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return ERR_OK;
    return kafka_fail(b, e, name, err);
}

/* 0 partitions: the broker's default, as for the replicas. Dry: the broker only says whether it would. */
static enum err create(struct broker *b, const struct kafka_destination *d, int32_t partitions,
                       struct err_info *err)
{
    struct kafka_state *s = b->state;
    char text[200];
    if (s->mock)
        return err_set(err, ERR_UNSUPPORTED, "the mock cluster answers no administration");
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(d->topic, partitions ? partitions : -1, -1, text, sizeof text);
    if (!topic)
        return err_set(err, ERR_USAGE, "topic %s: %s", d->topic, text);
    rd_kafka_AdminOptions_t *options = kafka_admin_options(b, s->rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    (void)rd_kafka_AdminOptions_set_operation_timeout(options, kafka_left_ms(b), text, sizeof text);
    (void)rd_kafka_AdminOptions_set_validate_only(options, (d->flags & PUBLISH_DRY) != 0, text, sizeof text);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(s->rk);
    rd_kafka_CreateTopics(s->rk, &topic, 1, options, queue);
    rd_kafka_event_t *event;
    enum err e = kafka_answer(b, queue, "creating the topic", &event, err);
    if (!e)
        e = created(b, event, d->topic, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy(topic);
    return e;
}

/* The controller said yes; the broker that is asked next may hear of it a moment later. */
static enum err await(struct broker *b, const struct kafka_publish *p, struct kafka_destination *d,
                      struct err_info *err)
{
    const struct rd_kafka_metadata *md = NULL;
    enum err e = ERR_NOTFOUND;
    for (int i = 0; i < EXISTING_RETRIES; i++) {
        e = kafka_topic_metadata(b, d->topic, &md, err);
        if ((e != ERR_NOTFOUND && e != ERR_UNREACHABLE) || clock_mono_ns() >= b->deadline_ns ||
            atomic_load(b->cancelled))
            break;
        kafka_wait(b, CREATED_POLL_MS);
    }
    if (e == ERR_NOTFOUND)
        return err_set(err, ERR_TIMEOUT, "topic %s was created, but is not seen yet", d->topic);
    if (e)
        return e;
    d->partitions = md->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(md);
    kafka_publish_say(p, "topic %s was made with %d partition%s", d->topic, d->partitions,
                      d->partitions == 1 ? "" : "s");
    return ERR_OK;
}

static enum err make(struct broker *b, const struct kafka_publish *p, struct kafka_destination *d,
                     int32_t partitions, struct err_info *err)
{
    if (partitions > LIMIT_PARTITIONS) {
        err_set(err, ERR_LIMIT, "topic %s would need %d partitions; at most %d are made in passing", d->topic,
                partitions, LIMIT_PARTITIONS);
        err_where(err, "%s", b->endpoint->name);
        err_next(err, "make the topic with Kafka's own tools first");
        return ERR_LIMIT;
    }
    enum err e = create(b, d, partitions, err);
    if (e || !(d->flags & PUBLISH_DRY))
        return e ? e : await(b, p, d, err);
    d->partitions = INT32_MAX; /* it would have what the messages name */
    if (partitions)
        kafka_publish_say(p, "topic %s is missing and would be made with %d partition%s", d->topic,
                          partitions, partitions == 1 ? "" : "s");
    else
        kafka_publish_say(p, "topic %s is missing and would be made", d->topic);
    return ERR_OK;
}

enum err kafka_destination_no_partition(const struct broker *b, const struct kafka_destination *d,
                                        int32_t partition, struct err_info *err)
{
    err_set(err, ERR_NOTFOUND, "topic %s has no partition %d", d->topic, partition);
    err_where(err, "%s", b->endpoint->name);
    err_next(err,
             "its partitions are 0 to %d; add some, or let --create make another topic with all of them%s",
             d->partitions - 1, d->flags & PUBLISH_UNCOUNTED ? ", of messages in a file" : "");
    return ERR_NOTFOUND;
}

/* Of messages that are counted as they come: too late for the making. err: that of the look-up. */
static enum err uncounted(const struct broker *b, const struct kafka_destination *d, struct err_info *err)
{
    char near[sizeof err->next];
    text_copy(near, sizeof near, err->next);
    if (d->flags & PUBLISH_CREATE)
        err_set(
            err, ERR_NOTFOUND,
            "topic %s is missing, and how many partitions the messages of a pipe name is not known before it is made",
            d->topic);
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "%s%smake the topic first, or put the messages in a file, which --create can count", near,
             *near ? "; " : "");
    return ERR_NOTFOUND;
}

static enum err kafkas_own(const struct broker *b, const struct kafka_destination *d, struct err_info *err)
{
    err_set(err, ERR_UNSUPPORTED, "topic %s is Kafka's own and takes no messages", d->topic);
    err_where(err, "%s", b->endpoint->name);
    return ERR_UNSUPPORTED;
}

static enum err find_or_make(struct broker *b, const struct kafka_publish *p, struct kafka_destination *d,
                             int32_t partitions, struct err_info *err)
{
    const struct rd_kafka_metadata *md = NULL;
    if (kafka_topic_is_kafkas(d->topic))
        return kafkas_own(b, d, err);
    enum err e = kafka_topic_metadata(b, d->topic, &md, err);
    if (e == ERR_NOTFOUND && (d->flags & PUBLISH_UNCOUNTED))
        return uncounted(b, d, err);
    if (e == ERR_NOTFOUND && (d->flags & PUBLISH_CREATE))
        return make(b, p, d, partitions, err);
    if (e)
        return e;
    d->partitions = md->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(md);
    bool lacks = (d->flags & PUBLISH_PARTITION) && partitions > d->partitions;
    return lacks ? kafka_destination_no_partition(b, d, partitions - 1, err) : ERR_OK;
}

/* A batch that is larger than the topic takes is refused as a whole, and the library does not ask for that limit. */
static void learn_limits(struct broker *b, struct kafka_destination *d)
{
    char policy[64];
    d->message_most = kafka_topic_number(b, d->topic, "max.message.bytes");
    d->compacted = kafka_topic_setting(b, d->topic, "cleanup.policy", policy, sizeof policy) &&
                   strstr(policy, "compact") != NULL;
}

enum err kafka_destination_find(struct broker *b, const struct kafka_publish *p, struct kafka_destination *d,
                                const struct publish_request *request, struct err_info *err)
{
    *d = (struct kafka_destination){.flags = request->flags};
    text_copy(d->topic, sizeof d->topic, request->to.name);
    enum err e = find_or_make(b, p, d, request->partitions, err);
    if (e)
        return e;
    learn_limits(b, d);
    bool made = d->partitions == INT32_MAX; /* would be */
    d->alike = request->partitions > 0 && (made || d->partitions == request->partitions);
    if ((d->flags & PUBLISH_ALIKE) && request->partitions > 0 && !d->alike)
        kafka_publish_say(p, "topic %s has %d partition%s, not %d: messages go by their keys", d->topic,
                          d->partitions, d->partitions == 1 ? "" : "s", request->partitions);
    return ERR_OK;
}

/* Batches are as large as the first destination takes. One that takes less gets what fits into one at a time. */
enum err kafka_destination_bind(struct broker *b, const struct kafka_publish *p, struct kafka_destination *d,
                                struct err_info *err)
{
    const struct kafka_state *s = b->state;
    int64_t batch = s->batch_most ? s->batch_most : KAFKA_BATCH_DEFAULT;
    d->narrow = d->message_most > 0 && d->message_most < batch;
    rd_kafka_topic_conf_t *settings = rd_kafka_default_topic_conf_dup(p->rk);
    rd_kafka_topic_conf_set_opaque(settings, d);
    d->handle = rd_kafka_topic_new(p->rk, d->topic, settings);
    if (d->handle)
        return ERR_OK;
    rd_kafka_topic_conf_destroy(settings);
    return kafka_fail(b, rd_kafka_last_error(), d->topic, err);
}

bool kafka_destination_lacks(const struct kafka_destination *d, const struct message *m)
{
    return m->position.kind == POSITION_PARTITION &&
           (m->position.partition < 0 || m->position.partition >= d->partitions);
}
