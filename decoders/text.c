#include "decoders/text.h"

#include "base/utf8.h"

static int text_sniff(struct bytes in, const struct decode_hint *hint, const char **why)
{
    struct bytes head = bytes_slice(in, 0, 65536);
    size_t controls = 0;
    if (hint && hint->content_type && strncmp(hint->content_type, "text/", 5) == 0 && utf8_valid(head)) {
        *why = "the content type says text";
        return 70;
    }
    if (in.len == 0) {
        *why = "empty";
        return 20;
    }
    /* The cut may have parted a character; three bytes less cannot. */
    if (!utf8_valid(head) && (in.len == head.len || !utf8_valid(bytes_slice(head, 0, head.len - 3)))) {
        *why = "not valid UTF-8";
        return 0;
    }
    for (size_t i = 0; i < head.len; i++)
        controls += head.data[i] < 0x20 && !memchr("\t\r\n", head.data[i], 3);
    if (controls) {
        *why = controls * 20 < head.len ? "UTF-8 with a few control characters"
                                        : "too many control characters for text";
        return controls * 20 < head.len ? 25 : 2;
    }
    *why = "valid UTF-8 without control characters";
    return 50;
}

static enum err text_decode(struct bytes in, const struct decode_hint *hint, struct field_tree *tree)
{
    (void)hint;
    tree->format = "text";
    uint32_t root = field_add(tree, UINT32_MAX, FIELD_STRING);
    if (root == UINT32_MAX)
        return ERR_LIMIT;
    field_set_type(tree, root, "text");
    tree->nodes[root].length = (uint32_t)in.len;
    field_set_text(tree, root, in.data ? in : BYTES_LITERAL(""));
    if (utf8_valid(in))
        return ERR_OK;
    size_t at = 0, before = 0;
    while (at < in.len && (before = at, utf8_next(in, &at) != UTF8_INVALID))
        ;
    field_fail(tree, (uint32_t)before, "invalid UTF-8");
    return ERR_FORMAT;
}

const struct decoder_ops text_decoder = {.name = "text", .sniff = text_sniff, .decode = text_decode};
