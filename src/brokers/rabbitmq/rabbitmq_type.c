/* What kind of queue stands behind a name, where the management API does not tell. It must be known before a look: a quorum queue
 * counts looks towards its delivery limit, and what reads a stream would eat a queue's messages.
 *
 * queue.declare tells without any effect. Declared with a type that does not exist, an existing queue answers 406 "inequivalent arg
 * 'x-queue-type' ... but current is 'quorum'", and one that is not there is not made: 406 "unsupported queue type". Arguments that are
 * compared earlier are named one by one, with value and type, and repeated back. So seen on 3.10.8, for durable, transient,
 * auto-delete, lazy, priority, quorum and stream queues. It takes the permission `configure`.
 *
 * Tried and left: basic.consume under a global prefetch. A quorum queue refuses it (540) before it delivers, but a classic one
 * delivers, is marked, and, if auto-delete, is deleted with all its messages when that consumer goes; a stream accepts it, too. */
#include "brokers/rabbitmq/rabbitmq_internal.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define MOST_ARGUMENTS 16
#define NO_SUCH_TYPE   "signalbox asks"

struct question {
    amqp_table_entry_t entries[MOST_ARGUMENTS];
    char names[MOST_ARGUMENTS][64], values[MOST_ARGUMENTS][256];
    int count;
};

static bool ends(const char *text, const char *end)
{
    size_t len = strlen(text), tail = strlen(end);
    return len >= tail && strcmp(text + len - tail, end) == 0;
}

static bool is_now(const char *said, const char *type)
{
    char brief[64], full[96];
    snprintf(brief, sizeof brief, " but current is '%s'", type);
    snprintf(full, sizeof full, " but current is the value '%s' of type 'longstr'", type);
    return ends(said, brief) || ends(said, full);
}

static const char *type_said(const char *said)
{
    static const char *const types[] = {"classic", "quorum", "stream"};
    if (ends(said, " but current is none"))
        return "classic";
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (is_now(said, types[i]))
            return types[i];
    return "";
}

static bool set_value(amqp_field_value_t *value, const char *text, const char *type)
{
    if (strcmp(type, "longstr") == 0) {
        value->kind = AMQP_FIELD_KIND_UTF8;
        value->value.bytes = amqp_cstring_bytes(text);
    } else if (strcmp(type, "bool") == 0) {
        value->kind = AMQP_FIELD_KIND_BOOLEAN;
        value->value.boolean = strcmp(text, "true") == 0;
    } else {
        char *end;
        value->kind = AMQP_FIELD_KIND_I64;
        value->value.i64 = strtoll(text, &end, 10);
        return end != text && !*end;
    }
    return true;
}

/* "received none but current is the value 'V' of type 'T'" becomes an argument of the next question. */
static bool repeat_back(struct question *q, const char *name, const char *said)
{
    static const char before[] = "received none but current is the value '", between[] = "' of type '";
    const char *value = strstr(said, before), *type = NULL;
    char type_name[32];
    if (!value || q->count == MOST_ARGUMENTS || strlen(name) >= sizeof q->names[0])
        return false;
    value += sizeof before - 1;
    for (const char *at = strstr(value, between); at; at = strstr(at + 1, between))
        type = at; /* the last one: a value may hold anything */
    if (!type || !ends(said, "'") || (size_t)(type - value) >= sizeof q->values[0])
        return false;
    text_copy_bytes(q->values[q->count], sizeof q->values[0], bytes_of(value, (size_t)(type - value)));
    type += sizeof between - 1;
    text_copy_bytes(type_name, sizeof type_name, bytes_of(type, strlen(type) - 1));
    text_copy(q->names[q->count], sizeof q->names[0], name);
    amqp_table_entry_t *e = &q->entries[q->count];
    e->key = amqp_cstring_bytes(q->names[q->count]);
    if (!set_value(&e->value, q->values[q->count], type_name))
        return false;
    q->count++;
    return true;
}

/* What the broker objects to in a declaration: the reason of its 406; "" any other answer. */
static enum err ask(struct broker *b, const char *queue, struct question *q, char *said, size_t size)
{
    struct rabbit *r = b->state;
    amqp_channel_close_ok_t ok = {0};
    amqp_table_t arguments = {q->count, q->entries};
    said[0] = '\0';
    amqp_channel_open(r->connection, RABBIT_PROBE_CHANNEL);
    if (rabbit_last_reply(b, "opening a channel", NULL))
        return ERR_CLOSED;
    amqp_queue_declare(r->connection, RABBIT_PROBE_CHANNEL, rabbit_text(queue), 0, 1, 0, 0, arguments);
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(r->connection);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        amqp_channel_close(r->connection, RABBIT_PROBE_CHANNEL, AMQP_REPLY_SUCCESS);
    if (reply.reply_type != AMQP_RESPONSE_SERVER_EXCEPTION || reply.reply.id != AMQP_CHANNEL_CLOSE_METHOD) {
        (void)rabbit_reply(b, reply, "asking for the queue's type", NULL);
        return ERR_CLOSED;
    }
    const amqp_channel_close_t *close = reply.reply.decoded;
    if (close->reply_code == AMQP_PRECONDITION_FAILED)
        rabbit_copy(said, size, close->reply_text);
    amqp_send_method(r->connection, RABBIT_PROBE_CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
    return ERR_OK;
}

/* Whether that settles it: *type is then the type, or "" where it cannot be known. */
static bool settles(struct question *q, const char *said, const char **type)
{
    static const char before[] = "PRECONDITION_FAILED - inequivalent arg '";
    char name[64] = "";
    const char *from = said + sizeof before - 1, *to;
    *type = "";
    if (!text_starts(said, before) || !(to = strchr(from, '\'')))
        return true;
    text_copy_bytes(name, sizeof name, bytes_of(from, (size_t)(to - from)));
    if (strcmp(name, "x-queue-type") == 0)
        *type = type_said(said);
    else if (strcmp(name, "durable") == 0 || strcmp(name, "auto_delete") == 0)
        *type = "classic"; /* the others are durable, and never deleted by themselves */
    else
        return !repeat_back(q, name, said);
    return true;
}

enum err rabbit_ask_type(struct broker *b, const char *queue, char *type, size_t size)
{
    char said[256];
    const char *found = "";
    struct question *q = calloc(1, sizeof *q);
    if (!q)
        return ERR_NOMEM;
    q->count = 1;
    q->entries[0].key = amqp_cstring_bytes("x-queue-type");
    (void)set_value(&q->entries[0].value, NO_SUCH_TYPE, "longstr");
    enum err e = ERR_OK;
    do
        e = ask(b, queue, q, said, sizeof said);
    while (!e && !settles(q, said, &found));
    text_copy(type, size, e ? "" : found);
    free(q);
    return e;
}
