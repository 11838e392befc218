/* Help: every key of the place one came from, the commands and the filter language, from the tables that the program runs
 * on. Typing narrows it; Enter runs a key. */
#include "base/text.h"
#include "base/utf8.h"
#include "ui/command.h"
#include "ui/paint.h"
#include "ui/screen.h"

#include <stdio.h>
#include <stdlib.h>

enum help_kind { HELP_HEAD, HELP_KEY, HELP_COMMAND, HELP_FLAG, HELP_TOPIC };

struct help_row {
    enum help_kind kind;
    const struct key_row *key;
    const struct command_row *command;
    const struct flag_row *flag;
    const char *left; /* HELP_HEAD, HELP_TOPIC */
    const char *text; /* not of HELP_COMMAND and HELP_FLAG */
};

enum { HELP_ROWS = 192 };

struct help {
    char typed[64];
    enum key_context context;
    const char *place;
    struct help_row rows[HELP_ROWS];
    size_t count, at, top, height;
};

static const struct {
    const char *left, *text;
} topics[] = {
    {"word", "messages that contain it, in any case (Upper letters make case count)"},
    {"'exact'  /regex/", "the same, exactly, or as a regular expression"},
    {"body.a.b[0] > 5", "a field of the payload; also headers.NAME key size age format channel ..."},
    {"a b | !c", "a and b, or not c; parentheses group"},
    {"●▲✖?○", "up, slow or in doubt, down, stale (old news), waiting for the first news"},
    {"IN/s OUT/s",
     "of a broker: into and out of its queues, streams and topics, each copy of a message counted"},
    {"READS", "NONE: looking leaves no trace. MARKS: sets redelivered. CONSUMES: takes the message away"},
};

static void row_texts(const struct help_row *row, char *left, size_t size, const char **text)
{
    *text = row->text;
    if (row->kind == HELP_KEY) {
        keymap_all(row->key, left, size);
    } else if (row->kind == HELP_COMMAND) {
        snprintf(left, size, ":%s%s%s", row->command->name, *row->command->arguments ? " " : "",
                 row->command->arguments);
        *text = row->command->help;
    } else if (row->kind == HELP_FLAG) {
        snprintf(left, size, "--%s%s%s", row->flag->name, *row->flag->argument ? " " : "",
                 row->flag->argument);
        *text = row->flag->text;
    } else {
        text_copy(left, size, row->left);
    }
}

static bool matches(const struct help *h, const struct help_row *row)
{
    char left[64];
    const char *text;
    row_texts(row, left, sizeof left, &text);
    return !h->typed[0] || strcasestr(left, h->typed) || strcasestr(text, h->typed) ||
           (row->kind == HELP_KEY && strcasestr(row->key->name, h->typed));
}

static void add(struct help *h, struct help_row row)
{
    if (h->count < HELP_ROWS && (row.kind == HELP_HEAD || matches(h, &row)))
        h->rows[h->count++] = row;
}

/* A head with nothing under it goes again. */
static void end_section(struct help *h)
{
    if (h->count && h->rows[h->count - 1].kind == HELP_HEAD)
        h->count--;
}

static void add_keys(struct help *h, bool own)
{
    size_t count;
    const struct key_row *rows = keymap_rows(&count);
    uint32_t all = (1u << KEY_CONTEXTS) - 1;
    for (size_t i = 0; i < count; i++)
        if (keymap_applies(&rows[i], h->context) && (rows[i].contexts != all) == own)
            add(h, (struct help_row){
                       .kind = HELP_KEY, .key = &rows[i], .text = keymap_help(&rows[i], h->context)});
    end_section(h);
}

/* What any command of the `:` line takes. */
static void add_flags(struct help *h)
{
    size_t count;
    uint64_t taken = 0;
    const struct command_row *commands = command_rows(&count);
    for (size_t i = 0; i < count; i++)
        taken |= commands[i].flags;
    for (int i = 0; i < FLAGS; i++)
        if (taken >> i & 1)
            add(h, (struct help_row){.kind = HELP_FLAG, .flag = &flag_rows[i]});
    end_section(h);
}

