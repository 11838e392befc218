#include "cli/operate_internal.h"

#include "base/limits.h"
#include "base/text.h"
#include "cli/losses_say.h"
#include "cli/signals.h"
#include "engine/filter.h"
#include "operations/lock.h"
#include "operations/order.h"
#include "operations/restore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define GRACE_NS (10 * NS_PER_S) /* behind the time-out, for what is on its way */

static void on_notice(void *context, const char *text)
{
    const struct operating *o = context;
    cli_notice(o->cli, "%s", text);
}

/* ---- the plan ---- */

/* "20", "20/s". */
static int take_rate(struct operating *o)
{
    const char *text = cli_text(o->cli, FLAG_RATE);
    char number[24];
    if (!text)
        return 0;
    size_t len = strlen(text);
    len -= len > 2 && strcmp(text + len - 2, "/s") == 0 ? 2 : 0;
    text_copy_bytes(number, sizeof number, bytes_of(text, len));
    if (len < sizeof number && text_int64(number, &o->job.plan.rate) && o->job.plan.rate > 0)
        return 0;
    return cli_usage("--rate %s: write messages a second, as 20/s", text);
}

/* --to: an address, or of a replay `origin` (the default) and `exchange`, at the same endpoint. */
static bool goes_home(struct operating *o, const char *to)
{
    struct plan *p = &o->job.plan;
    bool exchange = to && strcmp(to, "exchange") == 0;
    if (p->kind != OPERATION_REPLAY || (to && !exchange && strcmp(to, "origin") != 0))
        return false;
    p->exchange = exchange;
    o->to = o->from;
    o->to.channel = (struct channel_name){CHANNEL_ANY, NULL};
    return true;
}

static int take_destination(struct operating *o)
{
    struct err_info err = {.code = ERR_OK};
    const char *to = o->to_text;
    if (goes_home(o, to))
        return 0;
    if (!to)
        return cli_usage("where to? Add --to ADDRESS");
    o->job.plan.to = to;
    if (config_address(&o->cli->config, to, o->cli->registry->brokers, &o->to, &err))
        return cli_error(&err);
    struct endpoint *e = &o->to.endpoint->endpoint;
    if (!o->to.channel.name)
        return cli_usage("`%s` names no channel; `signalbox ls %s` lists them", to, to);
    if (e->by_url && e->username && !e->password)
        cli_ask_password(o->cli, e);
    return config_secret(&o->cli->config, o->to.endpoint, &err) ? cli_error(&err) : 0;
}

/* The line that does the same. */
static const char *command_of(struct operating *o)
{
    const struct cli *c = o->cli;
    struct buffer *out = &o->command;
    buffer_printf(out, "signalbox %s", c->command->name);
    for (size_t i = 0; i < c->arg_count; i++)
        order_put_word(out, c->args[i]);
    for (int f = 0; f < FLAGS; f++)
        if (cli_flag(c, (enum flag)f) && flag_rows[f].kind != FLAG_LIST) {
            buffer_printf(out, " --%s", flag_rows[f].name);
            if (flag_rows[f].kind != FLAG_ON && c->flags.text[f])
                order_put_word(out, c->flags.text[f]);
        }
    for (size_t i = 0; i < c->flags.list_count; i++) {
        buffer_printf(out, " --%s", flag_rows[c->flags.list[i].flag].name);
        order_put_word(out, c->flags.list[i].text);
    }
    buffer_byte(out, '\0');
    return buffer_ok(out) ? (const char *)out->data : NULL;
}

static struct operation_end end_of(const struct address *a)
{
    return (struct operation_end){a->endpoint->broker, &a->endpoint->endpoint, a->channel};
}

const struct address *operate_changed_source(const struct operating *o)
{
    const struct plan *p = &o->job.plan;
    bool takes = p->kind == OPERATION_MOVE || p->kind == OPERATION_REPLAY || p->kind == OPERATION_PURGE;
    return takes || !p->to ? &o->from : NULL;
}

