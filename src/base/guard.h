/* Guards: a process of ours that outlives this one, and undoes what it had changed elsewhere where it was killed or crashed. Floor 0.
 *
 * A guard is the program itself under another name, so that it begins with nothing of this process: no thread, no connection, no
 * descriptor. It sleeps until this process is gone, and goes without a word where it was dismissed before. */
#ifndef SIGNALBOX_BASE_GUARD_H
#define SIGNALBOX_BASE_GUARD_H

#include "base/buffer.h"

#include <stdbool.h>
#include <sys/types.h>

struct guard {
    int fd; /* what the guard reads; -1: there is none */
    pid_t pid;
};

/* Main thread, before any guard: there are none without it, as in a test that uses a driver alone. program must outlive all. */
void guard_enable(const char *program);
bool guard_is_me(const char *argv0); /* this process was started as one */
/* Starts one that knows the name of the mark (base/mark.h) and `text`, which may be secret. False: there is none, and a kill -9
 * leaves what is to be undone. Any thread. */
bool guard_start(struct guard *g, const char *mark, struct bytes text);
/* There is nothing left to undo. Waits until it is gone, which takes milliseconds. Nothing happens where there is none. */
void guard_dismiss(struct guard *g);
/* It goes to work now, while this process goes on: what was to be undone could not be. */
void guard_leave(struct guard *g);
/* In the guard: waits until the process that it guards is gone. True: it was not dismissed, and *mark and *text, which point into
 * `told`, are what it was told. */
bool guard_wait(struct buffer *told, const char **mark, struct bytes *text);

#endif
