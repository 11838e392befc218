/* Operations on the memory broker, whose connections break wherever one wishes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "brokers/memory/memory.h"
#include "brokers/memory/memory_server.h"
#include "operations/execute.h"
#include "operations/lock.h"

static const struct decoder_ops *const decoders[] = {NULL};
static const struct endpoint endpoint = {.name = "m"};
static char home[64];
static int done_fd;

/* ---- connections that break ---- */

static atomic_int calls_left; /* until it breaks; negative: never */
static struct broker_ops breaking;

static bool breaks(void)
{
    return atomic_load(&calls_left) >= 0 && atomic_fetch_sub(&calls_left, 1) == 0;
}

static enum err closed(struct err_info *err)
{
    return err_set(err, ERR_CLOSED, "the line was cut");
}

static enum err cut_publish(struct broker *b, size_t to, const struct message *m, uint64_t token,
                            struct err_info *err)
{
    return breaks() ? closed(err) : memory_broker.publish(b, to, m, token, err);
}

/* The message has arrived, its confirmation has not. */
static bool mute;

static enum err cut_publish_mute(struct broker *b, size_t to, const struct message *m, uint64_t token,
                                 struct err_info *err)
{
    if (!breaks())
        return memory_broker.publish(b, to, m, token, err);
    mute = true;
    assert_int_equal(memory_publish("to", m, NULL, NULL), ERR_OK);
    return closed(err);
}

/* What is handed over from some message on never leaves, and then the line is cut. */
static struct publish_sink teller;
static atomic_int unsent_left;

static enum err tell_publish_open(struct broker *b, const struct publish_request *request,
                                  const struct publish_sink *sink, struct err_info *err)
{
    teller = *sink;
    return memory_broker.publish_open(b, request, sink, err);
}

static enum err unsent_publish(struct broker *b, size_t to, const struct message *m, uint64_t token,
                               struct err_info *err)
{
    struct publish_outcome o = {.token = token, .outcome = OUTCOME_UNSENT};
    if (breaks())
        return closed(err);
    if (atomic_load(&calls_left) < 0 || atomic_load(&calls_left) >= atomic_load(&unsent_left))
        return memory_broker.publish(b, to, m, token, err);
    teller.outcome(teller.context, &o);
    return ERR_OK;
}

static enum err cut_settle(struct broker *b, uint64_t handle, enum settle how, struct err_info *err)
{
    return breaks() ? closed(err) : memory_broker.settle(b, handle, how, err);
}

static enum err cut_sync(struct broker *b, struct err_info *err)
{
    return breaks() ? closed(err) : memory_broker.settle_sync(b, err);
}

static enum err cut_lease_step(struct broker *b, int timeout_ms, struct err_info *err)
{
    return breaks() ? closed(err) : memory_broker.lease_step(b, timeout_ms, err);
}

/* In memory whoever has taken something counts as a consumer for ever. */
static enum err list_without_consumers(struct broker *b, const char *pattern, uint32_t flags,
                                       struct channel_list *list, struct err_info *err)
{
    enum err e = memory_broker.list(b, pattern, flags, list, err);
    for (size_t i = 0; i < list->count; i++)
        list->items[i].consumers = 0;
    return e;
}

/* What was out is on its way back: a session finds the source empty, until there have been so many. */
static int late;

static enum err late_lease_open(struct broker *b, const struct lease_request *request,
                                const struct lease_sink *sink, struct err_info *err)
{
    struct lease_request elsewhere = *request;
    if (atomic_load(&calls_left) >= 0 || late <= 0)
        return memory_broker.lease_open(b, request, sink, err);
    late--;
    elsewhere.from.name = "elsewhere";
    return memory_broker.lease_open(b, &elsewhere, sink, err);
}

/* ---- rig ---- */

static int setup(void **state)
{
    (void)state;
    snprintf(home, sizeof home, "/tmp/signalbox-execute-XXXXXX");
    if (!mkdtemp(home) || setenv("XDG_STATE_HOME", home, 1))
        return -1;
    breaking = memory_broker;
    atomic_store(&calls_left, -1);
    done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return memory_declare("from", CHANNEL_QUEUE, NULL, NULL) ||
                   memory_declare("to", CHANNEL_QUEUE, NULL, NULL)
               ? -1
               : 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    memory_reset();
    close(done_fd);
    snprintf(command, sizeof command, "rm -rf '%s'", home);
    return system(command);
}

