#include "cli/reading.h"

#include "base/text.h"
#include "cli/listing.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "engine/filter.h"
#include "engine/session.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PROGRESS_NS (200 * NS_PER_MS)
#define PATIENCE_NS (2 * NS_PER_S) /* for a reader of stdout that takes nothing, after a signal */

struct run;

struct source { /* one session */
    struct run *run;
    const struct config_endpoint *endpoint;
    struct channel_name *channels;
    size_t channel_count;
    struct output_lane *lane; /* worker */
    pthread_mutex_t lock;     /* guards what follows */
    struct session *session;  /* NULL before it runs and after it was joined */
    struct session_status status;
    bool was_up, ended, said; /* said: its failure was printed */
    uint32_t lost_generation; /* the connection whose loss was printed */
};

struct run {
    const struct reading *reading;
    struct filter *filter;
    struct output *output;
    struct source *sources;
    size_t count;
    int event_fd;
    atomic_bool stop;         /* the limit is reached, or the output failed */
    atomic_int_fast64_t left; /* messages that may still be written */
    atomic_int_fast64_t written, unknown;
    int64_t deadline_ns; /* on the monotonic clock, of --timeout */
    atomic_int_fast64_t
        began_ns; /* when the first message came: what a broker is waited for before says nothing; 0 */
    int64_t progress_at_ns;
    int last_tenth;
    bool left_behind;
    atomic_bool closed; /* nobody reads the output any more: nothing is worth a word */
};

static void tell_main(struct run *r)
{
    (void)!write(r->event_fd, &(uint64_t){1}, sizeof(uint64_t));
}

/* ---- on the worker ---- */

static bool take_one(struct run *r, bool *last)
{
    if (r->reading->limit < 0)
        return true;
    int64_t before = atomic_fetch_sub(&r->left, 1);
    *last = before == 1;
    return before >= 1;
}

/* Nothing more is wanted of any source. */
static enum emit stop_all(struct run *r)
{
    atomic_store(&r->stop, true);
    tell_main(r);
    return EMIT_STOP;
}

static void note_begin(struct run *r)
{
    int_fast64_t never = 0;
    if (!atomic_load_explicit(&r->began_ns, memory_order_relaxed))
        atomic_compare_exchange_strong(&r->began_ns, &never, clock_mono_ns());
}

/* The message itself, or a marked one in `room`. */
static const struct message *mark(const struct run *r, const struct message *m, struct message *room)
{
    char text[200];
    enum dedupe_marked marked = dedupe_mark_see(r->reading->mark, m);
    if (marked == DEDUPE_MARK_FORGETS)
        cli_notice(r->reading->cli, "%s", dedupe_mark_since(r->reading->mark, text, sizeof text));
    if (marked != DEDUPE_MARK_AGAIN)
        return m;
    *room = *m;
    room->flags |= MESSAGE_DUPLICATE;
    return room;
}

static enum emit on_message(void *context, const struct message *m)
{
    struct source *s = context;
    struct run *r = s->run;
    struct message marked;
    bool last = false;
    if (atomic_load_explicit(&r->stop, memory_order_relaxed))
        return EMIT_STOP;
    note_begin(r);
    if (r->reading->mark)
        m = mark(r, m, &marked);
    enum filter_answer a = r->filter ? filter_message(r->filter, m, clock_wall_ns()) : FILTER_YES;
    if (a == FILTER_UNKNOWN)
        atomic_fetch_add_explicit(&r->unknown, 1, memory_order_relaxed);
    if (a != FILTER_YES)
        return EMIT_OK;
    if (!take_one(r, &last))
        return EMIT_STOP;
    enum emit e = EMIT_OK;
    if (r->reading->take) {
        e = r->reading->take(r->reading->context, m) ? EMIT_OK : EMIT_STOP;
    } else {
        r->reading->encode(r->reading->context, output_line(s->lane), m);
        e = output_line_end(s->lane);
    }
    atomic_fetch_add_explicit(&r->written, 1, memory_order_relaxed);
    return !last && e != EMIT_STOP ? e : stop_all(r);
}

static bool on_idle(void *context)
{
    struct source *s = context;
    output_idle(s->lane);
    return true;
}

