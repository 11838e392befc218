/* Addresses, NAME/CHANNEL or a URL, to endpoints, channels and probe targets; and where a reading begins. */
#include "engine/config_internal.h"

#include "base/log.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

static enum err no_memory(struct err_info *err)
{
    return err_set(err, ERR_NOMEM, "no memory for an address");
}

/* ---- endpoints by URL ---- */

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

const struct probe_target *config_endpoint_target(struct config *c, const struct config_endpoint *e,
                                                  struct err_info *err)
{
    struct probe_target *t = arena_zalloc(c->arena, sizeof *t);
    if (!t) {
        no_memory(err);
        return NULL;
    }
    config_target_defaults(t);
    t->endpoint = e->endpoint;
    t->name = e->endpoint.name;
    t->kind = "broker";
    return t;
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
