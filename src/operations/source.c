#include "operations/source.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/thread.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define OPEN_NS    (10 * NS_PER_S)
#define STEP_MS    100
#define AHEAD_MOST 2 /* batches that wait to be taken */

struct list {
    struct batch *first, **last;
    size_t count;
};

struct source {
    struct source_job job;
    int event_fd, wake_fd;
    pthread_t thread;
    atomic_bool cancelled, given_up, stop, open;
    pthread_mutex_t lock; /* of what follows */
    struct list ready, to_settle, settled;
    size_t out; /* batches that were made, and not settled yet */
    bool ended; /* no more come */
    bool interruptible;
    struct err_info failure;
    /* the thread's own */
    struct broker broker;
    struct endpoint endpoint;
    struct secret secret;
    struct batch *filling;
    bool paused, at_end;
    uint64_t number;
    struct err_info full; /* no memory for a message */
    char held[160];
    int64_t returned;
};

static void push(struct list *l, struct batch *b)
{
    if (!l->first)
        l->last = &l->first;
    b->next = NULL;
    *l->last = b;
    l->last = &b->next;
    l->count++;
}

static struct batch *pop(struct list *l)
{
    struct batch *b = l->first;
    if (b) {
        l->first = b->next;
        l->count--;
    }
    return b;
}

static void free_list(struct list *l)
{
    for (struct batch *b; (b = pop(l));)
        batch_free(&b);
}

static void tell(const struct source *s)
{
    (void)!write(s->event_fd, &(uint64_t){1}, sizeof(uint64_t));
}

/* ---- on the thread ---- */

/* Hands on what is there; false: there is no room for more. */
static bool hand_on(struct source *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->filling && s->filling->count) {
        push(&s->ready, s->filling);
        s->out++;
        s->filling = NULL;
    }
    bool room = s->ready.count < AHEAD_MOST;
    pthread_mutex_unlock(&s->lock);
    tell(s);
    return room;
}

static enum emit take(struct source *s, const struct message *borrowed, uint64_t handle)
{
    if (!s->filling)
        s->filling = batch_new();
    struct message *m = s->filling ? message_seal(borrowed, &s->full) : NULL;
    if (!m) {
        if (!s->full.code)
            err_set(&s->full, ERR_NOMEM, "no memory for messages on their way");
        return EMIT_STOP;
    }
    s->filling->items[s->filling->count++] =
        (struct item){.message = m, .handle = handle, .state = DELIVERY_INTENDED};
    s->filling->bytes += m->footprint;
    if (!batch_is_full(s->filling) || hand_on(s))
        return EMIT_OK;
    s->paused = true;
    return EMIT_PAUSE;
}

static enum emit on_leased(void *context, const struct message *borrowed, uint64_t handle)
{
    return take(context, borrowed, handle);
}

static enum emit on_read(void *context, const struct message *borrowed)
{
    struct source *s = context;
    return take(s, borrowed, s->number++);
}

static void on_notice(void *context, const char *text)
{
    const struct source *s = context;
    if (s->job.notice)
        s->job.notice(s->job.context, text);
}

static enum err settle_items(struct source *s, const struct batch *b, struct err_info *err)
{
    enum err e = ERR_OK;
    bool removes = s->job.use != LEASE_KEEPS;
    for (size_t i = 0; !e && i < b->count; i++)
        e = s->job.ops->settle(&s->broker, b->items[i].handle,
                               removes && b->items[i].remove ? SETTLE_REMOVE : SETTLE_KEEP, err);
    return e;
}

/* Several at once: one answer of the broker is enough for all of them, but where each removal may cost it much. */
static enum err settle_all(struct source *s, struct err_info *err)
{
    pthread_mutex_lock(&s->lock);
    struct list given = s->to_settle;
    s->to_settle = (struct list){0};
    pthread_mutex_unlock(&s->lock);
    if (!given.first)
        return ERR_OK;
    enum err e = ERR_OK;
    for (const struct batch *b = given.first; s->job.lease && !e && b; b = b->next) {
        e = settle_items(s, b, err);
        if (!e && (!b->next || s->job.use != LEASE_REMOVES))
            e = s->job.ops->settle_sync(&s->broker, err);
    }
    pthread_mutex_lock(&s->lock);
    for (struct batch *b; (b = pop(&given));) {
        if (e) {
            batch_free(&b);
            continue;
        }
        s->out -= !b->part;
        push(&s->settled, b);
    }
    pthread_mutex_unlock(&s->lock);
    tell(s);
    return e;
}

static void pause_source(struct source *s, bool pause)
{
    s->paused = pause;
    if (s->job.lease)
        s->job.ops->lease_pause(&s->broker, pause);
    else
        s->job.ops->read_pause(&s->broker, pause);
}

static void go_on(struct source *s)
{
    pthread_mutex_lock(&s->lock);
    bool room = s->ready.count < AHEAD_MOST;
    pthread_mutex_unlock(&s->lock);
    if (s->paused && room)
        pause_source(s, false);
}

