#include "engine/publisher.h"

#include "base/clock.h"
#include "base/thread.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PATIENCE_NS (10 * NS_PER_S)
#define STEP_MS     100
#define LEAVE_MS    500 /* for a thread that was cancelled, or is late */
#define SERVE_EVERY 64  /* messages between two looks at the connection */

struct publisher {
    struct publish_job job;
    int done_fd, wake_fd;
    pthread_t thread;
    atomic_bool cancelled, given_up, ended;
    pthread_mutex_t lock; /* guards `open` against a cancel while the broker closes */
    bool open;
    /* the thread's own, until it has ended */
    struct broker broker;
    struct publish_result result;
    size_t pending;
    /* for any thread, of the result */
    atomic_int_fast64_t confirmed, outstanding;
    atomic_bool connected;
};

static void on_outcome(void *context, const struct publish_outcome *outcome)
{
    struct publisher *p = context;
    struct publish_result *r = &p->result;
    atomic_fetch_sub(&p->outstanding, 1);
    switch (outcome->outcome) {
    case OUTCOME_CONFIRMED: atomic_store(&p->confirmed, ++r->confirmed); return;
    case OUTCOME_UNKNOWN: break;
    case OUTCOME_UNSENT: r->unsent++; break;
    default: r->failed++;
    }
    if (r->err.code)
        return;
    r->err = outcome->err;
    if (!r->err.code)
        err_set(&r->err, outcome->outcome == OUTCOME_RETURNED ? ERR_UNROUTABLE : ERR_FAILED,
                outcome->outcome == OUTCOME_RETURNED ? "no queue takes this message"
                                                     : "the broker did not confirm the message");
}

static void on_notice(void *context, const char *text)
{
    const struct publisher *p = context;
    if (p->job.notice)
        p->job.notice(p->job.context, text);
}

static enum err step(struct publisher *p, int timeout_ms, struct err_info *err)
{
    return p->broker.ops->publish_step(&p->broker, timeout_ms, &p->pending, err);
}

/* For connecting, and for the last outcomes. */
static int64_t patient_until(const struct publisher *p)
{
    return p->job.deadline_ns ? p->job.deadline_ns : clock_mono_ns() + PATIENCE_NS;
}

static bool is_late(const struct publisher *p)
{
    return p->job.deadline_ns && clock_mono_ns() >= p->job.deadline_ns;
}

/* ERR_OK: it may go on. */
static enum err must_leave(const struct publisher *p, struct err_info *err)
{
    if (is_late(p))
        return err_set(err, ERR_TIMEOUT, "the time-out passed");
    return atomic_load(&p->cancelled) ? err_set(err, ERR_CANCELLED, "cancelled") : ERR_OK;
}

/* A driver whose connection we ended knows of no better one. */
static enum err reason_of(const struct publisher *p, enum err e, struct err_info *err)
{
    bool ours = (e == ERR_CLOSED || e == ERR_CANCELLED) && must_leave(p, NULL);
    return ours ? must_leave(p, err) : e;
}

static enum err hand_over(struct publisher *p, const struct message *m, struct err_info *err)
{
    for (;;) {
        enum err e = p->broker.ops->publish(&p->broker, 0, m, (uint64_t)p->result.handed, err);
        if (e != ERR_BUSY)
            return e;
        e = must_leave(p, err);
        if (!e)
            e = step(p, STEP_MS, err);
        if (e)
            return e;
    }
}

static enum err take_one(struct publisher *p, const struct message *m, struct err_info *err)
{
    enum err e = message_check_whole(m, err);
    if (!e)
        e = hand_over(p, m, err);
    if (e && err_policy(e) != ERR_POLICY_RETRY && e != ERR_CANCELLED)
        p->result.bad = p->result.handed + 1;
    if (e)
        return e;
    p->result.handed++;
    atomic_fetch_add(&p->outstanding, 1);
    return p->result.handed % SERVE_EVERY ? ERR_OK : step(p, 0, err);
}

/* Until the first outcome that is a failure, which on_outcome has kept. */
static enum err hand_all_over(struct publisher *p, struct err_info *err)
{
    enum err e = ERR_OK;
    while (!e && !p->result.err.code) {
        struct message m = {0};
        e = p->job.next(p->job.context, &m, err);
        enum err left = e == ERR_END ? ERR_OK : must_leave(p, err);
        if (left)
            return left;
        if (e == ERR_BUSY) /* meanwhile what was sent gets its answers, and the connection its heartbeats */
            e = step(p, 0, err);
        else if (!e)
            e = take_one(p, &m, err);
    }
    return e == ERR_END ? ERR_OK : reason_of(p, e, err);
}

