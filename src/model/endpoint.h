/* An endpoint: a configured server, or one given by URL. Floor 1. Immutable once built; outlives every session. */
#ifndef SIGNALBOX_MODEL_ENDPOINT_H
#define SIGNALBOX_MODEL_ENDPOINT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/err.h"
#include "model/channel.h"
#include "model/message.h"

struct option {
    const char *name;
    const char *value;
};

/* An address (signalbox help addresses), taken apart: SCHEME://USER@HOST:PORT,HOST:PORT/PATH?QUERY or NAME/CHANNEL. */
struct url {
    const char *scheme;
    const char *user; /* NULL: none */
    struct {
        const char *host; /* IPv6 without brackets */
        int port;         /* 0: the scheme's default */
    } hosts[16];
    size_t host_count;
    const char *path;        /* still percent-encoded, without the leading slash; "" none */
    struct option query[16]; /* decoded */
    size_t query_count;
};
/* Strings live in the arena. A password in the URL is refused (ERR_USAGE): secrets never come by argv. */
enum err url_parse(struct url *url, const char *text, struct arena *arena, struct err_info *err) SB_MUST_USE;
bool url_decode(struct bytes in, struct arena *arena,
                const char **out); /* %XX; false on a bad escape or NUL */
/* The other way, for a channel: what a path cannot hold as it is. What is no ASCII stays readable. */
void url_encode(struct buffer *out, const char *text);
const char *url_query(const struct url *url, const char *name); /* NULL: absent */

struct tls_options {
    bool on;
    bool insecure;
    const char *ca, *cert, *key; /* file names; NULL: default verify paths, no client certificate */
};

/* What the configuration says of channels whose names match: endpoints.NAME.channels."PATTERN". */
struct channel_rule {
    const char *pattern;      /* * and ? */
    const char *decode;       /* decoder's name; NULL: found out */
    const char *type;         /* message type; NULL */
    const char *dead_letters; /* where what could not be handled goes; NULL */
};

struct endpoint {
    const char *name; /* configured name; for one given by URL the URL without secrets and channel */
    const char *text; /* the URL, without secrets */
    bool by_url;      /* given on the command line: no `write:` needed */
    bool production, write;
    bool lean; /* memory before speed: it is one of many in this process, which people look at */
    struct url url;
    const char *vhost; /* RabbitMQ; NULL elsewhere */
    const char *username;
    const char *password; /* secret: resolved; never logged, drawn or journaled */
    struct tls_options tls;
    const struct option *options; /* handed to the library as they are */
    size_t option_count;
    const char *management;           /* URL of the management API; NULL: driver's default */
    const struct channel_rule *rules; /* the first pattern that matches counts */
    size_t rule_count;
};

/* What it takes to connect, as text for another process of ours: it holds the password. Rules and options are left out. The other
 * way strings live in the arena. (endpoint_pack.c) */
void endpoint_pack(const struct endpoint *e, struct buffer *out);
enum err endpoint_unpack(struct endpoint *e, struct bytes text, struct arena *arena,
                         struct err_info *err) SB_MUST_USE;
/* What is written for it on a command line: its name, or its URL with the query, without which it may be another one. */
static inline const char *endpoint_address(const struct endpoint *e)
{
    return e->by_url && e->text ? e->text : e->name;
}
const char *endpoint_option(const struct endpoint *e, const char *name); /* NULL: not set */
/* The channel's rule; NULL: none. */
const struct channel_rule *endpoint_rule(const struct endpoint *e, const char *channel);
/* The interned origin of what is read from the channel: it carries the rule's decoder and type. Any thread. */
const struct origin *endpoint_origin(const struct endpoint *e, const char *channel, enum channel_kind kind);
/* Channels that a rule names as the place for dead letters become such. */
void endpoint_mark_dead_letters(const struct endpoint *e, struct channel_list *l);

#endif
