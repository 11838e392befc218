/* Messages out of a queue and back into it, in their order. What keeps it, tried on 3.10.8:
 *
 * - Classic queue: basic.get of one after the other, then the end of their channel. (One basic.nack of all goes back in the same order,
 *   and takes half a minute for 10,000, in which the queue is deaf: it goes over what it has handed out for each.) Never a
 *   consumer: an auto-delete queue goes with its last one.
 * - Quorum queue: basic.get makes a consumer a message, and more than 32 of those come back in the order of a hash. basic.nack, in
 *   whatever portions, puts messages at the queue's end (no delivery limit) or mixes them (more than 32). What keeps the order is
 *   consumers of our own and closing their channel: what they hold goes back in the order of their tags and deliveries, into a
 *   list of returned messages that stands before all others. That list is filled from behind: a look must not end within it, so it
 *   takes on until a message comes that was never returned.
 *
 * A return counts towards the delivery limit either way. The broker takes messages back in its own time: a depth that is asked for
 * soon after is too low. */
#include "brokers/rabbitmq/rabbitmq_reader.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/poll.h>

#define PORTION       500 /* of the first consumer; the others double what is held */
#define PORTION_LEAST 32
#define TAKE_ON_MOST  (RABBIT_HOLD_MOST + 32 * PORTION_LEAST)
#define SILENT_NS     (NS_PER_S / 4)
#define PATIENCE_NS   (10 * NS_PER_S)
#define BACK_NS       (5 * NS_PER_S)
#define BACK_SOON_NS  (NS_PER_S / 2)
#define AWAIT_NS      (30 * NS_PER_S)
#define SAY_NS        NS_PER_S
#define ASK_EVERY_MS  50
#define ASK_API_NS    NS_PER_S
#define DEAF_NS       (NS_PER_S / 5)
#define DEAF_MOST_NS  (10 * NS_PER_S)

/* ---- counting ---- */

/* A question that the broker's channel answers by itself. */
static int64_t round_trip_ns(const struct rabbit *rabbit, amqp_channel_t channel)
{
    int64_t began = clock_mono_ns();
    (void)amqp_channel_flow(rabbit->connection, channel, 1);
    return clock_mono_ns() - began;
}

static enum err is_deaf(const struct broker *b, const char *queue, struct err_info *err)
{
    err_set(err, ERR_TIMEOUT, "the queue does not say how many messages it has");
    err_where(err, "%s/%s", b->endpoint->name, queue);
    return ERR_TIMEOUT;
}

/* Of a quorum queue that does not answer within 250 ms the broker says that it has no messages and no consumers (3.10.8,
 * rabbit_quorum_queue:stat): such an answer, if it took so long, is none. */
enum err rabbit_ready_on(struct broker *b, amqp_channel_t channel, const char *queue, bool quorum,
                         int64_t *ready, int64_t *consumers, struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    int64_t first = clock_mono_ns();
    for (;;) {
        int64_t began = clock_mono_ns();
        const amqp_queue_declare_ok_t *ok =
            amqp_queue_declare(rabbit->connection, channel, rabbit_text(queue), 1, 0, 0, 0, amqp_empty_table);
        int64_t took = clock_mono_ns() - began;
        if (ok) {
            *ready = ok->message_count;
            *consumers = ok->consumer_count;
        }
        enum err e = rabbit_reply_on(b, channel, amqp_get_rpc_reply(rabbit->connection),
                                     "counting the queue's messages", err);
        bool none = !e && ok && quorum && !*ready && !*consumers && took >= DEAF_NS;
        if (!none || took - round_trip_ns(rabbit, channel) < DEAF_NS)
            return e;
        if (clock_mono_ns() - first > DEAF_MOST_NS || atomic_load(b->cancelled))
            return is_deaf(b, queue, err);
    }
}

enum err rabbit_ready(struct broker *b, const char *queue, int64_t *ready, int64_t *consumers,
                      struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    bool quorum = rabbit->reader && rabbit->reader->quorum;
    return rabbit_ready_on(b, RABBIT_CHANNEL, queue, quorum, ready, consumers, err);
}

/* The statistics are late: messages that are ready by now are not away. */
static int64_t away(const struct rabbit_channel *found, int64_t counted)
{
    int64_t missing = counted - found->depth;
    if (found->unacked <= 0)
        return 0;
    return found->consumers > 0 || missing > found->unacked ? found->unacked : missing > 0 ? missing : 0;
}

