/* How fast something goes of late. Floor 4. One thread at a time. */
#ifndef SIGNALBOX_OPERATIONS_SPEED_H
#define SIGNALBOX_OPERATIONS_SPEED_H

#include "base/clock.h"

#define SPEED_SLOW_S  4 /* so many seconds at the beginning are slower: in the first one as many times */
#define SPEED_SAMPLES 64

/* Zeroed: nothing was seen. */
struct speed {
    struct {
        int64_t at_ns, count;
    } seen[SPEED_SAMPLES]; /* a ring: one in a tenth of a second, so that it holds more than the window */
    size_t first, held;
};

/* So many in all, at that time (monotonic). */
void speed_note(struct speed *s, int64_t now_ns, int64_t count);
/* So many a second, over the last five seconds that were noted. Negative: not known, since less than one was seen. */
double speed_of(const struct speed *s);
/* How long so many take at that rate, at least a second: the first seconds are slower (execute_send.c). In ns. */
int64_t speed_takes(int64_t messages, int64_t per_second);
void speed_forget(struct speed *s); /* it stood still on purpose, or goes at another pace from now on */

#endif
