/* DESIGN. The worker is a loop of three states: connect, do the job, wait. What other threads want of it is a handful of
 * flags behind one mutex and one eventfd, which the driver polls beside its socket; there is no command queue because no
 * command needs an order. A driver that is busy is poked by its interrupt hook. */
#include "engine/session.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "engine/gap.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/poll.h>
#include <sys/random.h>
#include <unistd.h>

#define BACKOFF_FIRST_NS (NS_PER_S / 2)
#define BACKOFF_MOST_NS  (30 * NS_PER_S)
#define READ_BACKOFF_NS  (4 * NS_PER_S) /* at most: what a tap misses is lost */
#define OPEN_TIMEOUT_NS  (10 * NS_PER_S)
#define LEAVE_NS \
 (3 * NS_PER_S / 2) /* for a cancelled job to undo what it did; then its connection is ended */
#define JOIN_TIMEOUT_NS   (5 * NS_PER_S)
#define STABLE_AFTER_NS   (10 * NS_PER_S) /* a connection that lived so long starts the back-off anew */
#define STEP_MS           (-1) /* of a step with nothing to do: heartbeats are the driver's business */
#define PROGRESS_EVERY_NS (200 * NS_PER_MS)

struct session {
    /* set before the thread starts, constant afterwards */
    const struct broker_ops *ops;
    const struct endpoint *endpoint;
    struct job job;
    struct session_sink sink;
    pthread_t thread;

    /* any thread */
    atomic_bool cancelled, given_up, resumed, refresh;
    int wake_fd;
    pthread_mutex_t lock; /* guards interrupting a broker that is being closed */
    bool interruptible;
    bool ended; /* under lock; ended_cond tells session_join */
    pthread_cond_t ended_cond;

    /* worker only */
    struct broker broker;
    struct endpoint own; /* what the broker sees: the endpoint with the password of this connection */
    struct secret secret;
    bool no_password;          /* it could not be had */
    struct redactor *redactor; /* NULL: nothing is hidden */
    struct session_status status;
    bool paused;
    bool stop_emitted;
    uint64_t emitted;          /* since the last idle */
    struct read_places places; /* of a tail whose connection was lost */
    int64_t backoff_ns;
    int64_t progress_at_ns;
};

/* ---- telling ---- */

static void tell_status(struct session *s)
{
    if (s->sink.status)
        s->sink.status(s->sink.context, &s->status);
}

static void enter(struct session *s, enum session_state state, const struct err_info *err)
{
    s->status.state = state;
    s->status.since_ns = clock_wall_ns();
    s->status.err = err ? *err : (struct err_info){.code = ERR_OK};
    tell_status(s);
}

static void flush_idle(struct session *s)
{
    if (s->emitted && s->sink.idle)
        (void)s->sink.idle(s->sink.context); /* without room it asks to be resumed */
    s->emitted = 0;
}

static enum emit on_message(void *context, const struct message *m)
{
    struct session *s = context;
    s->emitted++;
    enum emit e = s->sink.message(s->sink.context, s->redactor ? redactor_apply(s->redactor, m) : m);
    s->paused = e == EMIT_PAUSE;
    s->stop_emitted |= e == EMIT_STOP;
    return e;
}

static void on_notice(void *context, const char *text)
{
    struct session *s = context;
    log_write(LOG_INFO, s->endpoint->name, "%s", text);
    if (s->sink.notice)
        s->sink.notice(s->sink.context, text);
}

/* ---- waking ---- */

