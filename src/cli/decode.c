#include "cli/cli.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "cli/input.h"
#include "cli/tree.h"
#include "engine/decode.h"
#include "engine/message_json.h"

#include <unistd.h>

struct decoding {
    const struct cli *cli;
    const char *where;         /* file or - */
    const char *as;            /* NULL: found out */
    struct redactor *redactor; /* NULL: nothing is to be hidden */
    bool hidden;               /* something was */
    struct buffer out;
};

static int check_format(const struct cli *c, const char *as)
{
    const char *names[32];
    char all[200];
    size_t n = 0;
    for (decoder_registry d = c->registry->decoders; *d && n < 30; d++) {
        if (strcmp((*d)->name, as) == 0)
            return 0;
        names[n++] = (*d)->name;
    }
    if (strcmp(as, "jsonl") == 0)
        return 0;
    names[n++] = "jsonl";
    names[n] = NULL;
    const char *near = text_nearest(as, names);
    if (near)
        return cli_usage("--as %s: no such format; did you mean `%s`?", as, near);
    return cli_usage("--as %s: this build decodes no such format; there are jsonl %s", as,
                     decoder_names(c->registry->decoders, all, sizeof all));
}

/* With --as the decoded value alone, else within an object that says what was found. */
static void begin_value(struct decoding *d, struct json_writer *w, const char *format, const char *type)
{
    json_write(w, &d->out);
    if (d->as)
        return;
    json_object(w);
    json_name(w, "format");
    json_text(w, format);
    json_name(w, "type");
    json_text(w, *type ? type : NULL);
    json_name(w, "decoded");
}

static void end_value(struct decoding *d, struct json_writer *w)
{
    if (!d->as)
        json_object_end(w);
    buffer_byte(&d->out, '\n');
}

static void put_tree(struct decoding *d, const struct field_tree *tree)
{
    struct json_writer w;
    begin_value(d, &w, tree->format, tree->type);
    field_tree_json(&w, tree);
    end_value(d, &w);
}

/* What a tree has no room for is written as well. False: the tree must say what is wrong. */
static bool write_whole(struct decoding *d, const struct decoder_ops *decoder, struct bytes payload)
{
    struct decode_fault fault;
    struct json_writer w;
    size_t before = d->out.len;
    begin_value(d, &w, decoder->name, "");
    if (decoder->write(payload, &w, &fault)) {
        d->out.len = before;
        return false;
    }
    end_value(d, &w);
    return true;
}

static bool is_wrapped(const struct decoding *d, struct bytes payload)
{
    struct message m = {.payload = payload};
    return decode_choose(d->cli->registry->decoders, &m, NULL).decoder->wraps;
}

static void say_remedy(const struct decoding *d, const struct decoder_ops *decoder,
                       const struct field_tree *tree, struct bytes payload, struct err_info *err)
{
    if (tree->limited && decoder->write)
        err_next(err, "what is before that is shown; --json writes all of it");
    else if (!d->as)
        err_next(err, "--as FORMAT reads it as something else than %s; --as hex always can", decoder->name);
    else if (!decoder->wraps && is_wrapped(d, payload))
        err_next(err, "it is wrapped: --as unwrap reads what is inside");
}

/* What was taken off to come to that layer; "" for the payload itself. */
static const char *wrapping_of(const struct field_tree *tree, uint16_t layer)
{
    for (uint32_t i = 1; layer && i < tree->count; i++)
        if (tree->nodes[i].layer == layer)
            return field_type(tree, &tree->nodes[tree->nodes[i].parent]);
    return layer ? "layer" : "";
}

static int say_fault(const struct decoding *d, const struct decoder_ops *decoder,
                     const struct field_tree *tree, enum err e, struct bytes payload, size_t base)
{
    struct err_info err;
    err_set(&err, e ? e : ERR_FORMAT, "offset %zu%s%s: %s", base + tree->error_at,
            tree->error_layer ? " inside the " : "", wrapping_of(tree, tree->error_layer), tree->error);
    err_where(&err, "%s", d->where);
    say_remedy(d, decoder, tree, payload, &err);
    return cli_error(&err);
}

static int put(struct decoding *d, const struct field_tree *tree)
{
    if (!cli_flag(d->cli, FLAG_JSON))
        return tree_print(&d->out, tree, cli_color(d->cli, STDOUT_FILENO));
    put_tree(d, tree);
    return 0;
}

