/* DESIGN. The list belongs to the one thread of the screen, each job's status to whoever has its lock. What is dropped goes on until its
 * thread comes back, out of everybody's sight: a broker that does not answer holds up nobody. */
#include "operations/jobs_internal.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "engine/filter.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PEACE_NS (3 * NS_PER_S) /* for those under way to come to their end, when all is left */
#define END_NS   (5 * NS_PER_S)

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
    preview_free(&job->status.preview);
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

static enum job_state state_of(struct job *job)
{
    pthread_mutex_lock(&job->lock);
    enum job_state state = job->status.state;
    pthread_mutex_unlock(&job->lock);
    return state;
}

static bool is_busy(enum job_state state)
{
    return state == JOB_BEGINNING || state == JOB_RUNNING || state == JOB_LOOKING;
}

/* Room for one more: the oldest that has ended makes way. */
static enum err make_room(struct jobs *j, struct err_info *err)
{
    size_t busy = 0, ended = SIZE_MAX;
    for (size_t i = j->count; i-- > 0;) {
        busy += is_busy(state_of(j->all[i]));
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
    p->reasons = keep(job, p->reasons);
    p->edits = keep(job, p->edits);
    p->by = keep(job, p->by);
    p->payload = arena_copy(&job->arena, p->payload);
}

static struct job *job_new(struct jobs *j, const struct order *order)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->jobs = j;
    job->order = *order;
    job->order.config = j->config->named ? j->config->file : NULL;
    job->lock_fd = -1;
    job->status.rate = order->plan.rate;
    job->status.planned = COUNT_UNKNOWN;
    job->status.before = job->status.after = (struct job_ends){COUNT_UNKNOWN, COUNT_UNKNOWN};
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
    if (job && !thread_start(&job->thread, jobs_run, job)) {
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
    for (size_t i = j->count; i-- > 0;) {
        struct job *job = j->all[i];
        pthread_mutex_lock(&job->lock);
        bool is = job->listed && strcmp(job->status.id, id) == 0;
        pthread_mutex_unlock(&job->lock);
        if (is)
            return job;
    }
    return NULL;
}

size_t jobs_running(const struct jobs *j)
{
    size_t n = 0;
    for (size_t i = 0; i < j->count; i++) {
        enum job_state state = state_of(j->all[i]);
        n += state == JOB_RUNNING || state == JOB_BEGINNING;
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
    into->progress.paused = job->paused; /* at once, and not when it tells of itself next */
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
