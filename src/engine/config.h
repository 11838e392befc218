/* The configuration file: read through libyaml's document API, checked by one table (config.def), which also makes the man
 * page's section and `config check`. Floor 4. config_yaml.c is the one door to libyaml.
 *
 * All faults are reported at once, each with line, column and the nearest name. */
#ifndef SIGNALBOX_ENGINE_CONFIG_H
#define SIGNALBOX_ENGINE_CONFIG_H

#include "engine/redact.h"
#include "engine/secret.h"
#include "model/registry.h"

struct config_endpoint {
    struct endpoint endpoint;
    const struct broker_ops *broker;
    struct config_password password;
};

struct config {
    const char *file; /* NULL: none read */
    bool named;       /* by --config, and is not the one that is read of itself */
    struct config_endpoint *endpoints;
    size_t endpoint_count, endpoint_cap; /* room for those given by URL: endpoints never move */
    struct probe_target *probes;
    size_t probe_count;
    struct config_password *probe_passwords; /* of the file's probes, which come first; NULL: none */
    size_t probe_password_count;
    const char *const *schemas;  /* NULL-terminated; NULL none */
    struct redaction *redaction; /* NULL: nothing is hidden */
    const char *theme;           /* NULL: default */
    size_t store_bytes;
    struct arena *arena; /* owns every string above, but what passwords keep */
    atomic_bool leaving; /* a password_command that still runs is ended */
};

/* One row of config.def: what the checker, the man page and the help know about a key. */
struct config_key {
    const char *path; /* endpoints.*.url */
    const char *fallback;
    const char *doc;
};
const struct config_key *config_keys(size_t *count);
const char *config_key_type(size_t key); /* of the row with that index: "duration", "list of names" */
bool config_key_is_decoder(size_t key);  /* its value is the name of one of the registry's */

struct config_fault {
    unsigned line, column; /* from 1; 0: the whole file */
    unsigned more;         /* the last one of too many: so many are not listed; 0 else */
    bool warning;          /* refuses nothing; of config_check alone */
    char text[320];        /* what, and what next */
};
typedef void config_report(void *context, const char *file, const struct config_fault *fault);

/* An empty configuration, ready for config_add_url. Frees nothing: c is uninitialised before. */
enum err config_init(struct config *c, struct err_info *err) SB_MUST_USE;
/* Where config_load looks when path is NULL; false: nowhere (no HOME). *given: the environment names it, so it must exist. */
bool config_path(char *into, size_t size, bool *given);
/* path NULL: $SIGNALBOX_CONFIG, else the XDG file, else an empty configuration. Secrets (password_env, password_file,
 * password_command) are fetched when they are first wanted. ERR_CONFIG after at least one fault was reported. */
enum err config_load(struct config *c, const char *path, const struct registry *registry,
                     config_report *report, void *context, struct err_info *err) SB_MUST_USE;
/* The same for `config check`: a file that is named and can't be read is a fault, too, and what has no effect is warned of. */
enum err config_check(struct config *c, const char *path, const struct registry *registry,
                      config_report *report, void *context, struct err_info *err) SB_MUST_USE;
void config_free(struct config *c);
/* Adds an endpoint given by URL (without channel) and returns it; the same URL twice is the same endpoint. Its password is
 * SIGNALBOX_PASSWORD where set. Endpoints keep their addresses; more than 64 by URL are ERR_LIMIT. */
struct config_endpoint *config_add_url(struct config *c, const char *url, broker_registry brokers,
                                       struct err_info *err);

/* An address of the command line: NAME/CHANNEL or URL, CHANNEL with its kind or not; pattern and no channel are allowed. */
struct address {
    struct config_endpoint *endpoint;
    struct channel_name channel; /* name NULL: the endpoint alone */
};
enum err config_address(struct config *c, const char *text, broker_registry brokers, struct address *address,
                        struct err_info *err) SB_MUST_USE;
/* A target for `probe`: the name of a configured probe or endpoint, or a URL of any scheme that a probe or a broker knows.
 * *target lives as long as the configuration, and *password, which is to be fetched for it; NULL: none. */
enum err config_target(struct config *c, const char *text, broker_registry brokers, probe_registry probes,
                       const struct probe_target **target, struct config_password **password,
                       struct err_info *err) SB_MUST_USE;
/* Why a parameter of its URL has no effect, the first one; false: none. */
bool config_idle_parameter(const struct endpoint *e, char *why, size_t size);
/* Is it a URL that a probe alone knows (http, tcp)? */
bool config_is_probe_url(const char *text, probe_registry probes);
/* Adds the URL to the probes, once. Before anybody holds pointers into them; its password is SIGNALBOX_PASSWORD where set. */
enum err config_add_probe(struct config *c, const char *url, broker_registry brokers, probe_registry probes,
                          struct err_info *err) SB_MUST_USE;
/* The endpoint itself as a target of the broker probe. */
const struct probe_target *config_endpoint_target(struct config *c, const struct config_endpoint *e,
                                                  struct err_info *err);
/* What --from takes: beginning, end, end-N, a time (-15m, RFC 3339), an offset. "" is the default. ERR_USAGE. */
enum err config_start(const char *text, int64_t now_ns, struct start *start,
                      struct err_info *err) SB_MUST_USE;
/* The password of the i-th probe; NULL: none. */
struct config_password *config_probe_password(const struct config *c, size_t i);
/* Fetches the endpoint's password (file, command, environment) into endpoint.password, once; ERR_CONFIG. For a command that
 * has one thing to do: before its sessions, on their starter's thread. */
enum err config_secret(struct config *c, struct config_endpoint *e, struct err_info *err) SB_MUST_USE;
/* For a session's worker, before each connection: the endpoint's password as it is now, a copy. `config` is the struct config,
 * e one of its endpoints. */
enum err config_prepare(void *config, const struct endpoint *e, struct secret *into,
                        struct err_info *err) SB_MUST_USE;

#endif
