/* The tail's insides, shared by its files: rows and keys (tail.c), filter and search (tail_search.c), drawing (tail_draw.c), and the
 * status row (tail_status.c). */
#ifndef SIGNALBOX_UI_VIEWS_TAIL_ROWS_H
#define SIGNALBOX_UI_VIEWS_TAIL_ROWS_H

#include "ui/matches.h"
#include "ui/view.h"

/* Where a tail is looked at. */
struct tail_place {
    uint32_t serial; /* of the hub's tail that the ids belong to */
    bool paused;
    uint64_t on, top_id; /* the cursor's message, the first one shown: paused only */
    uint64_t paused_at;  /* newest id when it was paused */
    uint64_t held_from;  /* oldest id then */
    size_t unlisted;     /* what the filter's list had lost by then */
};

/* How one was looked at that is out of sight, and may be shown again. */
struct tail_memory {
    struct tail_place place;
    char filter[1024], find[1024];
};

#define TAIL_MARKED 100 /* messages that can be marked */

struct tail {
    struct tail_place place;
    struct tail_memory memory[2]; /* of the one before, and of the one beneath a browse; others are void */
    size_t height;                /* rows, as last drawn */
    struct matches filter;        /* the rows that are shown; none: all */
    char kept_text[1024];         /* the filter as it was before the line was opened */
    char where_remark[120]; /* on the filter that it was opened with: what may not be meant; "" nothing */
    struct matches find;    /* among the rows that are shown */
    int finding;            /* direction of a search under way; 0 none */
    uint64_t find_at;       /* next id to look at */
    size_t find_unknown;    /* passed on its way: of these the filter could not tell */
    uint64_t marked[TAIL_MARKED]; /* messages chosen for a change, ascending */
    size_t marked_count;
    bool narrowed; /* a filter was entered: a find that has nothing among its rows is over */
};

/* A row that says that a connection was lost or restored; the hub makes it of a message from `signalbox`. */
bool tail_is_gap(const struct message *m);
size_t tail_row_count(const struct view *v);
uint64_t tail_row_id(const struct view *v, size_t row);
size_t tail_row_of(const struct view *v, uint64_t id); /* of id, or of the next newer one that is shown */
size_t tail_cursor(const struct view *v);              /* its row */
bool tail_is_browse(const struct view *v);
size_t tail_evicted(const struct view *v);      /* rows of this view, since it was paused */
bool tail_cursor_evicted(const struct view *v); /* what it was put on; it stands on the oldest row then */
bool tail_has_mark(const struct tail *t, uint64_t id);
void tail_pause_at(struct view *v, size_t row); /* of none: on the one that comes first */

/* text: of that filter, which is taken over; "" takes the filter away. */
void tail_set_filter(struct view *v, struct filter *filter, const char *text);
/* NULL: the note says what is wrong. */
struct filter *tail_compile(struct view *v, const char *text, struct prompt_note *note);
/* Begins the jump to the next match in that direction, or to the row under the cursor where that is one. */
void tail_find_from_cursor(struct view *v, int step, bool here);
int tail_onwards(const struct view *v);
bool tail_work(struct view *v, int64_t deadline_ns);
void tail_typed(struct view *v, enum prompt_kind kind, const char *text, struct prompt_note *note);
void tail_entered(struct view *v, enum prompt_kind kind, const char *text);

void tail_draw(struct view *v, struct frame *f, struct rect r);
void tail_draw_status(struct view *v, struct frame *f, int y, const struct hub_tail *h);
/* "LIVE", "PAUSED +12 new", "END": in a word or a few, and their role. */
enum role tail_mode(const struct view *v, const struct hub_tail *h, char *into, size_t size);
void tail_title(const struct hub_tail *h, char *into, size_t size); /* "orders + 2" */

#endif
