/* DESIGN. One message, taken by reference, so that it stays while the store moves on. A large payload is decoded beside, and its
 * bytes can be looked at meanwhile. Its tree and its bytes point at each
 * other: the tree's cursor marks its bytes, the cursor in the bytes chooses the deepest field that holds it. Only what is
 * visible is drawn, whatever the size; the list of unfolded rows is made anew only when a fold changes. */
#include "ui/views/inspector.h"

#include "base/limits.h"
#include "base/text.h"
#include "ui/paint.h"
#include "ui/screen.h"
#include "ui/views/change.h"
#include "ui/views/tail.h"

#include <stdio.h>
#include <stdlib.h>

#define DECODE_AT_ONCE (256 * KIB) /* takes a millisecond; more is decoded beside */

/* ---- the tree ---- */

static void rebuild_rows(struct inspector *i)
{
    i->row_count = 0;
    for (uint32_t n = 0; n < i->decoded.tree.count;) {
        i->rows[i->row_count++] = n;
        n = i->folded[n] ? i->decoded.tree.nodes[n].next : n + 1;
    }
    if (i->at >= i->row_count)
        i->at = i->row_count ? i->row_count - 1 : 0;
}

const struct field *inspector_field(const struct inspector *i)
{
    return i->row_count ? &i->decoded.tree.nodes[i->rows[i->at]] : NULL;
}

/* The bytes move to what the tree's cursor is on. */
static void link_hex(struct inspector *i)
{
    const struct field *f = inspector_field(i);
    if (!f)
        return;
    i->layer = f->layer;
    i->byte = f->offset;
    i->value_top = 0;
}

