/* DESIGN. One message, taken by reference, so that it stays while the store moves on. Its tree and its bytes point at each
 * other: the tree's cursor marks its bytes, the cursor in the bytes chooses the deepest field that holds it. Only what is
 * visible is drawn, whatever the size; the list of unfolded rows is made anew only when a fold changes. */
#include "ui/view.h"

#include "base/limits.h"
#include "base/text.h"
#include "engine/decode.h"
#include "ui/inspect.h"
#include "ui/paint.h"
#include "ui/screen.h"
#include "ui/views/tail.h"

#include <stdio.h>
#include <stdlib.h>

enum pane { PANE_TREE, PANE_HEX, PANE_VALUE, PANE_HEADERS, PANE_WHY, PANES };

struct inspector {
    struct message *message; /* our reference; NULL: nothing was opened yet */
    uint64_t id;
    struct decode_choice choice;
    const char *wanted; /* decoder chosen with v; NULL: the best one */
    struct arena arena;
    struct field_tree tree;
    uint8_t *folded; /* per node */
    uint32_t *rows;  /* visible nodes */
    size_t row_count;
    size_t at, top, height;        /* of the tree */
    size_t byte, hex_top, per_row; /* of the bytes: cursor, first row, bytes in a row */
    size_t hex_height;
    uint8_t layer; /* which bytes are shown */
    enum pane pane;
    struct header_lines headers;
    size_t header_top, header_height;
    size_t value_top, value_rows, value_height; /* of the whole value under the cursor */
    char find[256];
};

/* ---- the tree ---- */

static void rebuild_rows(struct inspector *i)
{
    i->row_count = 0;
    for (uint32_t n = 0; n < i->tree.count;) {
        i->rows[i->row_count++] = n;
        n = i->folded[n] ? i->tree.nodes[n].next : n + 1;
    }
    if (i->at >= i->row_count)
        i->at = i->row_count ? i->row_count - 1 : 0;
}

static const struct field *field_on(const struct inspector *i)
{
    return i->row_count ? &i->tree.nodes[i->rows[i->at]] : NULL;
}

/* The bytes move to what the tree's cursor is on. */
static void link_hex(struct inspector *i)
{
    const struct field *f = field_on(i);
    if (!f)
        return;
    i->layer = f->layer;
    i->byte = f->offset;
    i->value_top = 0;
}

static void go_to_node(struct inspector *i, uint32_t node)
{
    bool hidden = false;
    for (uint32_t up = i->tree.nodes[node].parent; up != UINT32_MAX; up = i->tree.nodes[up].parent) {
        hidden |= i->folded[up];
        i->folded[up] = 0;
    }
    if (hidden)
        rebuild_rows(i);
    size_t low = 0, high = i->row_count;
    while (low < high) { /* rows ascend */
        size_t middle = low + (high - low) / 2;
        if (i->rows[middle] < node)
            low = middle + 1;
        else
            high = middle;
    }
    i->at = low < i->row_count ? low : i->at;
}

static void link_tree(struct inspector *i)
{
    uint32_t node = field_at(&i->tree, i->layer, (uint32_t)i->byte);
    if (node != UINT32_MAX)
        go_to_node(i, node);
}

static struct bytes layer_bytes(const struct inspector *i)
{
    return i->layer == 0 ? i->message->payload : i->tree.layers[i->layer - 1];
}

/* ---- opening a message ---- */

static void clear(struct inspector *i)
{
    message_unref(&i->message);
    arena_reset(&i->arena);
    free(i->folded);
    free(i->rows);
    i->folded = NULL;
    i->rows = NULL;
    i->row_count = i->at = i->top = i->byte = i->hex_top = i->header_top = 0;
    i->layer = 0;
    header_lines_free(&i->headers);
    i->tree = (struct field_tree){.count = 0};
}

static void decode(struct view *v)
{
    struct inspector *i = v->state;
    arena_reset(&i->arena);
    field_tree_init(&i->tree, &i->arena);
    free(i->folded);
    free(i->rows);
    i->at = i->top = i->byte = i->hex_top = 0;
    i->layer = 0;
    i->choice = decode_choose(hub_registry(v->hub)->decoders, i->message, i->wanted);
    if (i->message->payload.data) /* the tree itself says what went wrong */
        (void)decode_message(&i->choice, i->message, &i->tree, &i->arena);
    i->folded = calloc(i->tree.count + 1, sizeof *i->folded);
    i->rows = calloc(i->tree.count + 1, sizeof *i->rows);
    if (!i->folded || !i->rows)
        i->tree.count = 0;
    rebuild_rows(i);
    link_hex(i);
}