const struct address *operate_changed_destination(const struct operating *o)
{
    return o->job.plan.to ? &o->to : NULL;
}

static int find_both_ends(struct operating *o)
{
    struct cli *c = o->cli;
    const struct plan *p = &o->job.plan;
    bool restores = p->kind == OPERATION_RESTORE;
    struct err_info err;
    if (p->kind == OPERATION_RESEND && !p->select)
        return cli_usage("which messages? Add --select EXPR (`copy` takes all)");
    o->to_text = cli_text(c, FLAG_TO);
    int code = restores ? operate_restore_find(o) : cli_address(c, 0, true, &o->from);
    bool archives = p->kind == OPERATION_PURGE || (p->kind == OPERATION_DEDUPE && !o->to_text);
    if (!code && !archives)
        code = take_destination(o);
    if (!code && order_check_ends(p, &o->from, &o->to, &err))
        code = cli_error(&err);
    const struct address *to = operate_changed_destination(o), *from = operate_changed_source(o);
    if (!code && to)
        code = cli_may_change(c, to);
    if (!code && from)
        code = cli_may_change(c, from);
    return code;
}

/* Of a replay: a line each. */
static int take_reasons(struct operating *o)
{
    const char *reason;
    struct buffer lines;
    buffer_init(&lines, 64 * KIB);
    for (size_t at = 0; (reason = cli_next(o->cli, FLAG_REASON, &at));) {
        if (!*reason || strchr(reason, '\n')) {
            buffer_free(&lines);
            return cli_usage(
                "--reason wants a reason as the dry run shows it, or what stands before its colon");
        }
        buffer_printf(&lines, "%s%s", lines.len ? "\n" : "", reason);
    }
    if (lines.len)
        o->job.plan.reasons = arena_strdup(&o->arena, buffer_cstr(&lines));
    buffer_free(&lines);
    return 0;
}

/* What cannot be chosen so, before anything else is found fault with. */
static int check_choice(const struct cli *c, enum operation_kind kind)
{
    struct err_info err = {.code = ERR_OK};
    const char *select = cli_text(c, FLAG_SELECT);
    if (kind != OPERATION_DEDUPE && cli_number(c, FLAG_LIMIT, -1) == 0)
        return cli_usage("--limit 0 is no message: write 1 or more");
    struct filter *f = select ? filter_new(select, FILTER_MESSAGES, c->registry->decoders, NULL, &err) : NULL;
    if (select && !f)
        return cli_filter_error(select, &err);
    filter_free(&f);
    return 0;
}

static int make_plan(struct operating *o, enum operation_kind kind)
{
    struct cli *c = o->cli;
    int wrong = check_choice(c, kind);
    if (wrong)
        return wrong;
    o->job.plan = (struct plan){.kind = kind,
                                .from = c->args[0],
                                .select = cli_text(c, FLAG_SELECT),
                                .limit = kind == OPERATION_DEDUPE ? -1 : cli_number(c, FLAG_LIMIT, -1),
                                .replays_most = PLAN_REPLAYS_MOST,
                                .no_mark = cli_flag(c, FLAG_NO_MARK),
                                .keep_death = cli_flag(c, FLAG_KEEP_DEATH),
                                .origin_header = cli_text(c, FLAG_ORIGIN_HEADER),
                                .again = cli_flag(c, FLAG_AGAIN),
                                .by = cli_text(c, FLAG_BY),
                                .differing = cli_flag(c, FLAG_BODIES_DIFFER),
                                .create = cli_flag(c, FLAG_CREATE),
                                .tombstones = cli_flag(c, FLAG_TOMBSTONES),
                                .no_archive = cli_flag(c, FLAG_NO_ARCHIVE)};
    int code = find_both_ends(o);
    if (!code)
        code = operate_edit_file(o);
    if (!code)
        code = take_rate(o);
    if (!code)
        code = take_reasons(o);
    if (!code && kind == OPERATION_DEDUPE)
        code = operate_dedupe_plan(o);
    if (!code && kind == OPERATION_PURGE)
        code = operate_purge_plan(o);
    if (!code && kind == OPERATION_RESTORE)
        code = operate_restore_plan(o);
    return code;
}

