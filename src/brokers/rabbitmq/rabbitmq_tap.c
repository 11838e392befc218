/* Taps: an exclusive, server-named, bounded queue, bound like what is listened to. The broker removes it with the
 * connection. Messages by the default exchange pass no binding: only the firehose shows them. */
#include "brokers/rabbitmq/rabbitmq_reader.h"

#include "base/limits.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TAP_MOST_MESSAGES 20000
#define TAP_MOST_BYTES    (64 * (int64_t)MIB)

static amqp_table_entry_t number_entry(const char *name, int64_t value)
{
    amqp_table_entry_t e = {.key = amqp_cstring_bytes(name)};
    e.value.kind = AMQP_FIELD_KIND_I64;
    e.value.value.i64 = value;
    return e;
}

static amqp_table_entry_t truth_entry(const char *name)
{
    amqp_table_entry_t e = {.key = amqp_cstring_bytes(name)};
    e.value.kind = AMQP_FIELD_KIND_BOOLEAN;
    e.value.value.boolean = 1;
    return e;
}

/* A frozen reader must not fill the broker: beyond these bounds the oldest are dropped (x-overflow's default, drop-head). The broker
 * has no use for the third argument: other taps know by it whose queue this is. */
enum err rabbit_tap_declare(struct broker *b, amqp_bytes_t *queue, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    amqp_table_entry_t entries[] = {number_entry("x-max-length", TAP_MOST_MESSAGES),
                                    number_entry("x-max-length-bytes", TAP_MOST_BYTES),
                                    truth_entry(RABBIT_TAP_ARGUMENT)};
    amqp_table_t arguments = {sizeof entries / sizeof *entries, entries};
    amqp_queue_declare_ok_t *ok =
        amqp_queue_declare(rabbit->connection, RABBIT_CHANNEL, amqp_empty_bytes, 0, 0, 1, 1, arguments);
    enum err e = rabbit_last_reply(b, "making a queue for the tap", err);
    if (!e)
        *queue = amqp_bytes_malloc_dup(ok->queue);
    return e ? e : queue->bytes ? ERR_OK : err_set(err, ERR_NOMEM, "no memory for a tap");
}

enum err rabbit_tap_consume(struct broker *b, amqp_bytes_t queue, bool by_list, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_source *s = &rabbit->reader->sources[rabbit->reader->source_count - 1];
    text_copy_bytes(s->tap, sizeof s->tap, bytes_of(queue.bytes, queue.len));
    s->by_list = by_list;
    return rabbit_consume(b, queue, NULL, err);
}

/* Of the bytes only the mean is known, from what was taken since the last look. */
static bool is_full(const struct rabbit_reader *r, int64_t depth)
{
    int64_t mean = r->looked > 0 ? r->seen / r->looked : 0;
    return depth >= TAP_MOST_MESSAGES || depth * mean >= TAP_MOST_BYTES / 10 * 9;
}

static void say_full(struct rabbit_reader *r, const struct rabbit_source *s, int64_t depth)
{
    char text[400];
    snprintf(text, sizeof text,
             "the tap of %s was full at the broker (%" PRId64 " messages wait; it holds %d, or %" PRId64
             " MiB): the oldest were dropped there, and nothing counts them",
             s->origin->channel[0] ? s->origin->channel : "the default exchange", depth, TAP_MOST_MESSAGES,
             TAP_MOST_BYTES / (int64_t)MIB);
    r->sink.notice(r->sink.context, text);
}

static enum err look_at(struct broker *b, struct rabbit_source *s, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    const amqp_queue_declare_ok_t *ok = amqp_queue_declare(rabbit->connection, RABBIT_CHANNEL,
                                                           rabbit_text(s->tap), 1, 0, 0, 0, amqp_empty_table);
    enum err e = rabbit_last_reply(b, "looking at the tap", err);
    if (e || !ok)
        return e;
    bool full = is_full(rabbit->reader, ok->message_count);
    if (full && !s->full)
        say_full(rabbit->reader, s, ok->message_count);
    s->full = full;
    return ERR_OK;
}

enum err rabbit_tap_look(struct broker *b, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    int64_t now = clock_mono_ns();
    enum err e = ERR_OK;
    if ((!r->was_paused && now < r->look_ns) || !rabbit_may_cut(b, true))
        return ERR_OK;
    rabbit_be_patient(b, true);
    for (size_t i = 0; !e && i < r->source_count; i++)
        if (r->sources[i].tap[0])
            e = look_at(b, &r->sources[i], err);
    rabbit_be_patient(b, false);
    (void)rabbit_may_cut(b, false);
    r->was_paused = false;
    r->look_ns = now + NS_PER_S;
    r->looked = r->seen = 0;
    return e;
}

static enum err refuse_thief(const struct broker *b, const char *exchange, const char *type,
                             struct err_info *err)
{
    err_set(err, ERR_REFUSED,
            "%s is an %s exchange: a tap would take a share of its messages from the others", exchange, type);
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "tail an exchange in front of it, or use --firehose");
    return ERR_REFUSED;
}

/* ---- opening ---- */

static enum err tap_queue(struct broker *b, const struct channel_name *name, uint32_t flags,
                          struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    amqp_bytes_t tap = amqp_empty_bytes;
    int bound = 0;
    enum err e = rabbit_tap_declare(b, &tap, err);
    if (!e)
        e = rabbit_bind_like_queue(b, tap, name->name, &bound, err);
    if (!e && !rabbit_source_add(b, name->name, CHANNEL_QUEUE))
        e = err_set(err, ERR_LIMIT, "too many channels for one session");
    if (!e)
        e = rabbit_tap_consume(b, tap, true, err);
    amqp_bytes_free(tap);
    if (e)
        return e;
    if (flags & READ_FIREHOSE)
        return rabbit_firehose_open(b, name, CHANNEL_QUEUE, name->name, err);
    char text[400];
    snprintf(
        text, sizeof text,
        bound
            ? "%s is tapped where it is bound; what comes by the default exchange is not seen (--firehose shows it)"
            : "nothing is bound to %s: its messages come by the default exchange, which only --firehose shows",
        name->name);
    r->sink.notice(r->sink.context, text);
    return ERR_OK;
}

enum err rabbit_tap_open(struct broker *b, const struct channel_name *name,
                         const struct rabbit_channel *found, uint32_t flags, struct err_info *err)
{
    if (rabbit_is_default(name) && (flags & READ_FIREHOSE))
        return rabbit_firehose_open(b, name, CHANNEL_EXCHANGE, "", err);
    if (rabbit_is_default(name)) {
        err_set(err, ERR_UNSUPPORTED, "nothing can be bound to the default exchange");
        err_where(err, "%s", b->endpoint->name);
        err_next(err, "--firehose shows what passes it");
        return ERR_UNSUPPORTED;
    }
    if (found->kind == CHANNEL_QUEUE)
        return tap_queue(b, name, flags, err);
    if (rabbit_exchange_steals(found->type))
        return refuse_thief(b, name->name, found->type, err);
    amqp_bytes_t tap = amqp_empty_bytes;
    enum err e = rabbit_tap_declare(b, &tap, err);
    if (!e)
        e = rabbit_bind_exchange(b, tap, name->name, found->type, err);
    if (!e && !rabbit_source_add(b, name->name, CHANNEL_EXCHANGE))
        e = err_set(err, ERR_LIMIT, "too many channels for one session");
    if (!e)
        e = rabbit_tap_consume(b, tap, !strcmp(found->type, "direct"), err);
    amqp_bytes_free(tap);
    return e;
}
