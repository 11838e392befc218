#include "brokers/memory/memory_session.h"

#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/poll.h>
#include <unistd.h>

static enum err memory_open(struct broker *b, struct err_info *err)
{
    struct memory_state *s = b->state;
    s->listener = -1;
    s->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (s->event_fd < 0)
        return err_set(err, ERR_FAILED, "no descriptor for a session in memory");
    s->listener = memory_listen(s->event_fd);
    if (s->listener < 0)
        return err_set(err, ERR_LIMIT, "too many sessions with the memory broker");
    return ERR_OK;
}

static void memory_close(struct broker *b)
{
    struct memory_state *s = b->state;
    if (s->listener >= 0)
        memory_unlisten(s->listener);
    if (s->event_fd >= 0)
        close(s->event_fd);
}

static void memory_interrupt(struct broker *b)
{
    struct memory_state *s = b->state;
    if (s->event_fd > 0) /* not open yet */
        (void)!write(s->event_fd, &(uint64_t){1}, sizeof(uint64_t));
}

static enum err memory_list_channels(struct broker *b, const char *pattern, uint32_t flags,
                                     struct channel_list *list, struct err_info *err)
{
    (void)b, (void)flags, (void)err;
    memory_list(pattern, list);
    return ERR_OK;
}

static enum err memory_ping(struct broker *b, struct sample *sample, struct err_info *err)
{
    (void)b, (void)err;
    sample->health = HEALTH_UP;
    text_copy(sample->code, sizeof sample->code, "MEMORY");
    return ERR_OK;
}

/* ---- reading ---- */

static int64_t first_since(const char *name, const struct memory_range *range, int64_t from, int64_t time_ns)
{
    for (int64_t at = from; at < range->next; at++) {
        struct message *m = memory_get(name, &at, false);
        if (!m)
            break;
        bool late = m->time_ns >= time_ns;
        message_unref(&m);
        if (late)
            return at;
    }
    return range->next;
}

static int64_t start_of(const char *name, const struct memory_range *range, const struct read_request *r)
{
    enum start_kind kind = r->start.kind;
    if (kind == START_DEFAULT)
        kind = r->mode == READ_TAP ? START_END : START_BEGINNING;
    switch (kind) {
    case START_END: return range->next;
    case START_LAST:
        return range->next - r->start.value > range->head ? range->next - r->start.value : range->head;
    case START_TIME: return first_since(name, range, range->head, r->start.value);
    case START_OFFSET: return r->start.value > range->head ? r->start.value : range->head;
    default: return range->head;
    }
}

static enum err memory_read_open(struct broker *b, const struct read_request *r, const struct read_sink *sink,
                                 struct err_info *err)
{
    struct memory_state *s = b->state;
    s->sink = *sink;
    s->browse = r->mode == READ_BROWSE;
    s->left = r->limit >= 0 ? r->limit : INT64_MAX;
    s->cursor_count = 0;
    s->stopped = s->paused = false;
    s->progress = (struct read_progress){.total = s->browse ? 0 : COUNT_UNKNOWN};
    for (size_t i = 0; i < r->channel_count && i < MOST_READ_CHANNELS; i++) {
        const char *name = r->channels[i].name;
        struct memory_range range;
        if (!memory_range(name, &range))
            return memory_not_found(name, err);
        struct cursor *c = &s->cursors[s->cursor_count++];
        text_copy(c->name, sizeof c->name, name);
        c->origin = endpoint_origin(b->endpoint, name, range.kind);
        c->at = start_of(name, &range, r);
        c->end = s->browse ? range.next : INT64_MAX;
        if (s->browse && c->end > c->at)
            s->progress.total += c->end - c->at;
    }
    return ERR_OK;
}

static void emit_one(struct memory_state *s, struct cursor *c, const struct message *stored)
{
    struct message m = memory_borrow(stored, c->origin);
    s->progress.scanned++;
    s->left--;
    switch (s->sink.message(s->sink.context, &m)) {
    case EMIT_PAUSE: s->paused = true; break;
    case EMIT_STOP: s->stopped = true; break;
    case EMIT_OK: break;
    }
}

