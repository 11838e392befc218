#include "operations/preview.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "engine/filter.h"
#include "model/death.h"
#include "operations/copies.h"
#include "operations/destination.h"
#include "operations/restore.h"
#include "operations/source.h"
#include "operations/stamp.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STEP_MS        100
#define NAME_NS        (10 * NS_PER_S)
#define HELD_WINDOW    4000
#define COMPARE_MEMORY (16 * MIB) /* of a dedupe: beyond it files are used */
#define COMPARE_STEP   20000

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
    return operation_prepare(job, endpoint, into, err);
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
    destination_close(&d);
    return e;
}

/* ---- looking ---- */

struct look {
    const struct operation_job *job;
    const atomic_bool *cancelled;
    atomic_int_fast64_t *looked;
    struct preview *preview;
    struct filter *filter;
    struct redactor *redactor;
    struct sent sent;
    struct copies *copies;  /* NULL: what is there is not looked at */
    struct err_info failed; /* looking at it */
    struct arena arena;
    bool enough; /* the limit was reached */
    bool holds;  /* what is looked at is held until the end */
    int64_t began_ns;
    /* of a dedupe */
    struct dedupe_rule *rule;
    struct dedupe *dedupe;
    int64_t bytes; /* of all that were added */
};

bool preview_selects(const struct plan *plan)
{
    return plan->select || plan->reasons || plan->kind == OPERATION_DEDUPE;
}

static void count_losses(struct look *l, const struct message *m)
{
    const struct plan *p = &l->job->plan;
    struct message sent;
    bool drop = p->kind == OPERATION_REPLAY && !p->keep_death;
    arena_reset(&l->arena);
    if (drop && !stamp_put(m, death_headers, NULL, &l->arena, &sent, NULL))
        m = &sent;
    losses_count(&l->preview->losses, m, l->job->to.ops);
}

static bool is_of_reason(const struct look *l, const struct message *m)
{
    char reason[REASON_SIZE];
    const char *chosen = l->job->plan.reasons;
    if (chosen && l->redactor)
        m = redactor_apply(l->redactor, m);
    return !chosen || dead_letter_is_chosen(chosen, dead_letter_reason(m->headers, reason));
}

/* ---- what is there more than once ---- */

static enum err begin_dedupe(struct look *l, struct err_info *err)
{
    const struct plan *p = &l->job->plan;
    struct dedupe_job job = {.keep = p->keep_last ? DEDUPE_KEEP_LAST : DEDUPE_KEEP_FIRST,
                             .memory = COMPARE_MEMORY,
                             .differing = p->differing};
    job.rule = l->rule = dedupe_rule_new(p->by, l->job->decoders, err);
    l->dedupe = l->rule ? dedupe_new(&job, err) : NULL;
    return l->dedupe ? ERR_OK : err->code;
}

static enum err add_copy(struct look *l, const struct message *m, struct err_info *err)
{
    struct dedupe_message copy = {.m = m, .shown = m};
    l->bytes += (int64_t)m->payload.len;
    return dedupe_add(l->dedupe, &copy, err);
}

static enum err form_groups(struct look *l, struct err_info *err)
{
    struct preview *p = l->preview;
    enum err e = ERR_OK;
    while (!e && !atomic_load(l->cancelled))
        e = dedupe_step(l->dedupe, COMPARE_STEP, err);
    if (e != ERR_END)
        return e ? e : err_set(err, ERR_CANCELLED, "cancelled");
    p->duplicates = *dedupe_totals(l->dedupe);
    int64_t going = (int64_t)p->duplicates.going, bytes = (int64_t)p->duplicates.going_bytes;
    p->matched = l->job->plan.to ? p->matched - going : going;
    p->bytes = l->job->plan.to ? l->bytes - bytes : bytes;
    return ERR_OK;
}

static enum err take(struct look *l, struct message *m, struct err_info *err)
{
    struct preview *p = l->preview;
    const struct plan *plan = &l->job->plan;
    if (plan->kind == OPERATION_RESEND && !p->first)
        p->first = message_ref(m);
    p->matched++;
    bool goes = !p->reasons || reasons_add(p->reasons, m);
    p->bytes += goes ? (int64_t)m->payload.len : 0;
    if (goes && p->compares)
        count_losses(l, m);
    l->enough = plan->limit >= 0 && p->matched >= plan->limit;
    return l->dedupe ? add_copy(l, m, err) : ERR_OK;
}