struct waiting {
    int64_t counted; /* ready and unacknowledged, as the statistics have it */
    int64_t began_ns, moved_ns, ask_ns;
    int64_t first; /* ready when the waiting began */
    bool said;
};

static void count_again(struct broker *b, const char *queue, struct waiting *w, struct rabbit_channel *found)
{
    struct rabbit_channel now;
    const struct channel_name name = {CHANNEL_QUEUE, queue};
    w->ask_ns = clock_mono_ns() + ASK_API_NS;
    if (rabbit_find(b, &name, &now, NULL) || now.depth < 0 || now.unacked < 0)
        return;
    w->counted = now.depth + now.unacked;
    found->unacked = now.unacked;
}

static void say_waiting(struct broker *b, struct waiting *w, int64_t n)
{
    const struct rabbit *rabbit = b->state;
    const struct read_sink *sink = &rabbit->reader->sink;
    char text[120];
    if (w->said || clock_mono_ns() - w->began_ns < SAY_NS)
        return;
    w->said = true;
    snprintf(text, sizeof text, "waiting for %lld messages that are on their way back to the queue",
             (long long)n);
    sink->notice(sink->context, text);
}

/* Somebody may hold them for long, which is no reason to wait; a broker that takes them back makes headway. */
static bool is_worth_waiting(const struct broker *b, const struct waiting *w)
{
    int64_t now = clock_mono_ns();
    return now - w->moved_ns < BACK_NS && now - w->began_ns < AWAIT_NS && !atomic_load(b->cancelled);
}

/* Whose messages they are is not known: another client may have returned them. */
static enum err still_taking_back(const struct broker *b, const char *queue, const struct waiting *w,
                                  const struct rabbit_channel *found, struct err_info *err)
{
    int64_t spent = (clock_mono_ns() - w->began_ns) / NS_PER_S, back = found->depth - w->first;
    char left[32];
    err_set(err, ERR_TIMEOUT,
            "the broker is still taking back %" PRId64 " messages that were handed out before",
            found->unacked);
    err_where(err, "%s/%s", b->endpoint->name, queue);
    err_next(err, "nothing is lost: try again later");
    if (spent <= 0 || back < spent)
        return ERR_TIMEOUT;
    text_age(left, sizeof left, found->unacked * spent / back * NS_PER_S);
    err_next(err, "nothing is lost: it took back %" PRId64 " a second, so try again in about %s",
             back / spent, left);
    return ERR_TIMEOUT;
}

enum err rabbit_await(struct broker *b, const char *queue, struct rabbit_channel *found, struct err_info *err)
{
    struct waiting w = {.began_ns = clock_mono_ns()};
    if (found->depth >= 0 && found->unacked >= 0)
        w.counted = found->depth + found->unacked;
    w.moved_ns = w.began_ns;
    w.ask_ns = w.began_ns + ASK_API_NS;
    enum err e = rabbit_ready(b, queue, &found->depth, &found->consumers, err);
    w.first = found->depth;
    while (!e && found->consumers == 0 && away(found, w.counted) > 0 && is_worth_waiting(b, &w)) {
        int64_t before = found->depth;
        say_waiting(b, &w, away(found, w.counted));
        poll(NULL, 0, ASK_EVERY_MS);
        if (clock_mono_ns() >= w.ask_ns)
            count_again(b, queue, &w, found);
        e = rabbit_ready(b, queue, &found->depth, &found->consumers, err);
        w.moved_ns = found->depth > before ? clock_mono_ns() : w.moved_ns;
    }
    found->unacked = away(found, w.counted);
    if (e || clock_mono_ns() - w.began_ns < AWAIT_NS)
        return e;
    return still_taking_back(b, queue, &w, found, err);
}

/* ---- out of a classic queue ---- */

