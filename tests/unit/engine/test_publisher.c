/* The publisher with the memory broker, and with drivers that wait, fail and answer nothing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "brokers/memory/memory.h"
#include "brokers/memory/memory_server.h"
#include "engine/publisher.h"

#include <poll.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static struct endpoint endpoint = {.name = "memory", .text = "memory:"};
static int done_fd;
static atomic_int asked, stepped;
static atomic_bool more;

static int setup(void **state)
{
    (void)state;
    memory_reset();
    done_fd = eventfd(0, EFD_NONBLOCK);
    atomic_store(&asked, 0);
    atomic_store(&stepped, 0);
    atomic_store(&more, true);
    return memory_declare("orders", CHANNEL_QUEUE, NULL, NULL);
}

static int teardown(void **state)
{
    (void)state;
    close(done_fd);
    memory_reset();
    return 0;
}

static void give(struct message *m)
{
    *m = (struct message){.payload = BYTES_LITERAL("x"), .time_ns = TIME_NONE};
}

static enum err three(void *context, struct message *m, struct err_info *err)
{
    (void)context, (void)err;
    give(m);
    return atomic_fetch_add(&asked, 1) < 3 ? ERR_OK : ERR_END;
}

/* An input that has nothing for as long as `more`, after its first message. */
static enum err slow(void *context, struct message *m, struct err_info *err)
{
    (void)context, (void)err;
    give(m);
    if (atomic_fetch_add(&asked, 1) == 0)
        return ERR_OK;
    poll(NULL, 0, 1);
    return atomic_load(&more) ? ERR_BUSY : ERR_END;
}

static struct publish_job job_of(const struct broker_ops *ops,
                                 enum err (*next)(void *, struct message *, struct err_info *))
{
    return (struct publish_job){
        .ops = ops, .endpoint = &endpoint, .request = {.to = {CHANNEL_QUEUE, "orders"}}, .next = next};
}

static bool ended_soon(struct publisher *p)
{
    int64_t deadline = clock_mono_ns() + 10 * NS_PER_S;
    while (!publisher_ended(p) && clock_mono_ns() < deadline)
        poll(&(struct pollfd){.fd = done_fd, .events = POLLIN}, 1, 100);
    return publisher_ended(p);
}

static void all_are_confirmed(void **state)
{
    (void)state;
    struct publish_job job = job_of(&memory_broker, three);
    struct publish_result r;
    struct publisher *p = publisher_start(&job, done_fd, NULL);
    assert_true(ended_soon(p));
    publisher_join(&p, &r);
    assert_int_equal(r.handed, 3);
    assert_int_equal(r.confirmed, 3);
    assert_int_equal(r.err.code, ERR_OK);
}

static enum err counting_step(struct broker *b, int timeout_ms, size_t *pending, struct err_info *err)
{
    atomic_fetch_add(&stepped, 1);
    return memory_broker.publish_step(b, timeout_ms, pending, err);
}

/* What was sent gets its answers, and the connection its heartbeats. */
static void a_slow_input_leaves_the_broker_served(void **state)
{
    (void)state;
    struct broker_ops ops = memory_broker;
    ops.publish_step = counting_step;
    struct publish_job job = job_of(&ops, slow);
    struct publish_result r;
    struct publisher *p = publisher_start(&job, done_fd, NULL);
    int64_t deadline = clock_mono_ns() + 10 * NS_PER_S;
    while (atomic_load(&stepped) < 5)
        assert_true(clock_mono_ns() < deadline);
    struct publisher_count now = publisher_count(p);
    assert_true(now.connected);
    assert_int_equal(now.confirmed, 1);
    assert_int_equal(now.outstanding, 0);
    atomic_store(&more, false);
    assert_true(ended_soon(p));
    publisher_join(&p, &r);
    assert_int_equal(r.confirmed, 1);
}

static void a_cancel_ends_the_wait_for_a_slow_input(void **state)
{
    (void)state;
    struct publish_job job = job_of(&memory_broker, slow);
    struct publish_result r;
    struct publisher *p = publisher_start(&job, done_fd, NULL);
    int64_t deadline = clock_mono_ns() + 10 * NS_PER_S;
    while (atomic_load(&asked) < 3)
        assert_true(clock_mono_ns() < deadline);
    publisher_cancel(p);
    assert_true(ended_soon(p));
    publisher_join(&p, &r);
    assert_int_equal(r.confirmed, 1);
    assert_int_equal(r.err.code, ERR_CANCELLED);
}

static sem_t opening, poked;

static enum err mute_open(struct broker *b, struct err_info *err)
{
    (void)b;
    sem_post(&opening);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    return err_set(err, sem_timedwait(&poked, &until) ? ERR_TIMEOUT : ERR_CANCELLED, "interrupted");
}

static void poke(struct broker *b)
{
    (void)b;
    sem_post(&poked);
}