static void fill_job(struct operating *o)
{
    const struct plan *p = &o->job.plan;
    o->job.from = p->kind == OPERATION_RESTORE ? archive_source(p->from, &o->archive) : end_of(&o->from);
    if (!plan_archives(p))
        o->job.to = end_of(&o->to);
    o->job.decoders = o->cli->registry->decoders;
    o->job.redaction = o->cli->config.redaction;
    o->job.prepare = config_prepare;
    o->job.context = &o->cli->config;
    o->job.notice = on_notice;
    o->job.notice_context = o;
    o->job.record = (struct journal_operation){
        .kind = p->kind,
        .state = OPERATION_RUNNING,
        .from = p->kind == OPERATION_RESTORE ? p->from : order_canonical(&o->from, &o->arena),
        .to = p->to ? order_canonical(&o->to, &o->arena) : NULL,
        .who = o->who,
        .host = o->host,
        .command = command_of(o),
        .archive = p->kind == OPERATION_RESTORE ? p->from : NULL,
        .created_ns = clock_wall_ns(),
        .counts = {.planned = COUNT_UNKNOWN}};
}

/* ---- the run ---- */

static void show_progress(const struct operating *o, const struct operation_progress *p)
{
    char done[32], planned_text[32], text[240], left[32] = "", archived[60] = "", rate[40] = "";
    text_count(done, sizeof done, (uint64_t)p->counts.done);
    if (!cli_progress(o->cli))
        return;
    if (p->counts.planned > 0) {
        text_count(planned_text, sizeof planned_text, (uint64_t)p->counts.planned);
        int64_t rest = p->counts.planned - p->counts.done;
        if (p->rate > 0 && rest > 0)
            text_age(left, sizeof left, (int64_t)((double)rest / p->rate * NS_PER_S));
    }
    if (p->looked) {
        text_count(done, sizeof done, (uint64_t)p->looked);
        snprintf(text, sizeof text, "%s looked at for %s", done,
                 o->job.plan.kind == OPERATION_REPLAY ? "what is there already" : "duplicates");
        cli_progress_line(text);
        return;
    }
    if (p->archived)
        snprintf(archived, sizeof archived, "%" PRId64 " archived, ", p->archived);
    if (p->rate >= 0)
        snprintf(rate, sizeof rate, ", %.0f/s", p->rate);
    snprintf(text, sizeof text, "%s%s%s%s done%s%s%s%s", archived, done, p->counts.planned > 0 ? " of " : "",
             p->counts.planned > 0 ? planned_text : "", rate, *left ? ", " : "", left, *left ? " left" : "");
    cli_progress_line(text);
}

int64_t operate_time_out(struct operating *o)
{
    if (o->timed_out)
        operation_cancel(o->operation);
    else
        operation_suspend(o->operation);
    o->timed_out = true;
    return clock_mono_ns() + GRACE_NS;
}

/* The first signal ends it in peace, the second at once. The signal, or 0. */
static int wait_operation(struct operating *o, struct operation *operation, int fd)
{
    struct operation_progress p = {.state = OPERATION_RUNNING};
    int signal = 0;
    int64_t deadline = o->deadline_ns;
    while (p.state == OPERATION_RUNNING) {
        int64_t now = clock_mono_ns(), second = now + NS_PER_S;
        if (deadline && now >= deadline) {
            if (!o->timed_out)
                cli_notice(o->cli,
                           "the time-out has passed: no more are begun; what is on its way comes to its end");
            deadline = operate_time_out(o);
        }
        enum waited w = wait_for(fd, deadline && deadline < second ? deadline : second);
        if (w == WAITED_SIGNAL) {
            if (!signal)
                cli_notice(o->cli, "no more are begun; what is on its way comes to its end (again: at once)");
            signal = signals_seen();
            signals_forget();
            operation_cancel(operation);
        }
        operation_progress(operation, &p);
        show_progress(o, &p);
    }
    cli_progress_end();
    return signal;
}

