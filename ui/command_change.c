/* The words of the `:` line that change something: they open the form that the shell's flags fill in. */
#include "ui/command_read.h"

#include "base/limits.h"
#include "base/text.h"
#include "operations/archive_file.h"
#include "operations/restore.h"
#include "ui/command.h"
#include "ui/views/change.h"

#include <stdlib.h>

/* The field of the form that a flag is about. */
static const struct {
    enum flag flag;
    const char *label;
} labels[] = {
    {FLAG_TO, "To"},
    {FLAG_SELECT, "Select"},
    {FLAG_LIMIT, "Limit"},
    {FLAG_RATE, "Rate"},
    {FLAG_CREATE, "Create"},
    {FLAG_NO_MARK, "No mark"},
    {FLAG_ORIGIN_HEADER, "Origin"},
    {FLAG_KEEP_DEATH, "Deaths"},
    {FLAG_BY, "By"},
    {FLAG_KEEP, "Keep"},
    {FLAG_BODIES_DIFFER, "Differing"},
    {FLAG_AGAIN, "Again"},
    {FLAG_NO_ARCHIVE, "Method"},
};

struct change_words {
    struct screen *screen;
    const char *command;
    uint64_t allowed;
    struct operate_argument *into;
    const char *address; /* NULL: none yet */
    const char *what;    /* that is; NULL: a channel */
};

static const char *label_of(enum flag flag)
{
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        if (labels[i].flag == flag)
            return labels[i].label;
    return NULL;
}

static bool take_flag(struct change_words *w, const char *word, char **line)
{
    const char *name = word + strspn(word, "-"), *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    enum flag flag = word[1] == '-' ? flag_named(name, len) : len == 1 ? flag_lettered(name[0]) : FLAGS;
    if (flag == FLAG_EXECUTE || flag == FLAG_WRITE || flag == FLAG_CONFIRM) {
        screen_say(w->screen, SEVERITY_WARN,
                   "--%s is for the shell: here the form asks (x), and :write allows changes",
                   flag_rows[flag].name);
        return false;
    }
    if (flag == FLAGS || !(w->allowed >> flag & 1)) {
        screen_say(w->screen, SEVERITY_WARN, "`:%s` takes no %s; `:%s --` lists what it takes", w->command,
                   word, w->command);
        return false;
    }
    size_t *n = &w->into->preset_count;
    bool valued = flag_rows[flag].kind != FLAG_ON;
    const char *value = !valued ? NULL : equals ? equals + 1 : command_word(line);
    if (valued && !value) {
        screen_say(w->screen, SEVERITY_WARN, "--%s needs a value: --%s %s", flag_rows[flag].name,
                   flag_rows[flag].name, flag_rows[flag].argument);
        return false;
    }
    if (flag == FLAG_KEEP && strcmp(value, "first") != 0 && strcmp(value, "last") != 0) {
        screen_say(w->screen, SEVERITY_WARN, "--keep %s: write first or last", value);
        return false;
    }
    if (*n < sizeof w->into->presets / sizeof *w->into->presets) {
        w->into->presets[*n].label = label_of(flag);
        w->into->presets[(*n)++].text = value;
    }
    return true;
}

static bool take_words(struct change_words *w, char *line)
{
    for (char *word; line && (word = command_word(&line));) {
        if (word[0] == '-' && word[1]) {
            if (!take_flag(w, word, &line))
                return false;
        } else if (w->address) {
            screen_say(w->screen, SEVERITY_WARN, "`:%s` takes one %s: `%s` is too much", w->command,
                       w->what ? "archive" : "channel", word);
            return false;
        } else {
            w->address = word;
        }
    }
    if (!line)
        screen_say(w->screen, SEVERITY_WARN, "a quote is not closed");
    else if (!w->address)
        screen_say(w->screen, SEVERITY_WARN, "%s what? :%s %s", w->command, w->command,
                   w->what ? w->what : "ENDPOINT/CHANNEL");
    return line && w->address;
}

/* Of the channel that the words name; false: what is wrong was said. */
static bool find_target(struct screen *s, const struct change_words *w)
{
    struct err_info err = {.code = ERR_OK};
    struct address a;
    if (hub_address(screen_hub(s), w->address, &a, &err))
        screen_say_err(s, &err);
    else if (!a.channel.name || !*a.channel.name)
        screen_say(s, SEVERITY_WARN, "%s: a channel is missing; write %s/CHANNEL", w->address, w->address);
    else
        return change_address(s, a.endpoint, a.channel.name, a.channel.kind, &w->into->target);
    return false;
}

void command_change(struct screen *s, enum operation_kind kind, uint64_t flags, char *arguments)
{
    struct operate_argument *form = calloc(1, sizeof *form);
    struct change_words w = {s, operation_kind_name(kind), flags, form, NULL, NULL};
    if (form && take_words(&w, arguments) && find_target(s, &w)) {
        form->kind = kind;
        screen_show(s, VIEW_OPERATE, form);
    }
    free(form);
}

/* Where its messages were, unless --to says another place. */
static bool take_archive(struct screen *s, const char *path, struct operate_argument *form)
{
    struct archive_file f;
    struct arena arena;
    struct err_info err = {.code = ERR_OK};
    arena_init(&arena, MIB);
    enum err e = archive_file_look(&f, path, &err);
    const char *origin = e ? NULL : restore_address(&f.archive.header, &arena);
    if (e)
        screen_say_err(s, &err);
    else if (origin)
        text_copy(form->to, sizeof form->to, origin);
    archive_file_close(&f);
    arena_free(&arena);
    form->archives = path;
    return !e;
}

void command_archive(struct screen *s, char *arguments)
{
    struct err_info err = {.code = ERR_OK};
    struct operate_argument *form = calloc(1, sizeof *form);
    struct change_words w = {s, "restore", COMMAND_RESTORE_FLAGS, form, NULL, "ARCHIVE"};
    char *path = NULL;
    if (form && take_words(&w, arguments) && !(path = archive_find(w.address, &err)))
        screen_say_err(s, &err);
    if (path && take_archive(s, path, form)) {
        form->kind = OPERATION_RESTORE;
        form->target.of = CHANGE_OPERATION;
        screen_show(s, VIEW_OPERATE, form);
    }
    free(path);
    free(form);
}

static void show_report(struct screen *s, const struct operate_argument *form)
{
    const struct change_target *t = &form->target;
    struct dedupe_argument d = {.channel = t->address};
    text_copy(d.by, sizeof d.by, change_rule(t));
    d.marks =
        t->listed ? t->channel.browse_effect != EFFECT_NONE : !t->address.endpoint->broker->browse_is_free;
    d.keeps = change_keeps(t);
    if (form->preset_count)
        text_copy(d.by, sizeof d.by, form->presets[0].text);
    screen_show(s, VIEW_DEDUPE, &d);
}

static bool is_report(const struct operate_argument *form)
{
    for (size_t i = 0; i < form->preset_count; i++)
        if (strcmp(form->presets[i].label, label_of(FLAG_BY)) != 0)
            return false;
    return true;
}

void command_duplicates(struct screen *s, char *arguments)
{
    struct operate_argument *form = calloc(1, sizeof *form);
    struct change_words w = {s, "dedupe", COMMAND_DEDUPE_FLAGS, form, NULL, NULL};
    if (form && take_words(&w, arguments) && find_target(s, &w)) {
        form->kind = OPERATION_DEDUPE;
        if (is_report(form))
            show_report(s, form);
        else
            screen_show(s, VIEW_OPERATE, form);
    }
    free(form);
}
