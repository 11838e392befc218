/* From the checked tree to the structs. Getters answer NULL or the default where a value is absent or was refused by the
 * checker, so that every fault of the file is reported in one go. */
#include "engine/config_internal.h"

#include "base/limits.h"
#include "base/regex.h"
#include "base/text.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MOST_EXPECT 64

/* ---- getters ---- */

const struct config_node *config_get(const struct config_node *map, const char *key)
{
    for (size_t i = 0; map && map->kind == CONFIG_MAP && i < map->count; i++) {
        const struct config_node *k = map->members[i].key;
        if (k->kind == CONFIG_SCALAR && strcmp(k->text, key) == 0)
            return map->members[i].value;
    }
    return NULL;
}

const struct config_node *config_get_kind(const struct config_node *map, const char *key,
                                          enum config_node_kind kind)
{
    const struct config_node *node = config_get(map, key);
    return node && node->kind == kind ? node : NULL;
}

static const char *get_text(const struct config_node *map, const char *key)
{
    const struct config_node *node = config_get_kind(map, key, CONFIG_SCALAR);
    return node && *node->text ? node->text : NULL;
}

static bool get_bool(const struct config_node *map, const char *key)
{
    bool value = false;
    const char *text = get_text(map, key);
    return text && config_bool(text, &value) && value;
}

static int64_t get_duration(const struct config_node *map, const char *key, int64_t fallback)
{
    int64_t ns;
    const char *text = get_text(map, key);
    return text && text_duration(text, &ns) && ns >= 0 ? ns : fallback;
}

static unsigned get_count(const struct config_node *map, const char *key, unsigned fallback)
{
    int64_t n;
    const char *text = get_text(map, key);
    return text && text_int64(text, &n) && n >= 1 && n <= 1000 ? (unsigned)n : fallback;
}

size_t config_count(const struct config_node *node)
{
    return node ? node->count : 0;
}

void *config_make(struct config_reading *r, size_t count, size_t size)
{
    void *memory = arena_zalloc(r->config->arena, (count ? count : 1) * size);
    r->no_memory |= !memory;
    return memory;
}

/* `~/x` is the home's, a relative name that of the file's folder: it means the same from wherever the program is started. */
static const char *file_name(struct config_reading *r, const char *name)
{
    const char *file = r->config->file, *slash = file ? strrchr(file, '/') : NULL,
               *home = secure_getenv("HOME");
    char path[4096];
    if (!name || *name == '/')
        return name;
    if (text_starts(name, "~/") && home)
        snprintf(path, sizeof path, "%s/%s", home, name + 2);
    else if (slash)
        snprintf(path, sizeof path, "%.*s/%s", (int)(slash - file), file, name);
    else
        return name;
    const char *copy = arena_strdup(r->config->arena, path);
    r->no_memory |= !copy;
    return copy;
}

/* ---- what endpoints and probes share ---- */

/* False: it is not there, or cannot be read. */
static bool check_file(struct config_reading *r, const struct config_node *tls, const char *key,
                       const char *path)
{
    bool good = !path || !r->faults->thorough || access(path, R_OK) == 0;
    if (!good)
        config_fault(r->faults, config_get(tls, key), "tls.%s: %.200s: %s", key, path, strerror(errno));
    return good;
}

static void tls_without_scheme(struct config_reading *r, const struct config_node *tls,
                               const struct config_node *map, const char *scheme)
{
    char with_tls[80];
    const char *url = get_text(map, "url");
    if (config_scheme_with_tls(r->registry, scheme, with_tls, sizeof with_tls))
        config_fault(r->faults, tls, "tls is set, but `%s` speaks without it; write url: \"%s%.160s\"",
                     scheme, with_tls, url + strlen(scheme));
    else
        config_fault(r->faults, tls, "tls is set, but `%s` speaks without it; take tls out", scheme);
}

