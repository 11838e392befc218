/* The configuration: any text gives faults or values, never more. */
#include "fuzz.h"

#include "brokers/memory/memory.h"
#include "engine/config_internal.h"

#include <stdio.h>
#include <stdlib.h>

static const struct broker_ops *const brokers[] = {&memory_broker, NULL};
static const char *const schemes[] = {"http", "https", NULL};
static const struct probe_ops rest = {.name = "rest", .schemes = schemes};
static const struct probe_ops *const probes[] = {&rest, NULL};
static const struct decoder_ops json = {.name = "json"};
static const struct decoder_ops *const decoders[] = {&json, NULL};
static const struct registry registry = {.brokers = brokers, .decoders = decoders, .probes = probes};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config c;
    struct err_info err;
    struct config_faults *faults = calloc(1, sizeof *faults);
    const struct config_node *root;
    unsigned line, column;
    if (!faults || config_init(&c, &err))
        abort();
    if (!config_yaml_parse(bytes_of(data, size), c.arena, &root, &line, &column, &err) && root) {
        config_check_tree(root, faults);
        if (!config_read_tree(&c, root, &registry, faults)) /* else there was no memory for all of it */
            config_faults_report(faults, "");
    }
    config_free(&c);
    free(faults->items);
    free(faults);
    return 0;
}
