/* The dry run: what an operation would do. */
#include "cli/operate_internal.h"

#include "base/limits.h"
#include "base/text.h"
#include "base/thread.h"
#include "cli/listing.h"
#include "cli/losses_say.h"
#include "cli/signals.h"
#include "operations/operation_json.h"
#include "operations/order.h"
#include "operations/source.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define GROUPS_SHOWN 20
#define PROGRESS_NS  (500 * NS_PER_MS)

int64_t operate_planned(const struct operating *o, const struct preview *p)
{
    return order_planned(&o->job.plan, p);
}

int operate_take_source(struct operating *o, const struct preview *p)
{
    struct err_info err;
    return order_settle(&o->job.plan, p, &err) ? cli_error(&err) : 0;
}

/* ---- looking ---- */

struct looking {
    struct operating *o;
    struct preview *preview;
    struct err_info err;
    enum err e;
    int fd;
    atomic_bool ended;
    atomic_int_fast64_t looked;
};

static void *look(void *context)
{
    struct looking *l = context;
    l->e = preview_look(&l->o->job, &l->o->cancelled, &l->looked, l->preview, &l->err);
    atomic_store(&l->ended, true);
    (void)!write(l->fd, &(uint64_t){1}, sizeof(uint64_t));
    return NULL;
}

static void show_looked(const struct looking *l)
{
    char count[32], text[80];
    snprintf(text, sizeof text, "%s looked at",
             text_count(count, sizeof count, (uint64_t)atomic_load(&l->looked)));
    if (cli_progress(l->o->cli))
        cli_progress_line(text);
}

/* By a thread of its own, so that a signal ends it: what it holds goes back. */
static int wait_for_look(struct looking *l)
{
    pthread_t thread;
    int signal = 0;
    bool late = false;
    if (!thread_start(&thread, look, l))
        return cli_error(&(struct err_info){.code = ERR_FAILED, .text = "no thread for a preview"});
    while (!atomic_load(&l->ended)) {
        int64_t now = clock_mono_ns(), deadline = l->o->deadline_ns;
        bool soon = deadline && deadline < now + PROGRESS_NS;
        enum waited w = wait_for(l->fd, soon ? deadline : now + PROGRESS_NS);
        late = deadline && clock_mono_ns() >= deadline && !atomic_load(&l->ended);
        if (w == WAITED_SIGNAL)
            signal = signals_seen();
        if (signal || late) {
            atomic_store(&l->o->cancelled, true);
            break;
        }
        show_looked(l);
    }
    pthread_join(thread, NULL);
    cli_progress_end();
    if (late && !signal)
        return cli_error(&(struct err_info){.code = ERR_TIMEOUT,
                                            .text = "the time-out has passed while messages were looked at",
                                            .next = "allow more time: --timeout"});
    return signal ? 128 + signal : 0;
}

