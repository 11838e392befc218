/* Small files in the state directory. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/state.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/sb-state-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    return setenv("XDG_STATE_HOME", folder, 1);
}

static int teardown(void **state)
{
    char path[STATE_PATH_SIZE];
    (void)state;
    if (state_path("", path, sizeof path))
        rmdir(path);
    return rmdir(folder);
}

static void a_text_is_kept_replaced_and_removed(void **state)
{
    char text[64], path[STATE_PATH_SIZE];
    struct stat st;
    (void)state;
    assert_false(state_read("look", text, sizeof text));
    assert_int_equal(state_write("look", "one", NULL), ERR_OK);
    assert_true(state_read("look", text, sizeof text));
    assert_string_equal(text, "one");
    assert_int_equal(state_write("look", "another", NULL), ERR_OK);
    assert_true(state_read("look", text, 4));
    assert_string_equal(text, "ano");
    assert_true(state_path("look", path, sizeof path));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(state_write("look", "", NULL), ERR_OK);
    assert_false(state_read("look", text, sizeof text));
    assert_int_equal(state_write("look", "", NULL), ERR_OK); /* it is not there: that is what was wanted */
}

static void without_a_home_it_says_so(void **state)
{
    struct err_info err;
    char text[8];
    (void)state;
    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    assert_int_equal(state_write("look", "one", &err), ERR_IO);
    assert_non_null(strstr(err.text, "HOME"));
    assert_false(state_read("look", text, sizeof text));
}

static void a_folder_that_cannot_be_made_is_said(void **state)
{
    struct err_info err;
    (void)state;
    setenv("XDG_STATE_HOME", "/proc/nothing", 1);
    assert_int_equal(state_write("look", "one", &err), ERR_IO);
    assert_non_null(strstr(err.text, "/proc/nothing"));
    assert_int_equal(state_check(&err), ERR_IO);
    assert_non_null(strstr(err.text, "/proc/nothing/signalbox"));
    assert_non_null(strstr(err.next, "XDG_STATE_HOME"));
    setenv("XDG_STATE_HOME", folder, 1);
    assert_int_equal(state_check(&err), ERR_OK);
}

/* The calls that clean up after a failure have failures of their own. */
static bool cleaning_fails;
int __real_close(int fd);
int __wrap_close(int fd);
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);

int __wrap_close(int fd)
{
    int n = __real_close(fd);
    errno = cleaning_fails ? EBADF : errno;
    return cleaning_fails ? -1 : n;
}

int __wrap_unlink(const char *path)
{
    int n = __real_unlink(path);
    errno = cleaning_fails ? EROFS : errno;
    return cleaning_fails ? -1 : n;
}

static void the_first_reason_is_the_one_that_is_said(void **state)
{
    struct err_info err;
    char path[STATE_PATH_SIZE];
    (void)state;
    assert_true(state_path("look", path, sizeof path));
    assert_true(state_make_folder(path));
    assert_int_equal(mkdir(path, 0700), 0); /* nothing can be renamed to it */
    cleaning_fails = true;
    assert_int_equal(state_write("look", "one", &err), ERR_IO);
    cleaning_fails = false;
    assert_non_null(strstr(err.text, strerror(EISDIR)));
    assert_int_equal(rmdir(path), 0);
}

static void a_disk_that_is_full_half_way_is_said(void **state)
{
    struct err_info err;
    char text[8];
    struct rlimit before, small;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 2;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    errno = EINTR;
    enum err e = state_write("look", "three", &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(e, ERR_IO);
    assert_non_null(strstr(err.text, strerror(EFBIG)));
    assert_false(state_read("look", text, sizeof text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_text_is_kept_replaced_and_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(the_first_reason_is_the_one_that_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(a_disk_that_is_full_half_way_is_said, setup, teardown),
        cmocka_unit_test(without_a_home_it_says_so),
        cmocka_unit_test(a_folder_that_cannot_be_made_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
