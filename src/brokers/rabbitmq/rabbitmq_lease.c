/* Leasing: how messages come. See rabbitmq_lease.h for the order in which they do and go back. */
#include "brokers/rabbitmq/rabbitmq_lease.h"

#include "base/limits.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define STEP_MOST     500
#define PARTS_MOST    4000 /* a larger window whose messages are removed is had in one part */
#define FIRST_MOST    500  /* of the first of several parts */
#define FURTHER       256  /* of further parts, since they come to be where messages are kept */
#define KEPT_PORTION  4000 /* of a consumer whose messages are all kept */
#define KEPT_MOST     32   /* consumers of one channel */
#define LAST          UINT16_MAX
#define CHANNELS_LEFT 8
#define GETS_MOST     64 /* asked for at once */
#define SILENT_NS     (NS_PER_S / 4)
#define LATE_NS       (2 * NS_PER_S)
#define PATIENCE_NS   (10 * NS_PER_S)

/* ---- what may be taken ---- */

static enum err refuse(const struct broker *b, const char *name, const char *why, const char *next,
                       struct err_info *err)
{
    err_set(err, ERR_UNSUPPORTED, "%s %s", name, why);
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "%s", next);
    return ERR_UNSUPPORTED;
}

static enum err check(const struct broker *b, const char *name, const struct rabbit_channel *found,
                      struct err_info *err)
{
    if (found->kind == CHANNEL_EXCHANGE)
        return refuse(b, name, "is an exchange, which keeps nothing to take",
                      "take from a queue that is bound to it", err);
    if (found->kind == CHANNEL_STREAM)
        return refuse(b, name, "is a stream: nothing is taken off it, it is read", "copy from it instead",
                      err);
    if (found->single_active && found->consumers > 0)
        return refuse(b, name,
                      "has a single active consumer, and one is there: nobody else is given anything",
                      "stop its consumers first", err);
    return ERR_OK;
}

static void say_who_is_there(const struct rabbit_lease *l, const struct rabbit_channel *now)
{
    char text[200];
    if (now->consumers > 0)
        l->sink.notice(
            l->sink.context,
            "the queue has consumers: they take some of its messages, and do not see those held here");
    snprintf(text, sizeof text, "%lld messages are with consumers or on their way back: they are not taken",
             (long long)now->unacked);
    if (now->unacked > 0)
        l->sink.notice(l->sink.context, text);
}

/* ---- parts ---- */

struct rabbit_part *rabbit_lease_part_of(struct rabbit_lease *l, uint64_t handle)
{
    size_t i = l->part_count - 1;
    while (i > 0 && l->parts[i].base >= handle)
        i--;
    return &l->parts[i];
}

static struct rabbit_part *newest(const struct rabbit_lease *l)
{
    return &l->parts[l->part_count - 1];
}

bool rabbit_lease_expects(const struct rabbit_lease *l)
{
    const struct rabbit_part *part = newest(l);
    return !part->full && part->received - part->removed < part->wanted;
}

/* Where channels, or consumers of the one, run out, the last one takes what there is. */
static uint16_t prefetch(const struct broker *b, const struct rabbit_lease *l)
{
    const struct rabbit *rabbit = b->state;
    int most = amqp_get_channel_max(rabbit->connection);
    bool whole = l->use == LEASE_REMOVES && l->window > PARTS_MOST;
    bool last =
        l->one_channel ? l->part_count >= KEPT_MOST : most > 0 && rabbit->channels + CHANNELS_LEFT >= most;
    bool portion = l->one_channel && (l->use == LEASE_KEEPS || l->part_count > 1 || l->window > KEPT_PORTION);
    uint64_t n = last                     ? LAST
                 : whole                  ? (l->window < LAST ? l->window : LAST)
                 : portion                ? KEPT_PORTION
                 : l->one_channel         ? l->window
                 : l->part_count > 1      ? FURTHER
                 : l->window < FIRST_MOST ? l->window
                                          : FIRST_MOST;
    return (uint16_t)(l->left > 0 && n > (uint64_t)l->left ? (uint64_t)l->left : n);
}