/* A host that takes the connection and says nothing. */
static void a_cancel_interrupts_the_connecting(void **state)
{
    (void)state;
    struct broker_ops ops = memory_broker;
    ops.open = mute_open;
    ops.interrupt = poke;
    ops.close = poke;
    sem_init(&opening, 0, 0);
    sem_init(&poked, 0, 0);
    struct publish_job job = job_of(&ops, three);
    struct publish_result r;
    struct publisher *p = publisher_start(&job, done_fd, NULL);
    sem_wait(&opening);
    assert_false(publisher_count(p).connected);
    publisher_cancel(p);
    assert_true(ended_soon(p));
    publisher_join(&p, &r);
    assert_int_equal(r.err.code, ERR_CANCELLED);
    assert_int_equal(r.handed, 0);
}

static struct publish_sink answers;

static enum err lost_open(struct broker *b, const struct publish_request *request,
                          const struct publish_sink *sink, struct err_info *err)
{
    (void)b, (void)request, (void)err;
    answers = *sink;
    return ERR_OK;
}

static enum err lost_publish(struct broker *b, size_t to, const struct message *m, uint64_t token,
                             struct err_info *err)
{
    (void)b, (void)to, (void)m, (void)err;
    struct publish_outcome o = {.token = token, .outcome = token == 1 ? OUTCOME_UNKNOWN : OUTCOME_CONFIRMED};
    answers.outcome(answers.context, &o);
    return ERR_OK;
}

static enum err lost_step(struct broker *b, int timeout_ms, size_t *pending, struct err_info *err)
{
    (void)b, (void)timeout_ms, (void)err;
    *pending = 0;
    return ERR_OK;
}

static void lost_close(struct broker *b)
{
    (void)b;
}

/* Whatever comes behind a message of which nobody knows would come out of order. */
static void a_message_without_an_answer_ends_it(void **state)
{
    (void)state;
    struct broker_ops ops = memory_broker;
    ops.publish_open = lost_open;
    ops.publish = lost_publish;
    ops.publish_step = lost_step;
    ops.publish_close = lost_close;
    struct publish_job job = job_of(&ops, three);
    struct publish_result r;
    struct publisher *p = publisher_start(&job, done_fd, NULL);
    assert_true(ended_soon(p));
    publisher_join(&p, &r);
    assert_int_equal(r.handed, 2);
    assert_int_equal(r.confirmed, 1);
    assert_int_not_equal(r.err.code, ERR_OK);
}

static void a_deadline_ends_the_wait_for_a_slow_input(void **state)
{
    (void)state;
    struct publish_job job = job_of(&memory_broker, slow);
    struct publish_result r;
    job.deadline_ns = clock_mono_ns() + NS_PER_S / 5;
    struct publisher *p = publisher_start(&job, done_fd, NULL);
    assert_true(ended_soon(p));
    assert_true(clock_mono_ns() >= job.deadline_ns);
    publisher_join(&p, &r);
    assert_int_equal(r.confirmed, 1);
    assert_int_equal(r.err.code, ERR_TIMEOUT);
}

static enum err stuck_publish(struct broker *b, size_t to, const struct message *m, uint64_t token,
                              struct err_info *err)
{
    struct timespec until;
    (void)b, (void)to, (void)m, (void)token;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    return err_set(err, sem_timedwait(&poked, &until) ? ERR_FAILED : ERR_CLOSED, "a socket error occurred");
}

static void poke_given_up(struct broker *b)
{
    if (atomic_load(b->given_up))
        sem_post(&poked);
}

/* A socket that takes no more: only the connection's end gets a library out of it. */
static void what_sticks_behind_the_deadline_is_given_up(void **state)
{
    (void)state;
    struct broker_ops ops = memory_broker;
    ops.publish = stuck_publish;
    ops.interrupt = poke_given_up;
    sem_init(&poked, 0, 0);
    struct publish_job job = job_of(&ops, three);
    struct publish_result r;
    int64_t start = clock_mono_ns();
    job.deadline_ns = start + NS_PER_S / 10;
    struct publisher *p = publisher_start(&job, done_fd, NULL);
    while (clock_mono_ns() < job.deadline_ns)
        poll(NULL, 0, 10);
    assert_false(publisher_ended(p));
    publisher_join(&p, &r);
    assert_true(clock_mono_ns() - start < 5 * NS_PER_S);
    assert_int_equal(r.handed, 0);
    assert_int_equal(r.err.code, ERR_TIMEOUT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_are_confirmed),
        TEST(a_slow_input_leaves_the_broker_served),
        TEST(a_cancel_ends_the_wait_for_a_slow_input),
        TEST(a_cancel_interrupts_the_connecting),
        TEST(a_message_without_an_answer_ends_it),
        TEST(a_deadline_ends_the_wait_for_a_slow_input),
        TEST(what_sticks_behind_the_deadline_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
