#include "operations/operation.h"

#include <sys/random.h>

static const char *const kinds[OPERATION_KINDS] = {
    [OPERATION_RESEND] = "resend",   [OPERATION_REPLAY] = "replay", [OPERATION_MOVE] = "move",
    [OPERATION_COPY] = "copy",       [OPERATION_DEDUPE] = "dedupe", [OPERATION_PURGE] = "purge",
    [OPERATION_RESTORE] = "restore",
};

const char *operation_kind_name(enum operation_kind kind)
{
    return kinds[kind];
}

bool operation_kind_parse(const char *name, enum operation_kind *kind)
{
    for (int k = 0; k < OPERATION_KINDS; k++)
        if (strcmp(name, kinds[k]) == 0) {
            *kind = (enum operation_kind)k;
            return true;
        }
    return false;
}

const char *operation_state_name(enum operation_state state)
{
    static const char *const names[OPERATION_STATES] = {
        [OPERATION_RUNNING] = "running",     [OPERATION_INTERRUPTED] = "interrupted",
        [OPERATION_DONE] = "done",           [OPERATION_PARTIAL] = "partial",
        [OPERATION_CANCELLED] = "cancelled", [OPERATION_FAILED] = "failed",
        [OPERATION_PLANNED] = "planned",
    };
    return names[state];
}

const char *delivery_name(enum delivery state)
{
    static const char *const names[DELIVERY_STATES] = {
        [DELIVERY_INTENDED] = "intended", [DELIVERY_ARRIVED] = "arrived", [DELIVERY_DONE] = "done",
        [DELIVERY_SKIPPED] = "skipped",   [DELIVERY_FAILED] = "failed",   [DELIVERY_IN_DOUBT] = "in doubt",
    };
    return names[state];
}

/* Without the letters that are read as digits; no name that a person would mistake for another. */
void operation_id_new(char id[OPERATION_ID_SIZE])
{
    static const char letters[33] = "0123456789abcdefghjkmnpqrstvwxyz";
    uint8_t random[OPERATION_ID_SIZE - 1];
    for (size_t have = 0; have < sizeof random;) {
        ssize_t n = getrandom(random + have, sizeof random - have, 0);
        have += n > 0 ? (size_t)n : 0;
    }
    for (size_t i = 0; i < sizeof random; i++)
        id[i] = letters[random[i] & 31];
    id[sizeof random] = '\0';
}
