/* Who has an operation under way: a lock on a file of its own, so that `resume` never takes over a living one. Floor 4. Any thread. */
#ifndef SIGNALBOX_OPERATIONS_LOCK_H
#define SIGNALBOX_OPERATIONS_LOCK_H

#include "base/err.h"
#include "operations/operation.h"

/* A descriptor that holds it until operation_unlock, or the end of the process; -1 with *err: ERR_BUSY, another process has it. */
int operation_lock(const char *id, struct err_info *err);
void operation_unlock(const char *id, int fd, bool ended); /* ended: nobody will need it again */
bool operation_is_locked(const char *id);

#endif
