/* A database file in the state directory. Floor 4; db.c is the one door to SQLite. One thread at a time for each handle.
 *
 * What is committed is on the disk when db_commit returns (write-ahead log, synchronous=FULL). Several processes may have the same
 * file open: one writes, the others wait for up to five seconds, then ERR_BUSY. */
#ifndef SIGNALBOX_ENGINE_DB_H
#define SIGNALBOX_ENGINE_DB_H

#include "base/bytes.h"
#include "base/err.h"

struct db;
struct db_statement;

/* Opens the file, or makes it (mode 0600). steps: NULL-terminated; the i-th brings a file of version i to version i + 1. ERR_FORMAT: it
 * is no database, or of a later version than there are steps; ERR_IO. NULL with *err. */
struct db *db_open(const char *path, const char *const *steps, struct err_info *err);
void db_close(struct db **db); /* what was not committed is gone */

enum err db_begin(struct db *db, struct err_info *err) SB_MUST_USE;
enum err db_commit(struct db *db, struct err_info *err) SB_MUST_USE; /* failed: it is rolled back */
void db_rollback(struct db *db);
bool db_in_transaction(const struct db *db);

/* A statement, kept for as long as it is used again; its database must outlive it. NULL with *err. */
struct db_statement *db_prepare(struct db *db, const char *sql, struct err_info *err);
void db_finish(struct db_statement **s);
/* Values of its parameters, from 1 on; what they point to must outlive the next db_step. Null bytes are NULL. */
void db_bind_int(struct db_statement *s, int at, int64_t value);
void db_bind_text(struct db_statement *s, int at, const char *text); /* NULL: NULL */
void db_bind_bytes(struct db_statement *s, int at, struct bytes value);
/* ERR_OK: there is a row; ERR_END: there is none, or no more, and the statement can be used again. Any other: it failed, likewise. */
enum err db_step(struct db_statement *s, struct err_info *err) SB_MUST_USE;
/* For one that gives no rows. */
enum err db_run(struct db_statement *s, struct err_info *err) SB_MUST_USE;
void db_again(struct db_statement *s); /* before its last row */
/* Of the row that is there, from 0 on; slices and texts until the next step. Text NULL where the value is. */
int64_t db_int(struct db_statement *s, int column);
const char *db_text(struct db_statement *s, int column);
struct bytes db_bytes(struct db_statement *s, int column);
bool db_is_null(struct db_statement *s, int column);
int64_t db_last_id(const struct db *db);

#endif
