#include "ui/chrome.h"

#include "base/utf8.h"
#include "ui/paint.h"

#include <ctype.h>
#include <stdio.h>

/* ---- row 0 ---- */

struct counts {
    unsigned total, up, slow, warn, down, failing, stale, waiting;
};

static void count(struct counts *n, const struct availability *a)
{
    n->total++;
    switch (a->state) {
    case HEALTH_UP: n->up++; break;
    case HEALTH_DEGRADED: a->slow ? n->slow++ : n->warn++; break;
    case HEALTH_DOWN: n->down++; break;
    case HEALTH_UNKNOWN:
        availability_fails(a) ? n->failing++ : look_waits(a) ? n->waiting++ : n->stale++;
        break;
    }
}

static int put(struct frame *f, int x, enum role role, const char *text)
{
    int room = f->canvas->w - 12 - x; /* the clock's place */
    return (int)utf8_cells(bytes_of_text(text)) <= room ? x + canvas_text(f->canvas, x, 0, room, role, text)
                                                        : x;
}

static int put_count(struct frame *f, int x, enum role role, unsigned n, const char *word)
{
    char text[32];
    if (n == 0)
        return x;
    snprintf(text, sizeof text, " %u %s", n, word);
    return put(f, x, role, text);
}

static void clock_right(struct frame *f)
{
    char text[16];
    clock_hms(f->now_ns, text, sizeof text, 0);
    canvas_printf(f->canvas, f->canvas->w - 10, 0, 9, ROLE_CHROME, "%sZ", text);
    frame_wake(f, (f->now_ns / NS_PER_S + 1) * NS_PER_S);
}

static bool any_production(const struct hub *hub)
{
    for (size_t i = 0; i < hub_endpoint_count(hub); i++)
        if (hub_endpoint(hub, i)->config->endpoint.production)
            return true;
    return false;
}

void chrome_top(struct frame *f, const struct hub *hub, bool demo)
{
    struct counts n = {.total = 0};
    char text[32];
    for (size_t i = 0; i < hub_probe_count(hub); i++)
        count(&n, &hub_probe(hub, i)->health);
    for (size_t i = 0; i < hub_endpoint_count(hub); i++)
        if (!hub_endpoint(hub, i)->tried)
            count(&n, &hub_endpoint(hub, i)->health);
    int x = put(f, 1, ROLE_TITLE, "signalbox");
    if (demo)
        x = put(f, put(f, x, ROLE_BORDER, " │ "), ROLE_DEMO, " DEMO ");
    if (any_production(hub))
        x = put(f, put(f, x, ROLE_BORDER, " │ "), ROLE_PRODUCTION, " PRODUCTION ");
    x = put(f, x, ROLE_BORDER, " │ ");
    snprintf(text, sizeof text, "%u check%s:", n.total, n.total == 1 ? "" : "s");
    x = put(f, x, ROLE_CHROME, n.total ? text : "nothing to watch");
    x = put_count(f, x, ROLE_OK, n.up, "up");
    x = put_count(f, x, ROLE_WARN, n.slow, "slow");
    x = put_count(f, x, ROLE_WARN, n.warn, "warn");
    x = put_count(f, x, ROLE_CRIT, n.down, "DOWN");
    x = put_count(f, x, ROLE_WARN, n.failing, "failing");
    x = put_count(f, x, ROLE_STALE, n.stale, "stale");
    put_count(f, x, ROLE_MUTED, n.waiting, "waiting");
    clock_right(f);
}

/* ---- row 1 ---- */

static const struct {
    enum view_id id;
    const char *key, *name;
} tabs[] = {
#define TAB(id, ops, key, name, help) {VIEW_##id, key, name},
#include "ui/views.def"
};
enum { TABS = sizeof tabs / sizeof *tabs };

bool chrome_has_tab(enum view_id id)
{
    for (size_t i = 0; i < TABS; i++)
        if (tabs[i].id == id)
            return true;
    return false;
}

void chrome_tabs(struct frame *f, enum view_id current, const char *crumbs)
{
    int x = 1;
    for (size_t i = 0; i < TABS; i++) {
        bool here = tabs[i].id == current;
        enum role role = here ? ROLE_TAB : ROLE_MUTED;
        x += canvas_printf(f->canvas, x, 1, 20, role, here ? "[%s %c%s]" : " %s %c%s ", tabs[i].key,
                           toupper((unsigned char)tabs[i].name[0]), tabs[i].name + 1) +
             1;
    }
    int room = f->canvas->w - x - 2;
    if (room > 8)
        canvas_right(f->canvas, x + 1, 1, room, ROLE_CHROME, crumbs);
}

/* ---- the last row ---- */

static int hint_cells(const struct key_row *row)
{
    char key[16];
    return (int)(utf8_cells(bytes_of_text(keymap_first(row, key, sizeof key))) +
                 utf8_cells(bytes_of_text(row->label))) +
           1;
}

static int hint_put(struct frame *f, int x, const struct key_row *row, const char *label)
{
    char key[16];
    int y = f->canvas->h - 1;
    x += canvas_text(f->canvas, x, y, 12, ROLE_KEY, keymap_first(row, key, sizeof key)) + 1;
    return x + canvas_text(f->canvas, x, y, 20, ROLE_KEY_TEXT, label) + 2;
}

/* Help and quit always have their place; the others come in the table's order, as many as fit whole. */
void chrome_hints(struct frame *f, enum key_context context, bool back)
{
    const struct key_row *help = keymap_row(ACTION_HELP), *quit = keymap_row(ACTION_QUIT);
    size_t count;
    const struct key_row *rows = keymap_rows(&count);
    int x = 1, end = f->canvas->w - 1 - hint_cells(help) - hint_cells(quit) - 2;
    if (context == KEYS_HELP) { /* what is typed there is searched for: letters lead nowhere */
        hint_put(f, x, keymap_row(ACTION_BACK), "back");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct key_row *row = &rows[i];
        if (row == help || row == quit || !row->label || !keymap_applies(row, context))
            continue;
        if (x + hint_cells(row) + 2 <= end)
            x = hint_put(f, x, row, row->label);
    }
    hint_put(f, hint_put(f, x, help, help->label), quit, back ? "back" : quit->label);
}
