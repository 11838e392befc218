#include "model/message.h"

#include "base/limits.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stddef.h>
#include <stdlib.h>

const char *const message_flag_names[MESSAGE_FLAGS] = {"redelivered", "duplicate", "uncommitted", "truncated",
                                                       "redacted"};

char *message_flags_text(uint32_t flags, char *into, size_t size)
{
    size_t used = 0;
    into[0] = '\0';
    for (int i = 0; i < MESSAGE_FLAGS; i++)
        if (flags >> i & 1 && used < size)
            used +=
                (size_t)snprintf(into + used, size - used, "%s%s", used ? "," : "", message_flag_names[i]);
    return into;
}

static const char *const value_names[VALUE_TYPES] = {
    [VALUE_VOID] = "void",       [VALUE_BOOL] = "bool",           [VALUE_INT8] = "int8",
    [VALUE_INT16] = "int16",     [VALUE_INT32] = "int32",         [VALUE_INT64] = "int64",
    [VALUE_UINT8] = "uint8",     [VALUE_UINT16] = "uint16",       [VALUE_UINT32] = "uint32",
    [VALUE_UINT64] = "uint64",   [VALUE_FLOAT] = "float",         [VALUE_DOUBLE] = "double",
    [VALUE_DECIMAL] = "decimal", [VALUE_TIMESTAMP] = "timestamp", [VALUE_STRING] = "string",
    [VALUE_BYTES] = "bytes",     [VALUE_ARRAY] = "array",         [VALUE_TABLE] = "table",
};

const char *value_type_name(enum value_type type)
{
    assert((unsigned)type < VALUE_TYPES);
    return value_names[type];
}

bool value_type_parse(struct bytes name, enum value_type *type)
{
    for (unsigned i = 0; i < VALUE_TYPES; i++) {
        if (bytes_equal_text(name, value_names[i])) {
            *type = (enum value_type)i;
            return true;
        }
    }
    return false;
}

/* ---- sealing: measure, allocate once, copy ---- */

#define ALLOCATION_OVERHEAD 16 /* what malloc keeps beside a block on glibc, so that budgets mean RSS */

struct measure {
    size_t headers; /* structs */
    size_t bytes;
    bool too_deep;
};

static bool is_list(const struct value *v)
{
    return v->type == VALUE_ARRAY || v->type == VALUE_TABLE;
}

static bool is_bytes(const struct value *v)
{
    return v->type == VALUE_STRING || v->type == VALUE_BYTES;
}

static void measure_list(struct measure *m, const struct header *items, uint32_t count, unsigned depth)
{
    if (depth > LIMIT_HEADER_DEPTH || m->headers > LIMIT_HEADERS) {
        m->too_deep = true;
        return;
    }
    m->headers += count;
    for (uint32_t i = 0; i < count; i++) {
        m->bytes += items[i].name.len;
        if (is_bytes(&items[i].value))
            m->bytes += items[i].value.bytes.len;
        else if (is_list(&items[i].value) && items[i].value.list.count)
            measure_list(m, items[i].value.list.items, items[i].value.list.count, depth + 1);
    }
}

struct copier {
    struct header *next_header;
    uint8_t *next_byte;
};

static struct bytes copy_bytes(struct copier *c, struct bytes from)
{
    if (!from.data)
        return from;
    struct bytes to = {c->next_byte, from.len};
    if (from.len)
        memcpy(c->next_byte, from.data, from.len);
    c->next_byte += from.len;
    return to;
}

static const struct header *copy_list(struct copier *c, const struct header *items, uint32_t count)
{
    if (!items)
        return NULL;
    struct header *to = c->next_header;
    c->next_header += count;
    for (uint32_t i = 0; i < count; i++) {
        to[i].name = copy_bytes(c, items[i].name);
        to[i].value = items[i].value;
        if (is_bytes(&items[i].value))
            to[i].value.bytes = copy_bytes(c, items[i].value.bytes);
        else if (is_list(&items[i].value))
            to[i].value.list.items = copy_list(c, items[i].value.list.items, items[i].value.list.count);
    }
    return to;
}

