/* Probe: one HTTP GET, and whether status, headers, body and JSON are as expected. Floor 3. http://... https://...
 *
 * Without an expected status 200 to 299 is up; redirects are followed. A certificate that ends within 14 days degrades. */
#ifndef SIGNALBOX_PROBES_REST_H
#define SIGNALBOX_PROBES_REST_H

#include "model/probe.h"

extern const struct probe_ops rest_probe;

#endif
