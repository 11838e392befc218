/* Probe: a broker by its own driver: connect, authenticate, ask for its health, leave. Floor 3. It knows no driver, only the
 * contract; which one is meant says the scheme of the endpoint's URL. */
#ifndef SIGNALBOX_PROBES_BROKER_H
#define SIGNALBOX_PROBES_BROKER_H

#include "model/probe.h"

extern const struct probe_ops broker_probe;

#endif
