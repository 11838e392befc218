/* One measurement of availability. Floor 1. A probe makes samples; the engine derives the state from them. */
#ifndef SIGNALBOX_MODEL_SAMPLE_H
#define SIGNALBOX_MODEL_SAMPLE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum health { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DEGRADED, HEALTH_DOWN };
const char *health_name(enum health h); /* "up", as in the JSON */

#define PHASE_NONE INT64_C(-1)

/* Durations of phases in nanoseconds, not cumulative; PHASE_NONE where a phase did not happen. total covers all. */
struct phases {
    int64_t dns, connect, tls, first_byte, total;
};
void phases_init(struct phases *p);

struct sample {
    enum health
        health; /* UP, DEGRADED (up with a reservation: an alarm, a certificate soon over) or DOWN; of this run alone */
    enum err error; /* of a failed run */
    struct phases phases;
    int64_t time_ns; /* wall clock at the end of the run */
    char code[24];   /* protocol's own: "200", "REFUSED", "530"; "" none */
    char reason[200];
    int64_t certificate_expires_ns; /* earliest of the presented chain; TIME_NONE unknown */
};

void sample_init(struct sample *s); /* UP, nothing measured */
/* DOWN with the error's code and text; phases stay. */
void sample_fail(struct sample *s, const struct err_info *err);

/* "certificate until 2026-12-01T10:30:00Z", or ended, by the time of the sample; "": none was seen, or it never ends. */
char *sample_certificate(const struct sample *s, char *into, size_t size);

#endif
