#include "operations/preview.h"

#include "base/text.h"
#include "engine/filter.h"
#include "operations/destination.h"
#include "operations/source.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STEP_MS 100

static void on_notice(void *context, const char *text)
{
    const struct operation_job *job = context;
    if (job->notice)
        job->notice(job->notice_context, text);
}

static enum err prepare(void *context, const struct endpoint *endpoint, struct secret *into,
                        struct err_info *err)
{
    const struct operation_job *job = context;
    return job->prepare ? job->prepare(job->context, endpoint, into, err) : ERR_OK;
}

static struct destination *open_end(const struct operation_job *job, const struct operation_end *end, int fd,
                                    struct err_info *err)
{
    struct destination_job d = {.ops = end->ops,
                                .endpoint = end->endpoint,
                                .prepare = prepare,
                                .notice = on_notice,
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
            bool kind = from->channel.kind == CHANNEL_ANY || from->channel.kind == c->kind;
            if (strcmp(c->name, from->channel.name) != 0 || !kind)
                continue;
            p->partitions = c->partitions;
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
    if (!e && from->ops->list)
        describe_source(b, from, p);
    if (!e && job->plan.kind == OPERATION_PURGE)
        e = preview_purge(b, job, p, err);
    destination_close(&d);
    return e;
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
    if (!e && job->plan.kind == OPERATION_RESTORE && job->to.ops->count &&
        job->to.ops->count(destination_broker(d), &job->to.channel, &p->there, &unacked, NULL))
        p->there = COUNT_UNKNOWN;
    if (unacked > 0)
        p->there += unacked;
    destination_close(&d);
    return e;
}

static void judge(const struct operation_job *job, const struct filter *f, const struct batch *b,
                  struct preview *p)
{
    for (size_t i = 0; i < b->count; i++) {
        enum filter_answer answer = filter_message(f, b->items[i].message, job->record.created_ns);
        p->looked++;
        p->unknown += answer == FILTER_UNKNOWN;
        p->matched += answer == FILTER_YES;
        p->bytes += answer == FILTER_YES ? (int64_t)b->items[i].message->payload.len : 0;
    }
}

static enum err look_through(const struct operation_job *job, struct source *s, int fd,
                             const struct filter *f, const atomic_bool *cancelled, struct preview *p,
                             struct err_info *err)
{
    enum err e = ERR_OK;
    while (!e && !atomic_load(cancelled)) {
        struct batch *b = NULL;
        e = source_take(s, &b, err);
        if (e == ERR_BUSY) {
            struct pollfd wait = {.fd = fd, .events = POLLIN};
            poll(&wait, 1, STEP_MS);
            (void)!read(fd, &(uint64_t){0}, sizeof(uint64_t));
            e = ERR_OK;
        } else if (!e) {
            judge(job, f, b, p);
            source_settle(s, b);
        }
        while ((b = source_settled(s)))
            batch_free(&b);
    }
    if (!e && atomic_load(cancelled))
        return err_set(err, ERR_CANCELLED, "cancelled");
    return e == ERR_END ? ERR_OK : e;
}

static enum err select_messages(const struct operation_job *job, int fd, const atomic_bool *cancelled,
                                struct preview *p, struct err_info *err)
{
    struct filter *f = filter_new(job->plan.select, FILTER_MESSAGES, job->decoders, NULL, err);
    if (!f)
        return err->code;
    struct source_job look = {.ops = job->from.ops,
                              .endpoint = job->from.endpoint,
                              .from = job->from.channel,
                              .most = -1,
                              .start = {START_BEGINNING, 0},
                              .partition = -1,
                              .prepare = prepare,
                              .notice = on_notice,
                              .context = (void *)(uintptr_t)job};
    struct source *s = source_start(&look, fd, err);
    enum err e = s ? look_through(job, s, fd, f, cancelled, p, err) : err->code;
    int64_t returned;
    if (s && e)
        source_cancel(s);
    if (s) {
        struct err_info later;
        enum err joined = source_join(&s, &returned, &later);
        if (!e && joined) {
            *err = later;
            e = joined;
        }
    }
    p->whole = p->ready < 0 || p->looked >= p->ready;
    filter_free(&f);
    return e;
}

enum err preview_count(const struct operation_job *job, int64_t *ready, int64_t *unacked,
                       struct err_info *err)
{
    struct err_info own = {.code = ERR_OK};
    *ready = *unacked = COUNT_UNKNOWN;
    err = err ? err : &own;
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct destination *d = fd >= 0 ? open_end(job, &job->from, fd, err) : NULL;
    enum err e = d ? ERR_OK : fd < 0 ? err_set(err, ERR_FAILED, "no descriptor for a count") : err->code;
    if (d && job->from.ops->count)
        e = job->from.ops->count(destination_broker(d), &job->from.channel, ready, unacked, err);
    destination_close(&d);
    if (fd >= 0)
        close(fd);
    return e;
}

enum err preview_make(const struct operation_job *job, const atomic_bool *cancelled, struct preview *p,
                      struct err_info *err)
{
    *p = (struct preview){.ready = COUNT_UNKNOWN,
                          .unacked = COUNT_UNKNOWN,
                          .whole = true,
                          .stored = COUNT_UNKNOWN,
                          .room = -1,
                          .there = COUNT_UNKNOWN};
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        return err_set(err, ERR_FAILED, "no descriptor for a preview");
    enum err e = count_source(job, fd, p, err);
    if (!e && job->plan.to)
        e = check_destination(job, fd, p, err);
    if (!e && job->plan.select)
        e = select_messages(job, fd, cancelled, p, err);
    close(fd);
    return e;
}
