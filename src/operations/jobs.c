/* DESIGN. A job's thread alone touches its operation_job; what others see of it is its status, under its lock. The list belongs to the one
 * thread of the screen. What is dropped goes on until its thread comes back, out of everybody's sight: a broker that does not answer holds
 * up nobody. */
#include "operations/jobs.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/thread.h"
#include "engine/filter.h"
#include "operations/archive_source.h"
#include "operations/lock.h"
#include "operations/restore.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PEACE_NS (3 * NS_PER_S) /* for those under way to come to their end, when all is left */
#define END_NS   (5 * NS_PER_S)
#define GROWN    10 /* percent that a log may have grown by since somebody looked */

struct job {
    struct jobs *jobs;
    struct order order;
    struct arena arena; /* the order's texts */
    struct buffer command;
    struct endpoint archive; /* of a restore */
    bool resumes, dropped, listed;
    pthread_t thread;
    int event_fd; /* of its operation, and of whoever wants its thread to look */

    /* the thread's alone */
    struct operation_job job;
    struct buffer plan;
    struct arena found; /* what was read of the journal */
    char who[64], host[256];
    int lock_fd;

    pthread_mutex_t lock;
    struct job_status status;
    struct operation *operation;
    bool begin, paused, over; /* over: the thread comes back */
    atomic_bool cancelled;    /* looking is */
};

struct jobs {
    struct config *config;
    const struct registry *registry;
    int fd;
    struct job *all[JOBS_MOST];
    size_t count; /* in the order in which they were made; those that were dropped among them */
};

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
        .prepare = config_prepare,
        .context = job->jobs->config,
        .notice = on_notice,
        .notice_context = job,
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

