/* AMQP 0-9-1 field tables and basic properties, to our typed values and back, each type its own (RabbitMQ's errata to the
 * specification's types: https://www.rabbitmq.com/amqp-0-9-1-errata.html section 3). */
#include "brokers/rabbitmq/rabbitmq_internal.h"

#include "base/limits.h"

static struct bytes borrow(amqp_bytes_t b)
{
    return bytes_of(b.bytes ? b.bytes : "", b.len);
}

static amqp_bytes_t lend(struct bytes b)
{
    return (amqp_bytes_t){.len = b.len, .bytes = (void *)(uintptr_t)b.data}; /* the library only reads it */
}

/* ---- in ---- */

static struct value take_value(const amqp_field_value_t *from, struct arena *arena, unsigned depth);

static struct headers take_array(const amqp_array_t *array, struct arena *arena, unsigned depth)
{
    struct header *items = arena_alloc(arena, ((size_t)array->num_entries + 1) * sizeof *items);
    if (!items || depth > LIMIT_HEADER_DEPTH)
        return (struct headers){NULL, 0};
    for (int i = 0; i < array->num_entries; i++)
        items[i] = (struct header){BYTES_NULL, take_value(&array->entries[i], arena, depth + 1)};
    return (struct headers){items, (uint32_t)array->num_entries};
}

static struct headers take_table(const amqp_table_t *table, struct arena *arena, unsigned depth)
{
    struct header *items = arena_alloc(arena, ((size_t)table->num_entries + 1) * sizeof *items);
    if (!items || depth > LIMIT_HEADER_DEPTH)
        return (struct headers){NULL, 0};
    for (int i = 0; i < table->num_entries; i++)
        items[i] = (struct header){borrow(table->entries[i].key),
                                   take_value(&table->entries[i].value, arena, depth + 1)};
    return (struct headers){items, (uint32_t)table->num_entries};
}

static struct value list_value(enum value_type type, struct headers list)
{
    struct value v = {.type = type};
    v.list.items = list.items;
    v.list.count = list.count;
    return v;
}

static struct value take_value(const amqp_field_value_t *from, struct arena *arena, unsigned depth)
{
    switch (from->kind) {
    case AMQP_FIELD_KIND_BOOLEAN: return (struct value){.type = VALUE_BOOL, .b = from->value.boolean != 0};
    case AMQP_FIELD_KIND_I8: return (struct value){.type = VALUE_INT8, .i = from->value.i8};
    case AMQP_FIELD_KIND_U8: return (struct value){.type = VALUE_UINT8, .u = from->value.u8};
    case AMQP_FIELD_KIND_I16: return (struct value){.type = VALUE_INT16, .i = from->value.i16};
    case AMQP_FIELD_KIND_U16: return (struct value){.type = VALUE_UINT16, .u = from->value.u16};
    case AMQP_FIELD_KIND_I32: return (struct value){.type = VALUE_INT32, .i = from->value.i32};
    case AMQP_FIELD_KIND_U32: return (struct value){.type = VALUE_UINT32, .u = from->value.u32};
    case AMQP_FIELD_KIND_I64: return (struct value){.type = VALUE_INT64, .i = from->value.i64};
    case AMQP_FIELD_KIND_U64: return (struct value){.type = VALUE_UINT64, .u = from->value.u64};
    case AMQP_FIELD_KIND_F32: return (struct value){.type = VALUE_FLOAT, .f = (double)from->value.f32};
    case AMQP_FIELD_KIND_F64: return (struct value){.type = VALUE_DOUBLE, .f = from->value.f64};
    case AMQP_FIELD_KIND_DECIMAL:
        return (struct value){.type = VALUE_DECIMAL,
                              .decimal = {from->value.decimal.decimals, (int32_t)from->value.decimal.value}};
    case AMQP_FIELD_KIND_UTF8:
        return (struct value){.type = VALUE_STRING, .bytes = borrow(from->value.bytes)};
    case AMQP_FIELD_KIND_BYTES:
        return (struct value){.type = VALUE_BYTES, .bytes = borrow(from->value.bytes)};
    case AMQP_FIELD_KIND_TIMESTAMP: return (struct value){.type = VALUE_TIMESTAMP, .u = from->value.u64};
    case AMQP_FIELD_KIND_ARRAY: return list_value(VALUE_ARRAY, take_array(&from->value.array, arena, depth));
    case AMQP_FIELD_KIND_TABLE: return list_value(VALUE_TABLE, take_table(&from->value.table, arena, depth));
    default: return (struct value){.type = VALUE_VOID};
    }
}

struct headers rabbit_headers(const amqp_table_t *table, struct arena *arena)
{
    return take_table(table, arena, 0);
}

