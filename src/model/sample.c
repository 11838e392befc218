#include "model/sample.h"

const char *health_name(enum health h)
{
    static const char *const names[] = {"unknown", "up", "degraded", "down"};
    return names[h];
}

void phases_init(struct phases *p)
{
    *p = (struct phases){PHASE_NONE, PHASE_NONE, PHASE_NONE, PHASE_NONE, PHASE_NONE};
}