int operate_look(struct operating *o, struct preview *p)
{
    struct looking l = {.o = o, .preview = p, .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    const char *select = o->job.plan.select;
    int code = l.fd < 0
                   ? cli_error(&(struct err_info){.code = ERR_FAILED, .text = "no descriptor for a preview"})
                   : listing_announce_effect(o->cli, &o->from);
    signals_take();
    if (!code)
        code = wait_for_look(&l);
    if (l.fd >= 0)
        close(l.fd);
    if (code || !l.e)
        return code;
    return l.e == ERR_USAGE && select ? cli_filter_error(select, &l.err) : cli_error(&l.err);
}

/* ---- saying ---- */

static const char *to_text(const struct operating *o)
{
    const struct plan *p = &o->job.plan;
    return p->to         ? p->to
           : p->exchange ? "the exchange that each was published to"
                         : "the channel that each died in";
}

struct line {
    char text[500];
    size_t used;
};

static void add(struct line *l, const char *format, ...) SB_PRINTF(2, 3);
static void add(struct line *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(l->text + l->used, sizeof l->text - l->used, format, args);
    va_end(args);
    l->used += n < 0 ? 0 : (size_t)n;
    if (l->used >= sizeof l->text)
        l->used = sizeof l->text - 1;
}

static void add_part(void *context, const char *part, const char *becomes)
{
    struct line *l = context;
    add(l, "%s%s %s", l->used ? ", " : "", part, becomes);
}

/* What another protocol makes of any message, then what it would make of these. */
static void say_comparison(const struct operating *o, const struct preview *p)
{
    struct line l = {.used = 0};
    const struct broker_ops *from = o->job.from.ops, *to = o->job.to.ops;
    if (!p->compares || o->job.plan.kind == OPERATION_RESTORE)
        return;
    if (from != to) {
        carries_tell(p->carries, add_part, &l);
        cli_notice(o->cli, "from %s to %s: %s", from->title, to->title, l.text);
    }
    bool sampled = !p->whole || p->matched < operate_planned(o, p);
    losses_say(&p->losses, o->cli, sampled ? p->looked : -1, to, p->carries, false);
}

static void add_times(struct line *l, const struct reason_group *g)
{
    char oldest[40], newest[40];
    if (g->oldest_ns == TIME_NONE)
        return;
    clock_rfc3339_seconds(g->oldest_ns, oldest, sizeof oldest);
    clock_rfc3339_seconds(g->newest_ns, newest, sizeof newest);
    bool one = strcmp(oldest, newest) == 0;
    add(l, ", %s%s%s", oldest, one ? "" : " to ", one ? "" : newest);
}

/* "1,046 rejected: field total missing; to queue:orders, 2026-11-22T10:00:00Z to 2026-11-22T12:04:30Z; such as o-88412" */
static void say_group(const struct operating *o, const struct reason_group *g)
{
    char count[32];
    struct line l = {.used = 0};
    add(&l, "%s %s; ", text_count(count, sizeof count, (uint64_t)g->count), g->text);
    if (*g->why_not)
        add(&l, "%s, %s", g->fails ? "would fail" : "skipped", g->why_not);
    else
        add(&l, "to %s", g->to);
    add_times(&l, g);
    if (*g->label)
        add(&l, "; such as %s", g->label);
    cli_notice(o->cli, "%s", l.text);
}

static void say_change(void *context, bool on, const char *text)
{
    const struct operating *o = context;
    cli_notice(o->cli, "  %c %s", on ? '+' : '-', text);
}

/* Of the largest that would be sent. */
static void say_headers(const struct operating *o, const struct reason_group *groups, size_t count)
{
    size_t i = 0;
    while (i < count && *groups[i].why_not)
        i++;
    if (i == count || !(groups[i].changes.off.count + groups[i].changes.on.count))
        return;
    cli_notice(o->cli, "of %s these headers change:", *groups[i].label ? groups[i].label : "the first one");
    rewrite_tell(&groups[i].changes, say_change, (void *)(uintptr_t)o);
}

static void say_groups(const struct operating *o, const struct preview *p)
{
    size_t count;
    int64_t more = p->reasons ? reasons_rest(p->reasons) : 0;
    const struct reason_group *groups = p->reasons ? reasons_groups(p->reasons, &count) : NULL;
    char text[32];
    if (!groups)
        return;
    for (size_t i = 0; i < count; i++)
        if (i < GROUPS_SHOWN)
            say_group(o, &groups[i]);
        else
            more += groups[i].count;
    if (more)
        cli_notice(o->cli, "%s of other reasons (--json shows more)",
                   text_count(text, sizeof text, (uint64_t)more));
    say_headers(o, groups, count);
    if (preview_skipped(p))
        cli_notice(o->cli, "%s of them would be skipped: they stay where they are",
                   text_count(text, sizeof text, (uint64_t)preview_skipped(p)));
}

static void say_look(const struct operating *o, const struct preview *p)
{
    char looked[32], ready[32];
    if (*p->unseen)
        cli_notice(o->cli, "what its messages are could not be looked at: %s", p->unseen);
    if (p->whole || *p->unseen)
        return;
    text_count(looked, sizeof looked, (uint64_t)p->looked);
    text_count(ready, sizeof ready, (uint64_t)p->ready);
    if (preview_selects(&o->job.plan))
        cli_notice(o->cli, "of %s messages %s were looked at: there may be more that are selected", ready,
                   looked);
    else if (p->reasons)
        cli_notice(o->cli, "of %s messages %s were looked at: there may be more, of other reasons", ready,
                   looked);
}

static void say_what(const struct operating *o, const struct preview *p, int64_t n)
{
    char count[32], flags[1200], bytes[40] = "", size[32];
    enum operation_kind kind = o->job.plan.kind;
    bool selects = preview_selects(&o->job.plan), purges = kind == OPERATION_PURGE;
    bool all = purges && o->job.plan.limit < 0 && n > 0 && p->stored >= 0;
    text_count(count, sizeof count, (uint64_t)(n > 0 ? n : 0));
    const char *add = cli_missing_flags(o->cli, operate_changed_destination(o), operate_changed_source(o),
                                        flags, sizeof flags);
    if (o->job.plan.tombstones) {
        cli_notice(
            o->cli,
            "would write them for the keys of at most %s message%s; nothing was changed. Add %s to do it",
            count, n == 1 ? "" : "s", add);
        return;
    }
    if (n == 0 && preview_skipped(p) + preview_failing(p) > 0) {
        cli_notice(o->cli, "nothing of %s would be sent; nothing was changed", o->job.plan.from);
        return;
    }
    if (selects || all)
        snprintf(bytes, sizeof bytes, " (%s)",
                 text_bytes(size, sizeof size, (uint64_t)(selects ? p->bytes : p->stored)));
    cli_notice(o->cli, "would %s %s%s message%s%s from %s%s%s; nothing was changed. Add %s to do it",
               operation_kind_name(kind), order_is_upper(&o->job.plan, p) ? "at most " : "",
               n < 0 ? "all" : count, n == 1 ? "" : "s", bytes, o->job.plan.from, purges ? "" : " to ",
               purges ? "" : to_text(o), add);
}

static void say_held(const struct operating *o, const struct preview *p)
{
    char ready[32];
    if (!preview_holds(&o->job, p) || p->ready == 0)
        return;
    cli_notice(o->cli, "messages are held while it goes on: consumers do not see them, and they go back with "
                       "redelivered set; a delivery limit may count it");
    if (p->ready > SOURCE_HELD_MOST && (o->job.plan.limit < 0 || o->job.plan.limit > SOURCE_HELD_MOST))
        cli_notice(o->cli, "of %s messages the first 100,000 would be taken, since no more are held",
                   text_count(ready, sizeof ready, (uint64_t)p->ready));
}

static void say_failing(const struct operating *o, const struct preview *p)
{
    char count[32], looked[32], of[60] = "of them";
    int64_t n = preview_failing(p);
    if (!n)
        return;
    if (!p->whole || p->matched < order_about(&o->job.plan, p))
        snprintf(of, sizeof of, "of %s looked at", text_count(looked, sizeof looked, (uint64_t)p->looked));
    cli_notice(o->cli, "%s %s would fail and stay where %s%s%s", text_count(count, sizeof count, (uint64_t)n),
               of, n == 1 ? "it is" : "they are", *p->refuses ? ", such as: " : "", p->refuses);
}

static void say_bound(void *context, bool lost, const char *text)
{
    const struct operating *o = context;
    (void)lost;
    cli_notice(o->cli, "%s", text);
}

void operate_say_bounds(const struct operating *o, const struct preview *p)
{
    if (p->bounded)
        bounds_tell(&p->bounds, to_text(o), p->there_ready, say_bound, (void *)(uintptr_t)o);
}

void operate_say_away(const struct operating *o, const struct preview *p)
{
    if (p->unacked > 0)
        cli_notice(o->cli, "%" PRId64 " messages are with consumers: they are not touched", p->unacked);
    else if (preview_may_be_away(&o->job, p))
        cli_notice(o->cli,
                   "%" PRId64
                   " consumer%s: what %s not touched, and not counted (%s tells of it seconds late, by its "
                   "management API)",
                   p->consumers, p->consumers == 1 ? " is there" : "s are there",
                   p->consumers == 1 ? "it has is" : "they have is", o->job.from.ops->title);
}

static void say_preview(const struct operating *o, const struct preview *p, bool fits)
{
    int64_t n = operate_planned(o, p);
    operate_say_away(o, p);
    say_groups(o, p);
    say_look(o, p);
    say_comparison(o, p);
    say_held(o, p);
    say_failing(o, p);
    if (o->job.plan.kind == OPERATION_PURGE)
        operate_purge_say(o, p, n);
    if (o->job.plan.kind == OPERATION_RESTORE)
        operate_restore_say(o, p);
    operate_say_bounds(o, p);
    if (!fits)
        return;
    say_what(o, p, n);
    if (operate_edits_by_hand(o) && p->matched)
        cli_notice(
            o->cli,
            "with --execute the editor opens again; what is to be kept of it goes into a file, for --edit FILE");
}

static void print_preview(const struct operating *o, const struct preview *p)
{
    struct buffer out;
    if (!cli_flag(o->cli, FLAG_JSON))
        return;
    buffer_init(&out, LIMIT_LINE);
    preview_to_json(&o->job, p, &out);
    buffer_byte(&out, '\n');
    cli_print(&out);
    buffer_free(&out);
}

/* ---- notices ---- */

/* Several sessions ask one broker. */
struct once {
    const struct cli *cli;
    pthread_mutex_t lock;
    size_t count;
    char said[32][300];
};

/* Any thread. */
static void say_once(void *context, const char *text)
{
    struct once *s = context;
    size_t i = 0;
    pthread_mutex_lock(&s->lock);
    while (i < s->count && strncmp(s->said[i], text, sizeof *s->said - 1) != 0)
        i++;
    bool anew = i == s->count;
    if (anew && s->count < sizeof s->said / sizeof *s->said)
        text_copy(s->said[s->count++], sizeof *s->said, text);
    pthread_mutex_unlock(&s->lock);
    if (anew)
        cli_notice(s->cli, "%s", text);
}

static int preview(struct operating *o, struct preview *p)
{
    struct err_info err = {.code = ERR_OK};
    struct once once = {.cli = o->cli, .lock = PTHREAD_MUTEX_INITIALIZER};
    const struct operation_job job = o->job;
    o->job.notice = say_once;
    o->job.notice_context = &once;
    int code = preview_check(&o->job, p, &err) ? cli_error(&err) : operate_take_source(o, p);
    if (!code && preview_looks(&o->job, p))
        code = operate_look(o, p);
    o->job.notice = job.notice;
    o->job.notice_context = job.notice_context;
    return code;
}

/* What would arrive nowhere is no success; what would be skipped was met. */
static int exit_of(const struct operating *o, const struct preview *p, int64_t n)
{
    if (order_about(&o->job.plan, p) == 0)
        return err_exit_code(ERR_NOMATCH);
    return n == 0 && preview_failing(p) ? err_exit_code(ERR_PARTIAL) : 0;
}

int operate_rehearse(struct operating *o)
{
    struct preview p;
    int code = preview(o, &p);
    if (!code)
        code = operate_edit(o, &p);
    struct err_info err = {.code = ERR_OK};
    if (!code) {
        bool fits = !order_fits(&o->job.plan, &p, &err);
        say_preview(o, &p, fits);
        int64_t n = operate_planned(o, &p);
        /* Of the keys one knows once all of it was read. */
        o->job.record.counts.planned = o->job.plan.tombstones && n ? COUNT_UNKNOWN : n;
        print_preview(o, &p);
        code = !fits ? cli_error(&err) : exit_of(o, &p, n);
    }
    preview_free(&p);
    return code;
}
