/* DESIGN. Finding in a message: plain text, ASCII letters in any case. First names and values of fields, then, where the tree does not
 * reach to the end of the payload, the bytes behind it, then key, headers and properties: one goes round through all of them. What none
 * of these says, the bytes may: all of them are looked through before it is denied, and from then on one goes round through the bytes
 * alone. A payload may have 256 MiB and 200,000 fields: it is planned as stretches, and looked through in slices. */
#include "ui/views/inspector.h"

#include "base/limits.h"
#include "ui/screen.h"

#define LOOK_BYTES (128 * KIB) /* between two looks at the clock: a fraction of a millisecond */
#define LOOK_FIELD 64          /* what beginning with a name or a value costs, in bytes */
#define LINE_SHOWS 40          /* so far into a header's value the screen shows what was found */

/* ---- the plan ---- */

static void add(struct finding *f, enum find_in in, size_t from, size_t end)
{
    f->stretches[f->count++] = (struct stretch){.in = in, .left = {from, end}};
}

/* What lies ahead in 0..end when one goes from `split` on, and what is left for the end of the round. */
static void add_ahead(struct finding *f, enum find_in in, size_t split, size_t end)
{
    add(f, in, f->step > 0 ? split : 0, f->step > 0 ? end : split);
}

static void add_behind(struct finding *f, enum find_in in, size_t split, size_t end)
{
    add(f, in, f->step > 0 ? 0 : split, f->step > 0 ? split : end);
}

/* What no field covers because decoding ended before it begins here. */
static size_t undecoded_from(const struct inspector *i)
{
    const struct field_tree *tree = &i->decoded.tree;
    size_t len = i->message->payload.len;
    return tree->complete || tree->error_layer || tree->error_at > len ? len : tree->error_at;
}

static bool in_payload(const struct inspector *i)
{
    return i->pane == PANE_HEX && i->layer == 0;
}

/* The find before has come there, and nobody has left since. */
static bool in_headers(const struct inspector *i)
{
    return i->pane == PANE_HEADERS && i->header < i->headers.count;
}

/* Two that follow each other, in the order in which one goes. */
static void add_both(struct finding *f, struct stretch first, struct stretch second)
{
    f->stretches[f->count++] = f->step > 0 ? first : second;
    f->stretches[f->count++] = f->step > 0 ? second : first;
}

static struct spot spot_of(const struct inspector *i)
{
    if (in_headers(i))
        return (struct spot){SPOT_HEADER, i->header};
    if (in_payload(i) && (i->unsaid || i->byte >= undecoded_from(i)))
        return (struct spot){SPOT_BYTE, i->byte};
    return (struct spot){SPOT_FIELD, i->row_count ? i->rows[i->at] : 0};
}

/* What was found lies behind where it began; bytes that fields cover are another round. */
static bool went_round(const struct inspector *i)
{
    struct spot from = i->finding.from, to = spot_of(i);
    if (i->unsaid && from.part != SPOT_BYTE)
        return false;
    bool further = to.part != from.part ? to.part > from.part : to.at > from.at;
    bool same = to.part == from.part && to.at == from.at;
    return same || further != (i->finding.step > 0);
}

/* The cursor's own place comes last. Bytes that fields cover stand behind all else: they matter where nothing else has it. */
static void plan(struct inspector *i, int step)
{
    struct finding *f = &i->finding;
    size_t count = i->decoded.tree.count, node = i->row_count ? i->rows[i->at] : 0;
    size_t rest = undecoded_from(i), len = i->message->payload.len, own = step > 0 ? 1 : 0;
    size_t byte = in_payload(i) ? i->byte + own : step > 0 ? 0 : len;
    struct stretch fields = {IN_FIELDS, {0, count}}, headers = {IN_HEADERS, {0, i->headers.count}},
                   tail = {IN_BYTES, {rest, len}};
    *f = (struct finding){.step = step,
                          .row = i->at,
                          .byte = i->byte,
                          .header = in_headers(i) ? i->header : HEADER_NONE,
                          .pane = i->pane,
                          .from = spot_of(i)};
    if (i->unsaid) {
        add_ahead(f, IN_BYTES, byte, len);
        add_behind(f, IN_BYTES, byte, len);
    } else if (in_headers(i)) {
        add_ahead(f, IN_HEADERS, i->header + own, headers.left.end);
        add_both(f, fields, tail);
        add_behind(f, IN_HEADERS, i->header + own, headers.left.end);
        add(f, IN_BYTES, 0, rest);
    } else if (in_payload(i) && i->byte >= rest) {
        add(f, IN_BYTES, step > 0 ? byte : rest, step > 0 ? len : byte);
        add_both(f, headers, fields);
        add(f, IN_BYTES, 0, step > 0 ? byte : rest);
        add(f, IN_BYTES, byte, step > 0 ? byte : len);
    } else {
        byte = byte < rest ? byte : rest;
        node = count ? node + own : 0;
        add_ahead(f, IN_FIELDS, node, count);
        add_both(f, tail, headers);
        add_behind(f, IN_FIELDS, node, count);
        add_ahead(f, IN_BYTES, byte, rest);
        add_behind(f, IN_BYTES, byte, rest);
    }
    f->left.end = SIZE_MAX;
}

