/* What an open transaction holds back. A committed reader's end is the last stable offset: behind it lie messages of all producers
 * until that transaction ends, however long it hangs. Each answer to a fetch tells the high watermark, too. A watermark that lies
 * beyond a stable offset which was asked for after it proves that a transaction is open. */
#include "brokers/kafka/kafka_reader.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/poll.h>

#define ASK_MS   1000
#define AGAIN_MS 50
#define ALONE_NS (3 * NS_PER_S)

/* Behind the last message that this reading can have. */
static int64_t stand_of(const struct kafka_read *r, const struct kafka_partition *p)
{
    return r->browse ? p->end : p->next;
}

static int64_t watermark(const struct kafka_read *r, const struct kafka_topic *t, int32_t partition)
{
    int64_t low = -1, high = -1;
    (void)rd_kafka_get_watermark_offsets(r->rk, t->origin->channel, partition, &low, &high);
    return high;
}

/* Whoever asks for what is held back says it himself. */
static void say_held(struct kafka_read *r, const struct kafka_topic *t, int32_t partition, int64_t from,
                     int64_t high)
{
    char text[300];
    struct read_progress *p = &r->progress;
    snprintf(text, sizeof text,
             "%s/%" PRId32 ": an open transaction holds back offsets %" PRId64 " to %" PRId64,
             t->origin->channel, partition, from, high - 1);
    if (!p->held[0])
        text_copy(p->held, sizeof p->held, text);
    if (r->tells_held || !r->sink.notice)
        return;
    size_t length = strlen(text);
    snprintf(text + length, sizeof text - length, "; --uncommitted shows them");
    r->sink.notice(r->sink.context, text);
}

/* A transaction that is open for a moment is no news to a tail, which looks again; a browse ends here. */
static bool is_news(const struct kafka_read *r, struct kafka_partition *p, int64_t stand)
{
    bool seen_before = p->held == stand && !p->held_said;
    p->held_said = p->held == stand && (p->held_said || seen_before);
    p->held = stand;
    return r->browse || seen_before;
}

/* rows: the suspects; `opaque` is the topic's index. */
static void judge(struct kafka_read *r, rd_kafka_topic_partition_list_t *rows)
{
    for (int i = 0; i < rows->cnt; i++)
        rows->elems[i].offset = RD_KAFKA_OFFSET_END;
    if (!rows->cnt || rd_kafka_offsets_for_times(r->rk, rows, ASK_MS))
        return;
    for (int i = 0; i < rows->cnt; i++) {
        const rd_kafka_topic_partition_t *row = &rows->elems[i];
        struct kafka_topic *t = &r->topics[(size_t)(uintptr_t)row->opaque];
        struct kafka_partition *p = &t->partitions[row->partition];
        int64_t stand = stand_of(r, p), high = p->high;
        if (!row->err && row->offset <= stand && high > stand && is_news(r, p, stand))
            say_held(r, t, p->id, stand, high);
    }
}

/* What fetches told. */
static void suspect(struct kafka_read *r, rd_kafka_topic_partition_list_t *rows)
{
    for (size_t t = 0; t < r->topic_count; t++) {
        for (int32_t i = 0; i < r->topics[t].count; i++) {
            struct kafka_partition *p = &r->topics[t].partitions[i];
            p->high = p->wanted ? watermark(r, &r->topics[t], i) : -1;
            if (p->high > stand_of(r, p) && stand_of(r, p) >= 0)
                rd_kafka_topic_partition_list_add(rows, r->topics[t].origin->channel, i)->opaque =
                    (void *)(uintptr_t)t;
        }
    }
}

