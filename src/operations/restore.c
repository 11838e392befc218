#include "operations/restore.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "operations/archive_file.h"
#include "operations/lock.h"

const char *restore_address(const struct archive_header *h, struct arena *arena)
{
    struct buffer text;
    bool by_url = strchr(h->endpoint, ':') != NULL;
    buffer_init(&text, 64 * KIB);
    buffer_printf(&text, "%s/", h->endpoint);
    if (h->kind)
        buffer_printf(&text, "%s:", channel_kind_name(h->kind));
    if (by_url)
        url_encode(&text, h->channel);
    else
        buffer_text(&text, h->channel);
    if (by_url && h->url)
        buffer_text(&text, strchrnul(h->url, '?'));
    const char *address = arena_strdup(arena, buffer_cstr(&text));
    buffer_free(&text);
    return address;
}

static void count(const struct message *m, struct plan *plan, int64_t *messages, int64_t *bytes)
{
    const struct position *p = &m->position;
    ++*messages;
    *bytes += (int64_t)m->payload.len;
    if (p->kind == POSITION_PARTITION && p->partition >= plan->partitions)
        plan->partitions = (int64_t)p->partition + 1;
}

enum err restore_read(struct plan *plan, struct arena *arena, int64_t *messages, int64_t *bytes,
                      struct err_info *err)
{
    struct archive_file f;
    struct message m;
    *messages = *bytes = 0;
    enum err e = archive_file_open(&f, plan->from, err);
    if (!e && !(plan->sum = arena_strdup(arena, f.sum)))
        e = err_set(err, ERR_NOMEM, "no memory for an archive");
    while (!e && !(e = archive_next(&f.archive, &m, err)))
        count(&m, plan, messages, bytes);
    archive_file_close(&f);
    plan->no_mark = true;
    return e == ERR_END ? ERR_OK : e;
}

/* ---- once ---- */

struct earlier {
    const char *sum;
    struct arena arena;
    struct journal_operation found; /* id "": none */
};

/* One that has changed nothing is none. */
static bool look_for(void *context, const struct journal_operation *o)
{
    struct earlier *e = context;
    struct plan plan;
    bool nothing = o->state == OPERATION_FAILED ||
                   (o->state == OPERATION_CANCELLED && !o->counts.done && !o->counts.in_doubt);
    if (o->kind != OPERATION_RESTORE || nothing)
        return true;
    arena_reset(&e->arena);
    if (plan_read(&plan, o->plan, &e->arena, NULL) || !plan.sum || strcmp(plan.sum, e->sum) != 0)
        return true;
    e->found = *o;
    return false;
}

static enum err refuse_again(const struct journal_operation *found, struct err_info *err)
{
    char when[40];
    bool runs = found->state == OPERATION_RUNNING, interrupted = runs && !operation_is_locked(found->id);
    clock_rfc3339_seconds(found->created_ns, when, sizeof when);
    err_set(err, ERR_REFUSED, "this archive %s by operation %s of %s",
            interrupted ? "was restored in part"
            : runs      ? "is being restored"
                        : "was restored",
            found->id, when);
    if (interrupted)
        err_next(err, "`signalbox resume %s` finishes it", found->id);
    else
        err_next(err, "--again restores it once more: what is there already is there twice then");
    return ERR_REFUSED;
}

static enum err refuse_second(const struct plan *plan, struct journal *j, struct err_info *err)
{
    struct earlier earlier = {.sum = plan->sum};
    if (plan->again)
        return ERR_OK;
    arena_init(&earlier.arena, 4 * MIB);
    enum err e = journal_operations(j, look_for, &earlier, err);
    if (!e && earlier.found.id[0])
        e = refuse_again(&earlier.found, err);
    arena_free(&earlier.arena);
    return e;
}

enum err restore_once(const struct plan *plan, struct err_info *err)
{
    struct journal *j = journal_open(err);
    enum err e = j ? refuse_second(plan, j, err) : err->code;
    journal_close(&j);
    return e;
}

/* Two at once must not both find that there was none. */
enum err restore_create(const struct plan *plan, struct journal *j, struct journal_operation *record,
                        struct err_info *err)
{
    char name[OPERATION_ID_SIZE];
    text_copy(name, sizeof name, plan->sum);
    int lock = operation_lock(name, err);
    if (lock < 0)
        return err->code;
    enum err e = refuse_second(plan, j, err);
    if (!e)
        e = journal_create(j, record, err);
    operation_unlock(name, lock, true);
    return e;
}

enum err restore_check(const struct plan *plan, struct err_info *err)
{
    struct archive_file f;
    enum err e = archive_file_open(&f, plan->from, err);
    if (!e && (!plan->sum || strcmp(f.sum, plan->sum) != 0)) {
        e = err_set(err, ERR_REFUSED, "this is another archive than the one that was being restored");
        err_where(err, "%s", plan->from);
    }
    archive_file_close(&f);
    return e;
}
