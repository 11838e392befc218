/* How an operation is taken back. Floor 4. */
#ifndef SIGNALBOX_OPERATIONS_UNDO_COMMAND_H
#define SIGNALBOX_OPERATIONS_UNDO_COMMAND_H

#include "operations/execute.h"

/* The command (a dry run, as it stands) that takes back what an operation has done: messages go back to where they were, or off where
 * they were sent, chosen by the operation's stamp. NULL: there is none; *why says why, NULL where nothing was done. Text appended to
 * into, which it needs. counts: what it has done. */
const char *undo_command(const struct operation_job *job, const struct operation_counts *counts,
                         struct buffer *into, const char **why);
/* The same as a form would have it. moves: they are moved back, from plan.to to plan.from; else they are purged there. */
#define UNDO_SELECT_SIZE 100
bool undo_moves(const struct plan *p);
char *undo_select(const char *id, char into[UNDO_SELECT_SIZE]); /* the filter that takes them; returns into */
/* Why there will be none, of one that has not begun yet, too; static. NULL: there will be. */
const char *undo_why_not(const struct operation_job *job);

#endif
