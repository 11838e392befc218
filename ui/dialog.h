/* A dialog: a question over what is shown, which nothing but its own key, or the name that it asks for, says yes to. Floor 5.
 *
 * It is closed to keys for a moment after it has opened, and to pastes for ever: what was on its way was meant for something else. */
#ifndef SIGNALBOX_UI_DIALOG_H
#define SIGNALBOX_UI_DIALOG_H

#include "ui/view.h"

#define DIALOG_LINES 48
#define DIALOG_NAMES 2
#define DIALOG_NAME  300

struct dialog {
    bool open, severe;
    char title[120];
    char yes[80]; /* what it would do: "Purge 1,204 messages" */
    struct {
        enum role role;
        const char *label; /* static; NULL: none */
        size_t at;         /* in the pool */
    } lines[DIALOG_LINES];
    size_t line_count, pool_used;
    char pool[16000];
    char names[DIALOG_NAMES][DIALOG_NAME]; /* to be typed, one after the other; none: y says yes */
    size_t name_count, typed_count;
    char typed[DIALOG_NAME];
    bool wrong;        /* Enter has met another text than the name; until the next key */
    int64_t opened_ns; /* monotonic */
    int top, rows, height;
};

enum dialog_result { DIALOG_SAME, DIALOG_YES, DIALOG_NO };

/* Empty, with a title; severe: it cannot be undone, or is about production. */
void dialog_init(struct dialog *d, const char *title, bool severe);
void dialog_add(struct dialog *d, enum role role, const char *label, const char *format, ...) SB_PRINTF(4, 5);
void dialog_name(struct dialog *d, const char *name); /* must be typed */
void dialog_open(struct dialog *d, const char *yes);
enum dialog_result dialog_key(struct dialog *d, int key); /* it is closed, unless SAME */
void dialog_draw(struct dialog *d, struct frame *f);

#endif