static void publish(const char *queue, int first, int count)
{
    for (int i = first; i < first + count; i++) {
        char body[40];
        snprintf(body, sizeof body, "{\"n\":%d}", i);
        struct message m = {.payload = bytes_of_text(body), .time_ns = 5};
        assert_int_equal(memory_publish(queue, &m, NULL, NULL), ERR_OK);
    }
}

static int64_t waiting(const char *queue)
{
    int64_t ready = 0, leased = 0;
    assert_true(memory_count(queue, &ready, &leased));
    assert_int_equal(leased, 0);
    return ready;
}

/* Are these the numbers in that queue, in that order? */
static void assert_holds(const char *queue, int first, int count, int step)
{
    int64_t at = 0;
    for (int i = 0; i < count; i++, at++) {
        char body[40];
        struct message *m = memory_get(queue, &at, true);
        assert_non_null(m);
        snprintf(body, sizeof body, "{\"n\":%d}", first + i * step);
        if (!bytes_equal_text(m->payload, body))
            fail_msg("%s: message %d is %.*s, not %s", queue, i, (int)m->payload.len,
                     (const char *)m->payload.data, body);
        message_unref(&m);
    }
    assert_int_equal(waiting(queue), count);
}

static struct operation_job job_of(enum operation_kind kind)
{
    struct operation_job job = {
        .plan = {.kind = kind, .from = "m/from", .to = "m/to", .limit = -1, .replays_most = 3},
        .from = {&breaking, &endpoint, {CHANNEL_QUEUE, "from"}},
        .to = {&breaking, &endpoint, {CHANNEL_QUEUE, "to"}},
        .decoders = decoders,
        .look_again_ns = NS_PER_MS,
        .record = {.kind = kind,
                   .state = OPERATION_RUNNING,
                   .from = "m/from",
                   .to = "m/to",
                   .created_ns = clock_wall_ns(),
                   .counts = {.planned = COUNT_UNKNOWN}},
    };
    operation_id_new(job.record.id);
    struct journal *j = journal_open(NULL);
    assert_non_null(j);
    assert_int_equal(journal_create(j, &job.record, NULL), ERR_OK);
    journal_close(&j);
    return job;
}

static struct operation_progress run(const struct operation_job *job)
{
    struct operation_progress p = {.state = OPERATION_RUNNING};
    struct operation *o = operation_start(job, done_fd, NULL);
    assert_non_null(o);
    int64_t end = clock_mono_ns() + 30 * NS_PER_S;
    while (p.state == OPERATION_RUNNING && clock_mono_ns() < end) {
        struct pollfd fd = {.fd = done_fd, .events = POLLIN};
        poll(&fd, 1, 1000);
        (void)!read(done_fd, &(uint64_t){0}, sizeof(uint64_t));
        operation_progress(o, &p);
    }
    if (p.state == OPERATION_RUNNING)
        fail_msg("it does not end: %s", p.note);
    operation_join(&o, &p);
    return p;
}

/* ---- what it does ---- */

static void a_move_moves_all_in_order(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_MOVE);
    publish("from", 0, 5000);
    struct operation_progress p = run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 5000);
    assert_holds("to", 0, 5000, 1);
    assert_int_equal(waiting("from"), 0);
}

static void a_copy_leaves_the_source(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_COPY);
    publish("from", 0, 2500);
    struct operation_progress p = run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 2500);
    assert_holds("to", 0, 2500, 1);
    assert_holds("from", 0, 2500, 1);
}

/* Does the journal know of each of them that it is done? */
static void assert_journal_done(const struct operation_job *job, int64_t count)
{
    struct journal_totals totals;
    struct journal *j = journal_open(NULL);
    assert_non_null(j);
    assert_int_equal(journal_count(j, job->record.number, &totals, NULL), ERR_OK);
    assert_int_equal(totals.of[DELIVERY_DONE], count);
    assert_int_equal(totals.of[DELIVERY_INTENDED] + totals.of[DELIVERY_ARRIVED], 0);
    journal_close(&j);
}

