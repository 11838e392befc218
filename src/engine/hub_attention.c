/* What needs attention: endpoints and probes that are not well, dead letters that nobody reads. */
#include "engine/hub_internal.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

static struct hub_attention *attention_row(struct hub *h, enum severity severity, const char *word,
                                           const char *name, int64_t since_ns)
{
    if (h->attention_count == ATTENTION_MOST)
        return NULL;
    struct hub_attention *a = &h->attention[h->attention_count++];
    *a = (struct hub_attention){
        .severity = severity, .word = word, .name = name, .where = "", .since_ns = since_ns, .next = ""};
    return a;
}

static void attend_health(struct hub *h, const struct availability *a, const char *name, const char *where)
{
    struct hub_attention *row = NULL;
    if (a->state == HEALTH_DOWN)
        row = attention_row(h, SEVERITY_CRIT, "DOWN", name, a->since_ns);
    else if (a->state == HEALTH_DEGRADED)
        row = attention_row(h, SEVERITY_WARN, a->slow ? "SLOW" : "WARN", name, a->since_ns);
    else if (availability_fails(a))
        row = attention_row(h, SEVERITY_WARN, "FAIL", name, a->run_since_ns);
    else if (a->state == HEALTH_UNKNOWN && a->change_count) /* it was known before */
        row = attention_row(h, SEVERITY_WARN, "STALE", name, a->since_ns);
    if (!row)
        return;
    row->where = where;
    row->since_before = a->since_before || availability_fails(a);
    row->fails = a->state != HEALTH_DOWN && a->failures > 0;
    availability_reason(a, row->text, sizeof row->text);
}

static void attend_endpoint(struct hub *h, const struct hub_endpoint *e)
{
    size_t before = h->attention_count;
    char time[16];
    attend_health(h, &e->health, e->config->endpoint.name, e->config->endpoint.text);
    if (h->attention_count == before || !hub_is_stale(e))
        return;
    struct hub_attention *row = &h->attention[before];
    size_t len = strlen(row->text);
    snprintf(row->text + len, sizeof row->text - len, "; showing data of %sZ",
             clock_hms(e->channels->time_ns, time, sizeof time, 0));
}

/* Lost, and not down yet: that takes several failures, and where nothing answers each takes its time-out. */
static void attend_connection(struct hub *h, const struct hub_endpoint *e)
{
    struct hub_attention *row = NULL;
    if (e->lost_since_ns && e->health.state != HEALTH_DOWN && !availability_fails(&e->health))
        row = attention_row(h, SEVERITY_WARN, "LOST", e->config->endpoint.name, e->lost_since_ns);
    if (!row)
        return;
    row->where = e->config->endpoint.text;
    row->fails = true;
    text_copy(row->text, sizeof row->text, e->lost_why);
    row->next = "trying again";
}

/* Kafka tells how many at most; of a broker that is gone it is known how many there were, and no longer who reads. */
static void tell_dead_letters(const struct hub_endpoint *e, const struct channel *c, char *into, size_t size)
{
    char count[32], time[16];
    int used = snprintf(into, size, "%s%s dead letter%s", c->depth_upper ? "at most " : "",
                        text_count(count, sizeof count, (uint64_t)c->depth), c->depth == 1 ? "" : "s");
    if (hub_channel_is_stale(e, c))
        snprintf(into + used, size - (size_t)used, " at %sZ",
                 clock_hms(hub_counts_ns(e, c), time, sizeof time, 0));
    else if (c->consumers >= 0)
        snprintf(into + used, size - (size_t)used, ", %s reading %s",
                 c->consumers > 0 ? "somebody" : "nobody", c->depth == 1 ? "it" : "them");
}

static void attend_dead_letters(struct hub *h, const struct hub_endpoint *e)
{
    for (size_t i = 0; e->channels && i < e->channels->count; i++) {
        const struct channel *c = &e->channels->items[i];
        if (!c->dead_letters || c->depth <= 0 || c->internal)
            continue;
        struct hub_attention *row = attention_row(h, SEVERITY_WARN, "DLQ", c->name, c->filled_since_ns);
        if (!row)
            return;
        row->where = e->config->endpoint.name;
        tell_dead_letters(e, c, row->text, sizeof row->text);
        row->next = "t tails, b browses";
    }
}

static int by_severity(const void *a, const void *b)
{
    const struct hub_attention *x = a, *y = b;
    if (x->severity != y->severity)
        return (int)y->severity - (int)x->severity;
    if (x->fails != y->fails)
        return y->fails - x->fails;
    return x->since_ns < y->since_ns ? -1 : x->since_ns > y->since_ns;
}

void hub_attend(struct hub *h)
{
    h->attention_count = 0;
    for (size_t i = 0; i < h->endpoint_count; i++) {
        const struct hub_endpoint *e = &h->endpoints[i];
        if (!e->tried)
            attend_endpoint(h, e);
        attend_connection(h, e);
        attend_dead_letters(h, e);
    }
    for (size_t i = 0; i < h->probe_count; i++)
        attend_health(h, &h->probes[i].health, h->probes[i].target->name, h->probes[i].target->endpoint.text);
    qsort(h->attention, h->attention_count, sizeof *h->attention, by_severity);
}

size_t hub_attention(const struct hub *h, const struct hub_attention **rows)
{
    *rows = h->attention;
    return h->attention_count;
}