static void read_tls(struct config_reading *r, const struct config_node *map, struct endpoint *e)
{
    const struct config_node *tls = config_get_kind(map, "tls", CONFIG_MAP);
    if (!tls)
        return;
    e->tls.insecure = get_bool(tls, "insecure");
    if (get_text(tls, "ca"))
        e->tls.ca = file_name(r, get_text(tls, "ca"));
    e->tls.cert = file_name(r, get_text(tls, "cert"));
    e->tls.key = file_name(r, get_text(tls, "key"));
    check_file(r, tls, "ca", e->tls.ca);
    bool cert = check_file(r, tls, "cert", e->tls.cert), key = check_file(r, tls, "key", e->tls.key);
    if (!e->tls.cert != !e->tls.key)
        config_fault(r->faults, tls, "tls.cert and tls.key belong together: name both");
    else if (e->tls.cert && cert && key)
        config_check_certificate(r, tls, &e->tls);
    if (!e->tls.on && e->url.scheme)
        tls_without_scheme(r, tls, map, e->url.scheme);
}

static void read_password(struct config_reading *r, const struct config_node *map,
                          struct config_password *password)
{
    *password = (struct config_password){
        .env = get_text(map, "password_env"),
        .file = file_name(r, get_text(map, "password_file")),
        .command = get_text(map, "password_command"),
    };
    if (password->file && r->faults->thorough && access(password->file, R_OK) != 0)
        config_fault(r->faults, config_get(map, "password_file"), "password_file: %.200s: %s", password->file,
                     strerror(errno));
    if (!!password->env + !!password->file + !!password->command > 1)
        config_fault(r->faults, map,
                     "a password has one source: password_env, password_file or password_command");
}

static void read_options(struct config_reading *r, const struct config_node *map, struct endpoint *e)
{
    const struct config_node *words = config_get_kind(map, "options", CONFIG_MAP);
    struct option *options = config_make(r, config_count(words), sizeof *options);
    size_t n = 0;
    for (size_t i = 0; options && i < config_count(words); i++) {
        const struct config_member *m = &words->members[i];
        if (m->key->kind != CONFIG_SCALAR || m->value->kind != CONFIG_SCALAR)
            continue;
        if (strstr(m->key->text, "password") || strstr(m->key->text, "secret"))
            config_fault(r->faults, m->key,
                         "`%.80s`: secrets don't stand in the file; use password_env, password_file or "
                         "password_command",
                         m->key->text);
        options[n++] = (struct option){m->key->text, m->value->text};
    }
    e->options = options;
    e->option_count = n;
}

static void report(struct config_reading *r, const struct config_node *at, const struct err_info *err)
{
    config_fault(r->faults, at, "%s%s%s", err->text, err->next[0] ? "; " : "", err->next);
}

/* Printed as it is, and typed as one word. */
static bool is_word(const char *name)
{
    struct bytes b = bytes_of_text(name);
    bool good = !strpbrk(name, "/: ");
    for (size_t at = 0; good && at < b.len;) {
        uint32_t c = utf8_next(b, &at);
        good = c != UTF8_INVALID && utf8_width(c) >= 0;
    }
    return good;
}

static bool is_good_name(struct config_reading *r, const struct config_node *key)
{
    if (key->kind != CONFIG_SCALAR || !*key->text)
        return false;
    bool is_short = strlen(key->text) < 128, good = is_short && is_word(key->text);
    if (!good)
        config_fault(r->faults, key, "`%.60s` cannot name something in addresses: %s", key->text,
                     is_short ? "no slash, colon, white space or control character"
                              : "it is longer than 127 bytes");
    return good;
}

/* A body that is missing altogether is most often one whose lines are not indented; a wrong one is the checker's. */
static bool is_body(const struct config_node *map)
{
    return map->kind == CONFIG_MAP || config_is_nothing(map);
}

/* An empty url is said by the checker. */
static void no_url(struct config_reading *r, const struct config_node *key, const struct config_node *map)
{
    if (!config_get(map, "url"))
        config_fault(r->faults, key, "`%.60s` has no url; write url: \"SCHEME://HOST:PORT\"", key->text);
}

/* In quotes of a shell a channel may have a space; in the file it is a slip, or wants to be written %20. */
static bool has_space(struct config_reading *r, const struct config_node *url)
{
    bool has = strchr(url->text, ' ');
    if (has)
        config_fault(r->faults, url, "the URL has a space in it; leave it out, or write it as %%20");
    return has;
}

/* ---- endpoints ---- */

