#include "ui/views/dashboard.h"

#include "base/utf8.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* What, and what next where there is room for both; the status row tells it all. */
static const char *attention_text(const struct hub_attention *a, int cells, char *into, size_t size)
{
    if (!*a->next)
        return a->text;
    snprintf(into, size, "%s: %s", a->text, a->next);
    return (int)utf8_cells(bytes_of_text(into)) <= cells ? into : a->text;
}

static bool shares_name(const struct hub_attention *rows, size_t count, const struct hub_attention *a)
{
    for (size_t i = 0; i < count; i++)
        if (&rows[i] != a && !strcmp(rows[i].name, a->name))
            return true;
    return false;
}

enum { A_STATE, A_NAME, A_WHERE, A_SINCE, A_TEXT, A_COLUMNS };
static const struct column attention_columns[A_COLUMNS] = {[A_STATE] = {"STATE", 8, false, 0, 0},
                                                           [A_NAME] = {"NAME", 18, false, 0, 36},
                                                           [A_WHERE] = {"WHERE", 26, false, 100, 50},
                                                           [A_SINCE] = {"SINCE", 6, true, 0, 0},
                                                           [A_TEXT] = {"", 0, false, 0, 80}};

/* With where it is, where no column says that and the name alone could mean two. */
static char *attention_name(const struct hub_attention *rows, size_t count, const struct hub_attention *a,
                            int w, char *into, size_t size)
{
    bool where = w < attention_columns[A_WHERE].from && *a->where && shares_name(rows, count, a);
    snprintf(into, size, "%s%s%s", where ? a->where : "", where ? "/" : "", a->name);
    return into;
}

/* The name is what one needs; of the sentence the status row has all, and here it keeps a few words at least. */
int dashboard_attention_names(const struct view *v, int w)
{
    enum { TEXT_CELLS = 20 };
    const struct hub_attention *rows;
    struct slot slots[A_COLUMNS];
    char name[256];
    size_t count = hub_attention(v->hub, &rows);
    columns_fit(attention_columns, A_COLUMNS, 0, w, slots);
    int most = slots[A_NAME].w + slots[A_TEXT].w - TEXT_CELLS, cells = attention_columns[A_NAME].width;
    most = most < attention_columns[A_NAME].most ? most : attention_columns[A_NAME].most;
    for (size_t i = 0; i < count; i++) {
        int own = (int)utf8_cells(bytes_of_text(attention_name(rows, count, &rows[i], w, name, sizeof name)));
        cells = own > cells ? own : cells;
    }
    return cells < most ? cells : most;
}

void dashboard_attention_row(struct row *r, const struct item *item)
{
    struct column columns[A_COLUMNS];
    struct slot slots[A_COLUMNS];
    const struct hub_attention *rows;
    char word[32], age[16], text[320], name[256], full[256];
    size_t count = hub_attention(r->v->hub, &rows);
    const struct hub_attention *a = &rows[item->index];
    struct look look = look_severity(a->severity, a->word, word, sizeof word);
    memcpy(columns, attention_columns, sizeof columns);
    columns[A_NAME].width = r->names;
    columns_fit(columns, A_COLUMNS, r->x, r->w, slots);
    attention_name(rows, count, a, r->w, full, sizeof full);
#define PUT(column, role, value) column_put(r->f->canvas, r->y, &columns[column], &slots[column], role, value)
    PUT(A_STATE, look.role, look.text);
    PUT(A_NAME, ROLE_TEXT, paint_name(full, slots[A_NAME].w, name, sizeof name));
    PUT(A_WHERE, ROLE_MUTED, paint_name(a->where ? a->where : "", slots[A_WHERE].w, name, sizeof name));
    PUT(A_SINCE, ROLE_MUTED, paint_since(r->f, a->since_ns, a->since_before, age, sizeof age));
    PUT(A_TEXT, ROLE_TEXT, attention_text(a, slots[A_TEXT].w, text, sizeof text));
#undef PUT
}

/* Silence of what has not answered yet is no good news. */
struct look dashboard_attention_none(const struct hub *hub)
{
    size_t waiting = 0, all = hub_endpoint_count(hub) + hub_probe_count(hub);
    for (size_t i = 0; i < hub_endpoint_count(hub); i++)
        waiting += look_waits(&hub_endpoint(hub, i)->health);
    for (size_t i = 0; i < hub_probe_count(hub); i++)
        waiting += look_waits(&hub_probe(hub, i)->health);
    if (all == 0)
        return (struct look){"○ Nothing is watched yet.", ROLE_MUTED};
    if (waiting == all)
        return (struct look){"○ Nothing is known yet: connecting, waiting for the first answers.",
                             ROLE_MUTED};
    if (waiting)
        return (struct look){"○ Nothing needs attention so far; some have not answered yet (WAIT).",
                             ROLE_MUTED};
    return (struct look){"● Nothing needs attention.", ROLE_OK};
}

void dashboard_attention_tell(const struct hub_attention *a, char *into, size_t size)
{
    char text[320];
    bool where = *a->where && strcmp(a->where, a->name) != 0; /* what is given by URL is called so */
    snprintf(into, size, "%s%s%s: %s", a->name, where ? ", " : "", where ? a->where : "",
             attention_text(a, INT_MAX, text, sizeof text));
}
