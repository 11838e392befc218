#include "ui/views/inspector.h"

#include "base/text.h"
#include "ui/paint.h"

#include <stdio.h>

/* ---- drawing: tree ---- */

static void draw_node(struct frame *f, struct rect r, const struct inspector *i, uint32_t node)
{
    const struct field *n = &i->decoded.tree.nodes[node];
    char text[64];
    struct canvas *c = f->canvas;
    int end = r.x + r.w, x = r.x + (n->depth < 24 ? n->depth : 24) * 2;
    const char *glyph = n->next <= node + 1 ? " " : i->folded[node] ? "▸" : "▾";
    x += canvas_text(c, x, r.y, end - x, ROLE_TREE_LINE, glyph) + 1;
    if (n->name.data)
        x += canvas_bytes(c, x, r.y, end - x, ROLE_TREE_NAME, n->name) + 1;
    else if (n->parent != UINT32_MAX && i->decoded.tree.nodes[n->parent].kind == FIELD_ARRAY)
        x += canvas_printf(c, x, r.y, end - x, ROLE_TREE_TYPE, "[%u]", n->index) + 1;
    x += field_draw(c, x, r.y, end - x, n) + 1;
    const char *type = field_note(n, text, sizeof text);
    canvas_text(c, x + 1, r.y, end - x - 1,
                n->flags & (FIELD_DUPLICATE | FIELD_UNKNOWN) ? ROLE_WARN : ROLE_TREE_TYPE, type);
}

static void draw_no_tree(const struct inspector *i, struct frame *f, struct rect r)
{
    if (!i->message->payload.data)
        canvas_text(f->canvas, r.x + 1, r.y, r.w - 2, ROLE_MUTED, "The payload is null: there is none.");
    else if (i->message->payload.len == 0)
        canvas_text(f->canvas, r.x + 1, r.y, r.w - 2, ROLE_MUTED, "The payload is empty: 0 bytes.");
    else if (i->job)
        canvas_text(f->canvas, r.x + 1, r.y, r.w - 2, ROLE_MUTED, "Being decoded…");
    else
        canvas_printf(f->canvas, r.x + 1, r.y, r.w - 2, ROLE_CRIT, "✖ %s", i->decoded.tree.error);
}

static void draw_tree(struct inspector *i, struct frame *f, struct rect r)
{
    i->height = r.h > 0 ? (size_t)r.h : 0;
    scroll_to(&i->top, i->at, i->row_count, i->height);
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
        bool wrong = !i->job && !i->decoded.tree.complete && !i->decoded.tree.limited && i->layer == 0 &&
                     at == i->decoded.tree.error_at;
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
        int x = r.x + line->depth * 2, y = r.y + (int)n;
        x += canvas_text(f->canvas, x, y, r.w / 2, ROLE_TREE_NAME, line->name) + 1;
        x = x < r.x + 18 ? r.x + 18 : x;
        x += canvas_text(f->canvas, x, y, r.x + r.w - x, ROLE_TEXT, line->value) + 2;
        canvas_text(f->canvas, x, y, r.x + r.w - x, ROLE_TREE_TYPE, line->type);
    }
}

/* The whole value that the tree shows one line of. */
static void draw_value(struct inspector *i, struct frame *f, struct rect r)
{
    const struct field *n = inspector_field(i);
    struct bytes text = n ? n->text : BYTES_NULL;
    if (n && !text.data) /* an object or array: its own bytes */
        text = bytes_slice(inspector_bytes(i), n->offset, n->length);
    i->value_height = r.h > 0 ? (size_t)r.h : 0;
    if (i->value_top >= i->value_rows)
        i->value_top = 0;
    i->value_rows = (size_t)canvas_wrap(f->canvas, r, ROLE_TEXT, text, (int)i->value_top);
}

