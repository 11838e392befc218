/* DESIGN. Finding in a message: plain text, ASCII letters in any case. First names and values of fields, then, where the tree does not
 * reach to the end of the payload, the bytes behind it: one goes round through both. What no field says, the bytes may: all of them
 * are looked through before it is denied. */
#include "ui/views/inspector.h"

#include "ui/screen.h"

static bool find_field(struct inspector *i, uint32_t from, uint32_t end, int step)
{
    for (uint32_t n = 0; from + n < end; n++) {
        uint32_t node = step > 0 ? from + n : end - 1 - n;
        const struct field *f = &i->decoded.tree.nodes[node];
        bool value = bytes_find(f->text, 0, i->find) != SIZE_MAX;
        if (!value && bytes_find(f->name, 0, i->find) == SIZE_MAX)
            continue;
        inspector_go_to(i, node);
        size_t at = bytes_find(bytes_slice(inspector_bytes(i), f->offset, f->length), 0, i->find);
        if (value && at != SIZE_MAX) /* escapes may stand between */
            i->byte += at;
        return true;
    }
    return false;
}

/* Where it begins among the payload's bytes from..end. */
static bool find_byte(struct inspector *i, size_t from, size_t end, int step)
{
    struct bytes payload = i->message->payload;
    size_t found = SIZE_MAX;
    for (size_t at = from; (at = bytes_find(payload, at, i->find)) < end; at++) {
        found = at;
        if (step > 0)
            break;
    }
    if (found == SIZE_MAX)
        return false;
    i->pane = PANE_HEX;
    i->layer = 0;
    i->byte = found;
    inspector_link_tree(i);
    return true;
}

/* What no field covers because decoding ended before it begins here. */
static size_t undecoded_from(const struct inspector *i)
{
    const struct field_tree *tree = &i->decoded.tree;
    size_t len = i->message->payload.len;
    return tree->complete || tree->error_at > len ? len : tree->error_at;
}

static bool find_around(struct inspector *i, int step)
{
    uint32_t count = i->decoded.tree.count, node = i->row_count ? i->rows[i->at] : 0;
    size_t rest = undecoded_from(i), len = i->message->payload.len;
    bool behind = i->pane == PANE_HEX && i->layer == 0 && i->byte >= rest && rest < len;
    if (behind && step > 0)
        return find_byte(i, i->byte + 1, len, step) || find_field(i, 0, count, step) ||
               find_byte(i, rest, i->byte + 1, step);
    if (behind)
        return find_byte(i, rest, i->byte, step) || find_field(i, 0, count, step) ||
               find_byte(i, i->byte, len, step);
    if (step > 0)
        return find_field(i, node + 1, count, step) || find_byte(i, rest, len, step) ||
               find_field(i, 0, node < count ? node + 1 : count, step);
    return find_field(i, 0, node, step) || find_byte(i, rest, len, step) || find_field(i, node, count, step);
}

static void say_where(struct view *v, bool only)
{
    struct inspector *i = v->state;
    if (only)
        screen_say(v->screen, SEVERITY_INFO, "Nothing else has `%s`", i->find);
    else if (i->pane == PANE_HEX && i->byte >= undecoded_from(i) && i->job)
        screen_say(v->screen, SEVERITY_INFO, "In the bytes, at 0x%zx; its fields are still being decoded",
                   i->byte);
    else if (i->pane == PANE_HEX && i->layer == 0 && i->byte >= undecoded_from(i))
        screen_say(v->screen, SEVERITY_INFO, "In the bytes, at 0x%zx, which are not decoded: %s", i->byte,
                   i->decoded.tree.error);
}

void inspector_find(struct view *v, int step)
{
    struct inspector *i = v->state;
    size_t row = i->at, byte = i->byte;
    enum pane pane = i->pane;
    if (!i->find[0]) {
        screen_say(v->screen, SEVERITY_INFO, "Nothing to find yet: / asks what");
        return;
    }
    if (find_around(i, step)) {
        say_where(v, row == i->at && byte == i->byte && pane == i->pane);
        return;
    }
    if (find_byte(i, 0, i->message->payload.len, step))
        screen_say(v->screen, SEVERITY_INFO, "No field has `%s` as it stands; the bytes do, at 0x%zx",
                   i->find, i->byte);
    else
        screen_say(v->screen, SEVERITY_INFO, "Nothing has `%s`: neither a field nor the bytes", i->find);
}
