/* Which stored messages a filter takes: a list of ids that grows in slices, so that no key waits for a large store. Floor 5. */
#ifndef SIGNALBOX_UI_MATCHES_H
#define SIGNALBOX_UI_MATCHES_H

#include "engine/filter.h"
#include "engine/store.h"

struct matches {
    struct filter *filter; /* NULL: none */
    char text[1024];       /* as it was typed */
    uint64_t *ids;         /* ascending; from head on */
    size_t head, count, cap;
    uint64_t scanned; /* newest id that was looked at */
    size_t evicted;   /* ids that were in the list and have left the store */
    size_t unknown;   /* messages of which the filter could not tell */
    bool unseen;      /* others have left it before they were looked at */
};

/* Takes the filter and begins anew; an empty text is none. */
void matches_set(struct matches *m, struct filter *filter, const char *text);
void matches_again(struct matches *m); /* the same filter from the oldest message on */
void matches_free(struct matches *m);
/* Goes on until the deadline; `wanted` decides on a message, by m->filter and whatever else. True: there is more to look at. */
bool matches_slice(struct matches *m, const struct store *s, int64_t deadline_ns,
                   enum filter_answer (*wanted)(void *context, const struct matches *m,
                                                const struct message *message),
                   void *context);
bool matches_busy(const struct matches *m, const struct store *s); /* not all was looked at yet */
uint64_t matches_id(const struct matches *m, size_t i);
size_t matches_at(const struct matches *m, uint64_t id); /* the first that is not below id; count: none */
bool matches_has(const struct matches *m, uint64_t id);

#endif
