#include "cli/operate_internal.h"

#include "base/limits.h"
#include "base/text.h"
#include "cli/input.h"
#include "cli/listing.h"
#include "cli/losses.h"
#include "cli/signals.h"
#include "engine/filter.h"
#include "operations/lock.h"
#include "operations/operation_json.h"
#include "operations/order.h"
#include "operations/restore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

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

/* A channel onto itself would go on for ever. */
static int refuse_same(const struct operating *o)
{
    struct err_info err;
    if (!order_is_same(&o->from, &o->to))
        return 0;
    err_set(&err, ERR_REFUSED, "source and destination are the same channel: it would not end");
    err_where(&err, "%s/%s", o->from.endpoint->endpoint.name, o->from.channel.name);
    return cli_error(&err);
}

/* The line that does the same. */
static const char *command_of(struct operating *o)
{
    const struct cli *c = o->cli;
    struct buffer *out = &o->command;
    buffer_printf(out, "signalbox %s", c->command->name);
    for (size_t i = 0; i < c->arg_count; i++)
        order_put_word(out, c->args[i]);
    for (int f = 0; f < FLAGS; f++) {
        if (!cli_flag(c, (enum flag)f) ||
            !(F(TO) & UINT64_C(1) << f || F(SELECT) & UINT64_C(1) << f || c->flags.set))
            continue;
        buffer_printf(out, " --%s", flag_rows[f].name);
        if (flag_rows[f].kind != FLAG_ON && c->flags.text[f])
            order_put_word(out, c->flags.text[f]);
    }
    buffer_byte(out, '\0');
    return buffer_ok(out) ? (const char *)out->data : NULL;
}

static struct operation_end end_of(const struct address *a)
{
    return (struct operation_end){a->endpoint->broker, &a->endpoint->endpoint, a->channel};
}

/* A payload in the place of one message's own. */
static int take_edit(struct operating *o)
{
    struct err_info err = {.code = ERR_OK};
    const char *file = cli_text(o->cli, FLAG_EDIT);
    if (!file)
        return 0;
    if (input_whole(file, &o->edited, &err))
        return cli_error(&err);
    o->job.plan.payload = bytes_of(o->edited.data ? o->edited.data : (const uint8_t *)"", o->edited.len);
    return 0;
}

static int find_both_ends(struct operating *o)
{
    struct cli *c = o->cli;
    const struct plan *p = &o->job.plan;
    bool restores = p->kind == OPERATION_RESTORE, purges = p->kind == OPERATION_PURGE;
    if (p->kind == OPERATION_RESEND && !p->select)
        return cli_usage("which messages? Add --select EXPR (`copy` takes all)");
    o->to_text = cli_text(c, FLAG_TO);
    int code = restores ? operate_restore_find(o) : cli_address(c, 0, true, &o->from);
    if (!code && !purges)
        code = take_destination(o);
    if (!code && p->to && !restores)
        code = refuse_same(o);
    if (!code && p->to)
        code = cli_may_change(c, &o->to);
    if (!code && (p->kind == OPERATION_MOVE || p->kind == OPERATION_REPLAY || !p->to))
        code = cli_may_change(c, &o->from);
    return code;
}

