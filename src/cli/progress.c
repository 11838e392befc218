/* How far a reading is. */
#include "cli/reading.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

/* "", where nothing tells: what a driver passes over on its way to the first message is counted, too. */
static void put_left(char *into, size_t size, const struct reading_result *now, int64_t spent_ns)
{
    char age[32];
    int64_t left = now->goal > now->scanned ? now->goal - now->scanned : 0;
    *into = '\0';
    if (left && spent_ns <= 0)
        return;
    text_age(age, sizeof age, (int64_t)((double)spent_ns * (double)left / (double)now->scanned));
    snprintf(into, size, ", %s left", age);
}

char *reading_progress_text(char *into, size_t size, const struct reading_result *now, int64_t spent_ns,
                            const char *what)
{
    char scanned[32], total[32], written[32], left[48];
    /* What was taken is counted at once, what was looked at with the next status. */
    text_count(scanned, sizeof scanned,
               (uint64_t)(now->scanned > now->written ? now->scanned : now->written));
    text_count(written, sizeof written, (uint64_t)now->written);
    if (now->total <= 0 || now->scanned <= 0) {
        snprintf(into, size, "scanned %s, %s %s", scanned, written, what);
        return into;
    }
    text_count(total, sizeof total, (uint64_t)now->total);
    put_left(left, sizeof left, now, spent_ns);
    snprintf(into, size, "scanned %s of %s%s (%d %%), %s %s%s", scanned, now->total_upper ? "at most " : "",
             total, (int)(now->scanned * 100 / now->total), written, what, left);
    return into;
}
