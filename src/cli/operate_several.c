/* One command, several sources: an operation each, some of them side by side, and one report. Each source's own order is kept. */
#include "cli/operate_internal.h"
#include "operations/order.h"

#include "base/text.h"
#include "cli/signals.h"
#include "operations/order.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ABREAST 8 /* operations that run at once: some 30 MiB of messages each */

struct several {
    struct cli *cli;
    struct operating *all;
    size_t count, begun, running, ended;
    size_t abreast;
    int *codes;
    int fd, signal;
    int64_t deadline_ns; /* of --timeout; 0: none */
    bool timed_out;
};

/* Its argument alone is the command's for as long as it is looked at: so is the line that the journal has of it. */
static int make_all(struct several *s, enum operation_kind kind)
{
    struct cli *c = s->cli;
    const char *const *args = c->args;
    int code = 0;
    for (size_t i = 0; !code && i < s->count; i++) {
        c->args = args + i;
        c->arg_count = 1;
        code = operate_make(&s->all[i], c, kind);
        s->begun = i + 1;
        for (size_t k = 0; !code && k < i; k++)
            if (order_is_same(&s->all[k].from, &s->all[i].from))
                code = cli_usage("%s is given twice", s->all[i].job.record.from);
    }
    c->args = args;
    c->arg_count = s->count;
    return code;
}

/* What went well in part is partial; what found nothing is no flaw beside what did. */
static int code_of_all(const struct several *s)
{
    const int none = err_exit_code(ERR_NOMATCH);
    int bad = 0;
    bool any = false, same = true;
    for (size_t i = 0; i < s->count; i++) {
        int code = s->codes[i];
        if (code && s->signal)
            return 128 + s->signal;
        any |= code == 0;
        if (code && code != none) {
            same &= !bad || bad == code;
            bad = bad ? bad : code;
        }
    }
    return bad ? (any || !same ? err_exit_code(ERR_PARTIAL) : bad) : any ? 0 : none;
}

static int rehearse_all(struct several *s)
{
    int64_t planned = 0;
    char count[32];
    for (size_t i = 0; i < s->count; i++) {
        s->codes[i] = operate_rehearse(&s->all[i]);
        if (s->codes[i] >= 128)
            return s->codes[i];
        int64_t n = s->all[i].job.record.counts.planned;
        planned = n < 0 || planned < 0 ? -1 : planned + n;
    }
    if (planned >= 0)
        cli_notice(s->cli, "in all: %s messages from %zu sources, an operation each",
                   text_count(count, sizeof count, (uint64_t)planned), s->count);
    return code_of_all(s);
}

/* ---- the run ---- */

static void show_progress(const struct several *s)
{
    char done[32], text[200];
    int64_t sum = 0;
    double rate = 0;
    if (!cli_progress(s->cli))
        return;
    for (size_t i = 0; i < s->begun; i++) {
        struct operation_progress p = {.counts = s->all[i].job.record.counts};
        if (s->all[i].operation)
            operation_progress(s->all[i].operation, &p);
        sum += p.counts.done;
        rate += s->all[i].operation && p.rate > 0 ? p.rate : 0;
    }
    snprintf(text, sizeof text, "%zu of %zu sources, %s done, %.0f/s", s->ended, s->count,
             text_count(done, sizeof done, (uint64_t)sum), rate);
    cli_progress_line(text);
}

static void begin_some(struct several *s)
{
    while (!s->signal && !s->timed_out && s->running < s->abreast && s->begun < s->count) {
        struct operating *o = &s->all[s->begun];
        int *code = &s->codes[s->begun++];
        *code = operate_open(o);
        if (!*code && (*code = operate_start(o, s->fd)))
            operate_close(o);
        if (*code)
            s->ended++;
        else
            s->running++;
    }
}

static void finish_some(struct several *s)
{
    for (size_t i = 0; i < s->begun; i++) {
        struct operating *o = &s->all[i];
        struct operation_progress p;
        if (!o->operation)
            continue;
        operation_progress(o->operation, &p);
        if (p.state == OPERATION_RUNNING)
            continue;
        s->codes[i] = operate_finish(o, s->signal);
        operate_close(o);
        s->running--;
        s->ended++;
    }
}

