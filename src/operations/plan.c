#include "operations/plan.h"

#include "base/text.h"

#include "base/json.h"

static void write_purge(const struct plan *p, struct json_writer *w)
{
    JSON_NAME(w, "no_archive");
    json_bool(w, p->no_archive);
    JSON_NAME(w, "by_place");
    json_bool(w, p->by_place);
    JSON_NAME(w, "tombstones");
    json_bool(w, p->tombstones);
}

static void write_dedupe(const struct plan *p, struct json_writer *w)
{
    JSON_NAME(w, "by");
    json_text(w, p->by);
    JSON_NAME(w, "keep_last");
    json_bool(w, p->keep_last);
    JSON_NAME(w, "differing");
    json_bool(w, p->differing);
}

static void write_restore(const struct plan *p, struct json_writer *w)
{
    JSON_NAME(w, "sum");
    json_text(w, p->sum);
    JSON_NAME(w, "same_partitions");
    json_bool(w, p->same_partitions);
    JSON_NAME(w, "empty");
    json_bool(w, p->empty);
}

void plan_write(const struct plan *p, struct buffer *json)
{
    struct json_writer w;
    json_write(&w, json);
    json_object(&w);
    JSON_NAME(&w, "kind");
    json_text(&w, operation_kind_name(p->kind));
    JSON_NAME(&w, "from");
    json_text(&w, p->from);
    JSON_NAME(&w, "to");
    json_text(&w, p->to);
    JSON_NAME(&w, "select");
    json_text(&w, p->select);
    JSON_NAME(&w, "limit");
    json_int(&w, p->limit);
    if (p->ready) {
        JSON_NAME(&w, "ready");
        json_int(&w, p->ready);
    }
    JSON_NAME(&w, "rate");
    json_int(&w, p->rate);
    JSON_NAME(&w, "replays_most");
    json_int(&w, p->replays_most);
    JSON_NAME(&w, "partitions");
    json_int(&w, p->partitions);
    if (*p->cluster) {
        JSON_NAME(&w, "cluster");
        json_text(&w, p->cluster);
    }
    JSON_NAME(&w, "no_mark");
    json_bool(&w, p->no_mark);
    JSON_NAME(&w, "keep_death");
    json_bool(&w, p->keep_death);
    JSON_NAME(&w, "again");
    json_bool(&w, p->again);
    JSON_NAME(&w, "keeps");
    json_bool(&w, p->keeps);
    JSON_NAME(&w, "sticks");
    json_bool(&w, p->sticks);
    JSON_NAME(&w, "create");
    json_bool(&w, p->create);
    JSON_NAME(&w, "exchange");
    json_bool(&w, p->exchange);
    JSON_NAME(&w, "payload");
    json_byte_string(&w, p->payload);
    JSON_NAME(&w, "origin_header");
    json_text(&w, p->origin_header);
    if (p->reasons) {
        JSON_NAME(&w, "reasons");
        json_text(&w, p->reasons);
    }
    if (p->edits) {
        JSON_NAME(&w, "edits");
        json_text(&w, p->edits);
    }
    if (p->kind == OPERATION_PURGE)
        write_purge(p, &w);
    if (p->kind == OPERATION_DEDUPE)
        write_dedupe(p, &w);
    if (p->kind == OPERATION_RESTORE)
        write_restore(p, &w);
    json_object_end(&w);
}

static const char *take_text(const struct json_reader *r, struct arena *arena, struct err_info *err)
{
    struct buffer text;
    buffer_init(&text, 1 << 20);
    const char *copy = NULL;
    if (json_unescape(r->raw, &text) && buffer_ok(&text))
        copy = arena_strndup(arena, text.data ? text.data : (const uint8_t *)"", text.len);
    buffer_free(&text);
    if (!copy)
        err_set(err, ERR_NOMEM, "no memory for a plan");
    return copy;
}

static enum err take_kind(struct plan *p, const struct json_reader *r, struct arena *arena,
                          struct err_info *err)
{
    const char *name = take_text(r, arena, err);
    if (!name)
        return ERR_NOMEM;
    return operation_kind_parse(name, &p->kind)
               ? ERR_OK
               : err_set(err, ERR_FORMAT, "a plan of the unknown kind %s", name);
}

/* {"text":...} or {"base64":...}, as it was written. */
static enum err take_bytes(struct bytes *into, struct json_reader *r, struct arena *arena,
                           struct err_info *err)
{
    bool text = json_next(r) == JSON_NAME && bytes_equal_text(r->raw, "text");
    struct buffer b;
    buffer_init(&b, PLAN_PAYLOAD_MOST);
    bool ok = json_next(r) == JSON_STRING && (text ? json_unescape(r->raw, &b) : buffer_unbase64(&b, r->raw));
    struct bytes copy = buffer_ok(&b)
                            ? arena_copy(arena, bytes_of(b.data ? b.data : (const uint8_t *)"", b.len))
                            : BYTES_NULL;
    buffer_free(&b);
    *into = copy;
    return ok && copy.data && json_next(r) == JSON_OBJECT_END
               ? ERR_OK
               : err_set(err, ERR_FORMAT, "a plan with a damaged payload");
}

