#include "operations/reasons.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/utf8.h"
#include "model/death.h"
#include "operations/copies.h"

#include <stdio.h>
#include <stdlib.h>

#define SLOTS        2048      /* a power of two, above REASONS_MOST */
#define CHANGES_MOST (8 * MIB) /* bytes of all examples' headers that are held */

struct reasons {
    struct reasons_job job;
    struct redactor *redactor;
    struct reason_group *groups;
    size_t count, cap;
    uint16_t slots[SLOTS]; /* number of a group, plus one; 0: free */
    struct arena changes;  /* headers of the examples */
    struct arena scratch;
    int64_t rest, skipped, failing;
    bool sorted;
};

struct reasons *reasons_new(const struct reasons_job *job)
{
    struct reasons *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->job = *job;
    arena_init(&r->changes, CHANGES_MOST);
    arena_init(&r->scratch, LIMIT_DECODE_ARENA);
    if (job->redaction && !(r->redactor = redactor_new(job->redaction)))
        reasons_free(&r);
    return r;
}

void reasons_free(struct reasons **r)
{
    if (!*r)
        return;
    redactor_free(&(*r)->redactor);
    arena_free(&(*r)->changes);
    arena_free(&(*r)->scratch);
    free((*r)->groups);
    free(*r);
    *r = NULL;
}

/* ---- one message ---- */

/* What names its group, and nothing else of it yet. */
static void name_group(const struct reasons *r, const struct message *m, const struct message *shown,
                       struct reason_group *g)
{
    const struct plan *p = r->job.plan;
    struct dead_letter way;
    struct position none = {.kind = POSITION_NONE};
    *g = (struct reason_group){
        .oldest_ns = TIME_NONE, .newest_ns = TIME_NONE, .example = none, .example_ns = TIME_NONE};
    dead_letter_reason(shown->headers, g->text);
    dead_letter_way(p, r->job.from, m, &way);
    text_copy(g->why_not, sizeof g->why_not, way.why_not);
    if (way.why_not[0])
        return;
    const char *kind = channel_kind_name(way.kind);
    if (r->job.to)
        text_copy(g->to, sizeof g->to, r->job.to);
    else
        snprintf(g->to, sizeof g->to, "%s%s%.*s", kind, *kind ? ":" : "", (int)way.name.len,
                 (const char *)way.name.data);
    if (!p->again && r->job.sent && sent_has(r->job.sent, m->position, g->to))
        text_copy(g->why_not, sizeof g->why_not, SENT_BEFORE);
    else if (!p->again && r->job.there && r->job.there(r->job.context, g->to, m))
        text_copy(g->why_not, sizeof g->why_not, COPY_THERE);
    const char *missing = r->job.missing && !*g->why_not ? r->job.missing(r->job.context, g->to) : NULL;
    g->fails = missing != NULL;
    if (missing)
        text_copy(g->why_not, sizeof g->why_not, missing);
}

static uint64_t hash_of(const struct reason_group *g)
{
    uint64_t hash = hash_bytes(bytes_of_text(g->text), 1);
    hash = hash_bytes(bytes_of_text(g->to), hash);
    return hash_bytes(bytes_of_text(g->why_not), hash);
}

static bool is_same(const struct reason_group *a, const struct reason_group *b)
{
    return strcmp(a->text, b->text) == 0 && strcmp(a->to, b->to) == 0 && strcmp(a->why_not, b->why_not) == 0;
}

/* The slot of its group, or the free one where it would be. */
static uint16_t *find_slot(struct reasons *r, const struct reason_group *g)
{
    size_t at = hash_of(g) % SLOTS;
    while (r->slots[at] && !is_same(&r->groups[r->slots[at] - 1], g))
        at = (at + 1) % SLOTS;
    return &r->slots[at];
}

/* ---- the example ---- */

static void hold(struct reasons *r, struct headers headers, struct header_changes *held)
{
    struct buffer packed;
    buffer_init(&packed, 64 * KIB);
    rewrite_pack(headers, &r->scratch, &packed);
    bool any = packed.len && buffer_ok(&packed);
    rewrite_unpack(any ? arena_copy(&r->changes, buffer_view(&packed)) : BYTES_NULL, &r->changes, held);
    buffer_free(&packed);
}

/* As it may be shown. */
static void take_changes(struct reasons *r, const struct message *m, struct reason_group *g)
{
    const struct rewrite rewrite = {
        .plan = r->job.plan, .operation = "", .cluster = r->job.cluster, .channel = r->job.from};
    struct header_changes changes, on;
    if (*g->why_not)
        return;
    arena_reset(&r->scratch);
    rewrite_changes(&rewrite, m, 1, &r->scratch, &changes);
    rewrite_hide(&changes, r->redactor, &r->scratch);
    hold(r, changes.on, &on);
    hold(r, changes.off, &g->changes);
    g->changes.on = on.off;
}

/* What its owner would know it by. */
static struct bytes label_of(const struct message *m)
{
    return m->id.len ? m->id : m->key.len ? m->key : m->payload;
}

