/* What the files of the commands that change channels share. Floor 5. Main thread. */
#ifndef SIGNALBOX_CLI_OPERATE_INTERNAL_H
#define SIGNALBOX_CLI_OPERATE_INTERNAL_H

#include "cli/losses.h"
#include "cli/operate.h"
#include "operations/archive_source.h"
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
    struct preview before; /* of a run: what was there when it began */
    /* of a restore */
    const char *archive_path, *archive_sum;
    bool same_place; /* to where the archive says */
    struct endpoint archive;
    struct losses losses;
    int64_t bytes; /* of all payloads */
};

/* ---- operate_purge.c ---- */

int operate_purge_plan(struct operating *o); /* flags that exclude each other. 0 or 2 */
/* In a dry run: what it does and needs; n: messages, COUNT_UNKNOWN. */
void operate_purge_say(const struct operating *o, const struct preview *p, int64_t n);
/* After it: where its archives are (into the record, too), and what is at the source now. */
void operate_purge_report(struct operating *o, const struct operation_progress *p);

/* ---- operate_restore.c: 0 or an exit code after a message ---- */

/* The archive by its path or name, checked; the destination that it says, where --to does not. */
int operate_restore_find(struct operating *o);
int operate_restore_plan(struct operating *o); /* what its messages want of the destination */
void operate_restore_say(const struct operating *o, const struct preview *p);

#endif
