#include "ui/views/inspector.h"

#include "base/limits.h"
#include "base/text.h"
#include "base/utf8.h"
#include "ui/paint.h"

#include <stdio.h>

/* ---- drawing: tree ---- */

static void draw_node(struct frame *f, struct rect r, const struct inspector *i, uint32_t node)
{
    const struct field_tree *tree = &i->decoded.tree;
    const struct field *n = &tree->nodes[node];
    struct bytes name = field_name(tree, n);
    char text[64];
    struct canvas *c = f->canvas;
    int most = r.w * 2 / 3, end = r.x + r.w;
    int indent = n->depth > i->level ? (n->depth - (int)i->level) * 2 : 0;
    int x = r.x + (indent < most ? indent : most);
    if (n->depth < i->level || indent > most) /* further out, further in than it stands */
        canvas_text(c, r.x - 1, r.y, 1, ROLE_MUTED, indent ? "›" : "‹");
    const char *glyph = n->next <= node + 1 ? " " : i->folded[node] ? "▸" : "▾";
    x += canvas_text(c, x, r.y, end - x, ROLE_TREE_LINE, glyph) + 1;
    if (name.data)
        x += canvas_bytes(c, x, r.y, end - x, ROLE_TREE_NAME, name) + 1;
    else if (n->parent != UINT32_MAX && tree->nodes[n->parent].kind == FIELD_ARRAY)
        x += canvas_printf(c, x, r.y, end - x, ROLE_TREE_TYPE, "[%u]", n->index) + 1;
    x += field_draw(c, x, r.y, end - x, tree, n) + 1;
    const char *type = field_note(tree, n, text, sizeof text);
    canvas_text(c, x + 1, r.y, end - x - 1,
                n->flags & (FIELD_DUPLICATE | FIELD_UNKNOWN) ? ROLE_WARN : ROLE_TREE_TYPE, type);
}

/* Something of it was not read, or not opened. */
static bool is_partial(const struct inspector *i)
{
    const struct field_tree *tree = &i->decoded.tree;
    return !i->job && i->message->payload.data && (!tree->complete || tree->unopened);
}

static enum role reason_role(const struct field_tree *tree)
{
    return tree->complete || tree->limited ? ROLE_WARN : ROLE_CRIT;
}

/* Why it was not decoded to its end, on as many of the last rows of r as that needs, within reason. Returns how many. */
static int draw_reason(const struct inspector *i, struct frame *f, struct rect r)
{
    const struct field_tree *tree = &i->decoded.tree;
    char text[DECODE_REASON];
    if (!is_partial(i) || tree->count == 0 || r.h < 2)
        return 0;
    struct bytes reason = bytes_of_text(decode_reason(tree, text, sizeof text));
    int rows = canvas_words(f->canvas, (struct rect){r.x, r.y, r.w, 0}, ROLE_TEXT, reason);
    int most = r.h / 3 > 1 ? r.h / 3 : 1;
    rows = rows < most ? rows : most;
    canvas_words(f->canvas, (struct rect){r.x, r.y + r.h - rows, r.w, rows}, reason_role(tree), reason);
    return rows;
}

static void draw_no_tree(const struct inspector *i, struct frame *f, struct rect r)
{
    char text[DECODE_REASON];
    if (!i->message->payload.data)
        canvas_text(f->canvas, r.x + 1, r.y, r.w - 2, ROLE_MUTED, "The payload is null: there is none.");
    else if (i->message->payload.len == 0)
        canvas_text(f->canvas, r.x + 1, r.y, r.w - 2, ROLE_MUTED, "The payload is empty: 0 bytes.");
    else if (i->job)
        canvas_text(f->canvas, r.x + 1, r.y, r.w - 2, ROLE_MUTED, "Being decoded…");
    else
        canvas_words(f->canvas, (struct rect){r.x + 1, r.y, r.w - 2, r.h}, ROLE_CRIT,
                     bytes_of_text(decode_reason(&i->decoded.tree, text, sizeof text)));
}

/* Levels further in than a third of the pane move it to the right, as little as the cursor needs. */
static void scroll_levels(struct inspector *i, int width)
{
    const struct field *n = inspector_field(i);
    if (n)
        scroll_to(&i->level, n->depth, SIZE_MAX, width > 6 ? (size_t)width / 6 : 1);
}

