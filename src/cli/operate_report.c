/* What is said of an operation that has ended: its outcome, what is at both ends now, how it is taken back. */
#include "cli/operate_internal.h"

#include "base/limits.h"
#include "base/text.h"
#include "cli/losses_say.h"
#include "operations/operation_json.h"
#include "operations/order.h"
#include "operations/undo_command.h"
#include "operations/verify.h"

#include <inttypes.h>
#include <stdio.h>

static void say_outcome(const struct operating *o, const struct operation_progress *p)
{
    const struct journal_operation *r = &o->job.record;
    char done[32], more[160] = "";
    size_t used = 0;
    const struct {
        int64_t n;
        const char *word;
    } others[] = {
        {p->counts.skipped, "skipped"}, {p->counts.failed, "failed"}, {p->counts.in_doubt, "in doubt"}};
    for (size_t i = 0; i < 3; i++)
        if (others[i].n)
            used += (size_t)snprintf(more + used, sizeof more - used, ", %" PRId64 " %s", others[i].n,
                                     others[i].word);
    text_count(done, sizeof done, (uint64_t)p->counts.done);
    cli_notice(o->cli, "%s %s: %s: %s done%s%s%s", operation_kind_name(r->kind), r->id,
               operation_state_name(p->state), done, more, p->note[0] ? "; " : "", p->note);
    if (o->job.to.ops)
        losses_say(&p->losses, o->cli, -1, o->job.to.ops, p->carries, true);
    if (p->counts.failed || p->counts.in_doubt || p->counts.skipped)
        cli_notice(o->cli, "`signalbox journal %s` says which, and why", r->id);
    if (p->state == OPERATION_INTERRUPTED)
        cli_notice(o->cli, "nothing is lost: `signalbox resume %s` finishes it", r->id);
}

/* ---- archives ---- */

/* As the journal has it: one path, or a line each. */
static void take_archives(struct operating *o)
{
    struct journal_operation now;
    struct journal *j = journal_open(NULL);
    if (j && !journal_find(j, o->job.record.id, &o->arena, &now, NULL))
        o->job.record.archive = now.archive;
    journal_close(&j);
}

static void say_archives(const struct operating *o)
{
    const char *at = o->job.record.archive;
    while (at && *at) {
        int len = (int)strcspn(at, "\n");
        cli_notice(o->cli, "archived in %.*s; `signalbox restore` brings it back", len, at);
        at += len + (at[len] == '\n');
    }
}

/* ---- both ends ---- */

static const char *count_text(char *into, size_t size, int64_t n)
{
    return n >= 0 ? text_count(into, size, (uint64_t)n) : "an unknown number";
}

static void say_count(const struct operating *o, const struct operation_end *end, const char *name,
                      int64_t before)
{
    char text[32], earlier[32], was[64] = "";
    int64_t ready, unacked;
    if (!end->ops->count || preview_count(&o->job, end, &ready, &unacked, NULL))
        return;
    if (before >= 0)
        snprintf(was, sizeof was, ", %s before", text_count(earlier, sizeof earlier, (uint64_t)before));
    bool upper = end->ops->count_is_upper;
    cli_notice(o->cli, "now: %s%s%s in %s%s", upper && ready > 0 ? "at most " : "",
               count_text(text, sizeof text, ready), upper ? "" : " ready", name, was);
}

/* Both are counted by the broker, whoever else sends and takes there; not what consumers have, of which RabbitMQ tells late. */
static void say_counts(const struct operating *o)
{
    const struct plan *p = &o->job.plan;
    const struct preview *before = &o->before;
    if (plan_archives(p) || (order_takes(p) && !p->keeps))
        say_count(o, &o->job.from, p->from, before->ready);
    if (p->to && !preview_counts_late(&o->job))
        say_count(o, &o->job.to, p->to, before->there_ready);
}

static void say_verified(const struct operating *o, const char *json)
{
    struct verified v;
    char text[400];
    if (verified_read(&v, json))
        cli_notice(o->cli, "%s", verified_tell(&v, text, sizeof text));
}

/* ---- all of it ---- */

static void print(const struct operating *o, const char *undo)
{
    struct buffer out;
    if (!cli_flag(o->cli, FLAG_JSON))
        return;
    buffer_init(&out, LIMIT_LINE);
    operation_to_json(&o->job.record, undo, &out);
    buffer_byte(&out, '\n');
    cli_print(&out);
    buffer_free(&out);
}

void operate_report(struct operating *o, const struct operation_progress *p)
{
    struct buffer command;
    const char *why = NULL;
    buffer_init(&command, 4 * MIB);
    say_outcome(o, p);
    if (plan_archives(&o->job.plan)) {
        take_archives(o);
        say_archives(o);
    }
    if (p->state != OPERATION_FAILED && p->state != OPERATION_INTERRUPTED)
        say_counts(o);
    say_verified(o, o->job.record.verified);
    const char *undo = undo_command(&o->job, &p->counts, &command, &why);
    if (undo && !plan_archives(&o->job.plan)) /* of a purge it is said already */
        cli_notice(o->cli, "undo: %s", undo);
    if (why)
        cli_notice(o->cli, "it cannot be undone by one command: %s", why);
    print(o, undo);
    buffer_free(&command);
}
