/* The dry run: what an operation would do. */
#include "cli/operate_internal.h"

#include "base/limits.h"
#include "base/text.h"
#include "cli/listing.h"
#include "operations/operation_json.h"

#include <inttypes.h>
#include <stdio.h>

int64_t operate_planned(const struct operating *o, const struct preview *p)
{
    int64_t all = o->job.plan.select ? p->matched : p->ready, limit = o->job.plan.limit;
    return limit >= 0 && (all < 0 || all > limit) ? limit : all;
}

static const char *to_text(const struct operating *o)
{
    const struct plan *p = &o->job.plan;
    return p->to         ? p->to
           : p->exchange ? "the exchange that each was published to"
                         : "the channel that each died in";
}

static void say_preview(const struct operating *o, const struct preview *p)
{
    char count[32], flags[600], bytes[40] = "", size[32], name[40];
    int64_t n = operate_planned(o, p);
    enum operation_kind kind = o->job.plan.kind;
    text_count(count, sizeof count, (uint64_t)(n > 0 ? n : 0));
    bool all = kind == OPERATION_PURGE && o->job.plan.limit < 0 && n > 0 && p->stored >= 0;
    if (o->job.plan.select || all)
        snprintf(bytes, sizeof bytes, " (%s)",
                 text_bytes(size, sizeof size, (uint64_t)(o->job.plan.select ? p->bytes : p->stored)));
    if (p->unacked > 0)
        cli_notice(o->cli, "%" PRId64 " messages are with consumers: they are not touched", p->unacked);
    if (!p->whole)
        cli_notice(o->cli,
                   "of %" PRId64 " messages %" PRId64 " were looked at: there may be more that are selected",
                   p->ready, p->looked);
    if (kind == OPERATION_PURGE)
        operate_purge_say(o, p, n);
    if (kind == OPERATION_RESTORE)
        operate_restore_say(o, p);
    snprintf(name, sizeof name, "%s", n < 0 ? "all" : count);
    bool purges = kind == OPERATION_PURGE;
    cli_notice(o->cli, "would %s %s message%s%s from %s%s%s; nothing was changed. Add %s to do it",
               operation_kind_name(kind), name, n == 1 ? "" : "s", bytes, o->job.plan.from,
               purges ? "" : " to ", purges ? "" : to_text(o),
               cli_missing_flags(o->cli, o->job.plan.to ? &o->to : &o->from, flags, sizeof flags));
}

void operate_print(const struct operating *o, const struct journal_operation *record)
{
    struct buffer out;
    if (!cli_flag(o->cli, FLAG_JSON))
        return;
    buffer_init(&out, LIMIT_LINE);
    operation_to_json(record, &out);
    buffer_byte(&out, '\n');
    cli_print(&out);
    buffer_free(&out);
}

int operate_take_source(struct operating *o, const struct preview *p)
{
    struct err_info err;
    if (o->job.plan.kind != OPERATION_RESTORE)
        o->job.plan.partitions = p->partitions;
    o->job.plan.keeps = p->keeps[0];
    if (!p->keeps[0] || o->job.plan.kind != OPERATION_MOVE)
        return 0;
    err_set(&err, ERR_REFUSED, "nothing can be moved off it: %s", p->keeps);
    err_where(&err, "%s", o->job.plan.from);
    err_next(&err, "`signalbox copy` sends the same and leaves the source as it is");
    return cli_error(&err);
}

static int preview(struct operating *o, struct preview *p)
{
    struct err_info err = {.code = ERR_OK};
    if (o->job.plan.select) {
        int code = listing_announce_effect(o->cli, &o->from);
        if (code)
            return code;
    }
    enum err e = preview_make(&o->job, &o->cancelled, p, &err);
    if (e == ERR_USAGE && o->job.plan.select)
        return cli_filter_error(o->job.plan.select, &err);
    return e ? cli_error(&err) : operate_take_source(o, p);
}

int operate_rehearse(struct operating *o)
{
    struct preview p;
    int code = preview(o, &p);
    if (code)
        return code;
    if (o->job.plan.payload.data && p.matched > 1)
        return cli_usage("%" PRId64 " messages are selected, and an edited payload is for one", p.matched);
    say_preview(o, &p);
    o->job.record.counts.planned = operate_planned(o, &p);
    operate_print(o, &o->job.record);
    return o->job.record.counts.planned == 0 ? err_exit_code(ERR_NOMATCH) : 0;
}
