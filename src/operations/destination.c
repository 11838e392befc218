#include "operations/destination.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include <string.h>

#define OPEN_NS (10 * NS_PER_S)

struct destination {
    struct destination_job job;
    struct broker broker;
    struct endpoint endpoint;
    struct secret secret;
    atomic_bool cancelled, given_up;
    pthread_mutex_t lock; /* of open, against an interrupt while it closes */
    const char *fence;
    bool open;
    bool publishing;
    size_t pending;
};

static void on_notice(void *context, const char *text)
{
    const struct destination *d = context;
    if (d->job.notice)
        d->job.notice(d->job.context, text);
}

/* An answer that is none leaves the item as it is: the journal says INTENDED, and the destination is asked the next time. */
static void on_outcome(void *context, const struct publish_outcome *o)
{
    const struct destination *d = context;
    struct item *item = (struct item *)(uintptr_t)o->token;
    item->unsent = o->outcome == OUTCOME_UNSENT;
    if (o->outcome == OUTCOME_UNKNOWN || o->outcome == OUTCOME_UNSENT)
        return;
    item->answered = true;
    if (o->outcome == OUTCOME_CONFIRMED) {
        item->state = d->job.transaction ? DELIVERY_INTENDED : DELIVERY_ARRIVED; /* until it is committed */
        item->arrived = o->position;
    } else {
        const char *why = o->outcome == OUTCOME_RETURNED ? "no queue takes it" : "the broker refused it";
        item_say(item, DELIVERY_FAILED, "%s", o->err.text[0] ? o->err.text : why);
    }
}

static void set_open(struct destination *d, bool open)
{
    pthread_mutex_lock(&d->lock);
    d->open = open;
    pthread_mutex_unlock(&d->lock);
}

static enum err connect_broker(struct destination *d, int wake_fd, struct err_info *err)
{
    const struct broker_ops *ops = d->job.ops;
    enum err e = d->job.prepare ? d->job.prepare(d->job.context, d->job.endpoint, &d->secret, err) : ERR_OK;
    if (e)
        return e;
    d->endpoint = *d->job.endpoint;
    if (d->secret.text)
        d->endpoint.password = d->secret.text;
    d->broker = (struct broker){
        .ops = ops,
        .endpoint = &d->endpoint,
        .state = calloc(1, ops->state_size ? ops->state_size : 1),
        .cancelled = &d->cancelled,
        .given_up = &d->given_up,
        .wake_fd = wake_fd,
        .carries = ops->carries,
        .notice = on_notice,
        .notice_context = d,
        .deadline_ns = clock_mono_ns() + OPEN_NS,
    };
    if (!d->broker.state)
        return err_set(err, ERR_NOMEM, "no memory for a connection");
    set_open(d, true);
    e = ops->open(&d->broker, err);
    if (e == ERR_AUTH)
        secret_refused(&d->secret);
    return e;
}

struct destination *destination_open(const struct destination_job *job, int wake_fd, struct err_info *err)
{
    struct destination *d = calloc(1, sizeof *d);
    if (!d) {
        err_set(err, ERR_NOMEM, "no memory for an operation");
        return NULL;
    }
    d->job = *job;
    pthread_mutex_init(&d->lock, NULL);
    (void)!read(wake_fd, &(uint64_t){0}, sizeof(uint64_t)); /* what is past ends no wait */
    if (!connect_broker(d, wake_fd, err))
        return d;
    destination_close(&d);
    return NULL;
}

void destination_fence(struct destination *d, const char *fence)
{
    d->fence = fence;
}

void destination_close(struct destination **dp)
{
    struct destination *d = *dp;
    *dp = NULL;
    if (!d)
        return;
    if (d->publishing)
        d->job.ops->publish_close(&d->broker);
    set_open(d, false);
    if (d->broker.state)
        d->job.ops->close(&d->broker);
    free(d->broker.state);
    secret_clear(&d->secret);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

void destination_interrupt(struct destination *d)
{
    atomic_store(&d->cancelled, true);
    pthread_mutex_lock(&d->lock);
    if (d->open && d->job.ops->interrupt)
        d->job.ops->interrupt(&d->broker);
    pthread_mutex_unlock(&d->lock);
}

enum err destination_add(struct destination *d, const struct channel_name *to, uint32_t flags,
                         int32_t partitions, struct err_info *err)
{
    struct publish_sink sink = {.context = d, .outcome = on_outcome, .notice = on_notice};
    struct publish_request request = {.to = *to,
                                      .flags = flags,
                                      .partitions = partitions,
                                      .claim = d->job.claim,
                                      .transaction = d->job.transaction,
                                      .fence = d->fence};
    d->broker.deadline_ns = clock_mono_ns() + OPEN_NS;
    d->publishing = true; /* publish_close is due after a failed one, too */
    return d->job.ops->publish_open(&d->broker, &request, &sink, err);
}

enum err destination_put(struct destination *d, struct item *item, size_t to, const struct message *changed,
                         struct err_info *err)
{
    const struct message *m = changed ? changed : item->message;
    struct err_info why = {.code = ERR_OK};
    enum err e = message_check_whole(m, &why);
    if (!e)
        e = d->job.ops->publish(&d->broker, to, m, (uint64_t)(uintptr_t)item, &why);
    if (!e)
        return ERR_OK;
    /* Not of the connection: it is this message that cannot be sent. */
    if (err_policy(e) == ERR_POLICY_USER && e != ERR_CANCELLED) {
        item_say(item, DELIVERY_FAILED, "%s", why.text);
        item->answered = true;
        return ERR_OK;
    }
    if (err)
        *err = why;
    return e;
}

enum err destination_check(struct destination *d, size_t to, const struct message *m, struct err_info *err)
{
    enum err e = message_check_whole(m, err);
    return e ? e : d->job.ops->publish(&d->broker, to, m, 0, err);
}

enum err destination_step(struct destination *d, int timeout_ms, size_t *pending, struct err_info *err)
{
    *pending = 0;
    if (!d->publishing) /* nothing was opened yet */
        return ERR_OK;
    enum err e = d->job.ops->publish_step(&d->broker, timeout_ms, &d->pending, err);
    *pending = d->pending;
    return e;
}

enum err destination_commit(struct destination *d, const struct commit *commit, struct err_info *err)
{
    d->broker.deadline_ns = clock_mono_ns() + OPEN_NS;
    return d->job.ops->commit(&d->broker, commit, err);
}

struct broker *destination_broker(struct destination *d)
{
    return &d->broker;
}
