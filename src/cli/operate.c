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

#include <inttypes.h>
#include <pwd.h>
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

static bool share_a_host(const struct address *a, const struct address *b)
{
    const struct url *x = &a->endpoint->endpoint.url, *y = &b->endpoint->endpoint.url;
    int port = a->endpoint->broker->default_port;
    for (size_t i = 0; i < x->host_count; i++)
        for (size_t k = 0; k < y->host_count; k++)
            if (strcmp(x->hosts[i].host, y->hosts[k].host) == 0 &&
                (x->hosts[i].port ? x->hosts[i].port : port) == (y->hosts[k].port ? y->hosts[k].port : port))
                return true;
    return x->host_count == 0 && y->host_count == 0; /* within this process */
}

static bool is_same(const struct address *a, const struct address *b)
{
    const char *vhost = a->endpoint->endpoint.vhost, *other = b->endpoint->endpoint.vhost;
    bool kinds = a->channel.kind && b->channel.kind && a->channel.kind != b->channel.kind;
    return a->endpoint->broker == b->endpoint->broker && !kinds &&
           strcmp(a->channel.name, b->channel.name) == 0 &&
           strcmp(vhost ? vhost : "", other ? other : "") == 0 && share_a_host(a, b);
}

/* A channel onto itself would go on for ever. */
static int refuse_same(const struct operating *o)
{
    struct err_info err;
    if (!is_same(&o->from, &o->to))
        return 0;
    err_set(&err, ERR_REFUSED, "source and destination are the same channel: it would not end");
    err_where(&err, "%s/%s", o->from.endpoint->endpoint.name, o->from.channel.name);
    return cli_error(&err);
}

static void put_word(struct buffer *out, const char *word)
{
    bool plain = *word && !word[strcspn(word, " \t\n'\"\\$`&|;<>()*?[]#~!{}")];
    buffer_byte(out, ' ');
    if (plain) {
        buffer_text(out, word);
        return;
    }
    buffer_byte(out, '\'');
    for (const char *c = word; *c; c++)
        if (*c == '\'')
            buffer_text(out, "'\\''");
        else
            buffer_byte(out, (uint8_t)*c);
    buffer_byte(out, '\'');
}

/* The line that does the same. */
static const char *command_of(struct operating *o)
{
    const struct cli *c = o->cli;
    struct buffer *out = &o->command;
    buffer_printf(out, "signalbox %s", c->command->name);
    for (size_t i = 0; i < c->arg_count; i++)
        put_word(out, c->args[i]);
    for (int f = 0; f < FLAGS; f++) {
        if (!cli_flag(c, (enum flag)f) ||
            !(F(TO) & UINT64_C(1) << f || F(SELECT) & UINT64_C(1) << f || c->flags.set))
            continue;
        buffer_printf(out, " --%s", flag_rows[f].name);
        if (flag_rows[f].kind != FLAG_ON && c->flags.text[f])
            put_word(out, c->flags.text[f]);
    }
    buffer_byte(out, '\0');
    return buffer_ok(out) ? (const char *)out->data : NULL;
}

static void take_person(struct operating *o)
{
    const struct passwd *who = getpwuid(geteuid());
    const char *sudo = getenv("SUDO_USER");
    text_copy(o->who, sizeof o->who, sudo ? sudo : who ? who->pw_name : "?");
    if (gethostname(o->host, sizeof o->host) != 0)
        text_copy(o->host, sizeof o->host, "?");
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
    bool restores = p->kind == OPERATION_RESTORE;
    if (p->kind == OPERATION_RESEND && !p->select)
        return cli_usage("which messages? Add --select EXPR (`copy` takes all)");
    o->to_text = cli_text(c, FLAG_TO);
    int code = restores ? operate_restore_find(o) : cli_address(c, 0, true, &o->from);
    bool archives = p->kind == OPERATION_PURGE || (p->kind == OPERATION_DEDUPE && !o->to_text);
    if (!code && !archives)
        code = take_destination(o);
    if (!code && p->to && !restores)
        code = refuse_same(o);
    if (!code && p->to)
        code = cli_may_change(c, &o->to);
    if (!code && (p->kind == OPERATION_MOVE || p->kind == OPERATION_REPLAY || !p->to))
        code = cli_may_change(c, &o->from);
    return code;
}

/* As `ls` writes it, however it was typed. */
static const char *canonical(const struct address *a, struct arena *arena)
{
    struct buffer text;
    const char *kind = channel_kind_name(a->channel.kind);
    buffer_init(&text, 64 * KIB);
    buffer_printf(&text, "%s/%s%s", a->endpoint->endpoint.name, kind, *kind ? ":" : "");
    url_encode(&text, a->channel.name);
    const char *copy = buffer_ok(&text) ? arena_strndup(arena, text.data, text.len) : NULL;
    buffer_free(&text);
    return copy ? copy : a->channel.name;
}

static void fill_job(struct operating *o)
{
    const struct plan *p = &o->job.plan;
    o->job.from = p->kind == OPERATION_RESTORE ? archive_source(p->from, &o->archive) : end_of(&o->from);
    if (!plan_archives(p))
        o->job.to = end_of(&o->to);
    o->job.decoders = o->cli->registry->decoders;
    o->job.prepare = config_prepare;
    o->job.context = &o->cli->config;
    o->job.notice = on_notice;
    o->job.notice_context = o;
    o->job.record = (struct journal_operation){
        .kind = p->kind,
        .state = OPERATION_RUNNING,
        .from = p->kind == OPERATION_RESTORE ? p->from : canonical(&o->from, &o->arena),
        .to = p->to ? canonical(&o->to, &o->arena) : NULL,
        .who = o->who,
        .host = o->host,
        .command = command_of(o),
        .archive = p->kind == OPERATION_RESTORE ? p->from : NULL,
        .created_ns = clock_wall_ns(),
        .counts = {.planned = COUNT_UNKNOWN}};
}

