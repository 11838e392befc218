/* The filter language of `/`, `\`, `:`, --where, --select and search: one parser, one compiled form. Floor 4.
 *
 *   expr := and ("|" and)*    and := term+    term := "!"? ( word | 'exact' | /regex/ | field op value | "(" expr ")" )
 *
 * A compiled filter is immutable: any thread, many at once. It decides on raw bytes where it can before it decodes. */
#ifndef SIGNALBOX_ENGINE_FILTER_H
#define SIGNALBOX_ENGINE_FILTER_H

#include "model/channel.h"
#include "model/decoder.h"
#include "model/message.h"

struct filter;

enum filter_kind { FILTER_MESSAGES, FILTER_LIST }; /* which fields are known */

/* err->where says the column, err->text what ("unknown field `totl`"), err->next the nearest name; *caret (may be NULL) is
 * the byte offset of the fault. An empty text matches everything. */
struct filter *filter_new(const char *text, enum filter_kind kind, decoder_registry decoders, size_t *caret,
                          struct err_info *err);
void filter_free(struct filter **f);
/* What is allowed and perhaps not meant: "`abc` is no number: > compares as text"; "" nothing. */
const char *filter_remark(const struct filter *f);

/* Unknown: it hangs on what is wrapped and cannot be seen, being damaged, larger than LIMIT_UNWRAP_FIND,
 * or more to look through than LIMIT_UNWRAP_WORK. Each test has these limits for itself. */
enum filter_answer { FILTER_NO, FILTER_YES, FILTER_UNKNOWN };
enum filter_answer filter_message(const struct filter *f, const struct message *m, int64_t now_ns);
/* "3 could not be judged (damaged, or too much to unpack: 24.0 MiB at most)"; returns into. */
char *filter_unknown_text(char *into, size_t size, uint64_t count);

#define ROW_HAS_NONE (-2) /* of a number: rows of this sort never have one */

/* A row of a list: what list filters look at. Negative numbers are not known, or there is none. */
struct filter_row {
    const char *name, *kind, *state, *tag;
    const char *shown; /* the state in the screen's word, where that is another one; NULL: none */
    int64_t depth, lag;
    double p95_ms;
    int64_t age_ns;
};
struct filter_row filter_row_of(const struct channel *c); /* borrows its texts */
bool filter_row(const struct filter *f, const struct filter_row *row);
/* Of a row that does not match: the name of a number that is not known and decides it; NULL: known ones do. */
const char *filter_row_unknown(const struct filter *f, const struct filter_row *row);

#endif