static void draw_tree(struct inspector *i, struct frame *f, struct rect r)
{
    r.h -= draw_reason(i, f, (struct rect){r.x + 1, r.y, r.w - 2, r.h});
    i->height = r.h > 0 ? (size_t)r.h : 0;
    scroll_to(&i->top, i->at, i->row_count, i->height);
    scroll_levels(i, r.w - 2);
    if (i->row_count == 0)
        draw_no_tree(i, f, r);
    for (size_t row = 0; row < i->height && i->top + row < i->row_count; row++) {
        struct rect line = {r.x, r.y + (int)row, r.w, 1};
        draw_node(f, (struct rect){r.x + 2, line.y, r.w - 2, 1}, i, i->rows[i->top + row]);
        if (i->top + row != i->at)
            continue;
        canvas_text(f->canvas, r.x, line.y, 1, ROLE_FOCUS, "▸");
        canvas_select(f->canvas, line);
        if (i->pane == PANE_TREE)
            canvas_cursor(f->canvas, r.x, line.y, false);
    }
}

/* ---- drawing: bytes ---- */

static void draw_byte(struct frame *f, int x, int text_x, int y, uint8_t byte, enum role role, bool cursor)
{
    canvas_printf(f->canvas, x, y, 2, role, "%02x", byte);
    canvas_cell(f->canvas, text_x, y, role, byte >= 0x20 && byte < 0x7F ? byte : '.');
    if (!cursor)
        return;
    canvas_select(f->canvas, (struct rect){x, y, 2, 1});
    canvas_select(f->canvas, (struct rect){text_x, y, 1, 1});
    canvas_cursor(f->canvas, x, y, false);
}

/* In the layer that is shown. */
static bool has_fault(const struct inspector *i)
{
    const struct field_tree *tree = &i->decoded.tree;
    return !i->job && !tree->complete && !tree->limited && i->layer == tree->error_layer;
}

static void draw_hex_row(const struct inspector *i, struct frame *f, struct rect r, struct bytes data,
                         size_t from)
{
    const struct field *mark = inspector_field(i);
    int digits = data.len > 0xFFFF ? 8 : 4, x = r.x + digits + 2, text_x = x + (int)i->per_row * 3;
    canvas_printf(f->canvas, r.x, r.y, digits, ROLE_HEX_OFFSET, "%0*zx", digits, from);
    for (size_t n = 0; n < i->per_row && from + n < data.len; n++) {
        size_t at = from + n;
        bool marked =
            mark && mark->layer == i->layer && at >= mark->offset && at < (size_t)mark->offset + mark->length;
        bool wrong = has_fault(i) && at == i->decoded.tree.error_at;
        draw_byte(f, x + (int)n * 3, text_x + (int)n, r.y, data.data[at],
                  wrong    ? ROLE_FAULT
                  : marked ? ROLE_HEX_MARK
                           : ROLE_HEX,
                  i->pane == PANE_HEX && at == i->byte);
        bool on = marked && n + 1 < i->per_row && at + 1 < (size_t)mark->offset + mark->length;
        if (on)
            canvas_cell(f->canvas, x + (int)n * 3 + 2, r.y, ROLE_HEX_MARK, ' ');
    }
}

static void draw_hex(struct inspector *i, struct frame *f, struct rect r)
{
    struct bytes data = inspector_bytes(i);
    int digits = data.len > 0xFFFF ? 8 : 4;
    size_t fit = r.w > digits + 6 ? (size_t)(r.w - digits - 2) / 4 : 1;
    i->per_row = fit >= 32 ? 32 : fit >= 16 ? 16 : fit >= 8 ? 8 : fit;
    i->hex_height = r.h > 0 ? (size_t)r.h : 0;
    size_t rows = (data.len + i->per_row - 1) / i->per_row;
    scroll_to(&i->hex_top, i->byte / i->per_row, rows, i->hex_height);
    for (size_t row = 0; row < i->hex_height && i->hex_top + row < rows; row++)
        draw_hex_row(i, f, (struct rect){r.x, r.y + (int)row, r.w, 1}, data, (i->hex_top + row) * i->per_row);
}