static int exit_of(const struct operating *o, const struct operation_progress *p, int signal)
{
    const struct operation_counts *c = &p->counts;
    bool stopped = p->state == OPERATION_CANCELLED || p->state == OPERATION_INTERRUPTED;
    if (stopped && o->timed_out && !signal)
        return err_exit_code(ERR_TIMEOUT);
    switch (p->state) {
    case OPERATION_DONE: return !c->done && !c->skipped ? err_exit_code(ERR_NOMATCH) : 0;
    case OPERATION_FAILED: return err_exit_code(p->error ? p->error : ERR_FAILED);
    case OPERATION_CANCELLED: return signal ? 128 + signal : err_exit_code(ERR_CANCELLED);
    case OPERATION_INTERRUPTED: return signal ? 128 + signal : err_exit_code(ERR_PARTIAL);
    default: return err_exit_code(ERR_PARTIAL);
    }
}

int operate_start(struct operating *o, int fd)
{
    struct err_info err = {.code = ERR_OK};
    signals_take();
    o->operation = fd >= 0 ? operation_start(&o->job, fd, &err) : NULL;
    if (!o->operation && !err.code)
        err_set(&err, ERR_FAILED, "no descriptor for an operation");
    return o->operation ? 0 : cli_error(&err);
}

int operate_finish(struct operating *o, int signal)
{
    struct operation_progress p;
    struct journal_operation *record = &o->job.record;
    operation_join(&o->operation, &p);
    record->state = p.state;
    record->counts = p.counts;
    record->note = p.note[0] ? p.note : NULL;
    record->verified = p.verified[0] ? p.verified : NULL;
    record->ended_ns = p.state == OPERATION_INTERRUPTED ? 0 : clock_wall_ns();
    operate_report(o, &p);
    return exit_of(o, &p, signal);
}

static int run_job(struct operating *o)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int code = operate_start(o, fd);
    if (!code)
        code = operate_finish(o, wait_operation(o, o->operation, fd));
    if (fd >= 0)
        close(fd);
    return code;
}

static enum err create(void *context, struct journal *j, struct journal_operation *record,
                       struct err_info *err)
{
    const struct operating *o = context;
    return record->kind == OPERATION_RESTORE ? restore_create(&o->job.plan, j, record, err)
                                             : journal_create(j, record, err);
}

int operate_open(struct operating *o)
{
    struct err_info err = {.code = ERR_OK};
    o->lock = order_begin(&o->job, &o->plan, create, o, &err);
    return o->lock < 0 ? cli_error(&err) : 0;
}

void operate_close(struct operating *o)
{
    const struct journal_operation *record = &o->job.record;
    operation_unlock(record->id, o->lock, record->state != OPERATION_INTERRUPTED);
}

static int begin_and_run(struct operating *o)
{
    int code = operate_open(o);
    if (code)
        return code;
    code = run_job(o);
    operate_close(o);
    return code;
}

int operate_ready(struct operating *o)
{
    struct preview p;
    struct err_info err = {.code = ERR_OK};
    struct operation_job quiet = o->job; /* what a dry run would say the run itself says */
    quiet.notice = NULL;
    enum err e = preview_check(&quiet, &p, &err);
    if (!e && p.by_place && !o->job.plan.no_archive)
        e = preview_check_selection(&o->job, &err);
    int code = e ? cli_error(&err) : operate_take_source(o, &p);
    if (!code && operate_edits_by_hand(o))
        code = operate_edit_first(o);
    if (!code && order_fits(&o->job.plan, &p, &err))
        code = cli_error(&err);
    if (code)
        return code;
    o->before = p;
    if (!preview_selects(&o->job.plan))
        o->job.record.counts.planned = operate_planned(o, &p);
    order_bound(&o->job.plan, &p);
    return 0;
}

