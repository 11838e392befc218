/* Publishing with confirms and mandatory: a message counts as arrived when the broker has acknowledged it and did not return
 * it before. A return carries no number: it is matched to the oldest message on its way with the same content. On a channel of its own:
 * a question about one more destination may cost the channel that it is asked on. */
#include "brokers/rabbitmq/rabbitmq_internal.h"

#include "base/hash.h"
#include "base/limits.h"
#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define WINDOW            3000
#define MOST_DESTINATIONS 256

struct destination {
    char exchange[256], key[256];
    bool to_exchange; /* then the message's own key routes */
    bool to_stream;
    bool dry, exact;
    bool settled;                 /* the broker has answered for one at least */
    struct rabbit_routes *routes; /* of a dry run to an exchange; NULL: not known */
};

struct outstanding {
    uint64_t tag, token, content;
    size_t size; /* of its payload */
    size_t to;
    bool returned;
    char why[96];
};

struct rabbit_writer {
    struct destination *destinations;
    size_t destination_count;
    amqp_channel_t channel; /* 0: not open, as in a dry run */
    bool claimed;           /* by that channel */
    struct publish_sink sink;
    uint64_t next_tag;
    struct outstanding window[WINDOW]; /* oldest first from `first`, ring */
    size_t first, count;
    char lost[320]; /* why no more answers come; "": nothing has gone wrong */
    struct arena arena;
};

static struct outstanding *at(struct rabbit_writer *w, size_t i)
{
    return &w->window[(w->first + i) % WINDOW];
}

static uint64_t route_of(struct bytes exchange, struct bytes key)
{
    return hash_bytes(key, hash_bytes(exchange, 1));
}

static bool can_create(enum channel_kind kind)
{
    return kind == CHANNEL_ANY || kind == CHANNEL_QUEUE || kind == CHANNEL_STREAM;
}

/* A durable one; which type a queue has by default is the broker's business. Dry: of a type that does not exist, which the broker
 * refuses (rabbitmq_type.c), but not before it has looked at the permission. */
static enum err create_queue(struct broker *b, const struct channel_name *name, bool dry,
                             struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    bool stream = name->kind == CHANNEL_STREAM;
    amqp_table_entry_t type = {.key = amqp_cstring_bytes("x-queue-type")};
    type.value.kind = AMQP_FIELD_KIND_UTF8;
    type.value.value.bytes = amqp_cstring_bytes(dry ? "signalbox asks" : "stream");
    amqp_queue_declare(rabbit->connection, RABBIT_CHANNEL, rabbit_text(name->name), 0, 1, 0, 0,
                       (amqp_table_t){stream || dry, &type});
    enum err e = rabbit_last_reply(b, stream ? "making the stream" : "making the queue", err);
    return dry && e != ERR_DENIED && !rabbit->lost ? ERR_OK : e;
}

static enum err make_queue(struct broker *b, const struct rabbit_writer *w, const struct channel_name *to,
                           bool dry, struct err_info *err)
{
    char text[400];
    enum err e = create_queue(b, to, dry, err);
    snprintf(text, sizeof text, "%s %s %s", to->kind == CHANNEL_STREAM ? "stream" : "queue", to->name,
             dry ? "is missing and would be made" : "was made");
    if (!e && w->sink.notice)
        w->sink.notice(w->sink.context, text);
    return e;
}

static enum err find_destination(struct broker *b, const struct publish_request *request,
                                 struct rabbit_channel *found, struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    const struct channel_name *to = &request->to;
    *found = (struct rabbit_channel){.kind = CHANNEL_EXCHANGE};
    enum err e = rabbit_is_default(to) ? ERR_OK : rabbit_find(b, to, found, err);
    if (e != ERR_NOTFOUND || !(request->flags & PUBLISH_CREATE))
        return e;
    if (!can_create(to->kind)) {
        err_next(err, "only queues and streams are made here");
        return e;
    }
    found->kind = to->kind == CHANNEL_STREAM ? CHANNEL_STREAM : CHANNEL_QUEUE;
    return make_queue(b, rabbit->writer, to, request->flags & PUBLISH_DRY, err);
}

