/* What the configuration's files share: faults, typed reading, and how an endpoint is made of a URL. Floor 4; inside. */
#ifndef SIGNALBOX_ENGINE_CONFIG_INTERNAL_H
#define SIGNALBOX_ENGINE_CONFIG_INTERNAL_H

#include "engine/config.h"
#include "engine/config_yaml.h"

#define CONFIG_URL_ENDPOINTS 64 /* how many the command line may add */

#define CONFIG_MOST_FAULTS    1000 /* reported; the rest is counted */
#define CONFIG_MOST_ENDPOINTS 1000
#define CONFIG_MOST_PROBES    1000
#define CONFIG_MOST_NEEDS     256

struct config_faults {
    config_report *report; /* NULL: nobody listens */
    void *context;
    bool
        thorough; /* also whether the files that are named can be read: what may change without the configuration */
    unsigned count, warnings;   /* warnings: those of them that refuse nothing */
    struct config_fault *items; /* NULL: none yet, or no memory; config_faults_report frees them */
};
void config_fault(struct config_faults *f, const struct config_node *at, const char *format, ...)
    SB_PRINTF(3, 4);

/* Of a thorough check alone: what is allowed and has no effect. Not counted where there is no room to list it, nor
 * once a fault took its place. */
void config_warn(struct config_faults *f, const struct config_node *at, const char *format, ...)
    SB_PRINTF(3, 4);

/* Reports what was found, in the order of the file, and forgets it. */
void config_faults_report(struct config_faults *f, const char *file);
/* Checks the tree against config.def: unknown and duplicate keys, wrong types. config_check.c */
void config_check_tree(const struct config_node *root, struct config_faults *faults);
bool config_bool(const char *text, bool *value);        /* true, false */
bool config_is_nothing(const struct config_node *node); /* nothing stands behind the key, or ~ */

/* Fills c from a tree; what the check has refused already is left out silently. config_read.c */
enum err config_read_tree(struct config *c, const struct config_node *root, const struct registry *registry,
                          struct config_faults *faults) SB_MUST_USE;

struct config_reading {
    struct config *config;
    const struct registry *registry;
    struct config_faults *faults;
    bool no_memory;
};
/* config_read.c: the value of a key, NULL: none, or map is none; of that kind; how many members, 0 for NULL. */
const struct config_node *config_get(const struct config_node *map, const char *key);
const struct config_node *config_get_kind(const struct config_node *map, const char *key,
                                          enum config_node_kind kind);
size_t config_count(const struct config_node *node);
/* Zeroed, of the configuration's arena, and never of no size; NULL is remembered in r. */
void *config_make(struct config_reading *r, size_t count, size_t size);
/* config_modules.c: a rule's decoder must be one of the registry's; of a thorough check alone: both files can be used, and belong
 * together; the driver takes the options. */
void config_check_decoder(struct config_reading *r, const struct config_node *rule);
void config_check_certificate(struct config_reading *r, const struct config_node *tls,
                              const struct tls_options *options);
void config_check_options(struct config_reading *r, const struct config_node *map,
                          const struct config_endpoint *e);
/* config_needs.c: reports names that nothing has, and circles. */
void config_check_needs(struct config_reading *r, const struct config_node *root);

/* address_url.c: a URL to endpoint and driver or probe. *channel is what the path says behind the endpoint (name NULL: nothing).
 * ERR_USAGE with the nearest scheme. */
enum err config_broker_url(struct config *c, const char *url, broker_registry brokers, struct endpoint *e,
                           const struct broker_ops **ops, struct channel_name *channel,
                           struct err_info *err) SB_MUST_USE;
enum err config_probe_url(struct config *c, const char *url, broker_registry brokers, probe_registry probes,
                          struct probe_target *target, struct err_info *err) SB_MUST_USE;
/* How often and how long, and when it counts as down and up, where nothing else is said. */
void config_target_defaults(struct probe_target *t);
bool config_is_url(const char *text);
/* The driver that has that scheme, in any case; NULL: none. */
const struct broker_ops *config_driver(broker_registry brokers, const char *scheme);
/* Puts the TLS form of a scheme into `into`: kafkas. False: there is none. */
bool config_scheme_with_tls(const struct registry *registry, const char *scheme, char *into, size_t size);

#endif
