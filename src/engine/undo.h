/* What a guard does (base/guard.h): once the process that it guards is gone, it connects to that one's broker, and the driver undoes
 * what was left there, as it would at the next connection. Floor 4. */
#ifndef SIGNALBOX_ENGINE_UNDO_H
#define SIGNALBOX_ENGINE_UNDO_H

#include "model/broker.h"

/* The whole run of such a process: the exit code. */
int undo_run(broker_registry brokers);

#endif
