#include "cli/losses.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- counting ---- */

/* What says where a message was is no part of it, and its time and partition have places of their own. */
static bool is_amqp(struct bytes property)
{
    static const char *const names[] = {"content_type",   "content_encoding", "delivery_mode", "priority",
                                        "correlation_id", "reply_to",         "expiration",    "message_id",
                                        "type",           "user_id",          "app_id"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (bytes_equal_text(property, names[i]))
            return true;
    return false;
}

static void name_property(struct losses *l, struct bytes property)
{
    char name[32];
    size_t used = strlen(l->amqp_names);
    text_copy_bytes(name, sizeof name, property);
    if (!strstr(l->amqp_names, name) && used + strlen(name) + 3 < sizeof l->amqp_names)
        snprintf(l->amqp_names + used, sizeof l->amqp_names - used, "%s%s", used ? ", " : "", name);
}

static void count_properties(struct losses *l, const struct message *m, unsigned carries)
{
    bool any = false, typed = false;
    for (uint32_t i = 0; m->properties.items && i < m->properties.count; i++) {
        struct bytes name = m->properties.items[i].name;
        if (!is_amqp(name) || (carries & CARRY_AMQP))
            continue;
        name_property(l, name);
        any = true;
    }
    for (uint32_t i = 0; m->headers.items && i < m->headers.count; i++) {
        enum value_type type = m->headers.items[i].value.type;
        typed |= type != VALUE_BYTES && type != VALUE_STRING && type != VALUE_VOID;
    }
    l->amqp += any;
    l->typed += typed && !(carries & CARRY_TYPES);
}

void losses_count(struct losses *l, const struct message *m, unsigned carries)
{
    bool timed = m->time_ns != TIME_NONE;
    bool past = timed && m->time_ns < NS_PER_MS;      /* Kafka takes the very first millisecond for none */
    l->keys += m->key.data && !(carries & CARRY_KEY); /* an exchange may take them */
    l->nulls += !m->payload.data && !(carries & CARRY_NULL);
    l->past += past && !(carries & CARRY_PAST);
    l->times += timed && !past && m->time_ns % NS_PER_S && !(carries & CARRY_TIME);
    l->uncommitted += (m->flags & MESSAGE_UNCOMMITTED) != 0;
    count_properties(l, m, carries);
}

/* ---- saying ---- */

/* One or many, was or would be. */
struct words {
    const char *s, *has, *was, *it, *goes;
};

static struct words words_for(int64_t n, bool done)
{
    bool one = n == 1;
    return (struct words){.s = one ? "" : "s",
                          .has = one ? "has" : "have",
                          .was = one ? "was" : "were",
                          .it = one ? "it" : "they",
                          .goes = !done ? "would be"
                                  : one ? "was"
                                        : "were"};
}

static void say_contents(const struct losses *l, const struct cli *c, const char *title, unsigned carries,
                         bool done)
{
    struct words w = words_for(l->keys, done);
    if (l->keys && !(carries & CARRY_KEY))
        cli_notice(c, "%" PRId64 " message%s %s a key, which %s has no place for: it %s left out", l->keys,
                   w.s, w.has, title, done ? "was" : "would be");
    w = words_for(l->nulls, done);
    if (l->nulls)
        cli_notice(c, "%" PRId64 " payload%s %s null, which %s cannot tell from empty: %s %s sent empty",
                   l->nulls, w.s, l->nulls == 1 ? "is" : "are", title, w.it, w.goes);
    w = words_for(l->amqp, done);
    if (l->amqp)
        cli_notice(c, "%" PRId64 " message%s %s properties that %s has no place for (%s): they %s left out",
                   l->amqp, w.s, w.has, title, l->amqp_names, done ? "were" : "would be");
    w = words_for(l->typed, done);
    if (l->typed)
        cli_notice(c,
                   "%" PRId64 " message%s %s headers with types (as x-death has), of which %s keeps the "
                   "text: as JSON",
                   l->typed, w.s, w.has, title);
}

static void say_states(const struct losses *l, const struct cli *c, const char *title, bool done)
{
    struct words w = words_for(l->times, done);
    if (l->times)
        cli_notice(c, "%" PRId64 " time%s %s cut to the second: %s has no finer one", l->times, w.s, w.goes,
                   title);
    w = words_for(l->past, done);
    if (l->past)
        cli_notice(c, "%" PRId64 " time%s %s before 1970, which %s cannot keep: %s %s left out", l->past, w.s,
                   l->past == 1 ? "lies" : "lie", title, w.it, w.goes);
    w = words_for(l->uncommitted, done);
    if (l->uncommitted)
        cli_notice(c, "%" PRId64 " message%s %s not committed where %s %s read: %s %s sent like any other",
                   l->uncommitted, w.s, w.was, w.it, w.was, w.it, w.goes);
}

void losses_say(const struct losses *l, const struct cli *c, const char *title, unsigned carries, bool done)
{
    say_contents(l, c, title, carries, done);
    say_states(l, c, title, done);
}
