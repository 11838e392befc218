/* Words to flags and arguments. Flags may stand anywhere, `--` ends them, `--name=value` and `--name value` are the same. */
#include "cli/cli.h"

#include "base/text.h"

#include <stdio.h>

struct parse {
    struct cli *cli;
    char **argv;
    int argc, at;
    size_t kept; /* arguments, moved to the front of argv */
};

/* A flag that the documentation knows and this version doesn't: a misspelt one would be another matter. */
static bool is_later(const struct command *command, const char *flag)
{
    static const char *const later[][2] = {
        {"tail", "record"}, {"tail", "watch"}, {"decode", "schema"}, {"decode", "type"}};
    for (size_t i = 0; command && i < sizeof later / sizeof *later; i++)
        if (strcmp(command->name, later[i][0]) == 0 && strcmp(flag, later[i][1]) == 0)
            return true;
    return false;
}

static int say_later(const struct command *command, const char *flag)
{
    return cli_usage("`signalbox %s --%s` is not in this version; `signalbox %s --help` lists what is",
                     command->name, flag, command->name);
}

static int unknown_flag(struct parse *p, const char *word)
{
    const char *names[FLAGS + 1], *command = p->cli->command ? p->cli->command->name : NULL;
    char name[64];
    size_t n = 0;
    for (int i = 0; i < FLAGS; i++)
        if (!p->cli->command || (p->cli->command->flags | FLAGS_GLOBAL) >> i & 1)
            names[n++] = flag_rows[i].name;
    names[n] = NULL;
    text_copy_bytes(name, sizeof name, bytes_of(word, strcspn(word, "=")));
    const char *flag = name + strspn(name, "-");
    if (is_later(p->cli->command, flag))
        return say_later(p->cli->command, flag);
    const char *near = text_nearest(flag, names);
    if (near)
        return cli_usage("unknown flag `%s`; did you mean `--%s`?", name, near);
    return cli_usage("unknown flag `%s`; `signalbox %s%s--help` lists them", name, command ? command : "",
                     command ? " " : "");
}

static int take_value(struct parse *p, enum flag flag, const char *value)
{
    struct flags *f = &p->cli->flags;
    const struct flag_row *row = &flag_rows[flag];
    struct err_info err = {.code = ERR_OK};
    if (row->kind == FLAG_LIST) {
        if (f->list_count == MOST_LIST)
            return cli_usage("--%s more than %d times", row->name, MOST_LIST);
        f->list[f->list_count].flag = flag;
        f->list[f->list_count++].text = value;
    } else if (f->set >> flag & 1) {
        return cli_usage("--%s is given twice, %s and %s: it takes one value", row->name, f->text[flag],
                         value);
    } else if (flag_number(flag, value, &f->number[flag], &err)) {
        return cli_error(&err);
    }
    f->text[flag] = value;
    f->set |= UINT64_C(1) << flag;
    return 0;
}

static int take_flag(struct parse *p, enum flag flag, const char *word, const char *attached)
{
    const struct flag_row *row = &flag_rows[flag];
    if (flag == FLAGS)
        return unknown_flag(p, word);
    if (row->kind == FLAG_ON) {
        if (attached)
            return cli_usage("--%s takes no value", row->name);
        p->cli->flags.set |= UINT64_C(1) << flag;
        return 0;
    }
    const char *behind = !attached && p->at + 1 < p->argc ? p->argv[p->at + 1] : NULL;
    if (row->kind == FLAG_MAYBE && !attached && (!behind || (behind[0] == '-' && behind[1]))) {
        p->cli->flags.set |= UINT64_C(1) << flag;
        return 0;
    }
    if (!attached && !behind)
        return cli_usage("--%s needs a value: --%s %s", row->name, row->name, row->argument);
    return take_value(p, flag, attached ? attached : p->argv[++p->at]);
}

static int take_long(struct parse *p, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    return take_flag(p, flag_named(word + 2, len - 2), word, equals ? equals + 1 : NULL);
}

/* -n 5 and -n5; several letters at once only where all but the last take no value. */
static int take_short(struct parse *p, const char *word)
{
    for (const char *c = word + 1; *c; c++) {
        enum flag flag = flag_lettered(*c);
        bool value = flag != FLAGS && flag_rows[flag].kind != FLAG_ON;
        int code = take_flag(p, flag, word, value && c[1] ? c + 1 : NULL);
        if (code || value)
            return code;
    }
    return 0;
}

static int take_words(struct parse *p)
{
    bool only_arguments = false;
    for (p->at = 1; p->at < p->argc; p->at++) {
        char *word = p->argv[p->at];
        int code = 0;
        if (only_arguments || word[0] != '-' || word[1] == '\0') {
            if (!only_arguments && p->kept == 0 && !p->cli->command && (p->cli->command = command_find(word)))
                continue;
            p->argv[p->kept++] = word;
        } else if (strcmp(word, "--") == 0) {
            only_arguments = true;
        } else {
            code = word[1] == '-' ? take_long(p, word) : take_short(p, word);
        }
        if (code)
            return code;
    }
    return 0;
}