struct message *message_seal(const struct message *from, struct err_info *err)
{
    struct measure m = {0};
    measure_list(&m, from->headers.items, from->headers.items ? from->headers.count : 0, 0);
    measure_list(&m, from->properties.items, from->properties.items ? from->properties.count : 0, 0);
    m.bytes += from->id.len + from->key.len + from->payload.len;
    if (m.too_deep || m.headers > LIMIT_HEADERS || m.bytes > LIMIT_MESSAGE) {
        err_set(err, ERR_LIMIT, "a message of %zu bytes with %zu headers is over a limit", m.bytes,
                m.headers);
        return NULL;
    }
    /* One header and one byte to spare, so that an empty list or slice still gets an address inside the block. */
    size_t size = sizeof(struct message) + (m.headers + 1) * sizeof(struct header) + m.bytes + 1;
    struct message *to = malloc(size);
    if (!to) {
        err_set(err, ERR_NOMEM, "no memory for a message of %zu bytes", m.bytes);
        return NULL;
    }
    *to = message_borrow(from);
    struct copier c = {.next_header = (struct header *)(to + 1)};
    c.next_byte = (uint8_t *)(c.next_header + m.headers + 1);
    to->headers.items = copy_list(&c, from->headers.items, from->headers.count);
    to->properties.items = copy_list(&c, from->properties.items, from->properties.count);
    to->id = copy_bytes(&c, from->id);
    to->key = copy_bytes(&c, from->key);
    to->payload = copy_bytes(&c, from->payload);
    to->footprint = size + ALLOCATION_OVERHEAD;
    atomic_init(&to->refs, 1);
    return to;
}

struct message message_borrow(const struct message *m)
{
    struct message borrowed;
    memcpy(&borrowed, m, offsetof(struct message, refs));
    atomic_init(&borrowed.refs, 0);
    borrowed.footprint = 0;
    return borrowed;
}

struct message *message_ref(struct message *m)
{
    unsigned before = atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
    return m;
}

void message_unref(struct message **mp)
{
    struct message *m = *mp;
    *mp = NULL;
    if (m && atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1)
        free(m);
}

/* ---- headers ---- */

const struct value *headers_find(struct headers headers, struct bytes name)
{
    for (uint32_t i = 0; headers.items && i < headers.count; i++)
        if (bytes_equal(headers.items[i].name, name))
            return &headers.items[i].value;
    return NULL;
}

/* ---- positions ---- */

char *position_text(struct position p, char *into, size_t size)
{
    switch (p.kind) {
    case POSITION_PARTITION: snprintf(into, size, "%" PRId32 "/%" PRId64, p.partition, p.offset); break;
    case POSITION_OFFSET: snprintf(into, size, "%" PRId64, p.offset); break;
    case POSITION_NONE: into[0] = '\0';
    }
    return into;
}

enum err message_check_whole(const struct message *m, struct err_info *err)
{
    if (!(m->flags & (MESSAGE_TRUNCATED | MESSAGE_REDACTED)))
        return ERR_OK;
    bool redacted = m->flags & MESSAGE_REDACTED;
    err_set(err, ERR_REFUSED, "the message is %s: it is not what its sender sent",
            redacted ? "redacted" : "truncated");
    err_next(err, redacted ? "take it from an archive (export FILE.sba), which keeps what `redact` hides"
                           : "take it from its source");
    return ERR_REFUSED;
}

struct bytes message_label(const struct message *m)
{
    const struct value *v = m->key.data ? NULL : headers_find(m->properties, BYTES_LITERAL("routing_key"));
    return v && v->type == VALUE_STRING ? v->bytes : m->key;
}

bool message_time_is_whole(const struct message *m)
{
    const struct value *v = headers_find(m->properties, BYTES_LITERAL("timestamp"));
    return v && v->type == VALUE_TIMESTAMP && m->time_ns != TIME_NONE && m->time_ns % NS_PER_S == 0 &&
           m->time_ns / NS_PER_S == (int64_t)v->u;
}
