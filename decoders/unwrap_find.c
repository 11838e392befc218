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
    size_t left;     /* so much more may be open at once */
    size_t *work;    /* so much more may be taken off in all, with what is only tried */
    unsigned depth;  /* layers that are open */
    bool stopped;    /* the visitor has had enough */
    enum err unseen; /* why something that may have what is looked for was not seen */
};

static const struct field_path whole_of_it = {.count = 0};

static enum err look_into(struct search *s, struct bytes in, const struct field_path *path);

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

/* ---- layers ---- */

/* Until close_layer; also where it has a fault, with what came off. */
static struct unwrapped open_layer(struct search *s, enum wrapping w, struct bytes in, struct buffer *out)
{
    size_t most = wrapping_most(w, in);
    most = most < s->left ? most : s->left;
    most = most < *s->work ? most : *s->work;
    *out = (struct buffer){.data = most ? malloc(most) : NULL, .cap = most, .max = most};
    struct unwrapped u = {.fault = "no room", .over = true};
    if (out->data)
        u = wrapping_take_off(w, in, out);
    s->left -= out->len;
    *s->work -= out->len;
    s->depth++;
    return u;
}

static void close_layer(struct search *s, struct buffer *out)
{
    s->left += out->len;
    s->depth--;
    free(out->data);
}

/* Half a number is another one; whatever else is cut is nothing. */
static struct bytes before_the_cut(struct bytes in)
{
    while (in.len && memchr("+-.0123456789Ee", in.data[in.len - 1], 15))
        in.len--;
    return in;
}

static enum err look_behind(struct search *s, enum wrapping w, struct bytes in, const struct field_path *path)
{
    struct buffer out;
    if (s->depth == LIMIT_UNWRAP_LAYERS)
        return s->unseen = ERR_LIMIT;
    struct unwrapped u = open_layer(s, w, in, &out);
    enum err e = look_into(s, u.fault ? before_the_cut(buffer_view(&out)) : buffer_view(&out), path);
    close_layer(s, &out);
    return u.fault ? s->unseen = u.over ? ERR_LIMIT : ERR_FORMAT : e;
}

/* ---- strings within JSON ---- */

/* Nothing of it is visited unless it can be opened to its end. */
static bool reads_to_its_end(struct search *s, struct bytes in)
{
    struct search dry = {.visit = ignore, .left = s->left, .work = s->work, .depth = s->depth};
    enum err e = look_into(&dry, in, &whole_of_it);
    if (dry.unseen == ERR_LIMIT)
        s->unseen = ERR_LIMIT;
    return !e;
}

static bool look_into_base64(struct search *s, struct bytes text, enum held held,
                             const struct field_path *rest)
{
    struct buffer out;
    struct unwrapped u = open_layer(s, WRAP_BASE64, text, &out);
    struct bytes inside = buffer_view(&out);
    bool good = !u.fault && (held == HOLDS_STREAM ? reads_to_its_end(s, inside) : json_reads_as_list(inside));
    if (u.over)
        s->unseen = ERR_LIMIT;
    if (good)
        (void)look_into(s, inside, rest);
    close_layer(s, &out);
    return good;
}

static bool look_into_string(void *context, struct bytes text, const struct field_path *rest)
{
    struct search *s = context;
    enum held held = wrapping_holds(text);
    bool list = held == HOLDS_NOTHING && json_reads_as_list(text);
    if (s->depth == LIMIT_UNWRAP_LAYERS && (held || list))
        s->unseen = ERR_LIMIT;
    if (s->depth == LIMIT_UNWRAP_LAYERS || s->stopped)
        return false;
    if (held != HOLDS_NOTHING && look_into_base64(s, text, held, rest))
        return true;
    if (!list)
        return false;
    s->depth++;
    (void)json_find_under(text, rest, look_into_string, pass_on, s);
    s->depth--;
    return true;
}

/* ---- what is inside ---- */

static bool is_line(const struct path_step *step, int64_t line)
{
    return step->index >= 0 ? step->index == line : !step->name.data;
}

/* Several documents are the elements of an array. */
static enum err look_into_lines(struct search *s, struct bytes in, const struct field_path *path)
{
    struct field_path rest = {.count = path->count ? path->count - 1 : 0};
    int64_t line = 0;
    if (!path->count) {
        pass_on(s, FIELD_ARRAY, BYTES_NULL, in);
        return ERR_OK;
    }
    memcpy(rest.steps, path->steps + 1, rest.count * sizeof *rest.steps);
    for (size_t at = 0, begin, end; !s->stopped && json_line(in, &at, &begin, &end); line++)
        if (is_line(path->steps, line))
            (void)json_find_under(bytes_slice(in, begin, end - begin), &rest, look_into_string, pass_on, s);
    return ERR_OK;
}

static enum err look_into(struct search *s, struct bytes in, const struct field_path *path)
{
    enum wrapping w = wrapping_of(in);
    if (w != WRAP_NONE)
        return look_behind(s, w, in, path);
    if (wrapping_begins_like_json(in))
        return json_reads_as_lines(in) ? look_into_lines(s, in, path)
                                       : json_find_under(in, path, look_into_string, pass_on, s);
    if (!path->count)
        pass_on(s, utf8_valid(in) ? FIELD_STRING : FIELD_BYTES, in, in);
    return ERR_OK;
}

enum err unwrap_find(struct bytes in, const struct field_path *path, field_visit *visit, void *context)
{
    size_t work = LIMIT_UNWRAP_WORK;
    struct search s = {.visit = visit, .context = context, .left = LIMIT_UNWRAP_FIND, .work = &work};
    enum wrapping w = wrapping_of(in);
    if (w == WRAP_NONE && (wrapping_begins_like_json(in) || (in.len && in.data[0] == '"')))
        (void)json_find_under(in, path, look_into_string, pass_on, &s);
    else if (w == WRAP_NONE && !wrapping_reads_as_base64(in))
        return ERR_FORMAT;
    else
        (void)look_behind(&s, w == WRAP_NONE ? WRAP_BASE64 : w, in, path);
    return s.unseen;
}
