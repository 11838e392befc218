/* The configuration file: read through libyaml's document API, checked by one table (config.def), which also makes the man
 * page's section and `config check`. Floor 4. config_yaml.c is the one door to libyaml.
 *
 * All faults are reported at once, each with line, column and the nearest name. */
#ifndef SIGNALBOX_ENGINE_CONFIG_H
#define SIGNALBOX_ENGINE_CONFIG_H

#include "model/broker.h"
#include "model/probe.h"

struct channel_rule { /* endpoints.NAME.channels."PATTERN" */
    const char *pattern;
    const char *decode; /* decoder name or NULL */
    const char *type;
    const char *dead_letters;
};

struct config_endpoint {
    struct endpoint endpoint;
    const struct broker_ops *broker;
    const struct channel_rule *rules;
    size_t rule_count;
};

struct redact_rule {
    const char *field, *header, *regex; /* one is set */
};

struct config {
    const char *file; /* NULL: none read */
    struct config_endpoint *endpoints;
    size_t endpoint_count;
    struct probe_target *probes;
    size_t probe_count;
    const struct redact_rule *redact;
    size_t redact_count;
    const char *theme; /* NULL: default */
    size_t store_bytes;
    struct arena *arena; /* owns every string above */
};

struct config_fault {
    unsigned line, column; /* from 1; 0: the whole file */
    char text[320];        /* what, and what next */
};
typedef void config_report(void *context, const char *file, const struct config_fault *fault);

/* path NULL: $SIGNALBOX_CONFIG, else the XDG file, else an empty configuration. Secrets (password_env, password_file,
 * password_command) are resolved lazily by config_secret. ERR_CONFIG after at least one fault was reported. */
enum err config_load(struct config *c, const char *path, broker_registry brokers, probe_registry probes,
                     config_report *report, void *context, struct err_info *err) SB_MUST_USE;
void config_free(struct config *c);
/* Adds an endpoint given by URL (without channel) and returns it; the same URL twice is the same endpoint. Its password is
 * SIGNALBOX_PASSWORD where set. */
struct config_endpoint *config_add_url(struct config *c, const char *url, broker_registry brokers,
                                       struct err_info *err);

/* An address of the command line: NAME/CHANNEL or URL, CHANNEL with its kind or not; pattern and no channel are allowed. */
struct address {
    struct config_endpoint *endpoint;
    struct channel_name channel; /* name NULL: the endpoint alone */
};
enum err config_address(struct config *c, const char *text, broker_registry brokers, struct address *address,
                        struct err_info *err) SB_MUST_USE;
/* Resolves the endpoint's password (file, command, environment) into endpoint.password; ERR_AUTH or ERR_CONFIG. */
enum err config_secret(struct config *c, struct config_endpoint *e, struct err_info *err) SB_MUST_USE;

#endif
