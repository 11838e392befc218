/* The manual, man/signalbox.1, made of the same tables as everything else: `make` never runs this, `signalbox help man` does,
 * and a test compares. */
#include "cli/cli.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* Roff: a backslash is \e, a leading dot or quote is hidden behind \&, hyphens of flags and carets of keys are real ones. */
static void roff(struct buffer *out, const char *text)
{
    bool start = true;
    for (const char *c = text; *c; c++) {
        if (start && (*c == '.' || *c == '\''))
            buffer_text(out, "\\&");
        if (*c == '\\')
            buffer_text(out, "\\e");
        else if (*c == '-')
            buffer_text(out, "\\-");
        else if (*c == '^')
            buffer_text(out, "\\(ha");
        else
            buffer_byte(out, (uint8_t)*c);
        start = *c == '\n';
    }
}

static void line(struct buffer *out, const char *macro, const char *text)
{
    buffer_text(out, macro);
    roff(out, text);
    buffer_byte(out, '\n');
}

/* Plain text: indented lines are kept as they are, a blank line begins a paragraph. */
static void paragraphs(struct buffer *out, const char *text)
{
    bool verbatim = false;
    while (*text) {
        size_t len = strcspn(text, "\n");
        bool indented = len > 1 && text[0] == ' ' && text[1] == ' ';
        if (indented != verbatim)
            buffer_text(out, indented ? ".nf\n" : ".fi\n");
        verbatim = indented;
        char *copy = strndup(text, len);
        if (len == 0)
            buffer_text(out, ".PP\n");
        else if (copy)
            line(out, "", copy);
        free(copy);
        text += len + (text[len] == '\n');
    }
    if (verbatim)
        buffer_text(out, ".fi\n");
}

static void flag(struct buffer *out, const struct flag_row *row)
{
    buffer_text(out, ".TP\n");
    if (row->letter)
        buffer_printf(out, "\\fB\\-%c\\fR, ", row->letter);
    buffer_text(out, "\\fB\\-\\-");
    roff(out, row->name);
    buffer_printf(out, "\\fR%s\\fI", *row->argument ? " " : "");
    roff(out, row->argument);
    buffer_text(out, "\\fR\n");
    line(out, "", row->text);
}

static void flags_of(struct buffer *out, uint64_t set)
{
    for (int i = 0; i < FLAGS; i++)
        if (set >> i & 1)
            flag(out, &flag_rows[i]);
}

static void names_of_flags(struct buffer *out, uint64_t set)
{
    if (!set)
        return;
    buffer_text(out, ".PP\nFlags:");
    for (int i = 0; i < FLAGS; i++) {
        if (set >> i & 1) {
            buffer_text(out, " \\fB\\-\\-");
            roff(out, flag_rows[i].name);
            buffer_text(out, "\\fR");
        }
    }
    buffer_byte(out, '\n');
}

static void command(struct buffer *out, const struct command *c)
{
    buffer_printf(out, ".SS \"signalbox %s ", c->name);
    roff(out, c->args);
    buffer_text(out, "\"\n");
    if (c->purpose[0] >= 'a' && c->purpose[0] <= 'z')
        buffer_byte(out, (uint8_t)(c->purpose[0] - 'a' + 'A'));
    line(out, "", c->purpose + 1);
    if (c->detail) {
        buffer_text(out, ".PP\n");
        paragraphs(out, c->detail);
    }
    names_of_flags(out, c->flags);
    buffer_text(out, ".PP\n.nf\n");
    for (size_t i = 0; i < 3; i++)
        line(out, "  ", c->examples[i].line);
    buffer_text(out, ".fi\n");
}

static void configuration(const struct registry *registry, struct buffer *out)
{
    char doc[300];
    size_t count;
    const struct config_key *keys = config_keys(&count);
    buffer_text(
        out,
        ".SH CONFIGURATION\nYAML. An unknown key, a wrong type or a duplicate is an error; all of them are "
        "listed at once. Relative file names\nare those of the file's folder. Durations are written 250ms 5s 5m "
        "1h, a bare number is seconds; sizes 512k 64MiB.\n");
    for (size_t i = 0; i < count; i++) {
        buffer_text(out, ".TP\n\\fB");
        roff(out, keys[i].path);
        buffer_printf(out, "\\fR (%s%s", config_key_type(i), *keys[i].fallback ? "; " : "");
        roff(out, keys[i].fallback);
        buffer_text(out, ")\n");
        line(out, "", help_key(registry, i, doc, sizeof doc));
    }
}

struct screen_section {
    struct buffer *out;
    const char *heading; /* of the row before */
};

static void screen_row(void *context, const char *heading, const char *left, const char *text)
{
    struct screen_section *s = context;
    if (!s->heading || strcmp(s->heading, heading) != 0)
        buffer_printf(s->out, ".SS %s\n", heading);
    s->heading = heading;
    buffer_text(s->out, ".TP\n\\fB");
    roff(s->out, left);
    buffer_text(s->out, "\\fR\n");
    line(s->out, "", text);
}

static void screen_keys(const struct registry *registry, struct buffer *out)
{
    struct screen_section section = {.out = out};
    buffer_text(out, ".SH KEYS\nOf the screen, by its places; \\(haX is Ctrl with X.\n");
    if (registry->describe_screen)
        registry->describe_screen(screen_row, &section);
}

static void exits(struct buffer *out)
{
    static const int codes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 130, 143};
    buffer_text(out, ".SH EXIT STATUS\n");
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        buffer_printf(out, ".TP\n%d\n%s\n", codes[i], exit_text(codes[i]));
}

void help_manual(const struct registry *registry, struct buffer *out)
{
    buffer_text(
        out, ".\\\" Made by `signalbox help man`.\n.TH SIGNALBOX 1 \"\" \"signalbox " SIGNALBOX_VERSION
             "\"\n.SH NAME\nsignalbox \\- probes services and brokers, tails, decodes and sends messages\n"
             ".SH SYNOPSIS\n.B signalbox\n[\\fB\\-\\-config\\fR \\fIFILE\\fR] [\\fB\\-\\-demo\\fR] "
             "[\\fIADDRESS\\fR...]\n.br\n.B signalbox\n\\fICOMMAND\\fR ...\n.SH DESCRIPTION\n"
             "Without a command the screen opens on the configured endpoints and those given; press ? there. "
             "What the screen can do the\ncommands can do, from the same tables.\n.SH COMMANDS\n");
    for (size_t i = 0; commands[i]; i++)
        command(out, commands[i]);
    screen_keys(registry, out);
    buffer_text(out, ".SH FLAGS\n");
    flags_of(out, UINT64_MAX);
    for (const struct topic *t = topics; t->name; t++) {
        buffer_printf(out, ".SH %s\n", t->title);
        paragraphs(out, t->text);
    }
    configuration(registry, out);
    exits(out);
    buffer_text(
        out,
        ".SH ENVIRONMENT\n.TP\nSIGNALBOX_CONFIG\nthe configuration to read\n.TP\nSIGNALBOX_PASSWORD\n"
        "password of endpoints given by URL\n.TP\nNO_COLOR\nno colours\n.SH FILES\n.TP\n"
        "~/.config/signalbox/config.yaml\nthe configuration ($XDG_CONFIG_HOME)\n.TP\n"
        "~/.local/state/signalbox/\nwhat must outlive a process ($XDG_STATE_HOME): tracing to switch off again, and "
        "how often a queue with a delivery limit was looked into\n");
}
