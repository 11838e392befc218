/* Opening channels: tails, browses, and the question before a look that leaves a mark. */
#include "ui/screen_internal.h"

#include "base/text.h"

#include <stdio.h>

#define BROWSE_LIMIT 1000

void screen_read_init(struct screen_read *how, enum read_mode mode)
{
    how->read =
        (struct hub_read){.mode = mode, .partition = -1, .limit = mode == READ_BROWSE ? BROWSE_LIMIT : -1};
    how->where[0] = '\0';
}

void screen_filter(struct screen *s, const char *expression)
{
    struct prompt_note note = {.text = ""};
    struct view *v = screen_view(s, VIEW_TAIL);
    if (!v)
        return;
    v->ops->typed(v, PROMPT_FILTER, expression, &note);
    bool wrong = note.fault || note.unfinished;
    v->ops->entered(v, PROMPT_FILTER, wrong ? NULL : expression);
    if (wrong)
        screen_say(s, SEVERITY_WARN, "%s", note.text);
}

void screen_open_channels(struct screen *s, const struct address *addresses, size_t count,
                          const struct screen_read *how)
{
    struct err_info err = {.code = ERR_OK};
    if (hub_tail_open(s->hub, addresses, count, &how->read, &err)) {
        screen_say_err(s, &err);
        return;
    }
    screen_show(s, VIEW_TAIL, NULL);
    if (*how->where)
        screen_filter(s, how->where);
}

void screen_tail(struct screen *s, const struct address *addresses, size_t count,
                 const struct screen_read *how)
{
    struct screen_read plain;
    screen_read_init(&plain, READ_TAP);
    screen_open_channels(s, addresses, count, how ? how : &plain);
}

/* Names must outlive the listing that they were read from: they move to the configuration's arena. */
bool screen_address(struct screen *s, size_t endpoint, const struct channel *c, struct address *address)
{
    struct config *config = hub_config(s->hub);
    char *name = arena_strdup(config->arena, c->name);
    *address = (struct address){.endpoint = &config->endpoints[endpoint],
                                .channel = {.kind = c->kind, .name = name}};
    return name;
}

static size_t tappable(struct screen *s, size_t endpoint, struct address *addresses)
{
    const struct channel_list *list = hub_endpoint(s->hub, endpoint)->channels;
    size_t count = 0;
    for (size_t i = 0; list && i < list->count && count < HUB_TAIL_MOST; i++) {
        const struct channel *c = &list->items[i];
        if (!c->internal && !c->why_not[CAN_TAP])
            count += screen_address(s, endpoint, c, &addresses[count]);
    }
    return count;
}

void screen_tail_all(struct screen *s, size_t endpoint, const struct screen_read *how)
{
    struct address addresses[HUB_TAIL_MOST];
    size_t count = tappable(s, endpoint, addresses);
    if (count)
        screen_tail(s, addresses, count, how);
    else
        screen_say(s, SEVERITY_WARN, "%s: no channel is listed that can be tailed",
                   hub_endpoint(s->hub, endpoint)->config->endpoint.name);
}

static const struct channel *listed(struct screen *s, const struct address *a)
{
    for (size_t i = 0; i < hub_endpoint_count(s->hub); i++) {
        const struct hub_endpoint *e = hub_endpoint(s->hub, i);
        if (e->config == a->endpoint && e->channels)
            return channel_list_find(e->channels, a->channel.name, a->channel.kind);
    }
    return NULL;
}

/* What the operator must know before saying yes: how many, what stays behind, what counts. */
static void ask_to_browse(struct screen *s, const struct channel *c)
{
    char depth[60] = " holds an unknown number of messages", number[32], limit[16];
    if (!c)
        text_copy(depth, sizeof depth, " is in no listing, not yet or not at all");
    if (c && c->depth >= 0)
        snprintf(depth, sizeof depth, c->depth == 1 ? " holds %s message" : " holds %s messages",
                 text_count(number, sizeof number, (uint64_t)c->depth));
    bool quorum = c && text_starts(c->detail, "quorum"), some = *s->confirm_how.read.where;
    text_count(limit, sizeof limit, (uint64_t)s->confirm_how.read.limit);
    snprintf(s->confirm_text, sizeof s->confirm_text,
             "%s%s. Looking takes %s %s%s, hands all of them back, and %s them: `redelivered` stays "
             "set.%s",
             s->confirm.channel.name, depth, some ? "so many that" : "at most", limit, some ? " match" : "",
             c ? "MARKS" : "may MARK",
             quorum ? " It may count towards the delivery limit; near that it is refused." : "");
}

void screen_browse(struct screen *s, const struct address *address, const struct screen_read *how)
{
    struct screen_read plain;
    screen_read_init(&plain, READ_BROWSE);
    how = how ? how : &plain;
    const struct channel *c = listed(s, address);
    if (c && c->why_not[CAN_BROWSE]) {
        screen_say(s, SEVERITY_WARN, "%s: %s", c->name, c->why_not[CAN_BROWSE]);
    } else if (c ? c->browse_effect == EFFECT_NONE : address->endpoint->broker->browse_is_free) {
        screen_open_channels(s, address, 1, how);
    } else if (c && c->browse_effect == EFFECT_CONSUMES) {
        screen_say(s, SEVERITY_WARN,
                   "%s: looking CONSUMES, it would take the messages away. Tail it instead.", c->name);
    } else {
        s->confirm = *address;
        s->confirm_how = *how;
        ask_to_browse(s, c);
        prompt_open(&s->prompt, PROMPT_CONFIRM, "");
    }
}
