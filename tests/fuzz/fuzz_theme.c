/* Any text as a theme: no crash, and a fault that is named with its line. A theme that is taken, written down role by role, is
 * read again the same. */
#include "fuzz.h"

#include "base/buffer.h"
#include "base/limits.h"
#include "ui/theme.h"

#include <stdlib.h>

static const char *const names[] = {
#define X(name, text) text,
#include "ui/roles.def"
#undef X
};

static void require(int truth)
{
    if (!truth)
        abort();
}

static void write_theme(const struct theme *t, struct buffer *out)
{
    static const char *const attributes[] = {"bold", "dim", "underline", "reverse", "italic"};
    for (int i = 0; i < ROLES; i++) {
        const struct theme_style *s = &t->roles[i];
        require(s->fg >= THEME_DEFAULT_COLOUR && s->fg <= 255 && s->bg >= THEME_DEFAULT_COLOUR &&
                s->bg <= 255);
        buffer_printf(out, "%s =", names[i]);
        for (unsigned a = 0; a < sizeof attributes / sizeof *attributes; a++)
            if (s->attributes >> a & 1)
                buffer_printf(out, " %s", attributes[a]);
        if (s->fg != THEME_DEFAULT_COLOUR)
            buffer_printf(out, " %d", s->fg);
        if (s->bg != THEME_DEFAULT_COLOUR)
            buffer_printf(out, " on %d", s->bg);
        buffer_byte(out, '\n');
    }
}

static bool styles_equal(const struct theme_style *a, const struct theme_style *b)
{
    return a->fg == b->fg && a->bg == b->bg && a->attributes == b->attributes && a->set == b->set;
}

static void round_trip(const struct theme *t)
{
    struct buffer text;
    struct theme back;
    struct err_info err = {.code = ERR_OK};
    buffer_init(&text, 1 * MIB);
    write_theme(t, &text);
    require(theme_parse(&back, t->name, buffer_view(&text), &err) == ERR_OK);
    for (int i = 0; i < ROLES; i++)
        require(styles_equal(&t->roles[i], &back.roles[i]));
    buffer_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct theme t;
    struct err_info err = {.code = ERR_OK};
    if (theme_parse(&t, "x", bytes_of(data, size), &err) == ERR_OK)
        round_trip(&t);
    else
        require(err.code == ERR_CONFIG && err.text[0]);
    return 0;
}
