/* The operations of this process: looked at, under way, ended. Floor 4. One thread, that of the screen, but where it says otherwise;
 * nothing here waits for a broker or a disk.
 *
 * Each has a thread of its own: it looks what the order would do (preview.h), waits for the word to begin, writes it into the journal and
 * runs it (execute.h). One descriptor wakes whoever shows them. */
#ifndef SIGNALBOX_OPERATIONS_JOBS_H
#define SIGNALBOX_OPERATIONS_JOBS_H

#include "operations/order.h"

#define JOBS_MOST    64 /* held in all: those that have ended make way, the oldest first */
#define JOBS_RUNNING 8  /* under way at once, and looked at */
#define JOB_NOTICES  6  /* things said on its way that are kept: the first ones */

struct jobs;
struct job;

enum job_state {
    JOB_LOOKING, /* what it would do is being found out */
    JOB_READY,   /* `preview` tells; it waits for job_begin */
    JOB_REFUSED, /* `err` tells why it cannot begin; nothing was changed */
    JOB_BEGINNING,
    JOB_RUNNING,
    JOB_ENDED, /* progress.state tells how */
};

struct job_status {
    enum job_state state;
    /* From READY on, but for one that was resumed. What it points to is the job's: until job_drop, and while it has not begun. */
    struct preview preview;
    bool could_look;     /* looking at the messages, which order.glance forbade, would tell more */
    int64_t planned;     /* messages, and once it has begun also those that are skipped; COUNT_UNKNOWN */
    struct err_info err; /* of REFUSED */
    char id[OPERATION_ID_SIZE];
    struct operation_progress progress;
    int64_t rate;               /* messages a second at most; 0: as fast as it goes */
    int64_t began_ns, ended_ns; /* wall clock; 0: not yet */
    bool resumed, cancelled;
    /* What the brokers count at both ends, without what consumers have: before it began, and some time after it has ENDED.
     * COUNT_UNKNOWN. */
    struct job_ends {
        int64_t from, to;
    } before, after;
    char notices[JOB_NOTICES][240];
    size_t notice_count; /* of all, since it began if it has; those beyond JOB_NOTICES were not kept */
};

/* NULL with *err. The configuration must outlive it; passwords are fetched on the jobs' threads. */
struct jobs *jobs_new(struct config *config, const struct registry *registry, struct err_info *err);
/* Those under way are ended: in peace, then at once; what was on its way `resume` finds. Waits a few seconds at most; a thread that does
 * not come back is left behind. NULL inside is allowed. */
void jobs_free(struct jobs **j);
int jobs_fd(const struct jobs *j); /* readable when something has changed */
bool jobs_pump(struct jobs *j);    /* true: something has; also frees what was dropped and has come back */

/* Looks what the order would do, without any effect but that of looking. What it points to is copied, but for the endpoints and their
 * channels' names, which live in the configuration. NULL with *err: ERR_USAGE and ERR_REFUSED (order_check), ERR_LIMIT: too many. */
struct job *jobs_look(struct jobs *j, const struct order *order, struct err_info *err);
/* What was interrupted, by its row in the journal, of which the ends are known. It begins by itself. */
struct job *jobs_resume(struct jobs *j, const struct journal_operation *record, const struct order *order,
                        struct err_info *err);
/* One that has not begun, and will not: the pointer is void. NULL is allowed. */
void job_drop(struct job *job);

size_t jobs_count(const struct jobs *j); /* those that have begun, oldest first */
struct job *jobs_at(const struct jobs *j, size_t i);
struct job *jobs_find(const struct jobs *j, const char *id); /* NULL: none of ours */
size_t jobs_running(const struct jobs *j);

const struct order *job_order(const struct job *job);
const char *job_command(const struct job *job); /* the line of the shell that does the same */
void job_status(struct job *job, struct job_status *into);

void job_begin(struct job *job); /* one that is READY; else nothing happens */
void job_pause(struct job *job, bool pause);
void job_rate(struct job *job, int64_t per_second);
void job_cancel(struct job *job); /* see operation_cancel: twice is at once */

#endif
