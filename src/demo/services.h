/* The demo's HTTP services: a handful of loopback ports answered by one thread. Floor 6. */
#ifndef SIGNALBOX_DEMO_SERVICES_H
#define SIGNALBOX_DEMO_SERVICES_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct services;

/* How a service answers at a moment: seconds since the start, and how many requests came before. */
struct service_answer {
    int status; /* 200, 503 */
    int64_t delay_ns;
    const char *body; /* JSON, static */
};
struct service {
    const char *name;
    struct service_answer (*answer)(double seconds, uint64_t requests);
};

struct services *services_start(const struct service *services, size_t count, struct err_info *err);
int services_port(const struct services *s, size_t i);
void services_stop(struct services **s);

#endif
