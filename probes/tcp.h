/* Probe: does something listen there? Floor 3. tcp://HOST:PORT; of several hosts every one must answer. */
#ifndef SIGNALBOX_PROBES_TCP_H
#define SIGNALBOX_PROBES_TCP_H

#include "model/probe.h"

extern const struct probe_ops tcp_probe;

#endif
