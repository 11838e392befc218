/* The message back from its JSON, byte for byte: the exact inverse of message_json. */
#include "engine/message_json.h"

#include "base/limits.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define MOST_PROPERTIES 256 /* AMQP has 14 */

struct parse {
    struct json_reader reader;
    struct arena *arena;
    struct err_info *err;
    struct bytes text;
    unsigned depth;
    uint32_t seen; /* members of the message, one bit each */
};

static enum err wrong(struct parse *p, const char *member, const char *wanted)
{
    struct json_reader *r = &p->reader;
    if (r->error)
        err_set(p->err, ERR_FORMAT, "the JSON is malformed: %s", r->error);
    else
        err_set(p->err, ERR_FORMAT, "`%s` must be %s", member, wanted);
    err_where(p->err, "byte %zu", r->error ? r->at : r->start);
    err_next(p->err, "this wants what `signalbox browse --json` writes");
    return ERR_FORMAT;
}

/* Null: no_plain says why. */
static struct bytes plain(struct parse *p)
{
    struct json_reader *r = &p->reader;
    struct buffer b;
    if (!r->escaped)
        return arena_copy(p->arena, r->raw.data ? r->raw : BYTES_LITERAL(""));
    if (!json_raw_is_text(r->raw))
        return BYTES_NULL;
    buffer_init(&b, r->raw.len + 16);
    json_unescape(r->raw, &b);
    struct bytes copy = arena_copy(p->arena, buffer_view(&b));
    buffer_free(&b);
    return copy;
}

static bool name_is(const struct parse *p, const char *name)
{
    return json_raw_equal(p->reader.raw, p->reader.escaped, bytes_of_text(name));
}

static enum err no_room(struct parse *p, const char *member)
{
    err_set(p->err, ERR_LIMIT, "`%s` is larger than a message may be", member);
    err_where(p->err, "byte %zu", p->reader.start);
    return ERR_LIMIT;
}

/* A text that cannot be had must not pass as null, which is a tombstone on Kafka, and not as a text like it. */
static enum err no_plain(struct parse *p, const char *member)
{
    if (!p->reader.escaped || json_raw_is_text(p->reader.raw))
        return no_room(p, member);
    err_set(p->err, ERR_FORMAT, "`%s` has half a character: a lone surrogate is no UTF-8", member);
    err_where(p->err, "byte %zu", p->reader.start);
    err_next(p->err, "bytes that are no text are written {\"base64\":...}");
    return ERR_FORMAT;
}

static enum err repeated(struct parse *p)
{
    char name[64];
    text_copy_bytes(name, sizeof name, p->reader.raw);
    err_set(p->err, ERR_FORMAT, "`%s` stands twice: one of the two would be lost", name);
    err_where(p->err, "byte %zu", p->reader.start);
    return ERR_FORMAT;
}

/* null, "text", {"text":...} or {"base64":...} at event e. */
static enum err take_bytes(struct parse *p, enum json_event e, const char *member, struct bytes *out)
{
    static const char wanted[] = "a string, null, {\"text\":...} or {\"base64\":...}";
    *out = BYTES_NULL;
    if (e == JSON_NULL)
        return ERR_OK;
    if (e == JSON_STRING) {
        *out = plain(p);
        return out->data ? ERR_OK : no_plain(p, member);
    }
    if (e != JSON_OBJECT || json_next(&p->reader) != JSON_NAME)
        return wrong(p, member, wanted);
    bool text = name_is(p, "text"), base64 = name_is(p, "base64");
    if ((!text && !base64) || json_next(&p->reader) != JSON_STRING)
        return wrong(p, member, wanted);
    struct bytes s = plain(p);
    if (!s.data)
        return no_plain(p, member);
    if (base64) {
        struct buffer b;
        buffer_init(&b, s.len + 16);
        bool good = buffer_unbase64(&b, s);
        s = arena_copy(p->arena, buffer_view(&b));
        buffer_free(&b);
        if (!good)
            return wrong(p, member, "valid base64");
    }
    if (!s.data)
        return no_room(p, member);
    *out = s;
    return json_next(&p->reader) == JSON_OBJECT_END ? ERR_OK : wrong(p, member, wanted);
}

