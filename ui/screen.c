#include "ui/screen_internal.h"

#include "base/limits.h"
#include "base/text.h"
#include "ui/command.h"

#include <stdio.h>
#include <stdlib.h>

#define INFO_NS (6 * NS_PER_S)

#define VIEW(id, ops) extern const struct view_ops ops;
#include "ui/views.def"

static const struct view_ops *const view_table[VIEWS] = {
#define VIEW(id, ops) [VIEW_##id] = &ops,
#include "ui/views.def"
};

/* ---- making and ending ---- */

struct screen *screen_new(struct hub *hub, bool demo, struct err_info *err)
{
    struct screen *s = calloc(1, sizeof *s);
    if (!s) {
        err_set(err, ERR_NOMEM, "no memory for the screen");
        return NULL;
    }
    s->hub = hub;
    s->demo = demo;
    canvas_init(&s->canvas);
    enum err e = screen_change_open(s, err);
    if (!e)
        screen_show(s, VIEW_DASHBOARD, NULL);
    if (!e && s->depth == 0)
        e = err_set(err, ERR_NOMEM, "no memory for the dashboard");
    if (e)
        screen_free(&s);
    return s;
}

void screen_free(struct screen **sp)
{
    struct screen *s = *sp;
    *sp = NULL;
    if (!s)
        return;
    for (size_t i = 0; i < VIEWS; i++) {
        struct view *v = &s->views[i];
        if (v->ops && v->ops->close)
            v->ops->close(v);
        free(v->state);
    }
    screen_change_close(s);
    prompt_free(&s->prompt);
    canvas_free(&s->canvas);
    free(s);
}

struct view *screen_view(struct screen *s, enum view_id id)
{
    struct view *v = &s->views[id];
    struct err_info err;
    if (v->ops)
        return v;
    *v = (struct view){.screen = s, .hub = s->hub};
    v->state = calloc(1, view_table[id]->state_size);
    if (!v->state)
        return NULL;
    v->ops = view_table[id];
    if (v->ops->open && v->ops->open(v, &err)) {
        screen_say_err(s, &err);
        free(v->state);
        *v = (struct view){.ops = NULL};
        return NULL;
    }
    return v;
}

/* ---- the stack of views ---- */

/* Warnings stay until a key; errors until Esc, which takes nothing else away, the next line that is entered, or another view: a
 * key that scrolls must not take the sentence that one reads. */
static bool dismiss(struct screen *s, bool errors)
{
    bool was = s->notice.text[0] && (errors || s->notice.severity != SEVERITY_CRIT);
    if (was)
        s->notice.text[0] = '\0';
    return was;
}

static void cut_stack(struct screen *s, size_t depth)
{
    while (s->depth > depth) {
        struct view *v = screen_top(s);
        s->depth--;
        if (v->ops->leave)
            v->ops->leave(v);
    }
}

void screen_show(struct screen *s, enum view_id id, const void *argument)
{
    struct view *v = screen_view(s, id);
    size_t at = 0;
    if (!v)
        return;
    if (s->depth && s->stack[s->depth - 1] != id)
        dismiss(s, true);
    while (at < s->depth && s->stack[at] != id)
        at++;
    if (at == s->depth)
        s->stack[s->depth++] = id;
    else
        cut_stack(s, at + 1);
    if (v->ops->enter)
        v->ops->enter(v, argument);
}

struct view *screen_top(struct screen *s)
{
    return &s->views[s->stack[s->depth - 1]];
}

struct view *screen_below(struct screen *s)
{
    return &s->views[s->stack[s->depth > 1 ? s->depth - 2 : 0]];
}

void screen_back(struct screen *s)
{
    if (s->depth == 1)
        return;
    cut_stack(s, s->depth - 1);
    dismiss(s, true);
}

struct hub *screen_hub(struct screen *s)
{
    return s->hub;
}

/* ---- saying things ---- */

static void say(struct screen *s, enum severity severity, const char *text)
{
    text_copy(s->notice.text, sizeof s->notice.text, text);
    s->notice.severity = severity;
    s->notice.until_ns = severity == SEVERITY_INFO ? clock_wall_ns() + INFO_NS : INT64_MAX;
}

void screen_say(struct screen *s, enum severity severity, const char *format, ...)
{
    char text[480];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say(s, severity, text);
}

void screen_say_err(struct screen *s, const struct err_info *err)
{
    char text[480];
    say(s, SEVERITY_CRIT, err_format(err, text, sizeof text));
}

