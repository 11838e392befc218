#include "operations/preview_internal.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "engine/filter.h"
#include "model/death.h"
#include "operations/copies.h"
#include "operations/source.h"
#include "operations/stamp.h"
#include "operations/trial.h"

#include <sys/eventfd.h>
#include <unistd.h>

#define HELD_WINDOW    4000
#define COMPARE_MEMORY (16 * MIB) /* of a dedupe: beyond it files are used */
#define COMPARE_STEP   20000

/* ---- looking ---- */

struct look {
    const struct operation_job *job;
    const atomic_bool *cancelled;
    atomic_int_fast64_t *looked;
    struct preview *preview;
    struct filter *filter;
    struct redactor *redactor;
    struct sent sent;
    struct trial *trial;    /* NULL: nothing is sent */
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

/* Would it arrive? False: it is counted with those that would not. */
static bool is_taken(struct look *l, const struct message *m)
{
    const struct operation_job *job = l->job;
    struct preview *p = l->preview;
    struct dead_letter way = {.why_not = ""};
    struct channel_name to = job->to.channel;
    char name[300];
    if (!l->trial)
        return true;
    if (!job->plan.to) {
        dead_letter_way(&job->plan, job->from.channel.name, m, &way);
        text_copy_bytes(name, sizeof name, way.name);
        to = (struct channel_name){way.kind, name};
    }
    const char *why = trial_message(l->trial, &to, m);
    p->refused += why != NULL;
    if (why && !*p->refuses)
        text_copy(p->refuses, sizeof p->refuses, why);
    return !why;
}

static enum err take(struct look *l, struct message *m, struct err_info *err)
{
    struct preview *p = l->preview;
    const struct plan *plan = &l->job->plan;
    if (plan->kind == OPERATION_RESEND && !p->first)
        p->first = message_ref(m);
    p->matched++;
    bool goes = !p->reasons || reasons_add(p->reasons, m);
    goes = goes && is_taken(l, m);
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

static enum err look_through(struct look *l, struct source *s, struct err_info *err)
{
    enum err e = ERR_OK;
    bool stopped = false;
    while (!e && !atomic_load(l->cancelled)) {
        struct batch *b = NULL;
        e = source_await(s, &b, err);
        if (!e && b) {
            e = judge(l, b, err);
            source_settle(s, b);
            if (l->trial)
                trial_serve(l->trial);
        }
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
                              .prepare = preview_prepare,
                              .notice = preview_notice,
                              .context = (void *)(uintptr_t)job};
    struct source *s = source_start(&look, fd, err);
    enum err e = s ? look_through(l, s, err) : err->code;
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

static const char *missing(void *context, const char *to)
{
    struct look *l = context;
    struct channel_name where = l->job->to.channel;
    if (!l->trial || l->job->plan.to)
        return NULL;
    where.kind = channel_kind_parse(to, &where.name);
    return trial_channel(l->trial, &where);
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
                                .prepare = preview_prepare,
                                .context = (void *)(uintptr_t)job};
    if (!copies_can(job->to.ops))
        return ERR_OK;
    l->copies = copies_new(&copies);
    return l->copies ? ERR_OK : err_set(err, ERR_NOMEM, "no memory for what is there already");
}

static enum err begin_look(struct look *l, int fd, struct err_info *err)
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
                                        .missing = missing,
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
    if (job->to.ops && !(l->trial = trial_open(job, cluster_of(l), p->partitions, fd, err)))
        return err->code;
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
    trial_close(&l->trial);
    arena_free(&l->arena);
    dedupe_free(&l->dedupe);
    dedupe_rule_free(&l->rule);
}

bool preview_looks(const struct operation_job *job, const struct preview *p)
{
    enum operation_kind kind = job->plan.kind;
    bool sends = kind == OPERATION_RESEND || kind == OPERATION_MOVE || kind == OPERATION_COPY;
    return preview_selects(&job->plan) || kind == OPERATION_REPLAY ||
           (sends && (p->compares || (p->compacted && job->from.ops->browse_is_free)));
}

enum err preview_look(const struct operation_job *job, const atomic_bool *cancelled,
                      atomic_int_fast64_t *looked, struct preview *p, struct err_info *err)
{
    struct look l = {.job = job, .cancelled = cancelled, .looked = looked, .preview = p};
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        return err_set(err, ERR_FAILED, "no descriptor for a preview");
    enum err e = begin_look(&l, fd, err);
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
    if (!e && l.trial)
        trial_say_bounds(l.trial);
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

int64_t preview_failing(const struct preview *p)
{
    return p->refused + (p->reasons ? reasons_failing(p->reasons) : 0);
}

void preview_free(struct preview *p)
{
    message_unref(&p->first);
    reasons_free(&p->reasons);
}

enum err preview_make(const struct operation_job *job, const atomic_bool *cancelled, struct preview *p,
                      struct err_info *err)
{
    enum err e = preview_check(job, p, err);
    return e || !preview_looks(job, p) ? e : preview_look(job, cancelled, NULL, p, err);
}
