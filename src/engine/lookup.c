#include "engine/lookup.h"

#include "base/json.h"
#include "base/limits.h"
#include "engine/decode.h"

struct bytes lookup_needle(const struct field_path *path)
{
    struct bytes needle = BYTES_NULL;
    for (size_t i = 0; i < path->count; i++)
        /* A number of a JSON Pointer may be an index, which stands nowhere. */
        if (path->steps[i].name.data && path->steps[i].name.len > 0 && path->steps[i].index < 0)
            needle = path->steps[i].name;
    return needle;
}

static bool looks_like_json(struct bytes in)
{
    size_t at = json_mark(in);
    while (at < in.len &&
           (in.data[at] == ' ' || in.data[at] == '\n' || in.data[at] == '\r' || in.data[at] == '\t'))
        at++;
    return at < in.len && (in.data[at] == '{' || in.data[at] == '[');
}

/* Raw bytes first: a member that is named nowhere has no value. Only an escape could hide its name. */
static bool cannot_have(const struct lookup *l, struct bytes in)
{
    return l->needle.data && !memmem(in.data, in.len, l->needle.data, l->needle.len) &&
           !memchr(in.data, '\\', in.len);
}

enum err lookup_body(const struct lookup *l, const struct message *m, field_visit *visit, void *context,
                     bool *wrapped)
{
    struct bytes in = m->payload;
    *wrapped = false;
    if (!in.data)
        return ERR_OK;
    if (l->json && l->json->find && looks_like_json(in))
        return cannot_have(l, in) ? ERR_OK : l->json->find(in, l->path, visit, context);
    struct arena arena;
    struct field_tree tree;
    struct decode_choice choice = decode_choose(l->decoders, m, NULL);
    if (choice.decoder->find) {
        *wrapped = choice.decoder->wraps;
        return choice.decoder->find(in, l->path, visit, context);
    }
    arena_init(&arena, LIMIT_DECODE_ARENA);
    enum err e = decode_message(&choice, m, &tree, &arena);
    field_find(&tree, l->path, visit, context);
    arena_free(&arena);
    return e;
}