static void go_to_node(struct inspector *i, uint32_t node)
{
    bool hidden = false;
    for (uint32_t up = i->decoded.tree.nodes[node].parent; up != UINT32_MAX;
         up = i->decoded.tree.nodes[up].parent) {
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

void inspector_go_to(struct inspector *i, uint32_t node)
{
    go_to_node(i, node);
    link_hex(i);
}

void inspector_link_tree(struct inspector *i)
{
    uint32_t node = field_at(&i->decoded.tree, i->layer, (uint32_t)i->byte);
    if (node != UINT32_MAX)
        go_to_node(i, node);
}

struct bytes inspector_layer(const struct inspector *i, uint16_t layer)
{
    return layer == 0 ? i->message->payload : field_layer(&i->decoded.tree, layer);
}

struct bytes inspector_bytes(const struct inspector *i)
{
    return inspector_layer(i, i->layer);
}

/* ---- opening a message ---- */

static void forget_tree(struct inspector *i)
{
    decode_job_drop(&i->job);
    decoded_free(&i->decoded);
    free(i->folded);
    free(i->rows);
    i->folded = NULL;
    i->rows = NULL;
    i->row_count = i->at = i->top = i->level = i->byte = i->hex_top = 0;
    i->layer = 0;
    i->finding.step = 0;
    i->unsaid = false;
}

static void clear(struct view *v)
{
    struct inspector *i = v->state;
    forget_tree(i);
    hub_hold(v->hub, NULL);
    message_unref(&i->message);
    header_lines_free(&i->headers);
    i->header_top = 0;
    i->header = HEADER_NONE;
}

static void unfold(struct inspector *i)
{
    struct field_tree *tree = &i->decoded.tree;
    i->folded = calloc(tree->count + 1, sizeof *i->folded);
    i->rows = calloc(tree->count + 1, sizeof *i->rows);
    if (!i->folded || !i->rows)
        tree->count = 0;
    rebuild_rows(i);
    if (!i->byte && !i->layer) /* while it was decoded somebody may have gone on in the bytes */
        link_hex(i);
    else
        inspector_link_tree(i);
}

static void decode(struct view *v)
{
    struct inspector *i = v->state;
    decoder_registry decoders = hub_registry(v->hub)->decoders;
    forget_tree(i);
    if (i->message->payload.len > DECODE_AT_ONCE)
        i->job = hub_decode(v->hub, i->message, i->wanted);
    if (i->job) {
        i->decoded.choice = decode_choose(decoders, i->message, i->wanted);
        return;
    }
    decoded_make(&i->decoded, decoders, i->message, i->wanted);
    unfold(i);
}

/* True: it has just been. */
static bool note_eviction(struct view *v)
{
    struct inspector *i = v->state;
    bool was = i->evicted;
    i->evicted = i->message && !store_get(hub_store(v->hub), i->id);
    return i->evicted && !was;
}

static bool inspector_event(struct view *v, uint32_t changes)
{
    struct inspector *i = v->state;
    bool changed = (changes & HUB_TAIL) && note_eviction(v);
    if (!(changes & HUB_DECODED) || !i->job || !decode_job_take(&i->job, &i->decoded))
        return changed;
    unfold(i);
    if (i->finding.step) /* there are fields now: they come first */
        inspector_find(v, i->finding.step);
    return true;
}

static const struct message *stored(struct view *v, uint64_t id)
{
    const struct message *m = store_get(hub_store(v->hub), id);
    if (!m)
        screen_say(v->screen, SEVERITY_WARN, "That message has left the store: newer ones took its place");
    return m;
}

static void open_message(struct view *v, uint64_t id, const struct message *m)
{
    struct inspector *i = v->state;
    clear(v);
    i->id = id;
    i->evicted = false;
    /* The store lends it as const; a reference only counts. */
    i->message = message_ref((struct message *)(uintptr_t)m);
    hub_hold(v->hub, m);
    header_lines_make(&i->headers, m);
    decode(v);
}

/* ---- actions ---- */

static bool move_hex(struct inspector *i, enum action action)
{
    size_t len = inspector_bytes(i).len, last = len ? len - 1 : 0, at = i->byte;
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
    inspector_link_tree(i);
    return true;
}

static void fold(struct inspector *i, enum action action)
{
    uint32_t node = i->row_count ? i->rows[i->at] : 0;
    const struct field *n = inspector_field(i);
    if (!n)
        return;
    bool parent = n->next > node + 1;
    if (action == ACTION_LEFT && (!parent || i->folded[node]) && n->parent != UINT32_MAX) {
        inspector_go_to(i, n->parent); /* a second step to the left goes out */
        return;
    }
    if (!parent)
        return;
    if (action == ACTION_RIGHT && !i->folded[node]) {
        inspector_go_to(i, node + 1);
        return;
    }
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
    if (i->pane == PANE_WHY)
        return false;
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
    while (decoders[n] && decoders[n] != i->decoded.choice.decoder)
        n++;
    n = decoders[n] && decoders[n + 1] ? n + 1 : 0;
    i->wanted = decoders[n]->name;
    decode(v);
}

/* The next message at the same field, so that its values can be compared; one that lacks it begins anew. */
static void open_beside(struct view *v, uint64_t id, const struct message *m)
{
    struct inspector *i = v->state;
    struct message *before = message_ref(i->message); /* the tree's names are its bytes */
    struct decoded decoded = {.choice = {.decoder = NULL}};
    uint32_t node = i->row_count ? i->rows[i->at] : UINT32_MAX, same = UINT32_MAX;
    if (before->payload.len > DECODE_AT_ONCE) /* two large trees would be too much */
        node = UINT32_MAX;
    else
        decoded_move(&decoded, &i->decoded);
    open_message(v, id, m);
    if (node != UINT32_MAX)
        same = field_counterpart(&decoded.tree, node, &i->decoded.tree);
    if (same != UINT32_MAX)
        inspector_go_to(i, same);
    else if (i->pane == PANE_VALUE)
        i->pane = PANE_TREE;
    decoded_free(&decoded);
    message_unref(&before);
}

static void step_message(struct view *v, int step)
{
    struct inspector *i = v->state;
    struct view *tail = screen_view(v->screen, VIEW_TAIL);
    uint64_t id = tail ? tail_neighbour(tail, i->id, step) : 0;
    const struct message *m = id ? stored(v, id) : NULL;
    char text[120];
    note_eviction(v);
    bool evicted = i->evicted, between = evicted && id > i->id + 1;
    if (m)
        open_beside(v, id, m);
    if (m && between)
        screen_say(v->screen, SEVERITY_WARN,
                   "What came between was evicted: this is the oldest that is held");
    else if (!id && evicted && step < 0)
        screen_say(v->screen, SEVERITY_WARN, "This message was evicted, and all before it");
    else if (!id && tail)
        screen_say(v->screen, SEVERITY_INFO, "%s", tail_end_text(tail, step, text, sizeof text));
}

static void change(struct view *v)
{
    struct inspector *i = v->state;
    const struct message *m = i->message;
    struct change_target *target = calloc(1, sizeof *target);
    if (target && change_messages(v->screen, &m, 1, target))
        screen_show(v->screen, VIEW_CHANGE, target);
    free(target);
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
    case ACTION_CHANGE: change(v); break;
    case ACTION_NEXT: inspector_find(v, 1); break;
    case ACTION_PREVIOUS: inspector_find(v, -1); break;
    case ACTION_BACK:
    case ACTION_CANCEL:
        if (!i->finding.step)
            return action;
        i->finding.step = 0;
        break;
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
    i->unsaid = false;
    inspector_find(v, 1);
}

static void inspector_enter(struct view *v, const void *argument)
{
    struct inspector *i = v->state;
    uint64_t id = argument ? *(const uint64_t *)argument : 0;
    const struct message *m = argument ? stored(v, id) : NULL;
    if (!argument)
        return;
    i->wanted = NULL;
    i->pane = PANE_TREE;
    if (m)
        open_message(v, id, m);
}

static void inspector_crumb(const struct view *v, char *into, size_t size)
{
    const struct inspector *i = v->state;
    if (i->message)
        text_copy_bytes(into, size < 32 ? size : 32, message_label(i->message));
}

/* A large message and its tree are as much as everything else: they stay for as long as one comes back to them. */
static void inspector_leave(struct view *v)
{
    clear(v);
}

extern const struct view_ops inspector_view;
const struct view_ops inspector_view = {
    .name = "message",
    .title = "Message inspector",
    .keys = KEYS_INSPECTOR,
    .state_size = sizeof(struct inspector),
    .close = inspector_leave,
    .enter = inspector_enter,
    .leave = inspector_leave,
    .on_event = inspector_event,
    .work = inspector_find_on,
    .draw = inspector_draw,
    .action = inspector_action,
    .entered = inspector_entered,
    .crumb = inspector_crumb,
};