/* Of a source that is read by positions: those before the one that was at hand when the line was cut are not passed over for it. */
static void what_never_left_is_sent_when_the_line_is_back(void **state)
{
    (void)state;
    for (int unsent = 1; unsent <= 31; unsent += 10) {
        assert_int_equal(memory_declare("log", CHANNEL_TOPIC, NULL, NULL), ERR_OK);
        publish("log", 0, 50);
        struct operation_job job = job_of(OPERATION_COPY);
        job.from.channel = (struct channel_name){CHANNEL_TOPIC, "log"};
        breaking.publish_open = tell_publish_open;
        breaking.publish = unsent_publish;
        atomic_store(&unsent_left, unsent);
        atomic_store(&calls_left, 30);
        struct operation_progress p = run(&job);
        assert_int_equal(p.state, OPERATION_DONE);
        assert_int_equal(p.counts.done, 50);
        assert_journal_done(&job, 50);
        assert_holds("to", 0, 50, 1);
        memory_purge("to");
        memory_purge("log");
    }
}

static void what_does_not_match_stays_in_its_order(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_MOVE);
    job.plan.select = "/[02468]}/";
    publish("from", 0, 3000);
    struct operation_progress p = run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 1500);
    assert_int_equal(p.unmatched, 1500);
    assert_holds("to", 0, 1500, 2);
    assert_holds("from", 1, 1500, 2);
}

static void the_limit_is_kept_to(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_MOVE);
    job.plan.limit = 1234;
    publish("from", 0, 5000);
    struct operation_progress p = run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 1234);
    assert_holds("to", 0, 1234, 1);
    assert_holds("from", 1234, 5000 - 1234, 1);
}

/* What was there when it was counted is what it is about, also where it is gone on from. */
static void what_came_later_stays(void **state)
{
    (void)state;
    breaking.publish = cut_publish;
    for (int at = 0; at < 20; at += 7) {
        struct operation_job job = job_of(OPERATION_MOVE);
        publish("from", 0, 40);
        job.plan.select = "/[02468]}/";
        job.plan.ready = waiting("from");
        publish("from", 40, 40);
        atomic_store(&calls_left, at);
        struct operation_progress p = run(&job);
        assert_int_equal(p.state, OPERATION_DONE);
        assert_int_equal(p.counts.done, 20);
        assert_holds("to", 0, 20, 2);
        assert_int_equal(waiting("from"), 60);
        memory_purge("from");
        memory_purge("to");
    }
}

static void a_missing_destination_changes_nothing(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_MOVE);
    job.to.channel.name = "nowhere";
    publish("from", 0, 10);
    struct operation_progress p = run(&job);
    assert_int_equal(p.state, OPERATION_FAILED);
    assert_non_null(strstr(p.note, "nowhere"));
    assert_holds("from", 0, 10, 1);
}

/* ---- how fast ---- */

static bool unanswered;

static enum err slow_publish(struct broker *b, size_t to, const struct message *m, uint64_t token,
                             struct err_info *err)
{
    unanswered = true;
    return memory_broker.publish(b, to, m, token, err);
}

/* Answers take as long as one waits for them. */
static enum err slow_step(struct broker *b, int timeout_ms, size_t *pending, struct err_info *err)
{
    poll(NULL, 0, timeout_ms);
    unanswered &= timeout_ms == 0;
    enum err e = memory_broker.publish_step(b, 0, pending, err);
    *pending += unanswered;
    return e;
}

static void a_rate_that_was_asked_for_is_reached(void **state)
{
    (void)state;
    breaking.publish = slow_publish;
    breaking.publish_step = slow_step;
    struct operation_job job = job_of(OPERATION_MOVE);
    job.plan.rate = 1000;
    publish("from", 0, 200);
    int64_t began = clock_mono_ns();
    assert_int_equal(run(&job).counts.done, 200);
    int64_t took = clock_mono_ns() - began;
    assert_true(took > NS_PER_S / 2); /* a fifth of it at first */
    assert_true(took < 8 * NS_PER_S);
}

