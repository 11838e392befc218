/* Which messages a committed reader does not get. Kafka tells a client that reads uncommitted nothing of it, so a second
 * reader, committed, runs beside: what it skips below its position was aborted, and what lies at or above the last stable
 * offset is (behind) an open transaction. The latter is asked for once a batch, after the batch came, so that it is never
 * older than the message it decides on. */
#include "brokers/kafka/kafka_reader.h"

#include <stdlib.h>

#define RUNS_MOST 1000000 /* of committed offsets, over all partitions; a transaction makes one */

struct run {
    int64_t first, last;
};

struct marked {
    struct run *runs;
    size_t head, count, cap;
    int64_t decided; /* all below is known */
    int64_t stable;  /* as asked after this batch; -1: not asked */
    bool started;
    /* What lies between `decided` and the next message was removed before this reader came there. */
    bool lost;
};

struct kafka_marks {
    rd_kafka_queue_t *queue;
    rd_kafka_topic_t *topics[KAFKA_TOPICS];
    struct marked *marked[KAFKA_TOPICS];
    size_t runs;
    rd_kafka_message_t *batch[KAFKA_BATCH];
};

static enum err add_topic(struct broker *b, struct kafka_marks *k, const struct kafka_topic *t, size_t at,
                          struct err_info *err)
{
    struct kafka_state *s = b->state;
    k->topics[at] = rd_kafka_topic_new(s->rk, t->origin->channel, NULL);
    k->marked[at] = calloc((size_t)t->count + 1, sizeof **k->marked);
    if (k->topics[at] && k->marked[at])
        return ERR_OK;
    return err_set(err, ERR_NOMEM, "no memory for %d partitions", t->count);
}

enum err kafka_marks_open(struct broker *b, struct kafka_read *r, struct err_info *err)
{
    struct kafka_state *s = b->state;
    struct kafka_marks *k = r->marks = calloc(1, sizeof *k);
    if (!k)
        return err_set(err, ERR_NOMEM, "no memory for reading");
    k->queue = rd_kafka_queue_new(s->rk);
    kafka_queue_watch(s, k->queue);
    enum err e = ERR_OK;
    for (size_t t = 0; !e && t < r->topic_count; t++)
        e = add_topic(b, k, &r->topics[t], t, err);
    if (!e && r->sink.notice && !r->resumed)
        r->sink.notice(r->sink.context,
                       "reads twice, the second time as committed readers do, to mark what these do not get");
    return e;
}

enum err kafka_marks_start(struct broker *b, struct kafka_read *r, struct err_info *err)
{
    struct kafka_marks *k = r->marks;
    for (size_t t = 0; t < r->topic_count; t++) {
        for (int32_t p = 0; p < r->topics[t].count; p++) {
            struct marked *m = &k->marked[t][p];
            if (!r->topics[t].partitions[p].started)
                continue;
            m->decided = r->topics[t].partitions[p].from;
            if (rd_kafka_consume_start_queue(k->topics[t], p, m->decided, k->queue))
                return kafka_fail(b, rd_kafka_last_error(), r->topics[t].origin->channel, err);
            m->started = true;
        }
    }
    return ERR_OK;
}

void kafka_marks_stop(struct kafka_read *r)
{
    struct kafka_marks *k = r->marks;
    for (size_t t = 0; t < r->topic_count; t++) {
        for (int32_t p = 0; k->marked[t] && p < r->topics[t].count; p++) {
            struct marked *m = &k->marked[t][p];
            if (m->started)
                rd_kafka_consume_stop(k->topics[t], p);
            m->started = false;
            m->head = m->count = 0;
        }
    }
    k->runs = 0;
    ssize_t n;
    while ((n = rd_kafka_consume_batch_queue(k->queue, 0, k->batch, KAFKA_BATCH)) > 0)
        for (ssize_t i = 0; i < n; i++)
            rd_kafka_message_destroy(k->batch[i]);
}

void kafka_marks_close(struct kafka_read *r)
{
    struct kafka_marks *k = r->marks;
    if (!k)
        return;
    for (size_t t = 0; t < r->topic_count; t++) {
        for (int32_t p = 0; k->marked[t] && p < r->topics[t].count; p++)
            free(k->marked[t][p].runs);
        free(k->marked[t]);
        if (k->topics[t])
            rd_kafka_topic_destroy(k->topics[t]);
    }
    kafka_queue_drop(&k->queue);
    free(k);
    r->marks = NULL;
}

/* ---- what the committed reader gets ---- */

