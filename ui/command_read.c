#include "ui/command_read.h"

#include "base/clock.h"
#include "base/text.h"
#include "operations/dedupe_rule.h"

#include <stdio.h>
#include <string.h>

/* ---- words ---- */

char *command_word(char **line)
{
    char *from = *line + strspn(*line, " "), *word = from, *to = from, quote = '\0';
    if (!*from)
        return NULL;
    for (; *from && (quote || *from != ' '); from++) {
        if (quote ? *from == quote : *from == '\'' || *from == '"')
            quote = quote ? '\0' : *from;
        else
            *to++ = *from;
    }
    *line = quote ? NULL : *from ? from + 1 : from;
    *to = '\0';
    return quote ? NULL : word;
}

/* ---- flags ---- */

struct parse {
    struct screen *screen;
    const char *command;     /* its name, for what is said */
    uint64_t allowed, given; /* F() bits; given: those with a value */
    char *line;              /* what is left of it */
    struct command_read *out;
};

static bool unknown(const struct parse *p, const char *word, enum flag flag)
{
    const char *names[FLAGS + 1], *near;
    size_t n = 0;
    for (int i = 0; i < FLAGS; i++)
        if (p->allowed >> i & 1)
            names[n++] = flag_rows[i].name;
    names[n] = NULL;
    if (flag != FLAGS)
        screen_say(p->screen, SEVERITY_WARN, "`:%s` takes no --%s here; `:%s --` lists what it takes",
                   p->command, flag_rows[flag].name, p->command);
    else if ((near = text_nearest(word + strspn(word, "-"), names)))
        screen_say(p->screen, SEVERITY_WARN, "unknown flag `%s`; did you mean `--%s`?", word, near);
    else
        screen_say(p->screen, SEVERITY_WARN, "unknown flag `%s`; `:%s --` lists what it takes", word,
                   p->command);
    return false;
}

static bool set_where(const struct parse *p, const char *text)
{
    struct err_info err = {.code = ERR_OK};
    struct filter *f =
        filter_new(text, FILTER_MESSAGES, hub_registry(screen_hub(p->screen))->decoders, NULL, &err);
    if (!f) {
        screen_say(p->screen, SEVERITY_WARN, "--where %s: %s%s%s", text, err.text,
                   err.next[0] ? ". Next: " : "", err.next);
        return false;
    }
    filter_free(&f);
    /* As in the shell: what it does not take is not held, nor counted. */
    text_copy(p->out->how.read.where, sizeof p->out->how.read.where, text);
    return true;
}

static bool set_rule(const struct parse *p, const char *text)
{
    struct err_info err = {.code = ERR_OK};
    struct dedupe_rule *rule = dedupe_rule_new(text, hub_registry(screen_hub(p->screen))->decoders, &err);
    if (rule && strlen(text) >= sizeof p->out->how.read.dedupe_by)
        err_set(&err, ERR_LIMIT, "--dedupe-by: the rule is too long");
    if (err.code)
        screen_say_err(p->screen, &err);
    dedupe_rule_free(&rule);
    text_copy(p->out->how.read.dedupe_by, sizeof p->out->how.read.dedupe_by, text);
    return !err.code;
}

static bool set_value(const struct parse *p, enum flag flag, const char *text)
{
    struct err_info err = {.code = ERR_OK};
    struct hub_read *read = &p->out->how.read;
    int64_t number = 0;
    enum err e = flag_number(flag, text, &number, &err);
    if (!e && flag == FLAG_FROM)
        e = config_start(text, clock_wall_ns(), &read->start, &err);
    if (!e && flag == FLAG_PARTITION && number > INT32_MAX)
        e = err_set(&err, ERR_USAGE, "--partition %s is out of range", text);
    if (e) {
        screen_say_err(p->screen, &err);
        return false;
    }
    if (flag == FLAG_PARTITION)
        read->partition = (int32_t)number;
    if (flag == FLAG_LIMIT)
        read->limit = number;
    if (flag == FLAG_DEDUPE_BY)
        return set_rule(p, text);
    return flag != FLAG_WHERE || set_where(p, text);
}