static void wake(struct session *s)
{
    (void)!write(s->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
}

static void poke(struct session *s)
{
    wake(s);
    pthread_mutex_lock(&s->lock);
    if (s->interruptible && s->ops->interrupt)
        s->ops->interrupt(&s->broker);
    pthread_mutex_unlock(&s->lock);
}

static void drain_wake(struct session *s)
{
    (void)!read(s->wake_fd, &(uint64_t){0}, sizeof(uint64_t));
}

static void set_interruptible(struct session *s, bool on)
{
    pthread_mutex_lock(&s->lock);
    s->interruptible = on;
    pthread_mutex_unlock(&s->lock);
}

/* Waits until the monotonic deadline, a cancel or a refresh. */
static void wait_until(struct session *s, int64_t deadline_ns)
{
    while (!atomic_load(&s->cancelled) && !atomic_load(&s->refresh) && clock_mono_ns() < deadline_ns) {
        struct pollfd p = {.fd = s->wake_fd, .events = POLLIN};
        poll(&p, 1, clock_poll_ms(deadline_ns));
        drain_wake(s);
    }
}

/* ---- connecting ---- */

static int64_t deadline_of(const struct job *job)
{
    return clock_mono_ns() + (job->timeout_ns > 0 ? job->timeout_ns : OPEN_TIMEOUT_NS);
}

static enum err find_password(struct session *s, struct err_info *err)
{
    enum err e = ERR_OK;
    s->own = *s->endpoint;
    if (s->job.prepare)
        e = s->job.prepare(s->job.prepare_context, s->endpoint, &s->secret, err);
    if (s->secret.text)
        s->own.password = s->secret.text;
    s->no_password = e != ERR_OK;
    return e;
}

static enum err connect_broker(struct session *s, struct err_info *err)
{
    s->status.generation++;
    enter(s, SESSION_CONNECTING, NULL);
    enum err e = find_password(s, err);
    if (e)
        return e;
    s->broker = (struct broker){
        .ops = s->ops,
        .endpoint = &s->own,
        .cancelled = &s->cancelled,
        .given_up = &s->given_up,
        .wake_fd = s->wake_fd,
        .notice = on_notice,
        .notice_context = s,
        .deadline_ns = deadline_of(&s->job),
    };
    s->broker.state = calloc(1, s->ops->state_size ? s->ops->state_size : 1);
    if (!s->broker.state)
        return err_set(err, ERR_NOMEM, "no memory for a connection");
    set_interruptible(s, true);
    return s->ops->open(&s->broker, err);
}

static void disconnect_broker(struct session *s)
{
    set_interruptible(s, false);
    if (s->broker.state)
        s->ops->close(&s->broker);
    free(s->broker.state);
    s->broker.state = NULL;
}

/* ---- the reading job ---- */

/* The sink goes first: what it held back for want of room must be on its way before the source may bring more. */
static void follow_pause(struct session *s)
{
    if (!atomic_exchange(&s->resumed, false))
        return;
    if (s->sink.idle && !s->sink.idle(s->sink.context))
        return;
    s->emitted = 0;
    if (s->paused) {
        s->paused = false;
        s->ops->read_pause(&s->broker, false);
    }
}

static void report_progress(struct session *s, bool now)
{
    int64_t mono = clock_mono_ns();
    if (!s->ops->read_progress || (!now && mono < s->progress_at_ns))
        return;
    s->progress_at_ns = mono + PROGRESS_EVERY_NS;
    struct read_progress before = s->status.progress;
    s->ops->read_progress(&s->broker, &s->status.progress);
    if (now || before.scanned != s->status.progress.scanned || before.dropped != s->status.progress.dropped)
        tell_status(s);
}

static enum err read_loop(struct session *s, struct err_info *err)
{
    enum err e = ERR_OK;
    while (!e && !atomic_load(&s->cancelled)) {
        uint64_t before = s->emitted;
        bool was_paused = s->paused;
        /* After messages look once without waiting: only a source with nothing more at hand is idle. */
        e = s->ops->read_step(&s->broker, before ? 0 : STEP_MS, err);
        if (s->paused && !was_paused)
            s->ops->read_pause(&s->broker, true);
        drain_wake(s);
        follow_pause(s);
        report_progress(s, false);
        if (s->emitted == before || s->paused)
            flush_idle(s);
    }
    flush_idle(s);
    return e ? e : err_set(err, ERR_CANCELLED, "cancelled");
}

static void keep_places(struct session *s)
{
    struct read_places places = {0};
    if (s->job.read.mode == READ_TAP && s->ops->read_places)
        s->ops->read_places(&s->broker, &places);
    if (!places.count) {
        free(places.items);
        return;
    }
    free(s->places.items);
    s->places = places;
}

/* The driver may find out only when it opens. */
static bool opened_anew(struct session *s, const struct read_request *request)
{
    struct read_places places = {0};
    if (!request->resume)
        return false;
    s->ops->read_places(&s->broker, &places);
    bool anew = gap_any_anew(&places);
    free(places.items);
    return anew;
}

/* From opening to closing, on one connection. */
static enum err read_once(struct session *s, struct err_info *err)
{
    struct read_sink sink = {.context = s, .message = on_message, .notice = on_notice};
    struct read_request request = s->job.read;
    request.resume = s->places.count ? &s->places : NULL;
    s->paused = false;
    s->status.gap = gap_of(&request);
    enum err e = s->ops->read_open(&s->broker, &request, &sink, err);
    if (!e) {
        if (s->status.gap == GAP_NONE && opened_anew(s, &request))
            s->status.gap = GAP_ANEW;
        enter(s, SESSION_UP, NULL);
        s->status.was_up = true;
        e = read_loop(s, err);
    }
    if (s->status.state == SESSION_UP || !s->status.was_up)
        report_progress(s, true); /* of a refused look, too: how much there is */
    if (s->status.state == SESSION_UP)
        keep_places(s);
    struct err_info close_err = {.code = ERR_OK};
    if (s->ops->read_close(&s->broker, &close_err)) {
        char text[600];
        on_notice(s, err_format(&close_err, text, sizeof text));
    }
    return e;
}

/* A channel that has become another one is read anew, at the places where it stood. */
static enum err run_read(struct session *s, struct err_info *err)
{
    enum err e = read_once(s, err);
    while (e == ERR_CHANGED && s->job.reconnect && !atomic_load(&s->cancelled)) {
        s->broker.deadline_ns = deadline_of(&s->job);
        e = read_once(s, err);
    }
    return e;
}

/* ---- the watching job ---- */

static enum err watch_once(struct session *s, struct err_info *err)
{
    s->broker.deadline_ns = deadline_of(&s->job);
    struct sample sample = {.health = HEALTH_UP, .certificate_expires_ns = TIME_NONE};
    phases_init(&sample.phases);
    int64_t start = clock_mono_ns();
    enum err e = s->ops->ping(&s->broker, &sample, err);
    if (e)
        return e;
    sample.phases.total = clock_mono_ns() - start;
    sample.time_ns = clock_wall_ns();
    if (s->sink.sampled)
        s->sink.sampled(s->sink.context, &sample);
    struct channel_list *list = channel_list_new();
    if (!list)
        return err_set(err, ERR_NOMEM, "no memory for a list of channels");
    e = s->ops->list(&s->broker, s->job.pattern, s->job.list_flags, list, err);
    if (!e && s->sink.listed) {
        endpoint_mark_dead_letters(s->endpoint, list);
        channel_list_sort(list);
        s->sink.listed(s->sink.context, list);
    } else {
        channel_list_free(&list);
    }
    return e;
}

static enum err rest_until(struct session *s, int64_t deadline_ns, struct err_info *err)
{
    enum err e = ERR_OK;
    if (!s->ops->rest)
        wait_until(s, deadline_ns);
    while (s->ops->rest && !e && !atomic_load(&s->cancelled) && !atomic_load(&s->refresh) &&
           clock_mono_ns() < deadline_ns) {
        e = s->ops->rest(&s->broker, clock_poll_ms(deadline_ns), err);
        drain_wake(s);
    }
    return e;
}

static enum err run_watch(struct session *s, struct err_info *err)
{
    enter(s, SESSION_UP, NULL);
    while (!atomic_load(&s->cancelled)) {
        int64_t next = clock_mono_ns() + s->job.every_ns;
        atomic_store(&s->refresh, false);
        enum err e = watch_once(s, err);
        if (!e)
            e = rest_until(s, next, err);
        if (e)
            return e;
    }
    return err_set(err, ERR_CANCELLED, "cancelled");
}

/* A watching session is its broker's probe: a failed connection or listing is a sample too. */
static void sample_failure(struct session *s, const struct err_info *err)
{
    if (s->job.kind != JOB_WATCH || !s->sink.sampled || err->code == ERR_CANCELLED)
        return;
    struct sample sample = {.health = HEALTH_DOWN,
                            .error = err->code,
                            .time_ns = clock_wall_ns(),
                            .certificate_expires_ns = TIME_NONE};
    phases_init(&sample.phases);
    memcpy(sample.reason, err->text, sizeof sample.reason - 1);
    memcpy(sample.code, err_name(err->code), strnlen(err_name(err->code), sizeof sample.code - 1));
    s->sink.sampled(s->sink.context, &sample);
}

/* ---- the worker ---- */

static int64_t jittered(int64_t ns)
{
    uint32_t r = 0;
    (void)!getrandom(&r, sizeof r, GRND_NONBLOCK);
    return ns * 3 / 4 + (int64_t)((double)ns / 2 * r / UINT32_MAX);
}

static void back_off(struct session *s, const struct err_info *err, int64_t lived_ns)
{
    if (lived_ns > STABLE_AFTER_NS || s->backoff_ns == 0)
        s->backoff_ns = BACKOFF_FIRST_NS;
    int64_t pause = jittered(s->backoff_ns),
            most = s->job.kind == JOB_READ ? READ_BACKOFF_NS : BACKOFF_MOST_NS;
    s->status.retry_at_ns = clock_wall_ns() + pause;
    atomic_store(&s->refresh, false); /* first: whoever is told of the pause may end it at once */
    enter(s, SESSION_BACKOFF, err);
    wait_until(s, clock_mono_ns() + pause);
    s->backoff_ns = s->backoff_ns * 2 < most ? s->backoff_ns * 2 : most;
}

/* The watching console never gives up: what an operator mends (a password, a permission) is seen at the next try. */
static bool goes_on(const struct session *s, enum err e)
{
    if (!s->job.reconnect || atomic_load(&s->cancelled) || e == ERR_END || s->stop_emitted)
        return false;
    if (e == ERR_NOTFOUND && s->status.was_up) /* what was there once may come back */
        return true;
    /* A password was changed: the new one is fetched as soon as it can be had. */
    if (s->status.was_up && (s->no_password || (e == ERR_AUTH && s->secret.of)))
        return true;
    return err_policy(e) == ERR_POLICY_RETRY || s->job.kind == JOB_WATCH;
}

static void end_worker(struct session *s)
{
    pthread_mutex_lock(&s->lock);
    s->ended = true;
    pthread_cond_broadcast(&s->ended_cond);
    pthread_mutex_unlock(&s->lock);
}

static void *worker(void *context)
{
    struct session *s = context;
    for (;;) {
        struct err_info err = {.code = ERR_OK};
        int64_t start = clock_mono_ns();
        enum err e = connect_broker(s, &err);
        if (!e)
            e = s->job.kind == JOB_READ ? run_read(s, &err) : run_watch(s, &err);
        err.code = e;
        if (atomic_load(&s->cancelled))
            err.code = e = ERR_CANCELLED;
        if (e == ERR_AUTH)
            secret_refused(&s->secret);
        sample_failure(s, &err);
        disconnect_broker(s);
        if (!goes_on(s, e)) {
            enter(s, SESSION_ENDED, &err);
            break;
        }
        back_off(s, &err, clock_mono_ns() - start);
    }
    end_worker(s);
    return NULL;
}

static void session_free(struct session *s)
{
    if (s->wake_fd >= 0)
        close(s->wake_fd);
    redactor_free(&s->redactor);
    secret_clear(&s->secret);
    free(s->places.items);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->ended_cond);
    free(s);
}