static enum err judge(struct look *l, const struct batch *b, struct err_info *err)
{
    struct preview *p = l->preview;
    enum err e = ERR_OK;
    for (size_t i = 0; i < b->count && !l->enough && !e; i++) {
        struct message *m = b->items[i].message;
        bool wanted = is_of_reason(l, m);
        enum filter_answer answer = wanted && l->filter
                                        ? filter_message(l->filter, m, l->job->record.created_ns)
                                    : wanted ? FILTER_YES
                                             : FILTER_NO;
        p->looked++;
        p->unknown += answer == FILTER_UNKNOWN;
        if (answer == FILTER_YES)
            e = take(l, m, err);
        if (!e && l->failed.code) {
            *err = l->failed;
            e = err->code;
        }
    }
    if (l->looked)
        atomic_store(l->looked, p->looked);
    return e;
}

static bool is_over(const struct look *l)
{
    bool held = l->preview->looked >= SOURCE_HELD_MOST || clock_mono_ns() - l->began_ns > SOURCE_HELD_NS;
    return l->enough || (l->holds && held);
}

static enum err look_through(struct look *l, struct source *s, int fd, struct err_info *err)
{
    enum err e = ERR_OK;
    bool stopped = false;
    while (!e && !atomic_load(l->cancelled)) {
        struct batch *b = NULL;
        e = source_take(s, &b, err);
        if (e == ERR_BUSY) {
            struct pollfd wait = {.fd = fd, .events = POLLIN};
            poll(&wait, 1, STEP_MS);
            (void)!read(fd, &(uint64_t){0}, sizeof(uint64_t));
            e = ERR_OK;
        } else if (!e) {
            e = judge(l, b, err);
            source_settle(s, b);
        }
        while ((b = source_settled(s)))
            batch_free(&b);
        if (is_over(l) && !stopped) {
            stopped = true;
            source_stop(s);
        }
    }
    if (!e && atomic_load(l->cancelled))
        return err_set(err, ERR_CANCELLED, "cancelled");
    return e == ERR_END ? ERR_OK : e;
}

static int64_t most(const struct operation_job *job)
{
    const struct plan *p = &job->plan;
    int64_t sample = job->from.ops->browse_is_free ? PREVIEW_SAMPLE : PREVIEW_SAMPLE_MARKED;
    if (preview_selects(p))
        return -1;
    if (p->kind == OPERATION_REPLAY)
        return p->limit;
    return p->limit >= 0 && p->limit < sample ? p->limit : sample;
}

static enum err look_at_source(struct look *l, int fd, struct err_info *err)
{
    const struct operation_job *job = l->job;
    l->holds = source_holds(job->from.ops, l->preview->keeps[0]);
    l->began_ns = clock_mono_ns();
    struct source_job look = {.ops = job->from.ops,
                              .endpoint = job->from.endpoint,
                              .from = job->from.channel,
                              .lease = l->holds,
                              .use = LEASE_KEEPS,
                              .window = HELD_WINDOW,
                              .most = most(job),
                              .start = {START_BEGINNING, 0},
                              .partition = -1,
                              .prepare = prepare,
                              .notice = on_notice,
                              .context = (void *)(uintptr_t)job};
    struct source *s = source_start(&look, fd, err);
    enum err e = s ? look_through(l, s, fd, err) : err->code;
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
    return e;
}

/* What earlier replays have sent; without a journal there were none. */
static enum err load_sent(struct look *l, struct err_info *err)
{
    struct journal *j = journal_open(err);
    enum err e = j ? sent_load(&l->sent, j, &l->job->record, err) : err->code;
    journal_close(&j);
    return e;
}

static bool is_there(void *context, const char *to, const struct message *m)
{
    struct look *l = context;
    const struct operation_job *job = l->job;
    struct channel_name where = job->to.channel;
    bool there = false;
    if (!job->plan.to)
        where.kind = channel_kind_parse(to, &where.name);
    if (!l->copies || l->failed.code || m->position.kind == POSITION_NONE)
        return false;
    return !copies_find(l->copies, &where, m, &there, &l->failed) && there;
}

static const char *cluster_of(const struct look *l)
{
    return l->preview->cluster[0] ? l->preview->cluster : l->job->from.endpoint->name;
}