/* They sort as they began. */
static char *tag_of(const struct rabbit_lease *l, const struct rabbit_part *part, char into[static 32])
{
    snprintf(into, 32, "lease-%06zu", (size_t)(part - l->parts));
    return into;
}

static enum err consume(struct broker *b, struct rabbit_part *part, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease;
    uint16_t n = prefetch(b, l);
    char tag[32];
    amqp_basic_qos(rabbit->connection, part->channel, 0, n, 0);
    enum err e = rabbit_reply_on(b, part->channel, amqp_get_rpc_reply(rabbit->connection),
                                 "setting the prefetch", err);
    if (e)
        return e;
    part->wanted += n;
    part->consumes = true;
    amqp_basic_consume(rabbit->connection, part->channel, rabbit_text(rabbit->reader->queue),
                       rabbit_text(tag_of(l, part, tag)), 0, 0, 0, amqp_empty_table);
    return rabbit_reply_on(b, part->channel, amqp_get_rpc_reply(rabbit->connection), "taking messages", err);
}

static enum err open_part(struct broker *b, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease;
    struct rabbit_part *parts = reallocarray(l->parts, l->part_count + 1, sizeof *parts);
    if (!parts)
        return err_set(err, ERR_NOMEM, "no memory for a lease");
    l->parts = parts;
    struct rabbit_part *part = &parts[l->part_count];
    bool further = l->one_channel && l->part_count;
    *part = (struct rabbit_part){.channel = further ? parts[0].channel : rabbit_new_channel(b, err),
                                 .base = l->received,
                                 .low = l->received + 1};
    if (!part->channel)
        return err ? err->code : ERR_CLOSED;
    l->part_count++;
    return ERR_OK;
}

enum err rabbit_lease_part(struct broker *b, struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease;
    enum err e = open_part(b, err);
    return e || l->by_get ? e : consume(b, newest(l), err);
}

enum err rabbit_lease_end_consumer(struct broker *b, struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    const struct rabbit_part *part = newest(rabbit->lease);
    char tag[32];
    amqp_basic_cancel(rabbit->connection, part->channel, rabbit_text(tag_of(rabbit->lease, part, tag)));
    return rabbit_reply_on(b, part->channel, amqp_get_rpc_reply(rabbit->connection), "ending the taking",
                           err);
}

/* ---- what comes ---- */

static enum err hand_over(struct broker *b, const struct rabbit_delivery *d, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease;
    struct rabbit_reader *r = rabbit->reader;
    struct message m = {.origin = l->origin, .flags = d->redelivered ? MESSAGE_REDELIVERED : 0};
    arena_reset(&r->arena);
    rabbit_message(&m, d, &r->arena);
    l->handed++;
    l->out++;
    l->left--;
    bool near = r->quorum && rabbit_looks_saw(r, rabbit_delivery_count(&m), d->redelivered);
    enum emit said = l->sink.message(l->sink.context, &m, l->handed);
    l->paused |= said == EMIT_PAUSE;
    l->stopped |= said == EMIT_STOP;
    if (!near)
        return ERR_OK;
    l->ended = true;
    err_set(err, ERR_REFUSED,
            "a message of %s is close to its delivery limit: no more are taken, since what is "
            "left goes back, which counts",
            r->queue);
    err_where(err, "%s", b->endpoint->name);
    return ERR_REFUSED;
}

static enum err take(struct broker *b, struct rabbit_delivery *d, bool aside, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease;
    struct rabbit_part *part = newest(l);
    part->received++;
    l->received++;
    l->returned_last = d->redelivered;
    l->silent_ns = 0;
    uint64_t number = part->received + (l->one_channel ? part->base : 0);
    bool in_order = d->channel == part->channel && d->tag == number;
    enum err e = !in_order ? err_set(err, ERR_PROTOCOL, "deliveries are not numbered as they come")
                 : aside   ? ERR_OK
                           : hand_over(b, d, err);
    rabbit_delivery_free(d);
    return e;
}