/* Its owner has nothing to do. */
static bool is_waited_for(struct source *s)
{
    pthread_mutex_lock(&s->lock);
    bool nothing = s->ready.count == 0;
    pthread_mutex_unlock(&s->lock);
    return nothing;
}

static enum err step(struct source *s, struct err_info *err)
{
    size_t before = s->filling ? s->filling->count : 0;
    bool was_paused = s->paused;
    int timeout = before && !s->paused && is_waited_for(s) ? 0 : STEP_MS;
    enum err e = s->job.lease ? s->job.ops->lease_step(&s->broker, timeout, err)
                              : s->job.ops->read_step(&s->broker, timeout, err);
    if (s->full.code && (!e || e == ERR_END)) {
        *err = s->full;
        return err->code;
    }
    if (s->paused && !was_paused)
        pause_source(s, true);
    if (s->filling && s->filling->count == before && is_waited_for(s)) /* nothing more for now */
        hand_on(s);
    return e;
}

static void set_ended(struct source *s)
{
    hand_on(s);
    pthread_mutex_lock(&s->lock);
    s->ended = true;
    pthread_mutex_unlock(&s->lock);
    tell(s);
}

static bool all_settled(struct source *s)
{
    pthread_mutex_lock(&s->lock);
    bool all = s->out == 0;
    pthread_mutex_unlock(&s->lock);
    return all;
}

/* At the end a lease is still served, for its heartbeats; what was read is only waited for. */
static enum err rest(struct source *s, struct err_info *err)
{
    if (s->job.lease) {
        enum err e = s->job.ops->lease_step(&s->broker, STEP_MS, err);
        if (e != ERR_END)
            return e;
    }
    struct pollfd p = {.fd = s->wake_fd, .events = POLLIN};
    poll(&p, 1, STEP_MS);
    return ERR_OK;
}

static void note_held(struct source *s)
{
    struct read_progress p = {.held = ""};
    if (s->job.lease || !s->job.ops->read_progress)
        return;
    s->job.ops->read_progress(&s->broker, &p);
    pthread_mutex_lock(&s->lock);
    text_copy(s->held, sizeof s->held, p.held);
    pthread_mutex_unlock(&s->lock);
}

static enum err work(struct source *s, struct err_info *err)
{
    enum err e = ERR_OK;
    while (!e && !atomic_load(&s->cancelled)) {
        bool end = s->at_end || atomic_load(&s->stop);
        if (end && !s->ended) {
            if (!s->at_end)
                pause_source(s, true);
            set_ended(s);
        }
        e = settle_all(s, err);
        if (e || (end && all_settled(s)))
            break;
        if (!end)
            go_on(s);
        e = end ? rest(s, err) : step(s, err);
        if (e == ERR_END && !end) {
            s->at_end = true;
            note_held(s);
            e = ERR_OK;
        }
        (void)!read(s->wake_fd, &(uint64_t){0}, sizeof(uint64_t));
    }
    return e ? e : atomic_load(&s->cancelled) ? err_set(err, ERR_CANCELLED, "cancelled") : ERR_OK;
}

static enum err open_channel(struct source *s, struct err_info *err)
{
    const struct source_job *j = &s->job;
    struct lease_sink lease = {s, on_leased, on_notice};
    struct read_sink reading = {.context = s, .message = on_read, .notice = on_notice};
    struct lease_request leased = {j->from, j->window, j->most, j->use};
    struct read_request read = {.mode = READ_BROWSE,
                                .channels = &j->from,
                                .channel_count = 1,
                                .start = j->start,
                                .partition = j->partition,
                                .resume = j->places,
                                .limit = j->most,
                                .flags = READ_HELD};
    return j->lease ? j->ops->lease_open(&s->broker, &leased, &lease, err)
                    : j->ops->read_open(&s->broker, &read, &reading, err);
}

static enum err close_channel(struct source *s, struct err_info *err)
{
    return s->job.lease ? s->job.ops->lease_close(&s->broker, &s->returned, err)
                        : s->job.ops->read_close(&s->broker, err);
}

static void set_interruptible(struct source *s, bool on)
{
    pthread_mutex_lock(&s->lock);
    s->interruptible = on;
    pthread_mutex_unlock(&s->lock);
}

static enum err connect_broker(struct source *s, struct err_info *err)
{
    enum err e = s->job.prepare ? s->job.prepare(s->job.context, s->job.endpoint, &s->secret, err) : ERR_OK;
    if (e)
        return e;
    s->endpoint = *s->job.endpoint;
    if (s->secret.text)
        s->endpoint.password = s->secret.text;
    s->broker = (struct broker){
        .ops = s->job.ops,
        .endpoint = &s->endpoint,
        .state = calloc(1, s->job.ops->state_size ? s->job.ops->state_size : 1),
        .cancelled = &s->cancelled,
        .given_up = &s->given_up,
        .wake_fd = s->wake_fd,
        .notice = on_notice,
        .notice_context = s,
        .deadline_ns = clock_mono_ns() + OPEN_NS,
    };
    if (!s->broker.state)
        return err_set(err, ERR_NOMEM, "no memory for a connection");
    set_interruptible(s, true);
    e = s->job.ops->open(&s->broker, err);
    if (e == ERR_AUTH)
        secret_refused(&s->secret);
    return e;
}

