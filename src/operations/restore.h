/* What makes a restore one: which archive, where to, and that it is restored once. Floor 4. Any thread; files are read. */
#ifndef SIGNALBOX_OPERATIONS_RESTORE_H
#define SIGNALBOX_OPERATIONS_RESTORE_H

#include "engine/archive.h"
#include "engine/config.h"
#include "operations/journal.h"
#include "operations/plan.h"

/* The address that an archive says it was made of; what was given by URL is called by it. NULL: no memory. */
const char *restore_address(const struct archive_header *h, struct arena *arena);
/* Reads the archive of plan->from through: what its messages want of the destination, and its sum (in the arena), go into the plan. */
enum err restore_read(struct plan *plan, struct arena *arena, int64_t *messages, int64_t *bytes,
                      struct err_info *err) SB_MUST_USE;
/* Was the same archive restored before? ERR_REFUSED without plan->again. For a look: restore_create alone is sure. */
enum err restore_once(const struct plan *plan, struct err_info *err) SB_MUST_USE;
/* Its row, unless the same archive was restored before: ERR_REFUSED without plan->again. */
enum err restore_create(const struct plan *plan, struct journal *j, struct journal_operation *record,
                        struct err_info *err) SB_MUST_USE;
/* Is it still the archive that was begun with? ERR_REFUSED. */
enum err restore_check(const struct plan *plan, struct err_info *err) SB_MUST_USE;

#endif
