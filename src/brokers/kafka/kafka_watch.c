/* What becomes of topics while they are read. The library looks every five minutes and tells nobody: a topic that was deleted
 * reads like a silent one, and partitions that were added are not read at all. So the cluster is asked, for all topics of the
 * reading in one request. */
#include "brokers/kafka/kafka_reader.h"

#include <inttypes.h>
#include <stdio.h>

#define LOOK_AGAIN_NS (2 * NS_PER_S) /* one answer may come of a broker that has just started */
#define LOOK_MS       1000
/* So many in a row without an answer, while nothing else comes either, mean that the connection is lost. */
#define LOOKS_UNANSWERED 3

static void notice(const struct kafka_read *r, const char *text)
{
    if (r->sink.notice)
        r->sink.notice(r->sink.context, text);
}

static enum err changed(const struct kafka_topic *t, struct err_info *err)
{
    return err_set(err, ERR_CHANGED, "topic %s has changed", t->origin->channel);
}

static enum err miss(const struct broker *b, struct kafka_read *r, struct kafka_topic *t,
                     struct err_info *err)
{
    char text[300];
    if (++t->missed < KAFKA_LOOKS_GONE) {
        r->look_ns = clock_mono_ns() + LOOK_AGAIN_NS;
        return ERR_OK;
    }
    if (r->browse || r->phase != KAFKA_FLOW) {
        err_set(err, ERR_NOTFOUND, "topic %s was deleted while it was read", t->origin->channel);
        err_where(err, "%s", b->endpoint->name);
        return ERR_NOTFOUND;
    }
    if (t->gone)
        return ERR_OK;
    t->gone = true;
    snprintf(text, sizeof text, "topic %s was deleted: nothing comes until it is made anew",
             t->origin->channel);
    notice(r, text);
    return ERR_OK;
}

static bool is_led_now(const struct kafka_read *r, const struct kafka_topic *t,
                       const struct rd_kafka_metadata_partition *p)
{
    bool asked = p->id >= 0 && p->id < t->count && (r->only < 0 || r->only == p->id);
    return asked && p->leader >= 0 && !t->partitions[p->id].wanted;
}

/* All that have one by now, in one word: they are all read from here on. False: none. */
static bool say_led(const struct kafka_read *r, const struct kafka_topic *t,
                    const struct rd_kafka_metadata_topic *md)
{
    char text[300];
    int32_t one = -1;
    int count = 0, unread = 0;
    for (int i = 0; i < md->partition_cnt; i++) {
        if (!is_led_now(r, t, &md->partitions[i]))
            continue;
        one = md->partitions[i].id;
        count++;
        unread += t->partitions[one].next < 0;
    }
    if (count == 1)
        snprintf(text, sizeof text, "partition %" PRId32 " of %s has a leader now, and is read %s", one,
                 t->origin->channel, unread ? "from its end" : "on from where it stood");
    else
        snprintf(text, sizeof text, "%d partitions of %s have leaders now, and are read %s%s%s", count,
                 t->origin->channel, unread < count ? "on from where they stood" : "",
                 unread && unread < count ? ", or " : "", unread ? "from their end" : "");
    if (count)
        notice(r, text);
    return count > 0;
}

/* Partitions that were added, or that had no leader when the reading began. */
static enum err look_at_partitions(const struct kafka_read *r, const struct kafka_topic *t,
                                   const struct rd_kafka_metadata_topic *md, struct err_info *err)
{
    char text[300];
    if (r->only < 0 && md->partition_cnt > t->count) {
        snprintf(text, sizeof text,
                 "topic %s has %d partitions now, not %" PRId32
                 ": the new ones are read from their beginning",
                 t->origin->channel, md->partition_cnt, t->count);
        notice(r, text);
        return changed(t, err);
    }
    return say_led(r, t, md) ? changed(t, err) : ERR_OK;
}

static enum err look_at(const struct broker *b, struct kafka_read *r, struct kafka_topic *t,
                        const struct rd_kafka_metadata_topic *md, struct err_info *err)
{
    char text[300];
    if (kafka_err(md->err) == ERR_NOTFOUND)
        return miss(b, r, t, err);
    t->missed = 0;
    if (md->err || md->partition_cnt == 0 || r->browse || r->phase != KAFKA_FLOW)
        return ERR_OK;
    if (!t->gone && md->partition_cnt >= t->count)
        return look_at_partitions(r, t, md, err);
    t->gone = true; /* fewer partitions: it was gone between two looks */
    snprintf(text, sizeof text, "topic %s was made anew, and is read from its beginning", t->origin->channel);
    notice(r, text);
    return changed(t, err);
}

/* The library waits a minute for the answer to a fetch before it finds a broker dead that has merely stopped. */
static enum err unanswered(const struct broker *b, struct kafka_read *r, struct err_info *err)
{
    bool flows = r->progress.scanned != r->look_scanned;
    r->look_scanned = r->progress.scanned;
    r->unanswered = flows ? 0 : r->unanswered + 1;
    if (r->unanswered < LOOKS_UNANSWERED) {
        r->look_ns = clock_mono_ns() + LOOK_AGAIN_NS;
        return ERR_OK;
    }
    err_set(err, ERR_TIMEOUT, "the cluster does not answer");
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "is the broker overloaded, or the network cut?");
    return ERR_TIMEOUT;
}

enum err kafka_watch(struct broker *b, struct kafka_read *r, struct err_info *err)
{
    const struct rd_kafka_metadata *md = NULL;
    enum err e = ERR_OK;
    if (clock_mono_ns() < r->look_ns)
        return ERR_OK;
    r->look_ns = clock_mono_ns() + KAFKA_LOOK_EVERY_NS;
    if (rd_kafka_metadata(r->rk, 0, NULL, &md, LOOK_MS))
        return unanswered(b, r, err);
    r->unanswered = 0;
    for (size_t t = 0; !e && t < r->topic_count; t++)
        for (int i = 0; !e && i < md->topic_cnt; i++)
            if (!strcmp(md->topics[i].topic, r->topics[t].origin->channel))
                e = look_at(b, r, &r->topics[t], &md->topics[i], err);
    rd_kafka_metadata_destroy(md);
    if (!e && !r->browse && r->phase == KAFKA_FLOW)
        kafka_held_look(b, r);
    if (!r->browse)
        kafka_say_passed(r);
    return e;
}
