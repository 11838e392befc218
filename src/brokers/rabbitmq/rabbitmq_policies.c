/* What policies set. A queue's own `effective_policy_definition` lags behind them by seconds; so the policies themselves are read. Each
 * look in that time would count towards a delivery limit that is not seen: of that the smallest of all that match the queue's name is
 * taken, whichever of them wins. */
#include "brokers/rabbitmq/rabbitmq_internal.h"

#include "base/regex.h"

#include <stdio.h>

/* "classic_queues", "quorum_queues", "streams": of RabbitMQ 3.12 and later. */
static bool is_for_type(const char *to, const char *type)
{
    bool every = !*type || strcmp(to, "all") == 0 || strcmp(to, "queues") == 0 || !*to;
    return every || strncmp(to, type, strlen(type)) == 0;
}

/* In doubt it does. type: "classic", "quorum", "stream"; "" it does not matter. */
static bool applies(const struct rabbit_answer *a, const struct field *policy, const char *queue,
                    const char *type)
{
    char to[32];
    struct err_info err;
    rabbit_string(a, policy, "apply-to", to, sizeof to);
    const struct field *pattern = rabbit_member(a, policy, "pattern");
    if (strcmp(to, "exchanges") == 0 || !is_for_type(to, type) || !pattern)
        return false;
    struct regex *re = regex_new(field_text(&a->tree, pattern), false, &err);
    bool may = !re || regex_find(re, bytes_of_text(queue), 0, NULL, NULL) != REGEX_NONE;
    regex_free(&re);
    return may;
}

static enum err lower(struct broker *b, const char *kind, const char *queue, int64_t *limit,
                      struct err_info *err)
{
    char path[900];
    struct rabbit_answer a;
    rabbit_path(b, path, sizeof path, kind, NULL, NULL);
    enum err e = rabbit_api(b, "GET", path, NULL, &a, err);
    if (e)
        return e;
    const struct field *all = &a.tree.nodes[0];
    for (const struct field *p = rabbit_first(&a, all); p; p = rabbit_next(&a, all, p)) {
        int64_t own = rabbit_number(&a, rabbit_member(&a, p, "definition"), "delivery-limit");
        if (own >= 0 && (*limit < 0 || own < *limit) && applies(&a, p, queue, ""))
            *limit = own;
    }
    rabbit_answer_free(&a);
    return ERR_OK;
}

enum err rabbit_policy_limit(struct broker *b, const char *queue, int64_t *limit, struct err_info *err)
{
    enum err e = lower(b, "policies", queue, limit, err);
    return e ? e : lower(b, "operator-policies", queue, limit, err);
}

enum err rabbit_policy_of(struct broker *b, const char *kind, const char *queue, const char *type,
                          struct rabbit_answer *a, const struct field **definition, struct err_info *err)
{
    char path[900];
    int64_t highest = INT64_MIN;
    *definition = NULL;
    rabbit_path(b, path, sizeof path, kind, NULL, NULL);
    enum err e = rabbit_api(b, "GET", path, NULL, a, err);
    if (e)
        return e;
    const struct field *all = &a->tree.nodes[0];
    for (const struct field *p = rabbit_first(a, all); p; p = rabbit_next(a, all, p)) {
        int64_t priority = rabbit_number(a, p, "priority");
        if (priority <= highest || !applies(a, p, queue, type))
            continue;
        highest = priority;
        *definition = rabbit_member(a, p, "definition");
    }
    return ERR_OK;
}
