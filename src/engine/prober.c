/* DESIGN. The timer thread sleeps until the next run is due and hands it over: an asynchronous probe is started right
 * there, a blocking one goes to a worker. Workers are made when they are needed, at most one for each target that blocks
 * (a target never runs twice at once), so that up to MOST_WORKERS slow targets delay nobody. Whoever ends a run tells the
 * sink first and then that the run has ended; prober_stop waits for the latter, so that the sink is silent afterwards. */
#include "engine/prober.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/thread.h"
#include "net/http.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SPREAD_NS    (200 * NS_PER_MS)
#define MOST_WORKERS 64
#define LEAST_NS     (100 * NS_PER_MS) /* between two runs of one target */

struct run {
    struct prober *prober;
    const struct probe_target *target;
    const struct probe_ops *ops; /* NULL: no such kind */
    int64_t due_ns;              /* monotonic; under the lock, as what follows */
    bool running;
    bool again; /* asked for while it ran: what it is about to say is older than the question */
    struct run *next_waiting;

    /* whoever runs it, while it runs */
    bool prepared;
    struct probe_target own; /* the target with its password: what the probe sees */
    struct secret secret;
};

struct prober {
    struct probe_env env;
    struct prober_host host;
    int cancel_fd;
    struct run *runs;
    size_t count;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* the timer: something is due earlier; prober_stop: a run has ended */
    pthread_cond_t work;    /* workers */
    bool stopping;
    size_t running;
    struct run *waiting, **waiting_end; /* for a worker */
    size_t idle_workers;
    pthread_t timer, workers[MOST_WORKERS];
    size_t worker_count;
    bool timer_started;
};

/* ---- one run ---- */

static const struct probe_ops *probe_of(probe_registry probes, const char *kind)
{
    for (; probes && *probes; probes++)
        if (strcmp((*probes)->name, kind) == 0)
            return *probes;
    return NULL;
}

static void judge_speed(const struct probe_target *t, struct sample *s)
{
    char took[24], limit[24];
    if (s->health != HEALTH_UP || t->slow_ns <= 0 || s->phases.total <= t->slow_ns)
        return;
    s->health = HEALTH_DEGRADED;
    snprintf(s->reason, sizeof s->reason, "%s ms, threshold %s ms",
             text_ms(took, sizeof took, s->phases.total), text_ms(limit, sizeof limit, t->slow_ns));
}

static void measure(const struct probe_env *env, const struct probe_ops *ops, const struct probe_target *t,
                    int cancel_fd, struct sample *s)
{
    if (ops) {
        ops->run(env, t, clock_mono_ns() + t->timeout_ns, cancel_fd, s);
        return;
    }
    struct err_info err;
    err_set(&err, ERR_UNSUPPORTED, "there is no probe of the kind %s", t->kind);
    sample_init(s);
    sample_fail(s, &err);
    s->time_ns = clock_wall_ns();
}

/* Any thread, no lock held. Nothing of the prober may be touched after the lock is let go. */
static void end_run(void *context, const struct sample *sample)
{
    struct run *run = context;
    struct prober *p = run->prober;
    struct sample judged = *sample;
    judge_speed(run->target, &judged);
    if (judged.error == ERR_AUTH && run->secret.of) {
        secret_refused(&run->secret);
        run->prepared = false;
    }
    p->host.sample(p->host.context, run->target, &judged);
    pthread_mutex_lock(&p->lock);
    run->running = false;
    p->running--;
    if (run->again)
        run->due_ns = clock_mono_ns();
    if (run->again || p->stopping)
        pthread_cond_signal(&p->changed);
    run->again = false;
    pthread_mutex_unlock(&p->lock);
}

/* ---- workers ---- */

/* Waits for work; NULL: there won't be any. Called and left under the lock. */
static struct run *next_waiting(struct prober *p)
{
    while (!p->waiting && !p->stopping) {
        p->idle_workers++;
        pthread_cond_wait(&p->work, &p->lock);
        p->idle_workers--;
    }
    struct run *run = p->waiting;
    if (run && !(p->waiting = run->next_waiting))
        p->waiting_end = &p->waiting;
    return run;
}

