/* The journal for a screen: read, and written to, by a thread of its own. Floor 4. One thread, that of the screen; nothing here waits. */
#ifndef SIGNALBOX_OPERATIONS_AUDIT_H
#define SIGNALBOX_OPERATIONS_AUDIT_H

#include "operations/journal.h"

#define AUDIT_OPERATIONS 500 /* that are read, the newest ones */
#define AUDIT_EVENTS     200
#define AUDIT_MESSAGES   2000 /* of one operation: those that are not simply done first */

struct audit;

/* As the journal was read. Strings live in it. */
struct audit_list {
    struct arena arena;
    uint64_t serial; /* counts readings */
    struct journal_operation
        *operations; /* newest first; INTERRUPTED: it runs, by the journal, and no process has it */
    size_t count;
    bool more;                    /* older ones were left out */
    struct journal_event *events; /* newest first */
    size_t event_count;
    /* Of the operation that was asked for; "" none was. */
    char id[OPERATION_ID_SIZE];
    struct journal_message
        *messages; /* what failed, is in doubt or was skipped before what is done, each in its order */
    size_t message_count;
    int64_t message_total;
    struct err_info err; /* of the reading; code ERR_OK: all of it was read */
};

/* done_fd (an eventfd) is written when something was read. Its thread starts with the first wish. NULL with *err. */
struct audit *audit_new(int done_fd, struct err_info *err);
void audit_free(struct audit **a); /* what was to be noted is */
/* Reads it anew, with the messages of one operation, by its whole id (NULL: of none). A wish that comes while it reads is kept. */
void audit_read(struct audit *a, const char *id);
/* The newest reading, valid until the next call that returns true; *list stays as it was where there is none since. */
bool audit_take(struct audit *a, const struct audit_list **list);
/* Writes into the journal that this person, here and now, has done `what` ("unlock"). What cannot be written is logged. */
void audit_note(struct audit *a, const char *what, const char *text);

#endif