static void read_rules(struct config_reading *r, const struct config_node *map, struct endpoint *e)
{
    const struct config_node *channels = config_get_kind(map, "channels", CONFIG_MAP);
    struct channel_rule *rules = config_make(r, config_count(channels), sizeof *rules);
    size_t n = 0;
    for (size_t i = 0; rules && i < config_count(channels); i++) {
        const struct config_member *m = &channels->members[i];
        config_check_decoder(r, m->value);
        if (m->key->kind == CONFIG_SCALAR)
            rules[n++] = (struct channel_rule){
                .pattern = m->key->text,
                .decode = get_text(m->value, "decode"),
                .type = get_text(m->value, "type"),
                .dead_letters = get_text(m->value, "dead_letters"),
            };
    }
    e->rules = rules;
    e->rule_count = n;
}

static bool read_url(struct config_reading *r, const struct config_node *key, const struct config_node *map,
                     struct config_endpoint *e)
{
    const struct config_node *url = config_get_kind(map, "url", CONFIG_SCALAR);
    struct err_info err = {.code = ERR_OK};
    struct channel_name channel;
    char idle[120];
    if (!url || !*url->text) {
        no_url(r, key, map);
        return false;
    }
    if (has_space(r, url))
        return false;
    if (config_broker_url(r->config, url->text, r->registry->brokers, &e->endpoint, &e->broker, &channel,
                          &err)) {
        if (config_is_probe_url(url->text, r->registry->probes))
            config_fault(r->faults, url, "`%.60s` is probed, not read: put it under `probes:`", url->text);
        else
            report(r, url, &err);
        return false;
    }
    if (config_idle_parameter(&e->endpoint, idle, sizeof idle))
        config_warn(r->faults, url, "%s", idle);
    if (channel.name)
        config_fault(r->faults, url, "the url of an endpoint names no channel; leave `%.60s` out",
                     channel.name);
    return true;
}

static void read_endpoint(struct config_reading *r, const struct config_node *key,
                          const struct config_node *map)
{
    struct config_endpoint *e = &r->config->endpoints[r->config->endpoint_count];
    if (!is_good_name(r, key) || !is_body(map) || !read_url(r, key, map, e))
        return;
    e->endpoint.name = key->text;
    e->endpoint.by_url = false;
    e->endpoint.production = get_bool(map, "production");
    e->endpoint.write = get_bool(map, "write");
    if (get_text(map, "username"))
        e->endpoint.username = get_text(map, "username");
    if (get_text(map, "management"))
        e->endpoint.management = get_text(map, "management");
    read_password(r, map, &e->password);
    read_tls(r, map, &e->endpoint);
    read_options(r, map, &e->endpoint);
    config_check_options(r, map, e);
    read_rules(r, map, &e->endpoint);
    r->config->endpoint_count++;
}

static void read_endpoints(struct config_reading *r, const struct config_node *root)
{
    const struct config_node *map = config_get_kind(root, "endpoints", CONFIG_MAP);
    size_t count = config_count(map);
    if (count > CONFIG_MOST_ENDPOINTS) {
        config_fault(r->faults, map, "more than %d endpoints", CONFIG_MOST_ENDPOINTS);
        count = CONFIG_MOST_ENDPOINTS;
    }
    r->config->endpoint_cap = count + CONFIG_URL_ENDPOINTS;
    r->config->endpoints = config_make(r, r->config->endpoint_cap, sizeof *r->config->endpoints);
    for (size_t i = 0; r->config->endpoints && i < count; i++)
        read_endpoint(r, map->members[i].key, map->members[i].value);
}

/* ---- probes ---- */

struct expectations {
    struct assertion *items;
    size_t count;
};

static void expect(struct config_reading *r, struct expectations *x, struct assertion wanted,
                   const struct config_node *at)
{
    struct err_info err = {.code = ERR_OK};
    if (!wanted.text)
        return;
    if (x->count == MOST_EXPECT)
        config_fault(r->faults, at, "more than %d expectations", MOST_EXPECT);
    else if (assertion_check(&wanted, &err))
        report(r, at, &err);
    else
        x->items[x->count++] = wanted;
}

static void expect_words(struct config_reading *r, struct expectations *x, enum assertion_kind kind,
                         const struct config_node *words)
{
    for (size_t i = 0; i < config_count(words); i++) {
        const struct config_member *m = &words->members[i];
        if (m->key->kind != CONFIG_SCALAR || !*m->key->text || m->value->kind != CONFIG_SCALAR)
            continue;
        expect(r, x, (struct assertion){kind, m->key->text, m->value->text}, m->key);
    }
}

