/* Taps: an exclusive, server-named, bounded queue, bound like what is listened to. The broker removes it with the
 * connection. Messages by the default exchange pass no binding: only the firehose shows them. */
#include "brokers/rabbitmq/rabbitmq_reader.h"

#include "base/limits.h"
#include "base/json.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TAP_MOST_MESSAGES 20000
#define TAP_MOST_BYTES    (64 * (int64_t)MIB)
#define MOST_BINDINGS     1000

static amqp_table_entry_t number_entry(const char *name, int64_t value)
{
    amqp_table_entry_t e = {.key = amqp_cstring_bytes(name)};
    e.value.kind = AMQP_FIELD_KIND_I64;
    e.value.value.i64 = value;
    return e;
}

/* A frozen reader must not fill the broker: beyond these bounds the oldest are dropped (x-overflow's default, drop-head). */
enum err rabbit_tap_declare(struct broker *b, amqp_bytes_t *queue, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    amqp_table_entry_t entries[] = {number_entry("x-max-length", TAP_MOST_MESSAGES),
                                    number_entry("x-max-length-bytes", TAP_MOST_BYTES)};
    amqp_table_t arguments = {2, entries};
    amqp_queue_declare_ok_t *ok =
        amqp_queue_declare(rabbit->connection, RABBIT_CHANNEL, amqp_empty_bytes, 0, 0, 1, 1, arguments);
    enum err e = rabbit_last_reply(b, "making a queue for the tap", err);
    if (!e)
        *queue = amqp_bytes_malloc_dup(ok->queue);
    return e ? e : queue->bytes ? ERR_OK : err_set(err, ERR_NOMEM, "no memory for a tap");
}

enum err rabbit_tap_consume(struct broker *b, amqp_bytes_t queue, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_source *s = &rabbit->reader->sources[rabbit->reader->source_count - 1];
    text_copy_bytes(s->tap, sizeof s->tap, bytes_of(queue.bytes, queue.len));
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
    if (!r->was_paused && now < r->look_ns)
        return ERR_OK;
    for (size_t i = 0; !e && i < r->source_count; i++)
        if (r->sources[i].tap[0])
            e = look_at(b, &r->sources[i], err);
    r->was_paused = false;
    r->look_ns = now + NS_PER_S;
    r->looked = r->seen = 0;
    return e;
}

enum err rabbit_bind(struct broker *b, amqp_bytes_t queue, const char *exchange, amqp_bytes_t key,
                     const amqp_table_t *arguments, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    char what[320];
    amqp_queue_bind(rabbit->connection, RABBIT_CHANNEL, queue, rabbit_text(exchange), key,
                    arguments ? *arguments : amqp_empty_table);
    snprintf(what, sizeof what, "binding to %s", exchange);
    return rabbit_last_reply(b, what, err);
}