static enum err rehearse(struct broker *b, const struct rabbit_writer *w, struct destination *d,
                         struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    struct err_info answer = {.code = ERR_OK};
    bool known = rabbit_ask_write(b, d->exchange, &answer);
    if (rabbit->lost || (known && answer.code)) {
        *err = answer;
        return err->code;
    }
    if (!known && w->sink.notice)
        w->sink.notice(w->sink.context, "whether the login may write there is not known before it is sent");
    if (d->exchange[0])
        d->routes = rabbit_routes_new(b, d->exchange);
    return ERR_OK;
}

static enum err open_writer(struct broker *b, const struct publish_sink *sink, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_writer *w = calloc(1, sizeof *w);
    struct destination *all = calloc(MOST_DESTINATIONS, sizeof *all);
    if (!w || !all) {
        free(w);
        free(all);
        return err_set(err, ERR_NOMEM, "no memory for publishing");
    }
    w->destinations = all;
    w->sink = *sink;
    arena_init(&w->arena, LIMIT_DECODE_ARENA);
    rabbit->writer = w;
    return ERR_OK;
}

static enum err open_channel(struct broker *b, struct rabbit_writer *w, const char *claim,
                             struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    w->channel = rabbit_new_channel(b, err);
    if (!w->channel)
        return err->code;
    enum err e = claim ? rabbit_claim(b, w->channel, claim, &w->sink, err) : ERR_OK;
    if (e)
        return e;
    w->claimed = claim != NULL;
    amqp_confirm_select(rabbit->connection, w->channel);
    return rabbit_last_reply(b, "asking for confirms", err);
}

/* What an earlier session has sent to it is counted and seen from now on. Who may not read it sees nothing there anyway. */
static enum err await_earlier(struct broker *b, const struct channel_name *to,
                              const struct rabbit_channel *found, struct err_info *err)
{
    if (strcmp(found->type, "quorum") != 0)
        return ERR_OK;
    enum err e = rabbit_barrier(b, RABBIT_CHANNEL, to->name, 1, err);
    return e == ERR_DENIED ? ERR_OK : e;
}

/* What a message keeps in whichever of them it is sent to. */
static void note_carries(struct broker *b, const struct destination *d, bool first)
{
    if (d->to_exchange && first) /* as its routing key */
        b->carries |= CARRY_KEY;
    else if (!d->to_exchange)
        b->carries &= ~(unsigned)CARRY_KEY;
    if (d->to_stream) /* tried on 3.10.8 */
        b->carries &= ~(unsigned)CARRY_NESTED;
}

enum err rabbit_publish_open(struct broker *b, const struct publish_request *request,
                             const struct publish_sink *sink, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    const struct channel_name *to = &request->to;
    struct rabbit_channel found;
    struct err_info own;
    if (!err)
        err = &own;
    enum err e = rabbit->writer ? ERR_OK : open_writer(b, sink, err);
    if (e)
        return e;
    struct rabbit_writer *w = rabbit->writer;
    if (w->destination_count == MOST_DESTINATIONS)
        return err_set(err, ERR_LIMIT, "more than %d destinations in one session", MOST_DESTINATIONS);
    bool dry = request->flags & PUBLISH_DRY;
    if (!dry && !w->channel)
        e = open_channel(b, w, request->claim, err);
    if (!e)
        e = find_destination(b, request, &found, err);
    if (!e && w->claimed)
        e = await_earlier(b, to, &found, err);
    if (e)
        return e;
    struct destination d = {.to_exchange = found.kind == CHANNEL_EXCHANGE,
                            .to_stream = found.kind == CHANNEL_STREAM,
                            .dry = dry,
                            .exact = request->flags & PUBLISH_EXACT};
    text_copy(d.exchange, sizeof d.exchange, d.to_exchange && !rabbit_is_default(to) ? to->name : "");
    text_copy(d.key, sizeof d.key, d.to_exchange ? "" : to->name);
    e = dry ? rehearse(b, w, &d, err) : ERR_OK;
    if (e)
        return e;
    note_carries(b, &d, w->destination_count == 0);
    w->destinations[w->destination_count++] = d;
    return ERR_OK;
}

