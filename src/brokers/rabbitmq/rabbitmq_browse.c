/* Looking into a queue: message after message is taken, all are held, then all go back (rabbitmq_take.c). They are marked redelivered,
 * and invisible to consumers meanwhile: at most 10,000, at most a minute. */
#include "brokers/rabbitmq/rabbitmq_reader.h"

#include "base/text.h"

#include <poll.h>
#include <stdio.h>

#define HOLD_NS   (60 * NS_PER_S)
#define STEP_MOST 200

#define STATISTICS_NS (7 * NS_PER_S) /* collected every five seconds, and read a little later */

static enum err refuse(const struct broker *b, enum err code, const char *name, const char *why,
                       struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    err_set(err, code, "%s %s", name, why);
    err_where(err, "%s", b->endpoint->name);
    err_next(
        err,
        rabbit->lease
            ? "leave it to its consumers, or to a shovel: what is taken and left goes back, as with a look"
            : "tail it instead: a tap disturbs nobody");
    return code;
}

/* Quorum queues count returns towards their delivery limit: all of them up to 3.13, nack too up to 4.2. The default is 20
 * from 4.0 on, none before. */
static int64_t effective_limit(const struct rabbit *rabbit, const struct rabbit_channel *found)
{
    bool quorum = strcmp(found->type, "quorum") == 0;
    if (!quorum || found->delivery_limit >= 0)
        return quorum ? found->delivery_limit : -1;
    return rabbit->version[0] >= '4' && rabbit->version[1] == '.' ? 20 : -1;
}

/* The queue's type and limit must be known, since a quorum queue drops what was returned too often. */
static enum err refuse_unknown(const struct broker *b, const char *name, const char *why,
                               struct err_info *err)
{
    refuse(b, ERR_REFUSED, name, why, err);
    err_next(err, "say where the management API is, which tells: ?management=URL");
    return ERR_REFUSED;
}

static enum err check_kind(const struct broker *b, const char *name, const struct rabbit_channel *found,
                           struct err_info *err)
{
    bool quorum = strcmp(found->type, "quorum") == 0;
    if (found->exclusive)
        return refuse(b, ERR_UNSUPPORTED, name, "belongs to another connection alone", err);
    if (!found->type[0])
        return refuse_unknown(b, name,
                              "may be a quorum queue with a delivery limit, and looking counts: messages "
                              "could be lost",
                              err);
    if (quorum && found->by_amqp)
        return refuse_unknown(b, name,
                              "is a quorum queue, and its delivery limit is not known: looking counts, and "
                              "messages could be lost",
                              err);
    if (quorum && found->single_active)
        return refuse(b, ERR_UNSUPPORTED, name,
                      "is a quorum queue with a single active consumer: it gives nothing to lookers", err);
    if (quorum && found->limit_unknown) {
        refuse(b, ERR_REFUSED, name,
               "is a quorum queue, and the policies that may limit its deliveries cannot be read: looking "
               "counts, and messages could be lost",
               err);
        err_next(err, "ask for the tag `policymaker` or `monitoring`; or tail it: a tap disturbs nobody");
        return ERR_REFUSED;
    }
    return ERR_OK;
}

/* A hundred returns in a few seconds nobody makes by hand; a consumer that fails does. */
static bool may_be_near(int64_t limit, const struct rabbit_channel *now)
{
    bool far = now->consumers == 0 && limit - now->redelivered > 100;
    return limit >= 3 && now->redelivered != COUNT_UNKNOWN && !far;
}

/* What happened in the last seconds is in no statistics yet: it is waited for, and `now` told. */
static enum err await_statistics(struct broker *b, const char *name, const char *why,
                                 struct rabbit_channel *now, struct err_info *err)
{
    const struct channel_name queue = {CHANNEL_QUEUE, name};
    const struct rabbit *rabbit = b->state;
    struct rabbit_channel fresh = {.depth = COUNT_UNKNOWN};
    int64_t until = clock_mono_ns() + STATISTICS_NS;
    rabbit->reader->sink.notice(rabbit->reader->sink.context, why);
    b->deadline_ns += b->deadline_ns < INT64_MAX - STATISTICS_NS ? STATISTICS_NS : 0;
    while (clock_mono_ns() < until && !atomic_load(b->cancelled))
        poll(NULL, 0, 50);
    if (atomic_load(b->cancelled))
        return err_set(err, ERR_CANCELLED, "cancelled");
    enum err e = rabbit_find(b, &queue, &fresh, err);
    if (e)
        return e;
    now->redelivered = fresh.redelivered;
    now->depth = fresh.depth;
    now->unacked = fresh.unacked;
    return ERR_OK;
}

/* A look that was killed: its messages come back one by one, and whoever looks meanwhile gets them in another order. Somebody's
 * returns of the last seconds, where one more could lose the message. */