static void on_status(void *context, const struct session_status *status)
{
    struct source *s = context;
    pthread_mutex_lock(&s->lock);
    s->status = *status;
    s->was_up |= status->state == SESSION_UP;
    s->ended |= status->state == SESSION_ENDED;
    pthread_mutex_unlock(&s->lock);
    tell_main(s->run);
}

static void on_notice(void *context, const char *text)
{
    const struct source *s = context;
    if (atomic_load(&s->run->closed))
        return;
    cli_notice(s->run->reading->cli, "%s: %s", s->endpoint->endpoint.name, text);
}

/* On the output's thread. The lock keeps the session from being joined meanwhile. */
static void on_room(void *context)
{
    struct source *s = context;
    pthread_mutex_lock(&s->lock);
    if (s->session)
        session_resume(s->session);
    pthread_mutex_unlock(&s->lock);
}

/* On the output's thread: a source that is silent would not find out. */
static void on_failure(void *context)
{
    struct run *r = context;
    atomic_store(&r->stop, true);
    tell_main(r);
}

/* ---- sources ---- */

static struct source *source_for(struct run *r, const struct config_endpoint *e)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->sources[i].endpoint == e && r->sources[i].channel_count < e->broker->max_channels)
            return &r->sources[i];
    struct source *s = &r->sources[r->count++];
    s->run = r;
    s->endpoint = e;
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

static bool make_sources(struct run *r)
{
    const struct reading *g = r->reading;
    r->sources = calloc(g->address_count, sizeof *r->sources);
    for (size_t i = 0; r->sources && i < g->address_count; i++) {
        struct source *s = source_for(r, g->addresses[i].endpoint);
        if (!s->channels)
            s->channels = calloc(g->address_count, sizeof *s->channels);
        if (!s->channels)
            return false;
        s->channels[s->channel_count++] = g->addresses[i].channel;
    }
    return r->sources != NULL;
}

static uint32_t read_flags(const struct run *r, const struct redaction *redaction)
{
    const struct cli *c = r->reading->cli;
    return (cli_flag(c, FLAG_UNCOMMITTED) ? READ_UNCOMMITTED : 0) |
           (cli_flag(c, FLAG_FIREHOSE) ? READ_FIREHOSE : 0) |
           (cli_flag(c, FLAG_INTERNAL) ? READ_INTERNAL : 0) |
           (r->reading->bare && !r->filter && !redaction ? READ_BARE : 0);
}

static int start_source(struct run *r, struct source *s)
{
    const struct reading *g = r->reading;
    struct err_info err = {.code = ERR_OK};
    const struct redaction *redaction = g->whole ? NULL : g->cli->config.redaction;
    struct job job = {
        .kind = JOB_READ,
        .reconnect = g->mode == READ_TAP,
        .read = {.mode = g->mode,
                 .channels = s->channels,
                 .channel_count = s->channel_count,
                 .start = g->start,
                 .partition = (int32_t)cli_number(g->cli, FLAG_PARTITION, -1),
                 .limit = g->scan_limit,
                 .flags = read_flags(r, redaction)},
        .redaction = redaction,
        .timeout_ns = cli_number(g->cli, FLAG_TIMEOUT, 0),
    };
    struct session_sink sink = {
        .context = s, .message = on_message, .idle = on_idle, .status = on_status, .notice = on_notice};
    s->lane = output_lane(r->output, on_room, s);
    if (!s->lane) {
        err_set(&err, ERR_NOMEM, "no memory for the output");
        return cli_error(&err);
    }
    pthread_mutex_lock(&s->lock);
    s->session = session_start(s->endpoint->broker, &s->endpoint->endpoint, &job, &sink, &err);
    bool started = s->session;
    pthread_mutex_unlock(&s->lock);
    return started ? 0 : cli_error(&err);
}

/* ---- watching, on the main thread ---- */

/* A connection that was lost is tried again by a tail alone. */
static void lost_on_the_way(const struct source *s, struct err_info *err)
{
    const struct err_info said = *err;
    err_set(err, said.code, "the connection was lost while this was read: %.250s", said.text);
    err_where(err, "%s/%s", s->endpoint->endpoint.name, s->channels[0].name);
    err_next(err, "%s", said.next[0] ? said.next : "read it again");
}

