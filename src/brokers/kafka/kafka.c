/* DESIGN. A session is one library handle (about 2 MB and its threads), plus one more where it publishes or looks at
 * uncommitted messages. The library has queues of its own, bounded by options; all of them write one eventfd, so that the
 * worker sleeps in poll and never wakes by itself. The library tells its troubles (a refused login, a dead broker) through
 * error events, served on the worker by rd_kafka_poll: open waits for metadata in slices and looks at them in between. */
#include "brokers/kafka/kafka.h"

#include "brokers/kafka/kafka_internal.h"

#include <sys/eventfd.h>
#include <sys/poll.h>
#include <unistd.h>

#define SLICE_FIRST_MS  50
#define SLICE_MOST_MS   1000
#define ANSWER_SLICE_MS 100
/* A name with several addresses is tried one address after the other, and each round says "all brokers down". */
#define ALL_DOWN_GRACE_NS (600 * NS_PER_MS)

int kafka_left_ms(const struct broker *b)
{
    int ms = clock_poll_ms(b->deadline_ns);
    return ms > 0 ? ms : 1;
}

void kafka_wait(struct broker *b, int timeout_ms)
{
    struct kafka_state *s = b->state;
    struct pollfd fds[] = {{.fd = s->event_fd, .events = POLLIN}, {.fd = b->wake_fd, .events = POLLIN}};
    poll(fds, b->wake_fd >= 0 ? 2 : 1, timeout_ms);
}

/* The connection's verdict while it is not up yet: ERR_OK to go on waiting. */
static enum err verdict(struct broker *b, rd_kafka_t *rk, struct err_info *err)
{
    struct kafka_state *s = b->state;
    rd_kafka_poll(rk, 0);
    if (atomic_load(b->cancelled))
        return err_set(err, ERR_CANCELLED, "cancelled");
    const struct kafka_trouble *t = &s->trouble;
    bool down = t->all_down_ns && clock_mono_ns() - t->all_down_ns > ALL_DOWN_GRACE_NS;
    if (t->code && (t->decisive || down))
        return kafka_trouble_fail(b, err);
    if (clock_mono_ns() < b->deadline_ns)
        return ERR_OK;
    if (t->code)
        return kafka_trouble_fail(b, err);
    err_set(err, ERR_TIMEOUT, "no answer in time");
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "check host, port and what lies between");
    return ERR_TIMEOUT;
}

enum err kafka_wait_up(struct broker *b, rd_kafka_t *rk, struct err_info *err)
{
    struct kafka_state *s = b->state;
    int slice = SLICE_FIRST_MS;
    for (;;) {
        const struct rd_kafka_metadata *md = NULL;
        int left = kafka_left_ms(b);
        rd_kafka_resp_err_t e = rd_kafka_metadata(rk, 0, NULL, &md, slice < left ? slice : left);
        if (!e) {
            rd_kafka_metadata_destroy(md);
            s->trouble = (struct kafka_trouble){.code = ERR_OK};
            return ERR_OK;
        }
        enum err v = verdict(b, rk, err);
        if (v)
            return v;
        /* Time-out means that a broker was asked and is slow; anything else that none was connected yet. */
        if (e == RD_KAFKA_RESP_ERR__TIMED_OUT && slice < SLICE_MOST_MS)
            slice *= 2;
    }
}

enum err kafka_answer(struct broker *b, rd_kafka_queue_t *queue, const char *what, rd_kafka_event_t **event,
                      struct err_info *err)
{
    do {
        int left = kafka_left_ms(b);
        *event = rd_kafka_queue_poll(queue, left < ANSWER_SLICE_MS ? left : ANSWER_SLICE_MS);
    } while (!*event && !atomic_load(b->cancelled) && clock_mono_ns() < b->deadline_ns);
    if (*event)
        return ERR_OK;
    if (atomic_load(b->cancelled))
        return err_set(err, ERR_CANCELLED, "%s: cancelled", what);
    return kafka_fail(b, RD_KAFKA_RESP_ERR__TIMED_OUT, what, err);
}

rd_kafka_AdminOptions_t *kafka_admin_options(struct broker *b, rd_kafka_t *rk, rd_kafka_admin_op_t op)
{
    char text[128];
    rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(rk, op);
    (void)rd_kafka_AdminOptions_set_request_timeout(o, kafka_left_ms(b), text, sizeof text);
    return o;
}

void kafka_queue_watch(struct kafka_state *s, rd_kafka_queue_t *queue)
{
    rd_kafka_queue_io_event_enable(queue, s->event_fd, &(uint64_t){1}, sizeof(uint64_t));
}

void kafka_queue_drop(rd_kafka_queue_t **queue)
{
    if (!*queue)
        return;
    rd_kafka_queue_io_event_enable(*queue, -1, NULL, 0);
    rd_kafka_queue_destroy(*queue);
    *queue = NULL;
}

