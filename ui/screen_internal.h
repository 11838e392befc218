/* The screen's insides, shared by its two files: what keys and events do (screen.c), and drawing (screen_draw.c). */
#ifndef SIGNALBOX_UI_SCREEN_INTERNAL_H
#define SIGNALBOX_UI_SCREEN_INTERNAL_H

#include "ui/screen.h"

struct screen {
    struct hub *hub;
    bool demo;
    struct canvas canvas;
    struct view views[VIEWS];
    enum view_id stack[VIEWS]; /* each at most once; [0] is the dashboard */
    size_t depth;
    struct prompt prompt;
    struct prompt_note note;
    struct address confirm; /* what PROMPT_CONFIRM would browse, and how */
    struct screen_read confirm_how;
    char confirm_text[640];
    struct theme theme;
    struct {
        char text[480];
        enum severity severity;
        int64_t until_ns; /* wall clock; INT64_MAX: until a key */
    } notice;
    uint64_t notice_serial; /* the hub's, already shown */
    bool pasting;
    unsigned wants;
};

bool screen_is_small(const struct screen *s);
void screen_typed(struct screen *s); /* asks the view anew what it says to the line: counts are live */

#endif
