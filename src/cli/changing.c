#include "cli/changing.h"

#include "base/text.h"
#include "cli/losses_say.h"
#include "cli/signals.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PROGRESS_NS (200 * NS_PER_MS)
#define STALL_NS    (5 * NS_PER_S)
#define LOOK_EVERY  256 /* messages between two looks for a signal */

void changing_place(struct message *m)
{
    const struct value *v = headers_find(m->properties, BYTES_LITERAL("partition"));
    if (v && v->type == VALUE_INT32 && v->i >= 0 && v->i <= INT32_MAX) {
        m->position.kind = POSITION_PARTITION;
        m->position.partition = (int32_t)v->i;
    }
}

static void count(struct changing *ch, const struct message *m)
{
    const struct position *p = &m->position;
    ch->count++;
    ch->bytes += (int64_t)m->payload.len;
    ch->before = ch->losses;
    losses_count(&ch->losses, m, ch->to->endpoint->broker);
    if (p->kind == POSITION_PARTITION && p->partition >= ch->partitions)
        ch->partitions = p->partition < INT32_MAX ? p->partition + 1 : INT32_MAX;
}

static enum err next(void *context, struct message *m, struct err_info *err)
{
    struct changing *ch = context;
    enum err e = ch->next(ch->context, m, err);
    if (e)
        return e;
    count(ch, m);
    return ERR_OK;
}

static bool start_again(struct changing *ch)
{
    if (!ch->rewind(ch->context))
        return false;
    ch->count = ch->bytes = 0;
    ch->losses = (struct losses){0};
    return true;
}

/* A stream's messages are counted when they have gone: too late for a destination that is made for them. What a dry run has
 * counted is checked in one that is there. */
static void take_as_stream(struct changing *ch)
{
    bool counts = (ch->flags & PUBLISH_PARTITION) && !ch->told;
    if (counts)
        ch->flags |= PUBLISH_UNCOUNTED;
    else
        ch->partitions = ch->told;
}

static enum err nothing(void *context, struct message *m, struct err_info *err)
{
    (void)context, (void)m, (void)err;
    return ERR_END;
}

static void on_notice(void *context, const char *text)
{
    const struct changing *ch = context;
    cli_notice(ch->cli, "%s: %s", ch->to->endpoint->endpoint.name, text);
}

static int say_failure(const struct changing *ch, const struct publish_result *r)
{
    struct err_info err = r->err;
    if (r->bad && !ch->alone)
        snprintf(err.text, sizeof err.text, "message %" PRId64 ": %.200s", r->bad, r->err.text);
    if (!err.where[0])
        err_where(&err, "%s/%s", ch->to->endpoint->endpoint.name, ch->to->channel.name);
    bool makes = ch->to->channel.kind != CHANNEL_EXCHANGE && !cli_flag(ch->cli, FLAG_CREATE);
    if (err.code == ERR_TIMEOUT && !err.next[0])
        err_next(&err, "allow more time: --timeout");
    if (err.code == ERR_NOTFOUND && makes && !strstr(err.next, "--create"))
        err_next(&err, "%s%s--create makes it", r->err.next, *r->err.next ? "; " : "");
    return cli_error(&err);
}

static void say_nothing_sent(const struct changing *ch)
{
    cli_note("%s/%s: nothing was sent", ch->to->endpoint->endpoint.name, ch->to->channel.name);
}

static void put_count(struct buffer *text, int64_t n, const char *what)
{
    char count[32];
    if (n > 0)
        buffer_printf(text, ", %s %s", text_count(count, sizeof count, (uint64_t)n), what);
}

/* "95,969 of 600,000 confirmed, 503,000 not sent, 1,031 without an answer": each message is one of these. */
static void say_sum(const struct changing *ch)
{
    const struct change_sum *sum = &ch->sum;
    struct buffer text;
    char count[32], total[32] = "";
    buffer_init(&text, 1000);
    if (ch->total > 0)
        text_count(total, sizeof total, (uint64_t)ch->total);
    buffer_printf(&text, "%s%s%s confirmed", text_count(count, sizeof count, (uint64_t)sum->confirmed),
                  *total ? " of " : "", total);
    put_count(&text, sum->refused, "refused");
    put_count(&text, sum->unsent, "not sent");
    put_count(&text, sum->unanswered, "without an answer (may have arrived)");
    cli_note("%s", buffer_cstr(&text));
    buffer_free(&text);
}

static int nothing_to_send(const struct changing *ch)
{
    cli_notice(ch->cli, "the input has no message: nothing to send");
    return err_exit_code(ERR_NOMATCH);
}

static struct change_sum sum_of(const struct changing *ch, const struct publish_result *r)
{
    struct change_sum sum = {.messages = ch->total < 0 ? ch->count : ch->total,
                             .confirmed = r->confirmed,
                             .refused = r->failed,
                             .unanswered = r->handed - r->confirmed - r->failed - r->unsent};
    sum.unsent = sum.messages - sum.confirmed - sum.refused - sum.unanswered;
    return sum;
}

