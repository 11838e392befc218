/* The cluster's own removal: a prefix of each partition, at once and for good. */
#include "brokers/kafka/kafka_internal.h"

#include <inttypes.h>

static enum err check_kind(const struct channel_name *channel, struct err_info *err)
{
    if (channel->kind == CHANNEL_ANY || channel->kind == CHANNEL_TOPIC)
        return ERR_OK;
    return err_set(err, ERR_NOTFOUND, "Kafka has no %s, only topics", channel_kind_name(channel->kind));
}

/* Every partition of the topic. */
static enum err all_rows(struct broker *b, const char *topic, rd_kafka_topic_partition_list_t **rows,
                         struct err_info *err)
{
    const struct rd_kafka_metadata *md = NULL;
    enum err e = kafka_topic_metadata(b, topic, &md, err);
    if (e)
        return e;
    *rows = rd_kafka_topic_partition_list_new(md->topics[0].partition_cnt);
    for (int32_t i = 0; i < md->topics[0].partition_cnt; i++)
        rd_kafka_topic_partition_list_add(*rows, topic, i)->offset = RD_KAFKA_OFFSET_END;
    rd_kafka_metadata_destroy(md);
    return ERR_OK;
}

enum err kafka_count(struct broker *b, const struct channel_name *channel, int64_t *ready, int64_t *unacked,
                     struct err_info *err)
{
    const struct kafka_state *s = b->state;
    rd_kafka_topic_partition_list_t *low = NULL, *high = NULL;
    *ready = 0;
    *unacked = COUNT_UNKNOWN;
    enum err e = check_kind(channel, err);
    if (!e)
        e = kafka_isolate(b, false, err);
    if (!e)
        e = all_rows(b, channel->name, &low, err);
    if (e)
        return e;
    high = rd_kafka_topic_partition_list_copy(low);
    e = kafka_offsets_settled(b, s->rk, low, RD_KAFKA_OFFSET_BEGINNING, err);
    if (!e)
        e = kafka_offsets_settled(b, s->rk, high, RD_KAFKA_OFFSET_END, err);
    for (int i = 0; !e && i < low->cnt; i++)
        *ready += high->elems[i].offset - low->elems[i].offset;
    rd_kafka_topic_partition_list_destroy(low);
    rd_kafka_topic_partition_list_destroy(high);
    return e;
}

/* ---- removing ---- */

static enum err refuse(const struct broker *b, const char *topic, const char *why, const char *next,
                       struct err_info *err)
{
    err_set(err, ERR_REFUSED, "%s: %s", topic, why);
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "%s", next);
    return ERR_REFUSED;
}

/* Leaves the rows that have a place. A partition that is not there: nothing is removed at all. */
static enum err limit_rows(const struct broker *b, const struct read_places *up_to,
                           rd_kafka_topic_partition_list_t *rows, struct err_info *err)
{
    int32_t partitions = rows->cnt;
    for (int32_t i = 0; i < partitions; i++)
        rows->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
    for (size_t i = 0; i < up_to->count; i++) {
        const struct read_place *place = &up_to->items[i];
        if (place->partition < 0 || place->partition >= partitions) {
            err_set(err, ERR_NOTFOUND, "topic %s has no partition %" PRId32, rows->elems[0].topic,
                    place->partition);
            err_where(err, "%s", b->endpoint->name);
            return ERR_NOTFOUND;
        }
        if (place->next >= 0)
            rows->elems[place->partition].offset = place->next;
    }
    for (int i = rows->cnt - 1; i >= 0; i--)
        if (rows->elems[i].offset == RD_KAFKA_OFFSET_INVALID)
            rd_kafka_topic_partition_list_del_by_idx(rows, i);
    return ERR_OK;
}