/* Its first messages come at once, and while it is paused none do: neither says how fast it goes. */
static void its_rate_is_that_of_late_and_not_above_the_limit(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_MOVE);
    struct operation_progress p;
    bool told = false;
    job.plan.rate = 50;
    publish("from", 0, 5000);
    struct operation *o = operation_start(&job, done_fd, NULL);
    assert_non_null(o);
    for (int64_t end = clock_mono_ns() + 30 * NS_PER_S; !told && clock_mono_ns() < end; poll(NULL, 0, 5)) {
        operation_progress(o, &p);
        assert_true(p.rate <= 50);
        told = p.rate > 5;
    }
    assert_true(told); /* though the first batch is far from its end */
    operation_pause(o, true);
    for (int64_t end = clock_mono_ns() + 30 * NS_PER_S; p.rate >= 0 && clock_mono_ns() < end;
         poll(NULL, 0, 5))
        operation_progress(o, &p);
    assert_true(p.rate < 0);
    operation_pause(o, false);
    operation_cancel(o);
    operation_join(&o, &p);
    assert_int_equal(waiting("from") + waiting("to"), 5000);
}

/* A batch takes minutes at a low rate: what was moved is counted meanwhile, and not still at the source. */
static void what_is_done_is_counted_at_a_low_rate(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_MOVE);
    struct operation_progress p = {.counts = {.done = 0}};
    job.plan.rate = 20;
    publish("from", 0, 500);
    struct operation *o = operation_start(&job, done_fd, NULL);
    assert_non_null(o);
    for (int64_t end = clock_mono_ns() + 30 * NS_PER_S; p.counts.done < 3 && clock_mono_ns() < end;
         poll(NULL, 0, 5))
        operation_progress(o, &p);
    assert_true(p.counts.done >= 3 && p.counts.done < 250);
    operation_rate(o, 0);
    operation_join(&o, &p);
    assert_int_equal(p.counts.done, 500);
    assert_holds("to", 0, 500, 1);
    assert_int_equal(waiting("from"), 0);
}

/* ---- dead letters ---- */

static struct operation_job replay_job(void)
{
    struct operation_job job = job_of(OPERATION_REPLAY);
    job.plan.to = NULL;
    job.from.channel.name = "dead";
    job.to.channel = (struct channel_name){CHANNEL_ANY, NULL};
    return job;
}

/* n of each queue die. */
static void kill_messages(const char *const *queues, int n)
{
    assert_int_equal(memory_declare("dead", CHANNEL_QUEUE, NULL, NULL), ERR_OK);
    for (; *queues; queues++) {
        assert_int_equal(memory_declare(*queues, CHANNEL_QUEUE, "dead", NULL), ERR_OK);
        publish(*queues, 0, n);
        for (int i = 0; i < n; i++)
            assert_true(memory_reject(*queues, "rejected"));
    }
}

static void dead_letters_go_back_to_where_they_died(void **state)
{
    (void)state;
    static const char *const queues[] = {"orders", "payments", NULL};
    kill_messages(queues, 30);
    struct operation_job job = replay_job();
    struct operation_progress p = run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 60);
    assert_holds("orders", 0, 30, 1);
    assert_holds("payments", 0, 30, 1);
    assert_int_equal(waiting("dead"), 0);
}

static void what_tells_no_origin_stays_and_is_said(void **state)
{
    (void)state;
    static const char *const queues[] = {"orders", NULL};
    kill_messages(queues, 3);
    publish("dead", 100, 2);
    struct operation_job job = replay_job();
    struct operation_progress p = run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 3);
    assert_int_equal(p.counts.skipped, 2);
    assert_holds("orders", 0, 3, 1);
    assert_holds("dead", 100, 2, 1);
}

