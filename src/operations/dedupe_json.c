#include "operations/dedupe_json.h"

#include "base/json.h"
#include "operations/operation_json.h"

#include <stdio.h>

static const char *const keeps[] = {[DEDUPE_KEEP_FIRST] = "first", [DEDUPE_KEEP_LAST] = "last"};

const char *dedupe_keep_name(enum dedupe_keep keep)
{
    return keeps[keep];
}

bool dedupe_keep_parse(const char *name, enum dedupe_keep *keep)
{
    for (int i = 0; i < 2; i++) {
        if (strcmp(name, keeps[i]) == 0) {
            *keep = (enum dedupe_keep)i;
            return true;
        }
    }
    return false;
}

static void put_text(struct json_writer *w, const char *name, const char *text)
{
    json_name(w, name);
    json_text(w, text);
}

static void put_count(struct json_writer *w, const char *name, uint64_t n)
{
    json_name(w, name);
    json_uint(w, n);
}

static void put_time(struct json_writer *w, const char *name, int64_t ns)
{
    char text[CLOCK_TEXT];
    put_text(w, name, ns == TIME_NONE ? NULL : clock_rfc3339(ns, text, sizeof text));
}

static void put_place(struct json_writer *w, const struct dedupe_copy *c)
{
    char text[40];
    json_name(w, "channel");
    json_string(w, bytes_of_text(c->origin->channel));
    put_text(w, "position",
             c->position.kind == POSITION_NONE ? NULL : position_text(c->position, text, sizeof text));
    put_count(w, "number", c->number);
}

static void put_digest(struct json_writer *w, const uint8_t digest[SHA256_SIZE])
{
    static const uint8_t none[SHA256_SIZE];
    char text[2 * SHA256_SIZE + 1];
    for (size_t i = 0; i < SHA256_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    put_text(w, "sha256", memcmp(digest, none, sizeof none) == 0 ? NULL : text);
}

static void put_messages(struct json_writer *w, const struct dedupe_group *g)
{
    json_name(w, "messages");
    json_array(w);
    for (size_t i = 0; i < g->listed_count; i++) {
        const struct dedupe_copy *c = &g->listed[i];
        json_object(w);
        put_place(w, c);
        put_time(w, "time", c->time_ns);
        put_digest(w, c->body);
        json_name(w, "kept");
        json_bool(w, c->number == g->kept.number);
        json_object_end(w);
    }
    json_array_end(w);
}

static void put_value(struct json_writer *w, const struct dedupe_group *g, const struct dedupe_rule *rule)
{
    struct buffer text;
    buffer_init(&text, MIB);
    json_name(w, "value");
    dedupe_rule_show(rule, g->value, &text);
    if (g->hidden)
        json_null(w);
    else
        json_byte_string(w, buffer_view(&text));
    put_count(w, "value_size", g->value_len);
    buffer_free(&text);
}

static void put_group(struct json_writer *w, const struct dedupe_group *g, const struct dedupe_rule *rule)
{
    json_object(w);
    put_value(w, g, rule);
    put_count(w, "copies", g->copies);
    put_text(w, "bodies", g->bodies_differ ? "differ" : "same");
    put_time(w, "first", g->first_ns);
    put_time(w, "last", g->last_ns);
    json_name(w, "spread_ns");
    if (g->first_ns == TIME_NONE)
        json_null(w);
    else
        json_int(w, dedupe_spread(g));
    json_name(w, "kept");
    json_object(w);
    put_place(w, &g->kept);
    json_object_end(w);
    put_messages(w, g);
    json_object_end(w);
}

static void put_operation(struct json_writer *w, const struct journal_operation *o)
{
    struct buffer text;
    buffer_init(&text, MIB);
    if (o)
        operation_to_json(o, NULL, &text);
    json_name(w, "operation");
    if (o && buffer_ok(&text))
        json_raw(w, buffer_view(&text));
    else
        json_null(w);
    buffer_free(&text);
}

void dedupe_to_json(const struct dedupe *d, const struct dedupe_job *job, const char *address, bool complete,
                    const struct journal_operation *would, struct buffer *out)
{
    const struct dedupe_totals *t = dedupe_totals(d);
    struct json_writer w;
    json_write(&w, out);
    json_object(&w);
    put_text(&w, "schema", "signalbox.dedupe/1");
    put_text(&w, "address", address);
    put_text(&w, "by", dedupe_rule_text(job->rule));
    put_text(&w, "keep", dedupe_keep_name(job->keep));
    json_name(&w, "complete");
    json_bool(&w, complete);
    put_count(&w, "messages", t->messages);
    put_count(&w, "without", t->without);
    put_count(&w, "unknown", t->unknown);
    put_count(&w, "unique", t->unique);
    put_count(&w, "groups", t->groups);
    put_count(&w, "extras", t->extras);
    put_count(&w, "most", t->most);
    put_count(&w, "differ", t->differ);
    put_count(&w, "going", t->going);
    put_count(&w, "going_bytes", t->going_bytes);
    put_operation(&w, would);
    put_time(&w, "first", t->first_ns);
    put_time(&w, "last", t->last_ns);
    json_name(&w, "listed");
    json_array(&w);
    for (size_t i = 0; i < dedupe_group_count(d); i++) {
        put_group(&w, dedupe_group(d, i), job->rule);
        buffer_drain(out);
    }
    json_array_end(&w);
    json_object_end(&w);
}
