#include "ui/command_read.h"

#include "base/clock.h"
#include "base/text.h"
#include "ui/command.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- what they do ---- */

static bool parse_address(struct screen *s, const char *text, struct address *address)
{
    struct err_info err = {.code = ERR_OK};
    if (!hub_address(screen_hub(s), text, address, &err))
        return true;
    screen_say_err(s, &err);
    return false;
}

static bool names_channel(const struct address *a)
{
    return a->channel.name && *a->channel.name;
}

static bool parse_channel(struct screen *s, const char *text, struct address *address)
{
    if (!parse_address(s, text, address))
        return false;
    if (!names_channel(address))
        screen_say(s, SEVERITY_WARN, "%s: a channel is missing; write %s/CHANNEL", text, text);
    return names_channel(address);
}

/* An endpoint alone means all of its channels, as the key on its row does. */
static void tail_endpoint(struct screen *s, const struct address *address, const struct screen_read *how)
{
    struct hub *hub = screen_hub(s);
    for (size_t i = 0; i < hub_endpoint_count(hub); i++)
        if (hub_endpoint(hub, i)->config == address->endpoint)
            screen_tail_all(s, i, how);
}

static void run_tail(struct screen *s, char *arguments)
{
    struct command_read read;
    struct address addresses[COMMAND_MOST_WORDS];
    if (!command_read(s, READ_TAP, arguments, &read))
        return;
    for (size_t i = 0; i < read.word_count; i++)
        if (!(read.word_count == 1 ? parse_address : parse_channel)(s, read.words[i], &addresses[i]))
            return;
    if (read.word_count == 1 && !names_channel(&addresses[0]))
        tail_endpoint(s, &addresses[0], &read.how);
    else if (read.word_count)
        screen_tail(s, addresses, read.word_count, &read.how);
    else
        screen_say(s, SEVERITY_WARN, "tail what? :tail ENDPOINT/CHANNEL...");
}

static void run_browse(struct screen *s, char *arguments)
{
    struct command_read read;
    struct address address;
    if (!command_read(s, READ_BROWSE, arguments, &read))
        return;
    if (read.word_count != 1)
        screen_say(s, SEVERITY_WARN, "browse %s? :browse ENDPOINT/CHANNEL",
                   read.word_count ? "which one" : "what");
    else if (parse_channel(s, read.words[0], &address))
        screen_browse(s, &address, &read.how);
}

static void run_filter(struct screen *s, char *arguments)
{
    if (!hub_tail(screen_hub(s))) {
        screen_say(s, SEVERITY_WARN,
                   "No tail is open that :filter could narrow; / on the dashboard narrows its rows");
        return;
    }
    screen_show(s, VIEW_TAIL, NULL);
    screen_filter(s, arguments);
}

static void run_refresh(struct screen *s, char *arguments)
{
    (void)arguments;
    hub_refresh(screen_hub(s));
    screen_say(s, SEVERITY_INFO, "Asked everything again");
}

static void run_theme(struct screen *s, char *arguments)
{
    struct err_info err = {.code = ERR_OK};
    char list[200];
    if (!*arguments)
        screen_say(s, SEVERITY_INFO, "The theme is %s. There are %s, and files of your own: :theme NAME",
                   screen_theme(s)->name, theme_list(list, sizeof list));
    else if (screen_set_theme(s, arguments, &err))
        screen_say_err(s, &err);
}

