/* Marks: a file that says what this process changed elsewhere and still has to undo. Floor 0.
 *
 * A mark is held (a shared lock) by every process that takes part in the change. The last one that leaves undoes it and removes
 * the mark; where they were all killed, the mark is found left over, and whoever finds it undoes the change. Marks live in
 * $XDG_STATE_HOME/signalbox (~/.local/state/signalbox), folder 0700, files 0600. Any thread. */
#ifndef SIGNALBOX_BASE_MARK_H
#define SIGNALBOX_BASE_MARK_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Takes part. *fresh: nobody else does, and none is left over: the change is still to be made, then mark_write. The descriptor
 * or -1 with *err. */
int mark_take(const char *name, bool *fresh, struct err_info *err);
/* Says on disk that the change is about to be made; text is for people who look into the file. */
enum err mark_write(int mark, const char *text, struct err_info *err) SB_MUST_USE;
/* Leaves. True: this was the last one, the change is to be undone now, then mark_end is called. False: others go on; the
 * descriptor is closed. */
bool mark_is_last(int mark);
/* A mark whose owners are all gone: its descriptor, as mark_is_last would have left it, else -1. Cheap where there is none. */
int mark_left(const char *name);
int64_t mark_time(int mark); /* wall clock: when the change was made */
/* Calls `seen` for each mark that mark_left would find; the text is what mark_write wrote. */
typedef void mark_seen(void *context, const char *name, const char *text);
void mark_each_left(mark_seen *seen, void *context);
/* After mark_is_last or mark_left. undone: the mark is removed; else it stays for the next one who looks. */
void mark_end(int mark, const char *name, bool undone);

#endif