/* ---- out ---- */

static bool put_value(const struct value *v, struct arena *arena, amqp_field_value_t *to);

static bool put_table(struct headers headers, struct arena *arena, amqp_table_t *table)
{
    table->num_entries = 0;
    table->entries = arena_alloc(arena, (headers.count + 1) * sizeof *table->entries);
    for (uint32_t i = 0; table->entries && i < headers.count; i++) {
        table->entries[i].key = lend(headers.items[i].name);
        if (!put_value(&headers.items[i].value, arena, &table->entries[i].value))
            return false;
        table->num_entries++;
    }
    return table->entries != NULL;
}

static bool put_array(const struct value *v, struct arena *arena, amqp_array_t *array)
{
    array->num_entries = 0;
    array->entries = arena_alloc(arena, (v->list.count + 1) * sizeof *array->entries);
    for (uint32_t i = 0; array->entries && i < v->list.count; i++) {
        if (!put_value(&v->list.items[i].value, arena, &array->entries[i]))
            return false;
        array->num_entries++;
    }
    return array->entries != NULL;
}

static bool put_value(const struct value *v, struct arena *arena, amqp_field_value_t *to)
{
    static const uint8_t kinds[VALUE_TYPES] = {
        [VALUE_VOID] = AMQP_FIELD_KIND_VOID,       [VALUE_BOOL] = AMQP_FIELD_KIND_BOOLEAN,
        [VALUE_INT8] = AMQP_FIELD_KIND_I8,         [VALUE_INT16] = AMQP_FIELD_KIND_I16,
        [VALUE_INT32] = AMQP_FIELD_KIND_I32,       [VALUE_INT64] = AMQP_FIELD_KIND_I64,
        [VALUE_UINT8] = AMQP_FIELD_KIND_U8,        [VALUE_UINT16] = AMQP_FIELD_KIND_U16,
        [VALUE_UINT32] = AMQP_FIELD_KIND_U32,      [VALUE_UINT64] = AMQP_FIELD_KIND_U64,
        [VALUE_FLOAT] = AMQP_FIELD_KIND_F32,       [VALUE_DOUBLE] = AMQP_FIELD_KIND_F64,
        [VALUE_DECIMAL] = AMQP_FIELD_KIND_DECIMAL, [VALUE_TIMESTAMP] = AMQP_FIELD_KIND_TIMESTAMP,
        [VALUE_STRING] = AMQP_FIELD_KIND_UTF8,     [VALUE_BYTES] = AMQP_FIELD_KIND_BYTES,
        [VALUE_ARRAY] = AMQP_FIELD_KIND_ARRAY,     [VALUE_TABLE] = AMQP_FIELD_KIND_TABLE,
    };
    *to = (amqp_field_value_t){.kind = kinds[v->type]};
    switch (v->type) {
    case VALUE_BOOL: to->value.boolean = v->b; break;
    case VALUE_INT8: to->value.i8 = (int8_t)v->i; break;
    case VALUE_INT16: to->value.i16 = (int16_t)v->i; break;
    case VALUE_INT32: to->value.i32 = (int32_t)v->i; break;
    case VALUE_INT64: to->value.i64 = v->i; break;
    case VALUE_UINT8: to->value.u8 = (uint8_t)v->u; break;
    case VALUE_UINT16: to->value.u16 = (uint16_t)v->u; break;
    case VALUE_UINT32: to->value.u32 = (uint32_t)v->u; break;
    case VALUE_UINT64:
    case VALUE_TIMESTAMP: to->value.u64 = v->u; break;
    case VALUE_FLOAT: to->value.f32 = (float)v->f; break;
    case VALUE_DOUBLE: to->value.f64 = v->f; break;
    case VALUE_DECIMAL:
        to->value.decimal.decimals = v->decimal.scale;
        to->value.decimal.value = (uint32_t)v->decimal.digits;
        break;
    case VALUE_STRING:
    case VALUE_BYTES:
        if (!v->bytes.data) /* a null of another protocol has no form of its own here */
            to->kind = AMQP_FIELD_KIND_VOID;
        else
            to->value.bytes = lend(v->bytes);
        break;
    case VALUE_ARRAY: return put_array(v, arena, &to->value.array);
    case VALUE_TABLE:
        return put_table((struct headers){v->list.items, v->list.count}, arena, &to->value.table);
    case VALUE_VOID:
    case VALUE_TYPES: break;
    }
    return true;
}

bool rabbit_table(struct headers headers, struct arena *arena, amqp_table_t *table)
{
    return put_table(headers, arena, table);
}

/* ---- basic properties ---- */

enum place { SHORT_STRING, OCTET, TIMESTAMP };

