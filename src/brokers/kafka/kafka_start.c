#include "brokers/kafka/kafka_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_MOST 10000 /* merged by time */

static struct header property(const char *name, struct value value)
{
    return (struct header){bytes_of_text(name), value};
}

static void init_partition(struct kafka_partition *p, int32_t id)
{
    *p = (struct kafka_partition){.id = id, .next = -1, .held = -1};
    p->properties[0] = property("partition", (struct value){.type = VALUE_INT32, .i = id});
    p->properties[1] = property("timestamp_type", (struct value){.type = VALUE_STRING});
    p->properties[2] = property("timestamp_ms", (struct value){.type = VALUE_INT64});
}

static void remember_leader(struct kafka_read *r, const char *topic, int32_t partition, int32_t leader)
{
    for (int i = 0; i < r->leaders->cnt; i++)
        if ((intptr_t)r->leaders->elems[i].opaque == leader)
            return;
    rd_kafka_topic_partition_list_add(r->leaders, topic, partition)->opaque = (void *)(intptr_t)leader;
}

/* One word for all of them: a broker that comes back elects its leaders one after the other. */
static void say_leaderless(const struct kafka_read *r, const char *topic, int32_t one, int count)
{
    char text[300];
    if (!count || !r->sink.notice)
        return;
    if (count == 1)
        snprintf(text, sizeof text, "partition %" PRId32 " of %s has no leader and is not read", one, topic);
    else
        snprintf(text, sizeof text, "%d partitions of %s have no leader and are not read", count, topic);
    r->sink.notice(r->sink.context, text);
}

static enum err take_partitions(struct kafka_read *r, struct kafka_topic *t,
                                const struct rd_kafka_metadata_topic *md, const struct read_request *request,
                                struct err_info *err)
{
    int32_t leaderless = -1;
    int leaderless_count = 0;
    t->count = md->partition_cnt;
    t->partitions = calloc((size_t)t->count, sizeof *t->partitions);
    if (!t->partitions)
        return err_set(err, ERR_NOMEM, "no memory for %d partitions", t->count);
    for (int32_t i = 0; i < t->count; i++)
        init_partition(&t->partitions[i], i);
    if (request->partition >= t->count) {
        err_set(err, ERR_NOTFOUND, "topic %s has no partition %" PRId32, md->topic, request->partition);
        err_next(err, "its partitions are 0 to %d", t->count - 1);
        return ERR_NOTFOUND;
    }
    for (int i = 0; i < md->partition_cnt; i++) {
        int32_t id = md->partitions[i].id;
        if (id < 0 || id >= t->count || (request->partition >= 0 && request->partition != id))
            continue;
        t->partitions[id].wanted = md->partitions[i].leader >= 0;
        if (t->partitions[id].wanted) {
            remember_leader(r, md->topic, id, md->partitions[i].leader);
            continue;
        }
        leaderless = id;
        leaderless_count++;
    }
    say_leaderless(r, md->topic, leaderless, leaderless_count);
    return ERR_OK;
}

static enum err take_topic(struct broker *b, struct kafka_read *r, const struct channel_name *name,
                           const struct read_request *request, struct err_info *err)
{
    if (name->kind != CHANNEL_ANY && name->kind != CHANNEL_TOPIC) {
        err_set(err, ERR_NOTFOUND, "Kafka has no %s %s, only topics", channel_kind_name(name->kind),
                name->name);
        err_where(err, "%s", b->endpoint->name);
        return ERR_NOTFOUND;
    }
    if (r->topic_count == KAFKA_TOPICS)
        return err_set(err, ERR_LIMIT, "at most %d topics in one reading", KAFKA_TOPICS);
    const struct rd_kafka_metadata *md = NULL;
    enum err e = kafka_topic_metadata(b, name->name, &md, err);
    bool gone =
        e == ERR_NOTFOUND && request->resume; /* the others go on; kafka_watch says it, and waits for it */
    if (e && !gone)
        return e;
    struct kafka_topic *t = &r->topics[r->topic_count++];
    t->origin = endpoint_origin(b->endpoint, name->name, CHANNEL_TOPIC);
    t->handle = rd_kafka_topic_new(r->rk, name->name, NULL);
    if (gone && t->handle) {
        t->missed = KAFKA_LOOKS_GONE;
        r->look_ns = 0;
        return ERR_OK;
    }
    e = t->handle ? take_partitions(r, t, &md->topics[0], request, err)
                  : kafka_fail(b, rd_kafka_last_error(), name->name, err);
    if (md)
        rd_kafka_metadata_destroy(md);
    return e;
}