static enum err get_one(struct broker *b, struct rabbit_delivery *d, bool *taken, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    if (r->held == 0 && !rabbit_may_cut(b, true))
        return err_set(err, ERR_CANCELLED, "cancelled");
    amqp_rpc_reply_t reply = amqp_basic_get(rabbit->connection, RABBIT_CHANNEL, rabbit_text(r->queue), 0);
    (void)rabbit_may_cut(b, false);
    enum err e = rabbit_reply(b, reply, "looking into the queue", err);
    if (e == ERR_TIMEOUT)
        err_next(err, "the broker may still be taking back what was looked at before: try again in a minute");
    bool got = !e && reply.reply.id == AMQP_BASIC_GET_OK_METHOD;
    r->empty = !e && !got;
    if (!got)
        return e;
    const amqp_basic_get_ok_t *ok = reply.reply.decoded;
    *d = (struct rabbit_delivery){.channel = RABBIT_CHANNEL,
                                  .tag = ok->delivery_tag,
                                  .redelivered = ok->redelivered,
                                  .exchange = ok->exchange,
                                  .routing_key = ok->routing_key};
    e = rabbit_content(b, d, err);
    *taken = !e;
    return e;
}

/* ---- out of a quorum queue ---- */

static int64_t next_portion(const struct rabbit_reader *r)
{
    int64_t n = r->consumers == 0 ? PORTION : r->held, hold = RABBIT_HOLD_MOST - r->held;
    int64_t left = r->snapshot - r->held;
    if (r->consumers == 0 && r->left < n)
        n = r->left;
    else if (n < PORTION_LEAST || hold <= 0)
        n = PORTION_LEAST;
    else if (n > hold)
        n = hold;
    return n < left ? n : left;
}

/* Below every other consumer: those that are waiting get what there is. */
static enum err next_consumer(struct broker *b, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    char tag[32];
    int64_t n = next_portion(r);
    amqp_table_entry_t priority = {.key = amqp_cstring_bytes("x-priority"),
                                   .value = {.kind = AMQP_FIELD_KIND_I32, .value = {.i32 = -1000}}};
    amqp_table_t arguments = {1, &priority};
    snprintf(tag, sizeof tag, "look-%02d", r->consumers++);
    r->wanted += n;
    enum err e = rabbit_prefetch(b, (uint16_t)n, err);
    if (e)
        return e;
    amqp_basic_consume(rabbit->connection, RABBIT_CHANNEL, rabbit_text(r->queue), rabbit_text(tag), 0, 0, 0,
                       arguments);
    return rabbit_last_reply(b, "looking into the queue", err);
}

/* Nothing came for a while: others have taken it, or the broker is slow. */
static enum err judge_silence(struct broker *b, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    int64_t now = clock_mono_ns(), ready = 0, consumers;
    if (r->silent_ns == 0)
        r->silent_ns = now;
    rabbit_wait(b, ASK_EVERY_MS);
    if (now - r->silent_ns < SILENT_NS || amqp_frames_enqueued(rabbit->connection) ||
        amqp_data_in_buffer(rabbit->connection))
        return ERR_OK;
    enum err e = rabbit_ready(b, r->queue, &ready, &consumers, err);
    if (e)
        return e;
    r->empty = ready == 0 && !amqp_frames_enqueued(rabbit->connection);
    if (!r->empty && now - r->silent_ns > PATIENCE_NS)
        return err_set(err, ERR_TIMEOUT, "looking into the queue: it gives nothing, though %lld are ready",
                       (long long)ready);
    return ERR_OK;
}

static enum err consume_one(struct broker *b, struct rabbit_delivery *d, bool *taken, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    enum rabbit_came came;
    amqp_frame_t frame;
    enum err e = r->held == r->wanted ? next_consumer(b, err) : ERR_OK;
    if (!e)
        e = rabbit_receive(b, 0, d, &frame, &came, err);
    if (e)
        return e;
    *taken = came == RABBIT_DELIVERY;
    if (*taken)
        r->silent_ns = 0;
    return came == RABBIT_OTHER ? rabbit_other_frame(b, &frame, err)
           : *taken             ? ERR_OK
                                : judge_silence(b, err);
}

enum err rabbit_take(struct broker *b, struct rabbit_delivery *d, bool *taken, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    *taken = false;
    amqp_maybe_release_buffers(rabbit->connection);
    enum err e = r->quorum ? consume_one(b, d, taken, err) : get_one(b, d, taken, err);
    if (e || !*taken)
        return e;
    r->held++;
    r->last_tag = d->tag;
    r->returned_last = d->redelivered;
    return ERR_OK;
}

/* ---- back ---- */

