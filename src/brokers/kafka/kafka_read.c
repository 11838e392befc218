/* Reading with the simple consumer: no group, nothing committed, all partitions into one queue, batches out of it. A browse
 * ends for each partition at the offset that stood there at read_open: with the message before it, with any later one, or
 * with the library's word that the partition's end is reached (control records and compacted ones take offsets, and no
 * message ever comes for them). */
#include "brokers/kafka/kafka_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define NUDGE_BYTES   (2 * MIB)
#define SPENT_MOST    500
#define SPENT_BYTES   (256 * KIB)
#define MESSAGE_BYTES 512 /* that the library takes for a message, beside its own */

/* The library takes them apart anew for each message, also for one that has none: a fifth of what reading a small message costs. */
static void fill_headers(struct kafka_read *r, const rd_kafka_message_t *m, struct message *out)
{
    rd_kafka_headers_t *list = NULL;
    if (rd_kafka_message_headers(m, &list) || !list)
        return;
    size_t n = rd_kafka_header_cnt(list);
    if (n > r->header_cap) {
        struct header *bigger = n <= LIMIT_HEADERS ? realloc(r->headers, n * sizeof *bigger) : NULL;
        if (!bigger) {
            out->flags |= MESSAGE_TRUNCATED;
            n = r->header_cap;
        } else {
            r->headers = bigger;
            r->header_cap = n;
        }
    }
    for (size_t i = 0; i < n; i++) {
        const char *name = NULL;
        const void *value = NULL;
        size_t len = 0;
        (void)rd_kafka_header_get_all(list, i, &name, &value, &len);
        r->headers[i] =
            (struct header){bytes_of_text(name), {.type = VALUE_BYTES, .bytes = bytes_of(value, len)}};
    }
    out->headers = (struct headers){r->headers, (uint32_t)n};
}

static void fill_time(struct kafka_partition *p, const rd_kafka_message_t *m, struct message *out)
{
    rd_kafka_timestamp_type_t type;
    int64_t ms = rd_kafka_message_timestamp(m, &type);
    out->properties = (struct headers){p->properties, 1};
    if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || ms < 0)
        return;
    p->properties[1].value.bytes =
        type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? BYTES_LITERAL("log_append") : BYTES_LITERAL("create");
    out->properties.count = 2;
    if (ms < INT64_MAX / NS_PER_MS) {
        out->time_ns = ms * NS_PER_MS;
        return;
    }
    /* Beyond 2262: somebody wrote microseconds. No time of ours, but kept, seen and found as the number that it is. */
    p->properties[2].value.i = ms;
    out->properties.count = 3;
}

void kafka_message_fill(struct kafka_read *r, struct kafka_topic *t, const rd_kafka_message_t *m,
                        struct message *out)
{
    *out = (struct message){
        .origin = t->origin,
        .position = {.kind = POSITION_PARTITION, .partition = m->partition, .offset = m->offset},
        .time_ns = TIME_NONE,
        .received_ns = r->received_ns,
        .key = {m->key, m->key_len},
        .payload = {m->payload, m->len},
    };
    fill_time(&t->partitions[m->partition], m, out);
    if (!r->bare)
        fill_headers(r, m, out);
}

static void partition_done(struct kafka_read *r, struct kafka_partition *p)
{
    if (!p->done)
        r->open--;
    p->done = true;
}

static void say(struct kafka_read *r, enum emit answer)
{
    r->progress.scanned++;
    r->left--;
    r->paused |= answer == EMIT_PAUSE;
    r->stopped |= answer == EMIT_STOP;
}

static enum err collect(struct kafka_read *r, struct kafka_topic *t, struct kafka_partition *p,
                        const struct message *m, struct err_info *err)
{
    if (kafka_merge_wants(r->merge, p, m))
        return kafka_merge_take(r->merge, p, m, err);
    if (kafka_merge_is_first(r->merge)) {
        kafka_stop_one(t, p);
        partition_done(r, p);
    }
    return ERR_OK;
}

/* Producers set times: behind the first message that is late enough older ones may stand. What comes in while a tail runs is shown
 * whatever its time: it is new. */
static bool is_before(const struct kafka_read *r, const struct kafka_partition *p, const struct message *m)
{
    return r->since_ns != TIME_NONE && m->time_ns != TIME_NONE && m->time_ns < r->since_ns &&
           m->position.offset < p->end;
}

