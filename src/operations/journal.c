#include "operations/journal.h"

#include "base/limits.h"
#include "base/state.h"
#include "base/text.h"
#include "engine/db.h"

#include <stdlib.h>

static const char *const steps[] = {
    "CREATE TABLE operation(number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,"
    " state INTEGER NOT NULL, source TEXT, destination TEXT, command TEXT, who TEXT, host TEXT, plan BLOB,"
    " archive TEXT, note TEXT, created_ns INTEGER NOT NULL, ended_ns INTEGER NOT NULL, planned INTEGER NOT NULL,"
    " done INTEGER NOT NULL, skipped INTEGER NOT NULL, failed INTEGER NOT NULL, in_doubt INTEGER NOT NULL);"
    "CREATE TABLE message(operation INTEGER NOT NULL REFERENCES operation(number), sequence INTEGER NOT NULL,"
    " state INTEGER NOT NULL, identity BLOB NOT NULL, partition INTEGER, offset INTEGER, to_partition INTEGER,"
    " to_offset INTEGER, size INTEGER NOT NULL, label BLOB, reason TEXT, destination TEXT, PRIMARY KEY(operation, sequence))"
    " WITHOUT ROWID;"
    "CREATE TABLE event(at_ns INTEGER NOT NULL, who TEXT, host TEXT, what TEXT NOT NULL, text TEXT)",
    "ALTER TABLE message ADD COLUMN taken_off BLOB; ALTER TABLE message ADD COLUMN content BLOB;"
    "ALTER TABLE operation ADD COLUMN verified TEXT",
    NULL};

enum statement {
    CREATE,
    UPDATE,
    FIND,
    LIST,
    PUT,
    MARK,
    MARK_ARRIVED,
    MARK_RANGE,
    FORGET,
    FORGET_ALL,
    MESSAGES,
    DONE_ONE,
    REACHED,
    SENT,
    COUNT,
    NOTE,
    EVENTS,
    STATEMENTS
};

#define OPERATION_COLUMNS                                                                                        \
 "number, id, kind, state, source, destination, command, who, host, plan, archive, note, created_ns, ended_ns, " \
 "planned, done, skipped, failed, in_doubt, verified"

static const char *const texts[STATEMENTS] = {
    [CREATE] =
        "INSERT INTO operation(id, kind, state, source, destination, command, who, host, plan, archive, note,"
        " created_ns, ended_ns, planned, done, skipped, failed, in_doubt)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [UPDATE] =
        "UPDATE operation SET state=?2, archive=?3, note=?4, ended_ns=?5, planned=?6, done=?7, skipped=?8,"
        " failed=?9, in_doubt=?10, verified=?11 WHERE number=?1",
    [FIND] = "SELECT " OPERATION_COLUMNS " FROM operation WHERE substr(id, 1, length(?1))=?1"
             " ORDER BY id=?1 DESC, number DESC LIMIT 2",
    [LIST] = "SELECT " OPERATION_COLUMNS " FROM operation ORDER BY number DESC",
    [PUT] =
        "INSERT INTO message(operation, sequence, state, identity, partition, offset, to_partition, to_offset,"
        " size, label, reason, destination, taken_off, content) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [MARK] = "UPDATE message SET state=?3, reason=?4 WHERE operation=?1 AND sequence=?2",
    [MARK_ARRIVED] = "UPDATE message SET state=?3, reason=?4, to_partition=?5, to_offset=?6"
                     " WHERE operation=?1 AND sequence=?2",
    [MARK_RANGE] =
        "UPDATE message SET state=?5 WHERE operation=?1 AND sequence BETWEEN ?2 AND ?3 AND state=?4",
    [FORGET] = "DELETE FROM message WHERE operation=? AND sequence=?",
    [FORGET_ALL] = "DELETE FROM message WHERE operation=? AND state=?",
    [MESSAGES] =
        "SELECT sequence, state, identity, partition, offset, to_partition, to_offset, size, label, reason, destination,"
        " taken_off, content FROM message WHERE operation=? AND (1 << state) & ? ORDER BY sequence",
    [SENT] =
        "SELECT m.partition, m.offset, ifnull(m.destination, o.destination) FROM message m, operation o"
        " WHERE o.kind=? AND o.source=? AND o.number<>? AND m.operation=o.number AND m.offset IS NOT NULL"
        " AND m.state IN (?, ?)",
    [DONE_ONE] = "SELECT ifnull(min(sequence), 0) FROM message WHERE operation=? AND identity=? AND state=?",
    [REACHED] =
        "SELECT ifnull(partition, -1), max(offset) FROM message WHERE operation=? AND offset IS NOT NULL"
        " GROUP BY partition",
    [COUNT] = "SELECT state, count(*), max(sequence) FROM message WHERE operation=? GROUP BY state",
    [NOTE] = "INSERT INTO event(at_ns, who, host, what, text) VALUES(?, ?, ?, ?, ?)",
    [EVENTS] = "SELECT at_ns, who, host, what, text FROM event ORDER BY at_ns DESC",
};

