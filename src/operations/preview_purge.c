/* How messages go off a channel: one by one, all up to a place, or not at all. */
#include "operations/preview.h"

#include "base/state.h"
#include "operations/destination.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>

#define COPY         "copy what is to stay into another channel: `copy --select`"
#define RECORD_BYTES 160 /* what the archive adds to a message, about */

static enum err refuse(const struct operation_job *job, const char *why, const char *next,
                       struct err_info *err)
{
    err_set(err, ERR_REFUSED, "%s", why);
    err_where(err, "%s", job->plan.from);
    err_next(err, "%s", next);
    return ERR_REFUSED;
}

/* What the broker says against its own purge; NULL: nothing. */
static const char *against_purge(const struct operation_job *job, const struct channel *c)
{
    if (!job->from.ops->truncate)
        return "this broker has no purge of its own";
    return c ? c->why_not[CAN_PURGE] : NULL;
}

enum err preview_check_selection(const struct operation_job *job, struct err_info *err)
{
    if ((!job->plan.select && job->plan.limit < 0) || job->plan.tombstones)
        return ERR_OK;
    return refuse(
        job,
        "messages go off this channel from its beginning on, all up to a place: not by --select or --limit",
        "purge all of it, or copy what is to stay into another channel: `copy --select`", err);
}

static enum err check_place(const struct operation_job *job, const struct channel *c, struct err_info *err)
{
    const char *why = c ? c->why_not[CAN_REMOVE] : NULL, *against = against_purge(job, c);
    bool log = !job->from.ops->lease_open || (c && c->kind == CHANNEL_TOPIC);
    if (against)
        return refuse(job, against, c && c->compacted ? "take out keys: --tombstones; or " COPY : COPY, err);
    if (!log)
        return refuse(job, why,
                      "the broker's own purge takes all of it, and nothing can be restored: --no-archive",
                      err);
    return preview_check_selection(job, err);
}

static enum err check_tombstones(const struct operation_job *job, const struct channel *c,
                                 struct err_info *err)
{
    if (c && c->compacted)
        return ERR_OK;
    return refuse(job, "it is no compacted topic: a tombstone would be one more message there",
                  "without --tombstones all of it up to a place can go; " COPY, err);
}

/* Extras stand anywhere: where no single message can be removed none of them can. */
static enum err refuse_dedupe(const struct operation_job *job, const struct channel *c, struct err_info *err)
{
    const char *why = c ? c->why_not[CAN_REMOVE] : NULL;
    return refuse(
        job, why ? why : "no single message can be taken off it",
        c && c->compacted
            ? "write a copy without the extras into another channel: --to ADDRESS; or take keys out of this "
              "one, with a null payload for each: `purge --tombstones`"
            : "write a copy without the extras into another channel: --to ADDRESS",
        err);
}

static void say_groups(const struct operation_job *job, const struct channel_list *list)
{
    char text[400];
    for (size_t i = 0; job->notice && i < list->group_count; i++) {
        const struct channel_group *g = &list->groups[i];
        if (g->lag <= 0)
            continue;
        snprintf(text, sizeof text, "group %s has %" PRId64 " messages before it that it will not see",
                 g->name, g->lag);
        job->notice(job->notice_context, text);
    }
}

/* Free bytes where archives are; -1: not known. The folder itself may not be there yet. */
static int64_t find_room(void)
{
    char path[STATE_PATH_SIZE];
    struct statvfs fs;
    if (state_check(NULL) || !state_path("", path, sizeof path) || statvfs(path, &fs) != 0)
        return -1;
    return (int64_t)((uint64_t)fs.f_bavail * fs.f_frsize);
}

enum err preview_purge(struct broker *b, const struct operation_job *job, struct preview *p,
                       struct err_info *err)
{
    struct channel_list *list = channel_list_new();
    const struct operation_end *from = &job->from;
    if (!list)
        return err_set(err, ERR_NOMEM, "no memory for a preview");
    /* Who may not list may remove all the same: leasing says what is wrong. */
    const struct channel *c = NULL;
    if (!from->ops->list(b, from->channel.name, 0, list, NULL))
        c = channel_list_find(list, from->channel.name, from->channel.kind);
    enum err e = ERR_OK;
    p->by_place = !from->ops->lease_open || (c && c->why_not[CAN_REMOVE]);
    p->stored = c ? c->bytes : COUNT_UNKNOWN;
    p->room = find_room();
    if (job->plan.tombstones)
        e = check_tombstones(job, c, err);
    else if (job->plan.kind == OPERATION_DEDUPE && p->by_place)
        e = refuse_dedupe(job, c, err);
    else if (job->plan.no_archive && against_purge(job, c))
        e = refuse(job, against_purge(job, c),
                   p->by_place ? COPY : "without --no-archive messages are archived, then removed one by one",
                   err);
    else if (p->by_place && !job->plan.no_archive)
        e = check_place(job, c, err);
    if (!e && p->by_place)
        say_groups(job, list);
    channel_list_free(&list);
    return e;
}

int64_t preview_archive_size(const struct operation_job *job, const struct preview *p, int64_t messages)
{
    if (messages < 0)
        return -1;
    if (job->plan.select || job->plan.kind == OPERATION_DEDUPE)
        return p->bytes + messages * RECORD_BYTES;
    if (p->stored < 0 || p->ready <= 0)
        return -1;
    int64_t each = p->stored / p->ready + RECORD_BYTES;
    return messages * each;
}
