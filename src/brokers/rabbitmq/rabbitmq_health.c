/* Whether the broker lives: one question by AMQP, which a frozen one leaves open while the connection stands; then its alarms. */
#include "brokers/rabbitmq/rabbitmq_internal.h"

#include "base/log.h"
#include "base/text.h"

#include <stdio.h>
#include <sys/poll.h>

#define ASK_MOST_MS (8 * 1000)

static int patience_ms(const struct broker *b)
{
    int ms = clock_poll_ms(b->deadline_ns);
    return ms < 0 || ms > ASK_MOST_MS ? ASK_MOST_MS : ms > 0 ? ms : 1;
}

enum err rabbit_ask(struct broker *b, struct err_info *err)
{
    struct rabbit *r = b->state;
    int ms = patience_ms(b);
    struct timeval most = {ms / 1000, ms % 1000 * 1000}, usual = {RABBIT_RPC_S, 0};
    amqp_set_rpc_timeout(r->connection, &most);
    amqp_channel_flow(r->connection, RABBIT_CHANNEL, 1);
    enum err e = rabbit_last_reply(b, "asking for a sign of life", err);
    amqp_set_rpc_timeout(r->connection, &usual);
    return e == ERR_TIMEOUT ? rabbit_unanswered(b, err) : e;
}

enum err rabbit_listen(struct broker *b, struct err_info *err)
{
    struct rabbit *r = b->state;
    amqp_channel_flow_t on = {.active = 1};
    int status = amqp_send_method(r->connection, RABBIT_CHANNEL, AMQP_CHANNEL_FLOW_METHOD, &on);
    if (status)
        return rabbit_status(b, status, err);
    struct pollfd any = {.fd = r->fd, .events = POLLIN};
    bool came = amqp_frames_enqueued(r->connection) || amqp_data_in_buffer(r->connection) ||
                poll(&any, 1, patience_ms(b)) != 0;
    return came ? ERR_OK : rabbit_unanswered(b, err);
}

void rabbit_be_patient(struct broker *b, bool on)
{
    const struct rabbit *r = b->state;
    struct timeval usual = {RABBIT_RPC_S, 0};
    amqp_set_rpc_timeout(r->connection, on ? NULL : &usual);
}

static void take_alarms(const struct rabbit_answer *a, struct sample *sample)
{
    const struct field *nodes = &a->tree.nodes[0];
    for (const struct field *n = rabbit_first(a, nodes); n; n = rabbit_next(a, nodes, n)) {
        char name[80];
        const char *alarm = rabbit_truth(a, n, "mem_alarm")         ? "memory alarm: publishers are blocked"
                            : rabbit_truth(a, n, "disk_free_alarm") ? "disk alarm: publishers are blocked"
                            : !rabbit_truth(a, n, "running")        ? "not running"
                                                                    : NULL;
        if (!alarm)
            continue;
        sample->health = HEALTH_DEGRADED;
        snprintf(sample->reason, sizeof sample->reason, "%s: %s",
                 rabbit_string(a, n, "name", name, sizeof name), alarm);
    }
}

/* Whether there is one, and no more, is told to everybody with the tag `management`. */
static void check_alarms(struct broker *b, const struct err_info *why, struct sample *sample)
{
    struct rabbit *r = b->state;
    enum err e = rabbit_api(b, "GET", "health/checks/alarms", NULL, NULL, NULL);
    if (e == ERR_DOWN) {
        sample->health = HEALTH_DEGRADED;
        text_copy(sample->reason, sizeof sample->reason,
                  "memory alarm or disk alarm: publishers are blocked");
    } else if (e && !r->said_no_alarms) {
        log_write(LOG_INFO, b->endpoint->name, "memory and disk alarms are not seen: %s", why->text);
        r->said_no_alarms = true;
    }
}

/* Of the time half at most: a slow API must leave some for the listing that comes next. */
void rabbit_look_for_alarms(struct broker *b, struct sample *sample)
{
    struct rabbit_answer a;
    struct err_info why;
    int64_t deadline = b->deadline_ns, now = clock_mono_ns();
    b->deadline_ns = now + (deadline - now) / 2;
    enum err e = rabbit_api(b, "GET", "nodes?columns=name,running,mem_alarm,disk_free_alarm", NULL, &a, &why);
    if (!e) {
        take_alarms(&a, sample);
        rabbit_answer_free(&a);
    } else if (e == ERR_DENIED) {
        check_alarms(b, &why, sample);
    }
    b->deadline_ns = deadline;
}

enum err rabbit_ping(struct broker *b, struct sample *sample, struct err_info *err)
{
    enum err e = rabbit_serve(b, err);
    if (!e && !rabbit_may_cut(b, true))
        e = err_set(err, ERR_CANCELLED, "cancelled");
    if (!e)
        e = rabbit_ask(b, err);
    (void)rabbit_may_cut(b, false);
    if (e)
        return e;
    sample->health = HEALTH_UP;
    text_copy(sample->code, sizeof sample->code, "AMQP");
    rabbit_look_for_alarms(b, sample); /* where the user may know; that AMQP answers is enough for up */
    return ERR_OK;
}