void kafka_say_passed(struct kafka_read *r)
{
    char text[160];
    if (!r->passed || !r->sink.notice)
        return;
    snprintf(text, sizeof text, "%" PRId64 " message%s from before that time, behind newer ones: passed over",
             r->passed, r->passed == 1 ? "" : "s");
    r->passed = 0;
    r->sink.notice(r->sink.context, text);
}

static enum err deliver(struct kafka_read *r, struct kafka_topic *t, struct kafka_partition *p,
                        const rd_kafka_message_t *m, uint32_t flags, struct err_info *err)
{
    struct message out;
    kafka_message_fill(r, t, m, &out);
    out.flags |= flags;
    p->seen++;
    if (is_before(r, p, &out)) {
        p->next = m->offset + 1;
        r->progress.scanned++;
        r->passed++;
        return ERR_OK;
    }
    if (p->oldest_ns == TIME_NONE || out.time_ns < p->oldest_ns)
        p->oldest_ns = out.time_ns;
    if (p->newest_ns == TIME_NONE || out.time_ns > p->newest_ns)
        p->newest_ns = out.time_ns;
    if (r->phase == KAFKA_COLLECT)
        return collect(r, t, p, &out, err);
    p->next = m->offset + 1;
    say(r, r->sink.message(r->sink.context, &out));
    return ERR_OK;
}

/* By the handle's address: a topic's opaque pointer would be that of the first handle of its name. */
static struct kafka_topic *topic_of(struct kafka_read *r, const rd_kafka_topic_t *handle)
{
    for (size_t i = 0; i < r->topic_count; i++) {
        if (r->topics[r->hit].handle == handle)
            return &r->topics[r->hit];
        r->hit = r->hit + 1 < r->topic_count ? r->hit + 1 : 0;
    }
    return NULL;
}

/* One of the library's: a message, or a word about its partition. */
static enum err take(struct broker *b, struct kafka_read *r, const rd_kafka_message_t *m, uint32_t flags,
                     struct err_info *err)
{
    struct kafka_topic *t = topic_of(r, m->rkt);
    struct kafka_partition *p =
        t && m->partition >= 0 && m->partition < t->count ? &t->partitions[m->partition] : NULL;
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (p && p->to != INT64_MAX)
            partition_done(r, p);
        return ERR_OK;
    }
    if (m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET && p)
        return kafka_start_over(b, r, t, p, err);
    if (m->err)
        return kafka_fail(b, m->err, t ? t->origin->channel : "", err);
    enum err e = ERR_OK;
    if (p && !p->done && m->offset < p->to)
        e = deliver(r, t, p, m, flags, err);
    if (p && m->offset >= p->to - 1)
        partition_done(r, p);
    return e;
}

/* The flags of the batch's next message; r->blocked where that is not known yet. */
static enum err mark(struct broker *b, struct kafka_read *r, uint32_t *flags, struct err_info *err)
{
    const rd_kafka_message_t *m = r->batch[r->at];
    const struct kafka_topic *t = r->marks && !m->err ? topic_of(r, m->rkt) : NULL;
    enum kafka_mark found = KAFKA_MARK_COMMITTED;
    *flags = 0;
    if (!t)
        return ERR_OK;
    enum err e = kafka_marks_decide(b, r, t, m, &found, err);
    r->blocked = found == KAFKA_MARK_WAIT;
    *flags = found == KAFKA_MARK_UNCOMMITTED ? MESSAGE_UNCOMMITTED : 0;
    return e;
}

/* Messages that were handed over. The library's thread takes memory for the next ones from the arena to which these go back: one by
 * one, the two would meet at its lock again and again. */
struct spent {
    rd_kafka_message_t *items[SPENT_MOST];
    size_t count, bytes;
};

static void release(struct spent *s)
{
    for (size_t i = 0; i < s->count; i++)
        rd_kafka_message_destroy(s->items[i]);
    s->count = s->bytes = 0;
}

static void spend(struct spent *s, rd_kafka_message_t *m)
{
    s->items[s->count++] = m;
    s->bytes += m->len;
    if (s->count == SPENT_MOST || s->bytes > SPENT_BYTES)
        release(s);
}

