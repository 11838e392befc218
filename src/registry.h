/* The one registry of what this program is made of. Floor 6. */
#ifndef SIGNALBOX_REGISTRY_H
#define SIGNALBOX_REGISTRY_H

#include "model/registry.h"

extern const struct registry registry;

#endif