static void read_expect(struct config_reading *r, const struct config_node *map, struct probe_target *t)
{
    const struct config_node *e = config_get_kind(map, "expect", CONFIG_MAP);
    struct expectations x = {.items = config_make(r, MOST_EXPECT, sizeof(struct assertion))};
    if (!x.items || !e)
        return;
    expect(r, &x, (struct assertion){ASSERT_STATUS, NULL, get_text(e, "status")}, config_get(e, "status"));
    expect_words(r, &x, ASSERT_HEADER, config_get_kind(e, "headers", CONFIG_MAP));
    expect(r, &x, (struct assertion){ASSERT_BODY, NULL, get_text(e, "body")}, config_get(e, "body"));
    expect_words(r, &x, ASSERT_JSON, config_get_kind(e, "json", CONFIG_MAP));
    t->expect = x.items;
    t->expect_count = x.count;
}

static void read_needs(struct config_reading *r, const struct config_node *map, struct probe_target *t)
{
    const struct config_node *list = config_get_kind(map, "needs", CONFIG_LIST);
    if (!list)
        return;
    const char **names = config_make(r, list->count + 1, sizeof *names);
    size_t n = 0;
    for (size_t i = 0; names && i < list->count; i++)
        if (list->members[i].value->kind == CONFIG_SCALAR)
            names[n++] = list->members[i].value->text;
    t->needs = names;
}

static void read_probe(struct config_reading *r, const struct config_node *key, const struct config_node *map,
                       struct config_password *password)
{
    struct probe_target *t = &r->config->probes[r->config->probe_count];
    const struct config_node *url = config_get_kind(map, "url", CONFIG_SCALAR);
    struct err_info err = {.code = ERR_OK};
    if (!is_good_name(r, key) || !is_body(map))
        return;
    if (!url || !*url->text) {
        no_url(r, key, map);
        return;
    }
    if (has_space(r, url))
        return;
    if (config_probe_url(r->config, url->text, r->registry->brokers, r->registry->probes, t, &err)) {
        report(r, url, &err);
        return;
    }
    t->name = t->endpoint.name = key->text;
    t->endpoint.by_url = false;
    if (get_text(map, "username"))
        t->endpoint.username = get_text(map, "username");
    t->every_ns = get_duration(map, "every", t->every_ns);
    t->timeout_ns = get_duration(map, "timeout", t->timeout_ns);
    t->slow_ns = get_duration(map, "slow", 0);
    t->down_after = get_count(map, "down_after", t->down_after);
    t->up_after = get_count(map, "up_after", t->up_after);
    if (t->every_ns < 100 * NS_PER_MS)
        config_fault(r->faults, config_get(map, "every"),
                     "every: more often than each 100ms is a load, not a probe");
    if (t->timeout_ns < NS_PER_MS)
        config_fault(r->faults, config_get(map, "timeout"), "timeout: at least 1ms");
    read_password(r, map, password);
    read_tls(r, map, &t->endpoint);
    read_expect(r, map, t);
    read_needs(r, map, t);
    r->config->probe_count++;
}

/* Addresses, `needs` and the screen know both by their names. */
static void check_unique(struct config_reading *r, const struct config_node *endpoints,
                         const struct config_node *key)
{
    if (key->kind == CONFIG_SCALAR && config_get(endpoints, key->text))
        config_fault(r->faults, key, "`%.60s` is the name of an endpoint already; call one of them otherwise",
                     key->text);
}

static void read_probes(struct config_reading *r, const struct config_node *root)
{
    const struct config_node *map = config_get_kind(root, "probes", CONFIG_MAP);
    const struct config_node *endpoints = config_get_kind(root, "endpoints", CONFIG_MAP);
    size_t count = config_count(map);
    if (count > CONFIG_MOST_PROBES) {
        config_fault(r->faults, map, "more than %d probes", CONFIG_MOST_PROBES);
        count = CONFIG_MOST_PROBES;
    }
    r->config->probes = config_make(r, count, sizeof *r->config->probes);
    struct config_password *passwords = config_make(r, count, sizeof *passwords);
    for (size_t i = 0; r->config->probes && passwords && i < count; i++) {
        check_unique(r, endpoints, map->members[i].key);
        read_probe(r, map->members[i].key, map->members[i].value, &passwords[r->config->probe_count]);
    }
    r->config->probe_passwords = passwords;
    r->config->probe_password_count = r->config->probe_count;
}