static const struct {
    const char *name;
    amqp_flags_t flag;
    enum place place;
    size_t offset;
} basic[] = {
    {"content_type", AMQP_BASIC_CONTENT_TYPE_FLAG, SHORT_STRING,
     offsetof(amqp_basic_properties_t, content_type)},
    {"content_encoding", AMQP_BASIC_CONTENT_ENCODING_FLAG, SHORT_STRING,
     offsetof(amqp_basic_properties_t, content_encoding)},
    {"delivery_mode", AMQP_BASIC_DELIVERY_MODE_FLAG, OCTET, offsetof(amqp_basic_properties_t, delivery_mode)},
    {"priority", AMQP_BASIC_PRIORITY_FLAG, OCTET, offsetof(amqp_basic_properties_t, priority)},
    {"correlation_id", AMQP_BASIC_CORRELATION_ID_FLAG, SHORT_STRING,
     offsetof(amqp_basic_properties_t, correlation_id)},
    {"reply_to", AMQP_BASIC_REPLY_TO_FLAG, SHORT_STRING, offsetof(amqp_basic_properties_t, reply_to)},
    {"expiration", AMQP_BASIC_EXPIRATION_FLAG, SHORT_STRING, offsetof(amqp_basic_properties_t, expiration)},
    {"message_id", AMQP_BASIC_MESSAGE_ID_FLAG, SHORT_STRING, offsetof(amqp_basic_properties_t, message_id)},
    {"timestamp", AMQP_BASIC_TIMESTAMP_FLAG, TIMESTAMP, offsetof(amqp_basic_properties_t, timestamp)},
    {"type", AMQP_BASIC_TYPE_FLAG, SHORT_STRING, offsetof(amqp_basic_properties_t, type)},
    {"user_id", AMQP_BASIC_USER_ID_FLAG, SHORT_STRING, offsetof(amqp_basic_properties_t, user_id)},
    {"app_id", AMQP_BASIC_APP_ID_FLAG, SHORT_STRING, offsetof(amqp_basic_properties_t, app_id)},
};

#define BASIC (sizeof basic / sizeof *basic)

static struct value basic_value(const amqp_basic_properties_t *p, size_t i)
{
    const uint8_t *at = (const uint8_t *)p + basic[i].offset;
    amqp_bytes_t text;
    uint64_t time;
    switch (basic[i].place) {
    case OCTET: return (struct value){.type = VALUE_UINT8, .u = *at};
    case TIMESTAMP: memcpy(&time, at, sizeof time); return (struct value){.type = VALUE_TIMESTAMP, .u = time};
    default:
        memcpy(&text, at, sizeof text);
        return (struct value){.type = VALUE_STRING, .bytes = borrow(text)};
    }
}

/* Origin and flags are the caller's. */
static void message_kept(struct message *m, const struct rabbit_delivery *d)
{
    m->time_ns = d->kept->time_ns;
    m->received_ns = clock_wall_ns();
    m->payload = d->body;
    m->properties = d->kept->properties;
    m->headers = d->kept->headers;
    m->id = d->kept->id;
}

void rabbit_message(struct message *m, const struct rabbit_delivery *d, struct arena *arena)
{
    if (d->kept) {
        message_kept(m, d);
        return;
    }
    const amqp_basic_properties_t *p = d->properties;
    struct header *list = arena_alloc(arena, (BASIC + 2) * sizeof *list);
    uint32_t count = 0;
    m->time_ns = TIME_NONE;
    m->received_ns = clock_wall_ns();
    m->payload = d->body;
    for (size_t i = 0; list && i < BASIC; i++)
        if (p->_flags & basic[i].flag)
            list[count++] = (struct header){bytes_of_text(basic[i].name), basic_value(p, i)};
    if (list) {
        list[count++] =
            (struct header){BYTES_LITERAL("exchange"), {.type = VALUE_STRING, .bytes = borrow(d->exchange)}};
        list[count++] = (struct header){BYTES_LITERAL("routing_key"),
                                        {.type = VALUE_STRING, .bytes = borrow(d->routing_key)}};
    }
    m->properties = (struct headers){list, count};
    if (p->_flags & AMQP_BASIC_HEADERS_FLAG)
        m->headers = rabbit_headers(&p->headers, arena);
    if (p->_flags & AMQP_BASIC_MESSAGE_ID_FLAG)
        m->id = borrow(p->message_id);
    if ((p->_flags & AMQP_BASIC_TIMESTAMP_FLAG) && p->timestamp < (uint64_t)(INT64_MAX / NS_PER_S))
        m->time_ns = (int64_t)p->timestamp * NS_PER_S;
}

