#include "cli/changing.h"

#include "cli/signals.h"

#include <inttypes.h>
#include <sys/eventfd.h>
#include <unistd.h>

void losses_count(struct losses *l, const struct broker_ops *to, const struct message *m)
{
    l->keys += m->key.data && !(to->carries & CARRY_KEY);
    l->nulls += !m->payload.data && !(to->carries & CARRY_NULL);
}

void losses_say(const struct losses *l, const struct cli *c, const struct address *to, bool done)
{
    const char *title = to->endpoint->broker->title;
    if (l->keys)
        cli_notice(c, "%" PRId64 " message%s a key, which %s has no place for: it %s left out", l->keys,
                   l->keys == 1 ? " has" : "s have", title, done ? "was" : "would be");
    if (l->nulls)
        cli_notice(c, "%" PRId64 " payload%s null, which %s cannot tell from empty: %s sent empty", l->nulls,
                   l->nulls == 1 ? " is" : "s are", title, done ? "it was" : "it would be");
}

static int conclude(const struct cli *c, const struct address *to, const struct publish_result *r, int signal)
{
    const char *endpoint = to->endpoint->endpoint.name;
    int code = signal ? 128 + signal : 0;
    int64_t unknown = r->handed - r->confirmed - r->failed;
    if (!code && r->err.code) {
        struct err_info err = r->err;
        if (!err.where[0])
            err_where(&err, "%s/%s", endpoint, to->channel.name);
        code = cli_error(&err);
        if (r->confirmed)
            code = err_exit_code(ERR_PARTIAL);
    } else if (!code && unknown) {
        cli_note("%s: no answer in time", endpoint);
        code = err_exit_code(r->confirmed ? ERR_PARTIAL : ERR_TIMEOUT);
    }
    if (unknown)
        cli_note("%" PRId64 " confirmed, %" PRId64 " refused, %" PRId64
                 " without an answer (may have arrived)",
                 r->confirmed, r->failed, unknown);
    else if (r->failed)
        cli_note("%" PRId64 " confirmed, %" PRId64 " refused", r->confirmed, r->failed);
    else if (r->handed)
        cli_notice(c, "%s/%s: %" PRId64 " confirmed", endpoint, to->channel.name, r->confirmed);
    return code;
}

int changing_publish(const struct cli *c, const struct address *to, uint32_t flags,
                     enum err (*next)(void *context, struct message *m, struct err_info *err), void *context)
{
    struct err_info err = {.code = ERR_OK};
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), signal = 0;
    const struct broker_ops *ops = to->endpoint->broker;
    struct publish_job job = {.ops = ops,
                              .endpoint = &to->endpoint->endpoint,
                              .to = to->channel,
                              .flags = flags | (cli_flag(c, FLAG_CREATE) ? PUBLISH_CREATE : 0),
                              .timeout_ns = cli_number(c, FLAG_TIMEOUT, 0),
                              .next = next,
                              .context = context};
    if (!ops->publish_open) {
        err_set(&err, ERR_UNSUPPORTED, "%s takes no messages from signalbox", ops->title);
        return cli_error(&err);
    }
    signals_take();
    struct publisher *p = fd >= 0 ? publisher_start(&job, fd, &err) : NULL;
    if (!p)
        return cli_error(&err);
    while (!publisher_ended(p)) {
        if (wait_for(fd, INT64_MAX) != WAITED_SIGNAL)
            continue;
        signal = signals_seen();
        publisher_cancel(p);
        break;
    }
    struct publish_result result;
    publisher_join(&p, &result);
    close(fd);
    return conclude(c, to, &result, signal);
}