static void a_replay_that_is_cut_goes_on_to_all_of_them(void **state)
{
    (void)state;
    static const char *const queues[] = {"orders", "payments", NULL};
    breaking.publish = cut_publish;
    breaking.list = list_without_consumers;
    for (int at = 0; at < 60; at += 7) {
        kill_messages(queues, 30);
        struct operation_job job = replay_job();
        atomic_store(&calls_left, at);
        struct operation_progress p = run(&job);
        if (p.state != OPERATION_DONE)
            fail_msg("cut after %d calls: %s, %d done, %d failed, %d in doubt, %s", at,
                     operation_state_name(p.state), (int)p.counts.done, (int)p.counts.failed,
                     (int)p.counts.in_doubt, p.note);
        assert_int_equal(p.counts.done, 60);
        assert_holds("orders", 0, 30, 1);
        assert_holds("payments", 0, 30, 1);
        memory_purge("orders");
        memory_purge("payments");
    }
}

/* A broker takes its time over giving back: what is not met at once may be on its way, and is looked for again. */
static void what_comes_back_late_is_not_taken_for_removed(void **state)
{
    (void)state;
    assert_int_equal(memory_declare("elsewhere", CHANNEL_QUEUE, NULL, NULL), ERR_OK);
    publish("from", 0, 3000);
    breaking.settle = cut_settle;
    breaking.lease_open = late_lease_open;
    late = 1;
    struct operation_job job = job_of(OPERATION_MOVE);
    atomic_store(&calls_left, 1500);
    struct operation_progress p = run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 3000);
    assert_int_equal(late, 0);
    assert_holds("to", 0, 3000, 1);
    assert_int_equal(waiting("from"), 0);
}

/* Where the destination cannot be asked, since it has perhaps given it away, what was on its way is in doubt, and nothing else. */
static void what_was_on_its_way_to_consumers_is_in_doubt(void **state)
{
    (void)state;
    static const char *const queues[] = {"orders", NULL};
    kill_messages(queues, 30);
    breaking.publish = cut_publish_mute;
    struct operation_job job = replay_job();
    atomic_store(&calls_left, 10);
    struct operation_progress p = run(&job);
    assert_int_equal(p.state, OPERATION_PARTIAL);
    assert_int_equal(p.counts.in_doubt, 1);
    assert_int_equal(p.counts.done, 29);
    assert_int_equal(waiting("dead"), 1);
}

/* A source that keeps its messages: each is replayed once. */
static void what_was_replayed_before_is_not_sent_again(void **state)
{
    (void)state;
    static const char *const queues[] = {"orders", "payments", NULL};
    for (int i = 0; i < 3; i++) {
        kill_messages(queues, 10);
        struct operation_job job = replay_job();
        job.plan.keeps = true;
        struct operation_progress p = run(&job);
        assert_int_equal(p.state, OPERATION_DONE);
        assert_int_equal(p.counts.done, 20);
        assert_int_equal(p.counts.skipped, 20 * i);
    }
    struct operation_job job = replay_job();
    job.plan.keeps = job.plan.again = true;
    assert_int_equal(run(&job).counts.done, 60);
}

/* From elsewhere nobody knows of it but by its copies. */
static void what_another_host_has_replayed_is_not_sent_again(void **state)
{
    (void)state;
    static const char *const queues[][2] = {{"orders", NULL}, {"payments", NULL}};
    char other[80];
    snprintf(other, sizeof other, "%s/other", home);
    breaking.browse_is_free = true;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(setenv("XDG_STATE_HOME", i ? other : home, 1), 0);
        kill_messages(queues[i], 10);
        struct operation_job job = replay_job();
        job.plan.keeps = true;
        struct operation_progress p = run(&job);
        assert_int_equal(p.state, OPERATION_DONE);
        assert_int_equal(p.counts.done, 10);
        assert_int_equal(p.counts.skipped, 10 * i);
    }
    struct operation_job job = replay_job();
    job.plan.keeps = job.plan.again = true;
    assert_int_equal(run(&job).counts.done, 20);
    assert_int_equal(setenv("XDG_STATE_HOME", home, 1), 0);
    breaking.browse_is_free = memory_broker.browse_is_free;
}