/* A session that never came up is given up: a command answers. One that was up is waited for. True: it has ended. */
static bool look_at(struct run *r, struct source *s, struct err_info *failure)
{
    static const char *const goes_on[] = {
        [GAP_ALL] = "what flowed meanwhile was not seen",
        [GAP_PART] = "streams go on behind their last message; what else flowed meanwhile was not seen",
        [GAP_NONE] = "goes on behind the last message",
        [GAP_ANEW] = "what was deleted meanwhile is read anew, from its beginning",
    };
    pthread_mutex_lock(&s->lock);
    struct session_status status = s->status;
    bool ended = s->ended, was_up = s->was_up;
    if (status.state == SESSION_BACKOFF && !was_up && s->session)
        session_cancel(s->session);
    pthread_mutex_unlock(&s->lock);
    enum err e = status.err.code;
    bool failed = e && e != ERR_END && e != ERR_CANCELLED;
    if (failed && !s->said && (ended || (status.state == SESSION_BACKOFF && !was_up))) {
        *failure = status.err;
        if (e == ERR_CLOSED && was_up)
            lost_on_the_way(s, failure);
        if (!failure->where[0])
            err_where(failure, "%s", s->endpoint->endpoint.name);
        cli_error(failure);
        s->said = true;
    } else if (status.state == SESSION_BACKOFF && was_up && s->lost_generation != status.generation) {
        s->lost_generation = status.generation;
        cli_notice(r->reading->cli, "%s: %s; trying again", s->endpoint->endpoint.name, status.err.text);
    } else if (status.state == SESSION_UP && s->lost_generation) {
        s->lost_generation = 0;
        cli_notice(r->reading->cli, "%s: connected again; %s", s->endpoint->endpoint.name,
                   goes_on[status.gap]);
    }
    return ended;
}

static int64_t lesser(int64_t n, int64_t bound)
{
    return bound >= 0 && bound < n ? bound : n;
}

static void sum_progress(struct run *r, struct reading_result *result)
{
    const struct reading *g = r->reading;
    result->scanned = result->total = result->goal = 0;
    for (size_t i = 0; i < r->count; i++) {
        struct source *s = &r->sources[i];
        pthread_mutex_lock(&s->lock);
        const struct read_progress *p = &s->status.progress;
        result->scanned += p->scanned;
        result->total = p->total < 0 || result->total < 0 ? COUNT_UNKNOWN : result->total + p->total;
        result->goal += lesser(p->most ? lesser(p->total, p->most) : p->total, g->scan_limit);
        result->total_upper |= p->total_upper;
        result->incomplete |= p->incomplete;
        text_copy(result->stopped, sizeof result->stopped, p->stopped);
        pthread_mutex_unlock(&s->lock);
    }
    if (!r->filter)
        result->goal = lesser(result->goal, g->limit);
    result->written = atomic_load(&r->written);
    result->unknown = atomic_load(&r->unknown);
}

/* A line that is overwritten on a terminal, a line per 10 % elsewhere. */
static void show_progress(struct run *r)
{
    struct reading_result now = {0};
    int64_t mono = clock_mono_ns(), began = atomic_load(&r->began_ns);
    char text[240];
    if (!r->reading->progress || cli_flag(r->reading->cli, FLAG_QUIET) || mono < r->progress_at_ns)
        return;
    r->progress_at_ns = mono + PROGRESS_NS;
    sum_progress(r, &now);
    int tenth = now.total > 0 ? (int)(now.scanned * 10 / now.total) : 0;
    reading_progress_text(text, sizeof text, &now, began ? mono - began : 0, r->filter ? "matched" : "taken");
    if (cli_progress(r->reading->cli)) {
        cli_progress_line(text);
    } else if (tenth > r->last_tenth) {
        cli_note("%s", text);
    }
    r->last_tenth = tenth;
}

static bool all_ended(struct run *r, struct err_info *failure)
{
    bool all = true;
    for (size_t i = 0; i < r->count; i++)
        all &= look_at(r, &r->sources[i], failure);
    return all;
}

static void cancel_all(struct run *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct session *s = NULL;
        pthread_mutex_lock(&r->sources[i].lock);
        s = r->sources[i].session;
        if (s)
            session_cancel(s);
        pthread_mutex_unlock(&r->sources[i].lock);
    }
}