static void open_message(struct view *v, uint64_t id)
{
    struct inspector *i = v->state;
    const struct message *m = store_get(hub_store(v->hub), id);
    if (!m) {
        screen_say(v->screen, SEVERITY_WARN, "That message has left the store: newer ones took its place");
        return;
    }
    clear(i);
    i->id = id;
    /* The store lends it as const; a reference only counts. */
    i->message = message_ref((struct message *)(uintptr_t)m);
    header_lines_make(&i->headers, m);
    decode(v);
}

/* ---- drawing: tree ---- */

static void draw_node(struct frame *f, struct rect r, const struct inspector *i, uint32_t node)
{
    const struct field *n = &i->tree.nodes[node];
    char text[64];
    struct canvas *c = f->canvas;
    int end = r.x + r.w, x = r.x + (n->depth < 24 ? n->depth : 24) * 2;
    const char *glyph = n->next <= node + 1 ? " " : i->folded[node] ? "▸" : "▾";
    x += canvas_text(c, x, r.y, end - x, ROLE_TREE_LINE, glyph) + 1;
    if (n->name.data)
        x += canvas_bytes(c, x, r.y, end - x, ROLE_TREE_NAME, n->name) + 1;
    else if (n->parent != UINT32_MAX && i->tree.nodes[n->parent].kind == FIELD_ARRAY)
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
    else
        canvas_printf(f->canvas, r.x + 1, r.y, r.w - 2, ROLE_CRIT, "✖ %s", i->tree.error);
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
    const struct field *mark = field_on(i);
    int digits = data.len > 0xFFFF ? 8 : 4, x = r.x + digits + 2, text_x = x + (int)i->per_row * 3;
    canvas_printf(f->canvas, r.x, r.y, digits, ROLE_HEX_OFFSET, "%0*zx", digits, from);
    for (size_t n = 0; n < i->per_row && from + n < data.len; n++) {
        size_t at = from + n;
        bool marked =
            mark && mark->layer == i->layer && at >= mark->offset && at < (size_t)mark->offset + mark->length;
        bool wrong = !i->tree.complete && i->layer == 0 && at == i->tree.error_at;
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
    struct bytes data = layer_bytes(i);
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
    const struct field *n = field_on(i);
    struct bytes text = n ? n->text : BYTES_NULL;
    if (n && !text.data) /* an object or array: its own bytes */
        text = bytes_slice(layer_bytes(i), n->offset, n->length);
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
    canvas_printf(f->canvas, r.x, y++, r.w, ROLE_TEXT, "%s: %s", i->choice.decoder->name,
                  i->wanted ? "chosen with v" : i->choice.why);
    if (!i->message->payload.data)
        canvas_text(f->canvas, r.x, y++, r.w, ROLE_MUTED, "there is no payload to decode");
    else if (i->tree.complete)
        canvas_printf(f->canvas, r.x, y++, r.w, ROLE_OK, "● all of it was read: %u fields", i->tree.count);
    else
        canvas_printf(f->canvas, r.x, y++, r.w, ROLE_CRIT, "✖ at byte %u: %s", i->tree.error_at,
                      i->tree.error);
    for (size_t n = 0; decoders[n] && y < end; n++) {
        const char *why = "";
        int score = decoders[n]->sniff(i->message->payload, &hint, &why);
        bool here = decoders[n] == i->choice.decoder;
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

static void draw_pane(struct view *v, struct frame *f, struct rect r, enum pane pane)
{
    struct inspector *i = v->state;
    char title[96], size[32];
    struct rect inside = {r.x + 2, r.y + 1, r.w - 4, r.h - 2};
    switch (pane) {
    case PANE_TREE:
        draw_tree(i, f, (struct rect){r.x + 1, r.y + 1, r.w - 2, r.h - 2});
        snprintf(title, sizeof title, "Tree  %s", i->choice.decoder->name);
        snprintf(size, sizeof size, "✖ at byte %u", i->tree.error_at);
        box(v, f, r, pane, title, i->tree.complete || !i->message->payload.data ? "v decoder" : size);
        break;
    case PANE_HEX:
        draw_hex(i, f, inside);
        text_bytes(size, sizeof size, layer_bytes(i).len);
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
        snprintf(title, sizeof title, "Headers and properties (%zu)", i->headers.count);
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
    const struct field *n = field_on(i);
    char path[200] = "", position[40], time[24];
    int x = 1;
    if (n && i->rows[i->at] != 0)
        field_path(&i->tree, i->rows[i->at], path, sizeof path);
    if (n) {
        x += canvas_printf(f->canvas, x, y, f->canvas->w / 2, ROLE_TREE_NAME, "body%s%s",
                           path[0] && path[0] != '[' ? "." : "", path) +
             2;
        x += canvas_printf(f->canvas, x, y, 40, ROLE_MUTED, "0x%04x..0x%04x (%u B)", n->offset,
                           n->offset + (n->length ? n->length - 1 : 0), n->length) +
             2;
    }
    canvas_printf(f->canvas, x, y, f->canvas->w - x - 1, ROLE_MUTED, "%s %s  %sZ", m->origin->channel,
                  m->position.kind ? position_text(m->position, position, sizeof position) : "(no position)",
                  clock_hms(m->time_ns == TIME_NONE ? m->received_ns : m->time_ns, time, sizeof time, 3));
}

/* The pane's width for 16 bytes a row, or 8, whatever leaves the tree room enough. */
static int hex_width(const struct inspector *i, int w)
{
    int rest = 4 + 2 + (layer_bytes(i).len > 0xFFFF ? 8 : 4);
    return w - (rest + 16 * 4) >= 40 ? rest + 16 * 4 : rest + 8 * 4;
}

static void inspector_draw(struct view *v, struct frame *f, struct rect r)
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

/* ---- actions ---- */

static bool move_hex(struct inspector *i, enum action action)
{
    size_t len = layer_bytes(i).len, last = len ? len - 1 : 0, at = i->byte;
    if (action == ACTION_LEFT) {
        at = at ? at - 1 : 0;
    } else if (action == ACTION_RIGHT) {
        at = at < last ? at + 1 : last;
    } else {
        size_t rows = i->per_row ? (len + i->per_row - 1) / i->per_row : 0;
        size_t to = rows ? move_by(action, at / i->per_row, rows, i->hex_height) : SIZE_MAX;
        if (to == SIZE_MAX)
            return false;
        at = to * i->per_row + at % i->per_row;
        at = action == ACTION_TOP ? 0 : action == ACTION_BOTTOM || at > last ? last : at;
    }
    i->byte = at;
    link_tree(i);
    return true;
}

static void fold(struct inspector *i, enum action action)
{
    uint32_t node = i->row_count ? i->rows[i->at] : 0;
    const struct field *n = field_on(i);
    if (!n)
        return;
    bool parent = n->next > node + 1;
    if (action == ACTION_LEFT && (!parent || i->folded[node]) && n->parent != UINT32_MAX) {
        go_to_node(i, n->parent); /* a second step to the left goes up */
        link_hex(i);
        return;
    }
    if (!parent)
        return;
    i->folded[node] = action == ACTION_LEFT ? 1 : action == ACTION_RIGHT ? 0 : !i->folded[node];
    rebuild_rows(i);
}

static bool move_tree(struct inspector *i, enum action action)
{
    if (action == ACTION_LEFT || action == ACTION_RIGHT) {
        fold(i, action);
        return true;
    }
    size_t to = move_by(action, i->at, i->row_count, i->height);
    if (to == SIZE_MAX)
        return false;
    i->at = to;
    link_hex(i);
    return true;
}

static bool move_pane(struct inspector *i, enum action action)
{
    if (i->pane == PANE_HEX)
        return move_hex(i, action);
    if (i->pane == PANE_TREE)
        return move_tree(i, action);
    bool value = i->pane == PANE_VALUE;
    size_t *top = value ? &i->value_top : &i->header_top;
    size_t to = move_by(action, *top, value ? i->value_rows : i->headers.count,
                        value ? i->value_height : i->header_height);
    if (to == SIZE_MAX)
        return false;
    *top = to;
    return true;
}

static void next_decoder(struct view *v)
{
    struct inspector *i = v->state;
    decoder_registry decoders = hub_registry(v->hub)->decoders;
    size_t n = 0;
    while (decoders[n] && decoders[n] != i->choice.decoder)
        n++;
    n = decoders[n] && decoders[n + 1] ? n + 1 : 0;
    i->wanted = decoders[n]->name;
    decode(v);
}

static void step_message(struct view *v, int step)
{
    struct inspector *i = v->state;
    struct view *tail = screen_view(v->screen, VIEW_TAIL);
    uint64_t id = tail ? tail_neighbour(tail, i->id, step) : 0;
    if (id)
        open_message(v, id);
    else
        screen_say(v->screen, SEVERITY_INFO,
                   step > 0 ? "This is the newest message" : "This is the oldest message held");
}

/* Names and values that contain the text, in any case, from the cursor on and around. */
static void find_next(struct view *v, int step)
{
    struct inspector *i = v->state;
    uint32_t count = i->tree.count, node = i->row_count ? i->rows[i->at] : 0;
    for (uint32_t n = 0; i->find[0] && n < count; n++) {
        node = step > 0 ? (node + 1) % count : (node + count - 1) % count;
        const struct field *f = &i->tree.nodes[node];
        if (bytes_contain(f->name, i->find) || bytes_contain(f->text, i->find)) {
            go_to_node(i, node);
            link_hex(i);
            return;
        }
    }
    screen_say(v->screen, SEVERITY_INFO,
               i->find[0] ? "No field has `%s`" : "Nothing to find yet: / asks what%s", i->find);
}

static enum action inspector_action(struct view *v, enum action action)
{
    struct inspector *i = v->state;
    if (!i->message)
        return action;
    switch (action) {
    case ACTION_NEXT_PANE: i->pane = (i->pane + 1) % PANES; break;
    case ACTION_PREVIOUS_PANE: i->pane = (i->pane + PANES - 1) % PANES; break;
    case ACTION_OPEN:
    case ACTION_EXPAND: fold(i, ACTION_EXPAND); break;
    case ACTION_DECODER: next_decoder(v); break;
    case ACTION_NEXT_ITEM: step_message(v, 1); break;
    case ACTION_PREVIOUS_ITEM: step_message(v, -1); break;
    case ACTION_FIND: screen_prompt(v->screen, PROMPT_FIND, ""); break;
    case ACTION_NEXT: find_next(v, 1); break;
    case ACTION_PREVIOUS: find_next(v, -1); break;
    default: return move_pane(i, action) ? ACTION_NONE : action;
    }
    return ACTION_NONE;
}

static void inspector_entered(struct view *v, enum prompt_kind kind, const char *text)
{
    struct inspector *i = v->state;
    if (kind != PROMPT_FIND || !text || !*text)
        return;
    text_copy(i->find, sizeof i->find, text);
    find_next(v, 1);
}

static void inspector_enter(struct view *v, const void *argument)
{
    struct inspector *i = v->state;
    if (!argument)
        return;
    i->wanted = NULL;
    i->pane = PANE_TREE;
    open_message(v, *(const uint64_t *)argument);
}

static void inspector_crumb(const struct view *v, char *into, size_t size)
{
    const struct inspector *i = v->state;
    if (i->message)
        text_copy_bytes(into, size < 32 ? size : 32, i->message->key);
}

static enum err inspector_open(struct view *v, struct err_info *err)
{
    struct inspector *i = v->state;
    (void)err;
    arena_init(&i->arena, LIMIT_DECODE_ARENA);
    return ERR_OK;
}

static void inspector_close(struct view *v)
{
    struct inspector *i = v->state;
    clear(i);
    arena_free(&i->arena);
}

extern const struct view_ops inspector_view;
const struct view_ops inspector_view = {
    .name = "message",
    .title = "Message inspector",
    .keys = KEYS_INSPECTOR,
    .state_size = sizeof(struct inspector),
    .open = inspector_open,
    .close = inspector_close,
    .enter = inspector_enter,
    .draw = inspector_draw,
    .action = inspector_action,
    .entered = inspector_entered,
    .crumb = inspector_crumb,
};
