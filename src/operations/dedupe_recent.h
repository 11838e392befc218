/* Values that were seen lately: what marks duplicates in a tail as they pass. Floor 4. One thread at a time.
 *
 * Exact within its window, values being compared byte by byte: what is said to have been seen was seen. The window ends where its bounds
 * do; what was seen last the longest ago is forgotten first, and is counted, so that nobody takes "new" for "the first one ever". */
#ifndef SIGNALBOX_OPERATIONS_DEDUPE_RECENT_H
#define SIGNALBOX_OPERATIONS_DEDUPE_RECENT_H

#include "base/bytes.h"
#include "base/clock.h"

struct recent;

enum recent_answer {
    RECENT_NEW,   /* not within the window */
    RECENT_AGAIN, /* seen before */
    RECENT_LARGE, /* larger than the window can hold: it is not judged, nor kept */
};

struct recent_window {
    uint64_t held;      /* different values */
    uint64_t forgotten; /* so far */
    int64_t since_ns; /* everything since then is known (wall clock); TIME_NONE: nothing was forgotten yet */
};

/* Takes all of its memory at once: the bytes, and 40 a value. NULL: there is none. */
struct recent *recent_new(uint32_t most_values, size_t most_bytes);
void recent_free(struct recent **r);
/* It is kept, and counts as seen now. *before_ns, of RECENT_AGAIN: when it was seen last. */
enum recent_answer recent_see(struct recent *r, struct bytes value, int64_t now_ns, int64_t *before_ns);
bool recent_has(const struct recent *r, struct bytes value); /* and does not count as seen */
struct recent_window recent_window(const struct recent *r);
/* "of the last 10,000 values (since 12:04:30): older ones are forgotten"; "" nothing was. Returns into. */
char *recent_text(const struct recent *r, char *into, size_t size);

#endif