void kafka_drain(struct kafka_state *s)
{
    (void)!read(s->event_fd, &(uint64_t){0}, sizeof(uint64_t));
}

static enum err connect_handle(struct broker *b, bool committed, struct err_info *err)
{
    struct kafka_state *s = b->state;
    s->rk = kafka_handle_new(b, RD_KAFKA_CONSUMER, committed, err);
    if (!s->rk)
        return err ? err->code : ERR_CONFIG;
    s->committed = committed;
    s->events = rd_kafka_queue_get_main(s->rk);
    kafka_queue_watch(s, s->events);
    return kafka_wait_up(b, s->rk, err);
}

static void destroy_handle(struct kafka_state *s)
{
    kafka_queue_drop(&s->events);
    if (s->rk)
        rd_kafka_destroy_flags(s->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    s->rk = NULL;
}

/* What it has to say beside its answers, the session's own handle says, too. */
static void drain_groups(rd_kafka_t *rk)
{
    rd_kafka_message_t *m;
    rd_kafka_poll(rk, 0);
    while ((m = rd_kafka_consumer_poll(rk, 0)))
        rd_kafka_message_destroy(m);
}

rd_kafka_t *kafka_group_handle(struct broker *b, struct err_info *err)
{
    struct kafka_state *s = b->state;
    if (!s->groups)
        s->groups = kafka_group_handle_new(b, err);
    else
        drain_groups(s->groups);
    return s->groups;
}

enum err kafka_isolate(struct broker *b, bool committed, struct err_info *err)
{
    struct kafka_state *s = b->state;
    if (s->committed == committed || s->read || s->publish)
        return ERR_OK;
    destroy_handle(s);
    return connect_handle(b, committed, err);
}

static enum err kafka_open(struct broker *b, struct err_info *err)
{
    struct kafka_state *s = b->state;
    s->source = b->endpoint->name;
    s->mock = kafka_is_mock(b->endpoint);
    s->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (s->event_fd < 0)
        return err_set(err, ERR_FAILED, "no descriptor for a connection to %s", b->endpoint->name);
    return connect_handle(b, true, err);
}

static void kafka_close(struct broker *b)
{
    struct kafka_state *s = b->state;
    kafka_publish_close(b);
    (void)kafka_read_close(b, NULL);
    if (s->groups)
        rd_kafka_destroy_flags(s->groups, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    s->groups = NULL;
    destroy_handle(s);
    if (s->event_fd >= 0)
        close(s->event_fd);
    s->event_fd = -1;
}

static enum err kafka_rest(struct broker *b, int timeout_ms, struct err_info *err)
{
    struct kafka_state *s = b->state;
    kafka_wait(b, timeout_ms);
    kafka_drain(s);
    rd_kafka_poll(s->rk, 0);
    return s->trouble.all_down_ns ? kafka_lost(b, err) : ERR_OK;
}

static void kafka_interrupt(struct broker *b)
{
    struct kafka_state *s = b->state;
    int fd = atomic_load(&s->event_fd); /* one look: it may be made meanwhile */
    if (fd > 0)                         /* 0: not open yet; standard input never is ours */
        (void)!write(fd, &(uint64_t){1}, sizeof(uint64_t));
}

static const char *const kafka_schemes[] = {"kafka", "kafkas", NULL};

const struct broker_ops kafka_broker = {
    .name = "kafka",
    .title = "Kafka",
    .schemes = kafka_schemes,
    .default_port = KAFKA_PORT,
    .state_size = sizeof(struct kafka_state),
    .max_channels = 64,
    .carries = CARRY_KEY | CARRY_NULL | CARRY_TIME | CARRY_PARTITION | CARRY_NESTED,
    .path_is_channel = true,
    .count_is_upper = true, /* offsets: what was compacted counts, and the marks of transactions */
    .browse_is_free = true,
    .check_options = kafka_check_options,
    .open = kafka_open,
    .close = kafka_close,
    .interrupt = kafka_interrupt,
    .list = kafka_list,
    .groups = kafka_groups,
    .ping = kafka_ping,
    .cluster = kafka_cluster,
    .rest = kafka_rest,
    .read_open = kafka_read_open,
    .read_step = kafka_read_step,
    .read_pause = kafka_read_pause,
    .read_progress = kafka_read_progress,
    .read_places = kafka_read_places,
    .read_close = kafka_read_close,
    .count = kafka_count,
    .truncate = kafka_truncate,
    .publish_open = kafka_publish_open,
    .publish = kafka_publish_message,
    .publish_step = kafka_publish_step,
    .publish_close = kafka_publish_close,
    .commit = kafka_commit,
    .committed = kafka_committed,
    .forget = kafka_forget,
};