static rd_kafka_topic_partition_list_t *rows_of(const struct kafka_read *r)
{
    rd_kafka_topic_partition_list_t *rows = rd_kafka_topic_partition_list_new(16);
    for (size_t t = 0; t < r->topic_count; t++)
        for (int32_t p = 0; p < r->topics[t].count; p++)
            if (r->topics[t].partitions[p].wanted)
                rd_kafka_topic_partition_list_add(rows, r->topics[t].origin->channel, p);
    return rows;
}

/* One question for all partitions; answers go where each partition's `into` member lies. */
static enum err ask(struct broker *b, struct kafka_read *r, int64_t which, size_t into, struct err_info *err)
{
    rd_kafka_topic_partition_list_t *rows = rows_of(r);
    enum err e = kafka_offsets_settled(b, r->rk, rows, which, err);
    int row = 0;
    for (size_t t = 0; !e && t < r->topic_count; t++) {
        for (int32_t p = 0; p < r->topics[t].count; p++) {
            struct kafka_partition *part = &r->topics[t].partitions[p];
            if (!part->wanted)
                continue;
            const rd_kafka_topic_partition_t *answer = &rows->elems[row++];
            *(int64_t *)(void *)((char *)part + into) = answer->offset;
        }
    }
    rd_kafka_topic_partition_list_destroy(rows);
    return e;
}

static void place(struct kafka_read *r, enum start_kind kind, int64_t value)
{
    for (size_t t = 0; t < r->topic_count; t++) {
        for (int32_t i = 0; i < r->topics[t].count; i++) {
            struct kafka_partition *p = &r->topics[t].partitions[i];
            switch (kind) {
            case START_END: p->from = p->end; break;
            case START_LAST: p->from = value < p->end - p->low ? p->end - value : p->low; break;
            case START_OFFSET: p->from = value < p->low ? p->low : value < p->end ? value : p->end; break;
            case START_TIME: /* asked for; nothing that late means the end */
                if (p->from < 0)
                    p->from = p->end;
                break;
            default: p->from = p->low;
            }
            p->to = r->browse || kind == START_LAST ? p->end : INT64_MAX;
        }
    }
}

/* An offset beyond every end is a slip; one that only some partitions have is read where it is, and that is said. */
static enum err check_offset(struct broker *b, struct kafka_read *r, int64_t offset, struct err_info *err)
{
    int64_t most = -1, least = INT64_MAX;
    size_t beyond = 0, before = 0, all = 0;
    char text[300];
    for (size_t t = 0; t < r->topic_count; t++) {
        for (int32_t i = 0; i < r->topics[t].count; i++) {
            const struct kafka_partition *p = &r->topics[t].partitions[i];
            if (!p->wanted)
                continue;
            all++;
            most = p->end > most ? p->end : most;
            least = p->low < least ? p->low : least;
            beyond += offset > p->end;
            before += offset < p->low;
        }
    }
    if (all && beyond == all) {
        err_set(err, ERR_USAGE,
                "offset %" PRId64 " is beyond the end: offsets go from %" PRId64 " to %" PRId64, offset,
                least, most);
        err_where(err, "%s", b->endpoint->name);
        err_next(err, "--from end is what comes next; --from end-10 the last ten");
        return ERR_USAGE;
    }
    if (beyond || before) {
        snprintf(
            text, sizeof text,
            "offset %" PRId64
            " is not in every partition: %zu of %zu end before it and are read from their end, %zu begin "
            "behind it and are read from their beginning",
            offset, beyond, all, before);
        r->sink.notice(r->sink.context, text);
    }
    return ERR_OK;
}

static const struct read_place *place_of(const struct read_places *places, size_t channel, int32_t partition)
{
    for (size_t i = 0; i < places->count; i++)
        if (places->items[i].channel == channel && places->items[i].partition == partition)
            return &places->items[i];
    return NULL;
}

/* Without a leader its end is not known. */
static bool ends_before(const struct kafka_partition *p, int64_t offset)
{
    return p->wanted && p->end < offset;
}

/* An end before what was seen, or fewer partitions, means another topic of the same name: none of it was seen. */
static bool made_anew(const struct kafka_topic *t, size_t channel, const struct read_places *places)
{
    bool anew = false;
    for (size_t i = 0; i < places->count; i++) {
        const struct read_place *place = &places->items[i];
        if (place->channel == channel && t->count)
            anew |=
                place->partition >= t->count || ends_before(&t->partitions[place->partition], place->next);
    }
    return anew;
}

