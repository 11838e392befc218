/* The line at the foot: a one-line editor with history. Floor 5. It knows nothing of what its text is for. */
#ifndef SIGNALBOX_UI_PROMPT_H
#define SIGNALBOX_UI_PROMPT_H

#include "ui/view.h"

enum { PROMPT_MAX = 1024, PROMPT_HISTORY = 16 };

struct prompt {
    enum prompt_kind kind; /* PROMPT_NONE: closed */
    char text[PROMPT_MAX];
    size_t len, at; /* bytes; at: the cursor */
    char *history[PROMPT_HISTORY];
    enum prompt_kind history_kind[PROMPT_HISTORY];
    size_t history_count, history_at;
};

enum prompt_result {
    PROMPT_SAME,    /* nothing happened */
    PROMPT_EDITED,  /* another text, or cursor */
    PROMPT_ENTERED, /* Enter: text is final; the prompt is closed */
    PROMPT_LEFT,    /* Esc or ^C: closed */
};

void prompt_open(struct prompt *p, enum prompt_kind kind, const char *text);
enum prompt_result prompt_key(struct prompt *p, int key);
void prompt_remember(struct prompt *p, enum prompt_kind kind, const char *text);
void prompt_free(struct prompt *p);
/* Draws sign, text and cursor into w cells of row y; the text scrolls so that the cursor stays visible. */
void prompt_draw(const struct prompt *p, struct canvas *c, int x, int y, int w);
/* Does the text end where a filter's term still wants something (`name=`)? Then it is not wrong, but not yet meant. */
bool prompt_half_typed(const char *text);
/* The words of a filter that end before byte `caret`: what can be shown while the rest is wrong or half typed. */
char *prompt_good_part(const char *text, size_t caret, char *into, size_t size);
char prompt_sign(enum prompt_kind kind); /* ':' '/' '\\' */

#endif