static enum err take_got(struct broker *b, const amqp_basic_get_ok_t *ok, bool aside, struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    struct rabbit_delivery d = {.channel = newest(rabbit->lease)->channel,
                                .tag = ok->delivery_tag,
                                .redelivered = ok->redelivered,
                                .exchange = ok->exchange,
                                .routing_key = ok->routing_key};
    enum err e = rabbit_content(b, &d, err);
    return e ? e : take(b, &d, aside, err);
}

/* Its answer is waited for. */
static enum err get_first(struct broker *b, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_part *part = newest(rabbit->lease);
    amqp_rpc_reply_t reply =
        amqp_basic_get(rabbit->connection, part->channel, rabbit_text(rabbit->reader->queue), 0);
    enum err e = rabbit_reply_on(b, part->channel, reply, "taking messages", err);
    if (e == ERR_TIMEOUT)
        err_next(err, "the broker may still be taking back what was looked at before: try again in a minute");
    if (e || reply.reply.id != AMQP_BASIC_GET_OK_METHOD)
        return e;
    part->wanted++;
    rabbit->lease->wanted++;
    return take_got(b, reply.reply.decoded, false, err);
}

static enum err take_other(struct broker *b, const amqp_frame_t *frame, bool aside, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease;
    bool method = frame->frame_type == AMQP_FRAME_METHOD;
    if (method && frame->payload.method.id == AMQP_BASIC_GET_OK_METHOD)
        return take_got(b, frame->payload.method.decoded, aside, err);
    if (method && frame->payload.method.id == AMQP_BASIC_GET_EMPTY_METHOD) {
        newest(l)->wanted--;
        l->wanted--;
        l->empty = true;
        return ERR_OK;
    }
    return rabbit_other_frame(b, frame, err);
}

enum err rabbit_lease_receive(struct broker *b, bool aside, bool *any, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_delivery d;
    enum rabbit_came came;
    amqp_frame_t frame;
    /* Of frames that the library has queued, behind an answer that was waited for, it would walk over all for each message. */
    if (!amqp_frames_enqueued(rabbit->connection))
        amqp_maybe_release_buffers(rabbit->connection);
    enum err e = rabbit_receive(b, 0, &d, &frame, &came, err);
    *any = came != RABBIT_NOTHING;
    if (e || came == RABBIT_NOTHING)
        return e;
    return came == RABBIT_DELIVERY ? take(b, &d, aside, err) : take_other(b, &frame, aside, err);
}

/* ---- opening ---- */

/* Whoever looks for what was sent before must miss nothing that is still on its way into the queue. A classic queue counts ahead of it
 * (its process answers such questions first), but gives a message (basic.get) only behind it. A quorum queue has it in its log. */
static enum err begin_keeping(struct broker *b, int64_t most, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease;
    struct rabbit_reader *r = rabbit->reader;
    int64_t ready = 0, consumers;
    enum err e = r->quorum ? rabbit_barrier(b, RABBIT_CHANNEL, r->queue, 1, err) : ERR_OK;
    if (!e && !r->quorum) {
        l->left = 1;
        e = open_part(b, err);
        e = e ? e : get_first(b, err);
    }
    if (!e)
        e = rabbit_ready(b, r->queue, &ready, &consumers, err);
    if (e)
        return e;
    r->snapshot = ready + (int64_t)l->received;
    l->left = most >= 0 && most < r->snapshot ? most - (int64_t)l->received : ready;
    if (l->left <= 0 || l->by_get)
        return ERR_OK;
    return r->quorum ? rabbit_lease_part(b, err) : consume(b, &l->parts[0], err);
}