static void disconnect(struct source *s)
{
    set_interruptible(s, false);
    if (s->broker.state)
        s->job.ops->close(&s->broker);
    free(s->broker.state);
    secret_clear(&s->secret);
}

static void *run(void *context)
{
    struct source *s = context;
    struct err_info err = {.code = ERR_OK}, later = {.code = ERR_OK};
    enum err e = connect_broker(s, &err);
    if (!e) {
        e = open_channel(s, &err);
        atomic_store(&s->open, !e);
        if (!e)
            e = work(s, &err);
        enum err closed = close_channel(s, &later);
        if (!e && closed) {
            e = closed;
            err = later;
        }
    }
    disconnect(s);
    pthread_mutex_lock(&s->lock);
    err.code = e;
    s->failure = err;
    s->ended = true;
    pthread_mutex_unlock(&s->lock);
    tell(s);
    return NULL;
}

/* ---- for its owner ---- */

struct source *source_start(const struct source_job *job, int event_fd, struct err_info *err)
{
    struct source *s = calloc(1, sizeof *s);
    if (!s) {
        err_set(err, ERR_NOMEM, "no memory for an operation");
        return NULL;
    }
    s->job = *job;
    s->event_fd = event_fd;
    s->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&s->lock, NULL);
    if (s->wake_fd >= 0 && thread_start(&s->thread, run, s))
        return s;
    err_set(err, ERR_FAILED, "no thread or descriptor for an operation");
    if (s->wake_fd >= 0)
        close(s->wake_fd);
    free(s);
    return NULL;
}

static void wake(const struct source *s)
{
    (void)!write(s->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
}

enum err source_take(struct source *s, struct batch **batch, struct err_info *err)
{
    pthread_mutex_lock(&s->lock);
    bool failed = s->ended && s->failure.code;
    *batch = failed ? NULL : pop(&s->ready);
    enum err e = *batch ? ERR_OK : failed ? s->failure.code : s->ended ? ERR_END : ERR_BUSY;
    if (failed && err)
        *err = s->failure;
    pthread_mutex_unlock(&s->lock);
    if (*batch)
        wake(s);
    return e;
}

enum err source_await(struct source *s, struct batch **batch, struct err_info *err)
{
    for (struct batch *b; (b = source_settled(s));)
        batch_free(&b);
    enum err e = source_take(s, batch, err);
    if (e != ERR_BUSY)
        return e;
    struct pollfd p = {.fd = s->event_fd, .events = POLLIN};
    poll(&p, 1, STEP_MS);
    (void)!read(s->event_fd, &(uint64_t){0}, sizeof(uint64_t));
    return ERR_OK;
}

enum err source_failure(struct source *s, struct err_info *err)
{
    pthread_mutex_lock(&s->lock);
    enum err e = s->failure.code;
    if (e && err)
        *err = s->failure;
    pthread_mutex_unlock(&s->lock);
    return e;
}

bool source_is_open(struct source *s)
{
    return atomic_load(&s->open);
}

void source_settle(struct source *s, struct batch *batch)
{
    pthread_mutex_lock(&s->lock);
    push(&s->to_settle, batch);
    pthread_mutex_unlock(&s->lock);
    wake(s);
}

struct batch *source_settled(struct source *s)
{
    pthread_mutex_lock(&s->lock);
    struct batch *b = pop(&s->settled);
    pthread_mutex_unlock(&s->lock);
    return b;
}

void source_held(struct source *s, char *into, size_t size)
{
    pthread_mutex_lock(&s->lock);
    text_copy(into, size, s->held);
    pthread_mutex_unlock(&s->lock);
}

void source_stop(struct source *s)
{
    atomic_store(&s->stop, true);
    wake(s);
}

void source_cancel(struct source *s)
{
    atomic_store(&s->cancelled, true);
    wake(s);
    pthread_mutex_lock(&s->lock);
    if (s->interruptible && s->job.ops->interrupt)
        s->job.ops->interrupt(&s->broker);
    pthread_mutex_unlock(&s->lock);
}

enum err source_join(struct source **sp, int64_t *returned, struct err_info *err)
{
    struct source *s = *sp;
    *sp = NULL;
    pthread_join(s->thread, NULL);
    enum err e = s->failure.code;
    if (err)
        *err = s->failure;
    *returned = s->returned;
    free_list(&s->ready);
    free_list(&s->to_settle);
    free_list(&s->settled);
    batch_free(&s->filling);
    pthread_mutex_destroy(&s->lock);
    close(s->wake_fd);
    free(s);
    return e;
}
