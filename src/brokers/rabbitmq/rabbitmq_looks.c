/* What looking costs: a quorum queue counts each return, and drops (or dead-letters) the message that was returned more often than
 * its delivery limit. A message's own count is seen only once it is in our hands, and then returning it is what loses it; so the
 * highest count in the queue must be known before. Two things bound it:
 *
 * - The statistics: no message was returned more often than all redeliveries and the last return together. But they lag behind by
 *   seconds, which are waited for where the limit may be near, and of a queue that was looked into as a whole they count every message.
 * - What our last look saw, which is kept in the state directory, plus all redeliveries since. Our own looks, which follow each
 *   other while somebody searches for a fault, cost no more than one each this way. */
#include "brokers/rabbitmq/rabbitmq_reader.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LAG_NS     (15 * NS_PER_S)    /* statistics are collected every five seconds by default */
#define MOST_COUNT (INT64_C(1) << 48) /* a file that says more is no record: its sums would overflow */
#define CUT_OFF_NS (90 * NS_PER_S)    /* a look holds for a minute at most; then the broker takes back */

/* The last look, as it was written down. */
struct look {
    int64_t worst;       /* no message had been returned more often after it */
    int64_t redelivered; /* what the statistics will say of it at last */
    int64_t time_ns;     /* wall clock */
    bool open;           /* nobody wrote down its end: it goes on, or was killed */
};

static void look_name(const struct broker *b, const char *queue, char *into, size_t size)
{
    char where[900];
    const struct endpoint *e = b->endpoint;
    snprintf(where, sizeof where, "%s:%d\n%s\n%s", e->url.hosts[0].host ? e->url.hosts[0].host : "",
             e->url.hosts[0].port, e->vhost ? e->vhost : "/", queue);
    snprintf(into, size, "look-%016" PRIx64, hash_bytes(bytes_of_text(where), 1));
}

static bool is_count(int64_t n)
{
    return n >= 0 && n <= MOST_COUNT;
}

static bool look_load(const char *name, struct look *look)
{
    char text[512], *at = text;
    if (!state_read(name, text, sizeof text))
        return false;
    look->worst = strtoll(at, &at, 10);
    look->redelivered = strtoll(at, &at, 10);
    look->time_ns = strtoll(at, &at, 10);
    look->open = strtoll(at, &at, 10) != 0;
    return look->time_ns > 0 && is_count(look->worst) && is_count(look->redelivered);
}

static enum err look_save(const struct broker *b, const char *queue, int64_t worst, int64_t redelivered,
                          bool open, struct err_info *err)
{
    char name[64], text[512], shown[200] = "";
    look_name(b, queue, name, sizeof name);
    for (size_t i = 0; queue[i] && i + 1 < sizeof shown; i++) /* somebody may print the file */
        shown[i] = queue[i] >= ' ' && queue[i] < 0x7F ? queue[i] : '?';
    snprintf(text, sizeof text,
             "%" PRId64 " %" PRId64 " %" PRId64 " %d"
             "\nreturns of one message at most, redeliveries of all, time, whether it goes on: queue %s\n",
             worst, redelivered, clock_wall_ns(), open, shown);
    return state_write(name, text, err);
}

static void note_look(const struct broker *b, const char *queue, int64_t worst, int64_t redelivered,
                      bool open)
{
    struct err_info err;
    if (look_save(b, queue, worst, redelivered, open, &err))
        log_write(LOG_WARN, b->endpoint->name, "%s", err.text);
}

/* A time of the future tells of a clock that was set back: further ahead than the span, the look may be of any age, and is no new one. */
static bool is_within(const struct look *look, int64_t span_ns)
{
    int64_t age = clock_wall_ns() - look->time_ns;
    return age > -span_ns && age < span_ns;
}

/* Statistics that say less than they did do not know of our last look yet; or, later on, began anew with the broker. */
static bool is_late(const struct look *last)
{
    return is_within(last, LAG_NS);
}

/* How often one message can have been returned by now. */
static int64_t bound_of(const struct look *last, int64_t redelivered)
{
    if (!last)
        return redelivered + 1;
    int64_t worst = last->worst > 1
                        ? last->worst
                        : 1; /* what came since may have been returned once, and not redelivered */
    int64_t by_look = worst + redelivered - last->redelivered;
    if (redelivered >= last->redelivered)
        return by_look < redelivered + 1 ? by_look : redelivered + 1;
    return is_late(last) ? worst : worst + redelivered;
}

bool rabbit_looks_are_up(const struct broker *b, const char *queue, const struct rabbit_channel *found)
{
    const struct rabbit *rabbit = b->state;
    char name[64];
    struct look last;
    look_name(b, queue, name, sizeof name);
    bool known = look_load(name, &last);
    return !(known && last.open) &&
           bound_of(known ? &last : NULL, found->redelivered) + 1 >= rabbit->reader->delivery_limit;
}

enum err rabbit_looks_check(const struct broker *b, struct err_info *err)
{
    struct err_info why;
    if (!state_check(&why))
        return ERR_OK;
    err_set(err, why.code, "the queue has a delivery limit, and its looks are to be written down: %.200s",
            why.text);
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "%s", why.next);
    return why.code;
}

enum err rabbit_looks_begin(struct broker *b, const char *queue, const struct rabbit_channel *found,
                            struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_looks *l = &rabbit->reader->looks;
    char name[64];
    struct look last;
    look_name(b, queue, name, sizeof name);
    bool known = look_load(name, &last);
    l->worst = -1;
    int64_t redelivered = found->redelivered >= 0 ? found->redelivered : 0;
    l->bound = bound_of(known ? &last : NULL, redelivered);
    bool late = known && last.redelivered > redelivered && is_late(&last);
    l->redelivered = late ? last.redelivered : redelivered;
    l->quiet = found->consumers == 0;
    if (rabbit->reader->delivery_limit <
        0) { /* a policy may set one at any time: our looks count from then on */
        note_look(b, queue, l->bound + 1, l->redelivered, true);
        l->begun = true;
        return ERR_OK;
    }
    if (l->bound + 1 >= rabbit->reader->delivery_limit)
        return ERR_REFUSED;
    enum err e = look_save(b, queue, l->bound + 1, l->redelivered, true, err);
    l->begun = !e;
    return e;
}

int64_t rabbit_delivery_count(const struct message *m)
{
    const struct value *v = headers_find(m->headers, BYTES_LITERAL("x-delivery-count"));
    return !v ? 0 : v->type == VALUE_INT64 || v->type == VALUE_INT32 ? v->i : (int64_t)v->u;
}

bool rabbit_looks_saw(struct rabbit_reader *r, int64_t count, bool redelivered)
{
    r->looks.worst = count > r->looks.worst ? count : r->looks.worst;
    r->looks.redelivered += redelivered;
    return r->delivery_limit >= 0 && count + 2 > r->delivery_limit;
}

bool rabbit_looks_cut_off(const struct broker *b, const char *queue)
{
    char name[64];
    struct look last;
    look_name(b, queue, name, sizeof name);
    return look_load(name, &last) && last.open && is_within(&last, CUT_OFF_NS);
}

void rabbit_looks_end(struct broker *b, bool all, bool back)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    int64_t seen = r->looks.worst + 1;
    /* What consumers hold at this moment we did not see; nor what was sent to us and went back unread. */
    int64_t unseen = r->wanted > r->progress.scanned ? r->looks.bound + 1 : r->looks.bound;
    int64_t worst = (all && r->looks.quiet) || seen > unseen ? seen : unseen;
    note_look(b, r->queue, worst, r->looks.redelivered, !back);
}
