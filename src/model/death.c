#include "model/death.h"

#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const names[] = {
    "x-first-death-reason",
    "x-last-death-reason",
    "x-death-reason", /* the memory broker */
    "kafka_dlt-exception-message",
    "kafka_dlt-exception-fqcn", /* Spring Kafka */
    "__connect.errors.exception.message",
    "x-exception-message",
};

/* RabbitMQ: an array of tables, the newest first (https://www.rabbitmq.com/docs/dlx#effects). */
static const struct value *x_death(struct headers headers)
{
    const struct value *death = headers_find(headers, BYTES_LITERAL("x-death"));
    return death && death->type == VALUE_ARRAY ? death : NULL;
}

static struct headers entry_of(const struct value *death, uint32_t i)
{
    const struct value *entry = &death->list.items[i].value;
    return entry->type == VALUE_TABLE ? (struct headers){entry->list.items, entry->list.count}
                                      : (struct headers){NULL, 0};
}

/* A name may stand several times. False: enough. */
static bool visit_named(struct headers headers, const char *name, death_visit *visit, void *context)
{
    for (uint32_t i = 0; headers.items && i < headers.count; i++)
        if (bytes_equal(headers.items[i].name, bytes_of_text(name)) &&
            !visit(context, &headers.items[i].value))
            return false;
    return true;
}

void death_reasons(struct headers headers, death_visit *visit, void *context)
{
    const struct value *death = x_death(headers);
    for (uint32_t i = 0; death && i < death->list.count; i++)
        if (!visit_named(entry_of(death, i), "reason", visit, context))
            return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!visit_named(headers, names[i], visit, context))
            return;
}

static struct bytes text_in(struct headers headers, const char *name)
{
    const struct value *v = headers_find(headers, bytes_of_text(name));
    return v && (v->type == VALUE_STRING || v->type == VALUE_BYTES) ? v->bytes : BYTES_NULL;
}

