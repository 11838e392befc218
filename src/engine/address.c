/* Addresses: NAME/CHANNEL and URLs to endpoints, channels and probe targets. */
#include "engine/config_internal.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_SCHEMES     64
#define PROBE_EVERY_NS   (10 * NS_PER_S)
#define PROBE_TIMEOUT_NS (5 * NS_PER_S)
#define PROBE_DOWN_AFTER 3
#define PROBE_UP_AFTER   2

static enum err no_memory(struct err_info *err)
{
    return err_set(err, ERR_NOMEM, "no memory for an address");
}

/* SCHEME: followed by a slash or nothing; `orders-kafka/topic:x` has a slash before its colon. */
bool config_is_url(const char *text)
{
    size_t n = 0;
    while (isalnum((unsigned char)text[n]) || (n && text[n] && strchr("+-.", text[n])))
        n++;
    return n && text[n] == ':' && (text[n + 1] == '/' || text[n + 1] == '\0');
}

/* ---- schemes ---- */

static bool has_scheme(const char *const *schemes, const char *scheme)
{
    for (; schemes && *schemes; schemes++)
        if (text_equal_nocase(*schemes, scheme))
            return true;
    return false;
}

static const struct broker_ops *find_broker(broker_registry brokers, const char *scheme)
{
    for (; brokers && *brokers; brokers++)
        if (has_scheme((*brokers)->schemes, scheme))
            return *brokers;
    return NULL;
}

static const struct probe_ops *find_probe(probe_registry probes, const char *scheme)
{
    for (; probes && *probes; probes++)
        if (has_scheme((*probes)->schemes, scheme))
            return *probes;
    return NULL;
}

static size_t add_schemes(const char **names, size_t n, const char *const *schemes)
{
    for (; schemes && *schemes && n + 1 < MOST_SCHEMES; schemes++)
        names[n++] = *schemes;
    return n;
}

static enum err unknown_scheme(const struct url *url, const char *text, broker_registry brokers,
                               probe_registry probes, struct err_info *err)
{
    const char *names[MOST_SCHEMES];
    size_t n = 0;
    for (; brokers && *brokers; brokers++)
        n = add_schemes(names, n, (*brokers)->schemes);
    for (; probes && *probes; probes++)
        n = add_schemes(names, n, (*probes)->schemes);
    names[n] = NULL;
    char known[160] = "";
    for (size_t i = 0; i < n; i++)
        if (strlen(known) + strlen(names[i]) + 2 < sizeof known)
            snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? " " : "", names[i]);
    const char *near = text_nearest(url->scheme, names);
    enum err e = err_set(err, ERR_USAGE, "unknown scheme `%.40s`", url->scheme);
    err_where(err, "%s", text);
    if (near)
        err_next(err, "did you mean `%s`?", near);
    else
        err_next(err, "known are: %s", known);
    return e;
}

/* The scheme with TLS is the plain one with an s: kafkas, rabbitmqs, https, soap+https. */
static bool scheme_has_tls(const char *const *schemes, const char *scheme)
{
    size_t len = strlen(scheme);
    for (; schemes && *schemes; schemes++)
        if (len == strlen(*schemes) + 1 && scheme[len - 1] == 's' &&
            strncasecmp(*schemes, scheme, len - 1) == 0)
            return true;
    return false;
}

/* ---- the endpoint of a URL ---- */

static const char *const broker_parameters[] = {"ca", "management", "registry", "jolokia", NULL};

static enum err check_parameters(const struct url *url, const char *text, struct err_info *err)
{
    for (size_t i = 0; i < url->query_count; i++) {
        bool known = false;
        for (const char *const *p = broker_parameters; *p; p++)
            known |= strcmp(*p, url->query[i].name) == 0;
        if (known)
            continue;
        const char *near = text_nearest(url->query[i].name, broker_parameters);
        err_set(err, ERR_USAGE, "unknown parameter `%.40s` behind the ?", url->query[i].name);
        err_where(err, "%s", text);
        err_next(err, near ? "did you mean `%s`?" : "known are ca management registry jolokia%s",
                 near ? near : "");
        return ERR_USAGE;
    }
    return ERR_OK;
}