static int conclude(const struct changing *ch, const struct publish_result *r, int code)
{
    const struct address *to = ch->to;
    int64_t unknown = ch->sum.unanswered;
    if (!code && r->err.code) {
        code = say_failure(ch, r);
        if (r->confirmed || unknown) /* what may have arrived must not be taken for what has not */
            code = err_exit_code(ERR_PARTIAL);
    }
    if (r->handed && (code || unknown || r->failed || r->unsent))
        say_sum(ch);
    else if (r->handed)
        cli_notice(ch->cli, "%s/%s: %" PRId64 " confirmed", to->endpoint->endpoint.name, to->channel.name,
                   r->confirmed);
    else if (code && !ch->alone)
        say_nothing_sent(ch);
    return code || r->handed ? code : nothing_to_send(ch);
}

/* ---- progress ---- */

struct progress {
    int64_t confirmed; /* when last looked at */
    int64_t moved_ns;  /* monotonic: since when it is that, and something is waited for */
    int64_t tenths;    /* that were printed */
    bool stalled;      /* and that was said */
};

/* Of the broker: an input that has nothing yet is no stall. */
static void look_for_stall(const struct changing *ch, const struct publisher_count *now, struct progress *at)
{
    const char *endpoint = ch->to->endpoint->endpoint.name;
    bool waits = !now->connected || (now->outstanding > 0 && now->confirmed == at->confirmed);
    if (!waits)
        at->moved_ns = clock_mono_ns();
    bool stalls = clock_mono_ns() - at->moved_ns > STALL_NS;
    if (stalls && !at->stalled)
        cli_notice(ch->cli,
                   now->connected ? "%s: nothing was confirmed for %d s: waiting for the broker"
                                  : "%s: still connecting after %d s",
                   endpoint, (int)(STALL_NS / NS_PER_S));
    if (!stalls && at->stalled)
        cli_notice(ch->cli, "%s: it goes on", endpoint);
    at->stalled = stalls;
}

/* A line that is overwritten on a terminal, a line per 10 % elsewhere. */
static void show_count(const struct changing *ch, int64_t confirmed, struct progress *at)
{
    char done[32], total[32] = "", text[100];
    int64_t tenths = ch->total > 0 ? confirmed * 10 / ch->total : 0;
    text_count(done, sizeof done, (uint64_t)confirmed);
    if (ch->total > 0)
        text_count(total, sizeof total, (uint64_t)ch->total);
    snprintf(text, sizeof text, "%s%s%s confirmed", done, *total ? " of " : "", total);
    if (cli_progress(ch->cli))
        cli_progress_line(text);
    else if (tenths > at->tenths)
        cli_note("%s (%d %%)", text, (int)tenths * 10);
    at->tenths = tenths;
}

static void show_progress(const struct changing *ch, struct publisher *p, struct progress *at)
{
    struct publisher_count now = publisher_count(p);
    look_for_stall(ch, &now, at);
    at->confirmed = now.confirmed;
    if (!ch->alone && !cli_flag(ch->cli, FLAG_QUIET))
        show_count(ch, now.confirmed, at);
}

/* ---- publishing ---- */

static bool is_late(const struct changing *ch)
{
    return ch->deadline_ns && clock_mono_ns() >= ch->deadline_ns;
}

/* Heeds signals, and says how it goes unless nothing is sent. The signal; 0: it has ended, or is late. */
static int wait_publisher(const struct changing *ch, struct publisher *p, int fd, bool dry)
{
    struct progress at = {.moved_ns = clock_mono_ns()};
    int signal = 0;
    while (!publisher_ended(p) && !signal && !is_late(ch)) {
        int64_t look = clock_mono_ns() + PROGRESS_NS;
        enum waited w = wait_for(fd, ch->deadline_ns && ch->deadline_ns < look ? ch->deadline_ns : look);
        if (w == WAITED_TIMEOUT && !dry)
            show_progress(ch, p, &at);
        signal = w == WAITED_SIGNAL ? signals_seen() : 0;
    }
    if (signal)
        publisher_cancel(p);
    cli_progress_end();
    return signal;
}

/* What is not made for a stream is not missed by one without a message. It is not waited for. */
static bool misses_nothing(const struct changing *ch, uint32_t flags, const struct err_info *err)
{
    struct message m;
    struct err_info bad;
    bool not_made = err->code == ERR_NOTFOUND && flags & PUBLISH_CREATE && flags & PUBLISH_UNCOUNTED;
    return not_made && !ch->count && ch->next(ch->context, &m, &bad) == ERR_END;
}

