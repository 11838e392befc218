/* What the files of the commands that change channels share. Floor 5. Main thread. */
#ifndef SIGNALBOX_CLI_OPERATE_INTERNAL_H
#define SIGNALBOX_CLI_OPERATE_INTERNAL_H

#include "cli/operate.h"
#include "operations/archive_source.h"
#include "operations/losses.h"
#include "operations/preview.h"

struct operating {
    struct cli *cli;
    struct address from, to;
    const char *to_text; /* the destination as it is written: --to, or what an archive says */
    struct operation_job job;
    struct arena arena;
    char who[64], host[256];
    struct buffer plan, command, edited;
    atomic_bool cancelled;
    struct operation *operation; /* while it runs */
    int64_t deadline_ns;         /* monotonic, of --timeout; 0: none */
    bool timed_out;
    int lock;
    struct preview before; /* of a run: what was there when it began */
    /* of a restore */
    const char *archive_path, *archive_sum;
    bool same_place; /* to where the archive says */
    struct endpoint archive;
    struct losses losses;
    int64_t bytes; /* of all payloads */
};

/* ---- operate.c: 0 or an exit code after a message ---- */

int operate_make(struct operating *o, struct cli *c, enum operation_kind kind); /* as it was typed */
void operate_release(struct operating *o);                                      /* whatever that said */
int operate_ready(struct operating *o);              /* counts, checks; nothing has begun */
int operate_open(struct operating *o);               /* its lock, its row in the journal */
int operate_start(struct operating *o, int fd);      /* an eventfd: see operation_start */
int operate_finish(struct operating *o, int signal); /* it has ended: says how; its exit code */
void operate_close(struct operating *o);

/* The time-out has passed: it ends in peace; asked again some seconds later, at once. The next deadline. */
int64_t operate_time_out(struct operating *o);

/* ---- operate_several.c ---- */

/* The arguments are sources, each of which becomes an operation. The exit code. */
int operate_several(struct cli *c, enum operation_kind kind);

/* What it changes at its source, and at its destination; NULL: nothing. */
const struct address *operate_changed_source(const struct operating *o);
const struct address *operate_changed_destination(const struct operating *o);

/* ---- operate_preview.c ---- */

int operate_rehearse(struct operating *o); /* says what it would do. The exit code */
/* Looks at the messages, after it was said what that does; a signal ends it. 0 or an exit code after a message. */
int operate_look(struct operating *o, struct preview *p);
void operate_say_bounds(const struct operating *o, const struct preview *p); /* what the destination does */
void operate_say_away(const struct operating *o, const struct preview *p);   /* what consumers have */
/* What a source cannot do is refused before anything has begun. 0 or an exit code after a message. */
int operate_take_source(struct operating *o, const struct preview *p);
int64_t operate_planned(const struct operating *o, const struct preview *p); /* messages; COUNT_UNKNOWN */

/* ---- operate_report.c ---- */

void operate_report(struct operating *o,
                    const struct operation_progress *p); /* it has ended; the record says so, too */

/* ---- operate_edit.c: 0 or an exit code after a message ---- */

bool operate_edits_by_hand(const struct operating *o); /* --edit without a file */
int operate_edit_file(struct operating *o);            /* --edit FILE: the plan's payload */
/* Of the one message that a look has found: $EDITOR's result becomes the plan's payload, or FILE's is checked against it. */
int operate_edit(struct operating *o, const struct preview *p);
int operate_edit_first(struct operating *o); /* the same with a look of its own, before anything begins */

/* ---- operate_dedupe.c ---- */

int operate_dedupe_plan(struct operating *o); /* rule and flags. 0 or 2 */

/* ---- operate_purge.c ---- */

int operate_purge_plan(struct operating *o); /* flags that exclude each other. 0 or 2 */
/* In a dry run: what it does and needs; n: messages, COUNT_UNKNOWN. */
void operate_purge_say(const struct operating *o, const struct preview *p, int64_t n);
void operate_purge_say_archive(const struct operating *o, const struct preview *p, int64_t n);

/* ---- operate_restore.c: 0 or an exit code after a message ---- */

/* The archive by its path or name, checked; the destination that it says, where --to does not. */
int operate_restore_find(struct operating *o);
int operate_restore_plan(struct operating *o); /* what its messages want of the destination */
void operate_restore_say(const struct operating *o, const struct preview *p);

#endif
