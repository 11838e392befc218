#include "model/sample.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>

const char *health_name(enum health h)
{
    static const char *const names[] = {"unknown", "up", "degraded", "down"};
    return names[h];
}

void phases_init(struct phases *p)
{
    *p = (struct phases){PHASE_NONE, PHASE_NONE, PHASE_NONE, PHASE_NONE, PHASE_NONE};
}

void sample_init(struct sample *s)
{
    *s = (struct sample){
        .health = HEALTH_UP, .error = ERR_OK, .time_ns = TIME_NONE, .certificate_expires_ns = TIME_NONE};
    phases_init(&s->phases);
}

void sample_fail(struct sample *s, const struct err_info *err)
{
    s->health = HEALTH_DOWN;
    s->error = err->code;
    text_copy(s->code, sizeof s->code, err_name(err->code));
    text_shorten(s->reason, sizeof s->reason, err->text[0] ? err->text : err_text(err->code));
}

char *sample_certificate(const struct sample *s, char *into, size_t size)
{
    char time[40];
    int64_t ends = s->certificate_expires_ns;
    *into = '\0';
    if (ends != TIME_NONE && ends != INT64_MAX)
        snprintf(into, size, "certificate %s %s", ends > s->time_ns ? "until" : "ended",
                 clock_rfc3339_seconds(ends, time, sizeof time));
    return into;
}
