/* DESIGN. A driver is cancelled by a flag, its wake_fd and its interrupt hook, from another thread; a probe by a
 * descriptor. A small guard thread stands between the two while the driver is at work. */
#include "probes/broker.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/thread.h"

#include <ctype.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Found by their own schemes, never by one of this probe's. */
static const char *const schemes[] = {NULL};

struct visit {
    struct broker broker;
    atomic_bool cancelled;
    int cancel_fd, over_fd; /* over_fd: the guard may go */
    pthread_t guard;
    bool guarded;
    pthread_mutex_t lock;
    bool interruptible; /* under the lock: from open to close */
};

static const struct broker_ops *driver_of(broker_registry brokers, const char *scheme)
{
    for (; brokers && *brokers; brokers++)
        for (const char *const *s = (*brokers)->schemes; s && *s; s++)
            if (strcmp(*s, scheme) == 0)
                return *brokers;
    return NULL;
}

/* ---- the guard ---- */

static void interrupt(struct visit *v)
{
    atomic_store(&v->cancelled, true);
    eventfd_write(v->broker.wake_fd, 1);
    pthread_mutex_lock(&v->lock);
    if (v->interruptible && v->broker.ops->interrupt)
        v->broker.ops->interrupt(&v->broker);
    pthread_mutex_unlock(&v->lock);
}

static void *guard_run(void *arg)
{
    struct visit *v = arg;
    struct pollfd fds[2] = {{.fd = v->cancel_fd, .events = POLLIN}, {.fd = v->over_fd, .events = POLLIN}};
    while (poll(fds, 2, -1) < 0)
        ;
    if (fds[0].revents)
        interrupt(v);
    return NULL;
}

static void set_interruptible(struct visit *v, bool on)
{
    pthread_mutex_lock(&v->lock);
    v->interruptible = on;
    pthread_mutex_unlock(&v->lock);
}

/* ---- the visit ---- */

static enum err visit_begin(struct visit *v, struct err_info *err)
{
    pthread_mutex_init(&v->lock, NULL);
    v->broker.cancelled = &v->cancelled;
    v->broker.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    v->over_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    v->broker.state = calloc(1, v->broker.ops->state_size + 1);
    if (!v->broker.state)
        return err_set(err, ERR_NOMEM, "no memory for a session with a broker");
    if (v->broker.wake_fd < 0 || v->over_fd < 0)
        return err_set(err, ERR_LIMIT, "no descriptor for a session with a broker");
    v->guarded = v->cancel_fd >= 0 && thread_start(&v->guard, guard_run, v);
    return ERR_OK;
}

static void visit_end(struct visit *v)
{
    if (v->guarded) {
        eventfd_write(v->over_fd, 1);
        pthread_join(v->guard, NULL);
    }
    if (v->broker.wake_fd >= 0)
        close(v->broker.wake_fd);
    if (v->over_fd >= 0)
        close(v->over_fd);
    free(v->broker.state);
    pthread_mutex_destroy(&v->lock);
}

/* connect is what open took: resolving, connecting and authenticating are one thing to the client libraries. */
static enum err visit(struct visit *v, struct sample *sample, struct err_info *err)
{
    const struct broker_ops *ops = v->broker.ops;
    int64_t start = clock_mono_ns();
    set_interruptible(v, true);
    enum err failed = ops->open(&v->broker, err);
    int64_t opened = clock_mono_ns();
    if (!failed) {
        failed = ops->ping(&v->broker, sample, err);
        sample->phases.connect = opened - start;
    }
    set_interruptible(v, false);
    sample->phases.total = clock_mono_ns() - start;
    ops->close(&v->broker);
    return failed;
}

static void name_protocol(struct sample *sample, const char *name)
{
    if (sample->code[0])
        return;
    text_copy(sample->code, sizeof sample->code, name);
    for (char *c = sample->code; *c; c++)
        *c = (char)toupper((unsigned char)*c);
}

static void broker_run(const struct probe_env *env, const struct probe_target *target, int64_t deadline_ns,
                       int cancel_fd, struct sample *sample)
{
    struct err_info err = {.code = ERR_OK};
    const struct broker_ops *ops = driver_of(env->brokers, target->endpoint.url.scheme);
    struct visit v = {.cancel_fd = cancel_fd,
                      .broker = {.ops = ops, .endpoint = &target->endpoint, .deadline_ns = deadline_ns}};
    sample_init(sample);
    if (!ops)
        err_set(&err, ERR_UNSUPPORTED, "no driver for %s addresses", target->endpoint.url.scheme);
    else if (!visit_begin(&v, &err))
        err.code = visit(&v, sample, &err);
    if (ops)
        visit_end(&v);
    if (err.code && atomic_load(&v.cancelled))
        err.code = ERR_CANCELLED;
    if (err.code)
        sample_fail(sample, &err);
    else
        name_protocol(sample, ops->name);
    sample->time_ns = clock_wall_ns();
}

const struct probe_ops broker_probe = {.name = "broker", .schemes = schemes, .run = broker_run};
