/* A lease of the RabbitMQ driver that is cut off: what is not removed comes back, and what was removed for certain does not.
 * needs: rabbitmq
 * alone
 * timeout: 300 */
#include "tests/integration/rabbit_lease.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define ALL 4000

/* What a killed process had done: all below `removed` but each fifth. */
struct done {
    _Atomic int handed, synced;
    bool slow; /* so that there is time for a broker to be killed */
};

static enum choice hold_each_fifth(int number)
{
    return number % 5 == 0 ? HOLD : REMOVE;
}

/* As an operation does: settles as it goes, and makes sure from time to time. */
static void work(struct leasing *l, struct done *done)
{
    enum err e = ERR_OK;
    while (!e) {
        e = rabbitmq_broker.lease_step(&l->s->broker, 100, &l->s->err);
        if (e && e != ERR_END)
            return;
        atomic_store(&done->handed, (int)l->count);
        for (; l->settled < l->count; l->settled++) {
            bool hold = hold_each_fifth(l->taken[l->settled].number) == HOLD;
            if (rabbitmq_broker.settle(&l->s->broker, l->taken[l->settled].handle,
                                       hold ? SETTLE_KEEP : SETTLE_REMOVE, &l->s->err))
                return;
        }
        if (rabbitmq_broker.settle_sync(&l->s->broker, &l->s->err))
            return;
        atomic_store(&done->synced, (int)l->settled);
        if (done->slow)
            usleep(50000);
    }
}

static struct done *shared_done(void)
{
    struct done *done = mmap(NULL, sizeof *done, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(done != MAP_FAILED);
    return done;
}

static size_t take_more(struct rig *rig, const char *queue, bool there[ALL])
{
    static int left[MOST];
    size_t n = rig_take_all(rig, queue, left, MOST);
    for (size_t i = 0; i < n; i++) {
        if (there[left[i]])
            fail_msg("%d is there twice", left[i]);
        there[left[i]] = true;
    }
    return n;
}

/* One that was not handed over, or was held; -1: none. */
static int first_lost(const bool there[ALL], const struct done *done)
{
    for (int i = 0; i < ALL; i++)
        if (!there[i] && (i >= done->handed || hold_each_fifth(i) == HOLD))
            return i;
    return -1;
}

/* Whatever is there now was not removed for certain; whatever was not handed over, or was held, is there: a quorum queue that has just come
 * up says for a while that it is empty. */
static void account(struct rig *rig, const char *queue, const struct done *done, bool removals_last)
{
    static bool there[ALL];
    size_t n = 0, again = 0;
    int64_t deadline = clock_mono_ns() + 30 * NS_PER_S;
    memset(there, 0, sizeof there);
    while ((n += take_more(rig, queue, there), first_lost(there, done) >= 0) && clock_mono_ns() < deadline)
        usleep(100000);
    if (first_lost(there, done) >= 0)
        fail_msg("%d of %s is lost (%d were handed over)", first_lost(there, done), queue, done->handed);
    for (int i = 0; i < ALL; i++)
        again += there[i] && i < done->synced && hold_each_fifth(i) == REMOVE;
    print_message("%s: %d handed over, %d for certain, %zu left, %zu of these were removed\n", queue,
                  done->handed, done->synced, n, again);
    if (removals_last)
        assert_int_equal(again, 0);
}

/* Its consumers go with its connection, and give back what they hold. */
static void wait_without_consumers(struct rig *rig, const char *queue)
{
    int64_t deadline = clock_mono_ns() + 15 * NS_PER_S;
    const amqp_queue_declare_ok_t *ok;
    do {
        assert_true(clock_mono_ns() < deadline);
        usleep(200000);
        ok = amqp_queue_declare(rig->connection, rig->channel, amqp_cstring_bytes(queue), 1, 0, 0, 0,
                                amqp_empty_table);
        assert_non_null(ok);
    } while (ok->consumer_count > 0);
}

static void a_killed_lease_returns_what_is_left(void **state)
{
    struct rig *rig = *state;
    const char *const types[] = {"classic", "quorum"};
    for (unsigned i = 0; i < 6; i++) {
        struct done *done = shared_done();
        char queue[64];
        rig_queue(rig, "killed", types[i % 2], NULL, queue);
        rig_fill_lasting(rig, queue, ALL, false);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            work(leasing_of(queue, 200, -1), done);
            pause();
        }
        while (atomic_load(&done->handed) < (int)(i * 500))
            usleep(200);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        wait_without_consumers(rig, queue);
        account(rig, queue, done, true);
        munmap(done, sizeof *done);
    }
}

static void *work_beside(void *context)
{
    void **both = context;
    work(both[0], both[1]);
    return NULL;
}

static void start_broker(void)
{
    assert_int_equal(lab_shell("tests/lab/lab start rabbitmq", NULL, 0), 0);
}

/* The broker is killed amid a lease. A classic queue may have forgotten removals, which is said in rabbitmq_settle.c. */
static void a_killed_broker_keeps_what_is_left(void **state)
{
    rig_close(*state); /* it would die with the broker */
    const char *const types[] = {"classic", "quorum"};
    for (unsigned i = 0; i < 2; i++) {
        struct rig *rig = rig_open("/");
        struct done done = {.slow = true};
        char queue[64], name[64];
        rig_queue(rig, "restarted", types[i], NULL, queue);
        snprintf(name, sizeof name, "%s", queue);
        rig_fill_lasting(rig, queue, ALL, false);
        sleep(2); /* a classic queue writes its index now and then */
        struct leasing *l = leasing_of(queue, 100, -1);
        void *both[] = {l, &done};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, work_beside, both), 0);
        while (atomic_load(&done.synced) < 1000)
            usleep(200);
        assert_int_equal(lab_shell("tests/lab/lab kill rabbitmq", NULL, 0), 0);
        pthread_join(thread, NULL);
        assert_true(atomic_load(&done.synced) < ALL);
        (void)!rabbitmq_broker.lease_close(&l->s->broker, &l->returned, &l->s->err);
        leasing_end(l);
        amqp_destroy_connection(rig->connection);
        free(rig);
        start_broker();
        rig = rig_open("/");
        rig_remember(rig, 'q', name);
        account(rig, name, &done, i == 1);
        rig_close(rig);
    }
}

static int up_again(void **state)
{
    (void)state;
    start_broker();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_lease_returns_what_is_left),
        cmocka_unit_test_teardown(a_killed_broker_keeps_what_is_left, up_again),
    };
    return rig_run(tests, NULL);
}