struct journal {
    struct db *db;
    struct db_statement *statements[STATEMENTS];
};

struct journal *journal_open(struct err_info *err)
{
    char path[STATE_PATH_SIZE];
    if (state_check(err))
        return NULL;
    if (!state_path("journal.db", path, sizeof path)) {
        state_missing(err);
        return NULL;
    }
    struct journal *j = calloc(1, sizeof *j);
    if (!j) {
        err_set(err, ERR_NOMEM, "no memory for the journal");
        return NULL;
    }
    j->db = db_open(path, steps, err);
    for (int i = 0; j->db && i < STATEMENTS; i++)
        if (!(j->statements[i] = db_prepare(j->db, texts[i], err))) {
            journal_close(&j);
            return NULL;
        }
    if (!j->db)
        journal_close(&j);
    return j;
}

void journal_close(struct journal **jp)
{
    struct journal *j = *jp;
    *jp = NULL;
    if (!j)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        db_finish(&j->statements[i]);
    db_close(&j->db);
    free(j);
}

/* Whatever is written belongs to the transaction that the next sync ends. */
static enum err begin(struct journal *j, struct err_info *err)
{
    return db_in_transaction(j->db) ? ERR_OK : db_begin(j->db, err);
}

enum err journal_sync(struct journal *j, struct err_info *err)
{
    return db_in_transaction(j->db) ? db_commit(j->db, err) : ERR_OK;
}

/* ---- operations ---- */

enum err journal_create(struct journal *j, struct journal_operation *o, struct err_info *err)
{
    struct db_statement *s = j->statements[CREATE];
    const char *const strings[] = {o->from, o->to, o->command, o->who, o->host};
    const int64_t numbers[] = {o->created_ns,     o->ended_ns,      o->counts.planned, o->counts.done,
                               o->counts.skipped, o->counts.failed, o->counts.in_doubt};
    enum err e = begin(j, err);
    if (e)
        return e;
    db_bind_text(s, 1, o->id);
    db_bind_text(s, 2, operation_kind_name(o->kind));
    db_bind_int(s, 3, o->state);
    for (int i = 0; i < 5; i++)
        db_bind_text(s, 4 + i, strings[i]);
    db_bind_bytes(s, 9, o->plan);
    db_bind_text(s, 10, o->archive);
    db_bind_text(s, 11, o->note);
    for (int i = 0; i < 7; i++)
        db_bind_int(s, 12 + i, numbers[i]);
    e = db_run(s, err);
    if (e)
        return e;
    o->number = db_last_id(j->db);
    return journal_sync(j, err);
}

enum err journal_update(struct journal *j, const struct journal_operation *o, struct err_info *err)
{
    struct db_statement *s = j->statements[UPDATE];
    enum err e = begin(j, err);
    if (e)
        return e;
    db_bind_int(s, 1, o->number);
    db_bind_int(s, 2, o->state);
    db_bind_text(s, 3, o->archive);
    db_bind_text(s, 4, o->note);
    db_bind_int(s, 5, o->ended_ns);
    db_bind_int(s, 6, o->counts.planned);
    db_bind_int(s, 7, o->counts.done);
    db_bind_int(s, 8, o->counts.skipped);
    db_bind_int(s, 9, o->counts.failed);
    db_bind_int(s, 10, o->counts.in_doubt);
    db_bind_text(s, 11, o->verified);
    e = db_run(s, err);
    return e ? e : journal_sync(j, err);
}

