#include "decoders/hex.h"

static int hex_sniff(struct bytes in, const struct decode_hint *hint, const char **why)
{
    (void)in, (void)hint;
    *why = "any bytes can be shown as they are";
    return 5;
}

static enum err hex_decode(struct bytes in, const struct decode_hint *hint, struct field_tree *tree)
{
    (void)hint;
    tree->format = "hex";
    uint32_t root = field_add(tree, UINT32_MAX, FIELD_BYTES, BYTES_NULL);
    if (root == UINT32_MAX)
        return ERR_LIMIT;
    tree->nodes[root].text = in.data ? in : BYTES_LITERAL("");
    tree->nodes[root].type = "bytes";
    tree->nodes[root].length = (uint32_t)in.len;
    return ERR_OK;
}

const struct decoder_ops hex_decoder = {.name = "hex", .sniff = hex_sniff, .decode = hex_decode};
