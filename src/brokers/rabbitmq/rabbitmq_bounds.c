/* What a queue or stream does with what it holds: its limits, by its arguments and by policies. */
#include "brokers/rabbitmq/rabbitmq_internal.h"

#include "base/text.h"

#include <stdio.h>

/* Both of one queue; either may be NULL. */
struct definitions {
    const struct rabbit_answer *answer;
    const struct field *arguments, *policy;
};

/* Of a number that stands in both the smaller one counts. name: of the argument, which begins with "x-". */
static int64_t smaller(const struct definitions *d, const char *name)
{
    int64_t own = rabbit_number(d->answer, d->arguments, name);
    int64_t policy = rabbit_number(d->answer, d->policy, name + 2);
    return own < 0 || (policy >= 0 && policy < own) ? policy : own;
}

/* Of a text the queue's own. */
static bool text_of(const struct definitions *d, const char *name, char *into, size_t size)
{
    into[0] = '\0';
    if (rabbit_member(d->answer, d->arguments, name))
        rabbit_string(d->answer, d->arguments, name, into, size);
    else if (rabbit_member(d->answer, d->policy, name + 2))
        rabbit_string(d->answer, d->policy, name + 2, into, size);
    else
        return false;
    return true;
}

static void take_queue(const struct rabbit_answer *a, struct channel_bounds *into)
{
    const struct field *queue = &a->tree.nodes[0];
    const struct definitions d = {a, rabbit_member(a, queue, "arguments"),
                                  rabbit_member(a, queue, "effective_policy_definition")};
    char overflow[32];
    into->messages = smaller(&d, "x-max-length");
    into->bytes = smaller(&d, "x-max-length-bytes");
    into->ttl_ms = smaller(&d, "x-message-ttl");
    into->expires_ms = smaller(&d, "x-expires");
    into->stored = rabbit_number(a, queue, "message_bytes_ready");
    into->refuses = text_of(&d, "x-overflow", overflow, sizeof overflow) && text_starts(overflow, "reject");
    into->dead_letters =
        text_of(&d, "x-dead-letter-exchange", into->dead_letter_to, sizeof into->dead_letter_to);
    if (into->log)
        text_of(&d, "x-max-age", into->age, sizeof into->age);
    if (!d.policy)
        text_copy(into->unknown, sizeof into->unknown,
                  "which policy it has the management API does not tell yet");
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
    take_queue(&a, into);
    rabbit_answer_free(&a);
    return ERR_OK;
}
