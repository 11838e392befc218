/* Passwords: who waits for whom, how long they are kept, how they are mended, how a command is ended. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/thread.h"
#include "engine/secret.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[128];
static atomic_bool leaving;

static int setup(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/sb-secret-XXXXXX", tmp ? tmp : "/tmp");
    atomic_store(&leaving, false);
    return mkdtemp(folder) ? chdir(folder) : -1;
}

static int teardown(void **state)
{
    (void)state;
    static const char *const files[] = {"go", "started", "runs", "password"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        unlink(files[i]);
    return rmdir(folder);
}

static void write_password(const char *text)
{
    FILE *f = fopen("password", "w");
    assert_non_null(f);
    assert_int_equal(fchmod(fileno(f), 0600), 0);
    fputs(text, f);
    fclose(f);
}

static int runs(void)
{
    struct stat st;
    return stat("runs", &st) == 0 ? (int)st.st_size : 0;
}

static void wait_for_file(const char *name)
{
    int64_t deadline = clock_mono_ns() + 8 * NS_PER_S;
    while (access(name, F_OK) != 0 && clock_mono_ns() < deadline)
        poll(NULL, 0, 5);
    assert_int_equal(access(name, F_OK), 0);
}

static void expect(struct config_password *p, struct secret *into, const char *text)
{
    struct err_info err = {.code = ERR_OK};
    if (secret_get(p, "k", &leaving, into, &err))
        fail_msg("%s", err.text);
    assert_string_equal(into->text, text);
}

/* ---- one who waits ---- */

struct waiter {
    struct config_password *password;
    struct secret secret;
    struct err_info err;
    enum err code;
    pthread_t thread;
};

static void *wait_for_it(void *context)
{
    struct waiter *w = context;
    w->code = secret_get(w->password, "slow", &leaving, &w->secret, &w->err);
    return NULL;
}

static void start(struct waiter *w, struct config_password *p)
{
    *w = (struct waiter){.password = p};
    assert_true(thread_start(&w->thread, wait_for_it, w));
}

/* The first command ends only after the second one has run. */
static void a_slow_command_holds_up_nobody_else(void **state)
{
    (void)state;
    struct config_password slow = {.command = "touch started; until [ -e go ]; do sleep 0.02; done; echo a"};
    struct config_password quick = {.command = "touch go; echo b"};
    struct config_password none = {0};
    struct secret secret = {0};
    struct waiter w;
    start(&w, &slow);
    wait_for_file("started");
    assert_int_equal(secret_get(&none, "none", &leaving, &secret, NULL), ERR_OK);
    assert_null(secret.text);
    assert_int_equal(secret_get(NULL, "none", &leaving, &secret, NULL), ERR_OK);
    expect(&quick, &secret, "b");
    pthread_join(w.thread, NULL);
    assert_int_equal(w.code, ERR_OK);
    assert_string_equal(w.secret.text, "a");
    secret_clear(&w.secret);
    secret_clear(&secret);
    secret_forget(&slow);
    secret_forget(&quick);
}

static void who_wants_the_same_one_waits_for_one_command(void **state)
{
    (void)state;
    struct config_password p = {.command = "printf . >>runs; until [ -e go ]; do sleep 0.02; done; echo a"};
    struct waiter w[4];
    for (size_t i = 0; i < 4; i++)
        start(&w[i], &p);
    wait_for_file("runs");
    assert_int_equal(close(creat("go", 0600)), 0);
    for (size_t i = 0; i < 4; i++) {
        pthread_join(w[i].thread, NULL);
        assert_string_equal(w[i].secret.text, "a");
        secret_clear(&w[i].secret);
    }
    assert_int_equal(runs(), 1);
    secret_forget(&p);
}

/* ---- mending ---- */