/* ---- drawing: headers, and why this decoder ---- */

static void draw_headers(struct inspector *i, struct frame *f, struct rect r)
{
    i->header_height = r.h > 0 ? (size_t)r.h : 0;
    size_t most = i->headers.count > i->header_height ? i->headers.count - i->header_height : 0;
    if (i->header_top > most)
        i->header_top = most;
    for (size_t n = 0; n < i->header_height && i->header_top + n < i->headers.count; n++) {
        const struct header_line *line = &i->headers.lines[i->header_top + n];
        bool here = i->pane == PANE_HEADERS && i->header_top + n == i->header;
        int x = r.x + line->depth * 2, y = r.y + (int)n;
        x += canvas_text(f->canvas, x, y, r.w / 2, ROLE_TREE_NAME, line->name) + 1;
        x = x < r.x + 18 ? r.x + 18 : x;
        x += canvas_text(f->canvas, x, y, r.x + r.w - x, ROLE_TEXT, line->value) + 2;
        canvas_text(f->canvas, x, y, r.x + r.w - x, ROLE_TREE_TYPE, line->type);
        if (!here)
            continue;
        canvas_text(f->canvas, r.x - 1, y, 1, ROLE_FOCUS, "▸");
        canvas_select(f->canvas, (struct rect){r.x - 1, y, r.w + 1, 1});
        canvas_cursor(f->canvas, r.x - 1, y, false);
    }
}

/* The whole value that the tree shows one line of. */
static void draw_value(struct inspector *i, struct frame *f, struct rect r)
{
    const struct field *n = inspector_field(i);
    struct bytes text = n ? field_text(&i->decoded.tree, n) : BYTES_NULL;
    if (n && !text.data) /* an object or array: its own bytes */
        text = bytes_slice(inspector_bytes(i), n->offset, n->length);
    i->value_height = r.h > 0 ? (size_t)r.h : 0;
    if (i->value_top >= i->value_rows)
        i->value_top = 0;
    i->value_rows = (size_t)canvas_wrap(f->canvas, r, ROLE_TEXT, text, (int)i->value_top);
}

/* What came of it. Returns the rows used. */
static int draw_outcome(const struct inspector *i, struct frame *f, struct rect r)
{
    const struct field_tree *tree = &i->decoded.tree;
    char text[DECODE_REASON];
    enum role role = i->job || !i->message->payload.data ? ROLE_MUTED
                     : is_partial(i)                     ? reason_role(tree)
                                                         : ROLE_OK;
    if (!i->message->payload.data)
        text_copy(text, sizeof text, "there is no payload to decode");
    else if (i->job)
        text_copy(text, sizeof text, "being decoded");
    else if (is_partial(i))
        decode_reason(tree, text, sizeof text);
    else
        snprintf(text, sizeof text, "● all of it was read: %u field%s", tree->count,
                 tree->count == 1 ? "" : "s");
    int rows = canvas_words(f->canvas, r, role, bytes_of_text(text));
    return rows < r.h ? rows : r.h;
}

static void draw_why(const struct view *v, struct frame *f, struct rect r)
{
    const struct inspector *i = v->state;
    decoder_registry decoders = hub_registry(v->hub)->decoders;
    struct decode_hint_text text;
    struct decode_hint hint = decode_hint_of(i->message, &text);
    int count = 0, end = r.y + r.h;
    while (decoders[count])
        count++;
    int y = r.y + draw_outcome(i, f, (struct rect){r.x, r.y, r.w, r.h - count > 1 ? r.h - count : 1});
    for (int n = 0; n < count && y < end; n++, y++) {
        const char *why = "";
        int score = decoders[n]->sniff(i->message->payload, &hint, &why);
        bool here = decoders[n] == i->decoded.choice.decoder;
        if (here && !i->wanted)
            why = i->decoded.choice.why;
        canvas_printf(f->canvas, r.x, y, r.w, here ? ROLE_TITLE : ROLE_MUTED, "%s %-9s %3d  %s%s",
                      here ? "●" : " ", decoders[n]->name, score, here && i->wanted ? "chosen with v; " : "",
                      why ? why : "");
    }
}

/* ---- drawing: the whole ---- */