/* Slices of the row. */
static void take_operation(struct db_statement *s, struct journal_operation *o)
{
    *o = (struct journal_operation){
        .number = db_int(s, 0),
        .state = (enum operation_state)db_int(s, 3),
        .from = db_text(s, 4),
        .to = db_text(s, 5),
        .command = db_text(s, 6),
        .who = db_text(s, 7),
        .host = db_text(s, 8),
        .plan = db_bytes(s, 9),
        .archive = db_text(s, 10),
        .note = db_text(s, 11),
        .created_ns = db_int(s, 12),
        .ended_ns = db_int(s, 13),
        .counts = {db_int(s, 14), db_int(s, 15), db_int(s, 16), db_int(s, 17), db_int(s, 18)},
        .verified = db_text(s, 19),
    };
    text_copy(o->id, sizeof o->id, db_text(s, 1));
    operation_kind_parse(db_text(s, 2), &o->kind);
}

static const char *keep(struct arena *a, const char *text)
{
    return text ? arena_strdup(a, text) : NULL;
}

static void keep_operation(struct arena *a, struct journal_operation *o)
{
    o->from = keep(a, o->from);
    o->to = keep(a, o->to);
    o->command = keep(a, o->command);
    o->who = keep(a, o->who);
    o->host = keep(a, o->host);
    o->plan = arena_copy(a, o->plan);
    o->archive = keep(a, o->archive);
    o->note = keep(a, o->note);
    o->verified = keep(a, o->verified);
}

enum err journal_find(struct journal *j, const char *id, struct arena *arena, struct journal_operation *o,
                      struct err_info *err)
{
    struct db_statement *s = j->statements[FIND];
    db_bind_text(s, 1, id);
    enum err e = *id ? db_step(s, err) : ERR_END;
    if (e == ERR_END) {
        err_set(err, ERR_NOTFOUND, "no operation %s in the journal", id);
        err_next(err, "`signalbox journal` lists them");
        return ERR_NOTFOUND;
    }
    if (e)
        return e;
    take_operation(s, o);
    keep_operation(arena, o);
    bool whole = strcmp(o->id, id) == 0;
    e = whole ? ERR_END : db_step(s, err);
    if (!e) {
        err_set(err, ERR_USAGE, "several operations begin with %s", id);
        err_next(err, "write more of it: %s", o->id);
        e = ERR_USAGE;
    }
    db_again(s);
    return e == ERR_END ? ERR_OK : e;
}

enum err journal_operations(struct journal *j, journal_visit_operation *visit, void *context,
                            struct err_info *err)
{
    struct db_statement *s = j->statements[LIST];
    enum err e;
    while (!(e = db_step(s, err))) {
        struct journal_operation o;
        take_operation(s, &o);
        if (!visit(context, &o))
            break;
    }
    db_again(s);
    return e == ERR_END ? ERR_OK : e;
}

/* ---- messages ---- */

static void bind_position(struct db_statement *s, int at, struct position p)
{
    static const struct bytes null = {NULL, 0};
    if (p.kind == POSITION_PARTITION)
        db_bind_int(s, at, p.partition);
    else
        db_bind_bytes(s, at, null);
    if (p.kind != POSITION_NONE)
        db_bind_int(s, at + 1, p.offset);
    else
        db_bind_bytes(s, at + 1, null);
}

static struct position take_position(struct db_statement *s, int at)
{
    struct position p = {.kind = POSITION_NONE};
    if (!db_is_null(s, at + 1)) {
        p.kind = db_is_null(s, at) ? POSITION_OFFSET : POSITION_PARTITION;
        p.partition = (int32_t)db_int(s, at);
        p.offset = db_int(s, at + 1);
    }
    return p;
}

