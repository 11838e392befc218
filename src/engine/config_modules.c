/* What a module knows of a setting, and the table does not: here drivers, decoders and OpenSSL are asked. */
#include "engine/config_internal.h"

#include "base/text.h"
#include "engine/decode.h"
#include "net/client_certificate.h"

void config_check_decoder(struct config_reading *r, const struct config_node *rule)
{
    const struct config_node *name = config_get_kind(rule, "decode", CONFIG_SCALAR);
    const char *names[32], *near;
    char all[200];
    size_t n = 0;
    for (decoder_registry d = r->registry->decoders; d && *d && n + 1 < sizeof names / sizeof *names; d++) {
        if (name && strcmp((*d)->name, name->text) == 0)
            return;
        names[n++] = (*d)->name;
    }
    names[n] = NULL;
    if (!name || n == 0)
        return;
    near = text_nearest(name->text, names);
    config_fault(r->faults, name, "decode: this version has no decoder `%.40s`%s%s%s; it has %s", name->text,
                 near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "",
                 decoder_names(r->registry->decoders, all, sizeof all));
}

void config_check_certificate(struct config_reading *r, const struct config_node *tls,
                              const struct tls_options *options)
{
    struct err_info err = {.code = ERR_OK};
    const char *file = NULL;
    if (!r->faults->thorough || !client_certificate_check(options->cert, options->key, &file, &err))
        return;
    const char *key = file == options->key ? "key" : "cert";
    config_fault(r->faults, config_get(tls, key), "tls.%s: %.160s: %s", key, file ? file : "", err.text);
}

struct options_check {
    struct config_reading *reading;
    const struct config_node *options, *endpoint; /* options NULL: none are given */
};

/* At the option's name, else where the options begin, or the endpoint. */
static void on_option(void *context, const char *option, const char *text)
{
    const struct options_check *c = context;
    const struct config_node *at = c->options ? c->options : c->endpoint;
    for (size_t i = 0; option && i < config_count(c->options); i++) {
        const struct config_node *key = c->options->members[i].key;
        if (key->kind == CONFIG_SCALAR && strcmp(key->text, option) == 0)
            at = key;
    }
    config_fault(c->reading->faults, at, "%s", text);
}

void config_check_options(struct config_reading *r, const struct config_node *map,
                          const struct config_endpoint *e)
{
    struct options_check c = {r, config_get_kind(map, "options", CONFIG_MAP), map};
    if (!r->faults->thorough)
        return;
    if (e->broker->check_options)
        e->broker->check_options(&e->endpoint, on_option, &c);
    else if (config_count(c.options))
        config_warn(r->faults, c.options, "options have no effect: %s takes none", e->broker->title);
}
