#include "operations/dedupe_look.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/thread.h"
#include "operations/preview.h"
#include "operations/source.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MEMORY (16 * MIB)
#define STEP   20000

struct dedupe_look {
    struct address channel;
    struct config *config;
    const struct registry *registry;
    struct dedupe_rule *rule;
    struct dedupe_job job;
    struct dedupe *dedupe;
    struct redactor *redactor; /* NULL: nothing is to be hidden */
    int fd, event_fd;
    atomic_bool cancelled;
    pthread_mutex_t lock;
    struct dedupe_look_status status;
    pthread_t thread;
};

static void release(struct dedupe_look *d)
{
    dedupe_free(&d->dedupe);
    dedupe_rule_free(&d->rule);
    redactor_free(&d->redactor);
    if (d->event_fd >= 0)
        close(d->event_fd);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

static void wake(const struct dedupe_look *d)
{
    (void)!write(d->fd, &(uint64_t){1}, sizeof(uint64_t));
}

static void on_notice(void *context, const char *text)
{
    struct dedupe_look *d = context;
    pthread_mutex_lock(&d->lock);
    text_copy(d->status.notice, sizeof d->status.notice, text);
    pthread_mutex_unlock(&d->lock);
}

static enum err prepare(void *context, const struct endpoint *endpoint, struct secret *into,
                        struct err_info *err)
{
    const struct dedupe_look *d = context;
    return config_prepare(d->config, endpoint, into, err);
}

/* ---- the thread ---- */

static enum err add_batch(struct dedupe_look *d, const struct batch *b, struct err_info *err)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < b->count && !e; i++) {
        struct dedupe_message m = {.m = b->items[i].message};
        m.shown = d->redactor ? redactor_apply(d->redactor, m.m) : m.m;
        e = dedupe_add(d->dedupe, &m, err);
    }
    pthread_mutex_lock(&d->lock);
    d->status.looked += (int64_t)b->count;
    pthread_mutex_unlock(&d->lock);
    wake(d);
    return e;
}

static enum err take_all(struct dedupe_look *d, struct source *s, struct err_info *err)
{
    enum err e = ERR_OK;
    while (!e && !atomic_load(&d->cancelled)) {
        struct batch *b = NULL;
        e = source_await(s, &b, err);
        if (!e && b) {
            e = add_batch(d, b, err);
            source_settle(s, b);
        }
    }
    return e == ERR_END ? ERR_OK : e;
}

static enum err read_all(struct dedupe_look *d, struct err_info *err)
{
    struct source_job job = {.ops = d->channel.endpoint->broker,
                             .endpoint = &d->channel.endpoint->endpoint,
                             .from = d->channel.channel,
                             .most = -1,
                             .start = {START_BEGINNING, 0},
                             .partition = -1,
                             .prepare = prepare,
                             .notice = on_notice,
                             .context = d};
    struct source *s = source_start(&job, d->event_fd, err);
    struct err_info later;
    int64_t returned;
    if (!s)
        return err->code;
    enum err e = take_all(d, s, err);
    if (e || atomic_load(&d->cancelled))
        source_cancel(s);
    enum err joined = source_join(&s, &returned, &later);
    if (e || !joined || atomic_load(&d->cancelled))
        return e;
    *err = later;
    return joined;
}

static enum err compare_all(struct dedupe_look *d, struct err_info *err)
{
    enum err e = ERR_OK;
    while (!e && !atomic_load(&d->cancelled)) {
        e = dedupe_step(d->dedupe, STEP, err);
        pthread_mutex_lock(&d->lock);
        d->status.compared = e == ERR_END ? 1 : dedupe_done(d->dedupe);
        pthread_mutex_unlock(&d->lock);
        wake(d);
    }
    return e == ERR_END ? ERR_OK : e;
}

static void count_stored(struct dedupe_look *d)
{
    struct operation_job job = {
        .from = {d->channel.endpoint->broker, &d->channel.endpoint->endpoint, d->channel.channel},
        .prepare = config_prepare,
        .context = d->config};
    int64_t ready, unacked;
    if (preview_count(&job, &job.from, &ready, &unacked, NULL))
        return;
    pthread_mutex_lock(&d->lock);
    d->status.stored = ready;
    pthread_mutex_unlock(&d->lock);
}

static void *run(void *context)
{
    struct dedupe_look *d = context;
    struct err_info err = {.code = ERR_OK};
    count_stored(d);
    enum err e = read_all(d, &err);
    if (!e)
        e = compare_all(d, &err);
    pthread_mutex_lock(&d->lock);
    d->status.ended = true;
    if (e)
        d->status.err = err;
    pthread_mutex_unlock(&d->lock);
    wake(d);
    return NULL;
}

/* ---- the screen's side ---- */

static bool make(struct dedupe_look *d, const char *by, struct err_info *err)
{
    d->rule = dedupe_rule_new(by, d->registry->decoders, err);
    if (!d->rule)
        return false;
    d->job = (struct dedupe_job){.rule = d->rule, .groups = DEDUPE_LOOK_GROUPS, .memory = MEMORY};
    d->dedupe = dedupe_new(&d->job, err);
    if (d->config->redaction && !(d->redactor = redactor_new(d->config->redaction)))
        err_set(err, ERR_NOMEM, "no memory to hide what `redact` names");
    else if (d->dedupe && d->event_fd < 0)
        err_set(err, ERR_FAILED, "no descriptor for a report of duplicates");
    else
        return d->dedupe;
    return false;
}

struct dedupe_look *dedupe_look_start(const struct address *channel, const char *by, struct config *config,
                                      const struct registry *registry, int fd, struct err_info *err)
{
    struct dedupe_look *d = calloc(1, sizeof *d);
    if (!d) {
        err_set(err, ERR_NOMEM, "no memory for a report of duplicates");
        return NULL;
    }
    d->channel = *channel;
    d->config = config;
    d->registry = registry;
    d->status.stored = COUNT_UNKNOWN;
    d->fd = fd;
    d->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&d->lock, NULL);
    bool made = make(d, by, err);
    if (made && thread_start(&d->thread, run, d))
        return d;
    if (made)
        err_set(err, ERR_FAILED, "no thread for a report of duplicates");
    release(d);
    return NULL;
}

void dedupe_look_status(struct dedupe_look *d, struct dedupe_look_status *into)
{
    pthread_mutex_lock(&d->lock);
    *into = d->status;
    pthread_mutex_unlock(&d->lock);
}

const struct dedupe *dedupe_look_report(const struct dedupe_look *d)
{
    return d->dedupe;
}

const struct dedupe_rule *dedupe_look_rule(const struct dedupe_look *d)
{
    return d->rule;
}

void dedupe_look_cancel(struct dedupe_look *d)
{
    atomic_store(&d->cancelled, true);
    (void)!write(d->event_fd, &(uint64_t){1}, sizeof(uint64_t));
}

bool dedupe_look_free(struct dedupe_look **dp, int64_t wait_ns)
{
    struct dedupe_look *d = *dp;
    struct dedupe_look_status s;
    int64_t until = clock_mono_ns() + wait_ns;
    if (!d)
        return true;
    for (dedupe_look_status(d, &s); !s.ended && clock_mono_ns() < until; dedupe_look_status(d, &s))
        poll(NULL, 0, 10);
    if (!s.ended)
        return false;
    pthread_join(d->thread, NULL);
    release(d);
    *dp = NULL;
    return true;
}
