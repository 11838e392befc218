#include "operations/recovery.h"

#include "operations/identity.h"

#include <stdlib.h>

#define DONE_MOST 1000000 /* rows of removals that may have come back */

void recovery_free(struct recovery *r)
{
    free(r->rows);
    free(r->reached);
    free(r->known);
    *r = (struct recovery){.rows = NULL};
}

struct known {
    struct remembered *row;
    size_t next; /* of the first one of its identity: where the next that was not met may stand */
};

/* Of those that are the same, what had not arrived comes first: so many of them are there for certain. */
static int by_identity(const void *a, const void *b)
{
    const struct remembered *x = ((const struct known *)a)->row, *y = ((const struct known *)b)->row;
    int order = memcmp(x->identity, y->identity, IDENTITY_SIZE);
    if (!order)
        order = x->removable - y->removable;
    return order ? order : (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

static bool know_rows(struct recovery *r)
{
    if (r->known || !(r->known = reallocarray(NULL, r->count + 1, sizeof *r->known)))
        return r->known;
    for (size_t i = 0; i < r->count; i++)
        r->known[i].row = &r->rows[i];
    qsort(r->known, r->count, sizeof *r->known, by_identity);
    for (size_t i = 0; i < r->count; i++)
        r->known[i].next = i;
    return true;
}

static bool add_row(void *context, const struct journal_message *m)
{
    struct recovery *r = context;
    if (r->count == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 1024;
        struct remembered *rows = reallocarray(r->rows, cap, sizeof *rows);
        if (!rows) {
            r->no_room = true;
            return false;
        }
        r->rows = rows;
        r->cap = cap;
    }
    struct remembered *row = &r->rows[r->count++];
    *row = (struct remembered){.sequence = m->sequence,
                               .state = m->state,
                               .from = m->from,
                               .removable = r->removes && m->state == DELIVERY_ARRIVED,
                               .unsent = m->state == DELIVERY_INTENDED && m->reason &&
                                         strcmp(m->reason, RECOVERY_UNSENT) == 0};
    if (r->target && m->destination)
        row->to = r->target(r->context, m->destination);
    memcpy(row->identity, m->identity, IDENTITY_SIZE);
    return true;
}

static bool add_reached(void *context, int32_t partition, int64_t offset)
{
    struct recovery *r = context;
    struct reached *all = reallocarray(r->reached, r->reached_count + 1, sizeof *all);
    if (!all) {
        r->no_room = true;
        return false;
    }
    r->reached = all;
    r->reached[r->reached_count++] = (struct reached){partition, offset};
    return true;
}

enum err recovery_load(struct recovery *r, struct journal *j, int64_t number, bool removes,
                       struct err_info *err)
{
    unsigned states = 1U << DELIVERY_INTENDED | 1U << DELIVERY_ARRIVED | 1U << DELIVERY_FAILED |
                      1U << DELIVERY_SKIPPED | 1U << DELIVERY_IN_DOUBT;
    r->removes = removes;
    enum err e = journal_reached(j, number, add_reached, r, err);
    r->by_content = !removes && !r->reached_count;
    if (r->by_content)
        states |= 1U << DELIVERY_DONE;
    if (!e)
        e = journal_messages(j, number, states, add_row, r, err);
    if (!e && r->by_content)
        r->no_room |= !know_rows(r);
    return e ? e : r->no_room ? err_set(err, ERR_NOMEM, "no memory for what the journal tells of") : ERR_OK;
}

struct done_rows {
    struct recovery *recovery;
    uint64_t from;
};

static bool add_done(void *context, const struct journal_message *m)
{
    const struct done_rows *d = context;
    struct recovery *r = d->recovery;
    if (m->sequence < d->from)
        return true;
    if (!add_row(r, m))
        return false;
    r->rows[r->count - 1].removable = true;
    return r->count <= DONE_MOST;
}

static int by_sequence(const void *a, const void *b)
{
    const struct remembered *x = a, *y = b;
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

enum err recovery_load_done(struct recovery *r, struct journal *j, int64_t number, uint64_t from,
                            struct err_info *err)
{
    struct done_rows d = {r, from};
    enum err e = journal_messages(j, number, 1U << DELIVERY_DONE, add_done, &d, err);
    if (e)
        return e;
    if (r->no_room)
        return err_set(err, ERR_NOMEM, "no memory for what the journal tells of");
    if (r->count > DONE_MOST)
        return err_set(err, ERR_LIMIT,
                       "more than %d messages that were removed have come back: they cannot be told apart",
                       DONE_MOST);
    if (r->count)
        qsort(r->rows, r->count, sizeof *r->rows, by_sequence);
    free(r->known);
    r->known = NULL;
    return ERR_OK;
}

static bool is_question(const struct remembered *row)
{
    return row->state == DELIVERY_INTENDED && !row->unsent;
}

bool recovery_asks_of(const struct recovery *r, size_t target)
{
    for (size_t i = 0; i < r->count; i++)
        if (is_question(&r->rows[i]) && r->rows[i].to == target)
            return true;
    return false;
}

bool recovery_asks(const struct recovery *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (is_question(&r->rows[i]))
            return true;
    return false;
}

struct remembered *recovery_find(const struct recovery *r, uint64_t sequence)
{
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (r->rows[middle].sequence < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low < r->count && r->rows[low].sequence == sequence ? &r->rows[low] : NULL;
}

void recovery_arrived(struct recovery *r, uint64_t sequence)
{
    struct remembered *row = recovery_find(r, sequence);
    if (row && row->state == DELIVERY_INTENDED)
        row->state = DELIVERY_ARRIVED;
}

void recovery_doubt(struct recovery *r, size_t target)
{
    for (size_t i = 0; i < r->count; i++)
        r->rows[i].doubtful |= is_question(&r->rows[i]) && r->rows[i].to == target;
}

static bool is_open_row(const struct remembered *row)
{
    return row->state == DELIVERY_INTENDED || row->state == DELIVERY_ARRIVED;
}

/* ---- by order ---- */

static bool is_row(const struct recovery *r, const struct item *item, const struct remembered *row)
{
    if (memcmp(item->identity, row->identity, IDENTITY_SIZE) != 0)
        return false;
    return !row->removable || !r->tells_redelivered || item->redelivered;
}

/* Do the rows from there on stand at the source, from that item on? *work: how many were compared. */
static bool fits(const struct recovery *r, size_t row, struct item *const *items, size_t count, size_t at,
                 uint64_t *work)
{
    if (r->count - row > count - at)
        return false;
    for (; row < r->count; row++, at++, ++*work)
        if (!is_row(r, items[at], &r->rows[row]))
            return false;
    return true;
}

static int compare_identities(const void *a, const void *b)
{
    return memcmp(a, b, IDENTITY_SIZE);
}

static bool has_twins(const struct recovery *r)
{
    uint8_t(*all)[IDENTITY_SIZE] = reallocarray(NULL, r->count + 1, IDENTITY_SIZE);
    bool twins = !all;
    for (size_t i = 0; all && i < r->count; i++)
        memcpy(all[i], r->rows[i].identity, IDENTITY_SIZE);
    if (all)
        qsort(all, r->count, IDENTITY_SIZE, compare_identities);
    for (size_t i = 1; all && !twins && i < r->count; i++)
        twins = memcmp(all[i - 1], all[i], IDENTITY_SIZE) == 0;
    free(all);
    return twins;
}

static bool is_known_as(const struct recovery *r, size_t at, const uint8_t *identity)
{
    return at < r->count && memcmp(r->known[at].row->identity, identity, IDENTITY_SIZE) == 0;
}

static size_t find_first(const struct recovery *r, const uint8_t *identity)
{
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(r->known[middle].row->identity, identity, IDENTITY_SIZE) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Is one of the rows before that, which would be gone, among the items from there on? It has a twin, or the order is another one. */
static bool any_left(const struct recovery *r, size_t row, struct item *const *items, size_t count, size_t at)
{
    for (; at < count; at++) {
        size_t known = find_first(r, items[at]->identity);
        for (; is_known_as(r, known, items[at]->identity); known++) {
            const struct remembered *gone = r->known[known].row;
            if (gone < r->rows + row && gone->removable && is_row(r, items[at], gone))
                return true;
        }
    }
    return false;
}

/* Removals are made in the order of the source: of what had arrived a beginning is gone. How many are? -1: no number fits, or too many
 * would have to be compared; -2: several do. Where no two of the rows are the same, what stands there is taken for them, and not for
 * others that are the same to the last byte, were handed out before as well, and stand where they would. */
static int64_t find_removed(struct recovery *r, struct item *const *items, size_t count)
{
    int64_t found = -1;
    size_t at = 0, removed = 0, first = 0, behind = 0;
    uint64_t work = 0;
    for (size_t row = 0; row <= r->count; row++) {
        bool last = row == r->count;
        if (!last && !r->rows[row].removable) { /* it is there, however many are gone before it */
            if (at == count || !is_row(r, items[at++], &r->rows[row]))
                break;
            continue;
        }
        if (fits(r, row, items, count, at, &work)) {
            if (found >= 0 && has_twins(r))
                return -2;
            if (found >= 0)
                break;
            found = (int64_t)removed;
            first = row;
            behind = at + r->count - row;
        }
        if (work > RECOVERY_WORK)
            return -1;
        removed++;
    }
    return found > 0 && (!know_rows(r) || any_left(r, first, items, count, behind)) ? -1 : found;
}

/* What had ended stays as it ended, with its reason in the journal. */
void recovery_give(struct item *item, struct remembered *row)
{
    row->met = true;
    item->sequence = row->sequence;
    item->journaled = true;
    item->ended = row->state != DELIVERY_INTENDED && row->state != DELIVERY_ARRIVED;
    item->state = row->state;
    if (row->doubtful)
        item_say(
            item, DELIVERY_IN_DOUBT,
            "it was on its way when the operation was interrupted, and the destination could not be searched for it");
    item->remove = row->state == DELIVERY_ARRIVED || (row->state == DELIVERY_DONE && row->removable);
}

static void match_in_order(struct recovery *r, struct item **items, size_t removed)
{
    size_t at = 0, gone = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (r->rows[i].removable && gone < removed)
            gone++;
        else
            recovery_give(items[at++], &r->rows[i]);
    }
}

/* ---- by content alone ---- */

/* The next one of that identity that was not met. */
static struct remembered *find_unmet(const struct recovery *r, const uint8_t *identity)
{
    size_t low = find_first(r, identity);
    if (!is_known_as(r, low, identity))
        return NULL;
    size_t at = r->known[low].next;
    while (is_known_as(r, at, identity) && r->known[at].row->met)
        at++;
    r->known[low].next = at;
    return is_known_as(r, at, identity) ? r->known[at].row : NULL;
}

/* What had arrived may be one that was removed, and this a twin of it: no message is removed for its looks. What had not is sent: were
 * it a twin, one of the two is as good as the other. */
static void match_by_content(struct recovery *r, struct item **items, size_t count)
{
    if (!know_rows(r))
        return;
    for (size_t i = 0; i < count; i++) {
        struct remembered *row = find_unmet(r, items[i]->identity);
        if (!row || !is_row(r, items[i], row))
            continue;
        recovery_give(items[i], row);
        if (!row->removable)
            continue;
        items[i]->remove = items[i]->ended = false;
        items[i]->undone = row->state == DELIVERY_DONE;
        item_say(items[i], DELIVERY_IN_DOUBT,
                 "it has arrived already, or is the same to the last byte as one that has");
    }
}

bool recovery_waits(const struct recovery *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (is_open_row(&r->rows[i]) && !r->rows[i].met)
            return true;
    return false;
}

bool recovery_fits(struct recovery *r, struct item *const *items, size_t count)
{
    return r->by_content || !r->count || find_removed(r, items, count) >= 0;
}

void recovery_match(struct recovery *r, struct item **items, size_t count)
{
    int64_t removed = !r->by_content ? find_removed(r, items, count) : -1;
    r->by_content = r->count && removed < 0;
    if (r->by_content)
        match_by_content(r, items, count);
    else if (removed >= 0)
        match_in_order(r, items, (size_t)removed);
}

/* ---- by position ---- */

static int32_t partition_of(struct position p)
{
    return p.kind == POSITION_PARTITION ? p.partition : -1;
}

bool recovery_places(const struct recovery *r, struct read_places *places)
{
    *places = (struct read_places){.count = 0};
    if (!r->reached_count)
        return false;
    places->items = calloc(r->reached_count, sizeof *places->items);
    for (size_t i = 0; places->items && i < r->reached_count; i++) {
        struct read_place *p = &places->items[places->count++];
        *p = (struct read_place){.partition = r->reached[i].partition < 0 ? 0 : r->reached[i].partition,
                                 .next = r->reached[i].offset + 1};
        for (size_t k = 0; k < r->count; k++)
            if (is_open_row(&r->rows[k]) && partition_of(r->rows[k].from) == r->reached[i].partition &&
                r->rows[k].from.offset < p->next)
                p->next = r->rows[k].from.offset;
    }
    return places->items;
}

bool recovery_match_position(struct recovery *r, struct item *item)
{
    struct position p = item->message->position;
    if (p.kind == POSITION_NONE)
        return false;
    for (size_t i = 0; i < r->count; i++) {
        struct remembered *row = &r->rows[i];
        if (!row->met && partition_of(row->from) == partition_of(p) && row->from.offset == p.offset &&
            is_open_row(row)) {
            recovery_give(item, row);
            return false;
        }
    }
    for (size_t i = 0; i < r->reached_count; i++)
        if (r->reached[i].partition == partition_of(p) && p.offset <= r->reached[i].offset)
            return true;
    return false;
}