/* One message of one channel; false: nothing there. */
static bool advance(struct memory_state *s, struct cursor *c)
{
    if (c->at >= c->end)
        return false;
    int64_t at = c->at;
    struct message *m = memory_get(c->name, &at, s->browse);
    if (!m && s->browse)
        c->at = c->end;
    if (!m)
        return false;
    s->progress.dropped += at - c->at;
    c->at = at + 1;
    if (at < c->end)
        emit_one(s, c, m);
    message_unref(&m);
    return true;
}

static bool browse_done(const struct memory_state *s)
{
    for (size_t i = 0; i < s->cursor_count; i++)
        if (s->cursors[i].at < s->cursors[i].end)
            return false;
    return true;
}

static enum err finish(struct memory_state *s, const char *why)
{
    text_copy(s->progress.stopped, sizeof s->progress.stopped, why);
    return ERR_END;
}

static enum err memory_read_step(struct broker *b, int timeout_ms, struct err_info *err)
{
    (void)err;
    struct memory_state *s = b->state;
    memory_listen_again(s->listener);
    size_t idle = 0;
    int64_t before = s->progress.scanned;
    for (int n = 0; n < STEP_BATCH && idle < s->cursor_count && !s->paused && !s->stopped && s->left > 0;
         n++) {
        idle = advance(s, &s->cursors[s->next_cursor]) ? 0 : idle + 1;
        s->next_cursor = (s->next_cursor + 1) % s->cursor_count;
    }
    if (s->stopped || s->left <= 0)
        return finish(s, "the limit was reached");
    if (s->browse && browse_done(s))
        return finish(s, "the end as it stood at the start was reached");
    if (s->progress.scanned != before || (idle < s->cursor_count && !s->paused))
        return ERR_OK;
    struct pollfd fds[] = {{.fd = s->event_fd, .events = POLLIN}, {.fd = b->wake_fd, .events = POLLIN}};
    poll(fds, 2, timeout_ms);
    (void)!read(s->event_fd, &(uint64_t){0}, sizeof(uint64_t));
    return ERR_OK;
}

void memory_read_pause(struct broker *b, bool pause)
{
    struct memory_state *s = b->state;
    s->paused = pause;
}

static void memory_read_progress(struct broker *b, struct read_progress *progress)
{
    const struct memory_state *s = b->state;
    *progress = s->progress;
}

static enum err memory_read_close(struct broker *b, struct err_info *err)
{
    (void)b, (void)err;
    return ERR_OK;
}

static const char *const memory_schemes[] = {"memory", NULL};

const struct broker_ops memory_broker = {
    .name = "memory",
    .title = "memory (demo)",
    .schemes = memory_schemes,
    .state_size = sizeof(struct memory_state),
    .max_channels = MOST_READ_CHANNELS,
    .carries = CARRY_KEY | CARRY_NULL | CARRY_TIME | CARRY_PAST | CARRY_TYPES | CARRY_ANY | CARRY_NESTED,
    .path_is_channel = true,
    .browse_is_free = true,
    .open = memory_open,
    .close = memory_close,
    .interrupt = memory_interrupt,
    .list = memory_list_channels,
    .ping = memory_ping,
    .read_open = memory_read_open,
    .read_step = memory_read_step,
    .read_pause = memory_read_pause,
    .read_progress = memory_read_progress,
    .read_close = memory_read_close,
    .lease_open = memory_lease_open,
    .lease_step = memory_lease_step,
    .lease_pause = memory_read_pause,
    .settle = memory_settle_one,
    .settle_sync = memory_settle_sync,
    .lease_close = memory_lease_close,
    .count = memory_count_channel,
    .truncate = memory_truncate,
    .publish_open = memory_publish_open,
    .publish = memory_publish_message,
    .publish_step = memory_publish_step,
    .publish_close = memory_publish_close,
};