/* ---- the rest ---- */

/* The one of the three that stands there; NULL: none, or several. */
static const struct config_node *redact_value(const struct config_node *item, enum redact_kind *kind)
{
    static const char *const words[] = {"field", "header", "regex"};
    const struct config_node *found = NULL;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const struct config_node *value = config_get(item, words[i]);
        if (value && found)
            return NULL;
        if (value) {
            found = value;
            *kind = (enum redact_kind)i;
        }
    }
    return found;
}

static bool read_rule(struct config_reading *r, const struct config_node *item, struct redact_rule *rule)
{
    const struct config_node *value = redact_value(item, &rule->kind);
    struct err_info err = {.code = ERR_OK};
    if (!value && is_body(item))
        config_fault(r->faults, item, "redact: a rule is one of field: PATH, header: NAME, regex: PATTERN");
    if (!value || value->kind != CONFIG_SCALAR || !*value->text) /* said by now, here or by the checker */
        return false;
    rule->text = value->text;
    struct regex *re = rule->kind == REDACT_REGEX ? regex_new(bytes_of_text(value->text), false, &err) : NULL;
    regex_free(&re);
    if (err.code)
        report(r, value, &err);
    return !err.code;
}

/* What should be hidden must not be shown because a rule is faulty: any fault refuses the file. */
static void read_redact(struct config_reading *r, const struct config_node *root)
{
    const struct config_node *list = config_get_kind(root, "redact", CONFIG_LIST);
    struct redact_rule *rules = config_make(r, config_count(list), sizeof *rules);
    struct err_info err = {.code = ERR_OK};
    bool good = rules && config_count(list);
    for (size_t i = 0; rules && i < config_count(list); i++)
        good &= read_rule(r, list->members[i].value, &rules[i]);
    if (!good)
        return;
    r->config->redaction = redaction_new(rules, config_count(list), r->registry->decoders, &err);
    if (!r->config->redaction)
        report(r, list, &err);
}

static void read_schemas(struct config_reading *r, const struct config_node *root)
{
    const struct config_node *list = config_get_kind(root, "schemas", CONFIG_LIST);
    if (!list)
        return;
    const char **names = config_make(r, list->count + 1, sizeof *names);
    size_t n = 0;
    for (size_t i = 0; names && i < list->count; i++) {
        const struct config_node *item = list->members[i].value;
        if (item->kind != CONFIG_SCALAR || !*item->text)
            continue;
        names[n++] = file_name(r, item->text);
        if (r->faults->thorough && names[n - 1] && access(names[n - 1], R_OK) != 0)
            config_fault(r->faults, item, "schemas: %.200s: %s; name a file or folder that can be read",
                         names[n - 1], strerror(errno));
    }
    r->config->schemas = names;
    if (n)
        config_warn(r->faults, list, "schemas have no effect: nothing uses them in this version");
}

static void read_limits(struct config_reading *r, const struct config_node *root)
{
    const struct config_node *limits = config_get_kind(root, "limits", CONFIG_MAP);
    const char *text = get_text(limits, "store");
    uint64_t size;
    if (!text || !text_size(text, &size))
        return;
    if (size < MIB || size > 64 * GIB)
        config_fault(r->faults, config_get(limits, "store"), "limits.store: from 1MiB to 64GiB");
    else
        r->config->store_bytes = (size_t)size;
}

static void read_theme(struct config_reading *r, const struct config_node *root)
{
    const struct config_node *ui = config_get_kind(root, "ui", CONFIG_MAP);
    struct err_info err = {.code = ERR_OK};
    r->config->theme = get_text(ui, "theme");
    if (r->config->theme && r->registry->check_theme && r->registry->check_theme(r->config->theme, &err))
        report(r, config_get(ui, "theme"), &err);
}

enum err config_read_tree(struct config *c, const struct config_node *root, const struct registry *registry,
                          struct config_faults *faults)
{
    struct config_reading r = {.config = c, .registry = registry, .faults = faults};
    read_endpoints(&r, root);
    read_probes(&r, root);
    config_check_needs(&r, root);
    read_redact(&r, root);
    read_schemas(&r, root);
    read_limits(&r, root);
    read_theme(&r, root);
    return r.no_memory ? ERR_NOMEM : ERR_OK;
}
