/* How far an operation is, as the cluster keeps it: offsets of a group that has no members, in the same transactions as what
 * was published. A note is the metadata of an offset of partition 0 of a destination; the offset itself is the note's number, since
 * an operation that was resumed may have another first destination: the note with the highest number is the last one. */
#include "brokers/kafka/kafka_producer.h"

#include <stdio.h>
#include <sys/poll.h>

#define AGAIN_MS 50

void kafka_group_of_claim(const char *claim, char *into, size_t size)
{
    snprintf(into, size, KAFKA_OURS "%s", claim);
}

/* ---- asking ---- */

static rd_kafka_resp_err_t rows_of(rd_kafka_event_t *event, rd_kafka_topic_partition_list_t **rows)
{
    size_t n = 0;
    const rd_kafka_ListConsumerGroupOffsets_result_t *result =
        rd_kafka_event_ListConsumerGroupOffsets_result(event);
    const rd_kafka_group_result_t **groups =
        result ? rd_kafka_ListConsumerGroupOffsets_result_groups(result, &n) : NULL;
    if (rd_kafka_event_error(event))
        return rd_kafka_event_error(event);
    const rd_kafka_error_t *error = n ? rd_kafka_group_result_error(groups[0]) : NULL;
    const rd_kafka_topic_partition_list_t *found = n ? rd_kafka_group_result_partitions(groups[0]) : NULL;
    if (error && rd_kafka_error_code(error))
        return rd_kafka_error_code(error);
    if (!found)
        return RD_KAFKA_RESP_ERR__BAD_MSG;
    *rows = rd_kafka_topic_partition_list_copy(found);
    for (int i = 0; i < (*rows)->cnt; i++)
        if ((*rows)->elems[i].err == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT)
            return RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static enum err ask_once(struct broker *b, const char *group, const rd_kafka_topic_partition_list_t *asked,
                         rd_kafka_topic_partition_list_t **rows, rd_kafka_resp_err_t *said,
                         struct err_info *err)
{
    rd_kafka_t *rk = kafka_group_handle(b, err);
    if (!rk)
        return err ? err->code : ERR_CONFIG;
    rd_kafka_ListConsumerGroupOffsets_t *question = rd_kafka_ListConsumerGroupOffsets_new(group, asked);
    rd_kafka_AdminOptions_t *options = kafka_admin_options(b, rk, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_event_t *event = NULL;
    rd_kafka_error_t *refused = rd_kafka_AdminOptions_set_require_stable_offsets(options, 1);
    if (refused)
        rd_kafka_error_destroy(refused);
    rd_kafka_ListConsumerGroupOffsets(rk, &question, 1, options, queue);
    enum err e = kafka_answer(b, queue, "the operation's progress", &event, err);
    if (!e)
        *said = rows_of(event, rows);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(question);
    return e;
}

/* What passes: a transaction that is ending, a coordinator that has just begun. */
static bool passes(rd_kafka_resp_err_t e)
{
    return e == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT ||
           e == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS ||
           e == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE || e == RD_KAFKA_RESP_ERR_NOT_COORDINATOR;
}

static bool may_ask_again(const struct broker *b, rd_kafka_resp_err_t said)
{
    if (!passes(said) || atomic_load(b->cancelled) ||
        clock_mono_ns() + AGAIN_MS * NS_PER_MS >= b->deadline_ns)
        return false;
    poll(NULL, 0, AGAIN_MS);
    return true;
}

static enum err still_open(const struct broker *b, const char *group, struct err_info *err)
{
    err_set(err, ERR_BUSY, "a transaction of %s is still open", group);
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "another signalbox is at it; what a killed one has left open ends within a minute");
    return ERR_BUSY;
}

/* Each row is asked for by its name: a list of what a group has committed leaves out what it commits for the first time, in a
 * transaction that is not decided yet. *rows is the caller's to destroy; a row may have an error of its own. */
static enum err ask(struct broker *b, const char *group, const rd_kafka_topic_partition_list_t *asked,
                    rd_kafka_topic_partition_list_t **rows, struct err_info *err)
{
    rd_kafka_resp_err_t said = RD_KAFKA_RESP_ERR_NO_ERROR;
    bool open = false;
    enum err e;
    do {
        if (*rows)
            rd_kafka_topic_partition_list_destroy(*rows);
        *rows = NULL;
        e = ask_once(b, group, asked, rows, &said, err);
        open |= !e && said == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT;
    } while (!e && may_ask_again(b, said));
    if (!e && !said)
        return ERR_OK;
    if (!e)
        e = kafka_fail(b, said, group, err);
    return open && (e == ERR_TIMEOUT || e == ERR_BUSY) ? still_open(b, group, err) : e;
}

/* ---- notes ---- */

/* Partition 0 of every topic: where a note may be. */
static enum err note_rows(struct broker *b, rd_kafka_topic_partition_list_t **rows, struct err_info *err)
{
    const struct rd_kafka_metadata *md = NULL;
    enum err e = kafka_metadata(b, NULL, &md, err);
    if (e)
        return e;
    *rows = rd_kafka_topic_partition_list_new(md->topic_cnt);
    for (int i = 0; i < md->topic_cnt; i++)
        rd_kafka_topic_partition_list_add(*rows, md->topics[i].topic, 0);
    rd_kafka_metadata_destroy(md);
    return ERR_OK;
}

/* The number of the last one, 0 where there is none. With `note` also what it says. */
static enum err last_note(struct broker *b, const char *group, int64_t *number, char *note, size_t size,
                          struct err_info *err)
{
    rd_kafka_topic_partition_list_t *asked = NULL, *rows = NULL;
    enum err e = note_rows(b, &asked, err);
    *number = 0;
    if (!e && asked->cnt)
        e = ask(b, group, asked, &rows, err);
    for (int i = 0; !e && rows && i < rows->cnt; i++) {
        const rd_kafka_topic_partition_t *row = &rows->elems[i];
        if (row->err || row->offset <= *number || !row->metadata_size)
            continue;
        *number = row->offset;
        if (note)
            text_copy_bytes(note, size, bytes_of(row->metadata, row->metadata_size));
    }
    if (asked)
        rd_kafka_topic_partition_list_destroy(asked);
    if (rows)
        rd_kafka_topic_partition_list_destroy(rows);
    return e;
}

static void set_note(rd_kafka_topic_partition_t *row, const char *note)
{
    row->metadata = strdup(note);
    row->metadata_size = row->metadata ? strlen(note) : 0;
}

static enum err add_note(struct broker *b, struct kafka_publish *p, const char *note,
                         rd_kafka_topic_partition_list_t *rows, struct err_info *err)
{
    char group[KAFKA_CLAIM + 16];
    struct kafka_transaction *t = &p->transaction;
    kafka_group_of_claim(t->claim, group, sizeof group);
    enum err e = t->notes < 0 ? last_note(b, group, &t->notes, NULL, 0, err) : ERR_OK;
    if (e) {
        t->notes = -1;
        return e;
    }
    rd_kafka_topic_partition_t *row = rd_kafka_topic_partition_list_add(rows, p->destinations[0].topic, 0);
    row->offset = ++t->notes;
    set_note(row, note);
    return row->metadata ? ERR_OK : err_set(err, ERR_NOMEM, "no memory for a note");
}

/* ---- committing and asking ---- */

enum err kafka_progress_rows(struct broker *b, struct kafka_publish *p, const struct commit *commit,
                             rd_kafka_topic_partition_list_t **rows, struct err_info *err)
{
    *rows = rd_kafka_topic_partition_list_new((int)commit->place_count + 1);
    for (size_t i = 0; i < commit->place_count; i++) {
        const struct read_place *place = &commit->places[i];
        if (place->next >= 0)
            rd_kafka_topic_partition_list_add(*rows, commit->channels[place->channel].name, place->partition)
                ->offset = place->next;
    }
    if (commit->place_count || !commit->note || !*commit->note)
        return ERR_OK;
    return add_note(b, p, commit->note, *rows, err);
}

static enum err take_places(struct broker *b, const struct commit *of, rd_kafka_topic_partition_list_t *rows,
                            struct read_place *places, struct err_info *err)
{
    for (size_t i = 0; i < of->place_count; i++) {
        const char *topic = of->channels[of->places[i].channel].name;
        const rd_kafka_topic_partition_t *row =
            rd_kafka_topic_partition_list_find(rows, topic, of->places[i].partition);
        if (row && row->err)
            return kafka_fail(b, row->err, topic, err);
        places[i].next = row && row->offset >= 0 ? row->offset : -1;
    }
    return ERR_OK;
}

static enum err committed_places(struct broker *b, const char *group, const struct commit *of,
                                 struct read_place *places, struct err_info *err)
{
    rd_kafka_topic_partition_list_t *asked = rd_kafka_topic_partition_list_new((int)of->place_count),
                                    *rows = NULL;
    for (size_t i = 0; i < of->place_count; i++)
        rd_kafka_topic_partition_list_add(asked, of->channels[of->places[i].channel].name,
                                          of->places[i].partition);
    enum err e = ask(b, group, asked, &rows, err);
    if (!e)
        e = take_places(b, of, rows, places, err);
    rd_kafka_topic_partition_list_destroy(asked);
    if (rows)
        rd_kafka_topic_partition_list_destroy(rows);
    return e;
}

enum err kafka_committed(struct broker *b, const struct commit *of, struct read_place *places, char *note,
                         size_t size, struct err_info *err)
{
    char group[KAFKA_CLAIM + 16];
    int64_t number;
    kafka_group_of_claim(of->claim, group, sizeof group);
    if (note && size)
        note[0] = '\0';
    if (of->place_count)
        return committed_places(b, group, of, places, err);
    return last_note(b, group, &number, note, size, err);
}

/* ---- forgetting ---- */

static enum err delete_once(struct broker *b, const char *group, rd_kafka_resp_err_t *said,
                            struct err_info *err)
{
    const struct kafka_state *s = b->state;
    rd_kafka_DeleteGroup_t *question = rd_kafka_DeleteGroup_new(group);
    rd_kafka_AdminOptions_t *options = kafka_admin_options(b, s->rk, RD_KAFKA_ADMIN_OP_DELETEGROUPS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(s->rk);
    rd_kafka_event_t *event = NULL;
    size_t n = 0;
    rd_kafka_DeleteGroups(s->rk, &question, 1, options, queue);
    enum err e = kafka_answer(b, queue, "deleting the operation's group", &event, err);
    const rd_kafka_group_result_t **groups =
        e ? NULL : rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event), &n);
    if (!e)
        *said = rd_kafka_event_error(event);
    if (!e && n && rd_kafka_group_result_error(groups[0]))
        *said = rd_kafka_error_code(rd_kafka_group_result_error(groups[0]));
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_DeleteGroup_destroy(question);
    return e;
}

static void say_forgotten(const struct broker *b, const char *group)
{
    char text[KAFKA_CLAIM + 120];
    snprintf(text, sizeof text,
             "the group %s, which held its progress, is deleted; its transactional id expires by itself",
             group);
    if (b->notice)
        b->notice(b->notice_context, text);
}

enum err kafka_forget(struct broker *b, const char *claim, struct err_info *err)
{
    char group[KAFKA_CLAIM + 16];
    const struct kafka_state *s = b->state;
    rd_kafka_resp_err_t said = RD_KAFKA_RESP_ERR_NO_ERROR;
    enum err e;
    if (s->mock) /* it does not know the question, and librdkafka 2.0.2 aborts over its answer */
        return ERR_OK;
    kafka_group_of_claim(claim, group, sizeof group);
    do {
        e = delete_once(b, group, &said, err);
    } while (!e && may_ask_again(b, said));
    if (!e && !said)
        say_forgotten(b, group);
    if (e || !said || said == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND)
        return e;
    return kafka_fail(b, said, group, err);
}