/* ---- looking ---- */

/* One piece, and what it cost is added. */
static size_t look(const struct inspector *i, struct bytes in, struct span *left, size_t *cost)
{
    uint8_t text[FIND_MOST];
    struct bytes find = bytes_of_text(i->find);
    bytes_fold(text, find);
    size_t found = bytes_find(in, left, bytes_of(text, find.len), i->finding.step);
    *cost += LOOK_FIELD + (in.len < FIND_PIECE ? in.len : FIND_PIECE);
    return found;
}

static struct bytes part_of(const struct inspector *i, const struct field *n)
{
    switch (i->finding.part) {
    case FIND_VALUE: return field_text(&i->decoded.tree, n);
    case FIND_NAME: return field_name(&i->decoded.tree, n);
    case FIND_RAW: break;
    }
    return bytes_slice(inspector_layer(i, n->layer), n->offset, n->length);
}

static void turn_to(struct finding *f, enum find_part part, size_t from)
{
    f->part = part;
    f->left = (struct span){from, SIZE_MAX};
}

/* The find has come there, and goes on elsewhere. */
static void leave_headers(struct inspector *i)
{
    if (in_headers(i))
        i->pane = PANE_TREE;
    i->header = HEADER_NONE;
}

/* A piece of a field: of its value, of its name, or of its bytes, to know where in them the value has it; escapes make them longer,
 * never shorter, and may stand between. True: it is this one. */
static bool look_at_field(struct inspector *i, struct stretch *s, size_t *cost)
{
    struct finding *f = &i->finding;
    size_t node = f->step > 0 ? s->left.from : s->left.end - 1;
    const struct field *n = &i->decoded.tree.nodes[node];
    size_t found = look(i, part_of(i, n), &f->left, cost);
    bool here = found != SIZE_MAX, over = f->left.from >= f->left.end;
    if (f->part == FIND_VALUE && here) {
        turn_to(f, FIND_RAW, f->step > 0 ? found : 0);
    } else if (here || (over && f->part == FIND_RAW)) {
        leave_headers(i);
        inspector_go_to(i, (uint32_t)node);
        i->byte += here && f->part == FIND_RAW ? found : 0;
        return true;
    } else if (over && f->part == FIND_VALUE) {
        turn_to(f, FIND_NAME, 0);
    } else if (over) {
        s->left = f->step > 0 ? (struct span){node + 1, s->left.end} : (struct span){s->left.from, node};
        turn_to(f, FIND_VALUE, 0);
    }
    return false;
}

/* A piece of a line: of its value, or of its name. */
static bool look_at_header(struct inspector *i, struct stretch *s, size_t *cost)
{
    struct finding *f = &i->finding;
    size_t at = f->step > 0 ? s->left.from : s->left.end - 1;
    const struct header_line *line = &i->headers.lines[at];
    bool name = f->part == FIND_NAME;
    size_t found = look(i, name ? bytes_of_text(line->name) : line->whole, &f->left, cost);
    if (found != SIZE_MAX) {
        i->pane = PANE_HEADERS;
        i->header = i->header_top = at;
        f->place = name ? 0 : found;
        return true;
    }
    if (f->left.from < f->left.end)
        return false;
    if (name)
        s->left = f->step > 0 ? (struct span){at + 1, s->left.end} : (struct span){s->left.from, at};
    turn_to(f, name ? FIND_VALUE : FIND_NAME, 0);
    return false;
}

