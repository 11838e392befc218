/* Looking up a path in what is wrapped, without a tree: layers come off as bytes, and the innermost JSON is read to its end. */
#include "decoders/unwrap_internal.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "decoders/json.h"

#include <stdlib.h>

struct search {
    field_visit *visit;
    void *context;
    struct effort *effort;
    size_t left;     /* so much more may be open at once */
    unsigned depth;  /* layers that are open */
    bool stopped;    /* the visitor has had enough */
    enum err unseen; /* why something that may have what is looked for was not seen */
};

static void look_into(struct search *s, struct bytes in, const struct field_path *path);
static bool look_into_string(void *context, struct bytes text, const struct field_path *rest);

static bool pass_on(void *context, enum field_kind kind, struct bytes text, struct bytes raw)
{
    struct search *s = context;
    s->stopped = s->stopped || !s->visit(s->context, kind, text, raw);
    return !s->stopped;
}

static bool ignore(void *context, enum field_kind kind, struct bytes text, struct bytes raw)
{
    (void)context, (void)kind, (void)text, (void)raw;
    return true;
}

/* False: nothing more can be seen. */
static bool spend(struct search *s, size_t bytes)
{
    bool enough = effort_spend(s->effort, bytes);
    if (!enough)
        s->unseen = ERR_LIMIT;
    return enough;
}

/* ---- layers ---- */

/* Also where it has a fault, with what came off; give_back gives that back. */
static struct unwrapped take_off(struct search *s, enum wrapping w, struct bytes in, struct buffer *out)
{
    size_t most = wrapping_most(w, in);
    most = most < s->left ? most : s->left;
    most = most < s->effort->left ? most : s->effort->left;
    most = s->depth < LIMIT_UNWRAP_LAYERS ? most : 0;
    *out = (struct buffer){.data = most ? malloc(most) : NULL, .cap = most, .max = most};
    struct unwrapped u = {.fault = "no room", .over = true};
    if (out->data)
        u = wrapping_take_off(w, in, out, s->effort);
    s->left -= out->len;
    s->depth++;
    return u;
}

static void give_back(struct search *s, struct buffer *out)
{
    s->left += out->len;
    free(out->data);
}

/* All that wraps it, one within another. out: what is innermost, until give_back; the fault is the outermost one. The layers
 * count as open until the caller sets the depth back. */
static struct unwrapped peel(struct search *s, enum wrapping w, struct bytes in, struct buffer *out)
{
    struct unwrapped all = {.fault = NULL};
    *out = (struct buffer){.data = NULL};
    for (; w != WRAP_NONE; w = wrapping_of(in, all.fault)) {
        struct buffer outer = *out;
        struct unwrapped u = take_off(s, w, in, out);
        give_back(s, &outer);
        all = all.fault ? all : u;
        in = buffer_view(out);
    }
    return all;
}

/* Half a number is another one; whatever else is cut is nothing. */
static struct bytes before_the_cut(struct bytes in)
{
    while (in.len && memchr("+-.0123456789Ee", in.data[in.len - 1], 15))
        in.len--;
    return in;
}

static void look_behind(struct search *s, enum wrapping w, struct bytes in, const struct field_path *path)
{
    struct buffer out;
    struct unwrapped u = peel(s, w, in, &out);
    struct bytes inside = u.fault ? before_the_cut(buffer_view(&out)) : buffer_view(&out);
    if (!u.fault || inside.len)
        look_into(s, inside, path);
    give_back(s, &out);
    if (u.fault)
        s->unseen = u.over ? ERR_LIMIT : ERR_FORMAT;
}

/* ---- strings within JSON ---- */

static bool reads_to_its_end(struct bytes in)
{
    static const struct field_path whole = {.count = 0};
    return !wrapping_begins_like_json(in) || json_reads_as_lines(in) ||
           json_find_under(in, &whole, NULL, ignore, NULL) == ERR_OK;
}

