/* What is to be changed: a channel as it is listed, or messages by what tells them from all others. */
#include "ui/views/change.h"

#include "base/text.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>

static const struct hub_endpoint *watched(struct screen *s, const struct config_endpoint *e)
{
    struct hub *hub = screen_hub(s);
    for (size_t i = 0; i < hub_endpoint_count(hub); i++)
        if (hub_endpoint(hub, i)->config == e)
            return hub_endpoint(hub, i);
    return NULL;
}

static size_t called(const struct channel_list *l, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; l && i < l->count; i++)
        n += strcmp(l->items[i].name, name) == 0;
    return n;
}

bool change_address(struct screen *s, const struct config_endpoint *e, const char *name,
                    enum channel_kind kind, struct change_target *target)
{
    const struct hub_endpoint *h = watched(s, e);
    const struct channel_list *l = h ? h->channels : NULL;
    struct config *config = hub_config(screen_hub(s));
    const char *copy = arena_strdup(config->arena, name);
    struct config_endpoint *endpoint = &config->endpoints[e - config->endpoints];
    const struct channel *c = l ? channel_list_find(l, name, kind) : NULL;
    *target = (struct change_target){.of = CHANGE_CHANNEL, .listed = c};
    if (c)
        target->channel = *c;
    /* The shell's words for it have no kind where none is needed: the journal knows it by these. */
    target->address = (struct address){endpoint, {called(l, name) > 1 ? kind : CHANNEL_ANY, copy}};
    return copy;
}

/* ---- messages ---- */

/* What a filter's quotes can hold as it is. */
static bool can_be_quoted(struct bytes text)
{
    for (size_t at = 0; at < text.len;) {
        uint32_t cp = utf8_next(text, &at);
        if (cp == UTF8_INVALID || cp < ' ' || cp == '\'' || cp == 0x7F)
            return false;
    }
    return text.len > 0;
}

static bool put_term(const struct message *m, struct buffer *out)
{
    const struct position *p = &m->position;
    if (p->kind == POSITION_PARTITION)
        buffer_printf(out, "partition=%" PRId32 " offset=%" PRId64, p->partition, p->offset);
    else if (p->kind == POSITION_OFFSET)
        buffer_printf(out, "offset=%" PRId64, p->offset);
    else if (m->id.data && can_be_quoted(m->id))
        buffer_printf(out, "id='%.*s'", (int)m->id.len, (const char *)m->id.data);
    else
        return false;
    return true;
}

static const struct config_endpoint *endpoint_of(struct screen *s, const struct origin *o)
{
    struct hub *hub = screen_hub(s);
    for (size_t i = 0; i < hub_endpoint_count(hub); i++)
        if (strcmp(hub_endpoint(hub, i)->config->endpoint.name, o->endpoint) == 0)
            return hub_endpoint(hub, i)->config;
    return NULL;
}

static void select_messages(const struct message *const *messages, size_t count, struct change_target *target)
{
    struct buffer text;
    buffer_init(&text, LIMIT_FILTER - 1);
    for (size_t i = 0; i < count && !target->untold[0]; i++) {
        if (!messages[i])
            continue;
        if (text.len)
            buffer_text(&text, " | ");
        if (!put_term(messages[i], &text))
            snprintf(target->untold, sizeof target->untold,
                     "%s has neither a position nor an id: nothing tells it from others",
                     count > 1 ? "one of them" : "it");
        target->messages++;
    }
    if (!buffer_ok(&text))
        snprintf(target->untold, sizeof target->untold, "these are too many for one selection");
    text_copy(target->select, sizeof target->select, target->untold[0] ? "" : buffer_cstr(&text));
    buffer_free(&text);
}

bool change_messages(struct screen *s, const struct message *const *messages, size_t count,
                     struct change_target *target)
{
    const struct origin *origin = NULL;
    for (size_t i = 0; i < count; i++) {
        if (messages[i] && origin && messages[i]->origin != origin) {
            screen_say(s, SEVERITY_WARN, "The marked messages are of several channels: one at a time");
            return false;
        }
        origin = messages[i] ? messages[i]->origin : origin;
    }
    const struct config_endpoint *e = origin ? endpoint_of(s, origin) : NULL;
    if (!e) {
        screen_say(s, SEVERITY_WARN,
                   origin ? "The endpoint of this message is not known any more"
                          : "There is no message here that could be changed");
        return false;
    }
    if (!change_address(s, e, origin->channel, origin->kind, target))
        return false;
    target->of = CHANGE_MESSAGES;
    select_messages(messages, count, target);
    return true;
}
