/* Kafka's headers are bytes. Bytes and texts go as they are; values of other brokers' types (a count, x-death) as JSON, which is
 * what a reader can make most of: that their types are gone is said where they are sent from (CARRY_TYPES). */
#include "brokers/kafka/kafka_internal.h"

#include "base/json.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>

static void put(struct json_writer *w, const struct value *v);

static void put_members(struct json_writer *w, const struct value *v)
{
    json_object(w);
    for (uint32_t i = 0; i < v->list.count; i++) {
        json_name_bytes(w, v->list.items[i].name);
        put(w, &v->list.items[i].value);
    }
    json_object_end(w);
}

static void put_items(struct json_writer *w, const struct value *v)
{
    json_array(w);
    for (uint32_t i = 0; i < v->list.count; i++)
        put(w, &v->list.items[i].value);
    json_array_end(w);
}

/* Digit for digit: no reader of ours rounds them. */
static void put_number(struct json_writer *w, const struct value *v)
{
    char text[40];
    if (v->type == VALUE_DECIMAL)
        snprintf(text, sizeof text, "%" PRId32 "e-%u", v->decimal.digits, (unsigned)v->decimal.scale);
    else if (v->type <= VALUE_INT64)
        snprintf(text, sizeof text, "%" PRId64, v->i);
    else
        snprintf(text, sizeof text, "%" PRIu64, v->u);
    json_raw(w, bytes_of_text(text));
}

static void put_string(struct json_writer *w, struct bytes b)
{
    if (utf8_valid(b))
        json_string(w, b);
    else
        json_byte_string(w, b);
}

static void put(struct json_writer *w, const struct value *v)
{
    switch (v->type) {
    case VALUE_BOOL: json_bool(w, v->b); break;
    case VALUE_FLOAT:
    case VALUE_DOUBLE: json_double(w, v->f); break;
    case VALUE_STRING:
    case VALUE_BYTES: put_string(w, v->bytes); break;
    case VALUE_ARRAY: put_items(w, v); break;
    case VALUE_TABLE: put_members(w, v); break;
    case VALUE_VOID: json_null(w); break;
    default: put_number(w, v);
    }
}

static bool add(rd_kafka_headers_t *list, const struct header *h, struct bytes value)
{
    return !rd_kafka_header_add(list, (const char *)h->name.data, (ssize_t)h->name.len, value.data,
                                (ssize_t)value.len);
}

static bool add_as_json(rd_kafka_headers_t *list, const struct header *h)
{
    struct buffer text;
    struct json_writer w;
    buffer_init(&text, LIMIT_MESSAGE);
    json_write(&w, &text);
    put(&w, &h->value);
    bool ok = buffer_ok(&text) && add(list, h, buffer_view(&text));
    buffer_free(&text);
    return ok;
}

enum err kafka_headers_of(const struct message *m, rd_kafka_headers_t **out, struct err_info *err)
{
    bool ok = true;
    *out = NULL;
    if (!m->headers.items || !m->headers.count)
        return ERR_OK;
    *out = rd_kafka_headers_new(m->headers.count);
    for (uint32_t i = 0; ok && i < m->headers.count; i++) {
        const struct header *h = &m->headers.items[i];
        if (h->value.type == VALUE_VOID)
            ok = add(*out, h, BYTES_NULL);
        else if (h->value.type == VALUE_BYTES || h->value.type == VALUE_STRING)
            ok = add(*out, h, h->value.bytes);
        else
            ok = add_as_json(*out, h);
    }
    if (ok)
        return ERR_OK;
    rd_kafka_headers_destroy(*out);
    *out = NULL;
    return err_set(err, ERR_NOMEM, "no memory for the headers");
}