/* Its rows do not say yet all that it has sent. */
static void a_second_replay_waits_for_the_end_of_the_first(void **state)
{
    (void)state;
    static const char *const queues[] = {"orders", NULL};
    kill_messages(queues, 10);
    struct operation_job first = replay_job(), second = replay_job();
    first.plan.keeps = second.plan.keeps = true;
    struct operation_progress p = run(&second);
    assert_int_equal(p.error, ERR_REFUSED);
    assert_int_equal(p.state, OPERATION_FAILED);
    assert_int_equal(run(&first).counts.done, 10);
    struct operation_job third = replay_job();
    third.plan.keeps = true;
    assert_int_equal(run(&third).counts.skipped, 10);
    assert_holds("orders", 0, 10, 1);
}

/* What it has sent may stand at the source still. */
static void a_move_waits_for_one_that_was_interrupted(void **state)
{
    (void)state;
    publish("from", 0, 10);
    struct operation_job first = job_of(OPERATION_MOVE), second = job_of(OPERATION_MOVE);
    int lock = operation_lock(first.record.id, NULL);
    assert_true(lock >= 0);
    second.plan.limit = 3;
    assert_int_equal(run(&second).counts.done, 3); /* one that lives is no hindrance */
    operation_unlock(first.record.id, lock, false);
    struct operation_job third = job_of(OPERATION_MOVE);
    struct operation_progress p = run(&third);
    assert_int_equal(p.error, ERR_REFUSED);
    assert_int_equal(run(&first).counts.done, 7);
    assert_holds("to", 0, 10, 1);
}

static void what_comes_back_again_and_again_is_left(void **state)
{
    (void)state;
    static const char *const queues[] = {"orders", NULL};
    kill_messages(queues, 1);
    for (int i = 0; i < 5; i++) {
        struct operation_job job = replay_job();
        struct operation_progress p = run(&job);
        assert_int_equal(p.counts.done, i < 3);
        assert_int_equal(p.counts.skipped, i >= 3);
        memory_reject("orders", "rejected");
    }
    assert_int_equal(waiting("dead"), 1);
}

/* Broken after each number of calls there is: nothing is lost, nothing doubled. */
static void break_everywhere(enum operation_kind kind, int most)
{
    for (int at = 0; at < most; at += at < 3 || at > 46 ? 1 : 11) {
        publish("from", 0, 50);
        struct operation_job job = job_of(kind);
        atomic_store(&calls_left, at);
        struct operation_progress p = run(&job);
        if (p.state != OPERATION_DONE)
            fail_msg("cut after %d calls: %s, %s", at, operation_state_name(p.state), p.note);
        assert_int_equal(p.counts.done, 50);
        assert_journal_done(&job, 50);
        assert_holds("to", 0, 50, 1);
        if (kind == OPERATION_MOVE)
            assert_int_equal(waiting("from"), 0);
        memory_purge("to");
        memory_purge("from");
    }
}

static void a_line_that_is_cut_before_a_message_loses_none(void **state)
{
    (void)state;
    breaking.publish = cut_publish;
    break_everywhere(OPERATION_MOVE, 50);
}

static void a_message_whose_confirmation_is_lost_is_not_sent_again(void **state)
{
    (void)state;
    breaking.publish = cut_publish_mute;
    break_everywhere(OPERATION_MOVE, 50);
    assert_true(mute);
}

static void a_line_that_is_cut_while_it_removes_doubles_none(void **state)
{
    (void)state;
    breaking.settle = cut_settle;
    break_everywhere(OPERATION_MOVE, 49); /* the last one is in doubt: see below */
}

/* As a RabbitMQ classic queue whose broker is killed: removals that it had taken come back. */
static enum err forgetful_settle(struct broker *b, uint64_t handle, enum settle how, struct err_info *err)
{
    return atomic_load(&calls_left) >= 0 ? ERR_OK : memory_broker.settle(b, handle, how, err);
}