/* A number, or a string of one: integers beyond 2^53 are written as strings. */
static bool number_text(struct parse *p, enum json_event e, struct bytes *number)
{
    struct json_reader r;
    if (e == JSON_NUMBER) {
        *number = p->reader.raw;
        return true;
    }
    if (e != JSON_STRING)
        return false;
    *number = p->reader.raw;
    json_read(&r, *number, 2);
    return json_next(&r) == JSON_NUMBER && json_next(&r) == JSON_END;
}

static bool integer_in(enum value_type type, struct bytes number, struct value *v)
{
    static const struct {
        int64_t low, high;
    } ranges[VALUE_TYPES] = {
        [VALUE_INT8] = {INT8_MIN, INT8_MAX},    [VALUE_INT16] = {INT16_MIN, INT16_MAX},
        [VALUE_INT32] = {INT32_MIN, INT32_MAX}, [VALUE_INT64] = {INT64_MIN, INT64_MAX},
        [VALUE_UINT8] = {0, UINT8_MAX},         [VALUE_UINT16] = {0, UINT16_MAX},
        [VALUE_UINT32] = {0, UINT32_MAX},
    };
    if (type == VALUE_UINT64 || type == VALUE_TIMESTAMP)
        return json_to_uint64(number, &v->u);
    int64_t i;
    if (!json_to_int64(number, &i) || i < ranges[type].low || i > ranges[type].high)
        return false;
    if (ranges[type].low < 0)
        v->i = i;
    else
        v->u = (uint64_t)i;
    return true;
}

/* RFC 3339, of whole seconds: AMQP has no finer ones, and none before 1970. */
static bool seconds_of(struct bytes text, uint64_t *seconds)
{
    char rfc3339[64];
    int64_t ns;
    text_copy_bytes(rfc3339, sizeof rfc3339, text);
    if (*rfc3339 == '-' || !clock_parse(rfc3339, 0, &ns) || ns < 0 || ns % NS_PER_S)
        return false;
    *seconds = (uint64_t)(ns / NS_PER_S);
    return true;
}

static bool take_timestamp(struct parse *p, enum json_event e, struct value *v)
{
    struct bytes number;
    return number_text(p, e, &number) ? integer_in(VALUE_TIMESTAMP, number, v)
                                      : e == JSON_STRING && seconds_of(p->reader.raw, &v->u);
}

static bool take_double(struct parse *p, enum json_event e, double *f)
{
    struct bytes s = p->reader.raw;
    if (e == JSON_NUMBER)
        return json_to_double(s, f);
    if (e != JSON_STRING)
        return false;
    char text[32], *end;
    text_copy_bytes(text, sizeof text, s);
    if (strcmp(text, "NaN") == 0 || strcmp(text, "Infinity") == 0 || strcmp(text, "-Infinity") == 0) {
        *f = strtod(text, &end);
        return true;
    }
    if (!text_starts(text, "0x") || strlen(text) != 18)
        return false;
    uint64_t bits = strtoull(text + 2, &end, 16);
    memcpy(f, &bits, sizeof bits);
    return *end == '\0';
}

static enum err take_decimal(struct parse *p, enum json_event e, const char *member, struct value *v)
{
    int64_t scale = -1, digits = INT64_MAX;
    while (e == JSON_OBJECT || e == JSON_NAME) {
        bool is_scale = e == JSON_NAME && name_is(p, "scale"),
             again = is_scale ? scale != -1 : digits != INT64_MAX;
        if (e == JSON_NAME && (again || json_next(&p->reader) != JSON_NUMBER ||
                               !json_to_int64(p->reader.raw, is_scale ? &scale : &digits)))
            break;
        e = json_next(&p->reader);
    }
    if (e != JSON_OBJECT_END || scale < 0 || scale > 255 || digits < INT32_MIN || digits > INT32_MAX)
        return wrong(p, member, "{\"scale\":0..255,\"digits\":...}");
    v->decimal.scale = (uint8_t)scale;
    v->decimal.digits = (int32_t)digits;
    return ERR_OK;
}

static enum err take_list(struct parse *p, enum json_event e, struct headers *out);

