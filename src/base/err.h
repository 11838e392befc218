/* Errors: one table (errors.def), one record that the caller supplies. Floor 0.
 *
 * A function that can fail returns enum err and, where it takes a struct err_info, fills it: what happened, where, and
 * what to do next. Only main exits. Wrong internal use is an assert, wrong input is an error value. */
#ifndef SIGNALBOX_BASE_ERR_H
#define SIGNALBOX_BASE_ERR_H

/* On what opens, reads, writes, saves or sends: there an error that nobody looks at loses something. Not on what only fills or
 * translates a record, nor where the result says the same once more (a decoded tree, a sample). */
#define SB_MUST_USE          __attribute__((warn_unused_result))
#define SB_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum err {
#define X(name, text, policy, exit_code) ERR_##name,
#include "base/errors.def"
#undef X
    ERR_COUNT
};

enum err_policy { ERR_POLICY_RETRY, ERR_POLICY_USER, ERR_POLICY_FATAL };

struct err_info {
    enum err code;
    char where
        [128]; /* file:line:column, endpoint, host:port, path in a payload; "" when there is no such place */
    char text[320]; /* what happened */
    char next[224]; /* what to do next; "" when nothing is known */
};

const char *err_name(enum err code); /* "NOTFOUND" */
const char *err_text(enum err code);
enum err_policy err_policy(enum err code);
int err_exit_code(enum err code);

/* Fills *info (which may be NULL) and returns code, so that `return err_set(...)` reads well. Clears where and next. */
enum err err_set(struct err_info *info, enum err code, const char *format, ...) SB_PRINTF(3, 4);
/* Add the place, or the next step, to a record that err_set has filled. NULL info is allowed. */
void err_where(struct err_info *info, const char *format, ...) SB_PRINTF(2, 3);
void err_next(struct err_info *info, const char *format, ...) SB_PRINTF(2, 3);
/* "where: text. Next: next" on one line, scrubbed of control characters. Returns into, NUL-terminated, cut at size. */
char *err_format(const struct err_info *info, char *into, unsigned long size);

#endif