static enum err begin(struct broker *b, const struct lease_request *request, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease;
    const char *name = request->from.name;
    struct rabbit_channel found;
    enum err e = rabbit_find(b, &request->from, &found, err);
    if (!e)
        e = check(b, name, &found, err);
    if (!e)
        e = rabbit_look_begin(b, name, &found, err);
    if (e)
        return e;
    bool quorum = rabbit->reader->quorum;
    l->one_channel = l->use == LEASE_KEEPS || (quorum && l->use != LEASE_PICKS);
    l->by_get = !quorum && (found.by_amqp || found.auto_delete || found.single_active);
    l->left = request->most >= 0 && request->most < found.depth ? request->most : found.depth;
    l->origin = endpoint_origin(b->endpoint, name, CHANNEL_QUEUE);
    l->others = found.consumers > 0;
    say_who_is_there(l, &found);
    if (l->use == LEASE_KEEPS && request->most != 0)
        return begin_keeping(b, request->most, err);
    return l->left > 0 ? rabbit_lease_part(b, err) : ERR_OK;
}

enum err rabbit_lease_open(struct broker *b, const struct lease_request *request,
                           const struct lease_sink *sink, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease = calloc(1, sizeof *l);
    struct rabbit_reader *r = rabbit->reader = l ? calloc(1, sizeof *r) : NULL;
    struct err_info own;
    if (!r)
        return err_set(err, ERR_NOMEM, "no memory for a lease");
    arena_init(&r->arena, LIMIT_DECODE_ARENA);
    r->sink = (struct read_sink){.context = sink->context, .notice = sink->notice};
    r->tracing_guard.fd = -1;
    l->sink = *sink;
    l->window = request->window ? request->window : 1;
    l->use = request->use;
    return begin(b, request, err ? err : &own);
}

/* ---- stepping ---- */

static bool is_full(const struct rabbit_lease *l)
{
    return l->paused || l->out >= l->window;
}

static bool is_over(const struct rabbit_lease *l)
{
    return l->left <= 0 || l->stopped || (l->empty && (!l->by_get || l->wanted == l->received));
}

/* What a classic queue has not sent yet is for others from now on. A quorum queue would put at its end what is on its way. */
static enum err end(struct broker *b, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease;
    l->ended = true;
    if (l->by_get || rabbit->reader->quorum || l->part_count == 0 || !newest(l)->consumes)
        return ERR_END;
    enum err e = rabbit_lease_end_consumer(b, err);
    return e ? e : ERR_END;
}

static enum err ask(struct broker *b, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease;
    amqp_basic_get_t get = {.queue = rabbit_text(rabbit->reader->queue)};
    int status = AMQP_STATUS_OK;
    if (l->use != LEASE_KEEPS && newest(l)->kept >= FURTHER) { /* nothing is asked for there any more */
        enum err e = l->wanted == l->received ? rabbit_lease_part(b, err) : ERR_OK;
        if (e || l->wanted > l->received)
            return e;
    }
    while (status == AMQP_STATUS_OK && !l->empty && l->wanted - l->received < GETS_MOST &&
           l->out + (l->wanted - l->received) < l->window && (int64_t)(l->wanted - l->received) < l->left) {
        status = amqp_send_method(rabbit->connection, newest(l)->channel, AMQP_BASIC_GET_METHOD, &get);
        newest(l)->wanted++;
        l->wanted++;
    }
    return rabbit_status(b, status, err);
}

enum err rabbit_lease_ready(struct broker *b, int64_t *ready, struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    int64_t consumers;
    const struct rabbit_reader *r = rabbit->reader;
    return rabbit_ready_on(b, newest(rabbit->lease)->channel, r->queue, r->quorum, ready, &consumers, err);
}