struct session *session_start(const struct broker_ops *ops, const struct endpoint *endpoint,
                              const struct job *job, const struct session_sink *sink, struct err_info *err)
{
    if (job->kind == JOB_READ && !ops->read_open) {
        err_set(err, ERR_UNSUPPORTED, "%s gives signalbox no messages", ops->title);
        return NULL;
    }
    struct session *s = calloc(1, sizeof *s);
    if (!s) {
        err_set(err, ERR_NOMEM, "no memory for a session");
        return NULL;
    }
    s->ops = ops;
    s->endpoint = endpoint;
    s->job = *job;
    s->sink = *sink;
    s->status.progress.total = COUNT_UNKNOWN;
    pthread_mutex_init(&s->lock, NULL);
    thread_cond_init(&s->ended_cond);
    s->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (job->redaction)
        s->redactor = redactor_new(job->redaction);
    if (s->wake_fd < 0 || (job->redaction && !s->redactor) || !thread_start(&s->thread, worker, s)) {
        err_set(err, ERR_FAILED, "no thread, memory or descriptor for a session with %s", endpoint->name);
        session_free(s);
        return NULL;
    }
    return s;
}

void session_resume(struct session *s)
{
    atomic_store(&s->resumed, true);
    poke(s);
}

void session_refresh(struct session *s)
{
    atomic_store(&s->refresh, true);
    wake(s);
}

