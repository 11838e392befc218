/* The screen: the views, the chrome around them, the line at the foot and the keys, without a terminal. Floor 5. The loop
 * (ui/console.c) feeds it keys and shows its canvas; golden tests do the same without one. UI thread only. */
#ifndef SIGNALBOX_UI_SCREEN_H
#define SIGNALBOX_UI_SCREEN_H

#include "operations/audit.h"
#include "operations/jobs.h"
#include "ui/dialog.h"
#include "ui/prompt.h"
#include "ui/theme.h"
#include "ui/view.h"

enum { SCREEN_MIN_WIDTH = 60, SCREEN_MIN_HEIGHT = 16 };

/* What the screen wants of the loop; taken with screen_take_wants. */
enum screen_want {
    SCREEN_QUIT = 1 << 0,
    SCREEN_SUSPEND = 1 << 1,
    SCREEN_REDRAW = 1 << 2,
    SCREEN_THEME = 1 << 3,
    SCREEN_EDIT = 1 << 4, /* screen_edit_path is to be edited, and screen_edited told of it */
};

struct screen *screen_new(struct hub *hub, bool demo, struct err_info *err);
void screen_free(struct screen **s);
bool screen_resize(struct screen *s, int w, int h);
void screen_ascii(struct screen *s); /* it will be shown without Unicode */
void screen_key(struct screen *s, int key);
bool screen_event(struct screen *s, uint32_t changes);      /* true: something visible changed */
bool screen_work(struct screen *s, int64_t deadline_ns);    /* true: there is more */
int64_t screen_draw(struct screen *s);                      /* wall clock of the next change by itself */
const struct canvas *screen_canvas(const struct screen *s); /* as of the last screen_draw */
unsigned screen_take_wants(struct screen *s);
int screen_fd(const struct screen *s); /* readable when operations have changed, or the journal was read */
bool screen_pump(struct screen *s);    /* takes that; true: something visible changed */
const char *screen_edit_path(const struct screen *s);
void screen_edited(struct screen *s, bool well);          /* well: the editor ended without a failure */
const struct theme *screen_theme(const struct screen *s); /* after SCREEN_THEME */

/* ---- for views and commands ---- */

/* Shows a view, above the ones that are open. argument is the view's own: the inspector's is a message id (uint64_t), the
 * others' NULL. */
void screen_show(struct screen *s, enum view_id id, const void *argument);
struct view *screen_view(struct screen *s, enum view_id id); /* opened when needed; NULL: out of memory */
struct view *screen_top(struct screen *s);
struct view *screen_below(struct screen *s); /* the one under the top; the top when alone */
void screen_back(struct screen *s);
void screen_act(struct screen *s, enum action action); /* as if its key had been pressed */
void screen_say(struct screen *s, enum severity severity, const char *format, ...) SB_PRINTF(3, 4);
void screen_say_err(struct screen *s, const struct err_info *err);
void screen_want(struct screen *s, enum screen_want want);
enum err screen_set_theme(struct screen *s, const char *name, struct err_info *err) SB_MUST_USE;
void screen_prompt(struct screen *s, enum prompt_kind kind, const char *text);
struct hub *screen_hub(struct screen *s);

/* How channels are opened: the words behind `:tail` and `:browse`. */
struct screen_read {
    struct hub_read read;
    char where[PROMPT_MAX]; /* the view's filter to begin with; "" none */
};
void screen_read_init(struct screen_read *how, enum read_mode mode);

/* Opens a tail of these, and its view. how: NULL for all that flows from now on. */
/* A listed channel's address. False: no memory. */
bool screen_address(struct screen *s, size_t endpoint, const struct channel *c, struct address *address);
/* Every listed channel of an endpoint that can be tailed. */
void screen_tail_all(struct screen *s, size_t endpoint, const struct screen_read *how);
void screen_tail(struct screen *s, const struct address *addresses, size_t count,
                 const struct screen_read *how);
/* Opens a browse and its view; where looking leaves a mark the operator is asked first, where it consumes it is refused. how: NULL
 * for the first messages that are stored. */
void screen_browse(struct screen *s, const struct address *address, const struct screen_read *how);
/* Filters the tail's view, as if the expression had been typed there; a faulty one is said. */
void screen_filter(struct screen *s, const char *expression);

/* ---- changes: what is allowed, asked, and under way (ui/screen_change.c, ui/screen_write.c) ---- */

/* NULL: no memory for it, which was said. */
struct jobs *screen_jobs(struct screen *s);
/* The journal as it was read last; NULL: not yet. */
const struct audit_list *screen_journal(const struct screen *s);
void screen_read_journal(struct screen *s, const char *id); /* see audit_read; SCREEN_JOBS tells of the end */

/* Opens for so long what the configuration does not, production apart; 0 closes all again. What came of it is said. */
void screen_write(struct screen *s, int64_t ns);
/* One of the hub's endpoints; production is asked for its name first. */
void screen_write_one(struct screen *s, size_t endpoint, int64_t ns);
bool screen_may_write(const struct screen *s, const struct endpoint *e);

/* Asks; the dialog is copied, and answered once, unless the screen ends before. */
typedef void screen_answer(struct screen *s, void *context, bool yes);
void screen_ask(struct screen *s, const struct dialog *d, screen_answer *answer, void *context);
/* Has a file edited, on the whole terminal: the screen stands still meanwhile, as after ^Z. `done` is told of its end, once. */
void screen_edit(struct screen *s, const char *path, screen_answer *done, void *context);
/* Behind a command of the shell, what it needs to reach what is here: the configuration that was named; in the demo that it does not. */
void screen_put_reach(const struct screen *s, struct buffer *out);
/* The same, where the command names the configuration already; "" but in the demo. */
const char *screen_unreached(const struct screen *s);
/* Leaves, after a question where operations are under way. */
void screen_quit(struct screen *s);

#endif