static void removals_that_come_back_are_made_again(void **state)
{
    (void)state;
    breaking.publish = cut_publish;
    breaking.settle = forgetful_settle;
    for (int at = 1500; at < 2500; at += 499) {
        publish("from", 0, 2500);
        struct operation_job job = job_of(OPERATION_MOVE);
        job.plan.ready = 2500;
        atomic_store(&calls_left, at);
        struct operation_progress p = run(&job);
        if (p.state != OPERATION_DONE)
            fail_msg("cut after %d calls: %s, %d done, %d in doubt, %s", at, operation_state_name(p.state),
                     (int)p.counts.done, (int)p.counts.in_doubt, p.note);
        assert_int_equal(p.counts.done, 2500);
        assert_holds("to", 0, 2500, 1);
        assert_int_equal(waiting("from"), 0);
        memory_purge("to");
    }
}

static void a_line_that_is_cut_once_it_has_removed_loses_none(void **state)
{
    (void)state;
    breaking.settle_sync = cut_sync;
    breaking.lease_step = cut_lease_step;
    break_everywhere(OPERATION_MOVE, 12);
}

/* Its messages have positions: it goes on behind the last one. */
static void a_copy_that_is_cut_doubles_none(void **state)
{
    (void)state;
    breaking.publish = cut_publish;
    break_everywhere(OPERATION_COPY, 50);
    breaking.publish = cut_publish_mute;
    break_everywhere(OPERATION_COPY, 50);
}

/* As RabbitMQ's queues, which number nothing. */
static struct read_sink nameless_sink;

static enum emit take_position(void *context, const struct message *borrowed)
{
    (void)context;
    struct message m = *borrowed;
    m.position = (struct position){.kind = POSITION_NONE};
    return nameless_sink.message(nameless_sink.context, &m);
}

static enum err nameless_read_open(struct broker *b, const struct read_request *r,
                                   const struct read_sink *sink, struct err_info *err)
{
    struct read_sink mine = {.message = take_position, .notice = sink->notice};
    nameless_sink = *sink;
    return memory_broker.read_open(b, r, &mine, err);
}

static void a_copy_of_what_has_no_positions_doubles_none(void **state)
{
    (void)state;
    breaking.read_open = nameless_read_open;
    breaking.publish = cut_publish;
    break_everywhere(OPERATION_COPY, 50);
    breaking.publish = cut_publish_mute;
    break_everywhere(OPERATION_COPY, 50);
}

/* ---- a destination with transactions ---- */

static struct message *staged[5000];
static size_t staged_count;
static char staged_note[64]; /* of the last commit */
static struct publish_sink staged_sink;
static bool cut_before; /* the commit that breaks had no effect */

static enum err staged_open(struct broker *b, const struct publish_request *request,
                            const struct publish_sink *sink, struct err_info *err)
{
    staged_sink = *sink;
    return memory_broker.publish_open(b, request, sink, err);
}

static enum err staged_publish(struct broker *b, size_t to, const struct message *m, uint64_t token,
                               struct err_info *err)
{
    (void)b, (void)to;
    struct publish_outcome o = {.token = token, .outcome = OUTCOME_CONFIRMED};
    if (breaks())
        return closed(err);
    struct message mine = *m;
    mine.origin = origin_intern("m", "to", CHANNEL_QUEUE);
    staged[staged_count++] = message_seal(&mine, err);
    staged_sink.outcome(staged_sink.context, &o);
    return ERR_OK;
}

static void drop_staged(void)
{
    while (staged_count)
        message_unref(&staged[--staged_count]);
}

static void staged_close(struct broker *b)
{
    drop_staged();
    memory_broker.publish_close(b);
}

static enum err staged_commit(struct broker *b, const struct commit *commit, struct err_info *err)
{
    (void)b;
    bool broken = breaks();
    if (broken && cut_before)
        return closed(err);
    for (size_t i = 0; i < staged_count; i++)
        assert_int_equal(memory_publish("to", staged[i], NULL, NULL), ERR_OK);
    drop_staged();
    snprintf(staged_note, sizeof staged_note, "%s", commit->note);
    return broken ? closed(err) : ERR_OK;
}

static enum err staged_committed(struct broker *b, const struct commit *of, struct read_place *places,
                                 char *note, size_t size, struct err_info *err)
{
    (void)b, (void)of, (void)places, (void)err;
    snprintf(note, size, "%s", staged_note);
    return ERR_OK;
}

