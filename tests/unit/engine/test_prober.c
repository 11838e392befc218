#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/thread.h"
#include "engine/prober.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 80

/* What the probes and the sink saw, under one lock. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int started[MOST], ended[MOST], inside[MOST], up[MOST], refused[MOST], most_inside, cancelled;
    bool stopped;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct probe_target targets[MOST];

static char names[MOST][4];

/* What a probe is given may be a copy, with its password. */
static int index_of(const struct probe_target *t)
{
    int64_t i = -1;
    assert_true(text_int64(t->name, &i));
    return (int)i;
}

static int setup(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof seen);
    pthread_mutex_init(&seen.lock, NULL);
    thread_cond_init(&seen.changed);
    for (int i = 0; i < MOST; i++) {
        snprintf(names[i], sizeof names[i], "%d", i % MOST);
        targets[i] = (struct probe_target){
            .name = names[i], .kind = "quick", .every_ns = 100 * NS_PER_MS, .timeout_ns = 10 * NS_PER_S};
    }
    return 0;
}

static void enter(const struct probe_target *t)
{
    int i = index_of(t);
    pthread_mutex_lock(&seen.lock);
    seen.started[i]++;
    if (++seen.inside[i] > seen.most_inside)
        seen.most_inside = seen.inside[i];
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
}

static void leave(const struct probe_target *t)
{
    pthread_mutex_lock(&seen.lock);
    seen.inside[index_of(t)]--;
    pthread_mutex_unlock(&seen.lock);
}

static void quick_run(const struct probe_env *env, const struct probe_target *t, int64_t deadline_ns,
                      int cancel_fd, struct sample *sample)
{
    (void)env;
    (void)deadline_ns;
    (void)cancel_fd;
    enter(t);
    sample_init(sample);
    sample->phases.total = 5 * NS_PER_MS;
    leave(t);
}

/* Blocks until it is cancelled. */
static void stuck_run(const struct probe_env *env, const struct probe_target *t, int64_t deadline_ns,
                      int cancel_fd, struct sample *sample)
{
    struct pollfd fd = {.fd = cancel_fd, .events = POLLIN};
    (void)env;
    enter(t);
    poll(&fd, 1, clock_poll_ms(deadline_ns));
    sample_init(sample);
    struct err_info err;
    err_set(&err, ERR_CANCELLED, "cancelled");
    sample_fail(sample, &err);
    leave(t);
}

/* Asynchronous, and done before it returns. */
static void async_start(const struct probe_env *env, const struct probe_target *t, int64_t deadline_ns,
                        probe_done *done, void *context)
{
    struct sample sample;
    (void)deadline_ns;
    assert_non_null(env->http);
    enter(t);
    sample_init(&sample);
    leave(t);
    done(context, &sample);
}

/* ---- those that want a password ---- */

static void judge_password(const struct probe_target *t, struct sample *sample)
{
    struct err_info err;
    sample_init(sample);
    if (t->endpoint.password && strcmp(t->endpoint.password, "new") == 0)
        return;
    err_set(&err, ERR_AUTH, "wrong password");
    sample_fail(sample, &err);
}

static void picky_run(const struct probe_env *env, const struct probe_target *t, int64_t deadline_ns,
                      int cancel_fd, struct sample *sample)
{
    (void)env, (void)deadline_ns, (void)cancel_fd;
    judge_password(t, sample);
}

static void picky_start(const struct probe_env *env, const struct probe_target *t, int64_t deadline_ns,
                        probe_done *done, void *context)
{
    struct sample sample;
    (void)env, (void)deadline_ns;
    judge_password(t, &sample);
    done(context, &sample);
}

static const struct probe_ops picky = {.name = "picky", .run = picky_run};
static const struct probe_ops picky_async = {.name = "picky_async", .start = picky_start};
static const struct probe_ops quick = {.name = "quick", .run = quick_run};
static const struct probe_ops stuck = {.name = "stuck", .run = stuck_run};
static const struct probe_ops async = {.name = "async", .start = async_start};
static const struct registry all = {
    .probes = (const struct probe_ops *const[]){&quick, &stuck, &async, &picky, &picky_async, NULL}};

static void on_sample(void *context, const struct probe_target *t, const struct sample *sample)
{
    (void)context;
    pthread_mutex_lock(&seen.lock);
    assert_false(seen.stopped);
    seen.ended[t - targets]++;
    seen.up[t - targets] += sample->health == HEALTH_UP;
    seen.refused[t - targets] += sample->error == ERR_AUTH;
    seen.cancelled += sample->error == ERR_CANCELLED;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
}

static atomic_bool prepared;

static struct prober *start(size_t count)
{
    struct prober *p = prober_start(targets, count, &all, &(struct prober_host){.sample = on_sample}, NULL);
    assert_non_null(p);
    return p;
}

static void stop(struct prober **p)
{
    int64_t began = clock_mono_ns();
    prober_stop(p);
    assert_null(*p);
    assert_true(clock_mono_ns() - began < 2 * NS_PER_S);
    pthread_mutex_lock(&seen.lock);
    seen.stopped = true;
    pthread_mutex_unlock(&seen.lock);
}