static bool take_hub_notice(struct screen *s)
{
    uint64_t serial = 0;
    enum severity severity = SEVERITY_INFO;
    const char *text = hub_notice(s->hub, &serial, &severity);
    if (!text || serial == s->notice_serial)
        return false;
    s->notice_serial = serial;
    say(s, severity, text);
    return true;
}

void screen_want(struct screen *s, enum screen_want want)
{
    s->wants |= want;
}

unsigned screen_take_wants(struct screen *s)
{
    unsigned wants = s->wants;
    s->wants = 0;
    return wants;
}

const struct theme *screen_theme(const struct screen *s)
{
    return &s->theme;
}

enum err screen_set_theme(struct screen *s, const char *name, struct err_info *err)
{
    struct theme loaded;
    enum err e = theme_load(&loaded, name, err);
    if (e)
        return e;
    s->theme = loaded;
    s->wants |= SCREEN_THEME;
    return ERR_OK;
}

/* ---- the line at the foot ---- */

void screen_typed(struct screen *s)
{
    struct view *v = screen_top(s);
    s->note = (struct prompt_note){.text = ""};
    if (s->prompt.kind == PROMPT_COMMAND)
        command_note(s->prompt.text, &s->note);
    else if (v->ops->typed)
        v->ops->typed(v, s->prompt.kind, s->prompt.text, &s->note);
}

void screen_prompt(struct screen *s, enum prompt_kind kind, const char *text)
{
    prompt_open(&s->prompt, kind, text);
    screen_typed(s);
}

static void entered(struct screen *s, enum prompt_kind kind, const char *text)
{
    struct view *v = screen_top(s);
    if (kind == PROMPT_COMMAND) {
        if (text)
            command_run(s, text);
    } else if (v->ops->entered) {
        v->ops->entered(v, kind, text);
    }
}

static void confirm_key(struct screen *s, int key)
{
    s->prompt.kind = PROMPT_NONE;
    if (key == 'y')
        screen_open_channels(s, &s->confirm, 1, &s->confirm_how);
    else
        screen_say(s, SEVERITY_INFO, "%s was left alone", s->confirm.channel.name);
}

/* Only at the end of the line: in its midst nothing is finished. */
static void complete(struct screen *s)
{
    char line[PROMPT_MAX];
    struct prompt_note several = {.text = ""};
    text_copy(line, sizeof line, s->prompt.text);
    if (s->prompt.at != s->prompt.len || !command_complete(s, line, sizeof line, &several))
        return;
    prompt_open(&s->prompt, PROMPT_COMMAND, line);
    screen_typed(s);
    if (several.text[0])
        s->note = several;
}

static void prompt_input(struct screen *s, int key)
{
    enum prompt_kind kind = s->prompt.kind;
    if (kind == PROMPT_CONFIRM) {
        confirm_key(s, key);
        return;
    }
    if (key == UIKEY_TAB && kind == PROMPT_COMMAND) {
        complete(s);
        return;
    }
    /* A faulty filter keeps the line open: the caret shows where. A half typed one would find nothing. */
    if (key == UIKEY_RETURN && (s->note.fault || s->note.unfinished))
        return;
    switch (prompt_key(&s->prompt, key)) {
    case PROMPT_EDITED: screen_typed(s); break;
    case PROMPT_ENTERED:
        dismiss(s, true);
        entered(s, kind, s->prompt.text);
        break;
    case PROMPT_LEFT: entered(s, kind, NULL); break;
    case PROMPT_SAME: break;
    }
}

/* ---- keys ---- */

static void quit_or_back(struct screen *s)
{
    if (s->depth == 1)
        screen_quit(s);
    screen_back(s);
}

static void show_tab(struct screen *s, enum view_id id)
{
    if (id == VIEW_TAIL && !hub_tail(s->hub))
        screen_say(s, SEVERITY_INFO, "No tail is open: choose a channel on the dashboard and press t");
    else
        screen_show(s, id, NULL);
}