static enum err take_batch(struct broker *b, struct kafka_read *r, struct err_info *err)
{
    uint32_t flags;
    struct spent spent = {.count = 0};
    enum err e = r->marks ? kafka_marks_pump(b, r, err) : ERR_OK;
    r->blocked = false;
    while (!e && r->at < r->count && !r->paused && !r->stopped && r->left > 0) {
        e = mark(b, r, &flags, err);
        if (e || r->blocked)
            break;
        rd_kafka_message_t *m = r->batch[r->at++];
        r->since_nudge += m->len + m->key_len + MESSAGE_BYTES;
        e = take(b, r, m, flags, err);
        spend(&spent, m);
    }
    release(&spent);
    return e;
}

/* Looks at the connection and gets the next batch, without waiting. */
static enum err refill(struct broker *b, struct kafka_read *r, struct err_info *err)
{
    struct kafka_state *s = b->state;
    kafka_drain(s);
    rd_kafka_poll(s->rk, 0);
    if (r->rk != s->rk)
        rd_kafka_poll(r->rk, 0);
    if (s->trouble.all_down_ns)
        return kafka_lost(b, err);
    enum err e = kafka_watch(b, r, err);
    if (e)
        return e;
    if (r->at < r->count || r->paused)
        return ERR_OK;
    ssize_t n = rd_kafka_consume_batch_queue(r->queue, 0, r->batch, KAFKA_BATCH);
    if (r->since_nudge > NUDGE_BYTES)
        kafka_nudge(b, r);
    r->at = 0;
    r->count = n > 0 ? (size_t)n : 0;
    r->received_ns = clock_wall_ns();
    if (r->marks)
        kafka_marks_new_batch(r);
    return ERR_OK;
}

static enum err finish(struct kafka_read *r, const char *why)
{
    kafka_say_passed(r);
    text_copy(r->progress.stopped, sizeof r->progress.stopped, why);
    return ERR_END;
}

/* A collecting round is over: reach further back, or hand over what was collected. */
static enum err next_phase(struct broker *b, struct kafka_read *r, struct err_info *err)
{
    kafka_stop_all(r);
    if (kafka_merge_reach_back(r->merge, r))
        return kafka_start_all(b, r, err);
    if (kafka_merge_places(r->merge, r)) {
        kafka_merge_free(&r->merge);
        r->phase = KAFKA_FLOW;
        r->progress.scanned -= r->passed; /* they come again */
        r->passed = 0;
        if (r->sink.notice)
            r->sink.notice(r->sink.context,
                           "so many that they come partition by partition, not merged by time");
        return kafka_start_all(b, r, err);
    }
    kafka_merge_sort(r->merge);
    r->phase = KAFKA_REPLAY;
    return ERR_OK;
}

static enum err replay(struct broker *b, struct kafka_read *r, struct err_info *err)
{
    while (!r->paused && !r->stopped && r->left > 0) {
        const struct message *stored = kafka_merge_next(r->merge);
        if (!stored) {
            kafka_merge_free(&r->merge);
            r->phase = KAFKA_FLOW;
            break;
        }
        struct message m = message_borrow(stored);
        say(r, r->sink.message(r->sink.context, &m));
    }
    if (r->phase != KAFKA_FLOW || r->browse)
        return ERR_OK;
    for (size_t t = 0; t < r->topic_count; t++)
        for (int32_t p = 0; p < r->topics[t].count; p++)
            r->topics[t].partitions[p].from = r->topics[t].partitions[p].end,
            r->topics[t].partitions[p].to = INT64_MAX;
    return kafka_start_all(b, r, err);
}

static enum err move(struct broker *b, struct kafka_read *r, struct err_info *err)
{
    enum err e = refill(b, r, err);
    if (!e)
        e = take_batch(b, r, err);
    if (!e && r->phase == KAFKA_COLLECT && r->open == 0)
        e = next_phase(b, r, err);
    if (!e && r->phase == KAFKA_REPLAY)
        e = replay(b, r, err);
    return e;
}

static enum err ended(struct broker *b, struct kafka_read *r)
{
    char why[80], time[32];
    if (r->stopped)
        return finish(r, "enough was seen");
    if (r->left <= 0)
        return finish(r, "the limit was reached");
    if (!r->browse || r->phase != KAFKA_FLOW || r->open > 0 || r->at < r->count)
        return ERR_OK;
    kafka_held_look(b, r);
    snprintf(why, sizeof why, "the end as it stood at %sZ was reached",
             clock_hms(r->opened_ns, time, sizeof time, 0));
    return finish(r, why);
}

