/* The screen's part of the manual, made of its own tables: the command line may not look into them. Floor 5. */
#ifndef SIGNALBOX_UI_MANUAL_H
#define SIGNALBOX_UI_MANUAL_H

#include "model/registry.h"

/* The keys of each place, those of all of them, and the words of the `:` line, in this order. */
void manual_describe(manual_row *row, void *context);

#endif
