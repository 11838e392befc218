/* What a filter says that is allowed and perhaps not meant, and the nearest of what is known to what is not. */
#include "engine/decode.h"
#include "engine/filter_internal.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

/* The first one counts: what is behind it may be its consequence. */
static void remark(struct filter *f, const char *format, ...) SB_PRINTF(2, 3);
static void remark(struct filter *f, const char *format, ...)
{
    va_list args;
    if (*f->remark)
        return;
    va_start(args, format);
    vsnprintf(f->remark, sizeof f->remark, format, args);
    va_end(args);
}

/* Dates as text are what people mean; a word behind < or > rather is a slip, and finds nothing among numbers, as is a number that
 * the next term was typed on to without a space. */
static bool has_order_as_text(struct bytes t)
{
    if (t.data[0] < '0' || t.data[0] > '9')
        return false;
    for (size_t i = 1; i < t.len; i++)
        if (memchr("<>=~", t.data[i], 4))
            return false;
    return true;
}

void filter_remark_on_order(struct filter *f, const struct node *n)
{
    static const char *const signs[] = {[OP_LT] = "<", [OP_LE] = "<=", [OP_GT] = ">", [OP_GE] = ">="};
    struct bytes t = n->pattern.text;
    if (n->op < OP_LT || n->is_number || n->pattern.exact || !t.len || has_order_as_text(t))
        return;
    remark(f, "`%.*s` is no number: %s compares as text", (int)(t.len < 40 ? t.len : 40),
           (const char *)t.data, signs[n->op]);
}

/* A shell and most languages quote with them; here they are a character like any other. */
void filter_remark_on_quotes(struct filter *f, const struct pattern *pattern)
{
    if (!pattern->re && !pattern->exact && pattern->text.len > 1 && pattern->text.data[0] == '"')
        remark(f, "the \" of `%.*s` is looked for as it stands; single quotes hold a text together",
               (int)(pattern->text.len < 30 ? pattern->text.len : 30), (const char *)pattern->text.data);
}

/* A word that no kind of channel has; endpoints and probes of the screen have kinds of their own. */
void filter_remark_on_kind(struct filter *f, const struct node *n)
{
    const char *kinds[CHANNEL_KINDS + 1], *near;
    char text[40];
    size_t count = 0;
    for (int kind = CHANNEL_ANY + 1; kind < CHANNEL_KINDS; kind++)
        kinds[count++] = channel_kind_name((enum channel_kind)kind);
    kinds[count] = NULL;
    text_copy_bytes(text, sizeof text, n->pattern.text);
    for (size_t i = 0; i < count; i++)
        if (!strcasecmp(text, kinds[i]))
            return;
    near = text_nearest(text, kinds);
    remark(f, near ? "no channel is a `%s`; did you mean `%s`?" : "no channel is a `%s`", text, near);
}

void filter_remark_on_open(struct filter *f, const char *word)
{
    static const char *const open[] = {"body.", "headers.", "properties."};
    for (size_t i = 0; f->kind == FILTER_MESSAGES && i < sizeof open / sizeof *open; i++)
        if (text_starts(word, open[i]))
            remark(f, "`%s` without a test is looked for as text; write %s%s=VALUE", open[i], open[i],
                   i ? "NAME" : "PATH");
}

/* The words of other languages, beside other terms: alone they are what is looked for. */
void filter_remark_on_words(struct filter *f, const struct node *all)
{
    static const struct {
        const char *word, *instead;
    } words[] = {{"or", "write | for or"},
                 {"and", "terms side by side must all match"},
                 {"&&", "terms side by side must all match"},
                 {"not", "write ! before the term, without a space"}};
    char text[8];
    for (const struct node *n = all->first; n && all->first->next; n = n->next)
        for (size_t i = 0; n->kind == NODE_WORD && i < sizeof words / sizeof *words; i++)
            if (!n->pattern.exact && !n->pattern.re && n->pattern.text.len < sizeof text &&
                !strcasecmp(text_copy_bytes(text, sizeof text, n->pattern.text), words[i].word))
                remark(f, "`%s` is looked for as a word; %s", text, words[i].instead);
}

bool filter_meant_field(const char *const *names, const char *word, char *into, size_t size)
{
    char first[64];
    const char *point = strchr(word, '.'), *rest = point ? point + 1 : "";
    const char *near = text_nearest(word, names);
    bool open = near && near[strlen(near) - 1] == '.';
    if (point && (!near || open)) {
        text_copy_bytes(first, sizeof first, bytes_of(word, (size_t)(point + 1 - word)));
        near = text_nearest(first, names);
        open = near && near[strlen(near) - 1] == '.';
    }
    if (near)
        snprintf(into, size, "%s%s", near, !open ? "" : *rest ? rest : *near == 'b' ? "PATH" : "NAME");
    return near != NULL;
}

bool filter_knows_format(const struct filter *f, const char *name, char *next, size_t size)
{
    const char *names[32], *near;
    char all[200];
    size_t count = 0;
    for (decoder_registry d = f->decoders; d && *d && count + 2 < sizeof names / sizeof *names; d++) {
        if (!strcasecmp(name, (*d)->name))
            return true;
        names[count++] = (*d)->name;
    }
    names[count++] = FORMAT_OF_NULL;
    names[count] = NULL;
    if (count == 1 || !strcasecmp(name, FORMAT_OF_NULL))
        return true;
    near = text_nearest(name, names);
    if (near)
        snprintf(next, size, "did you mean `%s`?", near);
    else
        snprintf(next, size, "there are %s %s", decoder_names(f->decoders, all, sizeof all), FORMAT_OF_NULL);
    return false;
}
