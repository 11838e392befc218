/* A restore: every message of an archive has a row, of its number there. It adds nothing to them, so that what was on its way when it was
 * interrupted can be looked for at the destination by its payload alone. */
#include "operations/execute_internal.h"

#include "base/hash.h"
#include "operations/identity.h"

#include <stdlib.h>

/* Of the messages with one payload: how many were on their way, had arrived before, and are at the destination. */
struct payload {
    uint8_t digest[SHA256_SIZE];
    int64_t intended, done, found;
};

struct payloads {
    struct payload *all; /* sorted */
    size_t count;
};

/* ---- by payload ---- */

static bool digest_of(const struct message *m, uint8_t digest[SHA256_SIZE])
{
    struct sha256 *sha = sha256_new();
    if (!sha)
        return false;
    sha256_add(sha, m->payload);
    sha256_end(&sha, digest);
    return true;
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, SHA256_SIZE);
}

static struct payload *find(const struct payloads *p, const uint8_t digest[SHA256_SIZE])
{
    return p->count ? bsearch(digest, p->all, p->count, sizeof *p->all, compare) : NULL;
}

/* One for each payload, which stand beside each other. */
static void merge(struct payloads *p)
{
    size_t n = 0;
    qsort(p->all, p->count, sizeof *p->all, compare);
    for (size_t i = 0; i < p->count; i++)
        if (n && compare(&p->all[n - 1], &p->all[i]) == 0)
            p->all[n - 1].intended++;
        else
            p->all[n++] = p->all[i];
    p->count = n;
}

/* Goes over all of the archive that has rows. */
typedef enum err visit_archived(struct operation *o, uint64_t sequence, const struct message *m,
                                struct payloads *p, struct err_info *err);

static enum err visit_all(struct operation *o, visit_archived *visit, struct payloads *p,
                          struct err_info *err)
{
    struct archive_file f;
    struct message m;
    enum err e = archive_file_open(&f, o->job.from.endpoint->text, err);
    for (uint64_t sequence = 1; !e && sequence <= o->known; sequence++) {
        e = archive_next(&f.archive, &m, err);
        if (!e)
            e = visit(o, sequence, &m, p, err);
    }
    archive_file_close(&f);
    return e == ERR_END ? ERR_OK : e;
}

static bool is_done(const struct operation *o, uint64_t sequence)
{
    return o->done && sequence <= o->known && o->done[sequence / 8] >> sequence % 8 & 1;
}

/* Its row; NULL: it was not. */
static struct remembered *was_on_its_way(const struct operation *o, uint64_t sequence)
{
    struct remembered *row = recovery_find(&o->recovery, sequence);
    return row && row->state == DELIVERY_INTENDED ? row : NULL;
}

static enum err gather(struct operation *o, uint64_t sequence, const struct message *m, struct payloads *p,
                       struct err_info *err)
{
    if (!was_on_its_way(o, sequence))
        return ERR_OK;
    struct payload *all = reallocarray(p->all, p->count + 1, sizeof *all);
    if (!all)
        return err_set(err, ERR_NOMEM, "no memory for what was on its way");
    p->all = all;
    p->all[p->count] = (struct payload){.intended = 1};
    return digest_of(m, p->all[p->count++].digest) ? ERR_OK
                                                   : err_set(err, ERR_NOMEM, "no memory for a digest");
}

static enum err count_done(struct operation *o, uint64_t sequence, const struct message *m,
                           struct payloads *p, struct err_info *err)
{
    (void)err;
    uint8_t digest[SHA256_SIZE];
    struct payload *same = is_done(o, sequence) && digest_of(m, digest) ? find(p, digest) : NULL;
    if (same)
        same->done++;
    return ERR_OK;
}

static bool count_found(struct operation *o, const struct message *m, void *context)
{
    (void)o;
    uint8_t digest[SHA256_SIZE];
    struct payloads *p = context;
    for (size_t i = 0; !m && i < p->count; i++)
        p->all[i].found = 0;
    if (!m || !digest_of(m, digest))
        return !m;
    struct payload *same = find(p, digest);
    if (same)
        same->found++;
    return true;
}