/* A message of elsewhere has its time in no property. */
static void put_time(const struct message *m, amqp_basic_properties_t *to)
{
    if (m->time_ns == TIME_NONE || m->time_ns < 0 || (to->_flags & AMQP_BASIC_TIMESTAMP_FLAG))
        return;
    to->_flags |= AMQP_BASIC_TIMESTAMP_FLAG;
    to->timestamp = (uint64_t)(m->time_ns / NS_PER_S);
}

/* A message of RabbitMQ is as lasting as it was there; any other must outlive the broker's next restart. */
static void put_delivery_mode(const struct message *m, amqp_basic_properties_t *to)
{
    bool ours = headers_find(m->properties, BYTES_LITERAL("exchange")) != NULL;
    if (ours || (to->_flags & AMQP_BASIC_DELIVERY_MODE_FLAG))
        return;
    to->_flags |= AMQP_BASIC_DELIVERY_MODE_FLAG;
    to->delivery_mode = AMQP_DELIVERY_PERSISTENT;
}

static amqp_bytes_t lend(struct bytes b)
{
    return (amqp_bytes_t){.len = b.len, .bytes = (void *)(uintptr_t)b.data};
}

/* ---- messages ---- */

enum err rabbit_publish(struct broker *b, size_t to, const struct message *m, uint64_t token,
                        struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_writer *w = rabbit->writer;
    amqp_basic_properties_t properties;
    assert(to < w->destination_count);
    const struct destination *d = &w->destinations[to];
    if (!d->dry && (w->count == WINDOW || rabbit->blocked))
        return err_set(err, ERR_BUSY,
                       rabbit->blocked ? "the broker blocks publishers: a memory or disk alarm"
                                       : "the window is full");
    arena_reset(&w->arena);
    enum err e = rabbit_check_message(b, m, d->to_stream, err);
    if (!e)
        e = rabbit_properties(m, &w->arena, &properties, err);
    if (e)
        return e;
    if (d->exact)
        put_time(m, &properties);
    put_delivery_mode(m, &properties);
    e = rabbit_check_room(b, &w->arena, &properties, err);
    if (e)
        return e;
    struct bytes label = message_label(m);
    struct bytes key = d->to_exchange ? (label.data ? label : BYTES_LITERAL("")) : bytes_of_text(d->key);
    if (key.len > 255)
        return err_set(err, ERR_LIMIT, "a routing key has at most 255 bytes");
    if (d->dry) {
        rabbit_routes_take(d->routes, key);
        return ERR_OK;
    }
    int status = amqp_basic_publish(rabbit->connection, w->channel, rabbit_text(d->exchange), lend(key), 1, 0,
                                    &properties, lend(m->payload));
    if (status)
        return rabbit_status(b, status, err);
    uint64_t route = route_of(bytes_of_text(d->exchange), key);
    *at(w, w->count++) = (struct outstanding){.tag = ++w->next_tag,
                                              .token = token,
                                              .content = hash_bytes(m->payload, route),
                                              .size = m->payload.len,
                                              .to = to};
    return ERR_OK;
}

/* ---- outcomes ---- */

static void report(struct rabbit_writer *w, const struct outstanding *o, enum outcome outcome,
                   const char *text)
{
    struct publish_outcome out = {.token = o->token, .outcome = outcome};
    static const enum err codes[] = {ERR_OK, ERR_UNROUTABLE, ERR_FAILED, ERR_CLOSED};
    if (outcome != OUTCOME_CONFIRMED)
        err_set(&out.err, codes[outcome], "%s", text);
    w->sink.outcome(w->sink.context, &out);
}

