/* What views share in drawing: states, ages, numbers, sparklines, tables. Floor 5. */
#ifndef SIGNALBOX_UI_PAINT_H
#define SIGNALBOX_UI_PAINT_H

#include "ui/view.h"

/* A state is a glyph, a word and a colour, never colour alone. */
struct look {
    const char *text; /* "● UP" */
    enum role role;
};
/* Unknown since the start, and nothing came that speaks against it. Unknown later on is stale. */
bool look_waits(const struct availability *a);
struct look look_health(const struct availability *a);
/* The word alone, as in the row: "UP". */
const char *look_word(struct look look);
struct look look_severity(enum severity severity, const char *word, char *into, size_t size);

/* The age of since_ns as text, in steps that grow with it; the frame is told when the text will change. */
char *paint_age(struct frame *f, int64_t since_ns, char *into, size_t size);
/* The same of a state that may be older than it was seen: >2m. */
char *paint_since(struct frame *f, int64_t since_ns, bool before, char *into, size_t size);
/* How long ago the newest sample came: in steps of 5 s at least, so that healthy probes write nothing. */
char *paint_ago(struct frame *f, int64_t time_ns, char *into, size_t size);
char *paint_number(int64_t n, char *into, size_t size); /* 18,402; – when unknown (negative) */
/* The same in at most that many cells, shortened when need be (7.7M), never cut, behind the sign where it is above nought. */
char *paint_count(int64_t n, const char *sign, int cells, char *into, size_t size);
/* 18,402 bytes to the byte where that fits in so many cells (six at least), else as text_bytes has it (5.5 MiB), without space and B
 * (5.5Mi) where need be. */
char *paint_bytes(uint64_t bytes, int cells, char *into, size_t size);
const char *paint_upper(const struct canvas *c, bool upper); /* the sign of an upper bound */
char *paint_rate(double rate, char *into, size_t size); /* 812, 0.6, 123k: at most 6 cells; – when unknown */
char *paint_latency(int64_t ns, char *into, size_t size); /* milliseconds; – when unknown */

/* A name in at most that many cells. Of an address the query goes first, then the scheme, and then the end tells more than the
 * beginning: kafka://10.0.0.7:9092/orders?tls=yes becomes …0.7:9092/orders…; other names are left as they are, to be cut where they
 * are drawn. Returns name or into. */
const char *paint_name(const char *name, int cells, char *into, size_t size);
/* endpoint/channel in so many cells. Channels are told apart by their whole names, endpoints by their ends: where both have no room
 * the endpoint is shortened first, in its middle and to three cells at least (r…1/orders). */
const char *paint_source(const char *endpoint, const char *channel, int cells, char *into, size_t size);
/* What was said, without the name of who said it in front, where that stands in a column of its own. */
struct bytes paint_without_source(struct bytes text, const char *source);

/* One cell a value, scaled to the largest; negative: nothing measured (·), INFINITY: failed (×). */
void paint_spark(struct canvas *c, int x, int y, const float *values, int count);
/* The last `count` minutes of an availability, on one scale for all: ▁ below 5 ms, █ from 2.5 s on; × where any run failed. */
void paint_minutes(struct frame *f, int x, int y, int count, const struct availability *a);

/* ---- tables ---- */

struct column {
    const char *title;
    int width;  /* cells; 0: what is left (one column at most) */
    bool right; /* numbers */
    int from;   /* shown where the table is at least so wide */
    int most; /* may grow so far where room is left over; of the column of width 0: then the others grow first */
};
struct slot {
    int x, w; /* w 0: not shown */
};
void columns_fit(const struct column *columns, size_t count, int x, int w, struct slot *slots);
void columns_head(struct canvas *c, int y, const struct column *columns, size_t count,
                  const struct slot *slots);
void column_put(struct canvas *c, int y, const struct column *column, const struct slot *slot, enum role role,
                const char *text);

/* The first row to show so that row `at` is among `height` of `count`, moving *top as little as possible. */
void scroll_to(size_t *top, size_t at, size_t count, size_t height);
/* Where a moving action leads from `at` among count rows with that page height; SIZE_MAX: it is no moving action. */
size_t move_by(enum action action, size_t at, size_t count, size_t height);

#endif