static void global_action(struct screen *s, enum action action)
{
    switch (action) {
    case ACTION_COMMAND: screen_prompt(s, PROMPT_COMMAND, ""); break;
#define TAB(id, ops, key, name, help) \
 case ACTION_SHOW_##id:               \
  show_tab(s, VIEW_##id);             \
  break;
#include "ui/views.def"
    case ACTION_HELP: screen_show(s, VIEW_HELP, NULL); break;
    case ACTION_BACK: screen_back(s); break;
    case ACTION_QUIT: quit_or_back(s); break;
    case ACTION_CANCEL:
        screen_say(s, SEVERITY_INFO, "q goes back, and leaves signalbox on the dashboard");
        break;
    default: break;
    }
}

/* A paste outside an input would run as keys; inside, its line ends must confirm nothing. */
static bool paste_key(struct screen *s, int key)
{
    if (key == UIKEY_PASTE_BEGIN || key == UIKEY_PASTE_END) {
        s->pasting = key == UIKEY_PASTE_BEGIN;
        const struct view *v = screen_top(s);
        bool field = v->ops->takes_text && v->ops->takes_text(v);
        if (s->pasting && s->dialog.open)
            screen_say(s, SEVERITY_WARN, "The paste was ignored: what is asked here is typed");
        else if (s->pasting && s->prompt.kind == PROMPT_NONE && !field)
            screen_say(s, SEVERITY_WARN,
                       "The paste was ignored: nothing here takes text. Press : or / first");
        return true;
    }
    bool text = key >= ' ' && key < UIKEY_FIRST_NAMED;
    const struct view *v = screen_top(s);
    bool input = s->prompt.kind != PROMPT_NONE ? s->prompt.kind != PROMPT_CONFIRM
                                               : v->ops->takes_text && v->ops->takes_text(v);
    input &= !s->dialog.open;
    return s->pasting && !(input && text);
}

bool screen_is_small(const struct screen *s)
{
    return s->canvas.w < SCREEN_MIN_WIDTH || s->canvas.h < SCREEN_MIN_HEIGHT;
}

void screen_act(struct screen *s, enum action action)
{
    struct view *v = screen_top(s);
    if (action == ACTION_REDRAW || action == ACTION_SUSPEND)
        s->wants |= action == ACTION_REDRAW ? SCREEN_REDRAW : SCREEN_SUSPEND;
    else if (action != ACTION_NONE)
        global_action(s, v->ops->action ? v->ops->action(v, action) : action);
}

/* Esc takes one thing away: what was said first, then a filter, then the view. */
static void screen_input(struct screen *s, int key, bool dismissed)
{
    struct view *v = screen_top(s);
    if (v->ops->key && v->ops->key(v, key))
        return;
    enum action action = keymap_find(v->ops->keys, key);
    if (action == ACTION_NONE && key > ' ' &&
        key < 0x7F) /* letters that are meant for an input would run on as keys */
        screen_say(s, SEVERITY_INFO, "`%c` does nothing here; ? lists the keys", key);
    else if (action != ACTION_BACK || !(dismissed || dismiss(s, true)))
        screen_act(s, action);
}

void screen_key(struct screen *s, int key)
{
    if (key == UIKEY_UNKNOWN || paste_key(s, key))
        return;
    bool dismissed = dismiss(s, false);
    if (key == UIKEY_CONTROL('l'))
        s->wants |= SCREEN_REDRAW;
    else if (key == UIKEY_CONTROL('z'))
        s->wants |= SCREEN_SUSPEND;
    else if (screen_is_small(s)) /* there is no room for the question that a job wants */
        s->wants |= key == 'q' && !jobs_running(s->jobs) ? SCREEN_QUIT : 0;
    else if (s->dialog.open)
        screen_dialog_key(s, key);
    else if (s->prompt.kind != PROMPT_NONE)
        prompt_input(s, key);
    else
        screen_input(s, key, dismissed);
}

bool screen_resize(struct screen *s, int w, int h)
{
    return canvas_resize(&s->canvas, w, h);
}

void screen_ascii(struct screen *s)
{
    s->canvas.ascii = true;
}

/* ---- events and work ---- */

bool screen_tell(struct screen *s, uint32_t changes)
{
    bool visible = false;
    for (size_t i = 0; i < VIEWS; i++) {
        struct view *v = &s->views[i];
        if (v->ops && v->ops->on_event && v->ops->on_event(v, changes) && v == screen_top(s))
            visible = true;
    }
    return visible;
}

bool screen_event(struct screen *s, uint32_t changes)
{
    bool visible = (changes & HUB_NOTICE) && take_hub_notice(s);
    visible |= screen_tell(s, changes);
    return visible || (changes & (HUB_ENDPOINTS | HUB_PROBES)); /* the counts in row 1 */
}

bool screen_work(struct screen *s, int64_t deadline_ns)
{
    bool more = false;
    for (size_t i = 0; i < VIEWS; i++) {
        struct view *v = &s->views[i];
        if (v->ops && v->ops->work)
            more |= v->ops->work(v, deadline_ns);
    }
    return more;
}

const struct canvas *screen_canvas(const struct screen *s)
{
    return &s->canvas;
}
