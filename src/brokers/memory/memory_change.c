/* What changes channels in memory: leases, purges, publishing. A lease holds sequences; the server keeps the messages. */
#include "brokers/memory/memory_session.h"

#include "base/text.h"

#include <stdlib.h>
#include <sys/poll.h>
#include <unistd.h>

enum err memory_not_found(const char *name, struct err_info *err)
{
    struct channel_list *list = channel_list_new();
    const char *names[65] = {NULL};
    if (list)
        memory_list(NULL, list);
    for (size_t i = 0; list && i < list->count && i < 64; i++)
        names[i] = list->items[i].name;
    const char *near = text_nearest(name, names);
    err_set(err, ERR_NOTFOUND, "no channel %s in memory", name);
    if (near)
        err_next(err, "did you mean %s?", near);
    else
        err_next(err, "`signalbox ls memory:` lists them");
    if (list)
        channel_list_free(&list);
    return ERR_NOTFOUND;
}

/* ---- leasing ---- */

enum err memory_lease_open(struct broker *b, const struct lease_request *request,
                           const struct lease_sink *sink, struct err_info *err)
{
    struct memory_state *s = b->state;
    struct memory_range range;
    int64_t ready = 0, leased;
    if (!memory_range(request->from.name, &range))
        return memory_not_found(request->from.name, err);
    if (range.kind != CHANNEL_QUEUE)
        return err_set(err, ERR_UNSUPPORTED, "%s is a topic: nothing is taken off it one by one",
                       request->from.name);
    memory_count(request->from.name, &ready, &leased);
    struct cursor *c = &s->cursors[0];
    text_copy(c->name, sizeof c->name, request->from.name);
    c->origin = endpoint_origin(b->endpoint, c->name, range.kind);
    c->at = 0;
    s->paused = s->stopped = false;
    s->lease =
        (struct memory_lease){.sink = *sink,
                              .window = request->window,
                              .left = request->most >= 0 && request->most < ready ? request->most : ready};
    return ERR_OK;
}

static bool hold(struct memory_lease *l, int64_t sequence)
{
    if (l->held_count == l->held_cap) {
        size_t cap = l->held_cap ? l->held_cap * 2 : 256;
        int64_t *held = reallocarray(l->held, cap, sizeof *held);
        if (!held)
            return false;
        l->held = held;
        l->held_cap = cap;
    }
    l->held[l->held_count++] = sequence;
    l->out++;
    return true;
}

static enum err hand_over(struct memory_state *s, bool *any, struct err_info *err)
{
    struct memory_lease *l = &s->lease;
    struct cursor *c = &s->cursors[0];
    struct message *stored = memory_lease(c->name, &c->at);
    *any = stored;
    if (!stored)
        return ERR_OK;
    if (!hold(l, c->at)) {
        memory_settle(c->name, c->at, false);
        message_unref(&stored);
        return err_set(err, ERR_NOMEM, "no memory for a lease");
    }
    struct message m = memory_borrow(stored, c->origin);
    l->left--;
    enum emit said = l->sink.message(l->sink.context, &m, (uint64_t)c->at);
    s->paused |= said == EMIT_PAUSE;
    s->stopped |= said == EMIT_STOP;
    c->at++;
    message_unref(&stored);
    return ERR_OK;
}

enum err memory_lease_step(struct broker *b, int timeout_ms, struct err_info *err)
{
    struct memory_state *s = b->state;
    struct memory_lease *l = &s->lease;
    enum err e = ERR_OK;
    bool any = true, some = false;
    memory_listen_again(s->listener);
    for (int n = 0;
         n < STEP_BATCH && any && !e && !s->paused && !s->stopped && l->left > 0 && l->out < l->window; n++) {
        e = hand_over(s, &any, err);
        some |= any;
    }
    if (e || s->stopped || l->left <= 0 || !any)
        return e ? e : ERR_END;
    if (some)
        return ERR_OK;
    struct pollfd fds[] = {{.fd = s->event_fd, .events = POLLIN}, {.fd = b->wake_fd, .events = POLLIN}};
    poll(fds, 2, timeout_ms);
    (void)!read(s->event_fd, &(uint64_t){0}, sizeof(uint64_t));
    return ERR_OK;
}

