/* Every decoder over any bytes: no crash, and a tree whose ranges and order hold. The quick look-up must agree with it. */
#include "fuzz.h"

#include "base/buffer.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "registry.h"

#include <stdlib.h>

static void require(int truth)
{
    if (!truth)
        abort();
}

/* A sanitizer sees what is read. */
static void read_all(struct bytes b)
{
    static volatile uint8_t sum;
    for (size_t i = 0; i < b.len; i++)
        sum = (uint8_t)(sum + b.data[i]);
}

static void check_tree(const struct field_tree *t, struct bytes in)
{
    for (uint32_t i = 0; i < t->count; i++) {
        const struct field *f = &t->nodes[i];
        struct bytes layer = f->layer ? t->layers[f->layer - 1] : in;
        require(f->layer <= t->layer_count && f->next > i && f->next <= t->count);
        uint32_t name, name_length;
        field_name_range(t, f, &name, &name_length);
        require((size_t)f->offset + f->length <= layer.len && (size_t)name + name_length <= layer.len);
        read_all(field_name(t, f));
        read_all(field_text(t, f));
        read_all(bytes_of_text(field_type(t, f)));
        require(f->parent == UINT32_MAX || (f->parent < i && t->nodes[f->parent].next >= f->next));
    }
}

/* What goes to a screen is valid UTF-8 without control characters. */
static void check_gist(const struct decoder_ops *d, struct bytes in)
{
    struct buffer line;
    buffer_init(&line, 64 * KIB);
    if (d->gist)
        d->gist(in, &line);
    struct bytes text = buffer_view(&line);
    require(utf8_valid(text));
    for (size_t i = 0; i < text.len; i++)
        require(text.data[i] >= 0x20 && text.data[i] != 0x7F);
    buffer_free(&line);
}

static bool count(void *context, enum field_kind kind, struct bytes text, struct bytes raw)
{
    (void)kind, (void)text, (void)raw;
    ++*(size_t *)context;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    struct field_path path;
    struct arena arena;
    arena_init(&arena, LIMIT_DECODE_ARENA);
    for (decoder_registry d = registry.decoders; *d; d++) {
        struct field_tree tree;
        const char *why = NULL;
        field_tree_init(&tree, &arena, in);
        int score = (*d)->sniff(in, NULL, &why);
        require(score >= 0 && score <= 100 && why);
        enum err e = (*d)->decode(in, NULL, &tree);
        require((e == ERR_OK) == tree.complete);
        check_tree(&tree, in);
        check_gist(*d, in);
        if (e || tree.unopened || !(*d)->find ||
            field_path_parse(&path, BYTES_LITERAL("a[*].b"), &arena, NULL))
            continue;
        size_t quick = 0, slow = 0;
        require((*d)->find(in, &path, count, &quick) == ERR_OK);
        field_find(&tree, &path, count, &slow);
        require(quick == slow);
    }
    arena_free(&arena);
    return 0;
}
