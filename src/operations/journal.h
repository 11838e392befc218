/* The journal: what every operation intends, has done, and with which outcome, on the disk before it happens. Floor 4.
 *
 * It is what a crashed operation is resumed from, and the audit log. One file (journal.db in the state directory) for all processes;
 * a handle belongs to one thread. An operation's messages are written by its own thread alone; what is put or marked is on the disk
 * once journal_sync has returned, and all of it or nothing. */
#ifndef SIGNALBOX_OPERATIONS_JOURNAL_H
#define SIGNALBOX_OPERATIONS_JOURNAL_H

#include "base/arena.h"
#include "base/err.h"
#include "model/message.h"
#include "operations/operation.h"

struct journal;

/* Makes the file where there is none. NULL with *err. */
struct journal *journal_open(struct err_info *err);
void journal_close(struct journal **j); /* what was not synced is gone */

/* ---- operations ---- */

/* Strings are the caller's when it is written; those of one that was read live in the arena it was read into. NULL: none. */
struct journal_operation {
    int64_t number; /* the journal's own */
    char id[OPERATION_ID_SIZE];
    enum operation_kind kind;
    enum operation_state state; /* never INTERRUPTED in the file: see operation_lock */
    const char *from, *to;      /* addresses without secrets; to NULL: where each came from, or nowhere */
    const char *command;        /* the line that does the same */
    const char *who, *host;
    struct bytes plan;            /* JSON */
    const char *archive;          /* its path; several: a line each */
    const char *note;             /* why it ended so */
    const char *verified;         /* what was read back at its end (verify.h); NULL: nothing was to be */
    int64_t created_ns, ended_ns; /* wall clock; ended 0: not yet */
    struct operation_counts counts;
};

/* Writes a new one, on the disk when it returns; fills number. */
enum err journal_create(struct journal *j, struct journal_operation *o, struct err_info *err) SB_MUST_USE;
/* Its state, counts, archive, note and end, with all that was put before; on the disk when it returns. */
enum err journal_update(struct journal *j, const struct journal_operation *o,
                        struct err_info *err) SB_MUST_USE;
/* By its id, or by what no other id begins with. ERR_NOTFOUND, ERR_USAGE where several do. */
enum err journal_find(struct journal *j, const char *id, struct arena *arena, struct journal_operation *o,
                      struct err_info *err) SB_MUST_USE;
/* One that has not ended has its counts in its messages alone: takes them from there. */
enum err journal_recount(struct journal *j, struct journal_operation *o, struct err_info *err) SB_MUST_USE;
/* Newest first, until visit returns false; o is valid during the call. */
typedef bool journal_visit_operation(void *context, const struct journal_operation *o);
enum err journal_operations(struct journal *j, journal_visit_operation *visit, void *context,
                            struct err_info *err) SB_MUST_USE;

/* ---- messages of an operation ---- */

#define IDENTITY_SIZE 16

struct journal_message {
    uint64_t sequence; /* from 1 on, in the order of the source */
    enum delivery state;
    uint8_t identity[IDENTITY_SIZE]; /* see identity.h */
    struct position from, arrived;
    uint64_t size;           /* of its payload */
    struct bytes label;      /* what people know it by; null none */
    const char *reason;      /* NULL none */
    const char *destination; /* KIND:NAME, where it is not the operation's own; NULL */
    struct bytes content;    /* a digest of what is sent (verify_content); null: it is not sent */
    struct bytes taken_off;  /* its headers that were taken off on the way (rewrite_kept); null: none */
};

/* Writes a new one. */
enum err journal_put(struct journal *j, int64_t number, const struct journal_message *m,
                     struct err_info *err) SB_MUST_USE;
/* Another state of one that is there; reason NULL: none; arrived of kind NONE: as it was. */
enum err journal_mark(struct journal *j, int64_t number, uint64_t sequence, enum delivery state,
                      struct position arrived, const char *reason, struct err_info *err) SB_MUST_USE;
/* All of those in that state, from `first` to `last`. */
enum err journal_mark_range(struct journal *j, int64_t number, uint64_t first, uint64_t last,
                            enum delivery from, enum delivery to, struct err_info *err) SB_MUST_USE;
/* Takes one back that never left: its intent was not followed. */
enum err journal_forget(struct journal *j, int64_t number, uint64_t sequence,
                        struct err_info *err) SB_MUST_USE;
/* All of those in that state. */
enum err journal_forget_all(struct journal *j, int64_t number, enum delivery state,
                            struct err_info *err) SB_MUST_USE;
enum err journal_sync(struct journal *j, struct err_info *err) SB_MUST_USE;

/* In their order, of those states (1 << enum delivery), until visit returns false; m is valid during the call. */
typedef bool journal_visit_message(void *context, const struct journal_message *m);
enum err journal_messages(struct journal *j, int64_t number, unsigned states, journal_visit_message *visit,
                          void *context, struct err_info *err) SB_MUST_USE;
/* How far it is in each partition of a source that has positions (partition -1: it has none): the highest offset that has a row. */
typedef bool journal_visit_reached(void *context, int32_t partition, int64_t offset);
enum err journal_reached(struct journal *j, int64_t number, journal_visit_reached *visit, void *context,
                         struct err_info *err) SB_MUST_USE;
/* Positions of that source whose messages earlier operations of that kind have sent, and where to: the row's destination, else the
 * operation's. `but`: the number of the one that asks. */
typedef bool journal_visit_sent(void *context, struct position from, const char *to);
enum err journal_sent(struct journal *j, enum operation_kind kind, const char *source, int64_t but,
                      journal_visit_sent *visit, void *context, struct err_info *err) SB_MUST_USE;
/* The lowest sequence among the messages with that identity that are DONE; 0: none is. */
enum err journal_done(struct journal *j, int64_t number, const uint8_t identity[IDENTITY_SIZE],
                      uint64_t *sequence, struct err_info *err) SB_MUST_USE;
/* How many there are of each state, and the highest sequence. */
struct journal_totals {
    int64_t of[DELIVERY_STATES];
    uint64_t last;
};
enum err journal_count(struct journal *j, int64_t number, struct journal_totals *totals,
                       struct err_info *err) SB_MUST_USE;

/* ---- what is no operation: unlocking, refusals ---- */

struct journal_event {
    int64_t at_ns;
    const char *who, *host;
    const char *what; /* "unlock" */
    const char *text;
};
enum err journal_note(struct journal *j, const struct journal_event *e, struct err_info *err) SB_MUST_USE;
typedef bool journal_visit_event(void *context, const struct journal_event *e);
enum err journal_events(struct journal *j, journal_visit_event *visit, void *context,
                        struct err_info *err) SB_MUST_USE;

#endif