enum err rabbit_lease_silence(struct broker *b, int timeout_ms, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease;
    int64_t now = clock_mono_ns(), ready = 0;
    if (l->silent_ns == 0)
        l->silent_ns = now;
    int useful =
        (int)((now - l->silent_ns < SILENT_NS ? l->silent_ns + SILENT_NS - now : SILENT_NS) / NS_PER_MS) + 1;
    rabbit_wait(b, timeout_ms < 0 || timeout_ms > useful ? useful : timeout_ms);
    if (clock_mono_ns() - l->silent_ns < SILENT_NS || amqp_frames_enqueued(rabbit->connection) ||
        amqp_data_in_buffer(rabbit->connection))
        return ERR_OK;
    enum err e = rabbit_lease_ready(b, &ready, err);
    if (!e && ready == 0) /* what the queue gave us by then is sent to us before the second answer */
        e = rabbit_lease_ready(b, &ready, err);
    if (e)
        return e;
    /* A quorum queue counts what it is about to send us as gone, and reads many messages from its disk first. */
    bool may_come = rabbit->reader->quorum && l->left > 0 && now - l->silent_ns < LATE_NS;
    l->empty = ready == 0 && !may_come && !amqp_frames_enqueued(rabbit->connection);
    if (!l->empty && now - l->silent_ns > PATIENCE_NS)
        return err_set(err, ERR_TIMEOUT, "taking messages of %s: it gives nothing, though %lld are ready",
                       rabbit->reader->queue, (long long)ready);
    return ERR_OK;
}

/* The newest one has all that it may hold, so that nothing is on its way there. What is removed of it later makes no room. */
static enum err next_part(struct broker *b, struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    struct rabbit_part *part = newest(rabbit->lease);
    bool removes = rabbit->lease->use != LEASE_KEEPS && part->kept < part->wanted;
    part->full = true;
    enum err e = removes ? rabbit_lease_end_consumer(b, err) : ERR_OK;
    return e ? e : rabbit_lease_part(b, err);
}

/* Nothing is at hand. */
static enum err wait_for_more(struct broker *b, int timeout_ms, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease;
    if (is_full(l))
        return rabbit_wait_paused(b, timeout_ms, err);
    if (l->by_get) {
        rabbit_wait(b, timeout_ms);
        return ERR_OK;
    }
    if (rabbit_lease_expects(l))
        return rabbit_lease_silence(b, timeout_ms, err);
    bool deferred = l->use != LEASE_REMOVES && l->window > PARTS_MOST; /* nothing is settled for a while */
    if (l->use == LEASE_KEEPS || deferred || newest(l)->kept == newest(l)->wanted)
        return next_part(b, err);
    return rabbit_wait_paused(b, timeout_ms, err); /* all that we may have is with the caller */
}

/* The connection is served, so that its end is noticed; what still comes goes back with the rest. */
static enum err serve(struct broker *b, int timeout_ms, struct err_info *err)
{
    bool any = true, some = false;
    enum err e = ERR_OK;
    for (int n = 0; !e && any && n < STEP_MOST; n++) {
        e = rabbit_lease_receive(b, true, &any, err);
        some |= any;
    }
    if (!e && !some)
        rabbit_wait(b, timeout_ms);
    return e ? e : ERR_END;
}

enum err rabbit_lease_step(struct broker *b, int timeout_ms, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease;
    uint64_t before = l->handed;
    bool any = true;
    enum err e = rabbit_lease_flush(b, err);
    if (!e && l->ended)
        return serve(b, timeout_ms, err);
    if (!e && l->by_get && !is_full(l) && !is_over(l))
        e = ask(b, err);
    for (int n = 0; !e && any && n < STEP_MOST && !is_full(l) && !is_over(l); n++)
        e = rabbit_lease_receive(b, false, &any, err);
    if (e)
        return e;
    if (is_over(l))
        return end(b, err);
    return l->handed > before ? ERR_OK : wait_for_more(b, timeout_ms, err);
}

void rabbit_lease_pause(struct broker *b, bool pause)
{
    const struct rabbit *rabbit = b->state;
    if (rabbit->lease)
        rabbit->lease->paused = pause;
}