static void a_refused_one_is_looked_for_again(void **state)
{
    (void)state;
    struct config_password p = {.file = "password"};
    struct secret first = {0}, second = {0};
    write_password("old\n");
    expect(&p, &first, "old");
    write_password("new\n");
    expect(&p, &second, "old"); /* nobody has refused it */
    secret_refused(&first);
    expect(&p, &second, "new");
    assert_string_equal(first.text, "old"); /* another's copy stays until it lets go */
    secret_refused(&first);                 /* the one before: the new one is not in doubt */
    write_password("newer\n");
    expect(&p, &second, "new");
    secret_refused(&second);
    unlink("password");
    struct err_info err = {.code = ERR_OK};
    assert_int_equal(secret_get(&p, "k", &leaving, &second, &err), ERR_CONFIG);
    assert_null(second.text);
    assert_string_equal(err.where, "k");
    write_password("newest\n");
    expect(&p, &second, "newest");
    secret_clear(&first);
    secret_clear(&second);
    secret_forget(&p);
}

/* A quarter of a second, then twice as long each time, at most five seconds. */
static int most_runs(int64_t spent_ns)
{
    int n = 1;
    for (int64_t pause = NS_PER_S / 4; spent_ns >= pause; n++) {
        spent_ns -= pause;
        pause = pause * 2 < 5 * NS_PER_S ? pause * 2 : 5 * NS_PER_S;
    }
    return n;
}

static void a_command_that_says_the_same_is_not_run_at_every_try(void **state)
{
    (void)state;
    struct config_password p = {.command = "printf . >>runs; echo same"};
    struct secret secret = {0};
    int64_t began = clock_mono_ns();
    while (runs() < 2) {
        expect(&p, &secret, "same");
        secret_refused(&secret);
    }
    for (int i = 0; i < 1000; i++) {
        expect(&p, &secret, "same");
        secret_refused(&secret);
    }
    assert_true(runs() <= most_runs(clock_mono_ns() - began));
    secret_clear(&secret);
    secret_forget(&p);
}

static void a_command_that_says_something_else_is_believed(void **state)
{
    (void)state;
    struct config_password p = {.command = "printf . >>runs; wc -c <runs"};
    struct secret secret = {0};
    int64_t deadline = clock_mono_ns() + 8 * NS_PER_S;
    expect(&p, &secret, "1");
    secret_refused(&secret);
    while (strcmp(secret.text, "1") == 0 && clock_mono_ns() < deadline) {
        poll(NULL, 0, 20);
        assert_int_equal(secret_get(&p, "k", &leaving, &secret, NULL), ERR_OK);
    }
    assert_string_equal(secret.text, "2");
    for (int i = 0; i < 20; i++)
        expect(&p, &secret, "2");
    secret_clear(&secret);
    secret_forget(&p);
}

/* ---- ending ---- */

static void leaving_ends(const char *command)
{
    struct config_password p = {.command = command};
    struct waiter w;
    start(&w, &p);
    wait_for_file("started");
    int64_t began = clock_mono_ns();
    atomic_store(&leaving, true);
    pthread_join(w.thread, NULL);
    assert_int_equal(w.code, ERR_CANCELLED);
    assert_null(w.secret.text);
    assert_true(clock_mono_ns() - began < 5 * NS_PER_S);
}

static void leaving_ends_a_command(void **state)
{
    (void)state;
    leaving_ends("touch started; sleep 100; echo x");
}

static void a_command_that_has_closed_its_output_is_ended_too(void **state)
{
    (void)state;
    leaving_ends("echo x; exec >&-; touch started; sleep 100");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_slow_command_holds_up_nobody_else),
        TEST(who_wants_the_same_one_waits_for_one_command),
        TEST(a_refused_one_is_looked_for_again),
        TEST(a_command_that_says_the_same_is_not_run_at_every_try),
        TEST(a_command_that_says_something_else_is_believed),
        TEST(leaving_ends_a_command),
        TEST(a_command_that_has_closed_its_output_is_ended_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
