#include "operations/losses.h"

#include "base/buffer.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- counting ---- */

static bool is_one_of(const char *const *names, struct bytes name)
{
    while (*names && !bytes_equal_text(name, *names))
        names++;
    return *names != NULL;
}

static bool is_kept(struct bytes property, unsigned carries)
{
    static const char *const amqp[] = {"content_type",   "content_encoding", "delivery_mode", "priority",
                                       "correlation_id", "reply_to",         "expiration",    "message_id",
                                       "type",           "user_id",          "app_id",        NULL};
    /* What says where a message was is no part of it, and its time and partition have places of their own. */
    static const char *const elsewhere[] = {"exchange",     "routing_key", "partition", "timestamp_type",
                                            "timestamp_ms", "timestamp",   NULL};
    return (carries & CARRY_ANY) || is_one_of(elsewhere, property) ||
           ((carries & CARRY_AMQP) && is_one_of(amqp, property));
}

/* Is it in a list with ", " between its names? */
static bool is_listed(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = list; (at = strstr(at, name)); at++)
        if ((at == list || at[-1] == ' ') && (at[len] == '\0' || at[len] == ','))
            return true;
    return false;
}

static void name_property(struct losses *l, struct bytes property)
{
    static const char more[] = "...";
    char *list = l->property_names, name[40];
    size_t used = strlen(list);
    struct buffer clean;
    buffer_init(&clean, 4 * KIB);
    utf8_scrub(&clean, bytes_slice(property, 0, property.len < sizeof name ? property.len : sizeof name),
               SCRUB_SCREEN);
    text_copy_bytes(name, sizeof name, buffer_view(&clean));
    buffer_free(&clean);
    if (is_listed(list, name) || is_listed(list, more))
        return;
    bool fits = used + strlen(name) + 2 * sizeof more < sizeof l->property_names;
    snprintf(list + used, sizeof l->property_names - used, "%s%s", used ? ", " : "", fits ? name : more);
}

static void count_properties(struct losses *l, const struct message *m, unsigned carries)
{
    bool any = false;
    for (uint32_t i = 0; m->properties.items && i < m->properties.count; i++) {
        struct bytes name = m->properties.items[i].name;
        if (is_kept(name, carries))
            continue;
        name_property(l, name);
        any = true;
    }
    l->properties += any;
}

static void count_headers(struct losses *l, const struct message *m, const struct broker_ops *to)
{
    bool typed = false, nested = false, counters = false;
    for (uint32_t i = 0; m->headers.items && i < m->headers.count; i++) {
        enum value_type type = m->headers.items[i].value.type;
        typed |= type != VALUE_BYTES && type != VALUE_STRING && type != VALUE_VOID;
        nested |= type == VALUE_ARRAY || type == VALUE_TABLE;
        counters |= to->counters && is_one_of(to->counters, m->headers.items[i].name);
    }
    l->typed += typed && !(to->carries & CARRY_TYPES);
    l->counters += counters;
    l->nested += nested; /* a channel may keep none, though its broker does */
}

/* What was read from RabbitMQ without a delivery mode goes on without one (rabbitmq_publish.c): it lives until a restart. */
static bool is_transient(const struct message *m, unsigned carries)
{
    return (carries & CARRY_AMQP) && headers_find(m->properties, BYTES_LITERAL("exchange")) &&
           !headers_find(m->properties, BYTES_LITERAL("delivery_mode"));
}

void losses_count(struct losses *l, const struct message *m, const struct broker_ops *to)
{
    unsigned carries = to->carries;
    bool timed = m->time_ns != TIME_NONE;
    bool past = timed && m->time_ns < NS_PER_MS;      /* Kafka takes the very first millisecond for none */
    l->keys += m->key.data && !(carries & CARRY_KEY); /* an exchange may take them */
    l->nulls += !m->payload.data && !(carries & CARRY_NULL);
    l->past += past && !(carries & CARRY_PAST);
    l->times += timed && !past && m->time_ns % NS_PER_S && !(carries & CARRY_TIME);
    l->uncommitted += (m->flags & MESSAGE_UNCOMMITTED) != 0;
    l->transient += is_transient(m, carries);
    count_properties(l, m, carries);
    count_headers(l, m, to);
}

/* ---- saying ---- */

/* One or many, was or would be. */
struct words {
    const char *s, *has, *was, *is, *it, *goes, *left;
};

static struct words words_for(int64_t n, bool done)
{
    bool one = n == 1;
    return (struct words){.s = one ? "" : "s",
                          .has = one ? "has" : "have",
                          .was = one ? "was" : "were",
                          .is = one ? "is" : "are",
                          .it = one ? "it" : "they",
                          .goes = !done ? "would be"
                                  : one ? "was"
                                        : "were",
                          .left = done ? "were" : "would be"};
}

struct telling {
    const char *title;
    bool done;
    loss_visit *visit;
    void *context;
};