enum err journal_put(struct journal *j, int64_t number, const struct journal_message *m, struct err_info *err)
{
    struct db_statement *s = j->statements[PUT];
    enum err e = begin(j, err);
    if (e)
        return e;
    db_bind_int(s, 1, number);
    db_bind_int(s, 2, (int64_t)m->sequence);
    db_bind_int(s, 3, m->state);
    db_bind_bytes(s, 4, bytes_of(m->identity, sizeof m->identity));
    bind_position(s, 5, m->from);
    bind_position(s, 7, m->arrived);
    db_bind_int(s, 9, (int64_t)m->size);
    db_bind_bytes(s, 10, m->label);
    db_bind_text(s, 11, m->reason);
    db_bind_text(s, 12, m->destination);
    db_bind_bytes(s, 13, m->taken_off);
    db_bind_bytes(s, 14, m->content);
    return db_run(s, err);
}

enum err journal_mark(struct journal *j, int64_t number, uint64_t sequence, enum delivery state,
                      struct position arrived, const char *reason, struct err_info *err)
{
    struct db_statement *s = j->statements[arrived.kind == POSITION_NONE ? MARK : MARK_ARRIVED];
    enum err e = begin(j, err);
    if (e)
        return e;
    db_bind_int(s, 1, number);
    db_bind_int(s, 2, (int64_t)sequence);
    db_bind_int(s, 3, state);
    db_bind_text(s, 4, reason);
    if (arrived.kind != POSITION_NONE)
        bind_position(s, 5, arrived);
    return db_run(s, err);
}

enum err journal_mark_range(struct journal *j, int64_t number, uint64_t first, uint64_t last,
                            enum delivery from, enum delivery to, struct err_info *err)
{
    struct db_statement *s = j->statements[MARK_RANGE];
    enum err e = begin(j, err);
    if (e)
        return e;
    db_bind_int(s, 1, number);
    db_bind_int(s, 2, (int64_t)first);
    db_bind_int(s, 3, (int64_t)last);
    db_bind_int(s, 4, from);
    db_bind_int(s, 5, to);
    return db_run(s, err);
}

enum err journal_forget(struct journal *j, int64_t number, uint64_t sequence, struct err_info *err)
{
    struct db_statement *s = j->statements[FORGET];
    enum err e = begin(j, err);
    if (e)
        return e;
    db_bind_int(s, 1, number);
    db_bind_int(s, 2, (int64_t)sequence);
    return db_run(s, err);
}

enum err journal_forget_all(struct journal *j, int64_t number, enum delivery state, struct err_info *err)
{
    struct db_statement *s = j->statements[FORGET_ALL];
    enum err e = begin(j, err);
    if (e)
        return e;
    db_bind_int(s, 1, number);
    db_bind_int(s, 2, state);
    return db_run(s, err);
}

enum err journal_messages(struct journal *j, int64_t number, unsigned states, journal_visit_message *visit,
                          void *context, struct err_info *err)
{
    struct db_statement *s = j->statements[MESSAGES];
    enum err e;
    db_bind_int(s, 1, number);
    db_bind_int(s, 2, states);
    while (!(e = db_step(s, err))) {
        struct journal_message m = {
            .sequence = (uint64_t)db_int(s, 0),
            .state = (enum delivery)db_int(s, 1),
            .from = take_position(s, 3),
            .arrived = take_position(s, 5),
            .size = (uint64_t)db_int(s, 7),
            .label = db_bytes(s, 8),
            .reason = db_text(s, 9),
            .destination = db_text(s, 10),
            .taken_off = db_bytes(s, 11),
            .content = db_bytes(s, 12),
        };
        struct bytes identity = db_bytes(s, 2);
        memcpy(m.identity, identity.data, identity.len < IDENTITY_SIZE ? identity.len : IDENTITY_SIZE);
        if (!visit(context, &m))
            break;
    }
    db_again(s);
    return e == ERR_END ? ERR_OK : e;
}