static bool look_at_bytes(struct inspector *i, struct stretch *s, size_t *cost)
{
    size_t found = look(i, i->message->payload, &s->left, cost);
    if (found == SIZE_MAX)
        return false;
    leave_headers(i);
    i->pane = PANE_HEX;
    i->layer = 0;
    i->byte = found;
    inspector_link_tree(i);
    return true;
}

/* Other than bytes. */
static bool words_are_left(const struct finding *f)
{
    for (size_t n = f->at; n < f->count; n++)
        if (f->stretches[n].in != IN_BYTES)
            return true;
    return false;
}

static void say_where(struct view *v)
{
    const struct inspector *i = v->state;
    const struct finding *f = &i->finding;
    enum find_in in = f->stretches[f->at].in;
    char path[LIMIT_DECODE_DEPTH * 16];
    bool undecoded = i->byte >= undecoded_from(i);
    const char *round = !went_round(i) ? "" : f->step > 0 ? "From the top. " : "From the end. ";
    if (f->row == i->at && f->byte == i->byte && f->header == i->header && f->pane == i->pane)
        screen_say(v->screen, SEVERITY_INFO, "Nothing else has `%s`", i->find);
    else if (in == IN_HEADERS && f->place > LINE_SHOWS)
        screen_say(v->screen, SEVERITY_INFO, "%sIn `%s`, %zu bytes in", round,
                   i->headers.lines[i->header].name, f->place);
    else if (in == IN_HEADERS && *round)
        screen_say(v->screen, SEVERITY_INFO, "%sIn `%s`", round, i->headers.lines[i->header].name);
    else if (in == IN_FIELDS && *round)
        screen_say(v->screen, SEVERITY_INFO, "%sIn `%s`", round, inspector_path(i, path, sizeof path));
    else if (in != IN_BYTES)
        return;
    else if (undecoded && i->job)
        screen_say(v->screen, SEVERITY_INFO, "%sIn the bytes, at 0x%zx; its fields are still being decoded",
                   round, i->byte);
    else if (undecoded)
        screen_say(v->screen, SEVERITY_INFO, "%sIn the bytes, at 0x%zx, which are not decoded: %s", round,
                   i->byte, i->decoded.tree.error);
    else if (*round)
        screen_say(v->screen, SEVERITY_INFO, "%sIn the bytes, at 0x%zx", round, i->byte);
    else
        screen_say(v->screen, SEVERITY_INFO,
                   "No field or header has `%s` as it stands; the bytes do, at 0x%zx", i->find, i->byte);
}

/* The payload's bytes were all looked through; what it wraps only as far as it was decoded. */
static void deny(struct view *v)
{
    const struct inspector *i = v->state;
    const struct field_tree *tree = &i->decoded.tree;
    if (tree->layer_count && !tree->complete)
        screen_say(v->screen, SEVERITY_INFO, "Nothing that was decoded has `%s`: %s", i->find, tree->error);
    else
        screen_say(v->screen, SEVERITY_INFO, "Nothing has `%s`: no field, no header, nor the bytes", i->find);
}

/* False: it is over. */
static bool look_on(struct view *v, size_t *cost)
{
    struct inspector *i = v->state;
    struct finding *f = &i->finding;
    if (f->at == f->count) {
        deny(v);
        return false;
    }
    struct stretch *s = &f->stretches[f->at];
    if (s->left.from >= s->left.end) {
        f->at++;
        i->unsaid = !i->job && !words_are_left(f);
        return true;
    }
    bool found = s->in == IN_FIELDS    ? look_at_field(i, s, cost)
                 : s->in == IN_HEADERS ? look_at_header(i, s, cost)
                                       : look_at_bytes(i, s, cost);
    if (found)
        say_where(v);
    return !found;
}

bool inspector_find_on(struct view *v, int64_t deadline_ns)
{
    struct inspector *i = v->state;
    size_t cost = 0;
    if (screen_top(v->screen) != v) /* it rests while something else is looked at */
        return false;
    while (i->finding.step) {
        if (!look_on(v, &cost))
            i->finding.step = 0;
        if (cost < LOOK_BYTES)
            continue;
        if (clock_mono_ns() >= deadline_ns)
            break;
        cost = 0;
    }
    return i->finding.step != 0;
}

void inspector_find(struct view *v, int step)
{
    struct inspector *i = v->state;
    if (!i->find[0]) {
        screen_say(v->screen, SEVERITY_INFO, "Nothing to find yet: / asks what");
        return;
    }
    plan(i, step);
    inspector_find_on(v, clock_mono_ns());
}