static void box(struct view *v, struct frame *f, struct rect r, enum pane pane, const char *title,
                const char *right)
{
    const struct inspector *i = v->state;
    canvas_box(f->canvas, r, i->pane == pane ? ROLE_FOCUS : ROLE_BORDER, title, right);
}

/* The count, and which of them are shown where not all are. */
static char *rows_title(char *into, size_t size, const char *name, size_t top, size_t height, size_t count)
{
    if (count > height)
        snprintf(into, size, "%s  %zu-%zu of %zu", name, top + 1, top + height, count);
    else
        snprintf(into, size, "%s (%zu)", name, count);
    return into;
}

/* right: what the pane's box says at its right. */
static void draw_lower(struct view *v, struct frame *f, struct rect r, enum pane pane, const char *right)
{
    struct inspector *i = v->state;
    char title[96];
    struct rect inside = {r.x + 2, r.y + 1, r.w - 4, r.h - 2};
    switch (pane) {
    case PANE_VALUE:
        draw_value(i, f, inside);
        snprintf(title, sizeof title, "Value");
        if (i->value_rows > i->value_height)
            snprintf(title, sizeof title, "Value  row %zu of %zu", i->value_top + 1, i->value_rows);
        break;
    case PANE_WHY:
        draw_why(v, f, inside);
        snprintf(title, sizeof title, "Why this decoder");
        break;
    default:
        draw_headers(i, f, inside);
        rows_title(title, sizeof title, "Headers and properties", i->header_top, i->header_height,
                   i->headers.count);
    }
    box(v, f, r, pane, title, right);
}

/* One place for three: the box says which others Tab leads to. */
static void draw_one_of(struct view *v, struct frame *f, struct rect r, enum pane pane)
{
    const struct inspector *i = v->state;
    const char *decoder = i->decoded.choice.decoder->name;
    char right[96];
    if (pane == PANE_HEADERS)
        snprintf(right, sizeof right, "Tab: value, why %s", decoder);
    else if (pane == PANE_VALUE)
        snprintf(right, sizeof right, "Tab: headers (%zu), why %s", i->headers.count, decoder);
    else
        snprintf(right, sizeof right, "Tab: headers (%zu), value", i->headers.count);
    draw_lower(v, f, r, pane, right);
}

static void draw_tree_pane(struct view *v, struct frame *f, struct rect r)
{
    struct inspector *i = v->state;
    char title[96];
    draw_tree(i, f, (struct rect){r.x + 1, r.y + 1, r.w - 2, r.h - 2});
    int used = snprintf(title, sizeof title, "Tree  %s%s", i->decoded.choice.decoder->name,
                        i->wanted ? ", chosen" : ""); /* for the messages beside it too */
    if (i->level)
        snprintf(title + used, sizeof title - (size_t)used, "  from level %zu", i->level);
    box(v, f, r, PANE_TREE, title, "v decoder");
}

static void draw_hex_pane(struct view *v, struct frame *f, struct rect r)
{
    struct inspector *i = v->state;
    char title[96], size[32];
    draw_hex(i, f, (struct rect){r.x + 2, r.y + 1, r.w - 4, r.h - 2});
    text_bytes(size, sizeof size, inspector_bytes(i).len);
    snprintf(title, sizeof title, i->layer ? "Bytes  %s, unwrapped layer %u" : "Bytes  %s", size, i->layer);
    box(v, f, r, PANE_HEX, title, NULL);
}

char *inspector_path(const struct inspector *i, char *into, size_t size)
{
    snprintf(into, size, "body.");
    field_path(&i->decoded.tree, i->rows[i->at], into + 5, size - 5);
    if (into[5] == '[' || !into[5])
        memmove(into + 4, into + 5, strlen(into + 5) + 1);
    return into;
}

/* A path in at most so many cells: its end tells more than its beginning. */
static int draw_path(struct canvas *c, int x, int y, int cells, const char *path)
{
    size_t at = 0, len = strlen(path), most = (size_t)cells * 4;
    if (len > most)
        at = len - most;
    while ((at && ((uint8_t)path[at] & 0xC0) == 0x80) ||
           utf8_cells(bytes_of_text(path + at)) + !!at > (size_t)cells)
        at++;
    int used = at ? canvas_text(c, x, y, 1, ROLE_TREE_NAME, "…") : 0;
    return used + canvas_text(c, x + used, y, cells - used, ROLE_TREE_NAME, path + at);
}