static void collect(struct help *h)
{
    size_t count;
    const struct command_row *commands = command_rows(&count);
    h->count = 0;
    add(h, (struct help_row){.kind = HELP_HEAD, .left = "THIS PLACE", .text = h->place});
    add_keys(h, true);
    add(h, (struct help_row){.kind = HELP_HEAD, .left = "EVERYWHERE", .text = ""});
    add_keys(h, false);
    add(h, (struct help_row){.kind = HELP_HEAD, .left = "COMMANDS", .text = "a unique beginning will do"});
    for (size_t i = 0; i < count; i++)
        add(h, (struct help_row){.kind = HELP_COMMAND, .command = &commands[i]});
    end_section(h);
    add(h, (struct help_row){.kind = HELP_HEAD, .left = "FLAGS", .text = "of :tail, :browse and changes"});
    add_flags(h);
    add(h, (struct help_row){.kind = HELP_HEAD, .left = "WORDS AND FILTERS", .text = ""});
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        add(h, (struct help_row){.kind = HELP_TOPIC, .left = topics[i].left, .text = topics[i].text});
    end_section(h);
    if (h->at >= h->count)
        h->at = h->count ? h->count - 1 : 0;
}

static bool can_run(const struct help_row *row)
{
    return row->kind == HELP_KEY || row->kind == HELP_COMMAND;
}

/* On the first entry that Enter can run. */
static void stand_on_first(struct help *h)
{
    collect(h);
    h->at = h->top = 0;
    while (h->at + 1 < h->count && !can_run(&h->rows[h->at]))
        h->at++;
    if (h->count && !can_run(&h->rows[h->at]))
        h->at = 0;
}

/* Headings are passed over; the first one has nothing above it. */
static void stand_on(struct help *h, size_t to)
{
    bool up = to < h->at;
    if (to < h->count && h->rows[to].kind == HELP_HEAD)
        to = up && to > 0 ? to - 1 : to + 1;
    if (to < h->count)
        h->at = to;
}

/* Returns the rows it takes, at least one; draws those of them that fit into r. */
static int draw_row(struct frame *f, struct rect r, const struct help_row *row, bool here)
{
    char left[64];
    const char *text;
    int wide = r.w >= 100 ? 37 : 28;
    row_texts(row, left, sizeof left, &text);
    bool head = row->kind == HELP_HEAD;
    int rows = canvas_words(f->canvas, (struct rect){r.x + 3 + wide, r.y, r.w - wide - 4, r.h},
                            head ? ROLE_MUTED : ROLE_TEXT, bytes_of_text(text));
    rows = rows > 1 ? rows : 1;
    if (r.h == 0)
        return rows;
    canvas_text(f->canvas, r.x + 2, r.y, wide, head ? ROLE_TITLE : ROLE_KEY, left);
    if (!here)
        return rows;
    r.h = rows < r.h ? rows : r.h;
    canvas_text(f->canvas, r.x, r.y, 1, ROLE_FOCUS, "▸");
    canvas_select(f->canvas, r);
    return rows;
}

/* Entries differ in height: the first one to show so that the cursor's stands whole among h rows. */
static size_t first_shown(struct frame *f, const struct help *h, struct rect r)
{
    size_t top = h->at < h->top ? h->at : h->top;
    int rows = 0;
    if (top > 0 && top == h->at && h->rows[top - 1].kind == HELP_HEAD)
        top--;
    for (size_t i = h->at + 1; i > top; i--) {
        rows += draw_row(f, (struct rect){r.x, r.y, r.w, 0}, &h->rows[i - 1], false);
        if (rows > r.h && i <= h->at)
            return i;
    }
    return top;
}

