#include "engine/decode.h"

#include "base/buffer.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/utf8.h"

#include <stdio.h>

#define SURE 95 /* of 100 */

const struct decoder_ops *decoder_find(decoder_registry decoders, const char *name)
{
    for (; *decoders; decoders++)
        if (strcmp((*decoders)->name, name) == 0)
            return *decoders;
    return NULL;
}

char *decoder_names(decoder_registry decoders, char *into, size_t size)
{
    size_t used = 0;
    *into = '\0';
    for (; *decoders && used < size; decoders++)
        used += (size_t)snprintf(into + used, size - used, "%s%s", used ? " " : "", (*decoders)->name);
    return into;
}

static const char *text_of(const struct message *m, const char *property, const char *header, char *into,
                           size_t size)
{
    const struct value *v = headers_find(m->properties, bytes_of_text(property));
    if (!v)
        v = headers_find(m->headers, bytes_of_text(header));
    if (!v || (v->type != VALUE_STRING && v->type != VALUE_BYTES) || !v->bytes.data)
        return NULL;
    return text_copy_bytes(into, size, v->bytes);
}

struct decode_hint decode_hint_of(const struct message *m, struct decode_hint_text *text)
{
    return (struct decode_hint){
        .content_type =
            text_of(m, "content_type", "content-type", text->content_type, sizeof text->content_type),
        .content_encoding = text_of(m, "content_encoding", "content-encoding", text->content_encoding,
                                    sizeof text->content_encoding),
        .type = m->origin ? m->origin->type : NULL,
    };
}

static struct decode_choice choose(decoder_registry decoders, const struct message *m, const char *wanted,
                                   bool glance)
{
    struct decode_hint_text text;
    struct decode_hint hint = decode_hint_of(m, &text);
    hint.glance = glance;
    struct bytes payload = m->payload.data ? m->payload : BYTES_LITERAL("");
    const char *rule = m->origin ? m->origin->decode : NULL;
    const struct decoder_ops *named = wanted ? decoder_find(decoders, wanted) : NULL;
    if (named)
        return (struct decode_choice){named, 100, "asked for"};
    if (rule && (named = decoder_find(decoders, rule)))
        return (struct decode_choice){named, 100, "the configuration names it for this channel"};
    struct decode_choice best = {NULL, -1, ""};
    /* Who is as sure as that is right: the others need not look, which a tail as JSON feels. */
    for (; *decoders && best.score < SURE; decoders++) {
        const char *why = "";
        int score = (*decoders)->sniff(payload, &hint, &why);
        if (score > best.score)
            best = (struct decode_choice){*decoders, score, why};
    }
    return best;
}

struct decode_choice decode_choose(decoder_registry decoders, const struct message *m, const char *wanted)
{
    return choose(decoders, m, wanted, false);
}

const char *decode_format(decoder_registry decoders, const struct message *m)
{
    return m->payload.data ? decode_choose(decoders, m, NULL).decoder->name : NULL;
}

enum err decode_message(const struct decode_choice *choice, const struct message *m, struct field_tree *tree,
                        struct arena *arena)
{
    struct decode_hint_text text;
    struct decode_hint hint = decode_hint_of(m, &text);
    struct bytes payload = m->payload.data ? m->payload : BYTES_LITERAL("");
    field_tree_init(tree, arena, payload);
    return choice->decoder->decode(payload, &hint, tree);
}

void decoded_make(struct decoded *d, decoder_registry decoders, const struct message *m, const char *wanted)
{
    decoded_free(d);
    arena_init(&d->arena, LIMIT_DECODE_VIEW);
    d->choice = decode_choose(decoders, m, wanted);
    field_tree_init(&d->tree, &d->arena, m->payload);
    if (m->payload.data) /* the tree itself says what went wrong */
        (void)decode_message(&d->choice, m, &d->tree, &d->arena);
}

void decoded_move(struct decoded *to, struct decoded *from)
{
    decoded_free(to);
    *to = *from;
    to->tree.arena = &to->arena;
    *from = (struct decoded){.choice = {.decoder = NULL}};
}

void decoded_free(struct decoded *d)
{
    arena_free(&d->arena);
    *d = (struct decoded){.choice = {.decoder = NULL}};
}

/* ---- one line ---- */

/* Whole characters up to so many cells; an ellipsis takes the last one where more follows. */
static void append_cells(struct buffer *into, struct bytes text, size_t cells)
{
    if (!cells)
        return;
    size_t used = 0, cut = 0; /* cut: behind the last character that leaves room for the ellipsis */
    for (size_t at = 0; at < text.len && used <= cells;) {
        uint32_t cp = utf8_next(text, &at);
        int width = cp == UTF8_INVALID ? 1 : utf8_width(cp);
        used += width > 0 ? (size_t)width : 0;
        if (used < cells)
            cut = at;
    }
    if (used <= cells) {
        buffer_bytes(into, text);
        return;
    }
    buffer_bytes(into, bytes_slice(text, 0, cut));
    buffer_text(into, "…");
}

const char *decode_summary(decoder_registry decoders, const struct message *m, size_t cells,
                           struct buffer *into)
{
    struct buffer line;
    if (!m->payload.data) {
        append_cells(into, BYTES_LITERAL("(null)"), cells);
        return NULL;
    }
    struct decode_choice choice = choose(decoders, m, NULL, true);
    buffer_init(&line, 64 * KIB);
    if (m->payload.len == 0)
        buffer_text(&line, "(empty)");
    else if (cells && choice.decoder->gist)
        choice.decoder->gist(m->payload, &line);
    else
        utf8_scrub(&line, bytes_slice(m->payload, 0, 4 * cells + 64), SCRUB_SCREEN);
    append_cells(into, buffer_view(&line), cells);
    buffer_free(&line);
    return choice.decoder->name;
}