/* Of both: nothing of it is visited unless it can be opened to its end, and it is a string then; what is too much is neither. */
static bool look_into_base64(struct search *s, struct bytes text, enum held held,
                             const struct field_path *rest)
{
    struct buffer out;
    unsigned depth = s->depth;
    struct unwrapped u = peel(s, WRAP_BASE64, text, &out);
    struct bytes inside = buffer_view(&out);
    u.over = u.over || (!u.fault && !spend(s, inside.len));
    bool good =
        !u.over && !u.fault && (held == HOLDS_STREAM ? reads_to_its_end(inside) : json_reads_as_list(inside));
    if (u.over)
        s->unseen = ERR_LIMIT;
    if (good)
        look_into(s, inside, rest);
    give_back(s, &out);
    s->depth = depth;
    return good || u.over;
}

static bool look_into_list(struct search *s, struct bytes text, const struct field_path *rest)
{
    if (!spend(s, 2 * text.len))
        return true;
    if (!json_reads_as_list(text))
        return false;
    if (s->depth == LIMIT_UNWRAP_LAYERS) {
        s->unseen = ERR_LIMIT;
        return false;
    }
    s->depth++;
    (void)json_find_under(text, rest, look_into_string, pass_on, s);
    s->depth--;
    return true;
}

static bool look_into_string(void *context, struct bytes text, const struct field_path *rest)
{
    struct search *s = context;
    enum held held = wrapping_holds(text);
    if (s->stopped)
        return false;
    if (held == HOLDS_NOTHING)
        return text.len && (text.data[0] == '{' || text.data[0] == '[') && look_into_list(s, text, rest);
    if (s->depth == LIMIT_UNWRAP_LAYERS) {
        s->unseen = ERR_LIMIT;
        return false;
    }
    return look_into_base64(s, text, held, rest);
}

/* ---- what is inside ---- */

static bool is_line(const struct path_step *step, int64_t line)
{
    return step->index >= 0 ? step->index == line : !step->name.data;
}

/* Several documents are the elements of an array. */
static void look_into_lines(struct search *s, struct bytes in, const struct field_path *path)
{
    struct field_path rest = {.count = path->count ? path->count - 1 : 0};
    int64_t line = 0;
    if (!path->count) {
        pass_on(s, FIELD_ARRAY, BYTES_NULL, in);
        return;
    }
    memcpy(rest.steps, path->steps + 1, rest.count * sizeof *rest.steps);
    for (size_t at = 0, begin, end; !s->stopped && json_line(in, &at, &begin, &end); line++)
        if (is_line(path->steps, line) && spend(s, 0))
            (void)json_find_under(bytes_slice(in, begin, end - begin), &rest, look_into_string, pass_on, s);
}

/* JSON is read twice: are these lines, and what is at the path? */
static void look_into(struct search *s, struct bytes in, const struct field_path *path)
{
    if (!spend(s, 2 * in.len))
        return;
    if (!wrapping_begins_like_json(in)) {
        if (!path->count)
            pass_on(s, utf8_valid(in) ? FIELD_STRING : FIELD_BYTES, in, in);
    } else if (json_reads_as_lines(in)) {
        look_into_lines(s, in, path);
    } else {
        (void)json_find_under(in, path, look_into_string, pass_on, s);
    }
}

enum err unwrap_find(struct bytes in, const struct field_path *path, field_visit *visit, void *context)
{
    struct effort effort = {.left = LIMIT_UNWRAP_WORK};
    struct search s = {.visit = visit, .context = context, .effort = &effort, .left = LIMIT_UNWRAP_FIND};
    enum wrapping w = wrapping_of(in, false);
    if (w == WRAP_NONE && (wrapping_begins_like_json(in) || (in.len && in.data[0] == '"')))
        (void)json_find_under(in, path, look_into_string, pass_on, &s);
    else if (w == WRAP_NONE && !wrapping_reads_as_base64(in))
        return ERR_FORMAT;
    else
        look_behind(&s, w == WRAP_NONE ? WRAP_BASE64 : w, in, path);
    effort_end(&effort);
    return s.unseen;
}