static void join_all(struct run *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct source *s = &r->sources[i];
        pthread_mutex_lock(&s->lock);
        struct session *session = s->session;
        s->session = NULL;
        pthread_mutex_unlock(&s->lock);
        if (session && !session_join(&session))
            r->left_behind = true;
    }
}

/* Who never came up by the time-out has not seen that there is nothing: its driver may have said no word by then. */
static void say_unanswered(struct run *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct source *s = &r->sources[i];
        struct err_info err;
        pthread_mutex_lock(&s->lock);
        bool waits = !s->was_up && !s->ended && !s->said;
        pthread_mutex_unlock(&s->lock);
        if (!waits)
            continue;
        listing_no_answer(s->endpoint, cli_number(r->reading->cli, FLAG_TIMEOUT, 0), &err);
        cli_error(&err);
    }
}

/* A driver that keeps to the same time-out ends when we do: which of the two is first says nothing. */
static const char *why_failed(const struct run *r, const struct err_info *failure)
{
    if (failure->code == ERR_TIMEOUT && clock_mono_ns() >= r->deadline_ns)
        return "the time-out passed";
    return failure->code == ERR_CLOSED ? "the connection was lost" : failure->text;
}

/* Waits for the end; *code is what it was: 0, 8, 128 + signal, or the failure's. */
static void watch(struct run *r, struct reading_result *result)
{
    struct err_info failure = {.code = ERR_OK};
    enum waited w = WAITED_EVENT;
    const char *why = NULL;
    bool stopped = false;
    while (!all_ended(r, &failure)) {
        if (atomic_load(&r->stop) && !stopped) {
            stopped = true;
            /* A lone browse ends by itself, and may have messages to give back in peace. */
            if (r->count > 1 || r->reading->mode == READ_TAP)
                cancel_all(r);
        }
        show_progress(r);
        /* A file is written whether or not anybody reads stdout. */
        w = r->reading->fd == STDOUT_FILENO ? wait_for_readers(r->event_fd, r->deadline_ns)
                                            : wait_for(r->event_fd, r->deadline_ns);
        if (w != WAITED_EVENT)
            break;
    }
    if (w == WAITED_SIGNAL) {
        result->code = 128 + signals_seen();
        why = "it was interrupted";
    } else if (w == WAITED_TIMEOUT) {
        say_unanswered(r);
        result->code = err_exit_code(ERR_TIMEOUT);
        why = "the time-out passed";
    } else if (failure.code) {
        result->code = err_exit_code(failure.code);
        why = why_failed(r, &failure);
    }
    result->closed = w == WAITED_CLOSED;
    atomic_store(&r->closed, result->closed);
    cancel_all(r);
    join_all(r);
    cli_progress_end();
    sum_progress(r, result);
    result->whole = !result->code && w == WAITED_EVENT && !stopped;
    if (why)
        text_copy(result->stopped, sizeof result->stopped, why);
    else if (stopped && !*result->stopped)
        text_copy(result->stopped, sizeof result->stopped, "the limit was reached");
}

static void finish(struct run *r, struct reading_result *result)
{
    struct err_info err = {.code = ERR_OK};
    /* A worker that was left behind may still write into its lane: nothing is freed then, the program ends anyway. */
    if (r->left_behind)
        return;
    if (output_end(&r->output, result->code ? PATIENCE_NS : INT64_MAX / 2, &err) && !result->code) {
        result->code = cli_error(&err);
        result->whole = false;
        text_copy(result->stopped, sizeof result->stopped, err.text);
    }
    result->closed |= err.code == ERR_CLOSED;
    for (size_t i = 0; i < r->count; i++) {
        pthread_mutex_destroy(&r->sources[i].lock);
        free(r->sources[i].channels);
    }
    free(r->sources);
    filter_free(&r->filter);
}

static int prepare(struct run *r)
{
    const struct reading *g = r->reading;
    struct err_info err = {.code = ERR_OK};
    r->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (g->expression &&
        !(r->filter = filter_new(g->expression, FILTER_MESSAGES, g->cli->registry->decoders, NULL, &err)))
        return cli_filter_error(g->expression, &err);
    r->output = output_new(g->fd, &err);
    if (!r->output)
        return cli_error(&err);
    output_on_failure(r->output, on_failure, r);
    if (r->event_fd < 0 || !make_sources(r)) {
        err_set(&err, ERR_NOMEM, "no memory or descriptor for reading");
        return cli_error(&err);
    }
    return 0;
}

