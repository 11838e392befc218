/* URLs: their schemes, and the endpoint, channel or probe target that one names. */
#include "engine/config_internal.h"

#include "base/text.h"

#include <ctype.h>
#include <stdio.h>

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
    return n && text[n] == ':' && strchr("/?", text[n + 1]);
}

/* ---- schemes ---- */

static bool has_scheme(const char *const *schemes, const char *scheme)
{
    for (; schemes && *schemes; schemes++)
        if (text_equal_nocase(*schemes, scheme))
            return true;
    return false;
}

const struct broker_ops *config_driver(broker_registry brokers, const char *scheme)
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
    return config_driver(registry->brokers, into) || find_probe(registry->probes, into);
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
    *ops = config_driver(brokers, e->url.scheme);
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

/* ---- probe targets ---- */

void config_target_defaults(struct probe_target *t)
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
    config_target_defaults(target);
    enum err failed = url_parse(&e->url, url, c->arena, err);
    if (failed)
        return failed;
    const struct probe_ops *probe = find_probe(probes, e->url.scheme);
    const struct broker_ops *broker = config_driver(brokers, e->url.scheme);
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

bool config_is_probe_url(const char *text, probe_registry probes)
{
    char scheme[32];
    const char *end = strstr(text, "://");
    if (!end || (size_t)(end - text) >= sizeof scheme)
        return false;
    text_copy_bytes(scheme, sizeof scheme, bytes_of(text, (size_t)(end - text)));
    return find_probe(probes, text_lower(scheme)) != NULL;
}
