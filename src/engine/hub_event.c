#include "engine/hub_event.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "engine/store.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

/* Only as much as the kind needs: a batch is the largest. */
static struct hub_event *event_new(enum hub_source_kind source, enum hub_event_kind kind, size_t index,
                                   uint32_t serial)
{
    struct hub_event *e = calloc(1, sizeof *e);
    if (e) {
        e->source = source;
        e->kind = kind;
        e->index = index;
        e->serial = serial;
    }
    return e;
}

void hub_event_release(struct queue_item *item)
{
    struct hub_event *e = (struct hub_event *)item;
    if (e->kind == HUB_EVENT_LIST)
        channel_list_free(&e->list);
    for (size_t i = 0; e->kind == HUB_EVENT_BATCH && i < e->batch.count; i++)
        message_unref(&e->batch.messages[i]);
    free(e);
}

void hub_events_free(struct queue_item **list)
{
    for (struct queue_item *i = *list, *next; i; i = next) {
        next = i->next;
        hub_event_release(i);
    }
    *list = NULL;
}

void hub_source_init(struct hub_source *s, struct queue *queue, enum hub_source_kind kind, size_t index,
                     uint32_t serial)
{
    *s = (struct hub_source){
        .queue = queue, .kind = kind, .index = index, .serial = serial, .left = -1, .room = SIZE_MAX};
    atomic_init(&s->full, false);
    atomic_init(&s->unknown, 0);
    atomic_init(&s->paused, false);
}

void hub_source_free(struct hub_source *s)
{
    if (s->batch)
        hub_event_release(&s->batch->item);
    s->batch = NULL;
}

bool hub_source_was_paused(struct hub_source *s)
{
    return atomic_exchange(&s->paused, false);
}

static void push_urgent(struct queue *queue, struct hub_event *e)
{
    if (!queue_push(queue, &e->item, sizeof *e, true))
        hub_event_release(&e->item);
}

static struct hub_event *source_event(struct hub_source *s, enum hub_event_kind kind)
{
    return event_new(s->kind, kind, s->index, s->serial);
}

/* ---- messages, in batches ---- */

/* False: no room. The flag is set before the second try, so that a consumer that made room in between is not missed. */
static bool push_batch(struct hub_source *s)
{
    if (!s->batch || s->batch->batch.count == 0)
        return true;
    if (!queue_push(s->queue, &s->batch->item, s->batch_bytes, false)) {
        atomic_store(&s->paused, true);
        if (!queue_push(s->queue, &s->batch->item, s->batch_bytes, false))
            return false;
        /* The flag stays: the session may be paused already, and resuming one that is not does nothing. */
    }
    s->batch = NULL;
    s->batch_bytes = 0;
    return true;
}

/* What fills the queue by itself goes alone: the next one stays where it is until there is room, else two of the largest that there are
 * would wait here. */
static bool push_large(struct hub_source *s)
{
    if (!push_batch(s))
        return false;
    atomic_store(&s->paused, true);
    if (!queue_low(s->queue))
        return false;
    atomic_store(&s->paused, false);
    return true;
}

/* A browse ends where the next message would push out the first: what was read stays. False: it ends here. */
static bool take_room(struct hub_source *s, size_t bytes)
{
    if (s->room == SIZE_MAX)
        return true;
    bytes += STORE_MESSAGE;
    if (bytes > s->room && s->took) {
        atomic_store(&s->full, true);
        return false;
    }
    s->took = true;
    s->room -= bytes < s->room ? bytes : s->room;
    return true;
}

static void on_notice(void *context, const char *text);

/* The message itself, or a marked one in `room`. */
static const struct message *mark(struct hub_source *s, const struct message *m, struct message *room)
{
    char text[200];
    enum dedupe_marked marked = dedupe_mark_see(s->mark, m);
    if (marked == DEDUPE_MARK_FORGETS)
        on_notice(s, dedupe_mark_since(s->mark, text, sizeof text));
    if (marked != DEDUPE_MARK_AGAIN)
        return m;
    *room = *m;
    room->flags |= MESSAGE_DUPLICATE;
    return room;
}

