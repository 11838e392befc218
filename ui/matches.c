#include "ui/matches.h"

#include "base/text.h"

#include <stdlib.h>

void matches_again(struct matches *m)
{
    m->head = m->count = m->evicted = m->unknown = 0;
    m->unseen = false;
    m->scanned = 0;
}

void matches_set(struct matches *m, struct filter *filter, const char *text)
{
    filter_free(&m->filter);
    m->filter = *text ? filter : NULL;
    if (!*text)
        filter_free(&filter);
    text_copy(m->text, sizeof m->text, text);
    matches_again(m);
}

void matches_free(struct matches *m)
{
    filter_free(&m->filter);
    free(m->ids);
    *m = (struct matches){.filter = NULL};
}

/* Ids that left the store leave the list. */
static void forget_evicted(struct matches *m, const struct store *s)
{
    uint64_t oldest = store_oldest(s);
    while (m->count && m->ids[m->head] < oldest) {
        m->head++;
        m->count--;
        m->evicted++;
    }
    if (m->head > 1024 && m->head > m->count) {
        memmove(m->ids, m->ids + m->head, m->count * sizeof *m->ids);
        m->head = 0;
    }
    if (m->scanned + 1 < oldest) {
        m->unseen |= m->scanned > 0; /* before it begins nothing was missed */
        m->scanned = oldest - 1;
    }
}

static void add(struct matches *m, uint64_t id)
{
    if (m->head + m->count == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 1024;
        uint64_t *ids = reallocarray(m->ids, cap, sizeof *ids);
        if (!ids)
            return;
        m->ids = ids;
        m->cap = cap;
    }
    m->ids[m->head + m->count++] = id;
}

bool matches_slice(struct matches *m, const struct store *s, int64_t deadline_ns,
                   enum filter_answer (*wanted)(void *context, const struct matches *m,
                                                const struct message *message),
                   void *context)
{
    if (!m->filter)
        return false;
    forget_evicted(m, s);
    while (matches_busy(m, s)) {
        const struct message *message = store_get(s, ++m->scanned);
        enum filter_answer a = message ? wanted(context, m, message) : FILTER_NO;
        m->unknown += a == FILTER_UNKNOWN;
        if (a == FILTER_YES)
            add(m, m->scanned);
        if (clock_mono_ns() >= deadline_ns) /* one message may take long: what is wrapped is unpacked */
            break;
    }
    return matches_busy(m, s);
}

bool matches_busy(const struct matches *m, const struct store *s)
{
    return m->filter && m->scanned < store_newest(s);
}

uint64_t matches_id(const struct matches *m, size_t i)
{
    return m->ids[m->head + i];
}

size_t matches_at(const struct matches *m, uint64_t id)
{
    size_t low = 0, high = m->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (matches_id(m, middle) < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool matches_has(const struct matches *m, uint64_t id)
{
    size_t at = matches_at(m, id);
    return at < m->count && matches_id(m, at) == id;
}
