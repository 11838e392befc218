#include "engine/db.h"

#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUSY_MS 5000
#define STEP_MS 10 /* between two tries */

struct db {
    sqlite3 *handle;
    char *path;
};

struct db_statement {
    struct db *db;
    sqlite3_stmt *handle;
};

static enum err fail(const struct db *db, int code, struct err_info *err)
{
    enum err e = ERR_IO;
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        e = err_set(err, ERR_BUSY, "another signalbox writes to it for longer than %d s", BUSY_MS / 1000);
        break;
    case SQLITE_FULL:
        err_set(err, e, "the disk is full");
        err_next(err, "make room on it, then go on: `signalbox resume`");
        break;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        e = err_set(err, ERR_FORMAT, "damaged, or no database: %s", sqlite3_errmsg(db->handle));
        break;
    case SQLITE_NOMEM: e = err_set(err, ERR_NOMEM, "no memory for the database"); break;
    default: err_set(err, e, "%s", db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code));
    }
    err_where(err, "%s", db->path);
    return e;
}

static enum err run_text(struct db *db, const char *sql, struct err_info *err)
{
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? ERR_OK : fail(db, code, err);
}

static enum err read_version(struct db *db, int64_t *version, struct err_info *err)
{
    struct db_statement *s = db_prepare(db, "PRAGMA user_version", err);
    enum err e = s ? db_step(s, err) : err->code;
    *version = e ? 0 : db_int(s, 0);
    db_finish(&s);
    return e;
}

static enum err write_version(struct db *db, int64_t version, struct err_info *err)
{
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA user_version=%d", (int)version);
    return run_text(db, sql, err);
}

/* Under the write lock, so that two that come at once take the steps once. */
static enum err bring_up(struct db *db, const char *const *steps, struct err_info *err)
{
    int64_t version = 0, count = 0;
    while (steps[count])
        count++;
    enum err e = db_begin(db, err);
    if (!e)
        e = read_version(db, &version, err);
    if (!e && version > count) {
        e = err_set(err, ERR_FORMAT, "written by a later version of signalbox");
        err_where(err, "%s", db->path);
    }
    for (int64_t v = version; !e && v < count; v++)
        e = run_text(db, steps[v], err);
    if (!e && version < count)
        e = write_version(db, count, err);
    if (!e)
        return db_commit(db, err);
    db_rollback(db);
    return e;
}

/* SQLite would make it by the umask. One that is there must not be opened: closing it again would take all of this process's locks on it
 * away (fcntl(2)), also those of a connection that is open, and another process would remove that one's log as the last to leave. */
static enum err make_file(const struct db *db, struct err_info *err)
{
    int fd = open(db->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    if (fd >= 0 || errno == EEXIST)
        return ERR_OK;
    err_set(err, ERR_IO, "%s", strerror(errno));
    err_where(err, "%s", db->path);
    return ERR_IO;
}

/* While another one makes the log, or takes it away, SQLite refuses at once, whatever time it was given. */
static enum err settle_journal(struct db *db, struct err_info *err)
{
    struct err_info why = {.code = ERR_OK};
    for (int waited = 0;; waited += STEP_MS) {
        enum err e =
            run_text(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON", &why);
        if (e && (e != ERR_BUSY || waited >= BUSY_MS))
            *err = why;
        if (e != ERR_BUSY || waited >= BUSY_MS)
            return e;
        poll(NULL, 0, STEP_MS);
    }
}

static enum err open_file(struct db *db, const char *const *steps, struct err_info *err)
{
    enum err e = make_file(db, err);
    if (e)
        return e;
    int code = sqlite3_open_v2(db->path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK)
        return fail(db, code, err);
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, BUSY_MS);
    e = settle_journal(db, err);
    return e ? e : bring_up(db, steps, err);
}

struct db *db_open(const char *path, const char *const *steps, struct err_info *err)
{
    struct err_info unheard = {.code = ERR_OK};
    struct db *db = calloc(1, sizeof *db);
    err = err ? err : &unheard;
    if (db)
        db->path = strdup(path);
    if (!db || !db->path)
        err_set(err, ERR_NOMEM, "no memory for the database");
    else if (!open_file(db, steps, err))
        return db;
    db_close(&db);
    return NULL;
}

void db_close(struct db **dbp)
{
    struct db *db = *dbp;
    *dbp = NULL;
    if (!db)
        return;
    sqlite3_close_v2(db->handle);
    free(db->path);
    free(db);
}

enum err db_begin(struct db *db, struct err_info *err)
{
    return run_text(db, "BEGIN IMMEDIATE", err);
}

enum err db_commit(struct db *db, struct err_info *err)
{
    enum err e = run_text(db, "COMMIT", err);
    if (e)
        db_rollback(db);
    return e;
}

void db_rollback(struct db *db)
{
    if (db_in_transaction(db))
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

bool db_in_transaction(const struct db *db)
{
    return !sqlite3_get_autocommit(db->handle);
}

struct db_statement *db_prepare(struct db *db, const char *sql, struct err_info *err)
{
    struct db_statement *s = calloc(1, sizeof *s);
    if (!s) {
        err_set(err, ERR_NOMEM, "no memory for the database");
        return NULL;
    }
    s->db = db;
    int code = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->handle, NULL);
    if (code == SQLITE_OK)
        return s;
    fail(db, code, err);
    free(s);
    return NULL;
}

void db_finish(struct db_statement **s)
{
    if (*s)
        sqlite3_finalize((*s)->handle);
    free(*s);
    *s = NULL;
}

/* A parameter that is not there is a wrong use of ours. */
static void check(int code)
{
    assert(code == SQLITE_OK);
    (void)code;
}

void db_bind_int(struct db_statement *s, int at, int64_t value)
{
    check(sqlite3_bind_int64(s->handle, at, value));
}

void db_bind_text(struct db_statement *s, int at, const char *text)
{
    check(sqlite3_bind_text(s->handle, at, text, -1, SQLITE_STATIC));
}

void db_bind_bytes(struct db_statement *s, int at, struct bytes value)
{
    check(value.data ? sqlite3_bind_blob64(s->handle, at, value.data, value.len, SQLITE_STATIC)
                     : sqlite3_bind_null(s->handle, at));
}

enum err db_step(struct db_statement *s, struct err_info *err)
{
    int code = sqlite3_step(s->handle);
    if (code == SQLITE_ROW)
        return ERR_OK;
    enum err e = code == SQLITE_DONE ? ERR_END : fail(s->db, code, err);
    db_again(s);
    return e;
}

enum err db_run(struct db_statement *s, struct err_info *err)
{
    enum err e = db_step(s, err);
    if (!e)
        db_again(s);
    return e == ERR_END ? ERR_OK : e;
}

void db_again(struct db_statement *s)
{
    sqlite3_reset(s->handle);
}

int64_t db_int(struct db_statement *s, int column)
{
    return sqlite3_column_int64(s->handle, column);
}

const char *db_text(struct db_statement *s, int column)
{
    return (const char *)sqlite3_column_text(s->handle, column);
}

struct bytes db_bytes(struct db_statement *s, int column)
{
    const void *data = sqlite3_column_blob(s->handle, column);
    return db_is_null(s, column)
               ? BYTES_NULL
               : bytes_of(data ? data : "", (size_t)sqlite3_column_bytes(s->handle, column));
}

bool db_is_null(struct db_statement *s, int column)
{
    return sqlite3_column_type(s->handle, column) == SQLITE_NULL;
}

int64_t db_last_id(const struct db *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}
