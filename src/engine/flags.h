/* The flags: one table for the shell's command line and the screen's `:` line, so that a line of the one works in the other.
 * Floor 4. */
#ifndef SIGNALBOX_ENGINE_FLAGS_H
#define SIGNALBOX_ENGINE_FLAGS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum flag {
#define X(id, name, letter, kind, argument, text) FLAG_##id,
#include "engine/flags.def"
#undef X
    FLAGS
};
#define F(id) (UINT64_C(1) << FLAG_##id)

enum flag_kind {
    FLAG_ON,
    FLAG_TEXT,
    FLAG_COUNT,
    FLAG_DURATION,
    FLAG_LIST,  /* may be repeated */
    FLAG_MAYBE, /* a text, or none where a flag or nothing stands behind it */
};
struct flag_row {
    const char *name;
    char letter; /* 0: none */
    enum flag_kind kind;
    const char *argument, *text;
};
extern const struct flag_row flag_rows[FLAGS];

enum flag flag_named(const char *name, size_t len); /* without its dashes; FLAGS: there is none */
enum flag flag_lettered(char letter);
/* The number behind a COUNT or DURATION (ns); ERR_USAGE says what to write. Other kinds are left alone. */
enum err flag_number(enum flag flag, const char *text, int64_t *number, struct err_info *err) SB_MUST_USE;

#endif
