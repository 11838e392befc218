/* Groups of duplicates: the one that is being formed, and the biggest of those that were. */
#include "operations/dedupe_internal.h"

#include <stdlib.h>

/* ---- the open one ---- */

static struct dedupe_copy copy_of(const struct groups *g, const struct record *r)
{
    struct dedupe_copy c = {.origin = g->origins[r->origin],
                            .position = {(enum position_kind)r->kind, r->partition, r->offset},
                            .number = r->number,
                            .time_ns = r->time_ns,
                            .size = r->size};
    if (record_body(r))
        memcpy(c.body, record_body(r), sizeof c.body);
    return c;
}

static void note_time(struct dedupe_group *g, int64_t ns)
{
    if (ns == TIME_NONE)
        return;
    g->first_ns = g->first_ns == TIME_NONE || ns < g->first_ns ? ns : g->first_ns;
    g->last_ns = g->last_ns == TIME_NONE || ns > g->last_ns ? ns : g->last_ns;
}

static void note_identity(uint8_t into[IDENTITY_SIZE], const struct record *r)
{
    if (record_identity(r))
        memcpy(into, record_identity(r), IDENTITY_SIZE);
}

void groups_open(struct groups *g, const struct record *r)
{
    g->open = (struct dedupe_group){
        .hidden = r->flags & RECORD_HIDDEN, .copies = 1, .first_ns = TIME_NONE, .last_ns = TIME_NONE};
    note_time(&g->open, r->time_ns);
    g->first = g->last = g->first_there = g->last_there = g->listed[0] = copy_of(g, r);
    memcpy(g->body, g->first.body, sizeof g->body);
    note_identity(g->first_identity, r);
    note_identity(g->last_identity, r);
    g->bytes = r->size;
    g->one_partition = r->kind == POSITION_PARTITION;
}

static enum err add_extra(const struct groups *g, const struct dedupe_copy *c, const uint8_t *identity,
                          struct err_info *err)
{
    return g->extras ? dedupe_extras_add(g->extras, c->position, identity, err) : ERR_OK;
}

enum err groups_add(struct groups *g, const struct record *r, struct err_info *err)
{
    struct dedupe_copy c = copy_of(g, r);
    enum err e = g->open.copies == 1 ? add_extra(g, &g->first, g->first_identity, err) : ERR_OK;
    if (!e)
        e = add_extra(g, &c, record_identity(r), err);
    if (e)
        return e;
    g->listed[g->open.copies < DEDUPE_COPIES ? g->open.copies : DEDUPE_COPIES - 1] = c;
    g->open.copies++;
    g->bytes += r->size;
    g->open.hidden |= (r->flags & RECORD_HIDDEN) != 0;
    note_time(&g->open, c.time_ns);
    g->open.bodies_differ |= memcmp(g->body, c.body, sizeof g->body) != 0;
    g->one_partition &= c.position.kind == POSITION_PARTITION && c.origin == g->first.origin &&
                        c.position.partition == g->first.position.partition;
    if (c.position.offset < g->first_there.position.offset)
        g->first_there = c;
    if (c.position.offset > g->last_there.position.offset)
        g->last_there = c;
    g->last = c;
    note_identity(g->last_identity, r);
    return ERR_OK;
}

int64_t dedupe_spread(const struct dedupe_group *g)
{
    int64_t spread;
    if (g->first_ns == TIME_NONE)
        return TIME_NONE;
    return __builtin_sub_overflow(g->last_ns, g->first_ns, &spread) ? INT64_MAX : spread;
}

/* ---- the biggest ---- */

static bool is_earlier(const struct dedupe_group *a, const struct dedupe_group *b)
{
    if (a->first_ns == b->first_ns)
        return a->listed[0].number < b->listed[0].number;
    return b->first_ns == TIME_NONE || (a->first_ns != TIME_NONE && a->first_ns < b->first_ns);
}

/* Goes before the other in a report. */
static bool is_more(const struct dedupe_group *a, const struct dedupe_group *b)
{
    return a->copies != b->copies ? a->copies > b->copies : is_earlier(a, b);
}

