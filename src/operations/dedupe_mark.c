#include "operations/dedupe_mark.h"

#include "base/limits.h"
#include "base/text.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* How far a partition was read: a connection that is made anew may read some of it once more. */
struct place {
    const struct origin *origin;
    int32_t partition;
    int64_t next;
};

struct dedupe_mark {
    pthread_mutex_t lock;
    struct dedupe_rule *rule;
    struct recent *recent;
    struct buffer room, value;
    struct place *places;
    size_t place_count, at;
    int64_t since_ns;
    uint64_t seen, marked, without, unknown;
    bool forgets;
};

struct dedupe_mark *dedupe_mark_new(const struct dedupe_mark_job *job, struct err_info *err)
{
    struct dedupe_rule *rule = dedupe_rule_new(job->rule, job->decoders, err);
    if (!rule)
        return NULL;
    struct dedupe_mark *d = calloc(1, sizeof *d);
    struct recent *recent = recent_new(job->most_values ? job->most_values : DEDUPE_MARK_VALUES,
                                       job->most_bytes ? job->most_bytes : DEDUPE_MARK_BYTES);
    if (!d || !recent) {
        free(d);
        recent_free(&recent);
        dedupe_rule_free(&rule);
        err_set(err, ERR_NOMEM, "no memory to know duplicates by");
        return NULL;
    }
    d->rule = rule;
    d->recent = recent;
    d->since_ns = clock_wall_ns();
    buffer_init(&d->room, 2 * LIMIT_MESSAGE);
    buffer_init(&d->value, 3 * LIMIT_MESSAGE);
    pthread_mutex_init(&d->lock, NULL);
    return d;
}

void dedupe_mark_free(struct dedupe_mark **dp)
{
    struct dedupe_mark *d = *dp;
    *dp = NULL;
    if (!d)
        return;
    pthread_mutex_destroy(&d->lock);
    dedupe_rule_free(&d->rule);
    recent_free(&d->recent);
    buffer_free(&d->room);
    buffer_free(&d->value);
    free(d->places);
    free(d);
}

/* ---- what passes ---- */

static bool is_at(const struct place *p, const struct message *m)
{
    return p->origin == m->origin && p->partition == m->position.partition;
}

/* Is this place read for the first time? Without memory for it nobody knows. */
static bool is_further(struct dedupe_mark *d, const struct message *m)
{
    if (m->position.kind == POSITION_NONE)
        return true;
    if (d->at >= d->place_count || !is_at(&d->places[d->at], m))
        for (d->at = 0; d->at < d->place_count && !is_at(&d->places[d->at], m);)
            d->at++;
    if (d->at == d->place_count) {
        struct place *all = reallocarray(d->places, d->at + 1, sizeof *all);
        if (!all)
            return false;
        d->places = all;
        all[d->place_count++] =
            (struct place){.origin = m->origin, .partition = m->position.partition, .next = INT64_MIN};
    }
    bool further = m->position.offset >= d->places[d->at].next;
    if (further)
        d->places[d->at].next = m->position.offset + 1;
    return further;
}

/* With the channel's own name, so that two channels with the same message have no duplicates. */
static enum dedupe_value value_of(struct dedupe_mark *d, const struct message *m)
{
    struct bytes value;
    enum dedupe_value found = dedupe_rule_value(d->rule, m, &d->room, &value);
    if (found == DEDUPE_NONE)
        return found;
    if (!buffer_ok(&d->room) || m->flags & (MESSAGE_TRUNCATED | MESSAGE_REDACTED))
        return DEDUPE_UNKNOWN;
    buffer_clear(&d->value);
    buffer_append(&d->value, &m->origin, sizeof m->origin);
    if (found == DEDUPE_FOUND)
        buffer_bytes(&d->value, value);
    return buffer_ok(&d->value) ? found : DEDUPE_UNKNOWN;
}

static enum dedupe_marked judge(struct dedupe_mark *d, const struct message *m)
{
    int64_t before;
    enum dedupe_value found = value_of(d, m);
    d->seen++;
    d->without += found == DEDUPE_NONE;
    enum recent_answer answer = found == DEDUPE_FOUND
                                    ? recent_see(d->recent, buffer_view(&d->value), clock_wall_ns(), &before)
                                    : RECENT_NEW;
    d->unknown += found == DEDUPE_UNKNOWN || answer == RECENT_LARGE;
    d->marked += answer == RECENT_AGAIN;
    if (answer == RECENT_AGAIN)
        return DEDUPE_MARK_AGAIN;
    bool before_it = d->forgets;
    d->forgets = recent_window(d->recent).forgotten > 0;
    return d->forgets && !before_it ? DEDUPE_MARK_FORGETS : DEDUPE_MARK_NONE;
}

enum dedupe_marked dedupe_mark_see(struct dedupe_mark *d, const struct message *m)
{
    pthread_mutex_lock(&d->lock);
    enum dedupe_marked marked = is_further(d, m) ? judge(d, m) : DEDUPE_MARK_NONE;
    pthread_mutex_unlock(&d->lock);
    return marked;
}

/* ---- what is known ---- */

/* Within the lock. */
static const char *since_text(const struct dedupe_mark *d, char *into, size_t size)
{
    struct recent_window w = recent_window(d->recent);
    return clock_hms(w.since_ns == TIME_NONE ? d->since_ns : w.since_ns, into, size, 0);
}

char *dedupe_mark_since(struct dedupe_mark *d, char *into, size_t size)
{
    char since[CLOCK_TEXT];
    pthread_mutex_lock(&d->lock);
    snprintf(into, size, "duplicates by %s are marked; what passed before %s is not known",
             dedupe_rule_text(d->rule), since_text(d, since, sizeof since));
    pthread_mutex_unlock(&d->lock);
    return into;
}

static int put_rest(const char *what, uint64_t n, char *into, size_t size)
{
    char count[32];
    return n ? snprintf(into, size, "; %s %s", text_count(count, sizeof count, n), what) : 0;
}

char *dedupe_mark_text(struct dedupe_mark *d, char *into, size_t size)
{
    char since[CLOCK_TEXT], marked[32], seen[32];
    pthread_mutex_lock(&d->lock);
    int n = snprintf(into, size, "%s duplicate%s by %s of %s messages since %s",
                     text_count(marked, sizeof marked, d->marked), d->marked == 1 ? "" : "s",
                     dedupe_rule_text(d->rule), text_count(seen, sizeof seen, d->seen),
                     since_text(d, since, sizeof since));
    if ((size_t)n < size)
        n += put_rest("without a value", d->without, into + n, size - (size_t)n);
    if ((size_t)n < size)
        put_rest("that could not be judged", d->unknown, into + n, size - (size_t)n);
    pthread_mutex_unlock(&d->lock);
    return into;
}