enum err journal_sent(struct journal *j, enum operation_kind kind, const char *source, int64_t but,
                      journal_visit_sent *visit, void *context, struct err_info *err)
{
    struct db_statement *s = j->statements[SENT];
    enum err e;
    db_bind_text(s, 1, operation_kind_name(kind));
    db_bind_text(s, 2, source);
    db_bind_int(s, 3, but);
    db_bind_int(s, 4, DELIVERY_DONE);
    db_bind_int(s, 5, DELIVERY_ARRIVED);
    while (!(e = db_step(s, err)))
        if (!visit(context, take_position(s, 0), db_text(s, 2)))
            break;
    db_again(s);
    return e == ERR_END ? ERR_OK : e;
}

enum err journal_done(struct journal *j, int64_t number, const uint8_t identity[IDENTITY_SIZE],
                      uint64_t *sequence, struct err_info *err)
{
    struct db_statement *s = j->statements[DONE_ONE];
    db_bind_int(s, 1, number);
    db_bind_bytes(s, 2, bytes_of(identity, IDENTITY_SIZE));
    db_bind_int(s, 3, DELIVERY_DONE);
    enum err e = db_step(s, err);
    *sequence = e ? 0 : (uint64_t)db_int(s, 0);
    db_again(s);
    return e == ERR_END ? ERR_OK : e;
}

enum err journal_reached(struct journal *j, int64_t number, journal_visit_reached *visit, void *context,
                         struct err_info *err)
{
    struct db_statement *s = j->statements[REACHED];
    enum err e;
    db_bind_int(s, 1, number);
    while (!(e = db_step(s, err)))
        if (!visit(context, (int32_t)db_int(s, 0), db_int(s, 1)))
            break;
    db_again(s);
    return e == ERR_END ? ERR_OK : e;
}

enum err journal_count(struct journal *j, int64_t number, struct journal_totals *totals, struct err_info *err)
{
    struct db_statement *s = j->statements[COUNT];
    enum err e;
    *totals = (struct journal_totals){.last = 0};
    db_bind_int(s, 1, number);
    while (!(e = db_step(s, err))) {
        int64_t state = db_int(s, 0);
        uint64_t last = (uint64_t)db_int(s, 2);
        if (state >= 0 && state < DELIVERY_STATES)
            totals->of[state] = db_int(s, 1);
        totals->last = last > totals->last ? last : totals->last;
    }
    return e == ERR_END ? ERR_OK : e;
}

enum err journal_recount(struct journal *j, struct journal_operation *o, struct err_info *err)
{
    struct journal_totals t;
    if (o->ended_ns)
        return ERR_OK;
    enum err e = journal_count(j, o->number, &t, err);
    if (e)
        return e;
    o->counts.done = t.of[DELIVERY_DONE];
    o->counts.skipped = t.of[DELIVERY_SKIPPED];
    o->counts.failed = t.of[DELIVERY_FAILED];
    o->counts.in_doubt = t.of[DELIVERY_IN_DOUBT];
    return ERR_OK;
}

/* ---- events ---- */

enum err journal_note(struct journal *j, const struct journal_event *event, struct err_info *err)
{
    struct db_statement *s = j->statements[NOTE];
    enum err e = begin(j, err);
    if (e)
        return e;
    db_bind_int(s, 1, event->at_ns);
    db_bind_text(s, 2, event->who);
    db_bind_text(s, 3, event->host);
    db_bind_text(s, 4, event->what);
    db_bind_text(s, 5, event->text);
    e = db_run(s, err);
    return e ? e : journal_sync(j, err);
}

enum err journal_events(struct journal *j, journal_visit_event *visit, void *context, struct err_info *err)
{
    struct db_statement *s = j->statements[EVENTS];
    enum err e;
    while (!(e = db_step(s, err))) {
        struct journal_event event = {db_int(s, 0), db_text(s, 1), db_text(s, 2), db_text(s, 3),
                                      db_text(s, 4)};
        if (!visit(context, &event))
            break;
    }
    db_again(s);
    return e == ERR_END ? ERR_OK : e;
}