static enum err add_run(struct kafka_marks *k, struct marked *m, int64_t first, int64_t last,
                        struct err_info *err)
{
    if (m->count > m->head && m->runs[m->count - 1].last == first - 1) {
        m->runs[m->count - 1].last = last;
        return ERR_OK;
    }
    if (m->head > 0 && m->head >= m->count / 2) {
        memmove(m->runs, m->runs + m->head, (m->count - m->head) * sizeof *m->runs);
        m->count -= m->head;
        m->head = 0;
    }
    if (m->count == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 16;
        struct run *runs = realloc(m->runs, cap * sizeof *runs);
        if (!runs)
            return err_set(err, ERR_NOMEM, "no memory for the marks of transactions");
        m->runs = runs;
        m->cap = cap;
    }
    if (++k->runs > RUNS_MOST)
        return err_set(err, ERR_LIMIT, "more than %d transactions between the two readers", RUNS_MOST);
    m->runs[m->count++] = (struct run){first, last};
    return ERR_OK;
}

static struct marked *marked_of(const struct kafka_read *r, const rd_kafka_message_t *m)
{
    const struct kafka_marks *k = r->marks;
    for (size_t t = 0; t < r->topic_count; t++)
        if (k->topics[t] == m->rkt && m->partition >= 0 && m->partition < r->topics[t].count)
            return &k->marked[t][m->partition];
    return NULL;
}

/* What it was to go on from is gone. The other reader says so, when it comes there. */
static enum err start_over(struct broker *b, struct kafka_marks *k, struct marked *of,
                           const rd_kafka_message_t *m, struct err_info *err)
{
    of->lost = true;
    rd_kafka_consume_stop(m->rkt, m->partition);
    if (rd_kafka_consume_start_queue(m->rkt, m->partition, RD_KAFKA_OFFSET_BEGINNING, k->queue))
        return kafka_fail(b, rd_kafka_last_error(), "the committed reader", err);
    return ERR_OK;
}

static enum err learn(struct broker *b, struct kafka_read *r, const rd_kafka_message_t *m,
                      struct err_info *err)
{
    struct marked *of = marked_of(r, m);
    if (m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET && of)
        return start_over(b, r->marks, of, m, err);
    if (m->err && m->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
        return kafka_fail(b, m->err, "the committed reader", err);
    if (!of || m->offset < of->decided)
        return ERR_OK;
    /* Of what was removed the other reader may still hold some; whether it was committed nobody can tell: it isn't marked. */
    int64_t first = of->lost ? of->decided : m->offset;
    int64_t last = m->err ? m->offset - 1 : m->offset;
    of->lost = false;
    of->decided = last + 1;
    return first <= last ? add_run(r->marks, of, first, last, err) : ERR_OK;
}

enum err kafka_marks_pump(struct broker *b, struct kafka_read *r, struct err_info *err)
{
    struct kafka_marks *k = r->marks;
    enum err e = ERR_OK;
    ssize_t n;
    while (!e && (n = rd_kafka_consume_batch_queue(k->queue, 0, k->batch, KAFKA_BATCH)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            if (!e)
                e = learn(b, r, k->batch[i], err);
            rd_kafka_message_destroy(k->batch[i]);
        }
    }
    return e;
}

void kafka_marks_new_batch(struct kafka_read *r)
{
    for (size_t t = 0; t < r->topic_count; t++)
        for (int32_t p = 0; p < r->topics[t].count; p++)
            r->marks->marked[t][p].stable = -1;
}

/* ---- deciding ---- */

static enum err ask_stable(struct broker *b, const char *topic, int32_t partition, struct marked *m,
                           struct err_info *err)
{
    struct kafka_state *s = b->state;
    rd_kafka_topic_partition_list_t *row = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(row, topic, partition);
    b->deadline_ns = clock_mono_ns() + 5 * NS_PER_S;
    enum err e = kafka_offsets(b, s->rk, row, RD_KAFKA_OFFSET_END, err);
    if (!e && row->elems[0].err)
        e = kafka_fail(b, row->elems[0].err, topic, err);
    m->stable = row->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(row);
    return e;
}

enum err kafka_marks_decide(struct broker *b, struct kafka_read *r, const struct kafka_topic *t,
                            const rd_kafka_message_t *m, enum kafka_mark *mark, struct err_info *err)
{
    struct marked *of = &r->marks->marked[t - r->topics][m->partition];
    enum err e = ERR_OK;
    *mark = KAFKA_MARK_WAIT;
    if (m->offset >= of->decided) {
        if (of->stable < 0)
            e = ask_stable(b, t->origin->channel, m->partition, of, err);
        if (!e && m->offset >= of->stable)
            *mark = KAFKA_MARK_UNCOMMITTED;
        return e;
    }
    while (of->head < of->count && of->runs[of->head].last < m->offset)
        of->head++, r->marks->runs--;
    bool got = of->head < of->count && of->runs[of->head].first <= m->offset;
    *mark = got ? KAFKA_MARK_COMMITTED : KAFKA_MARK_UNCOMMITTED;
    return ERR_OK;
}