enum err memory_settle_one(struct broker *b, uint64_t handle, enum settle how, struct err_info *err)
{
    (void)err;
    struct memory_state *s = b->state;
    struct memory_lease *l = &s->lease;
    l->out -= l->out > 0;
    if (how == SETTLE_KEEP)
        return ERR_OK;
    memory_settle(s->cursors[0].name, (int64_t)handle, true);
    for (size_t i = 0; i < l->held_count; i++)
        if (l->held[i] == (int64_t)handle) {
            memmove(l->held + i, l->held + i + 1, (l->held_count - i - 1) * sizeof *l->held);
            l->held_count--;
            break;
        }
    return ERR_OK;
}

enum err memory_settle_sync(struct broker *b, struct err_info *err)
{
    (void)b, (void)err;
    return ERR_OK;
}

enum err memory_lease_close(struct broker *b, int64_t *returned, struct err_info *err)
{
    (void)err;
    struct memory_state *s = b->state;
    struct memory_lease *l = &s->lease;
    *returned = (int64_t)l->held_count;
    for (size_t i = 0; i < l->held_count; i++)
        memory_settle(s->cursors[0].name, l->held[i], false);
    free(l->held);
    *l = (struct memory_lease){.window = 0};
    return ERR_OK;
}

enum err memory_count_channel(struct broker *b, const struct channel_name *channel, int64_t *ready,
                              int64_t *unacked, struct err_info *err)
{
    (void)b;
    return memory_count(channel->name, ready, unacked) ? ERR_OK : memory_not_found(channel->name, err);
}

enum err memory_truncate(struct broker *b, const struct channel_name *channel,
                         const struct read_places *up_to, int64_t *removed, struct err_info *err)
{
    (void)b, (void)up_to;
    struct memory_range range;
    if (!memory_range(channel->name, &range))
        return memory_not_found(channel->name, err);
    *removed = memory_purge(channel->name);
    return ERR_OK;
}

/* ---- publishing ---- */

enum err memory_publish_open(struct broker *b, const struct publish_request *request,
                             const struct publish_sink *sink, struct err_info *err)
{
    struct memory_state *s = b->state;
    const struct channel_name *to = &request->to;
    if (s->destination_count == 0)
        s->publish = *sink;
    s->dry = request->flags & PUBLISH_DRY;
    if (s->destination_count == MOST_DESTINATIONS)
        return err_set(err, ERR_LIMIT, "more than %d destinations in one session", MOST_DESTINATIONS);
    text_copy(s->destinations[s->destination_count++], sizeof *s->destinations, to->name);
    struct memory_range range;
    if (memory_range(to->name, &range))
        return ERR_OK;
    if (!(request->flags & PUBLISH_CREATE))
        return memory_not_found(to->name, err);
    if (s->dry && sink->notice)
        sink->notice(sink->context, "the channel is missing and would be made");
    if (s->dry)
        return ERR_OK;
    return memory_declare(to->name, to->kind == CHANNEL_TOPIC ? CHANNEL_TOPIC : CHANNEL_QUEUE, NULL, err);
}

enum err memory_publish_message(struct broker *b, size_t to, const struct message *m, uint64_t token,
                                struct err_info *err)
{
    struct memory_state *s = b->state;
    struct publish_outcome o = {.token = token, .outcome = OUTCOME_CONFIRMED};
    int64_t sequence = 0;
    if (s->dry)
        return ERR_OK;
    enum err e = memory_publish(s->destinations[to], m, &sequence, err);
    if (e)
        return e;
    o.position = (struct position){.kind = POSITION_OFFSET, .offset = sequence};
    s->publish.outcome(s->publish.context, &o);
    return ERR_OK;
}

enum err memory_publish_step(struct broker *b, int timeout_ms, size_t *pending, struct err_info *err)
{
    (void)b, (void)timeout_ms, (void)err;
    *pending = 0;
    return ERR_OK;
}

void memory_publish_close(struct broker *b)
{
    struct memory_state *s = b->state;
    s->destination_count = 0;
}