static size_t tell_entry(struct headers entry, bool first, char *into, size_t size)
{
    struct bytes reason = text_in(entry, "reason"), queue = text_in(entry, "queue");
    const struct value *count = headers_find(entry, BYTES_LITERAL("count"));
    char times[40] = "";
    if (count && count->type == VALUE_INT64 && count->i > 1)
        snprintf(times, sizeof times, ", %" PRId64 " times", count->i);
    if (!reason.data)
        return 0;
    int n =
        snprintf(into, size, "%s%.*s%s%.*s%s", first ? "" : "; ", (int)reason.len, (const char *)reason.data,
                 queue.len ? " from " : "", (int)queue.len, (const char *)queue.data, times);
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

static bool take_first(void *context, const struct value *reason)
{
    struct bytes *into = context;
    if (reason->type == VALUE_STRING || reason->type == VALUE_BYTES)
        *into = reason->bytes;
    return !into->data;
}

char *death_tell(struct headers headers, char *into, size_t size)
{
    const struct value *death = x_death(headers);
    struct bytes reason = BYTES_NULL;
    size_t used = 0;
    into[0] = '\0';
    for (uint32_t i = 0; death && i < death->list.count && used + 1 < size; i++)
        used += tell_entry(entry_of(death, i), used == 0, into + used, size - used);
    if (!used)
        death_reasons(headers, take_first, &reason);
    if (reason.data)
        snprintf(into, size, "%.*s", (int)(reason.len < size ? reason.len : size - 1),
                 (const char *)reason.data);
    return into;
}

/* ---- the last death ---- */

static struct bytes first_in(struct headers headers, const char *const *names_of)
{
    struct bytes text = BYTES_NULL;
    for (; *names_of && !text.len; names_of++)
        text = text_in(headers, *names_of);
    return text;
}

/* java.lang.IllegalStateException, org.acme.Orders$Refused */
static struct bytes without_package(struct bytes name)
{
    for (size_t i = name.len; i > 0; i--)
        if (name.data[i - 1] == '.' || name.data[i - 1] == '$')
            return bytes_slice(name, i, name.len);
    return name;
}

static struct bytes first_line(struct bytes text)
{
    size_t end = 0;
    while (end < text.len && text.data[end] != '\n' && text.data[end] != '\r')
        end++;
    return bytes_slice(text, 0, end);
}

void death_why(struct headers headers, struct death_why *why)
{
    static const char *const reasons[] = {"x-last-death-reason", "x-first-death-reason", "x-death-reason",
                                          NULL};
    /* Spring's own exception only says that a listener has thrown one: the cause comes first. */
    static const char *const classes[] = {"kafka_dlt-exception-cause-fqcn", "kafka_dlt-exception-fqcn",
                                          "__connect.errors.exception.class.name", NULL};
    static const char *const messages[] = {"kafka_dlt-exception-message",
                                           "__connect.errors.exception.message", "x-exception-message", NULL};
    const struct value *death = x_death(headers);
    *why = (struct death_why){BYTES_NULL, BYTES_NULL};
    if (death && death->list.count)
        why->reason = text_in(entry_of(death, 0), "reason");
    if (!why->reason.len)
        why->reason = first_in(headers, reasons);
    if (!why->reason.len)
        why->reason = without_package(first_in(headers, classes));
    why->detail = first_line(first_in(headers, messages));
}

int64_t death_time(struct headers headers)
{
    const struct value *death = x_death(headers), *time = NULL;
    if (death && death->list.count)
        time = headers_find(entry_of(death, 0), BYTES_LITERAL("time"));
    bool told = time && time->type == VALUE_TIMESTAMP && time->u < (uint64_t)(INT64_MAX / NS_PER_S);
    return told ? (int64_t)time->u * NS_PER_S : TIME_NONE;
}

/* ---- where it came from ---- */

const char *const death_headers[] = {
    "x-death",
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-last-death-exchange",
    "x-last-death-queue",
    "x-last-death-reason",
    NULL,
};

/* Spring Kafka (KafkaHeaders.DLT_ORIGINAL_TOPIC), Kafka Connect (errors.deadletterqueue.context.headers.enable), and what others write. */
static const char *const topic_headers[] = {
    "kafka_dlt-original-topic", "__connect.errors.topic", "x-original-topic", "dlt-original-topic", NULL,
};
static const char *const queue_headers[] = {"x-death-queue", NULL}; /* the memory broker */

static bool find_channel(struct headers headers, const char *const *names_of, enum channel_kind kind,
                         struct death_origin *origin)
{
    for (size_t i = 0; names_of && names_of[i]; i++) {
        struct bytes name = text_in(headers, names_of[i]);
        if (!name.len)
            continue;
        origin->channel = name;
        origin->kind = kind;
        return true;
    }
    return false;
}

/* Of the first death: later ones may have been published by a dead letter exchange. Without RabbitMQ's word for it the oldest one. */
static struct headers first_death(struct headers headers, const struct value *death)
{
    struct bytes queue = text_in(headers, "x-first-death-queue"),
                 reason = text_in(headers, "x-first-death-reason");
    for (uint32_t i = death->list.count; queue.len && i-- > 0;) {
        struct headers entry = entry_of(death, i);
        if (bytes_equal(text_in(entry, "queue"), queue) && bytes_equal(text_in(entry, "reason"), reason))
            return entry;
    }
    return entry_of(death, death->list.count - 1);
}

static bool origin_of_death(struct headers headers, const struct value *death, struct death_origin *origin)
{
    struct headers first = first_death(headers, death);
    const struct value *keys = headers_find(first, BYTES_LITERAL("routing-keys"));
    origin->channel = text_in(entry_of(death, 0), "queue");
    origin->exchange = text_in(first, "exchange");
    origin->kind = CHANNEL_QUEUE;
    if (keys && keys->type == VALUE_ARRAY && keys->list.count) {
        const struct value *key = &keys->list.items[0].value; /* further ones are those of CC */
        origin->routing_key = key->type == VALUE_STRING || key->type == VALUE_BYTES ? key->bytes : BYTES_NULL;
    }
    return origin->channel.len > 0;
}

/* Spring writes it as four bytes, the highest first, others as digits. */
static int32_t partition_in(struct headers headers)
{
    static const char *const in_digits[] = {"__connect.errors.partition", "x-original-partition"};
    struct bytes b = text_in(headers, "kafka_dlt-original-partition");
    if (b.len == 4)
        return (int32_t)((uint32_t)b.data[0] << 24 | (uint32_t)b.data[1] << 16 | (uint32_t)b.data[2] << 8 |
                         b.data[3]);
    for (size_t i = 0; i < sizeof in_digits / sizeof *in_digits; i++) {
        char digits[12];
        int64_t n = -1;
        b = text_in(headers, in_digits[i]);
        if (b.len && b.len < sizeof digits && text_int64(text_copy_bytes(digits, sizeof digits, b), &n) &&
            n >= 0 && n <= INT32_MAX)
            return (int32_t)n;
    }
    return -1;
}

bool death_origin(struct headers headers, const char *const *also, struct death_origin *origin)
{
    const struct value *death = x_death(headers);
    *origin = (struct death_origin){.partition = -1};
    if (find_channel(headers, also, CHANNEL_ANY, origin))
        return true;
    if (death && death->list.count && origin_of_death(headers, death, origin))
        return true;
    origin->partition = partition_in(headers);
    return find_channel(headers, topic_headers, CHANNEL_TOPIC, origin) ||
           find_channel(headers, queue_headers, CHANNEL_QUEUE, origin);
}
