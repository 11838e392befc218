/* The runs of the tail: which of them is shown, is kept until that one has begun, goes on beneath it, or only has to end. */
#include "engine/hub_internal.h"

#include <stdio.h>
#include <stdlib.h>

void hub_run_free(struct tail_run *t)
{
    for (size_t i = 0; i < t->part_count; i++)
        hub_source_free(&t->parts[i].source);
    store_free(&t->store);
    filter_free(&t->filter);
    dedupe_mark_free(&t->mark);
    free(t->names);
    free(t->tail.channels);
    free(t);
}

static bool tail_join(struct tail_run *t)
{
    bool all = true;
    for (size_t i = 0; i < t->part_count; i++)
        all &= session_join(&t->parts[i].session);
    return all;
}

static void tail_cancel(struct tail_run *t)
{
    for (size_t i = 0; i < t->part_count; i++)
        if (t->parts[i].session)
            session_cancel(t->parts[i].session);
}

struct tail_run *hub_runs_find(struct hub *h, uint32_t serial)
{
    if (h->tail && h->tail->serial == serial)
        return h->tail;
    if (h->kept && h->kept->serial == serial)
        return h->kept;
    if (h->beneath && h->beneath->serial == serial)
        return h->beneath;
    struct tail_run *t = h->retired;
    while (t && t->serial != serial)
        t = t->next;
    return t;
}

void hub_tail_reap(struct hub *h)
{
    for (struct tail_run **at = &h->retired; *at;) {
        struct tail_run *t = *at;
        if (t->ended < t->part_count) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        tail_join(t);
        hub_run_free(t);
    }
}

bool hub_tail_join(struct hub *h)
{
    bool all = true;
    for (struct tail_run *t = h->retired; t; t = t->next)
        all &= tail_join(t);
    return all;
}

void hub_tail_free(struct hub *h)
{
    for (struct tail_run *t = h->retired, *next; t; t = next) {
        next = t->next;
        hub_run_free(t);
    }
    h->retired = NULL;
}

bool hub_run_has_failed(const struct session_status *status)
{
    enum err e = status->err.code;
    return status->state == SESSION_ENDED && e != ERR_OK && e != ERR_END && e != ERR_CANCELLED;
}

void hub_run_retire(struct hub *h, struct tail_run **run)
{
    struct tail_run *t = *run;
    *run = NULL;
    if (!t)
        return;
    tail_cancel(t);
    store_free(&t->store);
    t->next = h->retired;
    h->retired = t;
}

static bool has_begun(const struct tail_run *t)
{
    for (size_t i = 0; i < t->tail.channel_count; i++) {
        const struct session_status *s = &t->tail.channels[i].status;
        if (s->was_up || s->state == SESSION_UP || s->state == SESSION_BACKOFF)
            return true;
    }
    return false;
}

static bool all_failed(const struct tail_run *t)
{
    for (size_t i = 0; i < t->tail.channel_count; i++)
        if (!hub_run_has_failed(&t->tail.channels[i].status))
            return false;
    return true;
}

/* For as long as another one is not open yet. */
void hub_runs_keep(struct hub *h)
{
    if (h->tail && has_begun(h->tail))
        h->kept = h->tail;
    else
        hub_run_retire(h, &h->tail);
    h->tail = NULL;
}

static void show_kept(struct hub *h)
{
    hub_run_retire(h, &h->tail);
    h->tail = h->kept;
    h->kept = NULL;
}

bool hub_run_is_browse(const struct tail_run *t)
{
    return t->tail.how.mode == READ_BROWSE;
}

static bool goes_on(const struct tail_run *t)
{
    for (size_t i = 0; i < t->tail.channel_count; i++)
        if (t->tail.channels[i].status.state != SESSION_ENDED)
            return true;
    return false;
}

/* Its history goes with a tail: that it was given up is said. */
static void give_up(struct hub *h, struct tail_run **run)
{
    const struct tail_run *t = *run;
    char text[240], more[40] = "";
    if (t && !hub_run_is_browse(t) && goes_on(t)) {
        if (t->tail.channel_count > 1)
            snprintf(more, sizeof more, " and %zu more", t->tail.channel_count - 1);
        snprintf(text, sizeof text, "The tail of %.120s%s was ended: this one took its place",
                 t->tail.channels[0].address.channel.name, more);
        hub_say(h, SEVERITY_INFO, text);
    }
    hub_run_retire(h, run);
}

/* Both together keep to the budget: the tail that nobody sees goes without what a large message above it takes. */
void hub_runs_share(struct hub *h)
{
    if (!h->beneath || !hub_run_is_browse(h->tail)) /* another tail that begins will have all of it */
        return;
    size_t all = store_budget(h->nothing), half = all / 2;
    store_limit(h->tail->store, half, false);
    size_t above = store_bytes(h->tail->store);
    store_limit(h->beneath->store, above <= half ? half : above < all ? all - above : 0, true);
}

/* The tail that was shown before is given up once this one has begun, or waits for its broker, but goes on beneath a browse; it is
 * shown again where nothing of this one could be opened: a mistyped name costs nothing. */
void hub_runs_settle(struct hub *h)
{
    if (!has_begun(h->tail)) {
        if (all_failed(h->tail))
            show_kept(h);
        return;
    }
    bool browse = hub_run_is_browse(h->tail);
    if (browse && !hub_run_is_browse(h->kept)) {
        h->beneath = h->kept;
        h->kept = NULL;
    }
    give_up(h, &h->kept);
    if (!browse)
        give_up(h, &h->beneath);
    else
        hub_runs_share(h);
}

static void hold(struct tail_run *t, const struct message *m)
{
    if (t)
        store_hold(t->store, m);
}

void hub_hold(struct hub *h, const struct message *m)
{
    hold(h->tail, m);
    hold(h->kept, NULL);
    hold(h->beneath, NULL);
}

void hub_tail_close(struct hub *h)
{
    hub_run_retire(h, &h->tail);
    hub_run_retire(h, &h->kept);
    hub_run_retire(h, &h->beneath);
}

const struct hub_tail *hub_tail_beneath(const struct hub *h)
{
    const struct tail_run *t = h->beneath ? h->beneath : h->kept;
    return t && !hub_run_is_browse(t) && hub_run_is_browse(h->tail) ? &t->tail : NULL;
}

bool hub_tail_back(struct hub *h)
{
    struct tail_run **from = h->beneath ? &h->beneath : &h->kept, *t = *from;
    if (!hub_tail_beneath(h))
        return false;
    *from = NULL;
    hub_run_retire(h, &h->tail);
    hub_run_retire(h, &h->kept);
    h->tail = t;
    store_limit(t->store, store_budget(h->nothing), false);
    return true;
}

bool hub_tail_holds(const struct hub *h, uint32_t serial)
{
    return (h->kept && h->kept->serial == serial) || (h->beneath && h->beneath->serial == serial);
}

const struct hub_tail *hub_tail(const struct hub *h)
{
    return h->tail ? &h->tail->tail : NULL;
}