static struct outstanding take_oldest(struct rabbit_writer *w)
{
    struct outstanding o = *at(w, 0);
    w->first = (w->first + 1) % WINDOW;
    w->count--;
    return o;
}

static void settle_oldest(struct rabbit_writer *w, bool acknowledged)
{
    struct outstanding o = take_oldest(w);
    w->destinations[o.to].settled = true;
    if (o.returned)
        report(w, &o, OUTCOME_RETURNED, o.why);
    else
        report(w, &o, acknowledged ? OUTCOME_CONFIRMED : OUTCOME_REFUSED, "the broker refused the message");
}

/* Confirms may come out of order: what is settled in the middle is moved to the front first. */
static void settle(struct rabbit_writer *w, uint64_t tag, bool multiple, bool acknowledged)
{
    while (multiple && w->count && at(w, 0)->tag <= tag)
        settle_oldest(w, acknowledged);
    for (size_t i = 0; !multiple && i < w->count; i++) {
        if (at(w, i)->tag != tag)
            continue;
        struct outstanding o = *at(w, i);
        for (size_t k = i; k > 0; k--)
            *at(w, k) = *at(w, k - 1);
        *at(w, 0) = o;
        settle_oldest(w, acknowledged);
        return;
    }
}

static enum err take_return(struct broker *b, struct rabbit_writer *w, const amqp_basic_return_t *m,
                            struct err_info *err)
{
    struct rabbit_delivery d = {
        .channel = w->channel, .exchange = m->exchange, .routing_key = m->routing_key};
    char text[96];
    rabbit_copy(text, sizeof text, m->reply_text);
    uint64_t route = route_of(bytes_of(m->exchange.bytes, m->exchange.len),
                              bytes_of(m->routing_key.bytes, m->routing_key.len));
    enum err e = rabbit_content(b, &d, err);
    if (e)
        return e;
    uint64_t hash = hash_bytes(d.body, route);
    rabbit_delivery_free(&d);
    for (size_t i = 0; i < w->count; i++) {
        struct outstanding *o = at(w, i);
        if (o->content != hash || o->returned)
            continue;
        o->returned = true;
        snprintf(o->why, sizeof o->why, "returned by the broker: %.60s", text);
        break;
    }
    return ERR_OK;
}

static enum err take_frame(struct broker *b, struct rabbit_writer *w, const amqp_frame_t *frame,
                           struct err_info *err)
{
    if (frame->frame_type != AMQP_FRAME_METHOD)
        return ERR_OK;
    if (frame->payload.method.id == AMQP_BASIC_ACK_METHOD) {
        const amqp_basic_ack_t *m = frame->payload.method.decoded;
        settle(w, m->delivery_tag, m->multiple, true);
        return ERR_OK;
    }
    if (frame->payload.method.id == AMQP_BASIC_NACK_METHOD) {
        const amqp_basic_nack_t *m = frame->payload.method.decoded;
        settle(w, m->delivery_tag, m->multiple, false);
        return ERR_OK;
    }
    if (frame->payload.method.id == AMQP_BASIC_RETURN_METHOD)
        return take_return(b, w, frame->payload.method.decoded, err);
    if (frame->payload.method.id == AMQP_BASIC_CANCEL_METHOD)
        return err_set(err, ERR_CLOSED,
                       "the queue " RABBIT_CLAIM "*, by which this operation keeps others off, "
                       "was deleted");
    return rabbit_other_frame(b, frame, err);
}

/* The last `count` that were sent: they have not arrived, for that reason. */
static void refuse_newest(struct rabbit_writer *w, size_t count, const struct err_info *err)
{
    for (size_t i = w->count - count; i < w->count; i++) {
        struct publish_outcome out = {.token = at(w, i)->token, .outcome = OUTCOME_REFUSED, .err = *err};
        w->sink.outcome(w->sink.context, &out);
    }
    w->count -= count;
}

/* "404 NOT_FOUND - no exchange 'x' in vhost '/'", "403 ACCESS_REFUSED - access to exchange 'amq.default' in vhost '/' refused ...". */
static bool is_to(const struct destination *d, const char *said)
{
    char words[300];
    snprintf(words, sizeof words, "exchange '%s' in vhost", d->exchange[0] ? d->exchange : "amq.default");
    return strstr(said, words) != NULL;
}