/* Until count[i] reaches at_least; gives the time. Fails after ten seconds. */
static int64_t wait_for(const int *count, int at_least)
{
    int64_t deadline = clock_mono_ns() + 10 * NS_PER_S;
    pthread_mutex_lock(&seen.lock);
    while (*count < at_least && clock_mono_ns() < deadline)
        thread_cond_wait_until(&seen.changed, &seen.lock, deadline);
    bool reached = *count >= at_least;
    pthread_mutex_unlock(&seen.lock);
    assert_true(reached);
    return clock_mono_ns();
}

static enum err slow_prepare(void *context, const struct probe_target *t, struct secret *into,
                             struct err_info *err)
{
    (void)context, (void)into;
    if (t == &targets[2])
        return err_set(err, ERR_CONFIG, "no password");
    while (t == &targets[0] && !atomic_load(&prepared))
        sched_yield();
    return ERR_OK;
}

/* A password that takes its time holds up its own target alone; one that isn't there is a sample. */
static void a_preparation_delays_nobody_else(void **state)
{
    (void)state;
    struct prober_host host = {.sample = on_sample, .prepare = slow_prepare};
    atomic_store(&prepared, false);
    targets[0].kind = targets[1].kind = "async";
    struct prober *p = prober_start(targets, 3, &all, &host, NULL);
    assert_non_null(p);
    wait_for(&seen.ended[1], 2);
    wait_for(&seen.ended[2], 1);
    assert_int_equal(seen.ended[0], 0);
    atomic_store(&prepared, true);
    wait_for(&seen.ended[0], 2);
    stop(&p);
}

static struct config_password from_file[2];

static enum err prepare_from_file(void *context, const struct probe_target *t, struct secret *into,
                                  struct err_info *err)
{
    static const atomic_bool never;
    (void)context;
    return secret_get(&from_file[t - targets], t->name, &never, into, err);
}

static void write_password(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void a_password_that_was_mended_is_seen(void **state)
{
    (void)state;
    char path[128];
    const char *tmp = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/sb-prober-XXXXXX", tmp ? tmp : "/tmp");
    close(mkstemp(path));
    write_password(path, "old");
    from_file[0] = from_file[1] = (struct config_password){.file = path};
    targets[0].kind = "picky";
    targets[1].kind = "picky_async";
    struct prober_host host = {.sample = on_sample, .prepare = prepare_from_file};
    struct prober *p = prober_start(targets, 2, &all, &host, NULL);
    assert_non_null(p);
    wait_for(&seen.refused[0], 2);
    wait_for(&seen.refused[1], 2);
    write_password(path, "new");
    wait_for(&seen.up[0], 2);
    wait_for(&seen.up[1], 2);
    stop(&p);
    secret_forget(&from_file[0]);
    secret_forget(&from_file[1]);
    unlink(path);
}

static void everybody_at_their_own_interval(void **state)
{
    (void)state;
    targets[1].kind = "async";
    targets[2].every_ns = 100 * NS_PER_S;
    int64_t began = clock_mono_ns();
    struct prober *p = start(3);
    wait_for(&seen.ended[0], 5);
    wait_for(&seen.ended[1], 5);
    wait_for(&seen.ended[2], 1);
    assert_true(clock_mono_ns() - began >= 400 * NS_PER_MS);
    stop(&p);
    assert_int_equal(seen.ended[2], 1);
}

static void slow_ones_delay_nobody_and_never_overlap(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++)
        targets[i].kind = "stuck";
    struct prober *p = start(41);
    wait_for(&seen.ended[40], 4);
    for (int i = 0; i < 40; i++)
        wait_for(&seen.started[i], 1);
    stop(&p);
    for (int i = 0; i < 40; i++)
        assert_int_equal(seen.started[i], 1);
    assert_int_equal(seen.most_inside, 1);
    assert_int_equal(seen.cancelled, 40);
}

/* More than there may be workers: the rest waits, and stopping is quick all the same. */
static void more_stuck_ones_than_workers(void **state)
{
    (void)state;
    for (int i = 0; i < MOST; i++)
        targets[i].kind = "stuck";
    struct prober *p = start(MOST);
    for (int i = 0; i < 60; i++)
        wait_for(&seen.started[i], 1);
    stop(&p);
}

static void refresh_runs_all_now(void **state)
{
    (void)state;
    targets[0].every_ns = targets[1].every_ns = 1000 * NS_PER_S;
    struct prober *p = start(2);
    wait_for(&seen.ended[0], 1);
    wait_for(&seen.ended[1], 1);
    prober_refresh(p);
    wait_for(&seen.ended[0], 2);
    wait_for(&seen.ended[1], 2);
    stop(&p);
}

static void an_unknown_kind_is_down_and_hides_nobody(void **state)
{
    (void)state;
    targets[0].kind = "semaphore";
    struct prober *p = start(2);
    wait_for(&seen.ended[0], 2);
    wait_for(&seen.ended[1], 2);
    stop(&p);
}

static void nothing_to_do(void **state)
{
    (void)state;
    struct prober *p = start(0);
    prober_refresh(p);
    stop(&p);
    prober_stop(&p);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_preparation_delays_nobody_else),
        TEST(a_password_that_was_mended_is_seen),
        TEST(everybody_at_their_own_interval),
        TEST(slow_ones_delay_nobody_and_never_overlap),
        TEST(more_stuck_ones_than_workers),
        TEST(refresh_runs_all_now),
        TEST(an_unknown_kind_is_down_and_hides_nobody),
        TEST(nothing_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