/* A silent topic is looked at, too. */
static int until_look(const struct kafka_read *r, int timeout_ms)
{
    int ms = clock_poll_ms(r->look_ns);
    return timeout_ms < 0 || ms < timeout_ms ? ms : timeout_ms;
}

enum err kafka_read_step(struct broker *b, int timeout_ms, struct err_info *err)
{
    struct kafka_state *s = b->state;
    struct kafka_read *r = s->read;
    int64_t before = r->progress.scanned;
    bool moved = r->at < r->count;
    enum err e = move(b, r, err);
    if (!e)
        e = ended(b, r);
    moved = moved || r->count > 0;
    if (e || r->progress.scanned != before || timeout_ms == 0)
        return e;
    /* A batch without a message of interest (ends, markers) asks for another look first, and so does a new phase. */
    if (r->paused || r->blocked || (!moved && r->phase != KAFKA_REPLAY))
        kafka_wait(b, until_look(r, timeout_ms));
    return ERR_OK;
}

void kafka_read_pause(struct broker *b, bool pause)
{
    struct kafka_state *s = b->state;
    if (s->read)
        s->read->paused = pause;
}

void kafka_read_progress(struct broker *b, struct read_progress *progress)
{
    const struct kafka_state *s = b->state;
    if (s->read)
        *progress = s->read->progress;
}

static enum err open_handle(struct broker *b, struct kafka_read *r, bool uncommitted, struct err_info *err)
{
    struct kafka_state *s = b->state;
    enum err e = kafka_isolate(b, true, err);
    if (e)
        return e;
    r->rk = s->rk;
    if (uncommitted) {
        r->rk = kafka_handle_new(b, RD_KAFKA_CONSUMER, false, err);
        if (!r->rk)
            return err ? err->code : ERR_CONFIG;
        r->own_events = rd_kafka_queue_get_main(r->rk);
        kafka_queue_watch(s, r->own_events);
        e = kafka_wait_up(b, r->rk, err);
        if (e)
            return e;
    }
    r->queue = rd_kafka_queue_new(r->rk);
    kafka_queue_watch(s, r->queue);
    return ERR_OK;
}

enum err kafka_read_open(struct broker *b, const struct read_request *request, const struct read_sink *sink,
                         struct err_info *err)
{
    struct kafka_state *s = b->state;
    struct kafka_read *r = s->read = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ERR_NOMEM, "no memory for reading");
    r->sink = *sink;
    r->browse = request->mode == READ_BROWSE;
    r->bare = request->flags & READ_BARE;
    r->tells_held = request->flags & READ_HELD;
    r->phase = KAFKA_FLOW;
    r->opened_ns = clock_wall_ns();
    r->only = request->partition;
    r->look_ns = clock_mono_ns() + KAFKA_LOOK_EVERY_NS;
    r->left = request->limit >= 0 ? request->limit : INT64_MAX;
    r->progress.total = COUNT_UNKNOWN;
    r->since_ns = TIME_NONE;
    r->resumed = request->resume != NULL;
    if ((request->flags & READ_FIREHOSE) && !r->resumed)
        r->sink.notice(r->sink.context,
                       "a topic is seen whole: --firehose, which is RabbitMQ's, changes nothing");
    enum err e = open_handle(b, r, request->flags & READ_UNCOMMITTED, err);
    if (!e)
        e = kafka_start_resolve(b, r, request, err);
    if (!e && r->rk != s->rk)
        e = kafka_marks_open(b, r, err);
    if (!e)
        e = kafka_start_all(b, r, err);
    return e;
}

enum err kafka_read_close(struct broker *b, struct err_info *err)
{
    (void)err;
    struct kafka_state *s = b->state;
    struct kafka_read *r = s->read;
    if (!r)
        return ERR_OK;
    kafka_say_passed(r);
    kafka_stop_all(r);
    kafka_marks_close(r);
    for (size_t t = 0; t < r->topic_count; t++) {
        if (r->topics[t].handle)
            rd_kafka_topic_destroy(r->topics[t].handle);
        free(r->topics[t].partitions);
    }
    kafka_queue_drop(&r->queue);
    kafka_queue_drop(&r->own_events);
    if (r->rk && r->rk != s->rk)
        rd_kafka_destroy(r->rk);
    if (r->leaders)
        rd_kafka_topic_partition_list_destroy(r->leaders);
    kafka_merge_free(&r->merge);
    free(r->headers);
    free(r);
    s->read = NULL;
    return ERR_OK;
}
