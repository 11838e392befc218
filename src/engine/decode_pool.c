#include "engine/decode_pool.h"

#include "base/thread.h"

#include <stdlib.h>

enum job_state { JOB_WAITS, JOB_RUNS, JOB_DONE, JOB_DROPPED };

struct decode_job {
    struct decode_job *next;
    struct decode_pool *pool;
    struct message *message;
    const char *wanted;
    enum job_state state; /* under the pool's lock */
    struct decoded decoded;
};

struct decode_pool {
    decoder_registry decoders;
    void (*wake)(void *context);
    void *context;
    pthread_t thread;
    bool started, closing;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct decode_job *first, **last; /* those that wait */
};

struct decode_pool *decode_pool_new(decoder_registry decoders, void (*wake)(void *context), void *context)
{
    struct decode_pool *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    *p = (struct decode_pool){.decoders = decoders, .wake = wake, .context = context, .last = &p->first};
    pthread_mutex_init(&p->lock, NULL);
    thread_cond_init(&p->work);
    return p;
}

static void job_free(struct decode_job *job)
{
    message_unref(&job->message);
    decoded_free(&job->decoded);
    free(job);
}

/* ---- the thread ---- */

/* Under the lock, which is given up while it decodes. */
static void run(struct decode_pool *p, struct decode_job *job)
{
    job->state = JOB_RUNS;
    pthread_mutex_unlock(&p->lock);
    decoded_make(&job->decoded, p->decoders, job->message, job->wanted);
    pthread_mutex_lock(&p->lock);
    if (job->state == JOB_DROPPED) {
        job_free(job);
        return;
    }
    job->state = JOB_DONE;
    p->wake(p->context);
}

static void *worker(void *argument)
{
    struct decode_pool *p = argument;
    pthread_mutex_lock(&p->lock);
    while (!p->closing) {
        struct decode_job *job = p->first;
        if (!job) {
            pthread_cond_wait(&p->work, &p->lock);
            continue;
        }
        if (!(p->first = job->next))
            p->last = &p->first;
        run(p, job);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* ---- the caller's side ---- */

struct decode_job *decode_pool_start(struct decode_pool *p, struct message *m, const char *wanted)
{
    struct decode_job *job = calloc(1, sizeof *job);
    if (!p->started)
        p->started = job && thread_start(&p->thread, worker, p);
    if (!job || !p->started) {
        free(job);
        return NULL;
    }
    *job = (struct decode_job){.pool = p, .message = message_ref(m), .wanted = wanted};
    pthread_mutex_lock(&p->lock);
    *p->last = job;
    p->last = &job->next;
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
    return job;
}

bool decode_job_take(struct decode_job **jp, struct decoded *into)
{
    struct decode_job *job = *jp;
    pthread_mutex_lock(&job->pool->lock);
    bool done = job->state == JOB_DONE;
    pthread_mutex_unlock(&job->pool->lock);
    if (!done)
        return false;
    decoded_move(into, &job->decoded);
    job_free(job);
    *jp = NULL;
    return true;
}

/* Out of the line of those that wait. Under the lock. */
static void unlink_job(struct decode_pool *p, const struct decode_job *job)
{
    struct decode_job **at = &p->first;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    if (p->last == &job->next)
        p->last = at;
}

void decode_job_drop(struct decode_job **jp)
{
    struct decode_job *job = *jp;
    *jp = NULL;
    if (!job)
        return;
    struct decode_pool *p = job->pool;
    pthread_mutex_lock(&p->lock);
    bool runs = job->state == JOB_RUNS; /* then its thread frees it */
    if (runs)
        job->state = JOB_DROPPED;
    else if (job->state == JOB_WAITS)
        unlink_job(p, job);
    pthread_mutex_unlock(&p->lock);
    if (!runs)
        job_free(job);
}

void decode_pool_free(struct decode_pool **pp)
{
    struct decode_pool *p = *pp;
    *pp = NULL;
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
    if (p->started)
        pthread_join(p->thread, NULL);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->work);
    free(p);
}
