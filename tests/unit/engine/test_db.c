#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "engine/db.h"

static char folder[64], path[96];
static const char *const first[] = {"CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, raw BLOB)", NULL};
static const char *const second[] = {"CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, raw BLOB)",
                                     "ALTER TABLE t ADD COLUMN more INTEGER NOT NULL DEFAULT 7", NULL};

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/signalbox-db-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/journal.db", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static struct db *open_db(const char *const *steps)
{
    struct err_info err = {.code = ERR_OK};
    struct db *db = db_open(path, steps, &err);
    if (!db)
        fail_msg("%s", err.text);
    return db;
}

static void add(struct db *db, const char *name, struct bytes raw)
{
    struct db_statement *s = db_prepare(db, "INSERT INTO t(name, raw) VALUES(?, ?)", NULL);
    assert_non_null(s);
    db_bind_text(s, 1, name);
    db_bind_bytes(s, 2, raw);
    assert_int_equal(db_run(s, NULL), ERR_OK);
    db_finish(&s);
}

static int64_t count(struct db *db)
{
    struct db_statement *s = db_prepare(db, "SELECT count(*) FROM t", NULL);
    assert_int_equal(db_step(s, NULL), ERR_OK);
    int64_t n = db_int(s, 0);
    db_finish(&s);
    return n;
}

static void null_and_empty_differ(void **state)
{
    (void)state;
    struct db *db = open_db(first);
    add(db, NULL, BYTES_NULL);
    add(db, "", BYTES_LITERAL(""));
    add(db, "a", BYTES_LITERAL("\0\xff"));
    struct db_statement *s = db_prepare(db, "SELECT name, raw FROM t ORDER BY id", NULL);
    assert_int_equal(db_step(s, NULL), ERR_OK);
    assert_null(db_text(s, 0));
    assert_true(bytes_is_null(db_bytes(s, 1)));
    assert_int_equal(db_step(s, NULL), ERR_OK);
    assert_string_equal(db_text(s, 0), "");
    assert_true(bytes_equal(db_bytes(s, 1), BYTES_LITERAL("")));
    assert_int_equal(db_step(s, NULL), ERR_OK);
    assert_true(bytes_equal(db_bytes(s, 1), BYTES_LITERAL("\0\xff")));
    assert_int_equal(db_step(s, NULL), ERR_END);
    assert_int_equal(db_step(s, NULL), ERR_OK); /* once more from the first */
    db_finish(&s);
    db_close(&db);
}

static void what_was_committed_is_there_again(void **state)
{
    (void)state;
    struct db *db = open_db(first);
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    add(db, "kept", BYTES_NULL);
    assert_int_equal(db_commit(db, NULL), ERR_OK);
    assert_int_equal(db_begin(db, NULL), ERR_OK);
    add(db, "lost", BYTES_NULL);
    assert_true(db_in_transaction(db));
    db_close(&db);
    db = open_db(first);
    assert_int_equal(count(db), 1);
    db_close(&db);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_file_is_brought_up_and_never_down(void **state)
{
    (void)state;
    struct err_info err = {.code = ERR_OK};
    struct db *db = open_db(first);
    add(db, "old", BYTES_NULL);
    db_close(&db);
    for (int i = 0; i < 2; i++) {
        db = open_db(second);
        struct db_statement *s = db_prepare(db, "SELECT more FROM t", NULL);
        assert_int_equal(db_step(s, NULL), ERR_OK);
        assert_int_equal(db_int(s, 0), 7);
        db_finish(&s);
        db_close(&db);
    }
    assert_null(db_open(path, first, &err));
    assert_int_equal(err.code, ERR_FORMAT);
    assert_non_null(strstr(err.text, "later version"));
}

static void what_is_no_database_is_refused_and_left_alone(void **state)
{
    (void)state;
    struct err_info err = {.code = ERR_OK};
    FILE *f = fopen(path, "w");
    for (int i = 0; i < 200; i++)
        fputs("this is no database\n", f);
    fclose(f);
    assert_null(db_open(path, first, &err));
    assert_int_equal(err.code, ERR_FORMAT);
    assert_string_equal(err.where, path);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 4000);
    assert_null(db_open("/nowhere/at/all.db", first, &err));
    assert_int_equal(err.code, ERR_IO);
}

static void a_wrong_statement_is_said(void **state)
{
    (void)state;
    struct err_info err = {.code = ERR_OK};
    struct db *db = open_db(first);
    assert_null(db_prepare(db, "SELECT nothing FROM t", &err));
    assert_non_null(strstr(err.text, "nothing"));
    db_close(&db);
}

/* As another process would see it: an exclusive lock on what SQLite's readers share (sqlite3.c: SHARED_FIRST). */
static bool another_could_lock(void)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(path, O_RDWR);
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000002, .l_len = 510};
        _exit(fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status) != 0;
}

/* A process that closes any descriptor of a file loses all its locks on it; the last one to close the journal removes its log. */
static void a_second_opening_leaves_the_first_one_its_locks(void **state)
{
    (void)state;
    struct db *one = open_db(first);
    add(one, "a", BYTES_NULL);
    assert_false(another_could_lock());
    struct db *two = open_db(first);
    assert_false(another_could_lock());
    db_close(&two);
    assert_false(another_could_lock());
    db_close(&one);
}

static void *open_and_close(void *context)
{
    struct err_info *err = context;
    for (int i = 0; i < 3; i++) {
        struct db *db = db_open(path, first, err);
        if (!db)
            break;
        add(db, "a", BYTES_NULL);
        db_close(&db);
    }
    return NULL;
}

/* The first to come makes the log, the last to leave takes it away: meanwhile SQLite refuses at once, whatever time it was given. */
static void those_that_come_and_leave_at_once_wait_for_each_other(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        pthread_t threads[3];
        struct err_info errs[3] = {{.code = ERR_OK}};
        snprintf(path, sizeof path, "%s/%d.db", folder, round);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, &errs[i]), 0);
        for (size_t i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
        for (size_t i = 0; i < 3; i++)
            if (errs[i].code)
                fail_msg("%s", errs[i].text);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(null_and_empty_differ),
        TEST(what_was_committed_is_there_again),
        TEST(a_file_is_brought_up_and_never_down),
        TEST(what_is_no_database_is_refused_and_left_alone),
        TEST(a_wrong_statement_is_said),
        TEST(a_second_opening_leaves_the_first_one_its_locks),
        TEST(those_that_come_and_leave_at_once_wait_for_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