static void tell(const struct telling *t, const char *name, int64_t n, const char *format, ...)
    SB_PRINTF(4, 5);
static void tell(const struct telling *t, const char *name, int64_t n, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    t->visit(t->context, &(struct loss){name, n, text});
}

static void tell_contents(const struct losses *l, const struct telling *t, unsigned carries)
{
    struct words w = words_for(l->keys, t->done);
    if (l->keys && !(carries & CARRY_KEY))
        tell(t, "key", l->keys, "%" PRId64 " message%s %s a key, which %s has no place for: it %s left out",
             l->keys, w.s, w.has, t->title, t->done ? "was" : "would be");
    w = words_for(l->nulls, t->done);
    if (l->nulls)
        tell(t, "null", l->nulls,
             "%" PRId64 " payload%s %s null, which %s cannot tell from empty: %s %s sent empty", l->nulls,
             w.s, w.is, t->title, w.it, w.goes);
    w = words_for(l->properties, t->done);
    if (l->properties)
        tell(t, "properties", l->properties,
             "%" PRId64 " message%s %s properties that %s has no place for (%s): they %s left out",
             l->properties, w.s, w.has, t->title, l->property_names, w.left);
    w = words_for(l->typed, t->done);
    if (l->typed)
        tell(t, "header_types", l->typed,
             "%" PRId64
             " message%s %s headers with types (as x-death has), of which %s keeps the text: as JSON",
             l->typed, w.s, w.has, t->title);
    w = words_for(l->nested, t->done);
    if (l->nested && !(carries & CARRY_NESTED))
        tell(t, "nested_headers", l->nested,
             "%" PRId64 " message%s %s headers that are arrays or tables (as x-death is), which a stream of "
             "%s does not keep: they %s left out",
             l->nested, w.s, w.has, t->title, w.left);
    w = words_for(l->counters, t->done);
    if (l->counters)
        tell(t, "counters", l->counters,
             "%" PRId64
             " message%s %s headers in which %s counts for itself (x-delivery-count): they %s left out",
             l->counters, w.s, w.has, t->title, w.left);
}

static void tell_states(const struct losses *l, const struct telling *t)
{
    struct words w = words_for(l->times, t->done);
    if (l->times)
        tell(t, "time", l->times, "%" PRId64 " time%s %s cut to the second: %s has no finer one", l->times,
             w.s, w.goes, t->title);
    w = words_for(l->past, t->done);
    if (l->past)
        tell(t, "past", l->past,
             "%" PRId64
             " time%s %s at the beginning of 1970 or before it, which %s cannot keep: %s %s left out",
             l->past, w.s, l->past == 1 ? "lies" : "lie", t->title, w.it, w.goes);
    w = words_for(l->uncommitted, t->done);
    if (l->uncommitted)
        tell(t, "uncommitted", l->uncommitted,
             "%" PRId64 " message%s %s not committed where %s %s read: %s %s sent like any other",
             l->uncommitted, w.s, w.was, w.it, w.was, w.it, w.goes);
    w = words_for(l->transient, t->done);
    if (l->transient)
        tell(t, "delivery_mode", l->transient,
             "%" PRId64 " message%s %s read from %s without delivery_mode: %s %s sent transient, as %s "
             "%s there",
             l->transient, w.s, w.was, t->title, w.it, w.goes, w.it, w.was);
}

void losses_tell(const struct losses *l, const struct broker_ops *to, unsigned carries, bool done,
                 loss_visit *visit, void *context)
{
    const struct telling t = {to->title, done, visit, context};
    tell_contents(l, &t, carries);
    tell_states(l, &t);
}

static void put_loss(void *context, const struct loss *loss)
{
    struct json_writer *w = context;
    json_object(w);
    JSON_NAME(w, "loss");
    json_text(w, loss->name);
    JSON_NAME(w, "messages");
    json_int(w, loss->messages);
    JSON_NAME(w, "text");
    json_text(w, loss->text);
    json_object_end(w);
}

void losses_to_json(const struct losses *l, const struct broker_ops *to, unsigned carries, bool done,
                    struct json_writer *w)
{
    json_array(w);
    losses_tell(l, to, carries, done, put_loss, w);
    json_array_end(w);
}

void carries_tell(unsigned carries, carry_visit *visit, void *context)
{
    bool types = carries & CARRY_TYPES, nested = carries & CARRY_NESTED;
    visit(context, "payload", "kept");
    visit(context, "null payload", carries & CARRY_NULL ? "kept" : "empty");
    visit(context, "key", carries & CARRY_KEY ? "kept" : "left out");
    visit(context, "headers", types ? "kept with their types" : "kept as text");
    visit(context, "arrays and tables in headers", !nested ? "left out" : types ? "kept" : "as JSON");
    visit(context, "properties",
          carries & CARRY_ANY    ? "kept"
          : carries & CARRY_AMQP ? "those of AMQP kept"
                                 : "left out");
    visit(context, "time", carries & CARRY_TIME ? "to the millisecond" : "to the second");
}