static enum err take_value(struct parse *p, enum json_event e, const char *member, struct value *v)
{
    struct bytes number;
    struct headers list;
    enum err code;
    switch (v->type) {
    case VALUE_VOID: return e == JSON_NULL ? ERR_OK : wrong(p, member, "null for void");
    case VALUE_BOOL:
        v->b = e == JSON_TRUE;
        return e == JSON_TRUE || e == JSON_FALSE ? ERR_OK : wrong(p, member, "true or false");
    case VALUE_FLOAT:
    case VALUE_DOUBLE: return take_double(p, e, &v->f) ? ERR_OK : wrong(p, member, "a number");
    case VALUE_DECIMAL: return take_decimal(p, e, member, v);
    case VALUE_TIMESTAMP:
        return take_timestamp(p, e, v)
                   ? ERR_OK
                   : wrong(p, member, "seconds since 1970, or an RFC 3339 time of whole seconds");
    case VALUE_STRING:
    case VALUE_BYTES: return take_bytes(p, e, member, &v->bytes);
    case VALUE_ARRAY:
    case VALUE_TABLE:
        if (e == JSON_NULL)
            return wrong(p, member, "an array; null is no table inside a table");
        code = take_list(p, e, &list);
        v->list.items = list.items;
        v->list.count = list.count;
        return code;
    default:
        return number_text(p, e, &number) && integer_in(v->type, number, v)
                   ? ERR_OK
                   : wrong(p, member, "an integer in the range of its type");
    }
}

/* One {"name":...,"type":...,"value":...}; the value's meaning needs the type, which must stand before it. */
static enum err take_typed(struct parse *p, struct header *h)
{
    bool named = false, typed = false, valued = false;
    *h = (struct header){.name = BYTES_NULL};
    enum json_event e;
    while ((e = json_next(&p->reader)) == JSON_NAME) {
        enum err code = ERR_OK;
        if ((named && name_is(p, "name")) || (typed && name_is(p, "type")) ||
            (valued && name_is(p, "value"))) {
            return repeated(p);
        } else if (name_is(p, "name")) {
            named = true;
            code = take_bytes(p, json_next(&p->reader), "name", &h->name);
        } else if (name_is(p, "type")) {
            typed = json_next(&p->reader) == JSON_STRING && value_type_parse(p->reader.raw, &h->value.type);
            if (!typed)
                return wrong(p, "type", "a type of header values, say string, int32, bytes");
        } else if (name_is(p, "value")) {
            if (!typed)
                return wrong(p, "value", "behind `type`");
            code = take_value(p, json_next(&p->reader), "value", &h->value);
            valued = true;
        } else if (json_skip(&p->reader) == JSON_ERROR) {
            return wrong(p, "header", "an object");
        }
        if (code)
            return code;
    }
    return e == JSON_OBJECT_END && valued ? ERR_OK
                                          : wrong(p, "header", "{\"name\":...,\"type\":...,\"value\":...}");
}

static struct header *grow(struct parse *p, struct header *items, uint32_t count, uint32_t *cap)
{
    if (count < *cap)
        return items;
    uint32_t more = *cap ? *cap * 2 : 8;
    struct header *bigger = arena_alloc(p->arena, more * sizeof *bigger);
    if (bigger && count)
        memcpy(bigger, items, count * sizeof *bigger);
    *cap = more;
    return bigger;
}

static enum err take_list(struct parse *p, enum json_event e, struct headers *out)
{
    struct header *items = arena_alloc(p->arena, sizeof *items);
    uint32_t count = 0, cap = 1;
    *out = (struct headers){NULL, 0};
    if (e == JSON_NULL)
        return ERR_OK;
    if (e != JSON_ARRAY || ++p->depth > LIMIT_HEADER_DEPTH)
        return wrong(p, "headers", "an array of at most 32 levels, or null");
    while ((e = json_next(&p->reader)) == JSON_OBJECT) {
        items = items ? grow(p, items, count, &cap) : NULL;
        if (!items || count >= LIMIT_HEADERS)
            return err_set(p->err, ERR_LIMIT, "more headers than the limit");
        enum err code = take_typed(p, &items[count++]);
        if (code)
            return code;
    }
    p->depth--;
    *out = (struct headers){items, count};
    return e == JSON_ARRAY_END ? ERR_OK : wrong(p, "headers", "an array of objects");
}

/* ---- properties: types by name (AMQP 0-9-1 basic properties; Kafka's partition) ---- */