void session_cancel(struct session *s)
{
    atomic_store(&s->cancelled, true);
    poke(s);
    pthread_mutex_lock(&s->lock);
    pthread_cond_broadcast(&s->ended_cond); /* from here on a join has a deadline */
    pthread_mutex_unlock(&s->lock);
}

static bool ends_within(struct session *s, int64_t span_ns)
{
    int64_t late = clock_mono_ns() + span_ns;
    pthread_mutex_lock(&s->lock);
    while (!s->ended && clock_mono_ns() < late)
        thread_cond_wait_until(&s->ended_cond, &s->lock, late);
    bool ended = s->ended;
    pthread_mutex_unlock(&s->lock);
    return ended;
}

/* A job that ends by itself is waited for as long as it takes; a cancelled one may only be late by so much. */
static bool wait_ended(struct session *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->ended && !atomic_load(&s->cancelled))
        pthread_cond_wait(&s->ended_cond, &s->lock);
    pthread_mutex_unlock(&s->lock);
    if (ends_within(s, LEAVE_NS))
        return true;
    atomic_store(&s->given_up, true);
    poke(s);
    return ends_within(s, JOIN_TIMEOUT_NS - LEAVE_NS);
}

bool session_join(struct session **sp)
{
    struct session *s = *sp;
    *sp = NULL;
    if (!s)
        return true;
    if (!wait_ended(s)) {
        log_write(LOG_WARN, s->endpoint->name,
                  "the client library does not return: its connection is left behind");
        pthread_detach(s->thread);
        return false;
    }
    pthread_join(s->thread, NULL);
    session_free(s);
    return true;
}