static int make_plan(struct operating *o, enum operation_kind kind)
{
    struct cli *c = o->cli;
    o->job.plan = (struct plan){.kind = kind,
                                .from = c->args[0],
                                .select = cli_text(c, FLAG_SELECT),
                                .limit = cli_number(c, FLAG_LIMIT, -1),
                                .replays_most = PLAN_REPLAYS_MOST,
                                .no_mark = cli_flag(c, FLAG_NO_MARK),
                                .keep_death = cli_flag(c, FLAG_KEEP_DEATH),
                                .origin_header = cli_text(c, FLAG_ORIGIN_HEADER),
                                .again = cli_flag(c, FLAG_AGAIN),
                                .create = cli_flag(c, FLAG_CREATE),
                                .no_archive = cli_flag(c, FLAG_NO_ARCHIVE)};
    int code = find_both_ends(o);
    if (!code)
        code = take_edit(o);
    if (!code)
        code = take_rate(o);
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
    if (p->kind != OPERATION_PURGE)
        o->job.to = end_of(&o->to);
    o->job.decoders = o->cli->registry->decoders;
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

/* ---- the dry run ---- */

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
    int64_t n = order_planned(&o->job.plan, p);
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

static void print_record(const struct operating *o, const struct journal_operation *record)
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

/* What a source cannot do is refused before anything has begun. */
static int take_source(struct operating *o, const struct preview *p)
{
    struct err_info err;
    return order_settle(&o->job.plan, p, &err) ? cli_error(&err) : 0;
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
    return e ? cli_error(&err) : take_source(o, p);
}

static int rehearse(struct operating *o)
{
    struct preview p;
    int code = preview(o, &p);
    if (code)
        return code;
    if (o->job.plan.payload.data && p.matched > 1)
        return cli_usage("%" PRId64 " messages are selected, and an edited payload is for one", p.matched);
    say_preview(o, &p);
    o->job.record.counts.planned = order_planned(&o->job.plan, &p);
    print_record(o, &o->job.record);
    return o->job.record.counts.planned == 0 ? err_exit_code(ERR_NOMATCH) : 0;
}

/* ---- the run ---- */

static void show_progress(const struct operating *o, const struct operation_progress *p)
{
    char done[32], planned_text[32], text[200], left[32] = "", archived[60] = "";
    text_count(done, sizeof done, (uint64_t)p->counts.done);
    if (!cli_progress(o->cli))
        return;
    if (p->counts.planned > 0) {
        text_count(planned_text, sizeof planned_text, (uint64_t)p->counts.planned);
        int64_t rest = p->counts.planned - p->counts.done;
        if (p->rate > 0 && rest > 0)
            text_age(left, sizeof left, (int64_t)((double)rest / p->rate * NS_PER_S));
    }
    if (p->archived)
        snprintf(archived, sizeof archived, "%" PRId64 " archived, ", p->archived);
    snprintf(text, sizeof text, "%s%s%s%s done, %.0f/s%s%s%s", archived, done,
             p->counts.planned > 0 ? " of " : "", p->counts.planned > 0 ? planned_text : "", p->rate,
             *left ? ", " : "", left, *left ? " left" : "");
    cli_progress_line(text);
}

/* The first signal ends it in peace, the second at once. The signal, or 0. */
static int wait_operation(struct operating *o, struct operation *operation, int fd)
{
    struct operation_progress p = {.state = OPERATION_RUNNING};
    int signal = 0;
    while (p.state == OPERATION_RUNNING) {
        enum waited w = wait_for(fd, clock_mono_ns() + NS_PER_S);
        if (w == WAITED_SIGNAL) {
            if (!signal)
                cli_notice(o->cli, "no more are begun; what is on its way comes to its end (again: at once)");
            signal = signals_seen();
            operation_cancel(operation);
        }
        operation_progress(operation, &p);
        show_progress(o, &p);
    }
    cli_progress_end();
    return signal;
}

static int exit_of(const struct operation_progress *p, int signal)
{
    const struct operation_counts *c = &p->counts;
    switch (p->state) {
    case OPERATION_DONE: return !c->done && !c->skipped ? err_exit_code(ERR_NOMATCH) : 0;
    case OPERATION_FAILED: return err_exit_code(p->error ? p->error : ERR_FAILED);
    case OPERATION_CANCELLED: return signal ? 128 + signal : err_exit_code(ERR_CANCELLED);
    case OPERATION_INTERRUPTED: return signal ? 128 + signal : err_exit_code(ERR_PARTIAL);
    default: return err_exit_code(ERR_PARTIAL);
    }
}

static void report(const struct operating *o, const struct operation_progress *p)
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
    if (p->counts.failed || p->counts.in_doubt || p->counts.skipped)
        cli_notice(o->cli, "`signalbox journal %s` says which, and why", r->id);
    if (p->state == OPERATION_INTERRUPTED)
        cli_notice(o->cli, "nothing is lost: `signalbox resume %s` finishes it", r->id);
}