static enum err begin_copies(struct look *l, struct err_info *err)
{
    const struct operation_job *job = l->job;
    struct copies_job copies = {.cluster = cluster_of(l),
                                .channel = job->from.channel.name,
                                .ops = job->to.ops,
                                .endpoint = job->to.endpoint,
                                .cancelled = l->cancelled,
                                .prepare = prepare,
                                .context = (void *)(uintptr_t)job};
    if (!copies_can(job->to.ops))
        return ERR_OK;
    l->copies = copies_new(&copies);
    return l->copies ? ERR_OK : err_set(err, ERR_NOMEM, "no memory for what is there already");
}

static enum err begin_look(struct look *l, struct err_info *err)
{
    const struct operation_job *job = l->job;
    struct preview *p = l->preview;
    const struct reasons_job reasons = {.plan = &job->plan,
                                        .cluster = cluster_of(l),
                                        .from = job->from.channel.name,
                                        .to = job->plan.to ? job->record.to : NULL,
                                        .redaction = job->redaction,
                                        .sent = &l->sent,
                                        .there = is_there,
                                        .context = l};
    arena_init(&l->arena, LIMIT_DECODE_ARENA);
    if (job->plan.select &&
        !(l->filter = filter_new(job->plan.select, FILTER_MESSAGES, job->decoders, NULL, err)))
        return err->code;
    bool hides = job->plan.reasons && job->redaction;
    if (hides && !(l->redactor = redactor_new(job->redaction)))
        return err_set(err, ERR_NOMEM, "no memory to hide what `redact` names");
    if (job->plan.kind == OPERATION_DEDUPE)
        return begin_dedupe(l, err);
    if (job->plan.kind != OPERATION_REPLAY)
        return ERR_OK;
    p->reasons = reasons_new(&reasons);
    if (!p->reasons)
        return err_set(err, ERR_NOMEM, "no memory for reasons");
    if (!p->keeps[0] || job->plan.again)
        return ERR_OK;
    enum err e = load_sent(l, err);
    return e ? e : begin_copies(l, err);
}

static void end_look(struct look *l)
{
    filter_free(&l->filter);
    redactor_free(&l->redactor);
    sent_free(&l->sent);
    copies_free(&l->copies);
    arena_free(&l->arena);
    dedupe_free(&l->dedupe);
    dedupe_rule_free(&l->rule);
}

bool preview_looks(const struct operation_job *job, const struct preview *p)
{
    enum operation_kind kind = job->plan.kind;
    bool sends = kind == OPERATION_RESEND || kind == OPERATION_MOVE || kind == OPERATION_COPY;
    return preview_selects(&job->plan) || kind == OPERATION_REPLAY || (sends && p->compares);
}

enum err preview_look(const struct operation_job *job, const atomic_bool *cancelled,
                      atomic_int_fast64_t *looked, struct preview *p, struct err_info *err)
{
    struct look l = {.job = job, .cancelled = cancelled, .looked = looked, .preview = p};
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        return err_set(err, ERR_FAILED, "no descriptor for a preview");
    enum err e = begin_look(&l, err);
    if (!e) {
        e = look_at_source(&l, fd, err);
        if (!e && l.dedupe)
            e = form_groups(&l, err);
        bool refused = e == ERR_REFUSED || e == ERR_UNSUPPORTED || e == ERR_DENIED;
        if (refused && !preview_selects(&job->plan)) {
            err_format(err, p->unseen, sizeof p->unseen);
            e = ERR_OK;
        }
    }
    /* What Kafka counts is more than there is, and it gives all that there is. */
    bool ended = p->upper && !e && !*p->unseen && (most(job) < 0 || p->looked < most(job));
    p->whole = l.enough || p->ready < 0 || p->looked >= p->ready || ended;
    end_look(&l);
    close(fd);
    return e;
}

bool preview_holds(const struct operation_job *job, const struct preview *p)
{
    bool sends = job->plan.kind == OPERATION_COPY || job->plan.kind == OPERATION_RESEND ||
                 (job->plan.kind == OPERATION_DEDUPE && job->plan.to);
    return sends && source_holds(job->from.ops, p->keeps[0]);
}

int64_t preview_skipped(const struct preview *p)
{
    return p->reasons ? reasons_skipped(p->reasons) : 0;
}

void preview_free(struct preview *p)
{
    message_unref(&p->first);
    reasons_free(&p->reasons);
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

enum err preview_make(const struct operation_job *job, const atomic_bool *cancelled, struct preview *p,
                      struct err_info *err)
{
    enum err e = preview_check(job, p, err);
    return e || !preview_looks(job, p) ? e : preview_look(job, cancelled, NULL, p, err);
}
