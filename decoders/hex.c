#include "decoders/hex.h"

#include "base/buffer.h"

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
    uint32_t root = field_add(tree, UINT32_MAX, FIELD_BYTES);
    if (root == UINT32_MAX)
        return ERR_LIMIT;
    tree->nodes[root].length = (uint32_t)in.len;
    field_set_text(tree, root, in.data ? in : BYTES_LITERAL(""));
    return ERR_OK;
}

static void hex_gist(struct bytes in, struct buffer *line)
{
    struct bytes head = bytes_slice(in, 0, 48);
    for (size_t i = 0; i < head.len; i++)
        buffer_printf(line, "%02x ", head.data[i]);
}

const struct decoder_ops hex_decoder = {
    .name = "hex", .sniff = hex_sniff, .decode = hex_decode, .gist = hex_gist};
