#include "operations/operation_json.h"

#include "base/utf8.h"

#define TEXT(w, name, text) \
 do {                       \
  JSON_NAME((w), name);     \
  json_text((w), (text));   \
 } while (0)

static void put_time(struct json_writer *w, int64_t ns)
{
    char text[40];
    if (ns)
        json_text(w, clock_rfc3339(ns, text, sizeof text));
    else
        json_null(w);
}

static void put_counts(struct json_writer *w, const struct operation_counts *c)
{
    json_object(w);
    JSON_NAME(w, "planned");
    if (c->planned >= 0)
        json_int(w, c->planned);
    else
        json_null(w);
    JSON_NAME(w, "done");
    json_int(w, c->done);
    JSON_NAME(w, "skipped");
    json_int(w, c->skipped);
    JSON_NAME(w, "failed");
    json_int(w, c->failed);
    JSON_NAME(w, "in_doubt");
    json_int(w, c->in_doubt);
    json_object_end(w);
}

/* `archive` is the first one; where there are several, all stand in `archives`. */
static void put_archives(struct json_writer *w, const char *archives)
{
    const char *at = archives ? archives : "";
    bool several = strchr(at, '\n');
    JSON_NAME(w, "archive");
    if (*at)
        json_string(w, bytes_of(at, strcspn(at, "\n")));
    else
        json_null(w);
    if (!several)
        return;
    JSON_NAME(w, "archives");
    json_array(w);
    while (*at) {
        size_t len = strcspn(at, "\n");
        json_string(w, bytes_of(at, len));
        at += len + (at[len] == '\n');
    }
    json_array_end(w);
}

static void put_operation(struct json_writer *w, const struct journal_operation *o)
{
    TEXT(w, "schema", "signalbox.operation/1");
    TEXT(w, "id", *o->id ? o->id : NULL);
    TEXT(w, "kind", operation_kind_name(o->kind));
    TEXT(w, "state", operation_state_name(o->state));
    TEXT(w, "from", o->from);
    TEXT(w, "to", o->to);
    JSON_NAME(w, "counts");
    put_counts(w, &o->counts);
    put_archives(w, o->archive);
    TEXT(w, "note", o->note);
    JSON_NAME(w, "verified");
    if (o->verified)
        json_raw(w, bytes_of_text(o->verified));
    else
        json_null(w);
    TEXT(w, "command", o->command);
    TEXT(w, "who", o->who);
    TEXT(w, "host", o->host);
    JSON_NAME(w, "began");
    put_time(w, o->created_ns);
    JSON_NAME(w, "ended");
    put_time(w, o->ended_ns);
}

void operation_to_json(const struct journal_operation *o, const char *undo, struct buffer *out)
{
    struct json_writer w;
    json_write(&w, out);
    json_object(&w);
    put_operation(&w, o);
    if (undo)
        TEXT(&w, "undo", undo);
    json_object_end(&w);
}

/* ---- a dry run ---- */

static void put_count(struct json_writer *w, int64_t n)
{
    if (n >= 0)
        json_int(w, n);
    else
        json_null(w);
}

static void put_part(void *context, const char *part, const char *becomes)
{
    struct json_writer *w = context;
    json_name(w, part);
    json_text(w, becomes);
}

static void put_comparison(struct json_writer *w, const struct operation_job *job, const struct preview *p)
{
    JSON_NAME(w, "carries");
    json_object(w);
    carries_tell(p->carries, put_part, w);
    json_object_end(w);
    JSON_NAME(w, "losses");
    losses_to_json(&p->losses, job->to.ops, p->carries, false, w);
}

static void put_preview(struct json_writer *w, const struct operation_job *job, const struct preview *p)
{
    json_object(w);
    JSON_NAME(w, "ready");
    put_count(w, p->ready);
    JSON_NAME(w, "ready_upper");
    json_bool(w, p->upper);
    JSON_NAME(w, "unacked");
    put_count(w, p->unacked);
    JSON_NAME(w, "looked_at");
    json_int(w, p->looked);
    JSON_NAME(w, "whole");
    json_bool(w, p->whole);
    JSON_NAME(w, "selected");
    put_count(w, p->looked ? p->matched : COUNT_UNKNOWN);
    JSON_NAME(w, "unseen");
    json_text(w, *p->unseen ? p->unseen : NULL);
    if (p->bounded) {
        JSON_NAME(w, "destination");
        bounds_to_json(&p->bounds, p->there_ready, w);
    }
    if (p->compares && job->plan.kind != OPERATION_RESTORE)
        put_comparison(w, job, p);
    JSON_NAME(w, "failing");
    json_int(w, preview_failing(p));
    JSON_NAME(w, "fails");
    json_text(w, *p->refuses ? p->refuses : NULL);
    if (p->reasons) {
        JSON_NAME(w, "skipped");
        json_int(w, reasons_skipped(p->reasons));
        JSON_NAME(w, "groups");
        reasons_to_json(p->reasons, w);
    }
    json_object_end(w);
}

void preview_to_json(const struct operation_job *job, const struct preview *p, struct buffer *out)
{
    struct json_writer w;
    struct journal_operation record = job->record;
    record.state = OPERATION_PLANNED;
    record.id[0] = '\0';
    json_write(&w, out);
    json_object(&w);
    put_operation(&w, &record);
    JSON_NAME(&w, "executed");
    json_bool(&w, false);
    JSON_NAME(&w, "preview");
    put_preview(&w, job, p);
    json_object_end(&w);
}

static void put_position(struct json_writer *w, struct position p)
{
    char text[40];
    if (p.kind == POSITION_NONE)
        json_null(w);
    else
        json_text(w, position_text(p, text, sizeof text));
}

void delivery_to_json(const char *id, const struct journal_message *m, const struct header_changes *changes,
                      struct buffer *out)
{
    struct json_writer w;
    json_write(&w, out);
    json_object(&w);
    TEXT(&w, "schema", "signalbox.delivery/1");
    TEXT(&w, "operation", id);
    JSON_NAME(&w, "sequence");
    json_uint(&w, m->sequence);
    TEXT(&w, "outcome", delivery_name(m->state));
    TEXT(&w, "reason", m->reason);
    JSON_NAME(&w, "from");
    put_position(&w, m->from);
    JSON_NAME(&w, "arrived");
    put_position(&w, m->arrived);
    JSON_NAME(&w, "label");
    json_byte_string(&w, m->label);
    JSON_NAME(&w, "size");
    json_uint(&w, m->size);
    if (changes->off.count || changes->omitted.count || changes->on.count)
        rewrite_to_json(changes, &w);
    json_object_end(&w);
}
