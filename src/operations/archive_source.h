/* An archive as one side of an operation: the primitives of a broker that are needed to read it. Floor 4.
 *
 * It is no driver of the registry: nobody names it by an address. What is read are the archive's messages in their order, each with the
 * position it once had. */
#ifndef SIGNALBOX_OPERATIONS_ARCHIVE_SOURCE_H
#define SIGNALBOX_OPERATIONS_ARCHIVE_SOURCE_H

#include "operations/execute.h"

/* path and *endpoint, which it fills, must outlive what is returned. */
struct operation_end archive_source(const char *path, struct endpoint *endpoint);

#endif
