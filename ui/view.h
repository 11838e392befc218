/* The contract of a view: one place of the console. Floor 5. A new view is one file in ui/views/ and one row in ui/views.def.
 * Every hook is called on the UI thread and never waits for anything.
 *
 * A view reads the hub through its accessors and draws on a canvas. What it draws is a function of the hub, its own state
 * and frame->now_ns alone; what changes by itself with time it says with frame_wake, so that nothing polls. */
#ifndef SIGNALBOX_UI_VIEW_H
#define SIGNALBOX_UI_VIEW_H

#include "engine/hub.h"
#include "ui/canvas.h"
#include "ui/keymap.h"

struct screen;

/* Beside enum hub_change in on_event: operations have changed, or the journal was read. */
#define SCREEN_JOBS (1U << 31)

enum view_id {
#define VIEW(id, ops) VIEW_##id,
#include "ui/views.def"
    VIEWS
};

struct frame {
    struct canvas *canvas;
    int64_t now_ns;    /* wall clock */
    int64_t wakeup_ns; /* wall clock of the next change by itself; INT64_MAX: none */
    bool status_taken; /* the screen will draw over the status row */
};

static inline void frame_wake(struct frame *f, int64_t at_ns)
{
    if (at_ns < f->wakeup_ns)
        f->wakeup_ns = at_ns;
}

/* What the line at the foot asks for. */
enum prompt_kind { PROMPT_NONE, PROMPT_COMMAND, PROMPT_FIND, PROMPT_FILTER, PROMPT_CONFIRM, PROMPT_FIELD };

/* What a view says to a text while it is typed. */
struct prompt_note {
    char text[600]; /* "37 of 4,812", or what is wrong */
    bool fault;
    bool unfinished; /* Enter does nothing yet */
    size_t caret;    /* byte in the text where the fault is */
};

struct view {
    const struct view_ops *ops;
    struct screen *screen;
    struct hub *hub;
    void *state; /* ops->state_size bytes, zeroed before open */
};

struct view_ops {
    const char *name;  /* one word, as in the crumbs */
    const char *title; /* for the help screen */
    enum key_context keys;
    size_t state_size;
    enum err (*open)(struct view *v,
                     struct err_info *err) SB_MUST_USE;  /* once, before anything else; NULL: nothing to do */
    void (*close)(struct view *v);                       /* once, at the end */
    void (*enter)(struct view *v, const void *argument); /* each time it is shown; see screen_show */
    void (*leave)(struct view *v); /* each time it leaves the stack of what is shown; optional */
    /* The hub changed (enum hub_change bits). True: something visible did. Called for hidden views too. */
    bool (*on_event)(struct view *v, uint32_t changes);
    /* Slices of long work (refiltering, finding) until deadline_ns (monotonic). True: there is more. */
    bool (*work)(struct view *v, int64_t deadline_ns);
    /* Draws into r. Its last row is the status row, which the screen may draw over. */
    void (*draw)(struct view *v, struct frame *f, struct rect r);
    enum action (*action)(struct view *v, enum action action); /* returns what it did not consume */
    /* False: it would do nothing here now, and is left out of the hints. Optional: all do something. */
    bool (*offers)(struct view *v, enum action action);
    bool (*key)(struct view *v, int key);     /* raw keys before the key table; true: used. Optional */
    bool (*takes_text)(const struct view *v); /* into a field of its own: a paste may go there. Optional */
    void (*typed)(struct view *v, enum prompt_kind kind, const char *text, struct prompt_note *note);
    void (*entered)(struct view *v, enum prompt_kind kind, const char *text); /* NULL: left with Esc */
    void (*crumb)(const struct view *v, char *into, size_t size); /* what it shows: "orders + 2" */
    const char *(*doing)(const struct view *v); /* instead of its name, where that depends; optional */
};

#endif