static enum value_type property_type(struct bytes name, enum json_event e)
{
    static const struct {
        const char *name;
        enum value_type type;
    } known[] = {
        {"delivery_mode", VALUE_UINT8},
        {"priority", VALUE_UINT8},
        {"timestamp", VALUE_TIMESTAMP},
        {"partition", VALUE_INT32},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (bytes_equal_text(name, known[i].name))
            return known[i].type;
    return e == JSON_NUMBER                    ? VALUE_INT64
           : e == JSON_TRUE || e == JSON_FALSE ? VALUE_BOOL
           : e == JSON_NULL                    ? VALUE_VOID
                                               : VALUE_STRING;
}

static enum err take_properties(struct parse *p, enum json_event e, struct headers *out)
{
    struct header *items = NULL;
    uint32_t count = 0, cap = 0;
    *out = (struct headers){NULL, 0};
    if (e == JSON_NULL)
        return ERR_OK;
    if (e != JSON_OBJECT)
        return wrong(p, "properties", "an object or null");
    while ((e = json_next(&p->reader)) == JSON_NAME) {
        items = grow(p, items, count, &cap);
        if (!items || count >= MOST_PROPERTIES)
            return err_set(p->err, ERR_LIMIT, "more properties than the limit");
        struct header *h = &items[count++];
        *h = (struct header){.name = plain(p)};
        if (!h->name.data)
            return no_plain(p, "properties");
        if (headers_find((struct headers){items, count - 1}, h->name))
            return repeated(p);
        enum json_event value = json_next(&p->reader);
        h->value.type = property_type(h->name, value);
        char member[80];
        snprintf(member, sizeof member, "properties.%.*s", (int)(h->name.len < 60 ? h->name.len : 60),
                 (const char *)h->name.data);
        enum err code = take_value(p, value, member, &h->value);
        if (code)
            return code;
    }
    *out = (struct headers){items, count};
    return e == JSON_OBJECT_END ? ERR_OK : wrong(p, "properties", "an object");
}

/* ---- the rest ---- */

static enum err take_time(struct parse *p, enum json_event e, const char *member, int64_t *ns)
{
    char text[64];
    *ns = TIME_NONE;
    if (e == JSON_NULL)
        return ERR_OK;
    text_copy_bytes(text, sizeof text, p->reader.raw);
    return e == JSON_STRING && clock_parse(text, 0, ns) && text[0] != '-'
               ? ERR_OK
               : wrong(p, member, "an RFC 3339 time or null");
}

static enum err take_position(struct parse *p, enum json_event e, struct position *position)
{
    char text[64];
    int64_t partition = 0;
    *position = (struct position){0};
    if (e == JSON_NULL)
        return ERR_OK;
    text_copy_bytes(text, sizeof text, p->reader.raw);
    char *slash = strchr(text, '/');
    if (slash)
        *slash = '\0';
    bool good = e == JSON_STRING &&
                (!slash || (text_int64(text, &partition) && partition >= 0 && partition <= INT32_MAX)) &&
                text_int64(slash ? slash + 1 : text, &position->offset);
    position->kind = slash ? POSITION_PARTITION : POSITION_OFFSET;
    position->partition = (int32_t)partition;
    return good ? ERR_OK : wrong(p, "position", "\"PARTITION/OFFSET\", \"OFFSET\" or null");
}

static enum err take_flags(struct parse *p, enum json_event e, uint32_t *flags)
{
    if (e != JSON_ARRAY)
        return wrong(p, "flags", "an array of strings");
    while ((e = json_next(&p->reader)) == JSON_STRING)
        for (int i = 0; i < MESSAGE_FLAGS; i++)
            if (bytes_equal_text(p->reader.raw, message_flag_names[i]))
                *flags |= 1u << i;
    return e == JSON_ARRAY_END ? ERR_OK : wrong(p, "flags", "an array of strings");
}

struct names {
    char endpoint[256], channel[256];
};

enum member {
    MEMBER_SCHEMA,
    MEMBER_SIZE, /* this and the next three only describe the message */
    MEMBER_FORMAT,
    MEMBER_TYPE,
    MEMBER_DECODED,
    MEMBER_ENDPOINT,
    MEMBER_CHANNEL,
    MEMBER_POSITION,
    MEMBER_ID,
    MEMBER_TIME,
    MEMBER_RECEIVED,
    MEMBER_KEY,
    MEMBER_PAYLOAD,
    MEMBER_HEADERS,
    MEMBER_PROPERTIES,
    MEMBER_FLAGS,
    MEMBERS
};

static const char *const member_names[MEMBERS + 1] = {
    "schema", "size", "format",   "type", "decoded", "endpoint", "channel",    "position",
    "id",     "time", "received", "key",  "payload", "headers",  "properties", "flags",
};

/* What nobody knows is a slip of the pen that would lose something. */
static enum err unknown_member(struct parse *p)
{
    char name[64];
    text_copy_bytes(name, sizeof name, p->reader.raw);
    const char *near = text_nearest(name, member_names);
    err_set(p->err, ERR_FORMAT, "a message has no member `%s`", name);
    err_where(p->err, "byte %zu", p->reader.start);
    err_next(p->err, near ? "did you mean `%s`?" : "this wants what `signalbox %s` writes",
             near ? near : "browse --json");
    return ERR_FORMAT;
}

static enum err take_schema(struct parse *p)
{
    return json_next(&p->reader) == JSON_STRING &&
                   json_raw_equal(p->reader.raw, p->reader.escaped, BYTES_LITERAL("signalbox.message/1"))
               ? ERR_OK
               : wrong(p, "schema", "\"signalbox.message/1\"");
}

static enum err take_name(struct parse *p, const char *member, char *into, size_t size)
{
    if (json_next(&p->reader) != JSON_STRING)
        return wrong(p, member, "a string");
    struct bytes name = plain(p);
    if (!name.data)
        return no_plain(p, member);
    if (name.len >= size || memchr(name.data, '\0', name.len))
        return wrong(p, member, "at most 255 bytes, none of them zero");
    text_copy_bytes(into, size, name);
    return ERR_OK;
}

static enum err take_value_of(struct parse *p, enum member member, struct message *m, struct names *names)
{
    const char *name = member_names[member];
    switch (member) {
    case MEMBER_SCHEMA: return take_schema(p);
    case MEMBER_ENDPOINT: return take_name(p, name, names->endpoint, sizeof names->endpoint);
    case MEMBER_CHANNEL: return take_name(p, name, names->channel, sizeof names->channel);
    case MEMBER_POSITION: return take_position(p, json_next(&p->reader), &m->position);
    case MEMBER_ID: return take_bytes(p, json_next(&p->reader), name, &m->id);
    case MEMBER_TIME: return take_time(p, json_next(&p->reader), name, &m->time_ns);
    case MEMBER_RECEIVED: return take_time(p, json_next(&p->reader), name, &m->received_ns);
    case MEMBER_KEY: return take_bytes(p, json_next(&p->reader), name, &m->key);
    case MEMBER_PAYLOAD: return take_bytes(p, json_next(&p->reader), name, &m->payload);
    case MEMBER_HEADERS: return take_list(p, json_next(&p->reader), &m->headers);
    case MEMBER_PROPERTIES: return take_properties(p, json_next(&p->reader), &m->properties);
    case MEMBER_FLAGS: return take_flags(p, json_next(&p->reader), &m->flags);
    default: return json_skip(&p->reader) == JSON_ERROR ? wrong(p, name, "well-formed") : ERR_OK;
    }
}

static enum err take_member(struct parse *p, struct message *m, struct names *names)
{
    unsigned member = 0;
    while (member < MEMBERS && !name_is(p, member_names[member]))
        member++;
    if (member == MEMBERS)
        return unknown_member(p);
    if (p->seen >> member & 1)
        return repeated(p);
    p->seen |= UINT32_C(1) << member;
    return take_value_of(p, (enum member)member, m, names);
}

enum err message_from_json(struct message *m, struct bytes json, struct arena *arena, struct err_info *err)
{
    struct parse p = {.arena = arena, .err = err, .text = json};
    struct names names = {"", ""};
    *m = (struct message){.time_ns = TIME_NONE, .received_ns = TIME_NONE};
    json_read(&p.reader, json, LIMIT_DECODE_DEPTH);
    if (json_next(&p.reader) != JSON_OBJECT)
        return wrong(&p, "message", "an object");
    enum json_event e;
    while ((e = json_next(&p.reader)) == JSON_NAME) {
        enum err code = take_member(&p, m, &names);
        if (code)
            return code;
    }
    if (e != JSON_OBJECT_END || json_next(&p.reader) != JSON_END)
        return wrong(&p, "message", "one object");
    if (!(p.seen >> MEMBER_PAYLOAD & 1)) /* with nothing inside it would be a tombstone */
        return wrong(&p, "payload", "there: without it this is some JSON, not a message");
    if (message_check_whole(m, err))
        return ERR_REFUSED;
    m->origin = origin_intern(names.endpoint, names.channel, CHANNEL_ANY);
    return ERR_OK;
}
