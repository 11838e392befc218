/* What a job's thread does: it looks, waits for the word, begins and runs. It alone touches its operation_job; what others see of it is its
 * status, under its lock. */
#include "operations/jobs_internal.h"

#include "base/clock.h"
#include "base/text.h"
#include "operations/archive_source.h"
#include "operations/lock.h"
#include "operations/restore.h"

#include <inttypes.h>
#include <poll.h>
#include <unistd.h>

#define GROWN 10 /* percent that a log may have grown by since somebody looked */

static void wake(struct job *job)
{
    (void)!write(job->jobs->fd, &(uint64_t){1}, sizeof(uint64_t));
}

static void set_state(struct job *job, enum job_state state)
{
    pthread_mutex_lock(&job->lock);
    job->status.state = state;
    pthread_mutex_unlock(&job->lock);
    wake(job);
}

static void refuse(struct job *job, const struct err_info *err)
{
    pthread_mutex_lock(&job->lock);
    job->status.err = *err;
    pthread_mutex_unlock(&job->lock);
    set_state(job, JOB_REFUSED);
}

/* What both brokers say twice is one thing. Any thread. */
static void on_notice(void *context, const char *text)
{
    struct job *job = context;
    struct job_status *s = &job->status;
    pthread_mutex_lock(&job->lock);
    size_t kept = s->notice_count < JOB_NOTICES ? s->notice_count : JOB_NOTICES, i = 0;
    while (i < kept && strncmp(s->notices[i], text, sizeof *s->notices - 1) != 0)
        i++;
    if (i == kept && kept < JOB_NOTICES)
        text_copy(s->notices[i], sizeof *s->notices, text);
    s->notice_count += i == kept;
    pthread_mutex_unlock(&job->lock);
    wake(job);
}

/* ---- the thread: looking ---- */

static struct operation_end end_of(const struct address *a)
{
    return (struct operation_end){a->endpoint->broker, &a->endpoint->endpoint, a->channel};
}

static void fill(struct job *job)
{
    const struct order *o = &job->order;
    bool restores = o->plan.kind == OPERATION_RESTORE;
    order_person(job->who, sizeof job->who, job->host, sizeof job->host);
    job->job = (struct operation_job){
        .plan = o->plan,
        .from = restores ? archive_source(o->plan.from, &job->archive) : end_of(&o->from),
        .decoders = job->jobs->registry->decoders,
        .redaction = job->jobs->config->redaction,
        .prepare = config_prepare,
        .context = job->jobs->config,
        .notice = on_notice,
        .notice_context = job,
        .resumed = job->resumes,
        .record = {.kind = o->plan.kind,
                   .state = OPERATION_RUNNING,
                   .from = restores ? o->plan.from : order_canonical(&o->from, &job->arena),
                   .to = o->plan.to ? order_canonical(&o->to, &job->arena) : NULL,
                   .who = job->who,
                   .host = job->host,
                   .command = buffer_cstr(&job->command),
                   .archive = restores ? o->plan.from : NULL,
                   .created_ns = clock_wall_ns(),
                   .counts = {.planned = COUNT_UNKNOWN}}};
    if (o->to.endpoint)
        job->job.to = end_of(&o->to);
}

static enum err look_at_it(struct job *job, struct preview *seen, bool *could, struct err_info *err)
{
    enum err e = preview_check(&job->job, seen, err);
    *could = !e && preview_looks(&job->job, seen);
    if (!*could || job->order.glance)
        return e;
    *could = false;
    return preview_look(&job->job, &job->cancelled, NULL, seen, err);
}

static bool look(struct job *job)
{
    struct preview seen = {.first = NULL};
    struct err_info err = {.code = ERR_OK};
    struct plan *p = &job->job.plan;
    int64_t messages = COUNT_UNKNOWN, bytes = 0;
    bool restores = p->kind == OPERATION_RESTORE, could = false;
    enum err e = restores ? restore_read(p, &job->found, &messages, &bytes, &err) : ERR_OK;
    if (!e)
        e = look_at_it(job, &seen, &could, &err);
    struct plan plan = *p; /* it is settled when it begins */
    if (!e && restores) {
        seen.ready = messages;
        seen.bytes = bytes;
    }
    if (!e)
        e = order_settle(&plan, &seen, &err);
    if (!e)
        e = order_fits(&plan, &seen, &err);
    if (e) {
        preview_free(&seen);
        refuse(job, &err);
        return false;
    }
    pthread_mutex_lock(&job->lock);
    job->status.preview = seen;
    job->status.could_look = could;
    job->status.planned = could && preview_selects(&plan) ? COUNT_UNKNOWN : order_planned(&plan, &seen);
    pthread_mutex_unlock(&job->lock);
    set_state(job, JOB_READY);
    return true;
}

