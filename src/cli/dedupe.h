/* A report of duplicates for people. Floor 5. */
#ifndef SIGNALBOX_CLI_DEDUPE_H
#define SIGNALBOX_CLI_DEDUPE_H

#include "operations/dedupe.h"

/* "31 ms", "5.0 s", "1h01m"; "-" of TIME_NONE. Returns into. */
char *dedupe_spread_text(char *into, size_t size, int64_t ns);
/* What was found by one rule, and its groups; at most 80 columns. */
void dedupe_put_groups(struct buffer *out, const struct dedupe *d, const struct dedupe_rule *rule);
/* One line a rule, below a heading. */
void dedupe_put_heading(struct buffer *out);
void dedupe_put_totals(struct buffer *out, const struct dedupe *d, const struct dedupe_rule *rule);

#endif
