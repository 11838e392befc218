/* What is said of a dedupe beside its report: what would go, or be copied, and how. */
#include "cli/operate_internal.h"

#include "base/limits.h"
#include "base/text.h"
#include "operations/dedupe_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define REPORT_ONLY (F(FROM) | F(LIMIT) | F(PARTITION) | F(UNCOMMITTED) | F(INTERNAL))

int operate_dedupe_plan(struct operating *o)
{
    const struct cli *c = o->cli;
    struct plan *p = &o->job.plan;
    struct err_info err = {.code = ERR_OK};
    enum dedupe_keep keep = DEDUPE_KEEP_FIRST;
    const char *word = cli_text(c, FLAG_KEEP);
    if (word && !dedupe_keep_parse(word, &keep))
        return cli_usage("--keep %s: write first or last", word);
    if (!p->to && (cli_flag(c, FLAG_RATE) || cli_flag(c, FLAG_CREATE)))
        return cli_usage("--rate and --create are for a copy: add --to ADDRESS");
    p->keep_last = keep == DEDUPE_KEEP_LAST;
    struct dedupe_rule *rule = dedupe_rule_new(p->by, c->registry->decoders, &err);
    int code = rule ? 0 : cli_error(&err);
    dedupe_rule_free(&rule);
    return code;
}

static int check_flags(const struct cli *c)
{
    if (!cli_flag(c, FLAG_BY))
        return cli_usage("by what are they the same? Add --by, with %s", DEDUPE_RULES);
    for (int f = 0; f < FLAGS; f++)
        if (c->flags.set & REPORT_ONLY & UINT64_C(1) << f)
            return cli_usage("--%s is for the report: what is removed or copied is chosen by --select",
                             flag_rows[f].name);
    return 0;
}

int operate_dedupe(struct cli *c)
{
    int code = check_flags(c);
    return code ? code : operate(c, OPERATION_DEDUPE);
}

/* ---- the dry run ---- */

struct dedupe_rehearsal {
    struct operating o;
    struct preview before;
    struct err_info refusal; /* why nothing can be removed there */
};

static int look(struct dedupe_rehearsal *r)
{
    struct operation_job job = r->o.job;
    job.plan.select = NULL; /* the report judges that */
    enum err e = preview_check(&job, &r->before, &r->refusal);
    if (e && (e != ERR_REFUSED || r->o.job.plan.to))
        return cli_error(&r->refusal);
    return e ? 0 : operate_take_source(&r->o, &r->before);
}

int operate_dedupe_begin(struct cli *c, struct dedupe_rehearsal **into)
{
    bool changes = c->flags.set & (F(TO) | F(BODIES_DIFFER));
    *into = NULL;
    if (!changes && (!cli_flag(c, FLAG_BY) || c->flags.set & REPORT_ONLY & ~F(LIMIT)))
        return 0;
    uint64_t set = c->flags.set;
    c->flags.set &= ~F(LIMIT); /* it lists so many groups */
    int code = check_flags(c);
    struct dedupe_rehearsal *r = code ? NULL : calloc(1, sizeof *r);
    if (!code && !r)
        code = cli_error(&(struct err_info){.code = ERR_NOMEM, .text = "no memory for a dry run"});
    if (!code)
        code = operate_make(&r->o, c, OPERATION_DEDUPE);
    c->flags.set = set;
    if (!code)
        code = look(r);
    if (code)
        operate_dedupe_end(&r);
    *into = r;
    return code;
}

void operate_dedupe_end(struct dedupe_rehearsal **rp)
{
    struct dedupe_rehearsal *r = *rp;
    *rp = NULL;
    if (!r)
        return;
    operate_release(&r->o);
    free(r);
}

const struct journal_operation *operate_dedupe_record(struct dedupe_rehearsal *r,
                                                      const struct dedupe_totals *t)
{
    struct journal_operation *record = &r->o.job.record;
    if (r->refusal.code)
        return NULL;
    record->counts.planned = (int64_t)(r->o.job.plan.to ? t->messages - t->going : t->going);
    r->before.bytes = (int64_t)t->going_bytes;
    return record;
}

static void say_left(const struct dedupe_rehearsal *r, const struct dedupe_totals *t)
{
    char count[32];
    if (t->extras == t->going)
        return;
    cli_notice(r->o.cli, "%s extra%s of groups whose bodies differ %s; --bodies-differ takes those, too",
               text_count(count, sizeof count, t->extras - t->going), t->extras - t->going == 1 ? "" : "s",
               r->o.job.plan.to ? "would be copied" : "would stay");
}

static void say_would(const struct dedupe_rehearsal *r, const struct dedupe_totals *t)
{
    const struct plan *p = &r->o.job.plan;
    char going[32], groups[32], size[32], rest[32];
    text_count(going, sizeof going, t->going);
    text_count(groups, sizeof groups, t->groups);
    text_bytes(size, sizeof size, t->going_bytes);
    text_count(rest, sizeof rest, t->messages - t->going);
    if (p->to)
        cli_notice(r->o.cli, "would copy %s messages to %s, without %s extra%s (%s); nothing was changed",
                   rest, p->to, going, t->going == 1 ? "" : "s", size);
    else
        cli_notice(r->o.cli, "would archive and remove %s extra%s (%s) of %s group%s; nothing was changed",
                   going, t->going == 1 ? "" : "s", size, groups, t->groups == 1 ? "" : "s");
}

void operate_dedupe_say(struct dedupe_rehearsal *r, const struct dedupe_totals *t)
{
    char flags[600], text[600];
    struct err_info full;
    const struct operating *o = &r->o;
    (void)operate_dedupe_record(r, t);
    if (r->refusal.code) {
        cli_notice(o->cli, "nothing can be removed: %s", err_format(&r->refusal, text, sizeof text));
        return;
    }
    say_left(r, t);
    if (!t->going && !o->job.plan.to)
        return;
    if (!o->job.plan.to)
        operate_say_away(o, &r->before);
    if (!o->job.plan.to)
        operate_purge_say_archive(o, &r->before, (int64_t)t->going);
    operate_say_bounds(o, &r->before);
    if (r->before.bounded && bounds_check(&r->before.bounds, o->job.plan.to, r->before.there_ready,
                                          (int64_t)(t->messages - t->going), COUNT_UNKNOWN, &full)) {
        cli_notice(o->cli, "it would end as partial: %s", full.text);
        return;
    }
    say_would(r, t);
    cli_notice(o->cli, "to do it: %s %s", o->job.record.command,
               cli_missing_flags(o->cli, operate_changed_destination(o), operate_changed_source(o), flags,
                                 sizeof flags));
}