/* Runs the publisher to its end. 0; a code after a message where it could not begin; 128 + signal. */
static int publish(const struct changing *ch, const struct publish_job *job, struct publish_result *result)
{
    struct err_info err = {.code = ERR_OK};
    *result = (struct publish_result){0};
    if (!job->ops->publish_open) {
        err_set(&err, ERR_UNSUPPORTED, "%s takes no messages from signalbox", job->ops->title);
        return cli_error(&err);
    }
    signals_take();
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct publisher *p = fd >= 0 ? publisher_start(job, fd, &err) : NULL;
    if (!p) {
        if (!err.code)
            err_set(&err, ERR_FAILED, "no descriptor for sending");
        if (fd >= 0)
            close(fd);
        return cli_error(&err);
    }
    int signal = wait_publisher(ch, p, fd, job->request.flags & PUBLISH_DRY);
    publisher_join(&p, result);
    close(fd);
    if (misses_nothing(ch, job->request.flags, &result->err))
        result->err.code = ERR_OK;
    return signal ? 128 + signal : 0;
}

static struct publish_job job_of(struct changing *ch, uint32_t flags)
{
    const struct cli *c = ch->cli;
    uint32_t create = cli_flag(c, FLAG_CREATE) ? PUBLISH_CREATE : 0;
    return (struct publish_job){
        .ops = ch->to->endpoint->broker,
        .endpoint = &ch->to->endpoint->endpoint,
        .request = {.to = ch->to->channel, .flags = ch->flags | create | flags, .partitions = ch->partitions},
        .deadline_ns = ch->deadline_ns,
        .next = next,
        .notice = on_notice,
        .context = ch};
}

/* The destination, and all messages where they can be had twice, without any effect. */
static int check(struct changing *ch, bool aloud, bool again, unsigned *carries)
{
    struct publish_result result;
    struct publish_job job = job_of(ch, PUBLISH_DRY);
    if (!aloud)
        job.notice = NULL;
    if (!again)
        job.next = nothing;
    int code = publish(ch, &job, &result);
    *carries = result.carries;
    return code || !result.err.code ? code : say_failure(ch, &result);
}

static int read_all(struct changing *ch, int (*show)(void *context, const struct message *m))
{
    struct err_info err = {.code = ERR_OK};
    struct message m;
    enum err e = ERR_OK;
    int code = 0;
    signals_take();
    while (!code && (!(e = next(ch, &m, &err)) || e == ERR_BUSY)) {
        if (!e && show)
            code = show(ch->context, &m);
        bool look = e == ERR_BUSY || ch->count % LOOK_EVERY == 0;
        if (!code && look && wait_for(-1, 0) == WAITED_SIGNAL)
            code = 128 + signals_seen();
        if (!code && look && is_late(ch))
            code = cli_error(&(struct err_info){.code = ERR_TIMEOUT,
                                                .text = "the time-out passed while the input was read",
                                                .next = "allow more time: --timeout"});
    }
    return code || e == ERR_END ? code : cli_error(&err);
}

static void begin(struct changing *ch)
{
    int64_t timeout = cli_number(ch->cli, FLAG_TIMEOUT, 0);
    ch->deadline_ns = timeout ? clock_mono_ns() + timeout : 0;
}

int changing_rehearse(struct changing *ch)
{
    unsigned carries = 0;
    begin(ch);
    int code = read_all(ch, ch->show);
    bool again = !code && start_again(ch);
    if (!again)
        take_as_stream(ch);
    if (!code)
        code = check(ch, true, again, &carries);
    ch->sum = (struct change_sum){.messages = ch->count, .unsent = ch->count};
    if (code)
        return code;
    if (!ch->count)
        return nothing_to_send(ch);
    losses_say(&ch->losses, ch->cli, -1, ch->to->endpoint->broker, carries, false);
    char flags[600];
    cli_notice(ch->cli,
               "%s/%s: would send %" PRId64 " message%s with %" PRId64
               " bytes of payload; nothing was sent. Add %s to do it",
               ch->to->endpoint->endpoint.name, ch->to->channel.name, ch->count, ch->count == 1 ? "" : "s",
               ch->bytes, cli_missing_flags(ch->cli, ch->to, NULL, flags, sizeof flags));
    return 0;
}

static int check_before(struct changing *ch)
{
    ch->total = -1;
    if (!start_again(ch)) {
        take_as_stream(ch);
        cli_notice(ch->cli, "the input is a stream and is sent as it is read: what cannot be sent of it is "
                            "found on the way");
        return 0;
    }
    unsigned carries;
    int code = ch->alone ? read_all(ch, NULL) : check(ch, false, true, &carries);
    ch->total = ch->count;
    if (code)
        say_nothing_sent(ch);
    else
        (void)start_again(ch);
    return code;
}

int changing_execute(struct changing *ch)
{
    struct publish_result result;
    begin(ch);
    int code = check_before(ch);
    ch->sum = sum_of(ch, &(struct publish_result){0});
    if (code)
        return code;
    struct publish_job job = job_of(ch, 0);
    code = publish(ch, &job, &result);
    ch->sum = sum_of(ch, &result);
    code = conclude(ch, &result, code);
    bool unsent = result.handed < ch->count; /* the last one was read, and went no further */
    losses_say(unsent ? &ch->before : &ch->losses, ch->cli, -1, ch->to->endpoint->broker, result.carries,
               true);
    return code;
}
