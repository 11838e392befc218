#include "model/endpoint.h"

#include "base/text.h"

#include <stdlib.h>

const char *endpoint_option(const struct endpoint *e, const char *name)
{
    for (size_t i = 0; i < e->option_count; i++)
        if (strcmp(e->options[i].name, name) == 0)
            return e->options[i].value;
    return NULL;
}

const char *url_query(const struct url *url, const char *name)
{
    for (size_t i = 0; i < url->query_count; i++)
        if (strcmp(url->query[i].name, name) == 0)
            return url->query[i].value;
    return NULL;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f')
        return (c | 32) - 'a' + 10;
    return -1;
}

bool url_decode(struct bytes in, struct arena *arena, const char **out)
{
    char *text = arena_alloc(arena, in.len + 1);
    size_t len = 0;
    for (size_t i = 0; text && i < in.len; i++) {
        uint8_t c = in.data[i];
        if (c == '%') {
            int high = i + 2 < in.len ? hex_digit(in.data[i + 1]) : -1;
            int low = i + 2 < in.len ? hex_digit(in.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (uint8_t)(high * 16 + low);
            i += 2;
        }
        if (c == 0)
            return false;
        text[len++] = (char)c;
    }
    if (!text)
        return false;
    text[len] = '\0';
    *out = text;
    return true;
}

void url_encode(struct buffer *out, const char *text)
{
    for (; *text; text++) {
        if ((uint8_t)*text <= ' ' || *text == 0x7F || strchr("%?#\"<>\\^`{|}", *text))
            buffer_printf(out, "%%%02X", (uint8_t)*text);
        else
            buffer_byte(out, (uint8_t)*text);
    }
}

/* ---- parsing, RFC 3986 with a list of hosts ---- */

struct parse {
    struct url *url;
    struct arena *arena;
    struct err_info *err;
    const char *text;
};

static enum err fault(const struct parse *p, const char *what, const char *next)
{
    err_set(p->err, ERR_USAGE, "%s", what);
    err_where(p->err, "%s", p->text);
    err_next(p->err, "%s", next);
    return ERR_USAGE;
}

static enum err parse_user(struct parse *p, struct bytes *authority)
{
    const uint8_t *at = memrchr(authority->data, '@', authority->len);
    if (!at)
        return ERR_OK;
    struct bytes user = bytes_slice(*authority, 0, (size_t)(at - authority->data));
    if (memchr(user.data, ':', user.len)) {
        /* The text holds a secret: it must not come back in the message. */
        p->text = "the address";
        return fault(
            p, "a password in an address is visible to every user of this machine",
            "leave it out and set SIGNALBOX_PASSWORD, or password_env, password_file or password_command in "
            "the configuration");
    }
    if (!url_decode(user, p->arena, &p->url->user))
        return fault(p, "the user name has a bad % escape", "write % as %25");
    *authority = bytes_slice(*authority, user.len + 1, authority->len);
    return ERR_OK;
}

static enum err parse_port(struct parse *p, struct bytes digits, int *port)
{
    int64_t value = 0;
    char text[8];
    if (digits.len == 0 || digits.len > 5)
        return fault(p, "the port is no number from 1 to 65535", "write HOST:PORT");
    text_copy_bytes(text, sizeof text, digits);
    if (!text_int64(text, &value) || value < 1 || value > 65535)
        return fault(p, "the port is no number from 1 to 65535", "write HOST:PORT");
    *port = (int)value;
    return ERR_OK;
}

static enum err parse_host(struct parse *p, struct bytes one)
{
    struct url *u = p->url;
    if (u->host_count == sizeof u->hosts / sizeof *u->hosts)
        return fault(p, "more than 16 hosts", "name a few: the cluster tells the others");
    struct bytes host = one, port = BYTES_NULL;
    if (one.len && one.data[0] == '[') {
        const uint8_t *end = memchr(one.data, ']', one.len);
        if (!end)
            return fault(p, "an IPv6 address lacks its ]", "write [::1]:PORT");
        host = bytes_slice(one, 1, (size_t)(end - one.data) - 1);
        struct bytes rest = bytes_slice(one, host.len + 2, one.len);
        if (rest.len && rest.data[0] != ':')
            return fault(p, "something stands behind the ] of an IPv6 address", "write [::1]:PORT");
        port = rest.len ? bytes_slice(rest, 1, rest.len) : BYTES_NULL;
    } else {
        const uint8_t *colon = memrchr(one.data, ':', one.len);
        if (colon) {
            host = bytes_slice(one, 0, (size_t)(colon - one.data));
            port = bytes_slice(one, host.len + 1, one.len);
        }
    }
    if (host.len == 0)
        return fault(p, "the host is empty", "write SCHEME://HOST:PORT");
    if (memchr(host.data, ':', host.len) && one.data[0] != '[')
        return fault(p, "an IPv6 address needs brackets", "write [::1]:PORT");
    u->hosts[u->host_count].port = 0;
    u->hosts[u->host_count].host = arena_strndup(p->arena, host.data, host.len);
    if (!u->hosts[u->host_count].host)
        return fault(p, "the address is too long", "shorten it");
    enum err e = port.data ? parse_port(p, port, &u->hosts[u->host_count].port) : ERR_OK;
    u->host_count++;
    return e;
}

/* What a host's name never has, and what a URL must write as %XX; a channel in quotes may have a space. */
static enum err check_characters(const struct parse *p, struct bytes authority)
{
    for (const char *c = p->text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return fault(p, "a control character stands in the URL", "leave it out, or write it as %XX");
    if (memchr(authority.data, ' ', authority.len))
        return fault(p, "a space stands in the name of the host", "leave it out");
    return ERR_OK;
}

static enum err parse_hosts(struct parse *p, struct bytes authority)
{
    while (authority.len) {
        const uint8_t *comma = memchr(authority.data, ',', authority.len);
        size_t len = comma ? (size_t)(comma - authority.data) : authority.len;
        enum err e = parse_host(p, bytes_slice(authority, 0, len));
        if (e)
            return e;
        authority = bytes_slice(authority, len + 1, authority.len);
    }
    return ERR_OK;
}

static enum err parse_query(struct parse *p, struct bytes query)
{
    struct url *u = p->url;
    while (query.len) {
        const uint8_t *amp = memchr(query.data, '&', query.len);
        struct bytes pair = bytes_slice(query, 0, amp ? (size_t)(amp - query.data) : query.len);
        query = bytes_slice(query, pair.len + 1, query.len);
        const uint8_t *equals = memchr(pair.data, '=', pair.len);
        size_t name_len = equals ? (size_t)(equals - pair.data) : pair.len;
        if (u->query_count == sizeof u->query / sizeof *u->query)
            return fault(p, "more than 16 parameters behind the ?",
                         "put them under options: of the configuration");
        struct option *o = &u->query[u->query_count++];
        if (!url_decode(bytes_slice(pair, 0, name_len), p->arena, &o->name) ||
            !url_decode(bytes_slice(pair, name_len + 1, pair.len), p->arena, &o->value))
            return fault(p, "a bad % escape behind the ?", "write % as %25");
    }
    return ERR_OK;
}

/* memory:/CHANNEL has no host at all, and no slashes are needed before its path. */
static struct bytes take_authority(struct bytes *rest)
{
    if (rest->len < 2 || rest->data[0] != '/' || rest->data[1] != '/')
        return bytes_slice(*rest, 0, 0);
    *rest = bytes_slice(*rest, 2, rest->len);
    size_t len = 0;
    while (len < rest->len && rest->data[len] != '/' && rest->data[len] != '?')
        len++;
    struct bytes authority = bytes_slice(*rest, 0, len);
    *rest = bytes_slice(*rest, len, rest->len);
    return authority;
}

enum err url_parse(struct url *url, const char *text, struct arena *arena, struct err_info *err)
{
    struct parse p = {url, arena, err, text};
    *url = (struct url){.path = ""};
    const char *colon = strchr(text, ':');
    if (!colon || colon == text)
        return fault(&p, "this is no URL",
                     "write SCHEME://HOST:PORT/CHANNEL, or the name of a configured endpoint");
    url->scheme = arena_strndup(arena, text, (size_t)(colon - text));
    struct bytes rest = bytes_of_text(colon + 1);
    struct bytes authority = take_authority(&rest);
    enum err e = parse_user(&p, &authority);
    if (!e)
        e = check_characters(&p, authority);
    if (!e)
        e = parse_hosts(&p, authority);
    if (e)
        return e;
    const uint8_t *mark = memchr(rest.data, '?', rest.len);
    struct bytes path = bytes_slice(rest, 0, mark ? (size_t)(mark - rest.data) : rest.len);
    if (path.len && path.data[0] == '/')
        path = bytes_slice(path, 1, path.len);
    url->path = arena_strndup(arena, path.data, path.len);
    if (!url->scheme || !url->path)
        return fault(&p, "the address is too long", "shorten it");
    return mark ? parse_query(&p, bytes_slice(rest, (size_t)(mark - rest.data) + 1, rest.len)) : ERR_OK;
}

const struct channel_rule *endpoint_rule(const struct endpoint *e, const char *channel)
{
    for (size_t i = 0; i < e->rule_count; i++)
        if (text_glob(e->rules[i].pattern, channel))
            return &e->rules[i];
    return NULL;
}

const struct origin *endpoint_origin(const struct endpoint *e, const char *channel, enum channel_kind kind)
{
    const struct channel_rule *rule = endpoint_rule(e, channel);
    struct origin origin = {e->name, channel, kind, rule ? rule->decode : NULL, rule ? rule->type : NULL};
    return origin_intern_rule(&origin);
}

void endpoint_mark_dead_letters(const struct endpoint *e, struct channel_list *l)
{
    for (size_t r = 0; r < e->rule_count; r++) {
        const char *name;
        if (!e->rules[r].dead_letters)
            continue;
        enum channel_kind kind = channel_kind_parse(e->rules[r].dead_letters, &name);
        for (size_t i = 0; i < l->count; i++)
            if ((kind == CHANNEL_ANY || kind == l->items[i].kind) && strcmp(l->items[i].name, name) == 0)
                l->items[i].dead_letters = true;
    }
}
