/* The rows. A new broker, decoder or probe is one file and one row here. */
#include "registry.h"

#include "brokers/kafka/kafka.h"
#include "brokers/memory/memory.h"
#include "brokers/rabbitmq/rabbitmq.h"
#include "decoders/hex.h"
#include "decoders/json.h"
#include "decoders/text.h"
#include "decoders/unwrap.h"
#include "probes/broker.h"
#include "probes/rest.h"
#include "probes/tcp.h"
#include "ui/manual.h"
#include "ui/theme.h"

#include <stddef.h>

static const struct broker_ops *const brokers[] = {
    &kafka_broker,
    &rabbitmq_broker,
    &memory_broker,
    NULL,
};

/* Order of preference among equals. */
static const struct decoder_ops *const decoders[] = {
    &json_decoder, &unwrap_decoder, &text_decoder, &hex_decoder, NULL,
};

static const struct probe_ops *const probes[] = {
    &rest_probe,
    &tcp_probe,
    &broker_probe,
    NULL,
};

static enum err check_theme(const char *name, struct err_info *err)
{
    struct theme theme;
    return theme_load(&theme, name, err);
}

const struct registry registry = {
    .brokers = brokers,
    .decoders = decoders,
    .probes = probes,
    .check_theme = check_theme,
    .describe_screen = manual_describe,
};
