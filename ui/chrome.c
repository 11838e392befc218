#include "ui/chrome.h"

#include "base/utf8.h"
#include "ui/paint.h"

#include <ctype.h>
#include <stdio.h>

#define CLOCK_CELLS 12 /* at the right of row 0 */

/* ---- row 0 ---- */

/* As they stand side by side. */
enum count_id { N_UP, N_SLOW, N_WARN, N_DOWN, N_FAILING, N_STALE, N_WAITING, COUNTS };

static const struct {
    enum role role;
    const char *word;
} count_looks[COUNTS] = {
    [N_UP] = {ROLE_OK, "up"},
    [N_SLOW] = {ROLE_WARN, "slow"},
    [N_WARN] = {ROLE_WARN, "warn"},
    [N_DOWN] = {ROLE_CRIT, "DOWN"},
    [N_FAILING] = {ROLE_WARN, "failing"},
    [N_STALE] = {ROLE_STALE, "stale"},
    [N_WAITING] = {ROLE_MUTED, "waiting"},
};

struct counts {
    unsigned total, of[COUNTS];
};

static enum count_id count_of(const struct availability *a)
{
    switch (a->state) {
    case HEALTH_UP: return N_UP;
    case HEALTH_DEGRADED: return a->slow ? N_SLOW : N_WARN;
    case HEALTH_DOWN: return N_DOWN;
    case HEALTH_UNKNOWN: break;
    }
    return availability_fails(a) ? N_FAILING : look_waits(a) ? N_WAITING : N_STALE;
}

static void count(struct counts *n, enum count_id id)
{
    n->total++;
    n->of[id]++;
}

static void count_endpoint(struct counts *n, const struct hub_endpoint *e)
{
    if (e->tried)
        return;
    count(n, hub_is_lost(e) && e->health.state != HEALTH_DOWN ? N_FAILING : count_of(&e->health));
}

static int put(struct frame *f, int x, enum role role, const char *text)
{
    int room = f->canvas->w - CLOCK_CELLS - x;
    return (int)utf8_cells(bytes_of_text(text)) <= room ? x + canvas_text(f->canvas, x, 0, room, role, text)
                                                        : x;
}

static char *total_text(const struct counts *n, char *into, size_t size)
{
    if (n->total)
        snprintf(into, size, " %u check%s:", n->total, n->total == 1 ? "" : "s");
    else
        snprintf(into, size, " nothing to watch");
    return into;
}

static char *count_text(const struct counts *n, enum count_id id, char *into, size_t size)
{
    *into = '\0';
    if (n->of[id])
        snprintf(into, size, " %u %s", n->of[id], count_looks[id].word);
    return into;
}

/* Where not all has room their sum goes first, then the good news, what is down last. */
static void put_counts(struct frame *f, int x, const struct counts *n)
{
    enum { TOTAL = COUNTS, PARTS };
    static const int dispensable[PARTS] = {TOTAL,  N_UP,   N_WAITING, N_STALE,
                                           N_SLOW, N_WARN, N_FAILING, N_DOWN};
    char texts[PARTS][32];
    int cells = 0, room = f->canvas->w - CLOCK_CELLS - x;
    for (int id = 0; id < COUNTS; id++)
        cells += (int)strlen(count_text(n, (enum count_id)id, texts[id], sizeof texts[id]));
    cells += (int)strlen(total_text(n, texts[TOTAL], sizeof texts[TOTAL]));
    for (int i = 0; cells > room && i < PARTS; i++) {
        cells -= (int)strlen(texts[dispensable[i]]);
        *texts[dispensable[i]] = '\0';
    }
    x = put(f, x, ROLE_CHROME, texts[TOTAL]);
    for (int id = 0; id < COUNTS; id++)
        x = put(f, x, count_looks[id].role, texts[id]);
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

/* Set apart from what stands before it, where there is room. */
static int put_part(struct frame *f, int x, enum role role, const char *text)
{
    return *text ? put(f, put(f, x, ROLE_BORDER, " │ "), role, text) : x;
}

void chrome_top(struct frame *f, const struct hub *hub, const struct chrome_badges *badges)
{
    struct counts n = {.total = 0};
    for (size_t i = 0; i < hub_probe_count(hub); i++)
        count(&n, count_of(&hub_probe(hub, i)->health));
    for (size_t i = 0; i < hub_endpoint_count(hub); i++)
        count_endpoint(&n, hub_endpoint(hub, i));
    int x = put(f, 1, ROLE_TITLE, "signalbox");
    char running[32] = "";
    if (badges->running)
        snprintf(running, sizeof running, "▶ %zu job%s", badges->running, badges->running == 1 ? "" : "s");
    x = put_part(f, x, ROLE_DEMO, badges->demo ? " DEMO " : "");
    x = put_part(f, x, ROLE_PRODUCTION, any_production(hub) ? " PRODUCTION " : "");
    x = put_part(f, x, badges->write_role, badges->write);
    x = put_part(f, x, ROLE_LIVE, running);
    put_counts(f, put(f, x, ROLE_BORDER, " │"), &n);
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
void chrome_hints(struct frame *f, struct view *v, bool back)
{
    enum key_context context = v->ops->keys;
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
        if (v->ops->offers && !v->ops->offers(v, row->action))
            continue;
        if (x + hint_cells(row) + 2 <= end)
            x = hint_put(f, x, row, row->label);
    }
    hint_put(f, hint_put(f, x, help, help->label), quit, back ? "back" : quit->label);
}
