/* Rows of lists: what a channel's are, and whether a number that nobody knows keeps one out. */
#include "engine/filter_internal.h"

/* An exchange stores nothing, and of RabbitMQ nobody is behind by a lag. */
struct filter_row filter_row_of(const struct channel *c)
{
    bool stores = c->kind != CHANNEL_EXCHANGE, has_lag = stores && c->kind != CHANNEL_QUEUE;
    return (struct filter_row){.name = c->name,
                               .kind = channel_kind_name(c->kind),
                               .state = c->state,
                               .tag = c->dead_letters ? "dlq" : "",
                               .depth = stores || c->depth >= 0 ? c->depth : ROW_HAS_NONE,
                               .lag = has_lag || c->lag >= 0 ? c->lag : ROW_HAS_NONE,
                               .p95_ms = ROW_HAS_NONE,
                               .age_ns = ROW_HAS_NONE};
}

/* NULL: it is known, or the rows have none. */
static const char *unknown_number(const struct node *n, const struct filter_row *row)
{
    if (n->kind != NODE_TEST)
        return NULL;
    switch (n->field) {
    case F_DEPTH: return row->depth == COUNT_UNKNOWN ? "depth" : NULL;
    case F_LAG: return row->lag == COUNT_UNKNOWN ? "lag" : NULL;
    case F_P95: return row->p95_ms < 0 && row->p95_ms > ROW_HAS_NONE ? "p95" : NULL;
    case F_LIST_AGE: return row->age_ns == -1 ? "age" : NULL;
    default: return NULL;
    }
}

/* Whether the answer could be `wanted` if all were known; *unknown is the first number that is not and was looked at. */
static bool could_be(const struct node *n, const struct filter_row *row, bool wanted, const char **unknown)
{
    if (n->kind == NODE_NOT)
        return could_be(n->first, row, !wanted, unknown);
    if (n->kind == NODE_ALL || n->kind == NODE_ANY) {
        bool all = (n->kind == NODE_ALL) == wanted;
        for (const struct node *c = n->first; c; c = c->next)
            if (could_be(c, row, wanted, unknown) != all)
                return !all;
        return all;
    }
    const char *name = unknown_number(n, row);
    if (name && !*unknown)
        *unknown = name;
    return name || filter_row_leaf(n, row) == wanted;
}

const char *filter_row_unknown(const struct filter *f, const struct filter_row *row)
{
    const char *unknown = NULL;
    return f->root && could_be(f->root, row, true, &unknown) ? unknown : NULL;
}
