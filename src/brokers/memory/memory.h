/* The `memory` broker: a full driver over the in-process server. It carries the demo and the tests, and is labelled so.
 * Floor 3. Reading has no effect: taps and browses look at copies. */
#ifndef SIGNALBOX_BROKERS_MEMORY_H
#define SIGNALBOX_BROKERS_MEMORY_H

#include "model/broker.h"

extern const struct broker_ops memory_broker;

#endif