static void draw_status(struct view *v, struct frame *f, int y)
{
    const struct inspector *i = v->state;
    const struct message *m = i->message;
    const struct field *n = inspector_field(i);
    char path[LIMIT_DECODE_DEPTH * 16], position[40], time[CLOCK_TEXT], where[320], bytes[32];
    int x = 1;
    if (i->finding.step) {
        canvas_printf(f->canvas, x, y, f->canvas->w - 2, ROLE_INFO, "looking for `%s` …   Esc stops it",
                      i->find);
        return;
    }
    if (i->evicted)
        x += canvas_text(f->canvas, x, y, f->canvas->w - 2, ROLE_WARN, "evicted") + 2;
    if (n) {
        x += draw_path(f->canvas, x, y, f->canvas->w / 2, inspector_path(i, path, sizeof path)) + 2;
        /* The root is the payload, however far it was decoded. */
        size_t length = i->rows[i->at] == 0 ? m->payload.len : n->length;
        x += canvas_printf(f->canvas, x, y, 40, ROLE_MUTED, "0x%04x..0x%04zx (%s B)", n->offset,
                           n->offset + (length ? length - 1 : 0), text_count(bytes, sizeof bytes, length)) +
             2;
    }
    int64_t ns = m->time_ns == TIME_NONE ? m->received_ns : m->time_ns;
    snprintf(where, sizeof where, "%s %s  %s", m->origin->channel,
             m->position.kind ? position_text(m->position, position, sizeof position) : "(no position)",
             m->time_ns == TIME_NONE ? "received " : "");
    x += canvas_text(f->canvas, x, y, f->canvas->w - x - 1, ROLE_MUTED, where);
    bool whole = message_time_is_whole(m);
    if (whole)
        clock_rfc3339_seconds(ns, time, sizeof time);
    else
        clock_rfc3339(ns, time, sizeof time);
    bool fits = x + (int)strlen(time) < f->canvas->w; /* the day, too, where there is room */
    canvas_text(f->canvas, x, y, f->canvas->w - x - 1, ROLE_MUTED,
                fits ? time : clock_hms(ns, time, sizeof time, whole ? 0 : 3));
}

/* The pane's width for 16 bytes a row, or 8, or 4, whatever leaves the tree room enough. */
static int hex_width(const struct inspector *i, int w)
{
    int rest = 4 + 2 + (inspector_bytes(i).len > 0xFFFF ? 8 : 4);
    int per_row = w - (rest + 16 * 4) >= 40 ? 16 : w - (rest + 8 * 4) >= 30 ? 8 : 4;
    return rest + per_row * 4;
}

void inspector_draw(struct view *v, struct frame *f, struct rect r)
{
    struct inspector *i = v->state;
    bool wide = r.w >= 100;
    if (!i->message) {
        canvas_text(f->canvas, r.x + 2, r.y + 1, r.w - 4, ROLE_MUTED,
                    "No message is open. Enter on a row of the tail opens it.");
        return;
    }
    int body = r.h - 1, lower = wide && r.h >= 30 ? body / 3 : 7, upper = body - lower;
    int left = r.w - hex_width(i, r.w), why = wide && r.h >= 30 ? 8 : 0;
    draw_tree_pane(v, f, (struct rect){r.x, r.y, left, upper});
    draw_hex_pane(v, f, (struct rect){r.x + left, r.y, r.w - left, upper - why});
    if (why) {
        draw_lower(v, f, (struct rect){r.x + left, r.y + upper - why, r.w - left, why}, PANE_WHY,
                   "score 0-100");
        draw_lower(v, f, (struct rect){r.x, r.y + upper, left, lower}, PANE_HEADERS, "Tab");
        draw_lower(v, f, (struct rect){r.x + left, r.y + upper, r.w - left, lower}, PANE_VALUE, "Tab");
    } else {
        draw_one_of(v, f, (struct rect){r.x, r.y + upper, r.w, lower},
                    i->pane > PANE_HEX ? i->pane : PANE_HEADERS);
    }
    draw_status(v, f, r.y + r.h - 1);
}
