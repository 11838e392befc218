/* The three rows around every view: name, counts and clock; places; key hints. Floor 5. */
#ifndef SIGNALBOX_UI_CHROME_H
#define SIGNALBOX_UI_CHROME_H

#include "ui/view.h"

struct chrome_badges {
    bool demo;
    char write[24]; /* "READ-ONLY", "WRITE 9m"; "": nothing could be changed */
    enum role write_role;
    size_t running; /* operations under way */
};
void chrome_top(struct frame *f, const struct hub *hub, const struct chrome_badges *badges); /* row 0 */
bool chrome_has_tab(enum view_id id);
void chrome_tabs(struct frame *f, enum view_id current, const char *crumbs); /* row 1 */
/* Last row, after the view was drawn: whole items, never cut. back: there is a place to go back to, which is what q does there. */
void chrome_hints(struct frame *f, struct view *v, bool back);

#endif