static enum err await_quiet(struct broker *b, const char *name, struct rabbit_channel *now,
                            struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    int64_t limit = rabbit->reader->delivery_limit;
    bool cut_off = rabbit->reader->quorum && rabbit_looks_cut_off(b, name);
    enum err e = ERR_OK;
    if (cut_off)
        e = await_statistics(
            b, name,
            "an earlier look goes on or was cut off: waiting 7 s, until the broker has counted "
            "what came back",
            now, err);
    if (!e)
        e = rabbit_await(b, name, now, err);
    if (e || cut_off || !may_be_near(limit, now))
        return e;
    e = await_statistics(
        b, name, "the queue has a delivery limit: waiting 7 s, until the broker has counted all returns", now,
        err);
    if (!e)
        e = rabbit_await(b, name, now, err); /* which counts by the message */
    return e;
}

static enum err refuse_near(const struct broker *b, const char *name, struct err_info *err)
{
    return refuse(b, ERR_REFUSED, name,
                  "may hold messages near its delivery limit, and looking counts: they could be lost", err);
}

/* What no waiting changes: returns only become more. */
static enum err check_certain(const struct broker *b, const char *name, const struct rabbit_channel *found,
                              struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    int64_t limit = rabbit->reader->delivery_limit;
    if (limit >= 0 && limit < 3)
        return refuse(b, ERR_REFUSED, name,
                      "has a delivery limit below 3, and looking counts: messages could be lost", err);
    bool near = limit >= 0 && found->redelivered != COUNT_UNKNOWN && rabbit_looks_are_up(b, name, found);
    return near ? refuse_near(b, name, err) : ERR_OK;
}

static enum err check_limit(struct broker *b, const char *name, const struct rabbit_channel *found,
                            struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    int64_t limit = rabbit->reader->delivery_limit;
    if (found->depth == 0) /* nothing will be taken, and nothing is to be written down */
        return ERR_OK;
    if (limit >= 0 && found->redelivered == COUNT_UNKNOWN) {
        refuse(b, ERR_REFUSED, name,
               "has a delivery limit, and messages that the statistics do not know, from before the broker's "
               "restart or dead-lettered: how often they were returned is not known, and looking counts",
               err);
        err_next(err, "if they were sent just now try again in some seconds; else take the limit out of its "
                      "policy while you look, or move them to a queue without a limit by a shovel");
        return ERR_REFUSED;
    }
    enum err e = rabbit->reader->quorum ? rabbit_looks_begin(b, name, found, err) : ERR_OK;
    return e == ERR_REFUSED ? refuse_near(b, name, err) : e;
}

static void say_who_is_there(struct rabbit_reader *r, const struct rabbit_channel *found)
{
    char text[200];
    if (found->consumers > 0)
        r->sink.notice(r->sink.context,
                       "the queue has consumers: while this looks, they do not see the messages it holds");
    snprintf(text, sizeof text,
             "%lld of %lld messages are with consumers or on their way back: they are not looked at",
             (long long)found->unacked, (long long)(found->unacked + found->depth));
    if (found->unacked > 0)
        r->sink.notice(r->sink.context, text);
}

static void set_total(struct rabbit_reader *r, const struct rabbit_channel *now)
{
    r->snapshot = now->depth;
    r->away = now->unacked;
    r->progress.total = now->depth < 0 ? COUNT_UNKNOWN : now->depth + (now->unacked > 0 ? now->unacked : 0);
}

enum err rabbit_look_begin(struct broker *b, const char *name, struct rabbit_channel *found,
                           struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    enum err e = check_kind(b, name, found, err);
    if (e)
        return e;
    r->quorum = strcmp(found->type, "quorum") == 0;
    r->delivery_limit = effective_limit(rabbit, found);
    e = check_certain(b, name, found, err);
    if (!e && r->delivery_limit >= 0 && found->depth != 0) /* said before a wait */
        e = rabbit_looks_check(b, err);
    if (!e)
        e = await_quiet(b, name, found, err);
    set_total(r, found);
    text_copy(r->queue, sizeof r->queue, name);
    return e ? e : check_limit(b, name, found, err);
}

enum err rabbit_browse_open(struct broker *b, const struct channel_name *name,
                            const struct rabbit_channel *found, const struct read_request *request,
                            struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    struct rabbit_channel now = *found;
    if (request->channel_count > 1)
        return err_set(err, ERR_USAGE, "one queue at a time can be looked into");
    enum err e = rabbit_look_begin(b, name->name, &now, err);
    if (e)
        return e;
    r->mode = RABBIT_LOOK;
    r->progress.most = RABBIT_HOLD_MOST;
    if (!rabbit_source_add(b, name->name, CHANNEL_QUEUE))
        return err_set(err, ERR_LIMIT, "too many channels for one session");
    r->give_back_ns = clock_mono_ns() + HOLD_NS;
    say_who_is_there(r, &now);
    return ERR_OK;
}