static bool look(struct job *job)
{
    struct preview seen;
    struct err_info err = {.code = ERR_OK};
    struct plan *p = &job->job.plan;
    int64_t messages = COUNT_UNKNOWN, bytes = 0;
    bool restores = p->kind == OPERATION_RESTORE;
    enum err e = restores ? restore_read(p, &job->found, &messages, &bytes, &err) : ERR_OK;
    if (!e)
        e = preview_make(&job->job, &job->cancelled, &seen, &err);
    struct plan plan = *p; /* it is settled when it begins */
    if (!e && restores) {
        seen.ready = messages;
        seen.bytes = bytes;
    }
    if (!e)
        e = order_settle(&plan, &seen, &err);
    if (e) {
        refuse(job, &err);
        return false;
    }
    pthread_mutex_lock(&job->lock);
    job->status.preview = seen;
    job->status.planned = order_planned(&plan, &seen);
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

/* As it stands now; what a selection takes is judged as the messages come. No more go than were counted when somebody said yes. */
static enum err look_again(struct job *job, struct err_info *err)
{
    struct preview now;
    struct operation_job quiet = job->job;
    struct plan *p = &job->job.plan;
    const struct preview *seen = &job->status.preview;
    quiet.plan.select = NULL;
    quiet.notice = NULL;
    enum err e = preview_make(&quiet, &job->cancelled, &now, err);
    if (!e && now.by_place && !p->no_archive)
        e = preview_check_selection(&job->job, err);
    if (!e)
        e = order_settle(p, &now, err);
    if (!e && p->kind == OPERATION_PURGE)
        e = check_growth(job, &now, err);
    if (e)
        return e;
    p->by_place = now.by_place;
    p->empty = now.there == 0;
    if (p->kind == OPERATION_RESTORE)
        now.ready = seen->ready;
    bool counted = !now.upper && !now.by_place && p->kind != OPERATION_RESTORE && !p->no_archive;
    job->job.record.counts.planned = p->select ? job->status.planned : order_planned(p, &now);
    if (!p->select && p->limit < 0 && counted)
        p->limit = seen->ready >= 0 && seen->ready < now.ready ? seen->ready : now.ready;
    if (p->limit >= 0 && job->job.record.counts.planned > p->limit)
        job->job.record.counts.planned = p->limit;
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

static void *run(void *context)
{
    struct job *job = context;
    fill(job);
    if (job->resumes ? take_over(job) : look(job) && wait_for_word(job) && begin(job))
        run_it(job);
    pthread_mutex_lock(&job->lock);
    job->over = true;
    pthread_mutex_unlock(&job->lock);
    wake(job);
    return NULL;
}

/* ---- making and ending ---- */

struct jobs *jobs_new(struct config *config, const struct registry *registry, struct err_info *err)
{
    struct jobs *j = calloc(1, sizeof *j);
    if (!j) {
        err_set(err, ERR_NOMEM, "no memory for operations");
        return NULL;
    }
    j->config = config;
    j->registry = registry;
    j->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (j->fd >= 0)
        return j;
    err_set(err, ERR_FAILED, "no descriptor for operations");
    free(j);
    return NULL;
}

static void job_free(struct job *job)
{
    if (job->event_fd >= 0)
        close(job->event_fd);
    arena_free(&job->arena);
    arena_free(&job->found);
    buffer_free(&job->plan);
    buffer_free(&job->command);
    pthread_mutex_destroy(&job->lock);
    free(job);
}

static bool is_over(struct job *job)
{
    pthread_mutex_lock(&job->lock);
    bool over = job->over;
    pthread_mutex_unlock(&job->lock);
    return over;
}

static void take_out(struct jobs *j, size_t i)
{
    j->count--;
    memmove(&j->all[i], &j->all[i + 1], (j->count - i) * sizeof *j->all);
}

static void reap(struct jobs *j, size_t i)
{
    pthread_join(j->all[i]->thread, NULL);
    job_free(j->all[i]);
    take_out(j, i);
}

int jobs_fd(const struct jobs *j)
{
    return j->fd;
}

bool jobs_pump(struct jobs *j)
{
    bool any = read(j->fd, &(uint64_t){0}, sizeof(uint64_t)) > 0;
    for (size_t i = j->count; i-- > 0;)
        if (j->all[i]->dropped && is_over(j->all[i]))
            reap(j, i);
    return any;
}

static bool wait_all(struct jobs *j, int64_t until_ns)
{
    bool all = false;
    while (!all) {
        all = true;
        for (size_t i = 0; i < j->count; i++)
            all &= is_over(j->all[i]);
        struct pollfd p = {.fd = j->fd, .events = POLLIN};
        if (all || clock_mono_ns() >= until_ns)
            break;
        poll(&p, 1, clock_poll_ms(until_ns));
        (void)!read(j->fd, &(uint64_t){0}, sizeof(uint64_t));
    }
    return all;
}

void jobs_free(struct jobs **jp)
{
    struct jobs *j = *jp;
    *jp = NULL;
    if (!j)
        return;
    for (size_t i = 0; i < j->count; i++)
        job_cancel(j->all[i]);
    bool all = wait_all(j, clock_mono_ns() + PEACE_NS);
    for (size_t i = 0; !all && i < j->count; i++)
        job_cancel(j->all[i]);
    if (!all)
        all = wait_all(j, clock_mono_ns() + END_NS);
    for (size_t i = j->count; i-- > 0;)
        if (is_over(j->all[i]))
            reap(j, i);
    if (!all) /* somebody still writes to the descriptor */
        return;
    close(j->fd);
    free(j);
}

static bool is_busy(enum job_state state)
{
    return state == JOB_BEGINNING || state == JOB_RUNNING || state == JOB_LOOKING;
}

/* Room for one more: the oldest that has ended makes way. */
static enum err make_room(struct jobs *j, struct err_info *err)
{
    size_t busy = 0, ended = SIZE_MAX;
    struct job_status s;
    for (size_t i = j->count; i-- > 0;) {
        job_status(j->all[i], &s);
        busy += is_busy(s.state);
        if (j->all[i]->listed && is_over(j->all[i]))
            ended = i;
    }
    if (busy >= JOBS_RUNNING || (j->count == JOBS_MOST && ended == SIZE_MAX))
        return err_set(err, ERR_LIMIT, "%zu operations are under way: as many as go at once", busy);
    if (j->count == JOBS_MOST)
        reap(j, ended);
    return ERR_OK;
}

static const char *keep(struct job *job, const char *text)
{
    return text ? arena_strdup(&job->arena, text) : NULL;
}

static void keep_texts(struct job *job)
{
    struct plan *p = &job->order.plan;
    p->from = keep(job, p->from);
    p->to = keep(job, p->to);
    p->select = keep(job, p->select);
    p->sum = keep(job, p->sum);
    p->origin_header = keep(job, p->origin_header);
    p->payload = arena_copy(&job->arena, p->payload);
}

static struct job *job_new(struct jobs *j, const struct order *order)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->jobs = j;
    job->order = *order;
    job->lock_fd = -1;
    job->status.rate = order->plan.rate;
    job->status.planned = COUNT_UNKNOWN;
    arena_init(&job->arena, 2 * PLAN_PAYLOAD_MOST);
    arena_init(&job->found, 4 * PLAN_PAYLOAD_MOST);
    buffer_init(&job->plan, 2 * PLAN_PAYLOAD_MOST);
    buffer_init(&job->command, 4 * MIB);
    pthread_mutex_init(&job->lock, NULL);
    keep_texts(job);
    job->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    order_command(&job->order, &job->command);
    if (job->event_fd >= 0 && job->order.plan.from)
        return job;
    job_free(job);
    return NULL;
}

static struct job *start(struct jobs *j, struct job *job, struct err_info *err)
{
    if (job && !thread_start(&job->thread, run, job)) {
        job_free(job);
        job = NULL;
    }
    if (!job) {
        err_set(err, ERR_FAILED, "no memory, thread or descriptor for an operation");
        return NULL;
    }
    j->all[j->count++] = job;
    return job;
}

/* A selection that is none is said at once, not by the thread. */
static enum err check_selection(struct jobs *j, const char *select, struct err_info *err)
{
    struct filter *f = select ? filter_new(select, FILTER_MESSAGES, j->registry->decoders, NULL, err) : NULL;
    if (select && !f)
        return err->code;
    filter_free(&f);
    return ERR_OK;
}

struct job *jobs_look(struct jobs *j, const struct order *order, struct err_info *err)
{
    jobs_pump(j);
    if (order_check(order, err) || check_selection(j, order->plan.select, err) || make_room(j, err))
        return NULL;
    return start(j, job_new(j, order), err);
}

struct job *jobs_resume(struct jobs *j, const struct journal_operation *record, const struct order *order,
                        struct err_info *err)
{
    if (make_room(j, err))
        return NULL;
    struct job *job = job_new(j, order);
    if (job) {
        job->resumes = job->listed = job->status.resumed = true;
        job->status.state = JOB_BEGINNING;
        job->status.began_ns = record->created_ns;
        text_copy(job->status.id, sizeof job->status.id, record->id);
        buffer_clear(&job->command);
        buffer_text(&job->command, record->command ? record->command : "");
    }
    return start(j, job, err);
}

/* ---- what the screen asks and says ---- */

size_t jobs_count(const struct jobs *j)
{
    size_t n = 0;
    for (size_t i = 0; i < j->count; i++)
        n += j->all[i]->listed;
    return n;
}

struct job *jobs_at(const struct jobs *j, size_t i)
{
    for (size_t k = 0; k < j->count; k++)
        if (j->all[k]->listed && i-- == 0)
            return j->all[k];
    return NULL;
}

struct job *jobs_find(const struct jobs *j, const char *id)
{
    struct job_status s;
    for (size_t i = j->count; i-- > 0;) {
        job_status(j->all[i], &s);
        if (j->all[i]->listed && strcmp(s.id, id) == 0)
            return j->all[i];
    }
    return NULL;
}

size_t jobs_running(const struct jobs *j)
{
    struct job_status s;
    size_t n = 0;
    for (size_t i = 0; i < j->count; i++) {
        job_status(j->all[i], &s);
        n += s.state == JOB_RUNNING || s.state == JOB_BEGINNING;
    }
    return n;
}

const struct order *job_order(const struct job *job)
{
    return &job->order;
}

const char *job_command(const struct job *job)
{
    return job->command.data ? (const char *)job->command.data : "";
}

void job_status(struct job *job, struct job_status *into)
{
    pthread_mutex_lock(&job->lock);
    *into = job->status;
    if (job->operation)
        operation_progress(job->operation, &into->progress);
    pthread_mutex_unlock(&job->lock);
}

static void poke(struct job *job)
{
    (void)!write(job->event_fd, &(uint64_t){1}, sizeof(uint64_t));
}

void job_begin(struct job *job)
{
    pthread_mutex_lock(&job->lock);
    if (job->status.state == JOB_READY) {
        job->status.state = JOB_BEGINNING;
        job->begin = job->listed = true;
    }
    pthread_mutex_unlock(&job->lock);
    poke(job);
}

void job_pause(struct job *job, bool pause)
{
    pthread_mutex_lock(&job->lock);
    job->paused = pause;
    if (job->operation)
        operation_pause(job->operation, pause);
    pthread_mutex_unlock(&job->lock);
}

void job_rate(struct job *job, int64_t per_second)
{
    pthread_mutex_lock(&job->lock);
    job->status.rate = per_second;
    if (job->operation)
        operation_rate(job->operation, per_second);
    pthread_mutex_unlock(&job->lock);
}

void job_cancel(struct job *job)
{
    atomic_store(&job->cancelled, true);
    pthread_mutex_lock(&job->lock);
    job->status.cancelled = true;
    if (job->operation)
        operation_cancel(job->operation);
    pthread_mutex_unlock(&job->lock);
    poke(job);
}

void job_drop(struct job *job)
{
    if (!job)
        return;
    job->dropped = true;
    job_cancel(job);
}
