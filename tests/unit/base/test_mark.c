/* Marks: who is the last, and what a killed process leaves. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mark.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int setup(void **state)
{
    static char folder[] = "/tmp/sb-mark-XXXXXX";
    (void)state;
    return mkdtemp(folder) && setenv("XDG_STATE_HOME", folder, 1) == 0 ? 0 : -1;
}

static void the_last_one_undoes(void **state)
{
    (void)state;
    struct err_info err;
    bool fresh = false;
    int a = mark_take("last", &fresh, &err);
    assert_true(a >= 0 && fresh);
    assert_int_equal(mark_write(a, "changed\n", &err), ERR_OK);
    int b = mark_take("last", &fresh, &err);
    assert_true(b >= 0 && !fresh);
    assert_int_equal(mark_left("last"), -1);
    assert_false(mark_is_last(a));
    assert_true(mark_is_last(b));
    mark_end(b, "last", true);
    int c = mark_take("last", &fresh, &err);
    assert_true(c >= 0 && fresh);
    assert_true(mark_is_last(c));
    mark_end(c, "last", true);
}

static void a_killed_owner_leaves_it(void **state)
{
    (void)state;
    int ends[2];
    char ready;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        struct err_info err;
        bool fresh;
        int mark = mark_take("killed", &fresh, &err);
        (void)!write(ends[1], mark >= 0 && !mark_write(mark, "x", &err) ? "y" : "n", 1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ends[0], &ready, 1), 1);
    assert_int_equal(ready, 'y');
    assert_int_equal(mark_left("killed"), -1); /* it lives */
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    int mark = mark_left("killed");
    assert_true(clock_wall_ns() - mark_time(mark) < 60 * NS_PER_S);
    assert_true(mark >= 0);
    mark_end(mark, "killed", false); /* could not be undone: the next one finds it again */
    mark = mark_left("killed");
    assert_true(mark >= 0);
    mark_end(mark, "killed", true);
    assert_int_equal(mark_left("killed"), -1);
}

static void count_seen(void *context, const char *name, const char *text)
{
    assert_string_equal(name, "found");
    assert_string_equal(text, "x is on\n");
    ++*(int *)context;
}

static void what_is_left_is_listed(void **state)
{
    (void)state;
    struct err_info err;
    bool fresh;
    int count = 0, held = mark_take("held", &fresh, &err), left = mark_take("found", &fresh, &err);
    assert_int_equal(mark_write(held, "y is on\n", &err), ERR_OK);
    assert_int_equal(mark_write(left, "x is on\n", &err), ERR_OK);
    close(left); /* its owner died */
    mark_each_left(count_seen, &count);
    assert_int_equal(count, 1);
    mark_each_left(count_seen, &count); /* and it is there still */
    assert_int_equal(count, 2);
    mark_end(mark_left("found"), "found", true);
    assert_true(mark_is_last(held));
    mark_end(held, "held", true);
}

static void no_home_is_said(void **state)
{
    (void)state;
    struct err_info err;
    bool fresh;
    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    assert_int_equal(mark_take("x", &fresh, &err), -1);
    assert_int_equal(err.code, ERR_IO);
    assert_int_equal(mark_left("x"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_one_undoes),
        cmocka_unit_test(a_killed_owner_leaves_it),
        cmocka_unit_test(what_is_left_is_listed),
        cmocka_unit_test(no_home_is_said),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