/* Fewer at the destination than have arrived before, or as many: none of these is among them. All of them more: they are these, if there
 * was nothing before; a message with the payload of one of them may else have been there always. */
static enum err judge_row(struct operation *o, uint64_t sequence, const struct message *m, struct payloads *p,
                          struct err_info *err)
{
    uint8_t digest[SHA256_SIZE];
    struct remembered *row = was_on_its_way(o, sequence);
    if (!row)
        return ERR_OK;
    if (!digest_of(m, digest))
        return err_set(err, ERR_NOMEM, "no memory for a digest");
    const struct payload *same = find(p, digest);
    int64_t more = same->found - same->done;
    if (more >= same->intended && o->job.plan.empty)
        row->state = DELIVERY_ARRIVED;
    else
        row->doubtful = more > 0;
    return ERR_OK;
}

enum err execute_restore_look(struct operation *o, struct err_info *err)
{
    struct payloads p = {.count = 0};
    bool whole = false;
    enum err e = visit_all(o, gather, &p, err);
    if (!e)
        merge(&p);
    if (!e)
        e = visit_all(o, count_done, &p, err);
    if (!e) {
        e = execute_look(o, &o->job.to.channel, count_found, &p, &whole, err);
        if (e && err_policy(e) != ERR_POLICY_RETRY)
            e = ERR_OK; /* it could not be looked for */
    }
    if (!e && whole)
        e = visit_all(o, judge_row, &p, err);
    else if (!e)
        recovery_doubt(&o->recovery, 0);
    free(p.all);
    return e;
}

static bool set_done(void *context, const struct journal_message *m)
{
    struct operation *o = context;
    if (m->sequence <= o->known)
        o->done[m->sequence / 8] |= (uint8_t)(1U << m->sequence % 8);
    return true;
}

/* A bit each, since an archive may have millions. */
static enum err load_done(struct operation *o, struct err_info *err)
{
    struct journal_totals totals;
    enum err e = journal_count(o->journal, o->job.record.number, &totals, err);
    free(o->done);
    o->done = NULL;
    o->known = e ? 0 : totals.last;
    if (e || !o->known)
        return e;
    o->done = calloc(o->known / 8 + 1, 1);
    if (!o->done)
        return err_set(err, ERR_NOMEM, "no memory for what has arrived");
    return journal_messages(o->journal, o->job.record.number, 1U << DELIVERY_DONE, set_done, o, err);
}

enum err execute_restore_recover(struct operation *o, struct err_info *err)
{
    enum err e = recovery_load(&o->recovery, o->journal, o->job.record.number, true, err);
    if (!e)
        e = load_done(o, err);
    return e;
}

/* ---- judging ---- */

static void take_row(struct item *item, struct remembered *row)
{
    row->met = true;
    item->journaled = true;
    if (row->state == DELIVERY_IN_DOUBT)
        item_say(item, DELIVERY_IN_DOUBT, "in doubt since an earlier run of this operation");
    else if (row->doubtful)
        item_say(
            item, DELIVERY_IN_DOUBT,
            "it was on its way when the restore was interrupted, and may have arrived: one with its payload is "
            "there, or the destination could not be searched");
    else if (row->state == DELIVERY_ARRIVED)
        item->state = DELIVERY_ARRIVED;
}

enum err execute_restore_judge(struct operation *o, struct item *item, struct err_info *err)
{
    item->sequence = item->handle + 1;
    if (item->sequence > o->last)
        o->last = item->sequence;
    struct remembered *row = recovery_find(&o->recovery, item->sequence);
    if (is_done(o, item->sequence))
        item->state = DELIVERY_SKIPPED;
    else if (row)
        take_row(item, row);
    else
        return identity_of(item->message, NULL, item->identity, err);
    return ERR_OK;
}