static int execute(struct operating *o)
{
    int code = operate_ready(o);
    return code ? code : begin_and_run(o);
}

static void init(struct operating *o, struct cli *c)
{
    int64_t timeout = cli_number(c, FLAG_TIMEOUT, 0);
    *o = (struct operating){.cli = c,
                            .deadline_ns = timeout > 0 ? clock_mono_ns() + timeout : 0,
                            .before = {.ready = COUNT_UNKNOWN,
                                       .unacked = COUNT_UNKNOWN,
                                       .there = COUNT_UNKNOWN,
                                       .there_ready = COUNT_UNKNOWN}};
    arena_init(&o->arena, 4 * PLAN_PAYLOAD_MOST);
    buffer_init(&o->plan, 2 * PLAN_PAYLOAD_MOST);
    buffer_init(&o->command, 4 * MIB);
    buffer_init(&o->edited, PLAN_PAYLOAD_MOST);
    order_person(o->who, sizeof o->who, o->host, sizeof o->host);
}

void operate_release(struct operating *o)
{
    arena_free(&o->arena);
    buffer_free(&o->plan);
    buffer_free(&o->command);
    buffer_free(&o->edited);
}

int operate_make(struct operating *o, struct cli *c, enum operation_kind kind)
{
    init(o, c);
    int code = make_plan(o, kind);
    if (!code)
        fill_job(o);
    return code;
}

int operate(struct cli *c, enum operation_kind kind)
{
    struct operating o;
    if (c->arg_count > 1)
        return operate_several(c, kind);
    int code = operate_make(&o, c, kind);
    if (!code)
        code = cli_flag(c, FLAG_EXECUTE) ? execute(&o) : operate_rehearse(&o);
    operate_release(&o);
    return code;
}

/* ---- once more ---- */

static int find_ends(struct operating *o)
{
    struct err_info err = {.code = ERR_OK};
    struct config *config = &o->cli->config;
    broker_registry brokers = o->cli->registry->brokers;
    const struct plan *p = &o->job.plan;
    enum err e = ERR_OK;
    if (p->kind != OPERATION_RESTORE) {
        e = config_address(config, p->from, brokers, &o->from, &err);
        e = e ? e : config_secret(config, o->from.endpoint, &err);
    }
    if (!e && !plan_archives(p)) {
        e = config_address(config, p->to ? p->to : p->from, brokers, &o->to, &err);
        e = e ? e : config_secret(config, o->to.endpoint, &err);
    }
    return e ? cli_error(&err) : 0;
}

int operate_resume(struct cli *c, const struct journal_operation *record)
{
    struct operating o;
    struct err_info err = {.code = ERR_OK};
    init(&o, c);
    int lock = operation_lock(record->id, &err);
    int code = lock < 0 ? cli_error(&err) : 0;
    if (!code && plan_read(&o.job.plan, record->plan, &o.arena, &err))
        code = cli_error(&err);
    if (!code)
        code = find_ends(&o);
    if (!code && record->kind == OPERATION_RESTORE && restore_check(&o.job.plan, &err))
        code = cli_error(&err);
    if (!code) {
        fill_job(&o);
        o.job.record = *record;
        o.job.resumed = true;
        cli_notice(c, "resuming %s %s, from %s%s%s", operation_kind_name(record->kind), record->id,
                   record->from, record->to ? " to " : "", record->to ? record->to : "");
        code = run_job(&o);
    }
    operation_unlock(record->id, lock, !code);
    operate_release(&o);
    return code;
}