#define OPERATION(name, kind, flags)                       \
 static void run_##name(struct screen *s, char *arguments) \
 {                                                         \
  command_change(s, OPERATION_##kind, flags, arguments);   \
 }
OPERATION(resend, RESEND, COMMAND_MOVE_FLAGS)
OPERATION(replay, REPLAY, COMMAND_REPLAY_FLAGS)
OPERATION(move, MOVE, COMMAND_MOVE_FLAGS)
OPERATION(copy, COPY, COMMAND_MOVE_FLAGS)
OPERATION(purge, PURGE, COMMAND_PURGE_FLAGS)
#undef OPERATION

static void run_restore(struct screen *s, char *arguments)
{
    command_archive(s, arguments);
}

static void run_dedupe(struct screen *s, char *arguments)
{
    command_duplicates(s, arguments);
}

#define PLACE(id, ops, key, name, help)                   \
 static void show_##id(struct screen *s, char *arguments) \
 {                                                        \
  (void)arguments;                                        \
  screen_show(s, VIEW_##id, NULL);                        \
 }
#include "ui/views.def"

static void run_help(struct screen *s, char *arguments)
{
    (void)arguments;
    screen_show(s, VIEW_HELP, NULL);
}

static void run_quit(struct screen *s, char *arguments)
{
    (void)arguments;
    screen_quit(s);
}

#define WRITE_NS      (10 * 60 * NS_PER_S)
#define WRITE_MOST_NS (8 * 60 * 60 * NS_PER_S)

/* "10m", "off"; a bare number is minutes. False: neither. */
static bool parse_write_time(const char *text, int64_t *ns)
{
    int64_t minutes;
    *ns = WRITE_NS;
    if (strcmp(text, "off") == 0)
        *ns = 0;
    else if (text_int64(text, &minutes) && minutes > 0 && minutes <= WRITE_MOST_NS / 60 / NS_PER_S)
        *ns = minutes * 60 * NS_PER_S;
    else if (*text && (!text_duration(text, ns) || *ns < NS_PER_S))
        return false;
    return *ns <= WRITE_MOST_NS;
}

/* SIZE_MAX: none is called so. */
static size_t endpoint_named(const struct hub *hub, const char *name)
{
    for (size_t i = 0; i < hub_endpoint_count(hub); i++)
        if (strcmp(hub_endpoint(hub, i)->config->endpoint.name, name) == 0)
            return i;
    return SIZE_MAX;
}

static void run_write(struct screen *s, char *arguments)
{
    int64_t ns;
    char *rest = arguments + strcspn(arguments, " ");
    if (*rest)
        *rest++ = '\0';
    rest += strspn(rest, " ");
    size_t endpoint = endpoint_named(screen_hub(s), arguments);
    bool named = endpoint != SIZE_MAX;
    if (!parse_write_time(named ? rest : arguments, &ns))
        screen_say(
            s, SEVERITY_WARN, ":write %s: %s :write 10m, :write NAME 10m, at most 8h; :write off closes it",
            named ? rest : arguments, named ? "for how long?" : "is it a time, or an endpoint's name?");
    else if (named)
        screen_write_one(s, endpoint, ns);
    else if (*rest)
        screen_say(s, SEVERITY_WARN, ":write takes an endpoint's name before the time: :write NAME 10m");
    else
        screen_write(s, ns);
}

/* ---- the table ---- */

static const struct command_row rows[] = {
#define X(name, arguments, flags, help, run) {name, arguments, flags, help, run},
#include "ui/command.def"
#undef X
};
enum { ROWS = sizeof rows / sizeof *rows };

static const char *const names[ROWS + 1] = {
#define X(name, arguments, flags, help, run) name,
#include "ui/command.def"
#undef X
};

const struct command_row *command_rows(size_t *count)
{
    *count = ROWS;
    return rows;
}

/* The command of that name, or the only one that begins so; NULL with *matches telling none from many. */
static const struct command_row *find(const char *name, size_t *matches)
{
    const struct command_row *found = NULL;
    *matches = 0;
    for (size_t i = 0; i < ROWS; i++) {
        if (!strcmp(rows[i].name, name)) {
            *matches = 1;
            return &rows[i];
        }
        if (text_starts(rows[i].name, name)) {
            found = &rows[i];
            ++*matches;
        }
    }
    return *matches == 1 ? found : NULL;
}

/* The first word into name, and where the rest begins. */
static const char *split(const char *line, char *name, size_t size)
{
    line += strspn(line, " ");
    size_t len = strcspn(line, " ");
    text_copy_bytes(name, size, bytes_of(line, len));
    line += len;
    return line + strspn(line, " ");
}

const struct command_row *command_of(const char *line)
{
    char name[64];
    size_t matches;
    split(line, name, sizeof name);
    return *name ? find(name, &matches) : NULL;
}

/* Words of the shell that have no place here, and what does it here. */
static const struct {
    const char *name, *instead;
} of_the_shell[] = {
    {"search",
     "/ finds in a tail or browse, :browse ENDPOINT/CHANNEL --where EXPRESSION in all that is stored"},
    {"ls", "the dashboard (1) lists the channels; / narrows them"},
    {"probe", ":refresh probes everything now"},
    {"decode", "Enter on a message decodes it, v by another format"},
    {"send", ""},
    {"journal", "4 shows it, Enter what became of each message"},
    {"resume", "4 lists what was interrupted; X r on it resumes it"},
    {"export", ""},
    {"import", ""},
    {"doctor", ""},
    {"init", ""},
    {"config", ""},
    {"completion", ""},
    {"version", ""},
};

static bool say_of_the_shell(struct screen *s, const char *name)
{
    for (size_t i = 0; i < sizeof of_the_shell / sizeof *of_the_shell; i++) {
        const char *instead = of_the_shell[i].instead;
        if (strcmp(of_the_shell[i].name, name) != 0)
            continue;
        screen_say(s, SEVERITY_WARN, "`%s` is a command of the shell: signalbox %s%s%s", name, name,
                   *instead ? ". Here: " : "", instead);
        return true;
    }
    return false;
}

static void unknown(const char *name, size_t matches, char *into, size_t size)
{
    const char *near = text_nearest(name, names);
    if (matches > 1)
        snprintf(into, size, "`%s` could be several commands; type more of it", name);
    else if (near)
        snprintf(into, size, "unknown command `%s`; did you mean `%s`?", name, near);
    else
        snprintf(into, size, "unknown command `%s`; ? lists them, `signalbox help` those of the shell", name);
}

void command_run(struct screen *s, const char *line)
{
    char name[64], rest[1024], text[200];
    size_t matches;
    const char *arguments = split(line, name, sizeof name);
    if (!*name)
        return;
    const struct command_row *row = find(name, &matches);
    if (!row && say_of_the_shell(s, name))
        return;
    if (!row) {
        unknown(name, matches, text, sizeof text);
        screen_say(s, SEVERITY_WARN, "%s", text);
        return;
    }
    text_copy(rest, sizeof rest, arguments);
    for (size_t n = strlen(rest); n && rest[n - 1] == ' ';)
        rest[--n] = '\0';
    if (*rest && !*row->arguments)
        screen_say(s, SEVERITY_WARN, "`:%s` takes nothing behind it: it did not run because of `%s`",
                   row->name, rest);
    else
        row->run(s, rest);
}

void command_note(const char *line, struct prompt_note *note)
{
    char name[64];
    size_t used = 0;
    const struct command_row *row = command_of(line);
    split(line, name, sizeof name);
    if (row && row->flags && command_read_note(row->flags, line, note))
        return;
    if (row) {
        snprintf(note->text, sizeof note->text, "%s%s%s: %s", row->name, *row->arguments ? " " : "",
                 row->arguments, row->help);
        return;
    }
    for (size_t i = 0; i < ROWS && used < sizeof note->text; i++)
        if (text_starts(rows[i].name, name))
            used += (size_t)snprintf(note->text + used, sizeof note->text - used, "%s%s", used ? "  " : "",
                                     rows[i].name);
}
