/* The terminal: the only door to curses. Floor 5. UI thread only; there is one terminal, so at most one is open.
 *
 * It shows a canvas by touching the cells that changed, reads keys, and gives the terminal back whole: at term_close, when
 * suspended, and when the program crashes (restored with write(2) and tcsetattr from the signal handler). */
#ifndef SIGNALBOX_UI_TERM_H
#define SIGNALBOX_UI_TERM_H

#include "base/err.h"
#include "ui/canvas.h"
#include "ui/keys.h"
#include "ui/theme.h"

#include <signal.h>

struct term;

enum term_colour { TERM_COLOUR_AUTO, TERM_COLOUR_ALWAYS, TERM_COLOUR_NEVER };

/* ERR_USAGE where there is no terminal or TERM can't move a cursor. The theme is copied. */
struct term *term_open(const struct theme *theme, enum term_colour colour, struct err_info *err);
void term_close(struct term **t);
/* What the user should know about the start ("no terminfo entry for ..."); NULL nothing. */
const char *term_notice(const struct term *t);
bool term_over_ssh(const struct term *t);
bool term_is_ascii(const struct term *t); /* its locale has no Unicode */
void term_size(const struct term *t, int *w, int *h);
void term_theme(struct term *t, const struct theme *theme);
/* Shows the canvas, which must have the terminal's size. Returns roughly how many bytes that took. */
size_t term_show(struct term *t, const struct canvas *c);
/* Asks the terminal what it can do; to be called once, after the first frame. Answers come as keys and are kept here. */
void term_ask(struct term *t);
void term_redraw(struct term *t); /* forget what is on the screen: the next term_show draws all of it */
int term_key(struct term *t);     /* the next key that waits, UIKEY_NONE without any */
/* Gives the terminal back, stops the process group, and takes the terminal again when it is continued. */
void term_suspend(struct term *t);
/* Gives the terminal to `sh -c command sh argument`, waits for its end, and takes it again. Its exit status; -1: it could not be run, or a
 * signal ended it. */
int term_run(struct term *t, const char *command, const char *argument);
/* After somebody else stopped the process (SIGSTOP) and it was continued: the modes are ours again, the screen is redrawn. */
void term_resume(struct term *t);

#endif
