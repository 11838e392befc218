#include "operations/rewrite.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/utf8.h"
#include "engine/archive.h"
#include "engine/message_json.h"
#include "model/death.h"
#include "model/endpoint.h"
#include "operations/stamp.h"

#include <inttypes.h>
#include <stdio.h>

#define OMITTED_MOST 16

static const char *const *dropped(const struct plan *p)
{
    return p->kind == OPERATION_REPLAY && !p->keep_death ? death_headers : NULL;
}

/* CLUSTER/CHANNEL/POSITION; null: it has no position, or there is no memory. */
static struct bytes source_of(const struct rewrite *r, struct position position, struct arena *arena)
{
    char text[40];
    if (position.kind == POSITION_NONE)
        return BYTES_NULL;
    position_text(position, text, sizeof text);
    size_t size = strlen(r->cluster) + strlen(r->channel) + strlen(text) + 3;
    char *source = arena_alloc(arena, size);
    if (!source)
        return BYTES_NULL;
    snprintf(source, size, "%s/%s/%s", r->cluster, r->channel, text);
    return bytes_of_text(source);
}

/* Back to its exchange it goes by the key that it was published with: where it died a dead letter exchange may have given it another one
 * (x-dead-letter-routing-key). False: no memory. */
static bool set_routing_key(struct bytes key, const struct message *m, struct arena *arena,
                            struct message *into)
{
    uint32_t count = m->properties.items ? m->properties.count : 0, kept = 0;
    struct header *list = arena_alloc(arena, (count + 1) * sizeof *list);
    if (!list)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!bytes_equal_text(m->properties.items[i].name, "routing_key"))
            list[kept++] = m->properties.items[i];
    list[kept++] = (struct header){BYTES_LITERAL("routing_key"), {.type = VALUE_STRING, .bytes = key}};
    into->properties = (struct headers){list, kept};
    return true;
}

/* Where its headers tell it goes back to just there. */
static bool place(const struct plan *p, const struct message *m, struct arena *arena, struct message *into)
{
    const char *const also[] = {p->origin_header, NULL};
    struct death_origin origin;
    if (p->kind != OPERATION_REPLAY || p->to || !death_origin(m->headers, also, &origin))
        return true;
    if (origin.partition >= 0)
        into->position = (struct position){POSITION_PARTITION, origin.partition, -1};
    bool back = p->exchange && origin.exchange.len && origin.routing_key.data;
    return !back || set_routing_key(origin.routing_key, m, arena, into);
}

enum err rewrite_message(const struct rewrite *r, const struct message *m, uint64_t sequence,
                         struct arena *arena, struct message *into, struct err_info *err)
{
    const struct plan *p = r->plan;
    struct stamp stamp = {
        .sequence = sequence, .replays = stamp_replays(m), .edited = p->payload.data != NULL};
    text_copy(stamp.operation, sizeof stamp.operation, r->operation);
    if (p->kind == OPERATION_REPLAY || p->kind == OPERATION_RESEND)
        stamp.replays++;
    stamp.source = source_of(r, m->position, arena);
    if (m->position.kind != POSITION_NONE && !stamp.source.data)
        return err_set(err, ERR_NOMEM, "no memory for a message's headers");
    enum err e = stamp_put(m, dropped(p), p->no_mark ? NULL : &stamp, arena, into, err);
    if (p->payload.data)
        into->payload = p->payload;
    if (!e && !place(p, m, arena, into))
        e = err_set(err, ERR_NOMEM, "no memory for a message's routing key");
    return e;
}

/* ---- what changes ---- */

/* Those of m that are not sent; count 0: none is. */
static struct headers taken_off(const struct rewrite *r, const struct message *m, struct arena *arena)
{
    struct header *list = NULL;
    uint32_t count = 0, of = m->headers.items ? m->headers.count : 0;
    for (uint32_t i = 0; i < of; i++) {
        if (!stamp_drops(m->headers.items[i].name, dropped(r->plan), !r->plan->no_mark))
            continue;
        list = list ? list : arena_alloc(arena, of * sizeof *list);
        if (!list)
            break;
        list[count++] = m->headers.items[i];
    }
    return (struct headers){list, count};
}

/* They stand behind those that stay. */
static struct headers put_on(const struct rewrite *r, const struct message *sent, uint32_t stayed,
                             struct arena *arena)
{
    uint32_t count = sent->headers.items ? sent->headers.count - stayed : 0;
    struct header *list = count ? arena_alloc(arena, count * sizeof *list) : NULL;
    for (uint32_t i = 0; list && i < count; i++) {
        list[i] = sent->headers.items[stayed + i];
        if (!*r->operation && bytes_equal_text(list[i].name, STAMP_OPERATION))
            list[i].value.bytes = BYTES_NULL;
    }
    return (struct headers){list, list ? count : 0};
}

