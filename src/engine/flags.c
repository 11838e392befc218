#include "engine/flags.h"

#include "base/clock.h"
#include "base/text.h"

#include <string.h>

const struct flag_row flag_rows[FLAGS] = {
#define X(id, name, letter, kind, argument, text) {name, letter, FLAG_##kind, argument, text},
#include "engine/flags.def"
#undef X
};

enum flag flag_named(const char *name, size_t len)
{
    for (int i = 0; i < FLAGS; i++)
        if (strlen(flag_rows[i].name) == len && memcmp(flag_rows[i].name, name, len) == 0)
            return (enum flag)i;
    return FLAGS;
}

enum flag flag_lettered(char letter)
{
    for (int i = 0; i < FLAGS; i++)
        if (flag_rows[i].letter && flag_rows[i].letter == letter)
            return (enum flag)i;
    return FLAGS;
}

enum err flag_number(enum flag flag, const char *text, int64_t *number, struct err_info *err)
{
    const struct flag_row *row = &flag_rows[flag];
    if (row->kind == FLAG_COUNT && (!text_int64(text, number) || *number < 0))
        return err_set(err, ERR_USAGE, "--%s %s: write a number", row->name, text);
    if (row->kind == FLAG_DURATION && (!text_duration(text, number) || *number < 0))
        return err_set(err, ERR_USAGE, "--%s %s: write a duration: 250ms 5s 5m, or seconds", row->name, text);
    if (flag == FLAG_TIMEOUT && *number < NS_PER_MS)
        return err_set(err, ERR_USAGE, "--%s %s: at least 1ms", row->name, text);
    return ERR_OK;
}
