/* Which archive is restored, to where, and that it is restored once. */
#include "cli/operate_internal.h"

#include "base/limits.h"
#include "base/state.h"
#include "base/text.h"
#include "cli/losses_say.h"
#include "operations/archive_file.h"
#include "operations/lock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A file of that path, else one of that name in the folder of archives. NULL after a message. */
static const char *find_archive(struct operating *o)
{
    const char *text = o->cli->args[0];
    char named[STATE_PATH_SIZE];
    char *path = realpath(text, NULL);
    if (!path && archive_path_of_name(text, named, sizeof named))
        path = realpath(named, NULL);
    const char *kept = path ? arena_strdup(&o->arena, path) : NULL;
    free(path);
    if (kept)
        return kept;
    struct err_info err;
    char folder[STATE_PATH_SIZE];
    err_set(&err, ERR_NOTFOUND, "no archive of that path or name");
    err_where(&err, "%s", text);
    if (state_path("archives", folder, sizeof folder))
        err_next(&err, "those of purges are in %.150s; `signalbox journal` says which", folder);
    cli_error(&err);
    return NULL;
}

/* ---- where to ---- */

static const struct endpoint *find_endpoint(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->endpoint_count; i++)
        if (strcmp(config->endpoints[i].endpoint.name, name) == 0)
            return &config->endpoints[i].endpoint;
    return NULL;
}

/* What was given by URL is called by it. */
static const char *origin_address(struct operating *o, const struct archive_header *h)
{
    struct buffer text;
    bool by_url = strchr(h->endpoint, ':') != NULL;
    const struct endpoint *known = find_endpoint(&o->cli->config, h->endpoint);
    if (known && h->url && known->text && strcmp(h->url, known->text) != 0)
        cli_notice(o->cli, "%s was at %s when this was archived, and is at %s now", h->endpoint, h->url,
                   known->text);
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
    const char *address = arena_strdup(&o->arena, buffer_cstr(&text));
    buffer_free(&text);
    return address;
}

int operate_restore_find(struct operating *o)
{
    struct archive_file f;
    struct err_info err = {.code = ERR_OK};
    o->archive_path = find_archive(o);
    if (!o->archive_path)
        return err_exit_code(ERR_NOTFOUND);
    enum err e = archive_file_open(&f, o->archive_path, &err);
    if (!e) {
        o->same_place = !o->to_text;
        if (!o->to_text)
            o->to_text = origin_address(o, &f.archive.header);
        o->archive_sum = arena_strdup(&o->arena, f.sum);
    }
    archive_file_close(&f);
    return e ? cli_error(&err) : 0;
}

/* ---- what its messages want ---- */

static void count_message(struct operating *o, const struct message *m)
{
    const struct position *p = &m->position;
    o->bytes += (int64_t)m->payload.len;
    losses_count(&o->losses, m, o->to.endpoint->broker);
    if (p->kind == POSITION_PARTITION && p->partition >= o->job.plan.partitions)
        o->job.plan.partitions = (int64_t)p->partition + 1;
}

int operate_restore_plan(struct operating *o)
{
    struct archive_file f;
    struct message m;
    struct err_info err = {.code = ERR_OK};
    o->job.plan.from = o->archive_path;
    o->job.plan.sum = o->archive_sum;
    o->job.plan.no_mark = true;
    o->job.plan.same_partitions = o->same_place;
    enum err e = archive_file_open(&f, o->archive_path, &err);
    while (!e) {
        e = archive_next(&f.archive, &m, &err);
        if (!e)
            count_message(o, &m);
    }
    archive_file_close(&f);
    return e == ERR_END ? 0 : cli_error(&err);
}

void operate_restore_say(const struct operating *o, const struct preview *p)
{
    char size[32], there[32];
    losses_say(&o->losses, o->cli, -1, o->to.endpoint->broker, p->carries, false);
    cli_notice(o->cli, "%s of payload, byte for byte, and nothing is added to them",
               text_bytes(size, sizeof size, (uint64_t)o->bytes));
    if (p->there > 0)
        cli_notice(
            o->cli,
            "%s message%s there already: were the restore interrupted, what was on its way would be in doubt "
            "where one with its payload is among them",
            text_count(there, sizeof there, (uint64_t)p->there), p->there == 1 ? " is" : "s are");
}

/* ---- once ---- */

struct earlier {
    const struct operating *o;
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
    if (plan_read(&plan, o->plan, &e->arena, NULL) || !plan.sum || strcmp(plan.sum, e->o->archive_sum) != 0)
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

/* Two at once must not both find that there was none. */
enum err operate_restore_create(struct operating *o, struct journal *j, struct err_info *err)
{
    struct earlier earlier = {.o = o};
    char name[OPERATION_ID_SIZE];
    text_copy(name, sizeof name, o->archive_sum);
    int lock = operation_lock(name, err);
    if (lock < 0)
        return err->code;
    arena_init(&earlier.arena, 4 * MIB);
    enum err e = cli_flag(o->cli, FLAG_AGAIN) ? ERR_OK : journal_operations(j, look_for, &earlier, err);
    if (!e && earlier.found.id[0])
        e = refuse_again(&earlier.found, err);
    if (!e)
        e = journal_create(j, &o->job.record, err);
    arena_free(&earlier.arena);
    operation_unlock(name, lock, true);
    return e;
}

int operate_restore_check(struct operating *o)
{
    struct archive_file f;
    struct err_info err = {.code = ERR_OK};
    enum err e = archive_file_open(&f, o->job.plan.from, &err);
    if (!e && (!o->job.plan.sum || strcmp(f.sum, o->job.plan.sum) != 0)) {
        e = err_set(&err, ERR_REFUSED, "this is another archive than the one that was being restored");
        err_where(&err, "%s", o->job.plan.from);
    }
    archive_file_close(&f);
    return e ? cli_error(&err) : 0;
}
