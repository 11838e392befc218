/* The embedded demo: a small shop in one process on loopback. Floor 6, since it names concrete modules.
 *
 * Kafka is librdkafka's mock cluster, services are real sockets, queues are the `memory` broker. A thread makes traffic with
 * a fixed seed: orders and payments flow, some are poison and end in dead letters, one service goes down for 15 s every
 * minute and comes back, another one is slow now and then. Journal and archives of what is tried there are in a folder of the demo's own
 * (XDG_STATE_HOME, while it runs), which goes with it. */
#ifndef SIGNALBOX_DEMO_DEMO_H
#define SIGNALBOX_DEMO_DEMO_H

#include "engine/config.h"
#include "model/registry.h"

struct demo;

/* Starts everything and adds its endpoints and probes to an empty configuration. NULL with *err. */
struct demo *demo_start(struct config *config, const struct registry *registry, struct err_info *err);
void demo_stop(struct demo **d); /* after every session that uses it has ended */
/* For a pipe: watches the demo for a few seconds and writes a report of what the console would show. */
enum err demo_report(struct config *config, const struct registry *registry, int fd,
                     struct err_info *err) SB_MUST_USE;

#endif
