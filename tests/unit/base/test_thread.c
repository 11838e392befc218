#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/thread.h"

#include <signal.h>

static void *look_at_mask(void *argument)
{
    sigset_t *mask = argument;
    pthread_sigmask(SIG_SETMASK, NULL, mask);
    return NULL;
}

static void signals_stay_with_who_starts_it(void **state)
{
    (void)state;
    pthread_t thread;
    sigset_t inside, before, after;
    sigemptyset(&inside);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_true(thread_start(&thread, look_at_mask, &inside));
    pthread_join(thread, NULL);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_true(sigismember(&inside, SIGINT) && sigismember(&inside, SIGWINCH) &&
                sigismember(&inside, SIGTERM));
    assert_int_equal(sigismember(&after, SIGINT), sigismember(&before, SIGINT));
}

static void deadlines_are_monotonic(void **state)
{
    (void)state;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    int64_t deadline = clock_mono_ns() + 20 * NS_PER_MS;
    thread_cond_init(&cond);
    pthread_mutex_lock(&lock);
    while (clock_mono_ns() < deadline)
        thread_cond_wait_until(&cond, &lock, deadline);
    pthread_mutex_unlock(&lock);
    pthread_cond_destroy(&cond);
    assert_true(clock_mono_ns() - deadline < NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_stay_with_who_starts_it),
        cmocka_unit_test(deadlines_are_monotonic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
