/* Both ends of an operation that is to be: what is there, and what the destination does with what it is sent. */
#include "operations/preview_internal.h"

#include "base/text.h"
#include "operations/destination.h"
#include "operations/restore.h"

#include <sys/eventfd.h>
#include <unistd.h>

#define NAME_NS (10 * NS_PER_S)

void preview_notice(void *context, const char *text)
{
    const struct operation_job *job = context;
    if (job->notice)
        job->notice(job->notice_context, text);
}

enum err preview_prepare(void *context, const struct endpoint *endpoint, struct secret *into,
                         struct err_info *err)
{
    const struct operation_job *job = context;
    return operation_prepare(job, endpoint, into, err);
}

static struct destination *open_end(const struct operation_job *job, const struct operation_end *end, int fd,
                                    struct err_info *err)
{
    struct destination_job d = {.ops = end->ops,
                                .endpoint = end->endpoint,
                                .prepare = preview_prepare,
                                .notice = preview_notice,
                                .context = (void *)(uintptr_t)job};
    return destination_open(&d, fd, err);
}

/* What cannot be listed is taken for what its driver is. */
static void describe_source(struct broker *b, const struct operation_end *from, struct preview *p)
{
    struct channel_list *list = channel_list_new();
    struct err_info err;
    if (!from->ops->lease_open)
        text_copy(p->keeps, sizeof p->keeps, "nothing is taken off it one by one");
    if (list && !b->ops->list(b, from->channel.name, 0, list, &err))
        for (size_t i = 0; i < list->count; i++) {
            const struct channel *c = &list->items[i];
            if (strcmp(c->name, from->channel.name) != 0 || !channel_kind_covers(from->channel.kind, c->kind))
                continue;
            p->partitions = c->partitions;
            p->consumers = c->consumers;
            if (c->why_not[CAN_REMOVE])
                text_copy(p->keeps, sizeof p->keeps, c->why_not[CAN_REMOVE]);
        }
    if (list)
        channel_list_free(&list);
}

static enum err count_source(const struct operation_job *job, int fd, struct preview *p, struct err_info *err)
{
    const struct operation_end *from = &job->from;
    struct destination *d = open_end(job, from, fd, err);
    if (!d)
        return err->code;
    struct broker *b = destination_broker(d);
    enum err e = job->from.ops->count
                     ? job->from.ops->count(b, &job->from.channel, &p->ready, &p->unacked, err)
                     : ERR_OK;
    p->upper = from->ops->count_is_upper;
    if (!e && from->ops->list)
        describe_source(b, from, p);
    if (!e && from->ops->cluster && !plan_archives(&job->plan)) {
        b->deadline_ns = clock_mono_ns() + NAME_NS;
        e = from->ops->cluster(b, p->cluster, sizeof p->cluster, err);
    }
    if (!e && plan_archives(&job->plan))
        e = preview_purge(b, job, p, err);
    destination_close(&d);
    return e;
}

/* One that is not there yet is made as its driver makes it. */
static void describe_destination(struct broker *b, const struct operation_end *to, struct preview *p)
{
    struct channel_list *list = channel_list_new();
    const struct channel *c = NULL;
    if (list && to->ops->list && !to->ops->list(b, to->channel.name, 0, list, NULL))
        c = channel_list_find(list, to->channel.name, to->channel.kind);
    p->compacted = c && c->compacted;
    p->sticks = !to->ops->lease_open || (c && c->why_not[CAN_REMOVE]);
    if (list)
        channel_list_free(&list);
}

static enum err check_destination(const struct operation_job *job, int fd, struct preview *p,
                                  struct err_info *err)
{
    bool restores = job->plan.kind == OPERATION_RESTORE;
    int64_t unacked = 0;
    int32_t partitions = restores ? (int32_t)job->plan.partitions : p->partitions;
    uint32_t flags = PUBLISH_EXACT | PUBLISH_DRY | (job->plan.create ? PUBLISH_CREATE : 0) |
                     (restores && job->plan.same_partitions ? PUBLISH_PARTITION
                      : partitions                          ? PUBLISH_ALIKE
                                                            : 0);
    struct destination *d = open_end(job, &job->to, fd, err);
    if (!d)
        return err->code;
    enum err e = destination_add(d, &job->to.channel, flags, partitions, err);
    p->carries = destination_broker(d)->carries;
    p->compares = job->from.ops != job->to.ops || (job->from.ops->carries & ~p->carries);
    if (!e && job->to.ops->count &&
        job->to.ops->count(destination_broker(d), &job->to.channel, &p->there, &unacked, NULL))
        p->there = COUNT_UNKNOWN;
    p->there_ready = p->there;
    if (unacked > 0)
        p->there += unacked;
    if (!e)
        describe_destination(destination_broker(d), &job->to, p);
    if (!e)
        p->bounded = bounds_ask(destination_broker(d), &job->to.channel, &p->bounds);
    destination_close(&d);
    return e;
}

bool preview_may_be_away(const struct operation_job *job, const struct preview *p)
{
    return job->from.ops->unacked_is_late && p->unacked <= 0 && p->consumers > 0;
}

bool preview_counts_late(const struct operation_job *job)
{
    return job->plan.sticks && job->to.ops && job->to.ops->lease_open;
}

enum err preview_count(const struct operation_job *job, const struct operation_end *end, int64_t *ready,
                       int64_t *unacked, struct err_info *err)
{
    struct err_info own = {.code = ERR_OK};
    *ready = *unacked = COUNT_UNKNOWN;
    err = err ? err : &own;
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct destination *d = fd >= 0 ? open_end(job, end, fd, err) : NULL;
    enum err e = d ? ERR_OK : fd < 0 ? err_set(err, ERR_FAILED, "no descriptor for a count") : err->code;
    if (d && end->ops->count)
        e = end->ops->count(destination_broker(d), &end->channel, ready, unacked, err);
    destination_close(&d);
    if (fd >= 0)
        close(fd);
    return e;
}

enum err preview_check(const struct operation_job *job, struct preview *p, struct err_info *err)
{
    *p = (struct preview){.ready = COUNT_UNKNOWN,
                          .unacked = COUNT_UNKNOWN,
                          .whole = true,
                          .stored = COUNT_UNKNOWN,
                          .room = -1,
                          .there = COUNT_UNKNOWN,
                          .there_ready = COUNT_UNKNOWN};
    if (job->plan.kind == OPERATION_RESTORE && restore_once(&job->plan, err))
        return err->code;
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        return err_set(err, ERR_FAILED, "no descriptor for a preview");
    enum err e = count_source(job, fd, p, err);
    if (!e && job->plan.to)
        e = check_destination(job, fd, p, err);
    close(fd);
    return e;
}
