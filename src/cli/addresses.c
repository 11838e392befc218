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

/* A kind that is begun: `exch` may become `exchange:q`, whatever the names begin with. */
static bool begins_kind(const char *prefix)
{
    for (int kind = CHANNEL_ANY + 1; kind < CHANNEL_KINDS; kind++)
        if (text_starts(channel_kind_name((enum channel_kind)kind), prefix))
            return true;
    return false;
}

/* As `ls` writes it, or with the kind that was typed. typed: all of the prefix. */
static void put_candidate(struct buffer *out, const struct config_endpoint *e,
                          const struct channel_list *list, const struct channel *c, const char *typed)
{
    struct buffer address;
    const char *begun, *channel = strchr(typed, '/') + 1;
    enum channel_kind kind = channel_kind_parse(channel, &begun);
    buffer_init(&address, 4096);
    listing_address(&address, e, list, c);
    if (text_starts(buffer_cstr(&address), typed))
        buffer_printf(out, "%s\n", buffer_cstr(&address));
    else if (kind != CHANNEL_ANY && kind == c->kind && text_starts(c->name, begun))
        buffer_printf(out, "%s/%s:%s\n", e->endpoint.name, channel_kind_name(kind), c->name);
    buffer_free(&address);
}

static int channel_names(struct cli *c, struct config_endpoint *e, const char *typed, struct buffer *out)
{
    char pattern[600];
    const char *begun, *channel = strchr(typed, '/') + 1;
    struct listing l;
    struct err_info err;
    if (config_secret(&c->config, e, &err))
        return cli_error(&err);
    if (!cli_flag(c, FLAG_TIMEOUT)) {
        c->flags.set |= F(TIMEOUT);
        c->flags.number[FLAG_TIMEOUT] = PATIENCE_NS;
    }
    (void)channel_kind_parse(channel, &begun);
    snprintf(pattern, sizeof pattern, "%s*", begun);
    listing_get(c, e, begins_kind(channel) || strpbrk(begun, "*?") ? NULL : pattern, 0, false, &l);
    if (!l.list)
        return l.signal ? 128 + l.signal : cli_error(&l.err);
    for (size_t i = 0; i < l.list->count; i++)
        if (is_plain(l.list->items[i].name))
            put_candidate(out, e, l.list, &l.list->items[i], typed);
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
        code = channel_names(c, e, prefix, &out);
    if (!code)
        code = cli_print(&out);
    buffer_free(&out);
    return code;
}
