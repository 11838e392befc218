/* The dashboard's insides, shared by its files: the list of items (dashboard_list.c), how they are drawn (dashboard_draw.c; what
 * needs attention: dashboard_attention.c; the status row: dashboard_status.c), and what keys do (dashboard.c). */
#ifndef SIGNALBOX_UI_VIEWS_DASHBOARD_H
#define SIGNALBOX_UI_VIEWS_DASHBOARD_H

#include "ui/paint.h"
#include "ui/view.h"

enum pane { PANE_ATTENTION, PANE_PROBES, PANE_BROKERS, PANES };
enum item_kind { ITEM_ATTENTION, ITEM_PROBE, ITEM_BROKER, ITEM_CHANNEL };
enum fold { FOLD_AUTO, FOLD_OPEN, FOLD_CLOSED };

struct item {
    enum item_kind kind;
    uint32_t index;   /* attention row, probe or endpoint */
    uint32_t channel; /* in the endpoint's list */
};

struct dashboard {
    struct item *items;
    size_t count, cap;
    size_t first[PANES + 1]; /* items of pane p: first[p] .. first[p + 1] */
    size_t top[PANES];       /* scrolling */
    int height[PANES];       /* rows of items, as last drawn */
    int room;                /* rows that all panes share; 0: not drawn yet */
    size_t at;               /* the cursor */
    struct item on;          /* what it stands on, and that one's name */
    char on_name[256];
    bool moved;                            /* by the operator: from then on it stays on its thing */
    uint8_t *fold;                         /* enum fold, per endpoint */
    struct filter *filter;                 /* of probes, brokers and channels; NULL: none */
    size_t unknown;                        /* rows it leaves out because a number is not known */
    char filter_text[256], kept_text[256]; /* as applied; as before the line was opened */
};

/* ---- the list ---- */

/* Makes the list anew from the hub, the cursor on what it stood on. Indexes and pointers of before are void. */
void dashboard_rebuild(struct view *v);
void dashboard_stand_on(struct view *v, size_t at);
const char *dashboard_name(const struct view *v, const struct item *i);
const struct channel *dashboard_channel(const struct view *v, const struct item *i); /* of an ITEM_CHANNEL */
bool dashboard_is_open(struct view *v, size_t endpoint);
enum pane dashboard_pane_of(const struct dashboard *d, size_t at);
size_t dashboard_pane_count(const struct dashboard *d, enum pane p);
size_t dashboard_outages(
    const struct view *v); /* rows of what is down: the first ones of what needs attention */
/* How many of `room` rows each pane gets that wants so many. */
void dashboard_share(const struct view *v, const size_t want[PANES], int room, int rows[PANES]);

/* ---- drawing ---- */

void dashboard_draw(struct view *v, struct frame *f, struct rect r);
void dashboard_draw_status(struct view *v, struct frame *f, int y);
struct look dashboard_broker_look(const struct hub_endpoint *e);
struct look dashboard_channel_look(const struct hub_endpoint *e, const struct channel *c);
char *dashboard_time_of_data(int64_t ns, char *into, size_t size); /* "data of 12:03:49Z" */
/* What looking does, in one word: how it is browsed, or how it flows where nothing is stored. */
const char *dashboard_reads(const struct channel *c);

struct row {
    struct frame *f;
    struct view *v;
    int x, y, w;
    int names; /* cells of the names of what needs attention */
};

int dashboard_attention_names(const struct view *v, int w); /* cells of that column in a pane of w cells */
void dashboard_attention_row(struct row *r, const struct item *item);
struct look dashboard_attention_none(const struct hub *hub); /* what stands there while nothing does */
void dashboard_attention_tell(const struct hub_attention *a, char *into, size_t size); /* all of it */

#endif