struct member {
    const char *name;
    const char **text;
    int64_t *number;
    bool *truth;
};

static enum err take_value(const struct member *m, const struct json_reader *r, enum json_event event,
                           struct arena *arena, struct err_info *err)
{
    if (event == JSON_STRING && m->text)
        return (*m->text = take_text(r, arena, err)) ? ERR_OK : ERR_NOMEM;
    if (event == JSON_NUMBER && m->number && json_to_int64(r->raw, m->number))
        return ERR_OK;
    if ((event == JSON_TRUE || event == JSON_FALSE) && m->truth) {
        *m->truth = event == JSON_TRUE;
        return ERR_OK;
    }
    return event == JSON_NULL ? ERR_OK
                              : err_set(err, ERR_FORMAT, "a plan whose `%s` is of another type", m->name);
}

/* What a later version has added it does not know how to do. */
static enum err take_member(struct plan *p, struct json_reader *r, struct arena *arena, struct err_info *err)
{
    const char *cluster = NULL;
    const struct member members[] = {
        {"cluster", &cluster, NULL, NULL},
        {"from", &p->from, NULL, NULL},
        {"to", &p->to, NULL, NULL},
        {"select", &p->select, NULL, NULL},
        {"limit", NULL, &p->limit, NULL},
        {"ready", NULL, &p->ready, NULL},
        {"rate", NULL, &p->rate, NULL},
        {"replays_most", NULL, &p->replays_most, NULL},
        {"partitions", NULL, &p->partitions, NULL},
        {"no_mark", NULL, NULL, &p->no_mark},
        {"keep_death", NULL, NULL, &p->keep_death},
        {"create", NULL, NULL, &p->create},
        {"keeps", NULL, NULL, &p->keeps},
        {"sticks", NULL, NULL, &p->sticks},
        {"again", NULL, NULL, &p->again},
        {"exchange", NULL, NULL, &p->exchange},
        {"origin_header", &p->origin_header, NULL, NULL},
        {"reasons", &p->reasons, NULL, NULL},
        {"edits", &p->edits, NULL, NULL},
        {"no_archive", NULL, NULL, &p->no_archive},
        {"by_place", NULL, NULL, &p->by_place},
        {"tombstones", NULL, NULL, &p->tombstones},
        {"by", &p->by, NULL, NULL},
        {"keep_last", NULL, NULL, &p->keep_last},
        {"differing", NULL, NULL, &p->differing},
        {"sum", &p->sum, NULL, NULL},
        {"same_partitions", NULL, NULL, &p->same_partitions},
        {"empty", NULL, NULL, &p->empty},
    };
    struct bytes name = r->raw;
    enum json_event event = json_next(r);
    if (bytes_equal_text(name, "kind") && event == JSON_STRING)
        return take_kind(p, r, arena, err);
    if (bytes_equal_text(name, "payload") && event == JSON_OBJECT)
        return take_bytes(&p->payload, r, arena, err);
    if (bytes_equal_text(name, "payload") && event == JSON_NULL)
        return ERR_OK;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (bytes_equal_text(name, members[i].name)) {
            enum err e = take_value(&members[i], r, event, arena, err);
            if (cluster)
                text_copy(p->cluster, sizeof p->cluster, cluster);
            return e;
        }
    return err_set(err, ERR_FORMAT, "a plan of a later version: `%.*s` is not known", (int)name.len,
                   (const char *)name.data);
}

enum err plan_read(struct plan *p, struct bytes json, struct arena *arena, struct err_info *err)
{
    struct json_reader r;
    *p = (struct plan){.kind = OPERATION_KINDS, .limit = -1, .replays_most = PLAN_REPLAYS_MOST};
    json_read(&r, json, 3);
    enum json_event event = json_next(&r);
    enum err e = event == JSON_OBJECT ? ERR_OK : err_set(err, ERR_FORMAT, "a plan that is no JSON object");
    while (!e && (event = json_next(&r)) == JSON_NAME)
        e = take_member(p, &r, arena, err);
    if (!e && (event != JSON_OBJECT_END || json_next(&r) != JSON_END))
        e = err_set(err, ERR_FORMAT, "a damaged plan: %s", r.error ? r.error : "no object");
    if (!e && (p->kind == OPERATION_KINDS || !p->from))
        e = err_set(err, ERR_FORMAT, "a plan without kind or source");
    if (!e && p->kind == OPERATION_DEDUPE && !p->by)
        e = err_set(err, ERR_FORMAT, "a plan for duplicates without a rule");
    return e;
}
