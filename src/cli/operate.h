/* What the commands that move messages share: plan, dry run, run, report. Floor 5. Main thread. */
#ifndef SIGNALBOX_CLI_OPERATE_H
#define SIGNALBOX_CLI_OPERATE_H

#include "cli/cli.h"
#include "operations/dedupe.h"
#include "operations/execute.h"

/* What each of them takes beside FLAGS_GLOBAL. */
#define FLAGS_OPERATION \
 (F(TO) | F(SELECT) | F(LIMIT) | F(RATE) | F(NO_MARK) | F(CREATE) | F(JSON) | FLAGS_CHANGE)

#define SOURCES_MOST 64 /* of one command */

/* The whole of such a command, whose first argument is the source; where there are more, all of them are. */
int operate(struct cli *c, enum operation_kind kind);
/* A dedupe that is done. */
int operate_dedupe(struct cli *c);

/* The dry run of a dedupe goes with its report: what can be looked up before it (NULL: the report is all that is wanted), what it comes
 * to once messages are counted, as the journal would have it (NULL: nothing can be removed there), and for people. */
struct dedupe_rehearsal;
int operate_dedupe_begin(struct cli *c, struct dedupe_rehearsal **into); /* 0 or a code after a message */
const struct journal_operation *operate_dedupe_record(struct dedupe_rehearsal *r,
                                                      const struct dedupe_totals *t);
void operate_dedupe_say(struct dedupe_rehearsal *r, const struct dedupe_totals *t);
void operate_dedupe_end(struct dedupe_rehearsal **r);

/* Finishes one that was interrupted. The exit code; also what was said. */
int operate_resume(struct cli *c, const struct journal_operation *record);

#endif
