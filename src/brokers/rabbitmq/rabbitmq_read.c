/* Reading: opening by kind, and the loop over deliveries. Deliveries are acknowledged in bunches and bounded by the
 * prefetch, so that a paused reader holds the broker back and keeps its heartbeats. */
#include "brokers/rabbitmq/rabbitmq_reader.h"

#include "base/limits.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define STEP_MOST 500

void rabbit_emit(struct rabbit_reader *r, const struct message *m)
{
    enum emit e = r->sink.message(r->sink.context, m);
    r->left--;
    r->paused |= e == EMIT_PAUSE;
    r->stopped |= e == EMIT_STOP;
}

enum err rabbit_finish(struct rabbit_reader *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->progress.stopped, sizeof r->progress.stopped, format, args);
    va_end(args);
    return ERR_END;
}

/* ---- opening ---- */

enum err rabbit_prefetch(struct broker *b, uint16_t messages, struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    amqp_basic_qos(rabbit->connection, RABBIT_CHANNEL, 0, messages, 0);
    return rabbit_last_reply(b, "setting the prefetch", err);
}

struct rabbit_source *rabbit_source_add(struct broker *b, const char *channel, enum channel_kind kind)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    if (r->source_count == sizeof r->sources / sizeof *r->sources)
        return NULL;
    struct rabbit_source *s = &r->sources[r->source_count++];
    *s = (struct rabbit_source){.origin = endpoint_origin(b->endpoint, channel, kind)};
    return s;
}

enum err rabbit_consume(struct broker *b, amqp_bytes_t queue, const amqp_table_t *arguments,
                        struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    char tag[16];
    snprintf(tag, sizeof tag, "%zu", rabbit->reader->source_count - 1);
    amqp_basic_consume(rabbit->connection, RABBIT_CHANNEL, queue, rabbit_text(tag), 0, 0, 0,
                       arguments ? *arguments : amqp_empty_table);
    return rabbit_last_reply(b, "reading", err);
}

/* What was asked for and cannot be: a queue is read from its head, and what is tapped has no past. */
static enum err check_start(const struct broker *b, const struct read_request *request,
                            const struct channel_name *name, const struct rabbit_channel *found,
                            struct err_info *err)
{
    enum start_kind kind = request->start.kind;
    const struct rabbit *rabbit = b->state;
    char text[400];
    if (request->partition >= 0) {
        err_set(err, ERR_USAGE, "RabbitMQ has no partitions");
        err_where(err, "%s", b->endpoint->name);
        err_next(err, "leave --partition out");
        return ERR_USAGE;
    }
    if (found->kind == CHANNEL_STREAM || kind == START_DEFAULT)
        return ERR_OK;
    if (request->mode == READ_BROWSE && kind != START_BEGINNING) {
        err_set(err, ERR_USAGE, "queue %s is read from its head, and from nowhere else", name->name);
        err_where(err, "%s", b->endpoint->name);
        err_next(err, "leave --from out; --where chooses among what is there");
        return ERR_USAGE;
    }
    snprintf(text, sizeof text, "%s is tapped and has no past: it is read from now on", name->name);
    if (request->mode == READ_TAP && kind != START_END)
        rabbit->reader->sink.notice(rabbit->reader->sink.context, text);
    return ERR_OK;
}

static enum err find_channel(struct broker *b, const struct read_request *request,
                             const struct channel_name *name, struct rabbit_channel *found,
                             struct err_info *err)
{
    *found = (struct rabbit_channel){.kind = CHANNEL_EXCHANGE};
    if (rabbit_is_default(name) && request->mode == READ_TAP)
        return ERR_OK;
    enum err e = rabbit_find(b, name, found, err);
    return e ? e : check_start(b, request, name, found, err);
}

static enum err open_channel(struct broker *b, const struct read_request *request, size_t channel,
                             const struct rabbit_channel *found, const struct rabbit_ends *ends,
                             struct err_info *err)
{
    const struct channel_name *name = &request->channels[channel];
    if (found->kind == CHANNEL_STREAM)
        return rabbit_stream_open(b, request, channel, ends, err);
    if (request->mode == READ_TAP)
        return rabbit_tap_open(b, name, found, request->flags, err);
    if (found->kind == CHANNEL_QUEUE)
        return rabbit_browse_open(b, name, found, request, err);
    err_set(err, ERR_UNSUPPORTED, "%s is an exchange, which keeps nothing to look at", name->name);
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "tail it, or browse a queue that is bound to it");
    return ERR_UNSUPPORTED;
}

static enum err open_all(struct broker *b, const struct read_request *request, struct err_info *err)
{
    struct rabbit_channel found[RABBIT_MOST_CHANNELS];
    struct rabbit_ends ends[RABBIT_MOST_CHANNELS];
    enum err e = ERR_OK;
    if (request->channel_count > RABBIT_MOST_CHANNELS)
        return err_set(err, ERR_LIMIT, "too many channels for one session");
    for (size_t i = 0; !e && i < request->channel_count; i++)
        e = find_channel(b, request, &request->channels[i], &found[i], err);
    if (!e)
        e = rabbit_stream_ends(b, request, found, ends, err);
    for (size_t i = 0; !e && i < request->channel_count; i++)
        e = open_channel(b, request, i, &found[i], &ends[i], err);
    return e;
}