/* Up to the first message that was never returned: see above. False: that did not come in time. */
static bool take_on(struct broker *b, int64_t until_ns)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    bool may = r->delivery_limit < 0 || r->looks.worst + 1 < r->delivery_limit;
    while (may && !r->empty && r->returned_last && r->held < r->snapshot && r->held < TAKE_ON_MOST &&
           clock_mono_ns() < until_ns) {
        struct rabbit_delivery d;
        bool taken = false;
        enum err e = rabbit_take(b, &d, &taken, NULL);
        if (taken)
            rabbit_delivery_free(&d);
        if (e)
            return false;
    }
    return r->empty || !r->returned_last || r->held >= r->snapshot;
}

enum err rabbit_end_channel(struct broker *b, amqp_channel_t channel, int64_t until_ns, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    amqp_channel_close_t close = {.reply_code = AMQP_REPLY_SUCCESS, .reply_text = rabbit_text("looked")};
    int status = amqp_send_method(rabbit->connection, channel, AMQP_CHANNEL_CLOSE_METHOD, &close);
    while (status == AMQP_STATUS_OK && clock_mono_ns() < until_ns) {
        amqp_frame_t frame;
        struct timeval soon = {0, ASK_EVERY_MS * 1000};
        amqp_maybe_release_buffers(rabbit->connection);
        status = amqp_simple_wait_frame_noblock(rabbit->connection, &frame, &soon);
        if (status == AMQP_STATUS_OK && frame.frame_type == AMQP_FRAME_METHOD && frame.channel == channel &&
            frame.payload.method.id == AMQP_CHANNEL_CLOSE_OK_METHOD)
            return ERR_OK;
        status = status == AMQP_STATUS_TIMEOUT ? AMQP_STATUS_OK : status;
    }
    enum err e = rabbit_status(b, status, err);
    return e ? e : err_set(err, ERR_TIMEOUT, "the broker does not close a channel");
}

static enum err renew_channel(struct broker *b, int64_t until_ns, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    enum err e = rabbit_end_channel(b, RABBIT_CHANNEL, until_ns, err);
    if (e)
        return e;
    amqp_channel_open(rabbit->connection, RABBIT_CHANNEL);
    return rabbit_last_reply(b, "opening a channel", err);
}

static enum err hand_over(struct broker *b, int64_t until_ns, struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    const struct rabbit_reader *r = rabbit->reader;
    if (r->quorum && !take_on(b, until_ns))
        r->sink.notice(r->sink.context, "the look ended among messages that had been returned before: the "
                                        "queue may have them in another order now");
    return renew_channel(b, until_ns + NS_PER_S, err);
}

/* A cancelled look waits less: its session is left behind after five seconds. */
static bool may_wait(const struct broker *b, int64_t since_ns)
{
    return clock_mono_ns() - since_ns < (atomic_load(b->cancelled) ? BACK_SOON_NS : BACK_NS);
}

/* How many will be ready once all are back. Others may have taken some meanwhile, or their time has passed; what was sent to us and
 * not taken yet is counted nowhere, so that all are waited for then. */
static enum err ready_at_last(struct broker *b, int64_t *all, struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    const struct rabbit_reader *r = rabbit->reader;
    int64_t ready = 0, consumers;
    *all = r->snapshot;
    if (!r->empty && r->wanted > r->held)
        return ERR_OK;
    enum err e = rabbit_ready(b, r->queue, &ready, &consumers, err);
    if (!e && ready + r->held < r->snapshot)
        *all = ready + r->held;
    return e;
}

enum err rabbit_give_back(struct broker *b, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    int64_t ready = 0, consumers = 0, all = 0, start = clock_mono_ns();
    if (r->back || (r->held == 0 && r->consumers == 0))
        return ERR_OK;
    r->missing = r->held;
    if (!rabbit->connection || rabbit->lost)
        return ERR_OK;
    r->back = true;
    enum err e = ready_at_last(b, &all, err);
    if (!e)
        e = hand_over(b, start + (atomic_load(b->cancelled) ? BACK_SOON_NS : BACK_NS), err);
    if (e) {
        err_next(err, "the broker returns the messages by itself, as after a failed delivery");
        return e;
    }
    int wait_ms = 0; /* a broker that is quick has them back by now */
    do {
        poll(NULL, 0, wait_ms);
        wait_ms = ASK_EVERY_MS;
        e = rabbit_ready(b, r->queue, &ready, &consumers, err);
        r->missing = ready < all && consumers == 0 ? all - ready : 0;
    } while (!e && r->missing > 0 && may_wait(b, start));
    return e;
}