/* Exchanges that give each message to one of their queues: a tap there would steal. */
static bool steals(const char *type)
{
    return strcmp(type, "x-consistent-hash") == 0 || strcmp(type, "x-modulus-hash") == 0 ||
           strstr(type, "random") != NULL;
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

/* ---- bindings as the management API tells them ---- */

static struct value json_value(const struct field *f)
{
    int64_t i;
    if (f->kind == FIELD_NUMBER && json_to_int64(f->text, &i))
        return (struct value){.type = VALUE_INT64, .i = i};
    if (f->kind == FIELD_BOOL)
        return (struct value){.type = VALUE_BOOL, .b = bytes_equal_text(f->text, "true")};
    return (struct value){.type = VALUE_STRING, .bytes = f->text.data ? f->text : BYTES_LITERAL("")};
}

static bool binding_arguments(struct rabbit_answer *a, const struct field *binding, amqp_table_t *table)
{
    const struct field *object = rabbit_member(a, binding, "arguments");
    uint32_t count = 0;
    struct header *items = arena_alloc(&a->arena, ((object ? object->children : 0) + 1) * sizeof *items);
    if (!items)
        return false;
    for (const struct field *f = object && object->kind == FIELD_OBJECT ? rabbit_first(a, object) : NULL; f;
         f = rabbit_next(a, object, f))
        items[count++] = (struct header){f->name, json_value(f)};
    return rabbit_table((struct headers){items, count}, &a->arena, table);
}

static enum err bind_like(struct broker *b, amqp_bytes_t queue, struct rabbit_answer *a,
                          const struct field *binding, const char *exchange, struct err_info *err)
{
    char key[256];
    amqp_table_t arguments;
    rabbit_string(a, binding, "routing_key", key, sizeof key);
    if (!binding_arguments(a, binding, &arguments))
        return err_set(err, ERR_NOMEM, "no memory for a binding");
    return rabbit_bind(b, queue, exchange, rabbit_text(key), &arguments, err);
}

/* ---- an exchange ---- */

/* A direct exchange wants the exact keys: those that its queues are bound with. */
static enum err bind_direct(struct broker *b, amqp_bytes_t queue, const char *exchange, struct err_info *err)
{
    char path[900];
    struct rabbit_answer a;
    int bound = 0;
    rabbit_path(b, path, sizeof path, "exchanges", exchange, "/bindings/source");
    enum err e = rabbit_api(b, "GET", path, NULL, &a, err);
    if (e)
        return e;
    const struct field *list = &a.tree.nodes[0];
    for (const struct field *f = rabbit_first(&a, list); !e && f && bound < MOST_BINDINGS;
         f = rabbit_next(&a, list, f)) {
        e = bind_like(b, queue, &a, f, exchange, err);
        bound++;
    }
    rabbit_answer_free(&a);
    if (!e && bound == 0) {
        struct rabbit *rabbit = b->state;
        rabbit->reader->sink.notice(
            rabbit->reader->sink.context,
            "nothing is bound to this direct exchange: there are no keys to listen to");
    }
    return e;
}

static enum err bind_exchange(struct broker *b, amqp_bytes_t queue, const char *name, const char *type,
                              struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    if (strcmp(type, "direct") == 0)
        return bind_direct(b, queue, name, err);
    if (type[0] == '\0')
        rabbit->reader->sink.notice(
            rabbit->reader->sink.context,
            "without the management API the exchange's type is not known: topic, fanout and headers "
            "exchanges are seen whole, a direct one is not");
    /* "#" is every topic; fanout takes no notice of keys; headers exchanges match empty arguments always. */
    return rabbit_bind(b, queue, name, rabbit_text("#"), NULL, err);
}

/* ---- a queue, listened to where its messages come from ---- */

static enum err type_of_exchange(struct broker *b, const char *exchange, char *type, size_t size)
{
    struct rabbit_channel found;
    const struct channel_name name = {CHANNEL_EXCHANGE, exchange};
    enum err e = rabbit_find(b, &name, &found, NULL);
    text_copy(type, size, e ? "" : found.type);
    return e;
}

static enum err bind_like_queue(struct broker *b, amqp_bytes_t tap, const char *name, int *bound,
                                struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    char path[900];
    struct rabbit_answer a;
    rabbit_path(b, path, sizeof path, "queues", name, "/bindings");
    enum err e = rabbit_api(b, "GET", path, NULL, &a, err);
    if (e) {
        if (err_policy(e) == ERR_POLICY_RETRY) /* the broker is there: trying again would find the same */
            e = err->code = ERR_UNSUPPORTED;
        err_next(
            err,
            "a queue's bindings, which a tail follows, are known to the management API alone: say where it is "
            "(?management=URL), or tail the exchange in front");
        return e;
    }
    const struct field *list = &a.tree.nodes[0];
    for (const struct field *f = rabbit_first(&a, list); !e && f && *bound < MOST_BINDINGS;
         f = rabbit_next(&a, list, f)) {
        char source[256], type[64];
        rabbit_string(&a, f, "source", source, sizeof source);
        if (!source[0])
            continue;
        type_of_exchange(b, source, type, sizeof type);
        if (steals(type)) {
            char text[400];
            snprintf(text, sizeof text,
                     "%s comes from the %s exchange %s too: not tapped, a tap would steal there", name, type,
                     source);
            rabbit->reader->sink.notice(rabbit->reader->sink.context, text);
            continue;
        }
        e = bind_like(b, tap, &a, f, source, err);
        ++*bound;
    }
    rabbit_answer_free(&a);
    return e;
}

static enum err tap_queue(struct broker *b, const struct channel_name *name, uint32_t flags,
                          struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    amqp_bytes_t tap = amqp_empty_bytes;
    int bound = 0;
    enum err e = rabbit_tap_declare(b, &tap, err);
    if (!e)
        e = bind_like_queue(b, tap, name->name, &bound, err);
    if (!e && !rabbit_source_add(b, name->name, CHANNEL_QUEUE))
        e = err_set(err, ERR_LIMIT, "too many channels for one session");
    if (!e)
        e = rabbit_tap_consume(b, tap, err);
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
    bool by_default = name->name[0] == '\0' || strcmp(name->name, "amq.default") == 0;
    if (by_default && (flags & READ_FIREHOSE))
        return rabbit_firehose_open(b, name, CHANNEL_EXCHANGE, "", err);
    if (by_default) {
        err_set(err, ERR_UNSUPPORTED, "nothing can be bound to the default exchange");
        err_where(err, "%s", b->endpoint->name);
        err_next(err, "--firehose shows what passes it");
        return ERR_UNSUPPORTED;
    }
    if (found->kind == CHANNEL_QUEUE)
        return tap_queue(b, name, flags, err);
    if (steals(found->type))
        return refuse_thief(b, name->name, found->type, err);
    amqp_bytes_t tap = amqp_empty_bytes;
    enum err e = rabbit_tap_declare(b, &tap, err);
    if (!e)
        e = bind_exchange(b, tap, name->name, found->type, err);
    if (!e && !rabbit_source_add(b, name->name, CHANNEL_EXCHANGE))
        e = err_set(err, ERR_LIMIT, "too many channels for one session");
    if (!e)
        e = rabbit_tap_consume(b, tap, err);
    amqp_bytes_free(tap);
    return e;
}