/* What hides a part may take the form from the rest: it is text then. */
static int put_hidden(struct decoding *d, struct decode_choice choice, const struct message *m)
{
    struct arena arena;
    struct field_tree tree;
    arena_init(&arena, LIMIT_DECODE_ARENA);
    if (decode_message(&choice, m, &tree, &arena) || !tree.complete) {
        arena_reset(&arena);
        choice = decode_choose(d->cli->registry->decoders, m, "text");
        (void)decode_message(&choice, m, &tree, &arena);
    }
    int code = put(d, &tree);
    arena_free(&arena);
    return code;
}

static const struct message *hide(struct decoding *d, const struct message *m)
{
    const struct message *shown = d->redactor ? redactor_apply(d->redactor, m) : m;
    d->hidden |= shown != m;
    return shown;
}

static int decode_one(struct decoding *d, struct bytes payload, const char *format, size_t base)
{
    struct message m = {.payload = payload, .time_ns = TIME_NONE};
    struct decode_choice choice = decode_choose(d->cli->registry->decoders, &m, format);
    const struct message *shown = hide(d, &m);
    struct arena arena;
    struct field_tree tree;
    bool json = cli_flag(d->cli, FLAG_JSON);
    if (json && choice.decoder->write && write_whole(d, choice.decoder, shown->payload))
        return 0;
    arena_init(&arena, LIMIT_DECODE_ARENA);
    enum err e = decode_message(&choice, &m, &tree, &arena);
    bool good = !e && tree.complete;
    int code = 0;
    if (good || !json)
        code = shown == &m ? put(d, &tree) : put_hidden(d, choice, shown);
    if (!good && !code)
        code = say_fault(d, choice.decoder, &tree, e, payload, base);
    if (tree.unopened)
        cli_note("%s: not all was opened: too many layers (%d deep at most), or too large", d->where,
                 LIMIT_UNWRAP_LAYERS);
    arena_free(&arena);
    return code;
}

/* Several values: each line is JSON; a blank line is nothing. */
static int decode_lines(struct decoding *d, struct bytes text)
{
    int first = 0;
    for (size_t at = 0, begin, end; json_line(text, &at, &begin, &end);) {
        int code = decode_one(d, bytes_slice(text, begin, end - begin), "json", begin);
        first = first ? first : code;
    }
    return first;
}

static int run(struct cli *c)
{
    struct decoding d = {.cli = c, .where = c->arg_count ? c->args[0] : "-", .as = cli_text(c, FLAG_AS)};
    struct err_info err = {.code = ERR_OK};
    struct buffer in;
    int code = d.as ? check_format(c, d.as) : 0;
    if (!code)
        code = cli_redactor(c, &d.redactor);
    if (code)
        return code;
    buffer_init(&in, LIMIT_MESSAGE);
    buffer_init(&d.out, LIMIT_LINE);
    if (input_whole(d.where, &in, &err))
        code = cli_error(&err);
    else if (d.as ? strcmp(d.as, "jsonl") == 0 : json_reads_as_lines(buffer_view(&in)))
        code = decode_lines(&d, buffer_view(&in));
    else
        code = decode_one(&d, buffer_view(&in), d.as, 0);
    int printed = cli_print(&d.out);
    if (d.hidden)
        cli_notice(c, "%s: what the configuration's `redact` names is hidden", d.where);
    redactor_free(&d.redactor);
    buffer_free(&in);
    buffer_free(&d.out);
    return code ? code : printed;
}

const struct command command_decode = {
    .name = "decode",
    .args = "[FILE|-]",
    .purpose = "show what a payload is, field by field",
    .detail =
        "Without --as the format is found out. Exits 1 when the payload isn't wholly what --as says, with offset and reason "
        "on stderr: the tree for people shows what could be read, --json prints no partial value. With --as FORMAT --json "
        "the decoded value alone is printed, else an object with format, type and decoded. `jsonl` is several JSON values, "
        "one a line, which is found out too, also inside gzip and zstd. `unwrap` takes at most 8 layers off, one within "
        "another. The tree has at most 512 levels and 200,000 fields; JSON as --json has 4,095 levels and no limit of fields. "
        "What the configuration's `redact` names is hidden here, too.",
    .flags = F(AS) | F(JSON),
    .max_args = 1,
    .argument = ARGUMENT_FILE,
    .examples = {{"signalbox decode order.json", "as a tree"},
                 {"signalbox decode --as json --json < order.json", "checked and compact"},
                 {"signalbox decode --as hex packet.bin", "offset, hex and text"}},
    .exits = "0 1 2",
    .run = run,
};