static void take_example(struct reason_group *g, const struct message *m, const struct message *shown)
{
    struct buffer clean;
    buffer_init(&clean, 4 * KIB);
    utf8_scrub(&clean, bytes_slice(label_of(shown), 0, sizeof g->label), SCRUB_SCREEN);
    text_shorten(g->label, sizeof g->label, buffer_cstr(&clean));
    buffer_free(&clean);
    g->example = m->position;
    g->example_ns = m->time_ns;
}

static struct reason_group *new_group(struct reasons *r, const struct reason_group *named, uint16_t *slot)
{
    if (r->count == REASONS_MOST)
        return NULL;
    if (r->count == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 16;
        struct reason_group *all = reallocarray(r->groups, cap, sizeof *all);
        if (!all)
            return NULL;
        r->groups = all;
        r->cap = cap;
    }
    r->groups[r->count] = *named;
    *slot = (uint16_t)(r->count + 1);
    return &r->groups[r->count++];
}

/* Sorting has given them other numbers. */
static void number_again(struct reasons *r)
{
    memset(r->slots, 0, sizeof r->slots);
    for (size_t i = 0; i < r->count; i++)
        *find_slot(r, &r->groups[i]) = (uint16_t)(i + 1);
    r->sorted = false;
}

static void count_in(struct reason_group *g, const struct message *m)
{
    int64_t died = death_time(m->headers), when = died != TIME_NONE ? died : m->time_ns;
    g->count++;
    g->bytes += (int64_t)m->payload.len;
    if (when == TIME_NONE)
        return;
    if (g->oldest_ns == TIME_NONE || when < g->oldest_ns)
        g->oldest_ns = when;
    if (g->newest_ns == TIME_NONE || when > g->newest_ns)
        g->newest_ns = when;
}

bool reasons_add(struct reasons *r, const struct message *m)
{
    const struct message *shown = r->redactor ? redactor_apply(r->redactor, m) : m;
    struct reason_group named;
    if (r->sorted)
        number_again(r);
    name_group(r, m, shown, &named);
    uint16_t *slot = find_slot(r, &named);
    struct reason_group *g = *slot ? &r->groups[*slot - 1] : new_group(r, &named, slot);
    bool goes = !named.why_not[0];
    r->skipped += !goes && !named.fails;
    r->failing += named.fails;
    r->rest += !g;
    if (g && !g->count) {
        take_example(g, m, shown);
        take_changes(r, m, g);
    }
    if (g)
        count_in(g, m);
    return goes;
}

/* ---- all of them ---- */

static int compare(const void *a, const void *b)
{
    const struct reason_group *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    int text = strcmp(x->text, y->text);
    return text ? text : strcmp(x->to, y->to);
}

const struct reason_group *reasons_groups(struct reasons *r, size_t *count)
{
    if (r->count && !r->sorted)
        qsort(r->groups, r->count, sizeof *r->groups, compare);
    r->sorted = true;
    *count = r->count;
    return r->groups;
}

int64_t reasons_rest(const struct reasons *r)
{
    return r->rest;
}

int64_t reasons_skipped(const struct reasons *r)
{
    return r->skipped;
}

int64_t reasons_failing(const struct reasons *r)
{
    return r->failing;
}

static void put_time(struct json_writer *w, int64_t ns)
{
    char text[40];
    if (ns == TIME_NONE)
        json_null(w);
    else
        json_text(w, clock_rfc3339(ns, text, sizeof text));
}

static void put_example(struct json_writer *w, const struct reason_group *g)
{
    char position[40];
    json_object(w);
    JSON_NAME(w, "position");
    if (g->example.kind == POSITION_NONE)
        json_null(w);
    else
        json_text(w, position_text(g->example, position, sizeof position));
    JSON_NAME(w, "label");
    json_text(w, g->label);
    JSON_NAME(w, "time");
    put_time(w, g->example_ns);
    if (!*g->why_not)
        rewrite_to_json(&g->changes, w);
    json_object_end(w);
}

static void put_group(struct json_writer *w, const struct reason_group *g)
{
    json_object(w);
    JSON_NAME(w, "reason");
    json_text(w, g->text);
    JSON_NAME(w, "messages");
    json_int(w, g->count);
    JSON_NAME(w, "bytes");
    json_int(w, g->bytes);
    JSON_NAME(w, "to");
    json_text(w, *g->to ? g->to : NULL);
    JSON_NAME(w, "skipped");
    json_text(w, *g->why_not && !g->fails ? g->why_not : NULL);
    JSON_NAME(w, "fails");
    json_text(w, g->fails ? g->why_not : NULL);
    JSON_NAME(w, "oldest");
    put_time(w, g->oldest_ns);
    JSON_NAME(w, "newest");
    put_time(w, g->newest_ns);
    JSON_NAME(w, "example");
    put_example(w, g);
    json_object_end(w);
}

void reasons_to_json(struct reasons *r, struct json_writer *w)
{
    size_t count;
    const struct reason_group *groups = reasons_groups(r, &count);
    json_array(w);
    for (size_t i = 0; i < count; i++)
        put_group(w, &groups[i]);
    if (r->rest) {
        json_object(w);
        JSON_NAME(w, "reason");
        json_null(w);
        JSON_NAME(w, "messages");
        json_int(w, r->rest);
        json_object_end(w);
    }
    json_array_end(w);
}