static void set_on(struct hub_read *read, enum flag flag)
{
    read->flags |= flag == FLAG_UNCOMMITTED ? READ_UNCOMMITTED
                   : flag == FLAG_FIREHOSE  ? READ_FIREHOSE
                                            : READ_INTERNAL;
}

static enum flag flag_of(const char *word, size_t len)
{
    if (word[1] == '-')
        return flag_named(word + 2, len - 2);
    return len == 2 ? flag_lettered(word[1]) : FLAGS;
}

static bool take_flag(struct parse *p, char *word)
{
    char *equals = strchr(word, '=');
    enum flag flag = flag_of(word, equals ? (size_t)(equals - word) : strlen(word));
    if (flag == FLAGS || !(p->allowed >> flag & 1))
        return unknown(p, word, flag);
    const struct flag_row *row = &flag_rows[flag];
    if (row->kind == FLAG_ON) {
        set_on(&p->out->how.read, flag);
        return true;
    }
    char *value = equals ? equals + 1 : command_word(&p->line);
    if (value && p->given >> flag & 1) {
        screen_say(p->screen, SEVERITY_WARN, "--%s is given twice: it takes one value", row->name);
        return false;
    }
    p->given |= UINT64_C(1) << flag;
    if (value)
        return set_value(p, flag, value);
    if (!p->line)
        return true; /* a quote isn't closed: command_read says so */
    screen_say(p->screen, SEVERITY_WARN, "--%s needs a value: --%s %s", row->name, row->name, row->argument);
    return false;
}

bool command_read(struct screen *s, enum read_mode mode, char *line, struct command_read *out)
{
    struct parse p = {.screen = s,
                      .command = mode == READ_TAP ? "tail" : "browse",
                      .allowed = mode == READ_TAP ? COMMAND_TAIL_FLAGS : COMMAND_BROWSE_FLAGS,
                      .line = line,
                      .out = out};
    screen_read_init(&out->how, mode);
    out->word_count = 0;
    for (char *word; p.line && (word = command_word(&p.line));) {
        if (word[0] == '-' && word[1]) {
            if (!take_flag(&p, word))
                return false;
        } else if (out->word_count == COMMAND_MOST_WORDS) {
            screen_say(s, SEVERITY_WARN, "at most %d channels at once", COMMAND_MOST_WORDS);
            return false;
        } else {
            out->words[out->word_count++] = word;
        }
    }
    if (!p.line)
        screen_say(s, SEVERITY_WARN, "a quote is not closed");
    return p.line;
}

/* ---- while it is typed ---- */

static void describe(enum flag flag, struct prompt_note *note)
{
    const struct flag_row *row = &flag_rows[flag];
    snprintf(note->text, sizeof note->text, "--%s%s%s: %s", row->name, *row->argument ? " " : "",
             row->argument, row->text);
}

bool command_read_note(uint64_t allowed, const char *line, struct prompt_note *note)
{
    const char *last = strrchr(line, ' '), *before = last;
    size_t used = 0, matches = 0;
    enum flag only = FLAGS;
    if (!last)
        return false;
    while (before > line && before[-1] != ' ')
        before--;
    size_t before_len = (size_t)(last - before);
    enum flag valued = before_len > 1 && before[0] == '-' ? flag_of(before, before_len) : FLAGS;
    if (valued != FLAGS && allowed >> valued & 1 && flag_rows[valued].kind != FLAG_ON) {
        describe(valued, note);
        return true;
    }
    if (strncmp(++last, "--", 2) != 0)
        return false;
    size_t len = strcspn(last + 2, "=");
    for (int i = 0; i < FLAGS; i++) {
        if (!(allowed >> i & 1) || strncmp(flag_rows[i].name, last + 2, len) != 0)
            continue;
        matches++;
        only = (enum flag)i;
        if (used < sizeof note->text)
            used += (size_t)snprintf(note->text + used, sizeof note->text - used, "%s--%s", used ? "  " : "",
                                     flag_rows[i].name);
    }
    if (matches == 1)
        describe(only, note);
    return matches;
}
