/* Every decoder over any bytes: no crash, and a tree whose ranges and order hold. The quick look-up must agree with it. */
#include "fuzz.h"

#include "base/limits.h"
#include "decoders/hex.h"
#include "decoders/json.h"
#include "decoders/text.h"
#include "decoders/unwrap.h"

#include <stdlib.h>

static const struct decoder_ops *const decoders[] = {&json_decoder, &unwrap_decoder, &text_decoder,
                                                     &hex_decoder};

static void require(int truth)
{
    if (!truth)
        abort();
}

static void check_tree(const struct field_tree *t, struct bytes in)
{
    for (uint32_t i = 0; i < t->count; i++) {
        const struct field *f = &t->nodes[i];
        struct bytes layer = f->layer ? t->layers[f->layer - 1] : in;
        require(f->layer <= t->layer_count && f->next > i && f->next <= t->count);
        require((size_t)f->offset + f->length <= layer.len &&
                (size_t)f->name_offset + f->name_length <= layer.len);
        require(f->parent == UINT32_MAX || (f->parent < i && t->nodes[f->parent].next >= f->next));
    }
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
    for (size_t i = 0; i < sizeof decoders / sizeof *decoders; i++) {
        struct field_tree tree;
        const char *why = NULL;
        field_tree_init(&tree, &arena);
        int score = decoders[i]->sniff(in, NULL, &why);
        require(score >= 0 && score <= 100 && why);
        enum err e = decoders[i]->decode(in, NULL, &tree);
        require((e == ERR_OK) == tree.complete);
        check_tree(&tree, in);
        if (e || !decoders[i]->find || field_path_parse(&path, BYTES_LITERAL("a[*].b"), &arena, NULL))
            continue;
        size_t quick = 0, slow = 0;
        require(decoders[i]->find(in, &path, count, &quick) == ERR_OK);
        field_find(&tree, &path, count, &slow);
        require(quick == slow);
    }
    arena_free(&arena);
    return 0;
}