static enum err staged_forget(struct broker *b, const char *claim, struct err_info *err)
{
    (void)b, (void)claim, (void)err;
    staged_note[0] = '\0';
    return ERR_OK;
}

static void stage(void)
{
    breaking.publish_open = staged_open;
    breaking.publish = staged_publish;
    breaking.publish_close = staged_close;
    breaking.commit = staged_commit;
    breaking.committed = staged_committed;
    breaking.forget = staged_forget;
}

static void what_is_committed_is_never_in_doubt(void **state)
{
    (void)state;
    stage();
    for (int i = 0; i < 4; i++) {
        cut_before = i & 1;
        for (int at = 0; at < 53; at += at < 3 || at > 46 ? 1 : 11) {
            staged_note[0] = '\0';
            publish("from", 0, 50);
            struct operation_job job = job_of(i & 2 ? OPERATION_COPY : OPERATION_MOVE);
            atomic_store(&calls_left, at);
            struct operation_progress p = run(&job);
            if (p.state != OPERATION_DONE)
                fail_msg("cut after %d calls: %s, %s", at, operation_state_name(p.state), p.note);
            assert_int_equal(p.counts.done, 50);
            assert_holds("to", 0, 50, 1);
            memory_purge("to");
            memory_purge("from");
        }
    }
}

static enum err forgotten_committed(struct broker *b, const struct commit *of, struct read_place *places,
                                    char *note, size_t size, struct err_info *err)
{
    (void)b, (void)of, (void)places, (void)err;
    snprintf(note, size, "%s", "");
    return ERR_OK;
}

/* It is resumed after so long that the broker no longer knows how far it was. */
static void what_the_broker_has_forgotten_is_in_doubt(void **state)
{
    (void)state;
    stage();
    breaking.committed = forgotten_committed;
    cut_before = false;
    publish("from", 0, 1800);
    struct operation_job job = job_of(OPERATION_MOVE);
    atomic_store(&calls_left, 1801); /* the second commit, whose answer is lost */
    struct operation_progress p = run(&job);
    assert_int_equal(p.state, OPERATION_PARTIAL);
    assert_int_equal(p.counts.done, 1000);
    assert_int_equal(p.counts.in_doubt, 800);
    assert_holds("to", 0, 1800, 1);
    assert_holds("from", 1000, 800, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_move_moves_all_in_order),
        TEST(a_copy_leaves_the_source),
        TEST(what_never_left_is_sent_when_the_line_is_back),
        TEST(what_does_not_match_stays_in_its_order),
        TEST(the_limit_is_kept_to),
        TEST(what_came_later_stays),
        TEST(a_missing_destination_changes_nothing),
        TEST(a_rate_that_was_asked_for_is_reached),
        TEST(its_rate_is_that_of_late_and_not_above_the_limit),
        TEST(what_another_host_has_replayed_is_not_sent_again),
        TEST(what_is_done_is_counted_at_a_low_rate),
        TEST(a_second_replay_waits_for_the_end_of_the_first),
        TEST(dead_letters_go_back_to_where_they_died),
        TEST(what_tells_no_origin_stays_and_is_said),
        TEST(a_replay_that_is_cut_goes_on_to_all_of_them),
        TEST(what_comes_back_late_is_not_taken_for_removed),
        TEST(what_was_on_its_way_to_consumers_is_in_doubt),
        TEST(what_was_replayed_before_is_not_sent_again),
        TEST(a_move_waits_for_one_that_was_interrupted),
        TEST(what_comes_back_again_and_again_is_left),
        TEST(a_line_that_is_cut_before_a_message_loses_none),
        TEST(a_message_whose_confirmation_is_lost_is_not_sent_again),
        TEST(a_line_that_is_cut_while_it_removes_doubles_none),
        TEST(a_copy_that_is_cut_doubles_none),
        TEST(a_copy_of_what_has_no_positions_doubles_none),
        TEST(what_is_committed_is_never_in_doubt),
        TEST(what_the_broker_has_forgotten_is_in_doubt),
        TEST(removals_that_come_back_are_made_again),
        TEST(a_line_that_is_cut_once_it_has_removed_loses_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