/* A permission or an exchange that is missing closes the channel at the first message to that exchange (AMQP 0-9-1, basic.publish):
 * neither it nor anything behind it has arrived. Not so where others were taken by it before, or where there are more for it and keys
 * differ, which may have permissions of their own (topic authorisation): then nobody knows. */
static void take_refusal(struct rabbit_writer *w, enum err e, const struct err_info *err)
{
    size_t first = w->count, many = 0;
    bool settled = false, routed = false;
    if (e != ERR_DENIED && e != ERR_NOTFOUND)
        return;
    for (size_t i = 0; i < w->destination_count; i++)
        settled |= w->destinations[i].settled && is_to(&w->destinations[i], err->text);
    for (size_t i = 0; i < w->count; i++) {
        const struct destination *d = &w->destinations[at(w, i)->to];
        if (!is_to(d, err->text))
            continue;
        first = many++ ? first : i;
        routed |= d->to_exchange;
    }
    if (many && !settled && (!routed || many == 1))
        refuse_newest(w, w->count - first, err);
}

/* "message size 20000000 is larger than configured max size 16777216" (134217728 by default before 4.0): the channel is closed at
 * that message, and what was sent behind it is not read. What was sent before it may have arrived. */
static void take_too_large(struct rabbit_writer *w, const struct err_info *err)
{
    static const char words[] = "message size ";
    const char *said = strstr(err->text, words);
    size_t newest = 0;
    if (!said)
        return;
    unsigned long long size = strtoull(said + sizeof words - 1, NULL, 10);
    for (size_t i = 0; i < w->count && !newest; i++)
        if (at(w, i)->size == size)
            newest = w->count - i;
    refuse_newest(w, newest, err);
}

enum err rabbit_publish_step(struct broker *b, int timeout_ms, size_t *pending, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_writer *w = rabbit->writer;
    enum err e = ERR_OK;
    if (w->count && timeout_ms)
        rabbit_wait(b, timeout_ms);
    while (!e) {
        amqp_frame_t frame;
        struct timeval now = {0, 0};
        amqp_maybe_release_buffers(rabbit->connection);
        int status = amqp_simple_wait_frame_noblock(rabbit->connection, &frame, &now);
        if (status == AMQP_STATUS_TIMEOUT)
            break;
        e = status ? rabbit_status(b, status, err) : take_frame(b, w, &frame, err);
    }
    if (e && err) {
        take_refusal(w, e, err);
        take_too_large(w, err);
        text_copy(w->lost, sizeof w->lost, err->text);
    }
    *pending = w->count;
    return e;
}

/* Nobody waits for the answer: a broker that is frozen gives none. */
static void close_channel(struct rabbit *rabbit, const struct rabbit_writer *w)
{
    amqp_channel_close_t close = {.reply_code = AMQP_REPLY_SUCCESS, .reply_text = rabbit_text("sent")};
    if (w->channel && rabbit->connection && !rabbit->lost && !w->lost[0])
        amqp_send_method(rabbit->connection, w->channel, AMQP_CHANNEL_CLOSE_METHOD, &close);
}

void rabbit_publish_close(struct broker *b)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_writer *w = rabbit->writer;
    if (!w)
        return;
    while (w->count) {
        struct outstanding o = take_oldest(w);
        report(w, &o, OUTCOME_UNKNOWN,
               w->lost[0] ? w->lost : "the connection went away before the broker answered");
    }
    for (size_t i = 0; i < w->destination_count; i++) {
        struct destination *d = &w->destinations[i];
        rabbit_routes_say(d->routes, d->exchange, &w->sink);
        rabbit_routes_free(&d->routes);
    }
    close_channel(rabbit, w);
    free(w->destinations);
    arena_free(&w->arena);
    free(w);
    rabbit->writer = NULL;
}
