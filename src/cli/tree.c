#include "cli/tree.h"

#include "base/utf8.h"

#define DIM    "\033[2m"
#define CYAN   "\033[36m"
#define RED    "\033[31m"
#define NORMAL "\033[0m"

static void paint(struct buffer *out, bool color, const char *code)
{
    if (color)
        buffer_text(out, code);
}

static void put_name(struct buffer *out, const struct field *f, bool color)
{
    paint(out, color, CYAN);
    if (f->name.data)
        utf8_scrub(out, f->name, SCRUB_PLAIN);
    else
        buffer_printf(out, "[%u]", f->index);
    paint(out, color, NORMAL);
    buffer_text(out, ": ");
}

static void put_value(struct buffer *out, const struct field *f, bool color)
{
    switch (f->kind) {
    case FIELD_OBJECT:
    case FIELD_ARRAY:
        paint(out, color, DIM);
        buffer_printf(out, f->kind == FIELD_OBJECT ? "{%u%s}" : "[%u%s]", f->children,
                      f->flags & FIELD_CUT ? "+" : "");
        paint(out, color, NORMAL);
        return;
    case FIELD_LAYER:
        paint(out, color, DIM);
        buffer_printf(out, "(%s)", f->type ? f->type : "layer");
        paint(out, color, NORMAL);
        return;
    case FIELD_NULL: buffer_text(out, "null"); return;
    case FIELD_STRING:
        buffer_byte(out, '"');
        utf8_scrub(out, f->text, SCRUB_PLAIN);
        buffer_byte(out, '"');
        return;
    case FIELD_ERROR:
        paint(out, color, RED);
        buffer_text(out, "! ");
        utf8_scrub(out, f->text, SCRUB_PLAIN);
        paint(out, color, NORMAL);
        return;
    default: utf8_scrub(out, f->text, SCRUB_PLAIN);
    }
}

void tree_print(struct buffer *out, const struct field_tree *tree, bool color)
{
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct field *f = &tree->nodes[i];
        for (unsigned d = 0; d < f->depth; d++)
            buffer_text(out, "  ");
        if (f->parent != UINT32_MAX)
            put_name(out, f, color);
        put_value(out, f, color);
        if (f->flags & FIELD_DUPLICATE)
            buffer_text(out, "  (stands twice)");
        buffer_byte(out, '\n');
    }
}