struct value rabbit_property(struct message *m, const struct header *property)
{
    struct value v = property->value;
    for (size_t i = 0; i < BASIC; i++) {
        if (!bytes_equal_text(property->name, basic[i].name))
            continue;
        bool number = v.type >= VALUE_INT8 && v.type <= VALUE_INT64;
        if (number && basic[i].place == OCTET)
            v = (struct value){.type = VALUE_UINT8, .u = (uint8_t)v.i};
        if (number && basic[i].place == TIMESTAMP) /* 32 bits of it: good until 2106 */
            v = (struct value){.type = VALUE_TIMESTAMP,
                               .u = v.type == VALUE_INT32 ? (uint32_t)v.i : (uint64_t)v.i};
        if (basic[i].flag == AMQP_BASIC_MESSAGE_ID_FLAG && v.type == VALUE_STRING)
            m->id = v.bytes;
        if (basic[i].place == TIMESTAMP && v.type == VALUE_TIMESTAMP &&
            v.u < (uint64_t)(INT64_MAX / NS_PER_S))
            m->time_ns = (int64_t)v.u * NS_PER_S;
    }
    return v;
}

static enum err put_basic(amqp_basic_properties_t *to, size_t i, const struct value *v, struct err_info *err)
{
    uint8_t *at = (uint8_t *)to + basic[i].offset;
    if (basic[i].place == SHORT_STRING) {
        if ((v->type != VALUE_STRING && v->type != VALUE_BYTES) || v->bytes.len > 255)
            return err_set(err, ERR_USAGE, "property %s must be a text of at most 255 bytes", basic[i].name);
        amqp_bytes_t text = lend(v->bytes);
        memcpy(at, &text, sizeof text);
    } else {
        uint64_t number = v->type <= VALUE_INT64 ? (uint64_t)v->i : v->u;
        bool fits =
            v->type >= VALUE_INT8 && v->type <= VALUE_TIMESTAMP && (basic[i].place != OCTET || number <= 255);
        if (!fits)
            return err_set(err, ERR_USAGE, "property %s must be a number", basic[i].name);
        if (basic[i].place == OCTET)
            *at = (uint8_t)number;
        else
            memcpy(at, &number, sizeof number);
    }
    to->_flags |= basic[i].flag;
    return ERR_OK;
}

/* The wire has one byte for a name's length. */
static enum err check_names(struct headers headers, bool named, unsigned depth, struct err_info *err)
{
    enum err e = depth > LIMIT_HEADER_DEPTH ? err_set(err, ERR_LIMIT, "headers are nested too deep") : ERR_OK;
    for (uint32_t i = 0; !e && i < headers.count; i++) {
        const struct header *h = &headers.items[i];
        if (named && h->name.len > 255)
            return err_set(err, ERR_UNSUPPORTED, "a header's name has %zu bytes: AMQP takes 255 at most",
                           h->name.len);
        if (h->value.type == VALUE_TABLE || h->value.type == VALUE_ARRAY)
            e = check_names((struct headers){h->value.list.items, h->value.list.count},
                            h->value.type == VALUE_TABLE, depth + 1, err);
    }
    return e;
}

/* As a header of a new message one would tell of returns that this one never had. */
const char *const rabbit_counters[] = {"x-delivery-count", "x-acquired-count", NULL};

static bool is_counter(struct bytes name)
{
    const char *const *known = rabbit_counters;
    while (*known && !bytes_equal_text(name, *known))
        known++;
    return *known;
}

static struct headers without_counters(struct headers from, struct arena *arena)
{
    struct header *items = arena_alloc(arena, ((size_t)from.count + 1) * sizeof *items);
    uint32_t count = 0;
    for (uint32_t i = 0; items && i < from.count; i++)
        if (!is_counter(from.items[i].name))
            items[count++] = from.items[i];
    return (struct headers){items, count};
}

enum err rabbit_properties(const struct message *m, struct arena *arena, amqp_basic_properties_t *to,
                           struct err_info *err)
{
    *to = (amqp_basic_properties_t){0};
    for (size_t i = 0; i < BASIC; i++) {
        const struct value *v = headers_find(m->properties, bytes_of_text(basic[i].name));
        enum err e = v ? put_basic(to, i, v, err) : ERR_OK;
        if (e)
            return e;
    }
    if (!m->headers.items)
        return ERR_OK;
    enum err e = check_names(m->headers, true, 0, err);
    if (e)
        return e;
    struct headers kept = without_counters(m->headers, arena);
    bool added = kept.items && !kept.count && m->headers.count; /* by the broker, as was the list */
    to->_flags |= added ? 0 : AMQP_BASIC_HEADERS_FLAG;
    return kept.items && put_table(kept, arena, &to->headers)
               ? ERR_OK
               : err_set(err, ERR_NOMEM, "no memory for the headers");
}