void rewrite_changes(const struct rewrite *r, const struct message *m, uint64_t sequence, struct arena *arena,
                     struct header_changes *changes)
{
    struct message sent;
    uint32_t before = m->headers.items ? m->headers.count : 0;
    *changes = (struct header_changes){.off = taken_off(r, m, arena)};
    if (!rewrite_message(r, m, sequence, arena, &sent, NULL))
        changes->on = put_on(r, &sent, before - changes->off.count, arena);
}

/* ---- what the journal keeps ---- */

/* Two lists: headers, then names and sizes of those that were too large. */
void rewrite_pack(struct headers headers, struct arena *arena, struct buffer *out)
{
    struct header *kept = headers.count ? arena_alloc(arena, headers.count * sizeof *kept) : NULL;
    struct header omitted[OMITTED_MOST];
    struct buffer one;
    size_t used = 0;
    uint32_t count = 0, too_large = 0;
    if (!kept)
        return;
    buffer_init(&one, SIZE_MAX / 2);
    for (uint32_t i = 0; i < headers.count; i++) {
        const struct header *h = &headers.items[i];
        buffer_clear(&one);
        archive_put_headers(&one, (struct headers){h, 1});
        if (used + one.len <= REWRITE_KEPT_MOST) {
            used += one.len;
            kept[count++] = *h;
        } else if (too_large < OMITTED_MOST && h->name.len <= 255) {
            omitted[too_large++] = (struct header){h->name, {.type = VALUE_UINT64, .u = (uint64_t)one.len}};
        }
    }
    archive_put_headers(out, (struct headers){kept, count});
    archive_put_headers(out, (struct headers){omitted, too_large});
    buffer_free(&one);
}

void rewrite_unpack(struct bytes in, struct arena *arena, struct header_changes *changes)
{
    size_t at = 0;
    changes->off = changes->omitted = (struct headers){NULL, 0};
    if (in.data && !archive_get_headers(in, &at, arena, &changes->off, NULL) &&
        archive_get_headers(in, &at, arena, &changes->omitted, NULL))
        changes->omitted = (struct headers){NULL, 0};
}

void rewrite_keep(const struct rewrite *r, const struct message *m, struct arena *arena, struct buffer *out)
{
    rewrite_pack(taken_off(r, m, arena), arena, out);
}

/* Of "NAME/queue:orders": names as a stamp has them. */
static bool read_source(const char *from, struct arena *arena, struct rewrite *r)
{
    const char *slash = from ? strrchr(from, '/') : NULL, *name = NULL;
    if (!slash)
        return false;
    channel_kind_parse(slash + 1, &name);
    r->cluster = arena_strndup(arena, from, (size_t)(slash - from));
    return r->cluster && url_decode(bytes_of_text(name), arena, &r->channel);
}

void rewrite_kept(const struct journal_operation *o, const struct journal_message *row, struct arena *arena,
                  struct header_changes *changes)
{
    struct plan plan;
    struct header_changes again;
    struct rewrite r = {.plan = &plan, .operation = o->id};
    struct message m = {.position = row->from, .time_ns = TIME_NONE};
    bool sent = row->state != DELIVERY_SKIPPED && row->state != DELIVERY_FAILED;
    *changes = (struct header_changes){.off = {NULL, 0}};
    if (!sent)
        return;
    rewrite_unpack(row->taken_off, arena, changes);
    if (!o->plan.data || plan_read(&plan, o->plan, arena, NULL) || plan_archives(&plan) ||
        plan.kind == OPERATION_RESTORE || !read_source(o->from, arena, &r))
        return;
    if (*plan.cluster)
        r.cluster = plan.cluster;
    m.headers = changes->off;
    rewrite_changes(&r, &m, row->sequence, arena, &again);
    changes->on = again.on;
}

/* ---- what may be shown ---- */

void rewrite_hide(struct header_changes *changes, struct redactor *redactor, struct arena *arena)
{
    uint32_t off = changes->off.count, count = off + changes->on.count;
    struct header *all = redactor && count ? arena_alloc(arena, count * sizeof *all) : NULL;
    if (!redactor || !count)
        return;
    for (uint32_t i = 0; all && i < count; i++)
        all[i] = i < off ? changes->off.items[i] : changes->on.items[i - off];
    struct message m = {.headers = {all, all ? count : 0}, .time_ns = TIME_NONE};
    const struct message *shown = redactor_apply(redactor, &m);
    bool same = all && shown->headers.count == count;
    changes->off = same ? (struct headers){shown->headers.items, off} : (struct headers){NULL, 0};
    changes->on =
        same ? (struct headers){shown->headers.items + off, count - off} : (struct headers){NULL, 0};
}