int operate_plan(struct operating *o, enum operation_kind kind)
{
    struct cli *c = o->cli;
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
        code = take_edit(o);
    if (!code)
        code = take_rate(o);
    if (!code && kind == OPERATION_DEDUPE)
        code = operate_dedupe_plan(o);
    if (!code && kind == OPERATION_PURGE)
        code = operate_purge_plan(o);
    if (!code && kind == OPERATION_RESTORE)
        code = operate_restore_plan(o);
    if (!code)
        fill_job(o);
    return code;
}

/* ---- the dry run ---- */

static int64_t planned(const struct operating *o, const struct preview *p)
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
    int64_t n = planned(o, p);
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
    if (o->job.plan.tombstones) {
        cli_notice(
            o->cli,
            "would write them for the keys of at most %s message%s; nothing was changed. Add %s to do it",
            count, n == 1 ? "" : "s", cli_missing_flags(o->cli, &o->from, flags, sizeof flags));
        return;
    }
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

static int rehearse(struct operating *o)
{
    struct preview p;
    int code = preview(o, &p);
    if (code)
        return code;
    if (o->job.plan.payload.data && p.matched > 1)
        return cli_usage("%" PRId64 " messages are selected, and an edited payload is for one", p.matched);
    say_preview(o, &p);
    int64_t n = planned(o, &p);
    /* Of the keys one knows once all of it was read. */
    o->job.record.counts.planned = o->job.plan.tombstones && n ? COUNT_UNKNOWN : n;
    print_record(o, &o->job.record);
    return n == 0 ? err_exit_code(ERR_NOMATCH) : 0;
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
    if (p->looked) {
        text_count(done, sizeof done, (uint64_t)p->looked);
        snprintf(text, sizeof text, "%s looked at for duplicates", done);
        cli_progress_line(text);
        return;
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
    if (plan_archives(&o->job.plan))
        operate_purge_report(o, &p);
    record->state = p.state;
    record->counts = p.counts;
    record->note = p.note[0] ? p.note : NULL;
    record->ended_ns = p.state == OPERATION_INTERRUPTED ? 0 : clock_wall_ns();
    print_record(o, record);
    return exit_of(&p, signal);
}

/* The lock first: nobody may take it for one that was interrupted. */
static int begin_and_run(struct operating *o)
{
    struct err_info err = {.code = ERR_OK};
    struct journal_operation *record = &o->job.record;
    operation_id_new(record->id);
    plan_write(&o->job.plan, &o->plan);
    record->plan = buffer_view(&o->plan);
    int lock = operation_lock(record->id, &err);
    struct journal *j = lock >= 0 ? journal_open(&err) : NULL;
    enum err e = !j                                  ? err.code
                 : record->kind == OPERATION_RESTORE ? operate_restore_create(o, j, &err)
                                                     : journal_create(j, record, &err);
    journal_close(&j);
    int code = e ? cli_error(&err) : run_job(o);
    operation_unlock(record->id, lock, e || record->state != OPERATION_INTERRUPTED);
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
    int code = e ? cli_error(&err) : operate_take_source(o, &p);
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
        o->job.record.counts.planned = planned(o, &p);
    /* As it stood: what comes later is not part of it. */
    bool counted = !p.upper && !p.by_place && o->job.plan.kind != OPERATION_RESTORE &&
                   o->job.plan.kind != OPERATION_DEDUPE;
    if (!select && o->job.plan.limit < 0 && counted)
        o->job.plan.limit = p.ready;
    return begin_and_run(o);
}

void operate_init(struct operating *o, struct cli *c)
{
    *o = (struct operating){.cli = c};
    arena_init(&o->arena, 4 * PLAN_PAYLOAD_MOST);
    buffer_init(&o->plan, 2 * PLAN_PAYLOAD_MOST);
    buffer_init(&o->command, 4 * MIB);
    buffer_init(&o->edited, PLAN_PAYLOAD_MOST);
    take_person(o);
}

void operate_release(struct operating *o)
{
    arena_free(&o->arena);
    buffer_free(&o->plan);
    buffer_free(&o->command);
    buffer_free(&o->edited);
}

int operate(struct cli *c, enum operation_kind kind)
{
    struct operating o;
    operate_init(&o, c);
    int code = operate_plan(&o, kind);
    if (!code)
        code = cli_flag(c, FLAG_EXECUTE) ? execute(&o) : rehearse(&o);
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
    operate_init(&o, c);
    int lock = operation_lock(record->id, &err);
    int code = lock < 0 ? cli_error(&err) : 0;
    if (!code && plan_read(&o.job.plan, record->plan, &o.arena, &err))
        code = cli_error(&err);
    if (!code)
        code = find_ends(&o);
    if (!code && record->kind == OPERATION_RESTORE)
        code = operate_restore_check(&o);
    if (!code) {
        fill_job(&o);
        o.job.record = *record;
        cli_notice(c, "resuming %s %s, from %s%s%s", operation_kind_name(record->kind), record->id,
                   record->from, record->to ? " to " : "", record->to ? record->to : "");
        code = run_job(&o);
    }
    operation_unlock(record->id, lock, !code);
    operate_release(&o);
    return code;
}