bool config_idle_parameter(const struct endpoint *e, char *why, size_t size)
{
    static const char *const idle[] = {"registry", "jolokia"};
    for (size_t i = 0; i < sizeof idle / sizeof *idle; i++)
        if (url_query(&e->url, idle[i])) {
            snprintf(why, size, "?%s= has no effect: nothing uses it in this version", idle[i]);
            return true;
        }
    if (e->tls.on || !url_query(&e->url, "ca"))
        return false;
    snprintf(why, size, "?ca= has no effect: `%s` speaks without TLS", e->url.scheme);
    return true;
}

bool config_scheme_with_tls(const struct registry *registry, const char *scheme, char *into, size_t size)
{
    snprintf(into, size, "%ss", scheme);
    return find_broker(registry->brokers, into) || find_probe(registry->probes, into);
}

/* The vhost is the path's first part, percent-encoded; none is `/`. The channel is what follows; a colon that is encoded belongs to
 * its name. */
static enum err split_path(struct config *c, const struct broker_ops *ops, const char *text,
                           struct endpoint *e, struct channel_name *channel, struct err_info *err)
{
    struct bytes path = bytes_of_text(e->url.path);
    *channel = (struct channel_name){.kind = CHANNEL_ANY};
    if (!ops->path_is_channel) {
        const uint8_t *slash = path.len ? memchr(path.data, '/', path.len) : NULL;
        size_t len = slash ? (size_t)(slash - path.data) : path.len;
        e->vhost = "/";
        if (len && !url_decode(bytes_slice(path, 0, len), c->arena, &e->vhost))
            goto bad;
        path = bytes_slice(path, slash ? len + 1 : len, path.len);
    }
    if (!path.len)
        return ERR_OK;
    const char *name;
    channel->kind = channel_kind_parse((const char *)path.data, &name);
    if (url_decode(bytes_of_text(name), c->arena, &channel->name))
        return ERR_OK;
bad:
    err_set(err, ERR_USAGE, "the path has a bad %% escape");
    err_where(err, "%s", text);
    err_next(err, "write %% as %%25 and / of a vhost as %%2f");
    return ERR_USAGE;
}

/* What names the endpoint: the URL up to the channel, with its parameters. */
static const char *endpoint_text(struct config *c, const struct broker_ops *ops, const char *text)
{
    const char *authority = strstr(text, "//");
    const char *colon = strchr(text, ':');
    const char *path = strpbrk(authority ? authority + 2 : colon + 1, "/?");
    const char *query = strchr(text, '?');
    size_t len = path ? (size_t)(path - text) : strlen(text);
    if (path && *path == '/' && !ops->path_is_channel) {
        const char *end = strpbrk(path + 1, "/?");
        len = end ? (size_t)(end - text) : strlen(text);
        if (len == (size_t)(path - text) + 1)
            len--;
    }
    size_t query_len = query ? strlen(query) : 0;
    char *into = arena_alloc(c->arena, len + query_len + 1);
    if (!into)
        return NULL;
    memcpy(into, text, len);
    if (query_len)
        memcpy(into + len, query, query_len);
    into[len + query_len] = '\0';
    return into;
}

/* What a channel is put behind, on screen and in messages: without the parameters, and with the virtual host that the URL may
 * leave out while it names no channel, it reads as an address. */
static const char *endpoint_name(struct config *c, const struct endpoint *e, const struct broker_ops *ops)
{
    const char *vhost = !ops->path_is_channel && strcspn(e->url.path, "/") == 0 ? "/%2F" : "";
    size_t len = strcspn(e->text, "?"), vhost_len = strlen(vhost);
    char *name = arena_alloc(c->arena, len + vhost_len + 1);
    if (!name)
        return NULL;
    memcpy(name, e->text, len);
    memcpy(name + len, vhost, vhost_len + 1);
    return name;
}

static void endpoint_from_url(struct endpoint *e, const char *const *schemes, bool parameters)
{
    e->by_url = true;
    e->username = e->url.user;
    e->tls.on = scheme_has_tls(schemes, e->url.scheme);
    if (!parameters)
        return;
    e->tls.ca = url_query(&e->url, "ca");
    e->management = url_query(&e->url, "management");
}