/* The first signal ends them in peace, the second at once. */
static void take_signal(struct several *s)
{
    if (!s->signal)
        cli_notice(s->cli, "no more are begun; what is on its way comes to its end (again: at once)");
    s->signal = signals_seen();
    signals_forget();
    for (size_t i = 0; i < s->begun; i++)
        if (s->all[i].operation)
            operation_cancel(s->all[i].operation);
}

static void take_deadline(struct several *s)
{
    int64_t next = 0;
    if (!s->deadline_ns || clock_mono_ns() < s->deadline_ns)
        return;
    if (!s->timed_out)
        cli_notice(s->cli, "the time-out has passed: no more are begun; what is on its way comes to its end");
    s->timed_out = true;
    for (size_t i = 0; i < s->begun; i++)
        if (s->all[i].operation)
            next = operate_time_out(&s->all[i]);
    s->deadline_ns = next;
}

static void report_all(const struct several *s)
{
    struct operation_counts sum = {0};
    size_t well = 0;
    char done[32], left[60] = "";
    for (size_t i = 0; i < s->begun; i++) {
        const struct operation_counts *c = &s->all[i].job.record.counts;
        sum.done += c->done;
        sum.skipped += c->skipped;
        sum.failed += c->failed;
        sum.in_doubt += c->in_doubt;
        well += s->all[i].job.record.state == OPERATION_DONE;
    }
    if (s->begun < s->count)
        snprintf(left, sizeof left, "; %zu were not begun", s->count - s->begun);
    cli_notice(s->cli,
               "in all: %zu of %zu sources done: %s messages done, %" PRId64 " skipped, %" PRId64
               " failed, %" PRId64 " in doubt%s",
               well, s->count, text_count(done, sizeof done, (uint64_t)sum.done), sum.skipped, sum.failed,
               sum.in_doubt, left);
}

/* All are checked before the first begins. A rate is one of all of them together. */
static int ready_all(struct several *s)
{
    int64_t rate = s->all[0].job.plan.rate;
    s->abreast = s->count < ABREAST ? s->count : ABREAST;
    if (rate && (int64_t)s->abreast > rate)
        s->abreast = (size_t)rate;
    for (size_t i = 0; i < s->count; i++) {
        s->all[i].job.plan.rate = rate / (int64_t)s->abreast;
        int code = operate_ready(&s->all[i]);
        if (code)
            return code;
    }
    return 0;
}

static int execute_all(struct several *s)
{
    int code = ready_all(s);
    if (code)
        return code;
    s->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    s->begun = 0;
    s->deadline_ns = s->all[0].deadline_ns;
    begin_some(s);
    while (s->running) {
        int64_t second = clock_mono_ns() + NS_PER_S;
        bool soon = s->deadline_ns && s->deadline_ns < second;
        if (wait_for(s->fd, soon ? s->deadline_ns : second) == WAITED_SIGNAL)
            take_signal(s);
        take_deadline(s);
        finish_some(s);
        begin_some(s);
        show_progress(s);
    }
    cli_progress_end();
    if (s->fd >= 0)
        close(s->fd);
    report_all(s);
    for (size_t i = s->begun; i < s->count; i++)
        s->codes[i] = s->signal      ? 128 + s->signal
                      : s->timed_out ? err_exit_code(ERR_TIMEOUT)
                                     : err_exit_code(ERR_PARTIAL);
    return code_of_all(s);
}

int operate_several(struct cli *c, enum operation_kind kind)
{
    struct several s = {.cli = c,
                        .count = c->arg_count,
                        .all = calloc(c->arg_count, sizeof *s.all),
                        .codes = calloc(c->arg_count, sizeof *s.codes)};
    int code =
        s.all && s.codes
            ? make_all(&s, kind)
            : cli_error(&(struct err_info){.code = ERR_NOMEM, .text = "no memory for so many sources"});
    size_t made = s.begun;
    if (!code)
        code = cli_flag(c, FLAG_EXECUTE) ? execute_all(&s) : rehearse_all(&s);
    for (size_t i = 0; i < made; i++)
        operate_release(&s.all[i]);
    free(s.all);
    free(s.codes);
    return code;
}