enum err rabbit_read_open(struct broker *b, const struct read_request *request, const struct read_sink *sink,
                          struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ERR_NOMEM, "no memory for a reader");
    arena_init(&r->arena, LIMIT_DECODE_ARENA);
    r->sink = *sink;
    r->tracing_guard.fd = -1;
    r->browse = request->mode == READ_BROWSE;
    r->left = request->limit >= 0 ? request->limit : INT64_MAX;
    r->stream_end = r->silent_until_ns = INT64_MAX;
    r->progress.total = COUNT_UNKNOWN;
    r->follow_ns = clock_mono_ns() + RABBIT_FOLLOW_EVERY_NS;
    if (request->flags & READ_UNCOMMITTED)
        r->sink.notice(r->sink.context,
                       "RabbitMQ shows no message before it is committed: --uncommitted changes nothing");
    if (!rabbit_may_cut(b, true))
        return err_set(err, ERR_CANCELLED, "cancelled");
    enum err e = rabbit_prefetch(b, RABBIT_PREFETCH, err);
    if (!e)
        e = open_all(b, request, err);
    (void)rabbit_may_cut(b, false);
    return e;
}

/* ---- deliveries ---- */

static struct rabbit_source *source_of(struct rabbit_reader *r, amqp_bytes_t tag)
{
    size_t index = 0;
    const char *digits = tag.bytes;
    for (size_t i = 0; i < tag.len; i++) {
        if (digits[i] < '0' || digits[i] > '9') /* a look at a stream's ends has not read it */
            return NULL;
        index = index * 10 + (size_t)(digits[i] - '0');
    }
    return index < r->source_count ? &r->sources[index] : NULL;
}

static void take_delivery(struct rabbit_reader *r, const struct rabbit_delivery *d)
{
    struct rabbit_source *s = source_of(r, d->consumer);
    struct message m = {.origin = s ? s->origin : NULL};
    r->last_tag = d->tag;
    r->unacked++;
    r->looked++;
    r->seen += (int64_t)d->body.len;
    if (!s || r->stopped || r->at_end || r->left <= 0)
        return;
    arena_reset(&r->arena);
    rabbit_message(&m, d, &r->arena);
    if (s->firehose && !rabbit_firehose_message(s, &m, &r->arena))
        return;
    if (s->stream)
        rabbit_stream_position(&m);
    if (s->stream && m.position.offset > r->stream_end) {
        r->at_end = true;
        return;
    }
    if (s->stream && r->browse && r->progress.scanned == 0) /* retention has taken what was before */
        r->progress.total = r->stream_end + 1 - m.position.offset;
    /* A tap's own queue says nothing about the message's earlier deliveries. */
    r->progress.scanned++;
    rabbit_emit(r, &m);
    if (s->stream)
        s->next = m.position.offset + 1;
    if (s->stream && m.position.offset >= r->stream_end)
        r->at_end = true;
}

static enum err acknowledge(struct broker *b, struct rabbit_reader *r, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    if (r->unacked == 0)
        return ERR_OK;
    r->unacked = 0;
    return rabbit_status(b, amqp_basic_ack(rabbit->connection, RABBIT_CHANNEL, r->last_tag, 1), err);
}

static void note_cancel(struct rabbit_reader *r, const amqp_basic_cancel_t *cancel)
{
    struct rabbit_source *s = source_of(r, cancel->consumer_tag);
    if (s)
        s->gone = true;
}

static enum err take_other(struct broker *b, const amqp_frame_t *frame, struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    if (frame->frame_type == AMQP_FRAME_METHOD && frame->payload.method.id == AMQP_BASIC_CANCEL_METHOD)
        note_cancel(rabbit->reader, frame->payload.method.decoded);
    return rabbit_other_frame(b, frame, err);
}

static enum err consume_step(struct broker *b, struct rabbit_reader *r, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    enum rabbit_came came = RABBIT_OTHER;
    enum err e = ERR_OK;
    for (int n = 0; !e && came && n < STEP_MOST && !r->paused && !r->stopped && !r->at_end && r->left > 0;
         n++) {
        struct rabbit_delivery d;
        amqp_frame_t frame;
        amqp_maybe_release_buffers(rabbit->connection);
        e = rabbit_receive(b, 0, &d, &frame, &came, err);
        if (came == RABBIT_DELIVERY) {
            take_delivery(r, &d);
            rabbit_delivery_free(&d);
        } else if (came == RABBIT_OTHER) {
            e = take_other(b, &frame, err);
        }
    }
    r->was_paused |= r->paused;
    if (!e && r->unacked && !r->paused)
        e = rabbit_tap_look(b, err);
    if (!e && (r->unacked >= RABBIT_PREFETCH / 2 || (r->unacked && !r->paused)))
        e = acknowledge(b, r, err);
    return e;
}