enum err config_broker_url(struct config *c, const char *url, broker_registry brokers, struct endpoint *e,
                           const struct broker_ops **ops, struct channel_name *channel, struct err_info *err)
{
    *e = (struct endpoint){0};
    enum err failed = url_parse(&e->url, url, c->arena, err);
    if (failed)
        return failed;
    *ops = find_broker(brokers, e->url.scheme);
    if (!*ops)
        return unknown_scheme(&e->url, url, brokers, NULL, err);
    if (e->url.host_count == 0 && (*ops)->default_port) {
        err_set(err, ERR_USAGE, "the URL names no host");
        err_where(err, "%s", url);
        err_next(err, "write %s://HOST:PORT", e->url.scheme);
        return ERR_USAGE;
    }
    failed = check_parameters(&e->url, url, err);
    if (!failed)
        failed = split_path(c, *ops, url, e, channel, err);
    if (failed)
        return failed;
    endpoint_from_url(e, (*ops)->schemes, true);
    e->text = endpoint_text(c, *ops, url);
    e->name = e->text ? endpoint_name(c, e, *ops) : NULL;
    return e->name ? ERR_OK : no_memory(err);
}

static bool same_endpoint(const struct config_endpoint *a, const struct endpoint *b)
{
    return a->endpoint.by_url && strcmp(a->endpoint.text, b->text) == 0;
}

static struct config_endpoint *add_endpoint(struct config *c, const struct endpoint *e,
                                            const struct broker_ops *ops, struct err_info *err)
{
    for (size_t i = 0; i < c->endpoint_count; i++)
        if (same_endpoint(&c->endpoints[i], e))
            return &c->endpoints[i];
    if (c->endpoint_count == c->endpoint_cap) {
        err_set(err, ERR_LIMIT, "more than %d endpoints given by URL", CONFIG_URL_ENDPOINTS);
        err_next(err, "put them into a configuration file");
        return NULL;
    }
    struct config_endpoint *added = &c->endpoints[c->endpoint_count++];
    *added = (struct config_endpoint){.endpoint = *e, .broker = ops};
    const char *password = secure_getenv("SIGNALBOX_PASSWORD");
    if (password)
        added->endpoint.password = arena_strdup(c->arena, password);
    char idle[120];
    if (config_idle_parameter(e, idle, sizeof idle))
        log_write(LOG_WARN, e->name, "%s", idle);
    return added;
}

static struct config_endpoint *endpoint_of_url(struct config *c, const char *url, broker_registry brokers,
                                               struct channel_name *channel, struct err_info *err)
{
    const struct broker_ops *ops;
    struct endpoint e;
    if (!c->arena && config_init(c, err))
        return NULL;
    return config_broker_url(c, url, brokers, &e, &ops, channel, err) ? NULL : add_endpoint(c, &e, ops, err);
}

struct config_endpoint *config_add_url(struct config *c, const char *url, broker_registry brokers,
                                       struct err_info *err)
{
    struct channel_name channel;
    return endpoint_of_url(c, url, brokers, &channel, err);
}

/* ---- addresses ---- */

static struct config_endpoint *find_endpoint(const struct config *c, struct bytes name)
{
    for (size_t i = 0; i < c->endpoint_count; i++)
        if (bytes_equal_text(name, c->endpoints[i].endpoint.name))
            return &c->endpoints[i];
    return NULL;
}

/* What an address may begin with, NULL-terminated; what is known by its URL alone has no name. The caller frees it. */
static const char **all_names(const struct config *c, bool probes)
{
    const char **names = calloc(c->endpoint_count + c->probe_count + 1, sizeof *names);
    size_t n = 0;
    for (size_t i = 0; names && i < c->endpoint_count; i++)
        if (!config_is_url(c->endpoints[i].endpoint.name))
            names[n++] = c->endpoints[i].endpoint.name;
    for (size_t i = 0; names && probes && i < c->probe_count; i++)
        names[n++] = c->probes[i].name;
    return names;
}

/* "`a`, `b` and 7 more" */
static char *list_names(const char *const *names, char *into, size_t size)
{
    size_t used = 0, i = 0;
    *into = '\0';
    for (; names[i] && used + strlen(names[i]) + sizeof ", `` and 1000 more" <= size; i++)
        used += (size_t)snprintf(into + used, size - used, "%s`%s`", i ? ", " : "", names[i]);
    size_t more = 0;
    while (names[i + more])
        more++;
    if (more)
        snprintf(into + used, size - used, " and %zu more", more);
    return into;
}