static void sink(struct groups *g, size_t at)
{
    struct dedupe_group moved = g->held[at];
    for (size_t child; (child = 2 * at + 1) < g->held_count; at = child) {
        if (child + 1 < g->held_count && is_more(&g->held[child], &g->held[child + 1]))
            child++;
        if (!is_more(&moved, &g->held[child]))
            break;
        g->held[at] = g->held[child];
    }
    g->held[at] = moved;
}

static void rise(struct groups *g, size_t at)
{
    struct dedupe_group moved = g->held[at];
    for (size_t above; at && is_more(&g->held[above = (at - 1) / 2], &moved); at = above)
        g->held[at] = g->held[above];
    g->held[at] = moved;
}

static void free_group(struct dedupe_group *group)
{
    free(group->listed);
    free((void *)(uintptr_t)group->value.data);
}

bool groups_wants(const struct groups *g)
{
    struct dedupe_group open = g->open;
    open.listed = (struct dedupe_copy *)(uintptr_t)g->listed;
    return open.copies > 1 && g->held_most && (g->held_count < g->held_most || is_more(&open, &g->held[0]));
}

static enum err hold(struct groups *g, struct bytes value, struct err_info *err)
{
    struct dedupe_group *open = &g->open;
    open->listed_count = open->copies < DEDUPE_COPIES ? (size_t)open->copies : DEDUPE_COPIES;
    open->listed = malloc(open->listed_count * sizeof *open->listed);
    uint8_t *copied = malloc(value.len + 1);
    open->value = bytes_of(copied, value.len);
    if (!open->listed || !copied) {
        free_group(open);
        return err_set(err, ERR_NOMEM, "no memory for groups of duplicates");
    }
    memcpy(open->listed, g->listed, open->listed_count * sizeof *open->listed);
    if (value.len)
        memcpy(copied, value.data, value.len);
    if (g->held_count < g->held_most) {
        g->held[g->held_count++] = *open;
        rise(g, g->held_count - 1);
    } else {
        free_group(&g->held[0]);
        g->held[0] = *open;
        sink(g, 0);
    }
    return ERR_OK;
}

/* Within one partition its order is what counts, whatever clocks say. */
static const struct dedupe_copy *kept_of(const struct groups *g)
{
    if (g->one_partition)
        return g->keep == DEDUPE_KEEP_LAST ? &g->last_there : &g->first_there;
    return g->keep == DEDUPE_KEEP_LAST ? &g->last : &g->first;
}

static enum err end_extras(struct groups *g, bool goes, struct err_info *err)
{
    const uint8_t *identity = g->keep == DEDUPE_KEEP_LAST ? g->last_identity : g->first_identity;
    if (!g->extras)
        return ERR_OK;
    return goes ? dedupe_extras_keep(g->extras, g->open.kept.position, identity, err)
                : dedupe_extras_leave(g->extras, err);
}

enum err groups_close(struct groups *g, struct bytes value, uint64_t value_len, struct err_info *err)
{
    struct dedupe_totals *t = g->totals;
    t->unique++;
    if (g->open.copies < 2)
        return ERR_OK;
    t->groups++;
    t->extras += g->open.copies - 1;
    t->most = g->open.copies > t->most ? g->open.copies : t->most;
    t->differ += g->open.bodies_differ;
    g->open.kept = *kept_of(g);
    bool goes = g->differing || !g->open.bodies_differ;
    if (goes) {
        t->going += g->open.copies - 1;
        t->going_bytes += g->bytes - g->open.kept.size;
    }
    enum err e = end_extras(g, goes, err);
    if (e || !groups_wants(g))
        return e;
    g->open.value_len = value_len;
    return hold(g, g->open.hidden ? BYTES_LITERAL("") : value, err);
}

static int by_size(const void *a, const void *b)
{
    return is_more(a, b) ? -1 : 1;
}

void groups_sort(struct groups *g)
{
    if (g->held_count)
        qsort(g->held, g->held_count, sizeof *g->held, by_size);
}

void groups_free(struct groups *g)
{
    for (size_t i = 0; i < g->held_count; i++)
        free_group(&g->held[i]);
    free(g->held);
}
