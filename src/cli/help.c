#include "cli/cli.h"

#include "base/text.h"
#include "engine/decode.h"

#include <stdio.h>

static void flag_line(struct buffer *out, enum flag flag)
{
    const struct flag_row *row = &flag_rows[flag];
    char left[64];
    snprintf(left, sizeof left, "%s%c%s--%s %s", row->letter ? "-" : "  ", row->letter ? row->letter : ' ',
             row->letter ? ", " : " ", row->name, row->argument);
    buffer_printf(out, "  %-29s%s\n", left, row->text);
}

#define FLAGS_OPENING \
 (F(WRITE) | F(CONFIRM) | F(NO_MARK)) /* `signalbox help changes` and the manual explain them */

/* --help fits on one screen: these are named in a line, `signalbox help` explains them. */
static void named_flags(struct buffer *out, const char *begin, uint64_t flags)
{
    buffer_text(out, begin);
    for (int i = 0; i < FLAGS; i++)
        if (flags >> i & 1)
            buffer_printf(out, " --%s%s%s", flag_rows[i].name, *flag_rows[i].argument ? " " : "",
                          flag_rows[i].argument);
    buffer_byte(out, '\n');
}

/* Wrapped at 80 columns. */
static void exit_line(struct buffer *out, const char *exits)
{
    size_t column = 6;
    buffer_text(out, "Exit: ");
    for (const char *at = exits; *at; at += strspn(at, " ")) {
        char word[8], text[64];
        int64_t code = 0;
        size_t len = strcspn(at, " ");
        text_copy_bytes(word, sizeof word, bytes_of(at, len));
        at += len;
        if (!text_int64(word, &code))
            continue;
        int n = snprintf(text, sizeof text, " %s %s%s", word, exit_text((int)code), *at ? "," : "");
        if (column + (size_t)n > 79) {
            buffer_text(out, "\n      ");
            column = 6;
        }
        buffer_text(out, text);
        column += (size_t)n;
    }
    buffer_byte(out, '\n');
}

void help_command(const struct command *command, struct buffer *out)
{
    uint64_t named = FLAGS_OPENING | command->rare;
    buffer_printf(out, "signalbox %s: %s\n\nUsage: signalbox %s %s%s[flags]\n", command->name,
                  command->purpose, command->name, command->args, *command->args ? " " : "");
    for (size_t i = 0; i < 3; i++)
        buffer_printf(out, "  %-48s # %s\n", command->examples[i].line, command->examples[i].what);
    buffer_text(out, "\nFlags:\n");
    for (int i = 0; i < FLAGS; i++)
        if ((command->flags & ~named) >> i & 1)
            flag_line(out, (enum flag)i);
    named_flags(out, "  also:", FLAGS_GLOBAL);
    if (command->flags & named)
        named_flags(out, "       ", command->flags & named);
    exit_line(out, command->exits);
}

void help_overview(struct buffer *out)
{
    buffer_text(out, "signalbox: see what is up, watch what flows, open what is stuck\n\n"
                     "Usage: signalbox [--config FILE] [--demo] [ADDRESS...]   the screen\n"
                     "       signalbox COMMAND ...                             one of these:\n");
    for (size_t i = 0; commands[i]; i++)
        buffer_printf(out, "  %-11s %s\n", commands[i]->name, commands[i]->purpose);
    buffer_text(out, "\n  signalbox --demo                 look around, nothing needed\n"
                     "  signalbox tail kafka://HOST/NAME live messages; COMMAND --help says more\n"
                     "  signalbox help TOPIC             config");
    for (const struct topic *t = topics; t->name; t++)
        buffer_printf(out, " %s", t->name);
    buffer_byte(out, '\n');
}

const char *help_key(const struct registry *registry, size_t key, char *into, size_t size)
{
    char names[200];
    const char *doc = config_keys(&(size_t){0})[key].doc;
    if (!config_key_is_decoder(key))
        return doc;
    snprintf(into, size, "%s: %s", doc, decoder_names(registry->decoders, names, sizeof names));
    return into;
}

void help_config(const struct registry *registry, struct buffer *out)
{
    char doc[300];
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++)
        buffer_printf(out, "%-36s %-16s %s%s%s%s\n", keys[i].path, config_key_type(i),
                      help_key(registry, i, doc, sizeof doc), *keys[i].fallback ? " [" : "", keys[i].fallback,
                      *keys[i].fallback ? "]" : "");
}

static int unknown_topic(const char *word)
{
    const char *names[64];
    size_t n = 0;
    for (size_t i = 0; commands[i] && n < 50; i++)
        names[n++] = commands[i]->name;
    for (const struct topic *t = topics; t->name; t++)
        names[n++] = t->name;
    names[n++] = "config";
    names[n] = NULL;
    const char *near = text_nearest(word, names);
    if (near)
        return cli_usage("no help about `%s`; did you mean `%s`?", word, near);
    return cli_usage("no help about `%s`; `signalbox help` lists what there is", word);
}

static int write_topic(const struct registry *registry, const char *word, struct buffer *out)
{
    if (strcmp(word, "operations") == 0) /* the screen's word for them */
        word = "changes";
    const struct command *command = command_find(word);
    for (const struct topic *t = topics; t->name; t++) {
        if (strcmp(t->name, word) == 0) {
            buffer_text(out, t->text);
            return 0;
        }
    }
    if (strcmp(word, "config") == 0)
        help_config(registry, out);
    else if (strcmp(word, "man") == 0)
        help_manual(registry, out);
    else if (command)
        help_command(command, out);
    else
        return unknown_topic(word);
    return 0;
}

static int run(struct cli *c)
{
    struct buffer out;
    buffer_init(&out, 4 << 20);
    int code = 0;
    if (c->arg_count)
        code = write_topic(c->registry, c->args[0], &out);
    else
        help_overview(&out);
    if (!code)
        code = cli_print(&out);
    buffer_free(&out);
    return code;
}

const struct command command_help = {
    .name = "help",
    .args = "[COMMAND|TOPIC]",
    .purpose = "help about a command, the configuration, the filter language",
    .detail = "`help config` lists every key of the configuration, `help man` prints this manual's source.",
    .max_args = 1,
    .argument = ARGUMENT_WORD,
    .examples = {{"signalbox help", "all commands"},
                 {"signalbox help config", "the configuration's keys"},
                 {"signalbox help filter", "the filter language"}},
    .exits = "0 2",
    .offline = true,
    .run = run,
};
