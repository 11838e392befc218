/* What the inspector may ask of the tail. */
#ifndef SIGNALBOX_UI_VIEWS_TAIL_H
#define SIGNALBOX_UI_VIEWS_TAIL_H

#include "ui/view.h"

/* The message `step` shown rows away from id (1 newer, -1 older), to which the tail's cursor moves; 0: there is none. */
uint64_t tail_neighbour(struct view *tail, uint64_t id, int step);
/* Why there is none. */
const char *tail_end_text(const struct view *tail, int step, char *into, size_t size);

#endif