static enum err unknown_name(const struct config *c, const char *text, size_t len, bool probes,
                             struct err_info *err)
{
    static const char *const none[] = {NULL};
    char word[128], list[160];
    const char **names = all_names(c, probes);
    const char *const *known = names ? names : none;
    const char *near = text_nearest(text_copy_bytes(word, sizeof word, bytes_of(text, len)), known);
    const char *url = probes ? "http://HOST/PATH" : "kafka://HOST:PORT/TOPIC";
    err_set(err, ERR_USAGE, "no %sendpoint is called `%s`", probes ? "probe or " : "", word);
    err_where(err, "%s", text);
    if (near)
        err_next(err, "did you mean `%s`?", near);
    else if (*known)
        err_next(err, "there %s %s; or give a URL: %s", known[1] ? "are" : "is",
                 list_names(known, list, sizeof list), url);
    else
        err_next(err, "nothing is configured; give a URL: %s", url);
    free(names);
    return ERR_USAGE;
}

enum err config_address(struct config *c, const char *text, broker_registry brokers, struct address *address,
                        struct err_info *err)
{
    *address = (struct address){0};
    if (config_is_url(text)) {
        address->endpoint = endpoint_of_url(c, text, brokers, &address->channel, err);
        if (!address->endpoint)
            return err ? err->code : ERR_USAGE;
    } else {
        const char *slash = strchr(text, '/');
        size_t len = slash ? (size_t)(slash - text) : strlen(text);
        address->endpoint = find_endpoint(c, bytes_of(text, len));
        if (!address->endpoint)
            return unknown_name(c, text, len, false, err);
        const char *channel = slash && slash[1] ? arena_strdup(c->arena, slash + 1) : NULL;
        if (channel)
            address->channel.kind = channel_kind_parse(channel, &address->channel.name);
    }
    if (address->channel.name && !*address->channel.name) {
        err_set(err, ERR_USAGE, "the channel's name is empty");
        err_where(err, "%s", text);
        return ERR_USAGE;
    }
    return ERR_OK;
}

/* ---- where to begin ---- */

enum err config_start(const char *text, int64_t now_ns, struct start *start, struct err_info *err)
{
    *start = (struct start){.kind = START_DEFAULT};
    if (!*text)
        return ERR_OK;
    if (strcmp(text, "beginning") == 0)
        start->kind = START_BEGINNING;
    else if (strcmp(text, "end") == 0)
        start->kind = START_END;
    else if (text_starts(text, "end-") && text_int64(text + 4, &start->value) && start->value >= 0)
        start->kind = START_LAST;
    else if (text_int64(text, &start->value) && start->value >= 0)
        start->kind = START_OFFSET;
    else if (clock_parse(text, now_ns, &start->value))
        start->kind = START_TIME;
    if (start->kind != START_DEFAULT)
        return ERR_OK;
    static const char *const words[] = {"beginning", "end", NULL};
    const char *near = text_nearest(text, words);
    err_set(err, ERR_USAGE, "`%.60s` is no place to begin at", text);
    err_where(err, "--from");
    err_next(err,
             near ? "did you mean `%s`?"
                  : "write beginning, end, end-100, -15m, 2026-11-22T12:00:00Z or an offset%s",
             near ? near : "");
    return ERR_USAGE;
}

/* ---- probe targets ---- */

static void target_defaults(struct probe_target *t)
{
    t->every_ns = PROBE_EVERY_NS;
    t->timeout_ns = PROBE_TIMEOUT_NS;
    t->down_after = PROBE_DOWN_AFTER;
    t->up_after = PROBE_UP_AFTER;
}

static enum err check_probe_url(const struct probe_ops *probe, const struct endpoint *e, const char *url,
                                struct err_info *err)
{
    bool port = true;
    for (size_t i = 0; i < e->url.host_count; i++)
        port &= e->url.hosts[i].port > 0 || !probe->needs_port;
    if (e->url.host_count && port && !strchr(url, ' '))
        return ERR_OK;
    err_set(err, ERR_USAGE, "the URL %s",
            !e->url.host_count ? "names no host"
            : !port            ? "names no port"
                               : "has a space in it");
    err_where(err, "%s", url);
    if (e->url.host_count && port)
        err_next(err, "write it as %%20");
    else
        err_next(err, "write %s://HOST%s", e->url.scheme, probe->needs_port ? ":PORT" : "/PATH");
    return ERR_USAGE;
}