static enum err wait_outcomes(struct publisher *p, struct err_info *err)
{
    int64_t until = patient_until(p);
    enum err e = step(p, 0, err);
    while (!e && p->pending && !atomic_load(&p->cancelled) && clock_mono_ns() < until)
        e = step(p, STEP_MS, err);
    if (e || !p->pending)
        return e;
    e = must_leave(p, err);
    return e ? e
             : err_set(err, ERR_TIMEOUT, "no answer to what was sent last within %d s",
                       (int)(PATIENCE_NS / NS_PER_S));
}

static void keep_failure(struct publisher *p, enum err e, struct err_info *err)
{
    if (!e || p->result.err.code)
        return;
    err->code = e;
    p->result.err = *err;
}

static enum err publish(struct publisher *p, struct err_info *err)
{
    struct publish_sink sink = {.context = p, .outcome = on_outcome, .notice = on_notice};
    const struct broker_ops *ops = p->broker.ops;
    enum err e = ops->publish_open(&p->broker, &p->job.request, &sink, err);
    p->result.carries = p->broker.carries;
    if (e)
        return reason_of(p, e, err);
    struct err_info later = {.code = ERR_OK};
    e = hand_all_over(p, err);
    enum err waited = wait_outcomes(p, e ? &later : err);
    e = e ? e : waited;
    if (e == ERR_TIMEOUT) /* the outcomes to come would say that the connection is to blame */
        keep_failure(p, e, err);
    ops->publish_close(&p->broker);
    return e;
}

static void set_open(struct publisher *p, bool open)
{
    pthread_mutex_lock(&p->lock);
    p->open = open;
    pthread_mutex_unlock(&p->lock);
}

static void *run(void *context)
{
    struct publisher *p = context;
    struct err_info err = {.code = ERR_OK};
    p->broker = (struct broker){
        .ops = p->job.ops,
        .endpoint = p->job.endpoint,
        .state = calloc(1, p->job.ops->state_size ? p->job.ops->state_size : 1),
        .cancelled = &p->cancelled,
        .given_up = &p->given_up,
        .wake_fd = p->wake_fd,
        .carries = p->job.ops->carries,
        .notice = on_notice,
        .notice_context = p,
        .deadline_ns = patient_until(p),
    };
    set_open(p, p->broker.state != NULL);
    enum err e = p->broker.state ? p->job.ops->open(&p->broker, &err)
                                 : err_set(&err, ERR_NOMEM, "no memory for a connection");
    e = e ? reason_of(p, e, &err) : must_leave(p, &err);
    atomic_store(&p->connected, !e);
    if (!e)
        e = publish(p, &err);
    set_open(p, false);
    if (p->broker.state)
        p->job.ops->close(&p->broker);
    free(p->broker.state);
    keep_failure(p, e, &err);
    atomic_store(&p->ended, true);
    (void)!write(p->done_fd, &(uint64_t){1}, sizeof(uint64_t));
    return NULL;
}

struct publisher *publisher_start(const struct publish_job *job, int done_fd, struct err_info *err)
{
    struct publisher *p = calloc(1, sizeof *p);
    if (!p) {
        err_set(err, ERR_NOMEM, "no memory for sending");
        return NULL;
    }
    p->job = *job;
    p->done_fd = done_fd;
    p->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&p->lock, NULL);
    if (p->wake_fd >= 0 && thread_start(&p->thread, run, p))
        return p;
    err_set(err, ERR_FAILED, "no thread or descriptor for sending");
    if (p->wake_fd >= 0)
        close(p->wake_fd);
    free(p);
    return NULL;
}

struct publisher_count publisher_count(struct publisher *p)
{
    return (struct publisher_count){.connected = atomic_load(&p->connected),
                                    .confirmed = atomic_load(&p->confirmed),
                                    .outstanding = atomic_load(&p->outstanding)};
}

bool publisher_ended(struct publisher *p)
{
    return atomic_load(&p->ended);
}

static void interrupt(struct publisher *p)
{
    (void)!write(p->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
    pthread_mutex_lock(&p->lock);
    if (p->open && p->job.ops->interrupt)
        p->job.ops->interrupt(&p->broker);
    pthread_mutex_unlock(&p->lock);
}

void publisher_cancel(struct publisher *p)
{
    atomic_store(&p->cancelled, true);
    interrupt(p);
}

/* Where a socket takes no more the library would wait for a minute. */
static void give_up(struct publisher *p)
{
    atomic_store(&p->given_up, true);
    publisher_cancel(p);
}

void publisher_join(struct publisher **pp, struct publish_result *result)
{
    struct publisher *p = *pp;
    struct pollfd done = {.fd = p->done_fd, .events = POLLIN};
    *pp = NULL;
    if (!publisher_ended(p) && poll(&done, 1, LEAVE_MS) == 0)
        give_up(p);
    pthread_join(p->thread, NULL);
    *result = p->result;
    pthread_mutex_destroy(&p->lock);
    close(p->wake_fd);
    free(p);
}