static bool stream_done(const struct rabbit_reader *r)
{
    return r->browse && r->stream_end < 0;
}

/* Held messages go back in time, paused or not. */
static enum err hold_paused(struct broker *b, struct rabbit_reader *r, int timeout_ms, struct err_info *err)
{
    int left = clock_poll_ms(r->give_back_ns);
    enum err e = rabbit_wait_paused(b, timeout_ms < 0 || left < timeout_ms ? left : timeout_ms, err);
    if (!e && clock_mono_ns() >= r->give_back_ns)
        r->paused = false; /* the next step gives them back */
    return e;
}

/* A silent tap is looked after, too, and a silent stream. */
static int until_due(const struct rabbit_reader *r, int timeout_ms)
{
    bool silent = r->progress.scanned == 0 && r->silent_until_ns < r->follow_ns;
    int ms = clock_poll_ms(silent ? r->silent_until_ns : r->follow_ns);
    return ms >= 0 && (timeout_ms < 0 || ms < timeout_ms) ? ms : timeout_ms;
}

enum err rabbit_read_step(struct broker *b, int timeout_ms, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    int64_t before = r->progress.scanned;
    if (r->mode == RABBIT_LOOK)
        return r->paused ? hold_paused(b, r, timeout_ms, err) : rabbit_browse_step(b, err);
    if (r->paused && !r->stopped && !r->at_end && r->left > 0)
        return rabbit_wait_paused(b, timeout_ms, err);
    enum err e = consume_step(b, r, err);
    if (!e)
        e = rabbit_bindings_follow(b, err);
    if (e)
        return e;
    if (r->at_end)
        return rabbit_finish(r, "the end as it stood at the start was reached");
    if (r->stopped || r->left <= 0)
        return rabbit_finish(r, r->left <= 0 ? "the limit was reached" : "enough was seen");
    if (stream_done(r))
        return rabbit_finish(r, r->progress.total > 0 ? "the end as it stood at the start was reached"
                                                      : "the stream is empty");
    if (rabbit_stream_is_past(r))
        return rabbit_finish(r, "nothing that is stored there is of that time or later");
    if (r->progress.scanned == before)
        rabbit_wait(b, until_due(r, timeout_ms));
    return ERR_OK;
}

void rabbit_read_pause(struct broker *b, bool pause)
{
    struct rabbit *rabbit = b->state;
    if (rabbit->reader)
        rabbit->reader->paused = pause;
}

void rabbit_read_progress(struct broker *b, struct read_progress *progress)
{
    const struct rabbit *rabbit = b->state;
    if (rabbit->reader)
        *progress = rabbit->reader->progress;
}

/* A stream's consumer is cancelled when the stream is deleted. Whether there is one of that name again says nothing: it may have
 * been made since. */
static struct read_place place_in(const struct rabbit_source *s)
{
    bool anew = s->gone || (s->anew && s->next == 0);
    return (struct read_place){.channel = s->channel, .next = anew ? 0 : s->next, .anew = anew};
}

void rabbit_read_places(struct broker *b, struct read_places *places)
{
    const struct rabbit *rabbit = b->state;
    const struct rabbit_reader *r = rabbit->reader;
    *places = (struct read_places){0};
    if (!r || !(places->items = calloc(r->source_count + 1, sizeof *places->items)))
        return;
    for (size_t i = 0; i < r->source_count; i++) {
        const struct rabbit_source *s = &r->sources[i];
        if (s->stream && (s->next >= 0 || s->gone))
            places->items[places->count++] = place_in(s);
    }
}

/* A stream's consumer that goes with its channel alone stays in the management API's list for minutes (3.10.8). */
static void cancel_streams(struct broker *b, const struct rabbit_reader *r)
{
    struct rabbit *rabbit = b->state;
    for (size_t i = 0; i < r->source_count && rabbit->connection && !rabbit->lost; i++) {
        char tag[24];
        if (!r->sources[i].stream)
            continue;
        snprintf(tag, sizeof tag, "%zu", i);
        amqp_basic_cancel(rabbit->connection, RABBIT_CHANNEL, rabbit_text(tag));
        if (rabbit_last_reply(b, "ending the reading", NULL))
            return;
    }
}

enum err rabbit_read_close(struct broker *b, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    if (!r)
        return ERR_OK;
    b->deadline_ns = clock_mono_ns() + 5 * NS_PER_S;
    cancel_streams(b, r);
    enum err e = rabbit_browse_close(b, err);
    enum err restored = rabbit_firehose_restore(b, e ? NULL : err);
    arena_free(&r->arena);
    free(r);
    rabbit->reader = NULL;
    return e ? e : restored;
}
