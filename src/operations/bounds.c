#include "operations/bounds.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

bool bounds_ask(struct broker *b, const struct channel_name *channel, struct channel_bounds *into)
{
    struct err_info err;
    return b->ops->bounds && !b->ops->bounds(b, channel, into, &err);
}

static bool pushes_out(const struct channel_bounds *b)
{
    return !b->refuses && !b->log;
}

int64_t bounds_room(const struct channel_bounds *b, int64_t ready)
{
    if (!pushes_out(b) || b->messages < 0 || ready < 0)
        return -1;
    return ready < b->messages ? b->messages - ready : 0;
}

/* Of a queue that is empty no statistics are needed. */
int64_t bounds_room_bytes(const struct channel_bounds *b, int64_t ready)
{
    int64_t stored = ready == 0 ? 0 : b->stored;
    if (!pushes_out(b) || b->bytes < 0 || stored < 0)
        return -1;
    return stored < b->bytes ? b->bytes - stored : 0;
}

/* ---- saying ---- */

struct telling {
    bounds_visit *visit;
    void *context;
};

static void tell(const struct telling *t, bool lost, const char *format, ...) SB_PRINTF(3, 4);
static void tell(const struct telling *t, bool lost, const char *format, ...)
{
    char text[500];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    t->visit(t->context, lost, text);
}

/* What becomes of what makes way, or is too old: "are gone", "go on to the exchange X". */
static const char *fate(const struct channel_bounds *b, bool one, char *into, size_t size)
{
    const char *to = b->dead_letter_to;
    if (!b->dead_letters)
        return one ? "is gone" : "are gone";
    snprintf(into, size, "%s on to the %s%.255s", one ? "goes" : "go", *to ? "exchange " : "default exchange",
             to);
    return into;
}

static void limit_text(const struct channel_bounds *b, char *into, size_t size)
{
    char count[32], bytes[32];
    bool both = b->messages >= 0 && b->bytes >= 0;
    snprintf(into, size, "%s%s%s%s",
             b->messages >= 0 ? text_count(count, sizeof count, (uint64_t)b->messages) : "",
             b->messages < 0    ? ""
             : b->messages == 1 ? " message"
                                : " messages",
             both ? " and " : "", b->bytes >= 0 ? text_bytes(bytes, sizeof bytes, (uint64_t)b->bytes) : "");
}

static void room_text(const struct channel_bounds *b, int64_t ready, char *into, size_t size)
{
    char count[32] = "", bytes[32] = "";
    int64_t room = bounds_room(b, ready), room_bytes = bounds_room_bytes(b, ready);
    if (room >= 0)
        text_count(count, sizeof count, (uint64_t)room);
    if (room_bytes >= 0)
        text_bytes(bytes, sizeof bytes, (uint64_t)room_bytes);
    snprintf(into, size, "%s%s%s", count, *count && *bytes ? " and " : "",
             *bytes   ? bytes
             : *count ? ""
                      : "a number that is not known");
}

static void tell_limit(const struct telling *t, const struct channel_bounds *b, const char *channel,
                       int64_t ready)
{
    char limit[100], room[100], dead[300];
    if (b->messages < 0 && b->bytes < 0)
        return;
    limit_text(b, limit, sizeof limit);
    if (b->log)
        tell(t, true, "%.120s keeps about %s: its oldest go then", channel, limit);
    else if (b->refuses)
        tell(t, false, "%.120s holds at most %s: what is beyond it refuses, and that stays where it is",
             channel, limit);
    else {
        room_text(b, ready, room, sizeof room);
        tell(t, true, "%.120s holds at most %s, and has room for %s: beyond that its oldest make way, and %s",
             channel, limit, room, fate(b, false, dead, sizeof dead));
    }
}

void bounds_tell(const struct channel_bounds *b, const char *channel, int64_t ready, bounds_visit *visit,
                 void *context)
{
    const struct telling t = {visit, context};
    char dead[300], age[32];
    tell_limit(&t, b, channel, ready);
    if (b->ttl_ms >= 0)
        tell(&t, true, "%.120s keeps a message for %s: then it %s", channel,
             text_age(age, sizeof age, b->ttl_ms * NS_PER_MS), fate(b, true, dead, sizeof dead));
    if (*b->age)
        tell(&t, true, "%.120s keeps a message for %s: it is gone then", channel, b->age);
    if (b->expires_ms >= 0)
        tell(&t, true, "%.120s is deleted with all that is in it when nobody has used it for %s", channel,
             text_age(age, sizeof age, b->expires_ms * NS_PER_MS));
    if (*b->unknown)
        tell(&t, false, "whether %.120s has a limit or a time to live is not known: %s", channel, b->unknown);
}

static void put_number(struct json_writer *w, int64_t n)
{
    if (n >= 0)
        json_int(w, n);
    else
        json_null(w);
}

void bounds_to_json(const struct channel_bounds *b, int64_t ready, struct json_writer *w)
{
    json_object(w);
    JSON_NAME(w, "max_messages");
    put_number(w, b->messages);
    JSON_NAME(w, "max_bytes");
    put_number(w, b->bytes);
    JSON_NAME(w, "refuses");
    json_bool(w, b->refuses);
    JSON_NAME(w, "room");
    put_number(w, bounds_room(b, ready));
    JSON_NAME(w, "room_bytes");
    put_number(w, bounds_room_bytes(b, ready));
    JSON_NAME(w, "ttl_ms");
    put_number(w, b->ttl_ms);
    JSON_NAME(w, "max_age");
    json_text(w, *b->age ? b->age : NULL);
    JSON_NAME(w, "expires_ms");
    put_number(w, b->expires_ms);
    JSON_NAME(w, "dead_letter_exchange");
    json_text(w, b->dead_letters ? b->dead_letter_to : NULL);
    JSON_NAME(w, "unknown");
    json_text(w, *b->unknown ? b->unknown : NULL);
    json_object_end(w);
}

enum err bounds_check(const struct channel_bounds *b, const char *channel, int64_t ready, int64_t messages,
                      int64_t bytes, struct err_info *err)
{
    char limit[100], has[100], dead[300], want[64] = "";
    int64_t room = bounds_room(b, ready), room_bytes = bounds_room_bytes(b, ready);
    bool many = room >= 0 && messages > room, large = room_bytes >= 0 && bytes > room_bytes;
    if (!many && !large)
        return ERR_OK;
    limit_text(b, limit, sizeof limit);
    room_text(b, ready, has, sizeof has);
    if (many)
        text_count(want, sizeof want, (uint64_t)messages);
    else
        text_bytes(want, sizeof want, (uint64_t)bytes);
    err_set(err, ERR_REFUSED,
            "it holds at most %s and has room for %s, not for %s: its oldest make way then, and %s", limit,
            has, want, fate(b, false, dead, sizeof dead));
    err_where(err, "%s", channel);
    if (room > 0)
        err_next(err, "--limit %" PRId64 ", or raise its limit", room);
    else
        err_next(err, "raise its limit, or take messages off it");
    return ERR_REFUSED;
}