static enum err row_failed(const struct broker *b, const rd_kafka_topic_partition_t *row,
                           struct err_info *err)
{
    char what[300];
    if (row->err == RD_KAFKA_RESP_ERR_POLICY_VIOLATION)
        return refuse(b, row->topic, KAFKA_COMPACTED,
                      "send tombstones for the keys, or copy what is to stay into another topic", err);
    snprintf(what, sizeof what, "partition %" PRId32 " of %s", row->partition, row->topic);
    if (row->err != RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
        return kafka_fail(b, row->err, what, err);
    err_set(err, ERR_NOTFOUND, "%s ends before the offset up to which it was to be removed", what);
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "was the topic made anew? Look at it before anything is removed");
    return ERR_NOTFOUND;
}

/* What the partitions begin with now. One that did not get as far as was asked is an error. */
static enum err sum_up(const struct broker *b, const rd_kafka_topic_partition_list_t *asked,
                       const rd_kafka_topic_partition_list_t *before,
                       const rd_kafka_topic_partition_list_t *after, int64_t *removed, struct err_info *err)
{
    enum err e = ERR_OK;
    for (int i = 0; i < asked->cnt; i++) {
        const rd_kafka_topic_partition_t *row = &asked->elems[i];
        const rd_kafka_topic_partition_t *now =
            rd_kafka_topic_partition_list_find(after, row->topic, row->partition);
        if (now && !now->err && now->offset > before->elems[i].offset)
            *removed += now->offset - before->elems[i].offset;
        if (e)
            continue;
        if (!now || now->err)
            e = now ? row_failed(b, now, err)
                    : err_set(err, ERR_FAILED, "partition %" PRId32 ": no answer", row->partition);
        else if (row->offset >= 0 && now->offset < row->offset)
            e = err_set(err, ERR_FAILED, "partition %" PRId32 " of %s begins at %" PRId64 ", not at %" PRId64,
                        row->partition, row->topic, now->offset, row->offset);
    }
    return e;
}

static enum err delete_records(struct broker *b, const rd_kafka_topic_partition_list_t *rows,
                               rd_kafka_event_t **event, struct err_info *err)
{
    const struct kafka_state *s = b->state;
    char text[128];
    rd_kafka_DeleteRecords_t *records = rd_kafka_DeleteRecords_new(rows);
    rd_kafka_AdminOptions_t *options = kafka_admin_options(b, s->rk, RD_KAFKA_ADMIN_OP_DELETERECORDS);
    (void)rd_kafka_AdminOptions_set_operation_timeout(options, kafka_left_ms(b), text, sizeof text);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(s->rk);
    rd_kafka_DeleteRecords(s->rk, &records, 1, options, queue);
    enum err e = kafka_answer(b, queue, "removing messages", event, err);
    if (!e && rd_kafka_event_error(*event))
        e = kafka_fail(b, rd_kafka_event_error(*event), "removing messages", err);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_DeleteRecords_destroy(records);
    return e;
}

static enum err remove_rows(struct broker *b, const rd_kafka_topic_partition_list_t *rows, int64_t *removed,
                            struct err_info *err)
{
    const struct kafka_state *s = b->state;
    rd_kafka_event_t *event = NULL;
    rd_kafka_topic_partition_list_t *before = rd_kafka_topic_partition_list_copy(rows);
    enum err e = kafka_offsets_settled(b, s->rk, before, RD_KAFKA_OFFSET_BEGINNING, err);
    if (!e)
        e = delete_records(b, rows, &event, err);
    if (!e)
        e = sum_up(b, rows, before,
                   rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event)), removed,
                   err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_topic_partition_list_destroy(before);
    return e;
}

enum err kafka_truncate(struct broker *b, const struct channel_name *channel, const struct read_places *up_to,
                        int64_t *removed, struct err_info *err)
{
    rd_kafka_topic_partition_list_t *rows = NULL;
    *removed = 0;
    enum err e = check_kind(channel, err);
    if (!e && kafka_topic_is_kafkas(channel->name))
        return refuse(b, channel->name, "the topic is Kafka's own", "let the cluster look after it", err);
    if (!e)
        e = all_rows(b, channel->name, &rows, err);
    if (!e && up_to)
        e = limit_rows(b, up_to, rows, err);
    if (!e && rows->cnt)
        e = remove_rows(b, rows, removed, err);
    if (rows)
        rd_kafka_topic_partition_list_destroy(rows);
    return e;
}