static bool prepare(struct run *run, struct err_info *err)
{
    const struct prober_host *host = &run->prober->host;
    if (run->prepared)
        return true;
    run->own.endpoint.password = run->target->endpoint.password;
    if (host->prepare(host->context, run->target, &run->secret, err))
        return false;
    if (run->secret.text)
        run->own.endpoint.password = run->secret.text;
    return run->prepared = true;
}

/* One run, on a worker: blocking, or one of an asynchronous probe whose preparation may block. */
static void run_target(struct prober *p, struct run *run)
{
    struct sample sample;
    struct err_info err = {.code = ERR_OK};
    if (!prepare(run, &err)) {
        sample_init(&sample);
        sample_fail(&sample, &err);
        sample.time_ns = clock_wall_ns();
    } else if (run->ops && run->ops->start) {
        run->ops->start(&p->env, &run->own, clock_mono_ns() + run->target->timeout_ns, end_run, run);
        return;
    } else {
        measure(&p->env, run->ops, &run->own, p->cancel_fd, &sample);
    }
    end_run(run, &sample);
}

static void *worker_run(void *arg)
{
    struct prober *p = arg;
    pthread_mutex_lock(&p->lock);
    for (struct run *run; (run = next_waiting(p));) {
        pthread_mutex_unlock(&p->lock);
        run_target(p, run);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static size_t waiting_count(const struct prober *p)
{
    size_t n = 0;
    for (const struct run *run = p->waiting; run; run = run->next_waiting)
        n++;
    return n;
}

/* Under the lock. False: there is no worker and there can't be one. */
static bool give_to_worker(struct prober *p, struct run *run)
{
    bool enough = waiting_count(p) < p->idle_workers || p->worker_count == MOST_WORKERS;
    if (!enough && thread_start(&p->workers[p->worker_count], worker_run, p))
        p->worker_count++;
    if (p->worker_count == 0)
        return false;
    run->next_waiting = NULL;
    *p->waiting_end = run;
    p->waiting_end = &run->next_waiting;
    pthread_cond_signal(&p->work);
    return true;
}

/* ---- the timer ---- */

/* Keeps the beat; beats that were missed are not made up for. */
static void set_next_due(struct run *run, int64_t now)
{
    int64_t every = run->target->every_ns > LEAST_NS ? run->target->every_ns : LEAST_NS;
    run->due_ns += every;
    if (run->due_ns <= now)
        run->due_ns += (now - run->due_ns) / every * every + every;
}

/* Called and left under the lock; lets it go while an asynchronous probe is started. */
static void begin_run(struct prober *p, struct run *run)
{
    bool asynchronous = run->ops && run->ops->start && run->prepared;
    run->running = asynchronous || give_to_worker(p, run);
    p->running += run->running;
    if (!asynchronous)
        return;
    pthread_mutex_unlock(&p->lock);
    run->ops->start(&p->env, &run->own, clock_mono_ns() + run->target->timeout_ns, end_run, run);
    pthread_mutex_lock(&p->lock);
}

/* Begins what is due; gives the time of the next one. */
static int64_t begin_due(struct prober *p)
{
    int64_t next = INT64_MAX, now = clock_mono_ns();
    for (size_t i = 0; i < p->count && !p->stopping; i++) {
        struct run *run = &p->runs[i];
        if (run->due_ns <= now) {
            set_next_due(run, now);
            if (!run->running)
                begin_run(p, run);
        }
    }
    for (size_t i = 0; i < p->count; i++)
        if (p->runs[i].due_ns < next)
            next = p->runs[i].due_ns;
    return next;
}

static void *timer_run(void *arg)
{
    struct prober *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->stopping) {
        int64_t next = begin_due(p);
        if (!p->stopping)
            thread_cond_wait_until(&p->changed, &p->lock, next);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* ---- life ---- */

static void init_sync(struct prober *p)
{
    pthread_mutex_init(&p->lock, NULL);
    thread_cond_init(&p->changed);
    pthread_cond_init(&p->work, NULL);
    p->waiting_end = &p->waiting;
}

static bool init_runs(struct prober *p, const struct probe_target *targets, size_t count,
                      probe_registry probes)
{
    int64_t now = clock_mono_ns();
    p->runs = calloc(count + 1, sizeof *p->runs);
    if (!p->runs)
        return false;
    p->count = count;
    for (size_t i = 0; i < count; i++)
        p->runs[i] = (struct run){.prober = p,
                                  .target = &targets[i],
                                  .own = targets[i],
                                  .ops = probe_of(probes, targets[i].kind),
                                  .prepared = !p->host.prepare,
                                  .due_ns = now + SPREAD_NS * (int64_t)i / (int64_t)count};
    return true;
}

struct prober *prober_start(const struct probe_target *targets, size_t count, const struct registry *registry,
                            const struct prober_host *host, struct err_info *err)
{
    struct prober *p = calloc(1, sizeof *p);
    if (!p) {
        err_set(err, ERR_NOMEM, "no memory for the probes");
        return NULL;
    }
    init_sync(p);
    p->host = *host;
    p->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->env = (struct probe_env){.http = http_client_new(err), .brokers = registry->brokers};
    if (p->cancel_fd >= 0 && p->env.http && init_runs(p, targets, count, registry->probes))
        p->timer_started = thread_start(&p->timer, timer_run, p);
    if (p->timer_started)
        return p;
    err_set(err, ERR_FAILED, "no memory, descriptor or thread for the probes");
    prober_stop(&p);
    return NULL;
}

void prober_refresh(struct prober *p)
{
    pthread_mutex_lock(&p->lock);
    int64_t now = clock_mono_ns();
    for (size_t i = 0; i < p->count; i++) {
        p->runs[i].due_ns = now;
        p->runs[i].again = p->runs[i].running;
    }
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

/* The timer first: nothing begins any more. Then what runs is cancelled, the asynchronous by freeing the client. */
void prober_stop(struct prober **prober)
{
    struct prober *p = *prober;
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->changed);
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    if (p->timer_started)
        pthread_join(p->timer, NULL);
    if (p->cancel_fd >= 0)
        eventfd_write(p->cancel_fd, 1);
    for (size_t i = 0; i < p->worker_count; i++) /* they may still start an asynchronous one */
        pthread_join(p->workers[i], NULL);
    http_client_free(&p->env.http);
    pthread_mutex_lock(&p->lock);
    while (p->running)
        pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
    if (p->cancel_fd >= 0)
        close(p->cancel_fd);
    pthread_cond_destroy(&p->changed);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    for (size_t i = 0; i < p->count; i++)
        secret_clear(&p->runs[i].secret);
    free(p->runs);
    free(p);
    *prober = NULL;
}

/* ---- one measurement ---- */

struct single {
    struct sample *sample;
    int done_fd;
    atomic_bool done;
};

static void end_single(void *context, const struct sample *sample)
{
    struct single *s = context;
    *s->sample = *sample;
    atomic_store(&s->done, true);
    eventfd_write(s->done_fd, 1);
}

/* Freeing the client on cancel makes the probe end; then its end is waited for. */
static void await_single(struct single *s, struct probe_env *env, int cancel_fd)
{
    struct pollfd fds[2] = {{.fd = s->done_fd, .events = POLLIN}, {.fd = cancel_fd, .events = POLLIN}};
    while (!atomic_load(&s->done)) {
        if (poll(fds, 2, -1) > 0 && fds[1].revents && !fds[0].revents) {
            http_client_free(&env->http);
            fds[1].fd = -1;
        }
    }
}

static void start_and_wait(struct probe_env *env, const struct probe_ops *ops, const struct probe_target *t,
                           int cancel_fd, struct sample *sample)
{
    struct single s = {.sample = sample, .done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    struct err_info err;
    if (s.done_fd < 0 || !env->http) {
        err_set(&err, ERR_FAILED, "no memory or descriptor for a probe");
        sample_init(sample);
        sample_fail(sample, &err);
        sample->time_ns = clock_wall_ns();
    } else {
        ops->start(env, t, clock_mono_ns() + t->timeout_ns, end_single, &s);
        await_single(&s, env, cancel_fd);
    }
    http_client_free(&env->http); /* joins whoever called end_single, before s goes */
    if (s.done_fd >= 0)
        close(s.done_fd);
}

void probe_once(const struct probe_target *target, const struct registry *registry, int cancel_fd,
                struct sample *sample)
{
    struct probe_env env = {.brokers = registry->brokers};
    const struct probe_ops *ops = probe_of(registry->probes, target->kind);
    if (ops && ops->start) {
        env.http = http_client_new(NULL);
        start_and_wait(&env, ops, target, cancel_fd, sample);
    } else {
        measure(&env, ops, target, cancel_fd, sample);
    }
    judge_speed(target, sample);
}