/* Of what nothing was fetched, since all that there may be is held back: a handle that reads uncommitted knows. */
static void suspect_all(struct broker *b, struct kafka_read *r, rd_kafka_topic_partition_list_t *rows)
{
    struct err_info err;
    int64_t deadline = b->deadline_ns;
    rd_kafka_t *rk = kafka_handle_new(b, RD_KAFKA_CONSUMER, false, &err);
    for (size_t t = 0; t < r->topic_count; t++)
        for (int32_t i = 0; i < r->topics[t].count; i++)
            if (r->topics[t].partitions[i].wanted)
                rd_kafka_topic_partition_list_add(rows, r->topics[t].origin->channel, i)->opaque =
                    (void *)(uintptr_t)t;
    b->deadline_ns = clock_mono_ns() + ALONE_NS;
    bool known = rk && !kafka_wait_up(b, rk, &err) && !kafka_offsets(b, rk, rows, RD_KAFKA_OFFSET_END, &err);
    b->deadline_ns = deadline;
    for (int i = 0; i < rows->cnt; i++) {
        const rd_kafka_topic_partition_t *row = &rows->elems[i];
        struct kafka_topic *t = &r->topics[(size_t)(uintptr_t)row->opaque];
        t->partitions[row->partition].high = known && !row->err ? row->offset : -1;
    }
    if (rk)
        rd_kafka_destroy(rk);
}

/* ---- waiting for it ---- */

static enum err busy(const struct broker *b, const rd_kafka_topic_partition_t *row, int64_t high,
                     struct err_info *err)
{
    err_set(err, ERR_BUSY, "%s/%" PRId32 ": an open transaction holds back offsets %" PRId64 " to %" PRId64,
            row->topic, row->partition, row->offset, high - 1);
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "see whose it is (kafka-transactions.sh find-hanging), and end it");
    return ERR_BUSY;
}

/* The first row whose stable end lies before its watermark; NULL: none. */
static const rd_kafka_topic_partition_t *held_back(const rd_kafka_topic_partition_list_t *stable,
                                                   const rd_kafka_topic_partition_list_t *high,
                                                   int64_t *watermark)
{
    for (int i = 0; i < stable->cnt; i++) {
        *watermark = high->elems[i].offset;
        if (stable->elems[i].offset < *watermark)
            return &stable->elems[i];
    }
    return NULL;
}

enum err kafka_held_await(struct broker *b, const struct kafka_read *r, rd_kafka_topic_partition_list_t *rows,
                          struct err_info *err)
{
    const rd_kafka_topic_partition_t *held = NULL;
    rd_kafka_topic_partition_list_t *high = rd_kafka_topic_partition_list_copy(rows);
    rd_kafka_t *rk = kafka_handle_new(b, RD_KAFKA_CONSUMER, false, err);
    int64_t watermark = 0;
    enum err e = rk ? kafka_wait_up(b, rk, err) : err ? err->code : ERR_CONFIG;
    if (!e)
        e = kafka_offsets_settled(b, rk, high, RD_KAFKA_OFFSET_END, err);
    while (!e) {
        e = kafka_offsets_settled(b, r->rk, rows, RD_KAFKA_OFFSET_END, err);
        held = e ? NULL : held_back(rows, high, &watermark);
        if (!held)
            break;
        if (atomic_load(b->cancelled))
            e = err_set(err, ERR_CANCELLED, "cancelled");
        else if (clock_mono_ns() + AGAIN_MS * NS_PER_MS >= b->deadline_ns)
            e = busy(b, held, watermark, err);
        else
            poll(NULL, 0, AGAIN_MS);
    }
    if (rk)
        rd_kafka_destroy(rk);
    rd_kafka_topic_partition_list_destroy(high);
    return e;
}

/* ---- saying it ---- */

void kafka_held_look(struct broker *b, struct kafka_read *r)
{
    const struct kafka_state *s = b->state;
    if (r->marks || s->mock)
        return;
    rd_kafka_topic_partition_list_t *rows = rd_kafka_topic_partition_list_new(4);
    if (r->browse && (r->progress.total == 0 || r->tells_held))
        suspect_all(b, r, rows);
    else
        suspect(r, rows);
    judge(r, rows);
    rd_kafka_topic_partition_list_destroy(rows);
}
