/* Addresses, probe targets and --from. */
#include "fuzz.h"

#include "brokers/memory/memory.h"
#include "engine/config.h"

#include <stdlib.h>

static const char *const schemes[] = {"vh", "vhs", NULL};
static const struct broker_ops vhost = {.name = "vh", .title = "VH", .schemes = schemes, .default_port = 1};
static const struct broker_ops *const brokers[] = {&memory_broker, &vhost, NULL};
static const char *const rest_schemes[] = {"http", "https", NULL};
static const struct probe_ops rest = {.name = "rest", .schemes = rest_schemes};
static const struct probe_ops *const probes[] = {&rest, NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config c;
    struct err_info err;
    struct address address;
    struct start start;
    const struct probe_target *target;
    struct config_password *password;
    char *text = malloc(size + 1);
    if (!text || config_init(&c, &err))
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    if (!config_address(&c, text, brokers, &address, &err) && address.channel.name && !*address.channel.name)
        abort();
    (void)!config_target(&c, text, brokers, probes, &target, &password, &err);
    (void)!config_start(text, 0, &start, &err);
    config_free(&c);
    free(text);
    return 0;
}
