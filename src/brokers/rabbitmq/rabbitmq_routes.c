/* For a dry run: whether the login may send there, and which messages an exchange would certainly return. What cannot be known for
 * certain (topics, headers, other types, an alternate exchange, exchanges behind it) is taken for routed. */
#include "brokers/rabbitmq/rabbitmq_internal.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_KEYS 1000 /* each message is compared with all of them */

/* exchange.bind from the default exchange has no effect, since nothing is ever bound to that one; but the permission to write to
 * the destination, which publishing takes too, is looked at before that is refused. So seen on 3.10.8. */
bool rabbit_ask_write(struct broker *b, const char *exchange, struct err_info *err)
{
    static const char beyond[] = "operation not permitted on the default exchange";
    struct rabbit *r = b->state;
    amqp_exchange_bind(r->connection, RABBIT_CHANNEL, rabbit_text(*exchange ? exchange : "amq.default"),
                       rabbit_text(""), rabbit_text(""), amqp_empty_table);
    enum err e = rabbit_last_reply(b, "sending", err);
    if (e != ERR_DENIED)
        return false;
    if (strstr(err->text, beyond))
        *err = (struct err_info){.code = ERR_OK};
    return true;
}

struct rabbit_routes {
    struct rabbit_answer bindings;
    bool by_key;           /* a direct exchange */
    int64_t unbound;       /* messages that nothing would take */
    char unbound_key[100]; /* of the first one */
};

static bool has_text(const struct rabbit_answer *a, const struct field *object, const char *name)
{
    const struct field *f = rabbit_member(a, object, name);
    return f && f->kind != FIELD_NULL && field_text(&a->tree, f).len > 0;
}

/* *by_key: keys alone decide. False: another exchange may get what this one does not route, or its type is no standard one. A policy
 * may name an alternate exchange. */
static bool returns_what_is_unbound(struct broker *b, const char *exchange, bool *by_key)
{
    char path[900], type[64];
    struct rabbit_answer a;
    rabbit_path(b, path, sizeof path, "exchanges", exchange, NULL);
    if (rabbit_api(b, "GET", path, NULL, &a, NULL))
        return false;
    const struct field *x = &a.tree.nodes[0];
    rabbit_string(&a, x, "type", type, sizeof type);
    *by_key = strcmp(type, "direct") == 0;
    bool standard = *by_key || !strcmp(type, "fanout") || !strcmp(type, "topic") || !strcmp(type, "headers");
    bool passed_on = rabbit_member(&a, rabbit_member(&a, x, "arguments"), "alternate-exchange") ||
                     has_text(&a, x, "policy");
    rabbit_answer_free(&a);
    return standard && !passed_on;
}

struct rabbit_routes *rabbit_routes_new(struct broker *b, const char *exchange)
{
    char path[900];
    struct rabbit_routes *r = calloc(1, sizeof *r);
    rabbit_path(b, path, sizeof path, "exchanges", exchange, "/bindings/source");
    if (r && returns_what_is_unbound(b, exchange, &r->by_key) &&
        !rabbit_api(b, "GET", path, NULL, &r->bindings, NULL))
        return r;
    free(r);
    return NULL;
}

void rabbit_routes_free(struct rabbit_routes **rp)
{
    struct rabbit_routes *r = *rp;
    *rp = NULL;
    if (!r)
        return;
    rabbit_answer_free(&r->bindings);
    free(r);
}

static bool any(const struct rabbit_routes *r)
{
    return r->bindings.tree.nodes[0].kind != FIELD_ARRAY || r->bindings.tree.nodes[0].children > 0;
}

static bool lead(const struct rabbit_routes *r, struct bytes key)
{
    const struct rabbit_answer *a = &r->bindings;
    const struct field *all = &a->tree.nodes[0];
    if (!any(r))
        return false;
    if (!r->by_key || all->kind != FIELD_ARRAY || all->children > MOST_KEYS)
        return true;
    for (const struct field *f = rabbit_first(a, all); f; f = rabbit_next(a, all, f)) {
        const struct field *bound = rabbit_member(a, f, "routing_key");
        struct bytes own = bound ? field_text(&a->tree, bound) : BYTES_NULL;
        if (!bound || bytes_equal(own, key) || (!own.len && !key.len))
            return true;
    }
    return false;
}

void rabbit_routes_take(struct rabbit_routes *r, struct bytes key)
{
    if (!r || lead(r, key))
        return;
    if (!r->unbound++)
        text_copy_bytes(r->unbound_key, sizeof r->unbound_key, key);
}

void rabbit_routes_say(const struct rabbit_routes *r, const char *exchange, const struct publish_sink *sink)
{
    char text[700];
    if (!r || !sink->notice || (!r->unbound && any(r)))
        return;
    const char *key = r->unbound_key[0] ? r->unbound_key : "''";
    if (!any(r))
        snprintf(text, sizeof text, "nothing is bound to %s: the broker would return what is sent to it",
                 exchange);
    else if (r->unbound == 1)
        snprintf(text, sizeof text, "nothing is bound to %s with key %s: the broker would return the message",
                 exchange, key);
    else
        snprintf(text, sizeof text,
                 "nothing is bound to %s with the keys of %" PRId64
                 " messages (the first: %s): the broker would return them",
                 exchange, r->unbound, key);
    sink->notice(sink->context, text);
}