/* False: it was dropped. */
static bool wait_for_word(struct job *job)
{
    for (;;) {
        pthread_mutex_lock(&job->lock);
        bool begin = job->begin, over = atomic_load(&job->cancelled);
        pthread_mutex_unlock(&job->lock);
        if (begin || over)
            return begin && !over;
        struct pollfd p = {.fd = job->event_fd, .events = POLLIN};
        poll(&p, 1, -1);
        (void)!read(job->event_fd, &(uint64_t){0}, sizeof(uint64_t));
    }
}

/* ---- the thread: beginning ---- */

/* Of a log all goes up to its end: not what has come since somebody looked. */
static enum err check_growth(const struct job *job, const struct preview *now, struct err_info *err)
{
    int64_t seen = job->status.preview.ready;
    if (!now->by_place || seen < 0 || now->ready <= seen + seen * GROWN / 100)
        return ERR_OK;
    err_set(err, ERR_REFUSED,
            "there were %" PRId64 " messages when you looked, and there are %" PRId64 " now", seen,
            now->ready);
    err_where(err, "%s", job->order.plan.from);
    err_next(err, "look again");
    return ERR_REFUSED;
}

/* No more go than were counted when somebody said yes, and none that has come since. */
static void keep_to_count(struct plan *p, const struct preview *seen, struct preview *now)
{
    int64_t most = seen->matched + seen->unknown; /* which have their rows, too */
    if (seen->ready >= 0 && seen->ready < now->ready)
        now->ready = seen->ready;
    order_bound(p, now);
    if (preview_selects(p) && (p->limit < 0 || p->limit > most))
        p->limit = most;
}

/* As it stands now; what a selection takes is judged as the messages come. */
static enum err look_again(struct job *job, struct err_info *err)
{
    struct preview now;
    struct operation_job quiet = job->job;
    struct plan *p = &job->job.plan;
    const struct preview *seen = &job->status.preview;
    quiet.notice = NULL;
    enum err e = preview_check(&quiet, &now, err);
    if (!e && now.by_place && !p->no_archive)
        e = preview_check_selection(&job->job, err);
    if (!e)
        e = order_settle(p, &now, err);
    if (!e)
        e = order_fits(p, &now, err);
    if (!e && p->kind == OPERATION_PURGE)
        e = check_growth(job, &now, err);
    if (e) {
        preview_free(&now);
        return e;
    }
    pthread_mutex_lock(&job->lock);
    job->status.before = (struct job_ends){now.ready, now.there_ready};
    pthread_mutex_unlock(&job->lock);
    if (p->kind == OPERATION_RESTORE)
        now.ready = seen->ready;
    job->job.record.counts.planned = order_about(p, preview_selects(p) ? seen : &now);
    keep_to_count(p, seen, &now);
    if (p->limit >= 0 && job->job.record.counts.planned > p->limit)
        job->job.record.counts.planned = p->limit;
    preview_free(&now);
    return ERR_OK;
}

static enum err create(void *context, struct journal *j, struct journal_operation *record,
                       struct err_info *err)
{
    const struct job *job = context;
    return record->kind == OPERATION_RESTORE ? restore_create(&job->job.plan, j, record, err)
                                             : journal_create(j, record, err);
}

static bool begin(struct job *job)
{
    struct err_info err = {.code = ERR_OK};
    job->job.record.created_ns = clock_wall_ns();
    pthread_mutex_lock(&job->lock);
    job->status.notice_count = 0; /* what the dry run was told would be */
    pthread_mutex_unlock(&job->lock);
    if (!look_again(job, &err))
        job->lock_fd = order_begin(&job->job, &job->plan, create, job, &err);
    if (job->lock_fd < 0)
        refuse(job, &err);
    return job->lock_fd >= 0;
}