/* Which entries are shown, where not all are. */
static void draw_foot(struct frame *f, struct rect r, const struct help *h, size_t last)
{
    static const char *const hints[] = {
        "type to search keys and commands   Enter runs one   arrows move   more: man signalbox",
        "type to search keys and commands   Enter runs one", "type to search   Enter runs one", ""};
    enum { COUNTER = 16 };
    bool more = h->top || last + 1 < h->count;
    int y = r.y + r.h - 1, room = r.w - 2 - (more ? COUNTER : 0);
    size_t i = 0;
    while ((int)strlen(hints[i]) > room)
        i++;
    canvas_text(f->canvas, 1, y, room, ROLE_MUTED, hints[i]);
    if (more)
        canvas_printf(f->canvas, r.x + r.w - COUNTER, y, COUNTER - 1, ROLE_WARN, "%4zu-%zu of %zu",
                      h->top + 1, last + 1, h->count);
}

static void help_draw(struct view *v, struct frame *f, struct rect r)
{
    struct help *h = v->state;
    collect(h);
    h->height = (size_t)(r.h - 2);
    struct rect list = {r.x, r.y + 1, r.w, r.h - 2};
    h->top = h->count ? first_shown(f, h, list) : 0;
    canvas_printf(f->canvas, r.x + 2, r.y, r.w - 4, ROLE_INPUT, "search: %s", h->typed);
    int x = r.x + 10 + (int)utf8_cells(bytes_of_text(h->typed));
    size_t last = h->top;
    for (size_t i = h->top; i < h->count && list.h > 0; i++) {
        last = i;
        int rows = draw_row(f, list, &h->rows[i], i == h->at);
        list.y += rows;
        list.h -= rows;
    }
    if (h->count == 0)
        canvas_text(f->canvas, r.x + 2, r.y + 1, r.w - 4, ROLE_MUTED,
                    "Nothing matches. Backspace takes a letter back, ^U all of them.");
    draw_foot(f, r, h, last);
    canvas_cursor(f->canvas, x, r.y, true);
}

static void run_row(struct view *v)
{
    const struct help *h = v->state;
    const struct help_row *row = h->at < h->count ? &h->rows[h->at] : NULL;
    char line[64];
    if (!row || !can_run(row))
        return;
    screen_back(v->screen);
    if (row->kind == HELP_KEY) {
        screen_act(v->screen, row->key->action);
    } else if (!*row->command->arguments) {
        command_run(v->screen, row->command->name);
    } else {
        snprintf(line, sizeof line, "%s ", row->command->name);
        screen_prompt(v->screen, PROMPT_COMMAND, line);
    }
}

static bool help_key(struct view *v, int key)
{
    struct help *h = v->state;
    size_t len = strlen(h->typed);
    uint8_t utf8[4];
    size_t n = key >= ' ' && key < UIKEY_FIRST_NAMED ? utf8_encode((uint32_t)key, utf8) : 0;
    collect(h);
    if (key == UIKEY_ERASE) {
        while (len && ((uint8_t)h->typed[--len] & 0xC0) == 0x80)
            ;
        h->typed[len] = '\0';
        stand_on_first(h);
    } else if (key == UIKEY_CONTROL('u') && len) {
        h->typed[0] = '\0';
        stand_on_first(h);
    } else if (key == UIKEY_RETURN) {
        run_row(v);
    } else if (n && len + n < sizeof h->typed) {
        memcpy(h->typed + len, utf8, n);
        h->typed[len + n] = '\0';
        stand_on_first(h);
    } else {
        return false;
    }
    return true;
}

static enum action help_action(struct view *v, enum action action)
{
    struct help *h = v->state;
    size_t to = move_by(action, h->at, h->count, h->height);
    if (to == SIZE_MAX)
        return action == ACTION_HELP ? ACTION_NONE : action;
    stand_on(h, to);
    return ACTION_NONE;
}

static void help_enter(struct view *v, const void *argument)
{
    struct help *h = v->state;
    const struct view *below = screen_below(v->screen);
    (void)argument;
    h->context = below->ops->keys;
    h->place = below->ops->title;
    h->typed[0] = '\0';
    stand_on_first(h);
}

extern const struct view_ops help_view;
const struct view_ops help_view = {
    .name = "help",
    .title = "Help",
    .keys = KEYS_HELP,
    .state_size = sizeof(struct help),
    .enter = help_enter,
    .draw = help_draw,
    .action = help_action,
    .key = help_key,
};