/* What was seen and what has become of it. */
static void say_account(const struct rabbit_reader *r, char *into, size_t size)
{
    char seen[40], total[40], apart[60] = "", went[80] = "", back[60] = "all returned";
    text_count(seen, sizeof seen, (uint64_t)r->progress.scanned);
    text_count(total, sizeof total, (uint64_t)r->progress.total);
    if (r->away > 0)
        snprintf(apart, sizeof apart, " (%lld elsewhere)", (long long)r->away);
    int64_t gone = r->empty ? r->snapshot - r->held : 0;
    if (gone > 0)
        snprintf(went, sizeof went, ", %lld expired or %s taken meanwhile", (long long)gone,
                 gone == 1 ? "was" : "were");
    if (r->missing > 0)
        snprintf(back, sizeof back, "%lld not yet back", (long long)r->missing);
    snprintf(into, size, "looked at %s of %s%s%s, %s", seen, total, apart, went, back);
}

/* The look is over before the last of them are back: where they will be seen. */
static void say_missing(const struct rabbit_reader *r)
{
    char text[400];
    snprintf(
        text, sizeof text,
        "%lld message%s of %s not yet back: the queue's backlog (dashboard, `signalbox ls`) counts them as they come",
        (long long)r->missing, r->missing == 1 ? "" : "s", r->queue);
    if (r->missing > 0)
        r->sink.notice(r->sink.context, text);
}

/* The end of a look, once all are back. */
static enum err done(struct broker *b, const char *why, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    char account[240];
    enum err e = rabbit_give_back(b, err);
    if (e)
        return e;
    say_account(r, account, sizeof account);
    say_missing(r);
    return rabbit_finish(r, "%s: %s", why, account);
}

/* The look's own bounds end it, with messages left. */
static enum err break_off(struct broker *b, const char *why, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    rabbit->reader->progress.incomplete = true;
    return done(b, why, err);
}

/* A classic queue counts ahead of what other channels have sent it by then (its process answers such questions first), and gives a
 * message only behind that: so what it counts after the first one leaves nothing out that was sent before the look. */
static enum err count_again(struct broker *b, struct rabbit_reader *r, struct err_info *err)
{
    int64_t ready = 0, consumers;
    if (r->quorum || r->held != 1)
        return ERR_OK;
    enum err e = rabbit_ready(b, r->queue, &ready, &consumers, err);
    int64_t more = e ? 0 : ready + r->held - r->snapshot;
    if (more <= 0)
        return e;
    r->snapshot += more;
    r->progress.total += r->progress.total >= 0 ? more : 0;
    return ERR_OK;
}

static enum err look_at(struct broker *b, struct rabbit_reader *r, struct rabbit_delivery *d,
                        struct err_info *err)
{
    struct message m = {.origin = r->sources[0].origin, .flags = d->redelivered ? MESSAGE_REDELIVERED : 0};
    arena_reset(&r->arena);
    rabbit_message(&m, d, &r->arena);
    r->progress.scanned++;
    bool near = r->quorum && rabbit_looks_saw(r, rabbit_delivery_count(&m), d->redelivered);
    rabbit_emit(r, &m);
    rabbit_delivery_free(d);
    return near ? break_off(b, "a message is close to its delivery limit", err) : count_again(b, r, err);
}

enum err rabbit_browse_step(struct broker *b, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    bool taken = true;
    for (int n = 0; n < STEP_MOST && taken && !r->paused && !atomic_load(b->cancelled); n++) {
        struct rabbit_delivery d;
        if (r->stopped || r->left <= 0)
            return done(b, "the limit was reached", err);
        if (r->empty || (r->held >= r->snapshot && (r->quorum || r->held > 0)))
            return done(b, "the end as it stood at the start was reached", err);
        if (r->held >= RABBIT_HOLD_MOST)
            return break_off(b, "10,000 messages are held at most", err);
        if (clock_mono_ns() >= r->give_back_ns)
            return break_off(b, "messages are held a minute at most", err);
        enum err e = rabbit_take(b, &d, &taken, err);
        if (!e && taken)
            e = look_at(b, r, &d, err);
        if (e)
            return e;
    }
    return ERR_OK;
}

/* A look that did not come to its end. */
static void say_cut_off(const struct rabbit_reader *r)
{
    char account[240], text[300];
    say_account(r, account, sizeof account);
    snprintf(text, sizeof text, "%s%s", account,
             r->missing > 0 ? ": the broker goes on taking them back" : "");
    r->sink.notice(r->sink.context, text);
}

enum err rabbit_browse_close(struct broker *b, struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    const struct rabbit_reader *r = rabbit->reader;
    if (r->mode != RABBIT_LOOK)
        return ERR_OK;
    bool cut_off = !r->back && r->held > 0;
    enum err e = rabbit_give_back(b, err);
    if (r->looks.begun)
        rabbit_looks_end(b, r->wanted == r->progress.scanned && r->held >= r->snapshot, r->missing == 0);
    if (!cut_off || (e && e != ERR_CLOSED))
        return e;
    say_cut_off(r); /* with a lost connection, too: whatever is not back comes back by itself */
    return ERR_OK;
}
