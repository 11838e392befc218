#include "cli/encode.h"

#include "base/utf8.h"
#include "engine/message_json.h"

#include <unistd.h>

#define DIM    "\033[2m"
#define CYAN   "\033[36m"
#define YELLOW "\033[33m"
#define NORMAL "\033[0m"

int encoder_init(struct encoder *e, const struct cli *c)
{
    struct err_info err = {.code = ERR_OK};
    *e = (struct encoder){
        .registry = c->registry,
        .encoding = cli_flag(c, FLAG_JSON)     ? ENCODE_JSON
                    : cli_flag(c, FLAG_PLAIN)  ? ENCODE_PLAIN
                    : cli_flag(c, FLAG_FORMAT) ? ENCODE_TEMPLATE
                                               : ENCODE_PEOPLE,
        .json_flags = cli_flag(c, FLAG_DECODE) ? MESSAGE_JSON_DECODE : 0,
        .color = cli_color(c, STDOUT_FILENO),
        .marks = cli_flag(c, FLAG_DEDUPE_BY),
    };
    if (e->encoding == ENCODE_TEMPLATE && !(e->template = template_new(cli_text(c, FLAG_FORMAT), &err)))
        return cli_error(&err);
    return 0;
}

void encoder_free(struct encoder *e)
{
    template_free(&e->template);
}

bool encoder_is_bare(const struct encoder *e)
{
    return e->encoding == ENCODE_PLAIN && !e->marks;
}

static void colored(const struct encoder *e, struct buffer *out, const char *color, const char *text)
{
    buffer_printf(out, e->color ? "%s%s%s" : "%.0s%s%.0s", color, text, NORMAL);
}

/* Null and empty are told apart, and from a dash. */
static void shown(struct buffer *out, struct bytes b)
{
    if (!b.data)
        buffer_text(out, "\\N");
    else if (!b.len)
        buffer_text(out, "\"\"");
    else
        utf8_scrub(out, b, SCRUB_SCREEN);
}

static void people(const struct encoder *e, struct buffer *out, const struct message *m)
{
    char text[80];
    colored(e, out, DIM, m->time_ns == TIME_NONE ? "-" : clock_rfc3339(m->time_ns, text, sizeof text));
    buffer_text(out, "  ");
    if (e->color)
        buffer_text(out, CYAN);
    utf8_scrub(out, bytes_of_text(m->origin->channel), SCRUB_SCREEN);
    if (e->color)
        buffer_text(out, NORMAL);
    position_text(m->position, text, sizeof text);
    buffer_printf(out, "  %s  ", *text ? text : "-");
    if (e->color)
        buffer_text(out, YELLOW);
    shown(out, m->key);
    if (e->color)
        buffer_text(out, NORMAL);
    buffer_printf(out, "  %zu  ", m->payload.len);
    if (m->flags) { /* an aborted message must not look like any other */
        buffer_printf(out, "[%s]", message_flags_text(m->flags, text, sizeof text));
        buffer_text(out, "  ");
    }
    shown(out, m->payload);
}

void encode_line(const struct encoder *e, struct buffer *out, const struct message *m)
{
    switch (e->encoding) {
    case ENCODE_JSON: message_json(out, m, e->registry->decoders, e->json_flags); break;
    case ENCODE_PLAIN:
        message_plain(out, m);
        if (e->marks)
            buffer_text(out, m->flags & MESSAGE_DUPLICATE ? "\tduplicate" : "\t");
        break;
    case ENCODE_TEMPLATE: template_line(e->template, out, m, e->registry->decoders); break;
    default: people(e, out, m);
    }
    buffer_byte(out, '\n');
}
