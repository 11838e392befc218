#include "engine/gap.h"

bool gap_any_anew(const struct read_places *places)
{
    bool any = false;
    for (size_t i = 0; places && i < places->count; i++)
        any |= places->items[i].anew;
    return any;
}

enum session_gap gap_of(const struct read_request *r)
{
    size_t placed = 0;
    for (size_t c = 0; r->resume && c < r->channel_count; c++)
        for (size_t i = 0; i < r->resume->count; i++)
            if (r->resume->items[i].channel == c) {
                placed++;
                break;
            }
    if (placed == r->channel_count)
        return gap_any_anew(r->resume) ? GAP_ANEW : GAP_NONE;
    return placed == 0 ? GAP_ALL : GAP_PART;
}