/* As the journal has it now: another process may have gone on from there. */
static enum err read_record(struct job *job, struct err_info *err)
{
    struct journal *j = journal_open(err);
    struct journal_operation now;
    enum err e = j ? journal_find(j, job->status.id, &job->found, &now, err) : err->code;
    journal_close(&j);
    if (!e && now.state != OPERATION_RUNNING)
        e = err_set(err, ERR_REFUSED, "it has ended: %s", operation_state_name(now.state));
    if (!e)
        e = plan_read(&job->job.plan, now.plan, &job->found, err);
    if (!e && now.kind == OPERATION_RESTORE)
        e = restore_check(&job->job.plan, err);
    if (!e)
        job->job.record = now;
    return e;
}

static bool take_over(struct job *job)
{
    struct err_info err = {.code = ERR_OK};
    job->lock_fd = operation_lock(job->status.id, &err);
    if (job->lock_fd >= 0 && !read_record(job, &err))
        return true;
    if (job->lock_fd >= 0)
        operation_unlock(job->status.id, job->lock_fd, false);
    job->lock_fd = -1;
    refuse(job, &err);
    return false;
}

/* ---- the thread: running ---- */

static void follow(struct job *job)
{
    struct operation_progress p = {.state = OPERATION_RUNNING};
    while (p.state == OPERATION_RUNNING) {
        struct pollfd fd = {.fd = job->event_fd, .events = POLLIN};
        poll(&fd, 1, 1000);
        (void)!read(job->event_fd, &(uint64_t){0}, sizeof(uint64_t));
        operation_progress(job->operation, &p);
        wake(job);
    }
}

static void run_it(struct job *job)
{
    struct err_info err = {.code = ERR_OK};
    struct operation_progress end;
    struct operation *o = operation_start(&job->job, job->event_fd, &err);
    if (!o) {
        operation_unlock(job->job.record.id, job->lock_fd, false);
        refuse(job, &err);
        return;
    }
    pthread_mutex_lock(&job->lock);
    job->operation = o;
    text_copy(job->status.id, sizeof job->status.id, job->job.record.id);
    job->status.began_ns = job->job.record.created_ns;
    job->status.planned = job->job.record.counts.planned;
    if (job->paused)
        operation_pause(o, true);
    if (atomic_load(&job->cancelled))
        operation_cancel(o);
    pthread_mutex_unlock(&job->lock);
    set_state(job, JOB_RUNNING);
    follow(job);
    pthread_mutex_lock(&job->lock);
    job->operation = NULL;
    pthread_mutex_unlock(&job->lock);
    operation_join(&o, &end);
    operation_unlock(job->job.record.id, job->lock_fd, end.state != OPERATION_INTERRUPTED);
    pthread_mutex_lock(&job->lock);
    job->status.progress = end;
    job->status.ended_ns = clock_wall_ns();
    pthread_mutex_unlock(&job->lock);
    set_state(job, JOB_ENDED);
}

static int64_t count_now(const struct job *job, const struct operation_end *end)
{
    int64_t ready = COUNT_UNKNOWN, unacked = COUNT_UNKNOWN;
    if (!end->ops || !end->ops->count || !end->channel.name ||
        preview_count(&job->job, end, &ready, &unacked, NULL))
        return COUNT_UNKNOWN;
    return ready;
}

/* By the brokers, whoever else sends and takes there; nobody waits for it. */
static void count_ends(struct job *job)
{
    const struct plan *p = &job->job.plan;
    enum operation_state state = job->status.progress.state;
    if (job->status.state != JOB_ENDED || atomic_load(&job->cancelled) || state == OPERATION_FAILED ||
        state == OPERATION_INTERRUPTED)
        return;
    struct job_ends after = {COUNT_UNKNOWN, COUNT_UNKNOWN};
    if (plan_archives(p) || (order_takes(p) && !p->keeps))
        after.from = count_now(job, &job->job.from);
    if (p->to && !preview_counts_late(&job->job))
        after.to = count_now(job, &job->job.to);
    pthread_mutex_lock(&job->lock);
    job->status.after = after;
    pthread_mutex_unlock(&job->lock);
}

void *jobs_run(void *context)
{
    struct job *job = context;
    fill(job);
    if (job->resumes ? take_over(job) : look(job) && wait_for_word(job) && begin(job)) {
        run_it(job);
        count_ends(job);
    }
    pthread_mutex_lock(&job->lock);
    job->over = true;
    pthread_mutex_unlock(&job->lock);
    wake(job);
    return NULL;
}