static void draw_why(const struct view *v, struct frame *f, struct rect r)
{
    const struct inspector *i = v->state;
    decoder_registry decoders = hub_registry(v->hub)->decoders;
    struct decode_hint_text text;
    struct decode_hint hint = decode_hint_of(i->message, &text);
    int y = r.y, end = r.y + r.h;
    canvas_printf(f->canvas, r.x, y++, r.w, ROLE_TEXT, "%s: %s", i->decoded.choice.decoder->name,
                  i->wanted ? "chosen with v" : i->decoded.choice.why);
    if (!i->message->payload.data)
        canvas_text(f->canvas, r.x, y++, r.w, ROLE_MUTED, "there is no payload to decode");
    else if (i->job)
        canvas_text(f->canvas, r.x, y++, r.w, ROLE_MUTED, "being decoded");
    else if (i->decoded.tree.complete)
        canvas_printf(f->canvas, r.x, y++, r.w, ROLE_OK, "● all of it was read: %u field%s",
                      i->decoded.tree.count, i->decoded.tree.count == 1 ? "" : "s");
    else
        canvas_printf(f->canvas, r.x, y++, r.w, i->decoded.tree.limited ? ROLE_WARN : ROLE_CRIT,
                      "%s at byte %u: %s", i->decoded.tree.limited ? "▲" : "✖", i->decoded.tree.error_at,
                      i->decoded.tree.error);
    for (size_t n = 0; decoders[n] && y < end; n++) {
        const char *why = "";
        int score = decoders[n]->sniff(i->message->payload, &hint, &why);
        bool here = decoders[n] == i->decoded.choice.decoder;
        canvas_printf(f->canvas, r.x, y, r.w, here ? ROLE_TITLE : ROLE_MUTED, "%s %-9s %3d  %s",
                      here ? "●" : " ", decoders[n]->name, score, why ? why : "");
        y++;
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

static void draw_pane(struct view *v, struct frame *f, struct rect r, enum pane pane)
{
    struct inspector *i = v->state;
    char title[96], size[32];
    struct rect inside = {r.x + 2, r.y + 1, r.w - 4, r.h - 2};
    switch (pane) {
    case PANE_TREE:
        draw_tree(i, f, (struct rect){r.x + 1, r.y + 1, r.w - 2, r.h - 2});
        snprintf(title, sizeof title, "Tree  %s", i->decoded.choice.decoder->name);
        snprintf(size, sizeof size, r.w >= (i->decoded.tree.limited ? 44 : 38) ? "%s at byte %u" : "%s at %u",
                 i->decoded.tree.limited ? "▲ cut" : "✖", i->decoded.tree.error_at);
        box(v, f, r, pane, title,
            i->decoded.tree.complete || i->job || !i->message->payload.data ? "v decoder" : size);
        break;
    case PANE_HEX:
        draw_hex(i, f, inside);
        text_bytes(size, sizeof size, inspector_bytes(i).len);
        snprintf(title, sizeof title, i->layer ? "Bytes  %s, unwrapped layer %u" : "Bytes  %s", size,
                 i->layer);
        box(v, f, r, pane, title, NULL);
        break;
    case PANE_VALUE:
        draw_value(i, f, inside);
        snprintf(title, sizeof title, "Value");
        if (i->value_rows > i->value_height)
            snprintf(title, sizeof title, "Value  row %zu of %zu", i->value_top + 1, i->value_rows);
        box(v, f, r, pane, title, "Tab");
        break;
    case PANE_HEADERS:
        draw_headers(i, f, inside);
        rows_title(title, sizeof title, "Headers and properties", i->header_top, i->header_height,
                   i->headers.count);
        box(v, f, r, pane, title, "Tab");
        break;
    case PANE_WHY:
    case PANES:
        draw_why(v, f, inside);
        box(v, f, r, pane, "Why this decoder", "score 0-100");
        break;
    }
}

static void draw_status(struct view *v, struct frame *f, int y)
{
    const struct inspector *i = v->state;
    const struct message *m = i->message;
    const struct field *n = inspector_field(i);
    char path[200] = "", position[40], time[CLOCK_TEXT], where[320];
    int x = 1;
    if (n && i->rows[i->at] != 0)
        field_path(&i->decoded.tree, i->rows[i->at], path, sizeof path);
    if (n) {
        x += canvas_printf(f->canvas, x, y, f->canvas->w / 2, ROLE_TREE_NAME, "body%s%s",
                           path[0] && path[0] != '[' ? "." : "", path) +
             2;
        x += canvas_printf(f->canvas, x, y, 40, ROLE_MUTED, "0x%04x..0x%04x (%u B)", n->offset,
                           n->offset + (n->length ? n->length - 1 : 0), n->length) +
             2;
    }
    int64_t ns = m->time_ns == TIME_NONE ? m->received_ns : m->time_ns;
    snprintf(where, sizeof where, "%s %s  ", m->origin->channel,
             m->position.kind ? position_text(m->position, position, sizeof position) : "(no position)");
    x += canvas_text(f->canvas, x, y, f->canvas->w - x - 1, ROLE_MUTED, where);
    clock_rfc3339(ns, time, sizeof time);
    bool fits = x + (int)strlen(time) < f->canvas->w; /* the day, too, where there is room */
    canvas_text(f->canvas, x, y, f->canvas->w - x - 1, ROLE_MUTED,
                fits ? time : clock_hms(ns, time, sizeof time, 3));
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
    draw_pane(v, f, (struct rect){r.x, r.y, left, upper}, PANE_TREE);
    draw_pane(v, f, (struct rect){r.x + left, r.y, r.w - left, upper - why}, PANE_HEX);
    if (why) {
        draw_pane(v, f, (struct rect){r.x + left, r.y + upper - why, r.w - left, why}, PANE_WHY);
        draw_pane(v, f, (struct rect){r.x, r.y + upper, left, lower}, PANE_HEADERS);
        draw_pane(v, f, (struct rect){r.x + left, r.y + upper, r.w - left, lower}, PANE_VALUE);
    } else { /* one place for three: Tab shows the others */
        draw_pane(v, f, (struct rect){r.x, r.y + upper, r.w, lower},
                  i->pane > PANE_HEX ? i->pane : PANE_HEADERS);
    }
    draw_status(v, f, r.y + r.h - 1);
}
