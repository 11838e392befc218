#include "model/death.h"

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
