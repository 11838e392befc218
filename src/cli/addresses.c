/* What an address that is being typed could become, for completion: endpoints of the configuration; behind `NAME/`, the
 * endpoint's channels, which the broker is asked for. A prefix stays a prefix: nothing here is looked into. */
#include "cli/addresses.h"

#include "base/text.h"
#include "base/utf8.h"
#include "cli/listing.h"

#include <stdio.h>
#include <string.h>

#define PATIENCE_NS (2 * NS_PER_S) /* somebody waits behind the Tab key */

static void endpoint_names(const struct cli *c, const char *prefix, struct buffer *out)
{
    for (size_t i = 0; i < c->config.endpoint_count; i++)
        if (text_starts(c->config.endpoints[i].endpoint.name, prefix))
            buffer_printf(out, "%s/\n", c->config.endpoints[i].endpoint.name);
}

static struct config_endpoint *endpoint_of(struct cli *c, const char *prefix, size_t len)
{
    for (size_t i = 0; i < c->config.endpoint_count; i++) {
        const char *name = c->config.endpoints[i].endpoint.name;
        if (strlen(name) == len && strncmp(name, prefix, len) == 0)
            return &c->config.endpoints[i];
    }
    return NULL;
}

/* Shells show candidates as they are, and put them on the line: a name that the scrubbing door would change is none. */
static bool is_plain(const char *name)
{
    struct bytes b = bytes_of_text(name);
    for (size_t at = 0; at < b.len;) {
        uint32_t cp = utf8_next(b, &at);
        if (cp == UTF8_INVALID || utf8_width(cp) < 0)
            return false;
    }
    return true;
}

/* Is it a kind that is begun: may `exch` become `exchange:q`? */
static bool begins_kind(enum channel_kind kind, const char *typed)
{
    return kind != CHANNEL_ANY && *typed && text_starts(channel_kind_name(kind), typed);
}

static void put_kinded(struct buffer *out, const struct config_endpoint *e, const struct channel *c)
{
    buffer_printf(out, "%s/%s:%s\n", e->endpoint.name, channel_kind_name(c->kind), c->name);
}

/* By its name as `ls` writes it, whether or not that has a kind before it; behind a kind with that kind. typed: behind the slash. */
static void put_candidate(struct buffer *out, const struct config_endpoint *e,
                          const struct channel_list *list, const struct channel *c, const char *typed)
{
    const char *begun;
    enum channel_kind kind = channel_kind_parse(typed, &begun);
    if (kind != CHANNEL_ANY && kind == c->kind && text_starts(c->name, begun)) {
        put_kinded(out, e, c);
    } else if (text_starts(c->name, typed)) {
        listing_address(out, e, list, c);
        buffer_byte(out, '\n');
    }
}

/* Where no name begins so it may be a kind. */
static void put_candidates(struct buffer *out, const struct config_endpoint *e,
                           const struct channel_list *list, const char *typed)
{
    for (size_t i = 0; i < list->count; i++)
        if (is_plain(list->items[i].name))
            put_candidate(out, e, list, &list->items[i], typed);
    for (size_t i = 0, none = !out->len; none && i < list->count; i++)
        if (begins_kind(list->items[i].kind, typed) && is_plain(list->items[i].name))
            put_kinded(out, e, &list->items[i]);
}

/* Of all names that what was typed can become. NULL: any, since it is, or begins, a kind; or has what a pattern takes for itself. */
static const char *pattern_of(const char *typed, char *into, size_t size)
{
    const char *begun;
    bool kinded = channel_kind_parse(typed, &begun) != CHANNEL_ANY;
    for (int kind = CHANNEL_ANY + 1; kind < CHANNEL_KINDS; kind++)
        kinded |= begins_kind((enum channel_kind)kind, typed);
    if (kinded || strpbrk(typed, "*?"))
        return NULL;
    snprintf(into, size, "%s*", typed);
    return into;
}

static int channel_names(struct cli *c, struct config_endpoint *e, const char *typed, struct buffer *out)
{
    char pattern[600];
    struct listing l;
    struct err_info err;
    if (config_secret(&c->config, e, &err))
        return cli_error(&err);
    if (!cli_flag(c, FLAG_TIMEOUT)) {
        c->flags.set |= F(TIMEOUT);
        c->flags.number[FLAG_TIMEOUT] = PATIENCE_NS;
    }
    listing_get(c, e, pattern_of(typed, pattern, sizeof pattern), 0, false, &l);
    if (!l.list)
        return l.signal ? 128 + l.signal : cli_error(&l.err);
    put_candidates(out, e, l.list, typed);
    channel_list_free(&l.list);
    return 0;
}

int addresses_print(struct cli *c, const char *prefix)
{
    const char *slash = strchr(prefix, '/');
    struct buffer out;
    config_free(&c->config); /* the empty one of a command that needs none */
    int code = cli_load_config(c);
    if (code)
        return code;
    buffer_init(&out, 16 << 20);
    struct config_endpoint *e = slash ? endpoint_of(c, prefix, (size_t)(slash - prefix)) : NULL;
    if (!slash)
        endpoint_names(c, prefix, &out);
    else if (e)
        code = channel_names(c, e, slash + 1, &out);
    if (!code)
        code = cli_print(&out);
    buffer_free(&out);
    return code;
}
