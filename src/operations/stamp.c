#include "operations/stamp.h"

#include "base/limits.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const stamps[] = {STAMP_OPERATION, STAMP_REPLAYS, STAMP_EDITED, STAMP_SOURCE, NULL};

static struct bytes text_of(const struct message *m, const char *name)
{
    const struct value *v = headers_find(m->headers, bytes_of_text(name));
    return v && (v->type == VALUE_STRING || v->type == VALUE_BYTES) ? v->bytes : BYTES_NULL;
}

static bool read_number(struct bytes text, uint64_t *number)
{
    char digits[24];
    int64_t n = 0;
    if (!text.data || text.len >= sizeof digits ||
        !text_int64(text_copy_bytes(digits, sizeof digits, text), &n) || n < 0)
        return false;
    *number = (uint64_t)n;
    return true;
}

bool stamp_operation(const struct message *m, char operation[OPERATION_ID_SIZE], uint64_t *sequence)
{
    struct bytes text = text_of(m, STAMP_OPERATION);
    size_t id = OPERATION_ID_SIZE - 1;
    if (!text.data || text.len <= id || text.data[id] != '/')
        return false;
    text_copy_bytes(operation, OPERATION_ID_SIZE, bytes_slice(text, 0, id));
    return read_number(bytes_slice(text, id + 1, text.len), sequence);
}

uint64_t stamp_replays(const struct message *m)
{
    uint64_t n = 0;
    return read_number(text_of(m, STAMP_REPLAYS), &n) ? n : 0;
}

struct bytes stamp_source(const struct message *m)
{
    return text_of(m, STAMP_SOURCE);
}

static bool is_named(struct bytes name, const char *const *names)
{
    for (size_t i = 0; names && names[i]; i++)
        if (bytes_equal_text(name, names[i]))
            return true;
    return false;
}

bool stamp_drops(struct bytes name, const char *const *drop, bool stamped)
{
    return is_named(name, drop) || (stamped && is_named(name, stamps));
}

static void add(struct header *list, uint32_t *count, const char *name, struct bytes value)
{
    list[(*count)++] = (struct header){bytes_of_text(name), {.type = VALUE_STRING, .bytes = value}};
}

static struct bytes print(struct arena *arena, const char *text)
{
    const char *copy = arena_strdup(arena, text);
    return copy ? bytes_of_text(copy) : BYTES_NULL;
}

static enum err add_stamps(const struct stamp *s, struct header *list, uint32_t *count, struct arena *arena,
                           struct err_info *err)
{
    char text[OPERATION_ID_SIZE + 24], number[24];
    snprintf(text, sizeof text, "%s/%" PRIu64, s->operation, s->sequence);
    snprintf(number, sizeof number, "%" PRIu64, s->replays);
    struct bytes operation = print(arena, text), replays = print(arena, number);
    if (!operation.data || !replays.data)
        return err_set(err, ERR_NOMEM, "no memory for a message's headers");
    add(list, count, STAMP_OPERATION, operation);
    if (s->replays)
        add(list, count, STAMP_REPLAYS, replays);
    if (s->edited)
        add(list, count, STAMP_EDITED, BYTES_LITERAL("true"));
    if (s->source.data)
        add(list, count, STAMP_SOURCE, s->source);
    return ERR_OK;
}

enum err stamp_put(const struct message *m, const char *const *drop, const struct stamp *stamp,
                   struct arena *arena, struct message *into, struct err_info *err)
{
    uint32_t before = m->headers.items ? m->headers.count : 0, count = 0;
    *into = (struct message){.origin = m->origin,
                             .position = m->position,
                             .time_ns = m->time_ns,
                             .received_ns = m->received_ns,
                             .flags = m->flags,
                             .id = m->id,
                             .key = m->key,
                             .payload = m->payload,
                             .headers = m->headers,
                             .properties = m->properties};
    if (before + 4 > LIMIT_HEADERS)
        return err_set(err, ERR_LIMIT, "more headers than the %d that a message may have", LIMIT_HEADERS);
    struct header *list = arena_alloc(arena, (before + 4) * sizeof *list);
    if (!list)
        return err_set(err, ERR_NOMEM, "no memory for a message's headers");
    for (uint32_t i = 0; i < before; i++) {
        if (!stamp_drops(m->headers.items[i].name, drop, stamp != NULL))
            list[count++] = m->headers.items[i];
    }
    enum err e = stamp ? add_stamps(stamp, list, &count, arena, err) : ERR_OK;
    if (count || before)
        into->headers = (struct headers){list, count};
    return e;
}
