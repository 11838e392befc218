/* What the views of operations share: the list of them (jobs.c), one of them (run.c). Floor 5. */
#ifndef SIGNALBOX_UI_VIEWS_OPERATIONS_H
#define SIGNALBOX_UI_VIEWS_OPERATIONS_H

#include "operations/verify.h"
#include "ui/paint.h"
#include "ui/screen.h"

/* An operation as it is now: by our own job where that has it, else by the journal. Texts live in the job or the journal's reading. */
struct operation_row {
    struct job *job;            /* NULL: not ours, or of before */
    char id[OPERATION_ID_SIZE]; /* "": it has not begun, and may not */
    enum operation_kind kind;
    enum operation_state state;
    bool beginning, refused, paused, cancelled;
    const char *from, *to, *command, *who, *host, *archive;
    struct verified verified;
    bool is_verified; /* something was to be read back, and that says what */
    char note[240];
    struct operation_counts counts;
    double rate;   /* of late; negative: not known */
    int64_t limit; /* messages a second at most; 0 none */
    int64_t created_ns, ended_ns;
    const struct journal_operation *record; /* in the journal's reading; NULL */
};

/* Newest first: ours that the journal does not have yet, then the journal's. rows NULL: only counts. */
size_t operation_rows(struct screen *s, struct operation_row *rows, size_t most);
bool operation_row_of(struct screen *s, const struct job *job, const char *id, struct operation_row *row);

/* Is its archive one that it has made itself, and can be restored? */
bool operation_archives(enum operation_kind kind);

struct look operation_look(const struct operation_row *row);
/* "replay rabbit-1/orders.dlq > where each came from" */
void operation_what(const struct operation_row *row, char *into, size_t size);
/* "402 done, 15 skipped, 2 in doubt" */
char *operation_counts_text(const struct operation_counts *c, char *into, size_t size);
/* From its beginning to its end: "<1s", "3m". */
char *operation_took(const struct operation_row *row, char *into, size_t size);
int operation_percent(const struct operation_row *row); /* -1: not known */

/* The command that takes back what one that has ended has done, by the journal's row; NULL: there is none, *why (static, or NULL) says
 * why. */
const char *operation_undo(struct view *v, const struct operation_row *row, struct buffer *into,
                           const char **why);

/* Would it do something to that one (NULL: to none)? True for what is none of the keys for one under way. */
bool operation_offers(const struct operation_row *row, enum action action);
/* The keys for one under way; false: the action is none of theirs. */
bool operation_act(struct view *v, const struct operation_row *row, enum action action);

/* The change menu of an operation; NULL: of none, which is said. */
void operation_change(struct view *v, const struct operation_row *row);

/* What VIEW_RUN is shown with. */
struct run_argument {
    struct job *job;
    char id[OPERATION_ID_SIZE];
};

#endif
