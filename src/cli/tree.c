#include "cli/tree.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "cli/cli.h"

#define DIM    "\033[2m"
#define CYAN   "\033[36m"
#define RED    "\033[31m"
#define NORMAL "\033[0m"

enum { PER_ROW = 16, PER_GROUP = 8 };

static void paint(struct buffer *out, bool color, const char *code)
{
    if (color)
        buffer_text(out, code);
}

static void put_name(struct buffer *out, const struct field_tree *t, const struct field *f, bool color)
{
    struct bytes name = field_name(t, f);
    paint(out, color, CYAN);
    if (name.data)
        utf8_scrub(out, name, SCRUB_PLAIN);
    else
        buffer_printf(out, "[%u]", f->index);
    paint(out, color, NORMAL);
    buffer_text(out, ": ");
}

static void put_indent(struct buffer *out, unsigned depth)
{
    for (unsigned d = 0; d < depth; d++)
        buffer_text(out, "  ");
}

static void put_offset(struct buffer *out, size_t at, unsigned depth, bool color)
{
    put_indent(out, depth);
    paint(out, color, DIM);
    buffer_printf(out, "%08zx", at);
    paint(out, color, NORMAL);
}

static void put_bytes_row(struct buffer *out, struct bytes row)
{
    static const char digits[] = "0123456789abcdef";
    char text[PER_ROW * 3 + 2];
    size_t at = 0;
    for (size_t i = 0; i < PER_ROW; i++) {
        text[at++] = ' ';
        if (i % PER_GROUP == 0)
            text[at++] = ' ';
        text[at++] = i < row.len ? digits[row.data[i] >> 4] : ' ';
        text[at++] = i < row.len ? digits[row.data[i] & 15] : ' ';
    }
    buffer_append(out, text, at);
    buffer_text(out, "  |");
    for (size_t i = 0; i < row.len; i++)
        buffer_byte(out, row.data[i] >= 0x20 && row.data[i] < 0x7F ? row.data[i] : '.');
    buffer_text(out, "|\n");
}

/* Once it is much. */
static int print_some(struct buffer *out)
{
    if (out->len < MIB)
        return 0;
    int code = cli_print(out);
    buffer_clear(out);
    return code;
}

/* As hexdump -C writes them, each row of them. */
static int put_bytes(struct buffer *out, struct bytes data, unsigned depth, bool color)
{
    int code = 0;
    for (size_t at = 0; at < data.len && !code; at += PER_ROW) {
        put_offset(out, at, depth, color);
        put_bytes_row(out, bytes_slice(data, at, PER_ROW));
        code = print_some(out);
    }
    put_offset(out, data.len, depth, color);
    return code;
}

/* In pieces, between characters: a value may be as large as the payload. */
static int put_text(struct buffer *out, struct bytes text)
{
    int code = 0;
    for (size_t at = 0, end; at < text.len && !code; at = end) {
        end = text.len - at > MIB ? at + MIB : text.len;
        for (int back = 0; back < 3 && end < text.len && (text.data[end] & 0xC0) == 0x80; back++)
            end--;
        utf8_scrub(out, bytes_slice(text, at, end - at), SCRUB_PLAIN);
        code = print_some(out);
    }
    return code;
}

static int put_value(struct buffer *out, const struct field_tree *t, const struct field *f, bool color)
{
    int code = 0;
    switch (f->kind) {
    case FIELD_OBJECT:
    case FIELD_ARRAY:
        paint(out, color, DIM);
        buffer_printf(out, f->kind == FIELD_OBJECT ? "{%u%s}" : "[%u%s]", f->children,
                      f->flags & FIELD_CUT ? "+" : "");
        paint(out, color, NORMAL);
        break;
    case FIELD_LAYER:
        paint(out, color, DIM);
        buffer_printf(out, "(%s)", field_type(t, f));
        paint(out, color, NORMAL);
        break;
    case FIELD_NULL: buffer_text(out, "null"); break;
    case FIELD_STRING:
        buffer_byte(out, '"');
        code = put_text(out, field_text(t, f));
        buffer_byte(out, '"');
        break;
    case FIELD_ERROR:
        paint(out, color, RED);
        buffer_text(out, "! ");
        code = put_text(out, field_text(t, f));
        paint(out, color, NORMAL);
        break;
    default: code = put_text(out, field_text(t, f));
    }
    return code ? code : print_some(out);
}

int tree_print(struct buffer *out, const struct field_tree *tree, bool color)
{
    int code = 0;
    for (uint32_t i = 0; i < tree->count && !code; i++) {
        const struct field *f = &tree->nodes[i];
        bool named = f->parent != UINT32_MAX;
        if (named) {
            put_indent(out, f->depth);
            put_name(out, tree, f, color);
        }
        if (named && f->kind == FIELD_BYTES)
            buffer_byte(out, '\n');
        if (f->kind == FIELD_BYTES)
            code = put_bytes(out, field_text(tree, f), f->depth + named, color);
        else
            code = put_value(out, tree, f, color);
        if (f->flags & FIELD_DUPLICATE)
            buffer_text(out, "  (duplicate name)");
        buffer_byte(out, '\n');
    }
    return code;
}
