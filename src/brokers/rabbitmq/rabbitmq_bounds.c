/* What a queue or stream does with what it holds: its limits, by its arguments and by policies. */
#include "brokers/rabbitmq/rabbitmq_internal.h"

#include "base/text.h"

#include <stdio.h>

/* What a queue's arguments say, or a policy; table: NULL, nothing. */
struct said {
    const struct rabbit_answer *answer;
    const struct field *table;
};

struct definitions {
    struct said arguments, policy, operator_policy; /* the names in a policy lack the "x-" of an argument */
};

static int64_t lower(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Of a number that stands in several the smallest one counts. */
static int64_t smallest(const struct definitions *d, const char *name)
{
    int64_t own = rabbit_number(d->arguments.answer, d->arguments.table, name);
    int64_t policy = rabbit_number(d->policy.answer, d->policy.table, name + 2);
    int64_t operator_policy = rabbit_number(d->operator_policy.answer, d->operator_policy.table, name + 2);
    return lower(lower(own, policy), operator_policy);
}

static bool take_text(const struct said *s, const char *name, char *into, size_t size)
{
    bool any = rabbit_member(s->answer, s->table, name) != NULL;
    if (any)
        rabbit_string(s->answer, s->table, name, into, size);
    return any;
}

/* Of a text the queue's own. */
static bool text_of(const struct definitions *d, const char *name, char *into, size_t size)
{
    into[0] = '\0';
    return take_text(&d->arguments, name, into, size) || take_text(&d->policy, name + 2, into, size) ||
           take_text(&d->operator_policy, name + 2, into, size);
}

static void take_bounds(const struct definitions *d, struct channel_bounds *into)
{
    char overflow[32];
    into->messages = smallest(d, "x-max-length");
    into->bytes = smallest(d, "x-max-length-bytes");
    into->ttl_ms = smallest(d, "x-message-ttl");
    into->expires_ms = smallest(d, "x-expires");
    into->refuses = text_of(d, "x-overflow", overflow, sizeof overflow) && text_starts(overflow, "reject");
    into->dead_letters =
        text_of(d, "x-dead-letter-exchange", into->dead_letter_to, sizeof into->dead_letter_to);
    if (into->log)
        text_of(d, "x-max-age", into->age, sizeof into->age);
}

/* Who may not read the policies is told by the queue, some seconds late. */
static void take_queue(struct broker *b, const char *name, const char *type, const struct rabbit_answer *a,
                       struct channel_bounds *into)
{
    const struct field *queue = &a->tree.nodes[0];
    struct definitions d = {.arguments = {a, rabbit_member(a, queue, "arguments")}};
    struct rabbit_answer policies, operators;
    struct err_info why;
    bool asked = !rabbit_policy_of(b, "policies", name, type, &policies, &d.policy.table, &why);
    bool both = asked && !rabbit_policy_of(b, "operator-policies", name, type, &operators,
                                           &d.operator_policy.table, &why);
    d.policy.answer = asked ? &policies : a;
    d.operator_policy.answer = both ? &operators : a;
    if (!both)
        d.operator_policy.table = rabbit_member(a, queue, "effective_policy_definition");
    if (!both && !d.operator_policy.table)
        text_copy(into->unknown, sizeof into->unknown,
                  "which policy it has the management API does not tell yet");
    into->stored = rabbit_number(a, queue, "message_bytes_ready");
    take_bounds(&d, into);
    if (asked)
        rabbit_answer_free(&policies);
    if (both)
        rabbit_answer_free(&operators);
}

enum err rabbit_bounds(struct broker *b, const struct channel_name *channel, struct channel_bounds *into,
                       struct err_info *err)
{
    struct rabbit_channel found;
    struct rabbit_answer a;
    char path[900];
    *into = (struct channel_bounds){
        .messages = -1, .bytes = -1, .stored = COUNT_UNKNOWN, .ttl_ms = -1, .expires_ms = -1};
    if (rabbit_is_default(channel))
        found.kind = CHANNEL_EXCHANGE;
    else if (rabbit_find(b, channel, &found, err))
        return err ? err->code : ERR_FAILED;
    if (found.kind == CHANNEL_EXCHANGE) {
        text_copy(into->unknown, sizeof into->unknown, "it is up to the queues that the exchange routes to");
        return ERR_OK;
    }
    into->log = found.kind == CHANNEL_STREAM;
    struct err_info why = {.code = ERR_OK};
    rabbit_path(b, path, sizeof path, "queues", channel->name, NULL);
    if (rabbit_api(b, "GET", path, NULL, &a, &why)) {
        text_copy(into->unknown, sizeof into->unknown, "only the management API tells");
        return ERR_OK;
    }
    take_queue(b, channel->name, found.type, &a, into);
    rabbit_answer_free(&a);
    return ERR_OK;
}
