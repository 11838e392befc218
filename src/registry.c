/* The rows. A new broker, decoder or probe is one file and one row here. */
#include "registry.h"

#include "brokers/memory/memory.h"

#include <stddef.h>

static const struct broker_ops *const brokers[] = {
    &memory_broker,
    NULL,
};

/* Order of preference among equals. */
static const struct decoder_ops *const decoders[] = {
    NULL,
};

static const struct probe_ops *const probes[] = {
    NULL,
};

const struct registry registry = {.brokers = brokers, .decoders = decoders, .probes = probes};