/* Behind what was seen before the connection was lost. */
static void place_behind(struct kafka_read *r, const struct read_places *places)
{
    char text[300];
    for (size_t t = 0; t < r->topic_count; t++) {
        bool anew = made_anew(&r->topics[t], t, places);
        if (anew) {
            snprintf(text, sizeof text, "%s was made anew since it was seen: it is read from its beginning",
                     r->topics[t].origin->channel);
            r->sink.notice(r->sink.context, text);
        }
        for (int32_t i = 0; i < r->topics[t].count; i++) {
            struct kafka_partition *p = &r->topics[t].partitions[i];
            const struct read_place *place = place_of(places, t, i);
            bool unread = place && place->next < 0;
            int64_t gone = place && !unread && place->next < p->low ? p->low - place->next : 0;
            p->from = anew || !place || gone ? p->low : unread ? p->end : place->next;
            p->to = r->browse ? p->end : INT64_MAX;
            if (!p->wanted) /* without a leader at this moment: its place is kept for when it has one */
                p->next = place ? place->next : 0;
            if (!p->wanted || anew || !gone)
                continue;
            snprintf(text, sizeof text,
                     "%s/%" PRId32 ": %" PRId64 " offsets were removed before they could be seen",
                     r->topics[t].origin->channel, i, gone);
            r->sink.notice(r->sink.context, text);
        }
    }
}

void kafka_read_places(struct broker *b, struct read_places *places)
{
    const struct kafka_state *s = b->state;
    const struct kafka_read *r = s->read;
    size_t most = 0;
    for (size_t t = 0; r && t < r->topic_count; t++)
        most += (size_t)r->topics[t].count + 1;
    *places = (struct read_places){0};
    /* While the last N are sorted nothing is known to have been handed over in order: it begins again. */
    if (!most || r->phase != KAFKA_FLOW || !(places->items = calloc(most, sizeof *places->items)))
        return;
    for (size_t t = 0; t < r->topic_count; t++) {
        const struct kafka_topic *of = &r->topics[t];
        if (of->gone) /* when it comes back nothing of it was seen yet */
            places->items[places->count++] = (struct read_place){.channel = t, .anew = true};
        for (int32_t p = 0; !of->gone && p < of->count; p++)
            places->items[places->count++] = (struct read_place){t, p, of->partitions[p].next, false};
    }
}

static enum err place_by_time(struct broker *b, struct kafka_read *r, int64_t ns, struct err_info *err)
{
    const struct kafka_state *s = b->state;
    if (s->mock)
        return err_set(err, ERR_UNSUPPORTED, "the mock cluster cannot look offsets up by time");
    int64_t ms = ns / NS_PER_MS + (ns % NS_PER_MS > 0);
    r->since_ns = ns;
    if (ns > clock_wall_ns())
        r->sink.notice(r->sink.context, "that time is yet to come: what is read begins at the end");
    return ask(b, r, ms > 0 ? ms : 0, offsetof(struct kafka_partition, from), err);
}

/* `most`: of the last N there are no more than these. */
static void count_total(struct kafka_read *r, int64_t most)
{
    if (!r->browse)
        return;
    r->progress.total = 0;
    r->progress.total_upper = true;
    for (size_t t = 0; t < r->topic_count; t++)
        for (int32_t p = 0; p < r->topics[t].count; p++)
            r->progress.total += r->topics[t].partitions[p].to - r->topics[t].partitions[p].from;
    r->progress.total = r->progress.total < most ? r->progress.total : most;
}

/* A few of several partitions are merged by time; many flow as they come. */
static bool wants_first(const struct kafka_read *r, int64_t limit)
{
    int reading = 0;
    for (size_t t = 0; t < r->topic_count; t++)
        for (int32_t p = 0; p < r->topics[t].count; p++)
            reading += r->topics[t].partitions[p].wanted &&
                       r->topics[t].partitions[p].from < r->topics[t].partitions[p].to;
    return r->browse && reading > 1 && limit > 0 && limit <= FIRST_MOST;
}

/* Without a gap: also every partition has to have a leader. */
static enum err await_settled(struct broker *b, const struct kafka_read *r, struct err_info *err)
{
    for (size_t t = 0; r->only < 0 && t < r->topic_count; t++)
        for (int32_t i = 0; i < r->topics[t].count; i++)
            if (!r->topics[t].partitions[i].wanted)
                return err_set(err, ERR_BUSY, "partition %" PRId32 " of %s has no leader", i,
                               r->topics[t].origin->channel);
    rd_kafka_topic_partition_list_t *rows = rows_of(r);
    enum err e = rows->cnt ? kafka_held_await(b, r, rows, err) : ERR_OK;
    rd_kafka_topic_partition_list_destroy(rows);
    return e;
}