/* Also where --quiet keeps the closing sentence back: those may be what was looked for. */
static void say_unknown(const struct reading_result *r)
{
    char text[120];
    if (r->unknown && !r->closed)
        cli_note("%s", filter_unknown_text(text, sizeof text, (uint64_t)r->unknown));
}

void reading_run(const struct reading *reading, struct reading_result *result)
{
    struct run r = {.reading = reading};
    *result = (struct reading_result){.total = COUNT_UNKNOWN};
    atomic_init(&r.left, reading->limit);
    result->code = prepare(&r);
    signals_take();
    if (reading->limit == 0)
        text_copy(result->stopped, sizeof result->stopped, "the limit was reached");
    if (!result->code && reading->limit != 0) {
        int64_t timeout = cli_number(reading->cli, FLAG_TIMEOUT, 0);
        r.deadline_ns = timeout ? clock_mono_ns() + timeout : INT64_MAX;
        for (size_t i = 0; i < r.count && !result->code; i++)
            result->code = start_source(&r, &r.sources[i]);
        if (result->code) {
            cancel_all(&r);
            join_all(&r);
        } else {
            watch(&r, result);
        }
    }
    finish(&r, result);
    close(r.event_fd);
    say_unknown(result);
}

void reading_say_scanned(const struct cli *c, const struct reading_result *r)
{
    char scanned[32], total[32], written[32];
    text_count(scanned, sizeof scanned, (uint64_t)r->scanned);
    text_count(written, sizeof written, (uint64_t)r->written);
    text_count(total, sizeof total, r->total < 0 ? 0 : (uint64_t)r->total);
    cli_notice(c, "scanned %s of %s%s, stopped because %s; %s matched", scanned,
               r->total_upper ? "at most " : "", r->total < 0 ? "an unknown number" : total,
               *r->stopped ? r->stopped : "the end was reached", written);
}

bool reading_has_begun(const struct reading_result *r)
{
    return r->scanned > 0 || (r->total >= 0 && r->code == err_exit_code(ERR_TIMEOUT));
}

int reading_exit_code(const struct reading *reading, const struct reading_result *result)
{
    if (result->code || result->closed)
        return result->code;
    if (result->incomplete || (result->unknown && !result->written))
        return err_exit_code(ERR_PARTIAL);
    return reading->expression && !result->written ? err_exit_code(ERR_NOMATCH) : 0;
}

/* A wrong filter is said before any broker is spoken to. */
static int check_expression(const struct reading *r)
{
    struct err_info err = {.code = ERR_OK};
    struct filter *f =
        r->expression ? filter_new(r->expression, FILTER_MESSAGES, r->cli->registry->decoders, NULL, &err)
                      : NULL;
    if (r->expression && !f)
        return cli_filter_error(r->expression, &err);
    if (f && *filter_remark(f))
        cli_note("%s", filter_remark(f));
    filter_free(&f);
    return 0;
}

int reading_init(struct reading *r, const struct cli *c, enum read_mode mode)
{
    struct err_info err = {.code = ERR_OK};
    *r = (struct reading){.cli = c,
                          .mode = mode,
                          .limit = cli_number(c, FLAG_LIMIT, -1),
                          .scan_limit = -1,
                          .expression = cli_text(c, FLAG_WHERE),
                          .fd = STDOUT_FILENO};
    if (cli_number(c, FLAG_PARTITION, 0) > INT32_MAX)
        return cli_usage("--partition %" PRId64 " is out of range", cli_number(c, FLAG_PARTITION, 0));
    const char *from = cli_flag(c, FLAG_FROM) ? cli_text(c, FLAG_FROM) : "";
    return config_start(from, clock_wall_ns(), &r->start, &err) ? cli_error(&err) : check_expression(r);
}

int reading_init_stored(struct reading *r, struct cli *c, const char *expression, struct address *address)
{
    int code = reading_init(r, c, READ_BROWSE);
    if (!code && expression) {
        r->expression = expression;
        code = check_expression(r);
    }
    r->addresses = address;
    r->address_count = 1;
    return code ? code : cli_address(c, 0, true, address);
}