static enum emit on_message(void *context, const struct message *borrowed)
{
    struct hub_source *s = context;
    struct message marked;
    if (s->left == 0)
        return EMIT_STOP;
    if (s->mark)
        borrowed = mark(s, borrowed, &marked);
    enum filter_answer a = s->filter ? filter_message(s->filter, borrowed, clock_wall_ns()) : FILTER_YES;
    if (a == FILTER_UNKNOWN)
        atomic_fetch_add_explicit(&s->unknown, 1, memory_order_relaxed);
    if (a != FILTER_YES)
        return EMIT_OK;
    struct message *m = message_seal(borrowed, NULL);
    if (m && !take_room(s, m->footprint)) {
        message_unref(&m);
        return EMIT_STOP;
    }
    if (!s->batch) {
        s->batch = source_event(s, HUB_EVENT_BATCH);
        s->batch_bytes = sizeof *s->batch;
    }
    /* Out of memory, or beyond every limit: the store could not hold it either. The count of received shows the loss. */
    if (!m || !s->batch) {
        message_unref(&m);
        return EMIT_OK;
    }
    assert(s->batch->batch.count < HUB_BATCH); /* a driver that was told to pause emits no more */
    s->batch->batch.messages[s->batch->batch.count++] = m;
    s->batch_bytes += m->footprint;
    if (s->left > 0 && --s->left == 0)
        return EMIT_STOP;
    if (s->batch_bytes >= LIMIT_QUEUE)
        return push_large(s) ? EMIT_OK : EMIT_PAUSE;
    bool full = s->batch->batch.count == HUB_BATCH || s->batch_bytes >= 512 * KIB;
    return !full || push_batch(s) ? EMIT_OK : EMIT_PAUSE;
}

static bool on_idle(void *context)
{
    return push_batch(context);
}

/* ---- the rest is urgent: few, small, and never refused ---- */

/* Nobody comes back for a batch that a full queue has refused once its session has ended. */
static void push_rest(struct hub_source *s)
{
    if (s->batch && queue_push(s->queue, &s->batch->item, s->batch_bytes, true))
        s->batch = NULL;
}

static void on_status(void *context, const struct session_status *status)
{
    struct hub_source *s = context;
    struct hub_event *e = source_event(s, HUB_EVENT_STATUS);
    if (!e)
        return;
    if (status->state == SESSION_ENDED)
        push_rest(s);
    e->status = *status;
    push_urgent(s->queue, e);
}

static void on_notice(void *context, const char *text)
{
    struct hub_source *s = context;
    struct hub_event *e = source_event(s, HUB_EVENT_NOTICE);
    if (!e)
        return;
    text_copy(e->notice, sizeof e->notice, text);
    push_urgent(s->queue, e);
}

static void on_listed(void *context, struct channel_list *list)
{
    struct hub_source *s = context;
    struct hub_event *e = source_event(s, HUB_EVENT_LIST);
    if (!e) {
        channel_list_free(&list);
        return;
    }
    e->list = list;
    push_urgent(s->queue, e);
}

static void on_sampled(void *context, const struct sample *sample)
{
    struct hub_source *s = context;
    struct hub_event *e = source_event(s, HUB_EVENT_SAMPLE);
    if (!e)
        return;
    e->sample = *sample;
    push_urgent(s->queue, e);
}

struct session_sink hub_source_sink(struct hub_source *s)
{
    return (struct session_sink){
        .context = s,
        .message = on_message,
        .idle = on_idle,
        .status = on_status,
        .notice = on_notice,
        .listed = on_listed,
        .sampled = on_sampled,
    };
}

void hub_push_probe(struct queue *queue, size_t index, const struct sample *sample)
{
    struct hub_event *e = event_new(HUB_SOURCE_PROBE, HUB_EVENT_SAMPLE, index, 0);
    if (!e)
        return;
    e->sample = *sample;
    push_urgent(queue, e);
}

void hub_push_decoded(struct queue *queue)
{
    struct hub_event *e = event_new(HUB_SOURCE_DECODER, HUB_EVENT_DECODED, 0, 0);
    if (e)
        push_urgent(queue, e);
}