enum err config_probe_url(struct config *c, const char *url, broker_registry brokers, probe_registry probes,
                          struct probe_target *target, struct err_info *err)
{
    struct endpoint *e = &target->endpoint;
    *target = (struct probe_target){0};
    target_defaults(target);
    enum err failed = url_parse(&e->url, url, c->arena, err);
    if (failed)
        return failed;
    const struct probe_ops *probe = find_probe(probes, e->url.scheme);
    const struct broker_ops *broker = find_broker(brokers, e->url.scheme);
    if (broker) {
        struct channel_name channel;
        failed = config_broker_url(c, url, brokers, e, &broker, &channel, err);
        target->kind = "broker";
        target->name = e->name;
        return failed;
    }
    if (!probe)
        return unknown_scheme(&e->url, url, brokers, probes, err);
    failed = check_probe_url(probe, e, url, err);
    if (failed)
        return failed;
    endpoint_from_url(e, probe->schemes, false);
    e->text = e->name = arena_strdup(c->arena, url);
    target->kind = probe->name;
    target->name = e->name;
    return e->name ? ERR_OK : no_memory(err);
}

const struct probe_target *config_endpoint_target(struct config *c, const struct config_endpoint *e,
                                                  struct err_info *err)
{
    struct probe_target *t = arena_zalloc(c->arena, sizeof *t);
    if (!t) {
        no_memory(err);
        return NULL;
    }
    target_defaults(t);
    t->endpoint = e->endpoint;
    t->name = e->endpoint.name;
    t->kind = "broker";
    return t;
}

bool config_is_probe_url(const char *text, probe_registry probes)
{
    char scheme[32];
    const char *end = strstr(text, "://");
    if (!end || (size_t)(end - text) >= sizeof scheme)
        return false;
    text_copy_bytes(scheme, sizeof scheme, bytes_of(text, (size_t)(end - text)));
    return find_probe(probes, text_lower(scheme)) != NULL;
}

static void lend_password(struct config *c, struct probe_target *t)
{
    const char *password = secure_getenv("SIGNALBOX_PASSWORD");
    if (password)
        t->endpoint.password = arena_strdup(c->arena, password);
}

enum err config_add_probe(struct config *c, const char *url, broker_registry brokers, probe_registry probes,
                          struct err_info *err)
{
    for (size_t i = 0; i < c->probe_count; i++)
        if (strcmp(c->probes[i].name, url) == 0)
            return ERR_OK;
    struct probe_target *more = arena_zalloc(c->arena, (c->probe_count + 1) * sizeof *more);
    if (!more)
        return no_memory(err);
    for (size_t i = 0; i < c->probe_count; i++)
        more[i] = c->probes[i];
    enum err e = config_probe_url(c, url, brokers, probes, &more[c->probe_count], err);
    if (e)
        return e;
    lend_password(c, &more[c->probe_count]);
    c->probes = more;
    c->probe_count++;
    return ERR_OK;
}

static enum err url_target(struct config *c, const char *url, broker_registry brokers, probe_registry probes,
                           const struct probe_target **target, struct err_info *err)
{
    struct probe_target *t = arena_zalloc(c->arena, sizeof *t);
    if (!t)
        return no_memory(err);
    enum err e = config_probe_url(c, url, brokers, probes, t, err);
    if (!e)
        lend_password(c, t);
    *target = t;
    return e;
}

enum err config_target(struct config *c, const char *text, broker_registry brokers, probe_registry probes,
                       const struct probe_target **target, struct config_password **password,
                       struct err_info *err)
{
    *password = NULL;
    if (config_is_url(text))
        return url_target(c, text, brokers, probes, target, err);
    for (size_t i = 0; i < c->probe_count; i++) {
        if (strcmp(c->probes[i].name, text) == 0) {
            *target = &c->probes[i];
            *password = config_probe_password(c, i);
            return ERR_OK;
        }
    }
    struct config_endpoint *endpoint = find_endpoint(c, bytes_of_text(text));
    if (!endpoint)
        return unknown_name(c, text, strlen(text), true, err);
    *target = config_endpoint_target(c, endpoint, err);
    *password = &endpoint->password;
    return *target ? ERR_OK : err->code;
}
