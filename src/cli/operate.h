/* What the commands that move messages share: plan, dry run, run, report. Floor 5. Main thread. */
#ifndef SIGNALBOX_CLI_OPERATE_H
#define SIGNALBOX_CLI_OPERATE_H

#include "cli/cli.h"
#include "operations/execute.h"

/* What each of them takes beside FLAGS_GLOBAL. */
#define FLAGS_OPERATION \
 (F(TO) | F(SELECT) | F(LIMIT) | F(RATE) | F(NO_MARK) | F(CREATE) | F(JSON) | FLAGS_CHANGE)

#define SOURCES_MOST 64 /* of one command */

/* The whole of such a command, whose first argument is the source; where there are more, all of them are. */
int operate(struct cli *c, enum operation_kind kind);
/* Finishes one that was interrupted. The exit code; also what was said. */
int operate_resume(struct cli *c, const struct journal_operation *record);

#endif