enum err kafka_start_resolve(struct broker *b, struct kafka_read *r, const struct read_request *request,
                             struct err_info *err)
{
    enum err e = ERR_OK;
    r->leaders = rd_kafka_topic_partition_list_new(4);
    for (size_t i = 0; !e && i < request->channel_count; i++)
        e = take_topic(b, r, &request->channels[i], request, err);
    if (!e)
        e = ask(b, r, RD_KAFKA_OFFSET_BEGINNING, offsetof(struct kafka_partition, low), err);
    if (!e && (request->flags & READ_SETTLED))
        e = await_settled(b, r, err);
    if (!e)
        e = ask(b, r, RD_KAFKA_OFFSET_END, offsetof(struct kafka_partition, end), err);
    enum start_kind kind = request->start.kind;
    if (kind == START_DEFAULT)
        kind = r->browse ? START_BEGINNING : START_END;
    if (!e && request->resume) {
        place_behind(r, request->resume);
        count_total(r, INT64_MAX);
        return ERR_OK;
    }
    if (!e && kind == START_OFFSET)
        e = check_offset(b, r, request->start.value, err);
    if (!e && kind == START_TIME)
        e = place_by_time(b, r, request->start.value, err);
    if (e)
        return e;
    place(r, kind, request->start.value);
    count_total(r, kind == START_LAST ? request->start.value : INT64_MAX);
    bool first = kind != START_LAST && wants_first(r, request->limit);
    if (!first && kind != START_LAST)
        return ERR_OK;
    r->merge = first ? kafka_merge_first(request->limit, err) : kafka_merge_last(request->start.value, err);
    r->phase = KAFKA_COLLECT;
    return r->merge ? ERR_OK : err ? err->code : ERR_NOMEM;
}

static enum err start_one(struct broker *b, struct kafka_read *r, struct kafka_topic *t,
                          struct kafka_partition *p, struct err_info *err)
{
    p->seen = 0;
    p->oldest_ns = p->newest_ns = TIME_NONE;
    p->done = !p->wanted || p->from >= p->to;
    if (p->done)
        return ERR_OK;
    if (rd_kafka_consume_start_queue(t->handle, p->id, p->from, r->queue))
        return kafka_fail(b, rd_kafka_last_error(), t->origin->channel, err);
    p->started = true;
    p->next = p->from;
    r->open++;
    return ERR_OK;
}

enum err kafka_start_all(struct broker *b, struct kafka_read *r, struct err_info *err)
{
    r->open = 0;
    enum err e = ERR_OK;
    for (size_t t = 0; !e && t < r->topic_count; t++)
        for (int32_t p = 0; !e && p < r->topics[t].count; p++)
            e = start_one(b, r, &r->topics[t], &r->topics[t].partitions[p], err);
    if (!e && r->marks)
        e = kafka_marks_start(b, r, err);
    return e;
}

enum err kafka_start_over(struct broker *b, struct kafka_read *r, struct kafka_topic *t,
                          struct kafka_partition *p, struct err_info *err)
{
    char text[300];
    if (!r->browse && r->phase == KAFKA_FLOW)
        return err_set(err, ERR_CHANGED, "%s/%" PRId32 " no longer has offset %" PRId64, t->origin->channel,
                       p->id, p->next);
    snprintf(text, sizeof text, "%s/%" PRId32 ": messages were removed before they could be seen",
             t->origin->channel, p->id);
    if (r->sink.notice)
        r->sink.notice(r->sink.context, text);
    rd_kafka_consume_stop(t->handle, p->id);
    if (rd_kafka_consume_start_queue(t->handle, p->id, RD_KAFKA_OFFSET_BEGINNING, r->queue))
        return kafka_fail(b, rd_kafka_last_error(), t->origin->channel, err);
    return ERR_OK;
}

void kafka_stop_one(struct kafka_topic *t, struct kafka_partition *p)
{
    if (p->started)
        rd_kafka_consume_stop(t->handle, p->id);
    p->started = false;
}

void kafka_stop_all(struct kafka_read *r)
{
    for (size_t t = 0; t < r->topic_count; t++)
        for (int32_t p = 0; p < r->topics[t].count; p++)
            kafka_stop_one(&r->topics[t], &r->topics[t].partitions[p]);
    if (r->marks)
        kafka_marks_stop(r);
    for (; r->at < r->count; r->at++)
        rd_kafka_message_destroy(r->batch[r->at]);
    r->at = r->count = 0;
    ssize_t n;
    while (r->queue && (n = rd_kafka_consume_batch_queue(r->queue, 0, r->batch, KAFKA_BATCH)) > 0)
        for (ssize_t i = 0; i < n; i++)
            rd_kafka_message_destroy(r->batch[i]);
}

void kafka_nudge(const struct broker *b, struct kafka_read *r)
{
    const struct kafka_state *s = b->state;
    r->since_nudge = 0;
    for (int i = 0; i < r->leaders->cnt; i++)
        r->leaders->elems[i].offset = RD_KAFKA_OFFSET_END;
    (void)rd_kafka_offsets_for_times(r->rk, r->leaders, 0);
    for (int i = 0; r->rk != s->rk && i < r->leaders->cnt; i++)
        r->leaders->elems[i].offset = RD_KAFKA_OFFSET_END;
    if (r->rk != s->rk)
        (void)rd_kafka_offsets_for_times(s->rk, r->leaders, 0);
}