static int run_job(struct operating *o)
{
    struct err_info err = {.code = ERR_OK};
    struct journal_operation *record = &o->job.record;
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    signals_take();
    struct operation *operation = fd >= 0 ? operation_start(&o->job, fd, &err) : NULL;
    if (!operation) {
        if (!err.code)
            err_set(&err, ERR_FAILED, "no descriptor for an operation");
        if (fd >= 0)
            close(fd);
        return cli_error(&err);
    }
    struct operation_progress p;
    int signal = wait_operation(o, operation, fd);
    operation_join(&operation, &p);
    close(fd);
    report(o, &p);
    if (record->kind == OPERATION_PURGE)
        operate_purge_report(o, &p);
    record->state = p.state;
    record->counts = p.counts;
    record->note = p.note[0] ? p.note : NULL;
    record->ended_ns = p.state == OPERATION_INTERRUPTED ? 0 : clock_wall_ns();
    print_record(o, record);
    return exit_of(&p, signal);
}

static enum err create(void *context, struct journal *j, struct journal_operation *record,
                       struct err_info *err)
{
    const struct operating *o = context;
    return record->kind == OPERATION_RESTORE ? restore_create(&o->job.plan, j, record, err)
                                             : journal_create(j, record, err);
}

static int begin_and_run(struct operating *o)
{
    struct err_info err = {.code = ERR_OK};
    struct journal_operation *record = &o->job.record;
    int lock = order_begin(&o->job, &o->plan, create, o, &err);
    if (lock < 0)
        return cli_error(&err);
    int code = run_job(o);
    operation_unlock(record->id, lock, record->state != OPERATION_INTERRUPTED);
    return code;
}

static int execute(struct operating *o)
{
    struct preview p;
    struct err_info err = {.code = ERR_OK};
    const char *select = o->job.plan.select;
    struct operation_job quiet = o->job; /* what a dry run would say the run itself says */
    quiet.plan.select = NULL;            /* it is judged as the messages come */
    quiet.notice = NULL;
    enum err e = preview_make(&quiet, &o->cancelled, &p, &err);
    if (!e && p.by_place && !o->job.plan.no_archive)
        e = preview_check_selection(&o->job, &err);
    int code = e ? cli_error(&err) : take_source(o, &p);
    if (code)
        return code;
    o->before = p;
    o->job.plan.by_place = p.by_place;
    o->job.plan.empty = p.there == 0;
    struct filter *f = select ? filter_new(select, FILTER_MESSAGES, o->job.decoders, NULL, &err) : NULL;
    if (select && !f)
        return cli_filter_error(select, &err);
    filter_free(&f);
    if (!select)
        o->job.record.counts.planned = order_planned(&o->job.plan, &p);
    /* As it stood: what comes later is not part of it. */
    bool counted = !p.upper && !p.by_place && o->job.plan.kind != OPERATION_RESTORE;
    if (!select && o->job.plan.limit < 0 && counted)
        o->job.plan.limit = p.ready;
    return begin_and_run(o);
}

static void init(struct operating *o, struct cli *c)
{
    *o = (struct operating){.cli = c};
    arena_init(&o->arena, 4 * PLAN_PAYLOAD_MOST);
    buffer_init(&o->plan, 2 * PLAN_PAYLOAD_MOST);
    buffer_init(&o->command, 4 * MIB);
    buffer_init(&o->edited, PLAN_PAYLOAD_MOST);
    order_person(o->who, sizeof o->who, o->host, sizeof o->host);
}

static void release(struct operating *o)
{
    arena_free(&o->arena);
    buffer_free(&o->plan);
    buffer_free(&o->command);
    buffer_free(&o->edited);
}

int operate(struct cli *c, enum operation_kind kind)
{
    struct operating o;
    init(&o, c);
    int code = make_plan(&o, kind);
    if (!code) {
        fill_job(&o);
        code = cli_flag(c, FLAG_EXECUTE) ? execute(&o) : rehearse(&o);
    }
    release(&o);
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
    if (!e && p->kind != OPERATION_PURGE) {
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
        cli_notice(c, "resuming %s %s, from %s%s%s", operation_kind_name(record->kind), record->id,
                   record->from, record->to ? " to " : "", record->to ? record->to : "");
        code = run_job(&o);
    }
    operation_unlock(record->id, lock, !code);
    release(&o);
    return code;
}