/* A flag that some other command takes is as unknown here as any other, but we can say whose it is. */
static int check_flags(const struct cli *c)
{
    uint64_t allowed = FLAGS_GLOBAL | (c->command ? c->command->flags : F(DEMO) | F(VERSION));
    uint64_t wrong = c->flags.set & ~allowed;
    for (int i = 0; wrong && i < FLAGS; i++)
        if ((wrong >> i & 1) && is_later(c->command, flag_rows[i].name))
            return say_later(c->command, flag_rows[i].name);
        else if (wrong >> i & 1)
            return cli_usage("`signalbox%s%s` takes no --%s; `--help` lists its flags", c->command ? " " : "",
                             c->command ? c->command->name : "", flag_rows[i].name);
    if (cli_flag(c, FLAG_JSON) + cli_flag(c, FLAG_PLAIN) + cli_flag(c, FLAG_FORMAT) > 1)
        return cli_usage("--json, --plain and --format exclude each other: choose one");
    const char *color = cli_text(c, FLAG_COLOR);
    if (color && strcmp(color, "auto") && strcmp(color, "always") && strcmp(color, "never"))
        return cli_usage("--color %s: write auto, always or never", color);
    return 0;
}

static int check_count(const struct cli *c)
{
    const struct command *command = c->command;
    if (c->arg_count < command->min_args)
        return cli_usage("`signalbox %s` needs %s: signalbox %s %s", command->name, command->missing,
                         command->name, command->args);
    if (c->arg_count > command->max_args)
        return cli_usage("`%s` is one argument too many: signalbox %s%s%s", c->args[command->max_args],
                         command->name, *command->args ? " " : "", command->args);
    return 0;
}

/* Commands that the documentation knows and this version doesn't: better said than taken for an address. */
static int check_later(const struct cli *c)
{
    static const char *const later[] = {"open", "encode", "call", "flow", "capacity", NULL};
    for (size_t i = 0; !c->command && c->arg_count && later[i]; i++)
        if (strcmp(c->args[0], later[i]) == 0)
            return cli_usage("`signalbox %s` is not in this version; `signalbox help` lists what is",
                             later[i]);
    return 0;
}

/* Without a command all arguments are addresses; a lone word that is none was meant as a command. */
static int check_word(const struct cli *c)
{
    const char *names[64], *word = c->arg_count ? c->args[0] : "/";
    size_t n = 0;
    if (strpbrk(word, "/:"))
        return 0;
    for (size_t i = 0; i < c->config.endpoint_count; i++)
        if (strcmp(c->config.endpoints[i].endpoint.name, word) == 0)
            return 0;
    for (; commands[n] && n + 1 < sizeof names / sizeof *names; n++)
        names[n] = commands[n]->name;
    names[n] = NULL;
    const char *near = text_nearest(word, names);
    if (near)
        return cli_usage("unknown command `%s`; did you mean `%s`?", word, near);
    return cli_usage("`%s` is neither a command nor an address; `signalbox help` lists the commands", word);
}

static int answer_help(const struct cli *c)
{
    struct buffer out;
    buffer_init(&out, 1 << 20);
    if (cli_flag(c, FLAG_VERSION))
        buffer_text(&out, "signalbox " SIGNALBOX_VERSION "\n");
    else if (c->command)
        help_command(c->command, &out);
    else
        help_overview(&out);
    int code = cli_print(&out);
    buffer_free(&out);
    return code;
}

int cli_parse(struct cli *c, int argc, char **argv, const struct registry *registry, bool *done)
{
    struct parse p = {.cli = c, .argv = argv, .argc = argc};
    *c = (struct cli){.registry = registry, .args = (const char *const *)argv};
    *done = false;
    int code = take_words(&p);
    c->arg_count = p.kept;
    if (code)
        return code;
    code = check_later(c);
    if (code)
        return code;
    if (cli_flag(c, FLAG_HELP) || (!c->command && cli_flag(c, FLAG_VERSION))) {
        *done = true;
        return answer_help(c);
    }
    code = check_flags(c);
    if (!code && c->command)
        code = check_count(c);
    return code;
}

int cli_configure(struct cli *c)
{
    int code = 0;
    if (!c->config.arena) {
        struct err_info err = {.code = ERR_OK};
        bool offline = cli_flag(c, FLAG_DEMO) || (c->command && c->command->offline);
        code = offline ? (config_init(&c->config, &err) ? cli_error(&err) : 0) : cli_load_config(c);
    }
    return code || c->command ? code : check_word(c);
}