static void put_headers(struct json_writer *w, struct headers headers)
{
    static const struct header none;
    message_headers_json(w, headers.items ? headers : (struct headers){&none, 0});
}

void rewrite_to_json(const struct header_changes *changes, struct json_writer *w)
{
    JSON_NAME(w, "headers_off");
    put_headers(w, changes->off);
    JSON_NAME(w, "headers_on");
    put_headers(w, changes->on);
    if (!changes->omitted.count)
        return;
    JSON_NAME(w, "headers_omitted");
    json_array(w);
    for (uint32_t i = 0; i < changes->omitted.count; i++) {
        json_object(w);
        JSON_NAME(w, "name");
        json_string(w, changes->omitted.items[i].name);
        JSON_NAME(w, "bytes");
        json_uint(w, changes->omitted.items[i].value.u);
        json_object_end(w);
    }
    json_array_end(w);
}

/* ---- for people ---- */

static void tell_list(const struct value *v, struct buffer *out);

static void tell_text(struct bytes text, struct buffer *out)
{
    if (!text.data)
        buffer_text(out, "null");
    else if (!text.len)
        buffer_text(out, "\"\"");
    else
        utf8_scrub(out, text, SCRUB_SCREEN);
}

static void tell_value(const struct value *v, struct buffer *out)
{
    char text[64];
    switch (v->type) {
    case VALUE_BOOL: buffer_text(out, v->b ? "true" : "false"); break;
    case VALUE_INT8:
    case VALUE_INT16:
    case VALUE_INT32:
    case VALUE_INT64: buffer_printf(out, "%" PRId64, v->i); break;
    case VALUE_UINT8:
    case VALUE_UINT16:
    case VALUE_UINT32:
    case VALUE_UINT64: buffer_printf(out, "%" PRIu64, v->u); break;
    case VALUE_FLOAT:
    case VALUE_DOUBLE: buffer_text(out, text_shortest(text, sizeof text, v->f)); break;
    case VALUE_DECIMAL: buffer_printf(out, "%" PRId32 "e-%u", v->decimal.digits, v->decimal.scale); break;
    case VALUE_TIMESTAMP:
        if (v->u < (uint64_t)(INT64_MAX / NS_PER_S))
            buffer_text(out, clock_rfc3339_seconds((int64_t)v->u * NS_PER_S, text, sizeof text));
        else
            buffer_printf(out, "%" PRIu64, v->u);
        break;
    case VALUE_STRING:
    case VALUE_BYTES: tell_text(v->bytes, out); break;
    case VALUE_ARRAY:
    case VALUE_TABLE: tell_list(v, out); break;
    case VALUE_VOID:
    case VALUE_TYPES: buffer_text(out, "null");
    }
}

static void tell_list(const struct value *v, struct buffer *out)
{
    bool table = v->type == VALUE_TABLE;
    buffer_byte(out, table ? '{' : '[');
    for (uint32_t i = 0; v->list.items && i < v->list.count; i++) {
        if (i)
            buffer_text(out, ", ");
        if (table) {
            tell_text(v->list.items[i].name, out);
            buffer_text(out, ": ");
        }
        tell_value(&v->list.items[i].value, out);
    }
    buffer_byte(out, table ? '}' : ']');
}

static void tell_header(const struct header *h, struct buffer *out)
{
    bool unnamed = h->value.type == VALUE_STRING && !h->value.bytes.data;
    tell_text(h->name, out);
    buffer_text(out, ": ");
    if (unnamed && bytes_equal_text(h->name, STAMP_OPERATION))
        buffer_text(out, "ID/NUMBER");
    else
        tell_value(&h->value, out);
}

static void tell_omitted(const struct header *h, struct buffer *out)
{
    char size[32];
    tell_text(h->name, out);
    buffer_printf(out, ": (%s, too large to be kept)", text_bytes(size, sizeof size, h->value.u));
}

void rewrite_tell(const struct header_changes *changes, rewrite_line *line, void *context)
{
    const struct {
        const struct headers *list;
        void (*tell)(const struct header *h, struct buffer *out);
        bool on;
    } parts[] = {{&changes->off, tell_header, false},
                 {&changes->omitted, tell_omitted, false},
                 {&changes->on, tell_header, true}};
    struct buffer text;
    buffer_init(&text, MIB);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (uint32_t k = 0; k < parts[i].list->count; k++) {
            buffer_clear(&text);
            parts[i].tell(&parts[i].list->items[k], &text);
            line(context, parts[i].on, buffer_cstr(&text));
        }
    buffer_free(&text);
}
