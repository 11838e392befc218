#include "operations/execute_internal.h"

#include "base/limits.h"
#include "base/text.h"
#include "base/thread.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FLYING_MOST 3000 /* messages that wait for answers */
#define STEP_MS     100
#define TELL_NS     (NS_PER_S / 10)
#define PATIENCE_NS (120 * NS_PER_S) /* without a connection, or any headway */

/* ---- what others see ---- */

/* Of what is sent: that is what a limit holds up, and batches are answered as a whole. A purge sends nothing. */
static double measure(struct operation *o, int64_t now_ns)
{
    int64_t limit = atomic_load(&o->rate);
    if (atomic_load(&o->paused) || limit != o->speed_limit)
        speed_forget(&o->speed);
    o->speed_limit = limit;
    speed_note(&o->speed, now_ns, execute_is_purge(o) ? o->counts.done : o->sent_count);
    return speed_of(&o->speed);
}

void execute_tell(struct operation *o, bool now)
{
    int64_t mono = clock_mono_ns();
    if (!now && mono - o->told_ns < TELL_NS)
        return;
    pthread_mutex_lock(&o->lock);
    struct operation_progress *p = &o->progress;
    p->rate = measure(o, mono);
    p->counts = o->counts;
    p->unmatched = o->unmatched;
    p->bytes = o->bytes;
    p->losses = o->losses;
    p->carries = o->carries;
    p->looked = o->looked;
    p->archived = o->archiver ? (int64_t)archiver_count(o->archiver) : 0;
    p->paused = atomic_load(&o->paused);
    pthread_mutex_unlock(&o->lock);
    o->told_ns = mono;
    (void)!write(o->done_fd, &(uint64_t){1}, sizeof(uint64_t));
}

static void say(struct operation *o, const char *text)
{
    pthread_mutex_lock(&o->lock);
    text_copy(o->progress.note, sizeof o->progress.note, text);
    pthread_mutex_unlock(&o->lock);
}

static void set_connected(struct operation *o, bool connected)
{
    pthread_mutex_lock(&o->lock);
    o->progress.connected = connected;
    if (connected)
        o->progress.note[0] = '\0';
    pthread_mutex_unlock(&o->lock);
}

void execute_notice(void *context, const char *text)
{
    const struct operation *o = context;
    if (o->job.notice)
        o->job.notice(o->job.notice_context, text);
}

enum err operation_prepare(const struct operation_job *job, const struct endpoint *endpoint,
                           struct secret *into, struct err_info *err)
{
    bool file = job->plan.kind == OPERATION_RESTORE && endpoint == job->from.endpoint;
    return job->prepare && !file ? job->prepare(job->context, endpoint, into, err) : ERR_OK;
}

enum err execute_prepare(void *context, const struct endpoint *endpoint, struct secret *into,
                         struct err_info *err)
{
    const struct operation *o = context;
    return operation_prepare(&o->job, endpoint, into, err);
}

static size_t flying(const struct operation *o)
{
    size_t n = 0;
    for (const struct batch *b = o->flying.first; b; b = b->next)
        n += b->count;
    return n;
}

/* ---- the loop ---- */

/* At a rate that was asked for the next message may be due at any moment. */
static void wait_a_little(struct operation *o)
{
    int64_t now = clock_mono_ns();
    int ms = STEP_MS;
    if (o->waiting.first && atomic_load(&o->rate) > 0 && !atomic_load(&o->paused))
        ms = o->tokens_ns > now ? (int)((o->tokens_ns - now) / NS_PER_MS) + 1 : 1;
    struct pollfd p = {.fd = o->event_fd, .events = POLLIN};
    poll(&p, 1, ms < STEP_MS ? ms : STEP_MS);
}

static bool has_room(const struct operation *o)
{
    return execute_is_purge(o) ? o->held < execute_purge_window(o)
                               : flying(o) + BATCH_MESSAGES <= FLYING_MOST;
}

static enum err turn(struct operation *o, bool *any, struct err_info *err)
{
    struct lane answered = {NULL, NULL};
    enum err e = execute_take_settled(o, any, err);
    if (!e)
        e = execute_take_answers(o, &answered, err);
    if (answered.first)
        *any = true;
    if (!e && has_room(o))
        e = execute_take_batch(o, any, err);
    if (!e)
        e = execute_sync(o, err);
    if (e) {
        lane_free(&answered);
        return e;
    }
    execute_settle(o, &answered);
    e = execute_send(o, any, err);
    if (!e && execute_is_purge(o))
        e = execute_purge_step(o, any, err);
    if (e)
        return e;
    bool idle = !*any;
    if (o->destination)
        e = destination_step(o->destination, idle && o->pending ? STEP_MS / 10 : 0, &o->pending, err);
    if (!e && !o->pending && execute_commit_is_due(o))
        return execute_commit(o, err);
    if (idle && !o->pending)
        wait_a_little(o);
    return e;
}

static bool is_over(const struct operation *o)
{
    return o->source_ended && !o->early.first && !o->waiting.first && !o->flying.first && !o->settling;
}

static enum err go_through(struct operation *o, struct err_info *err)
{
    enum err e = ERR_OK;
    bool told = false;
    while (!e && !is_over(o)) {
        bool any = false;
        if (atomic_load(&o->broken_off))
            return err_set(err, ERR_CANCELLED, "broken off");
        if (atomic_load(&o->cancelled) && !o->recovering)
            execute_stop(o, NULL);
        if (o->taken && !told) {
            told = true;
            source_stop(o->source);
        }
        (void)!read(o->event_fd, &(uint64_t){0}, sizeof(uint64_t));
        e = turn(o, &any, err);
        execute_tell(o, false);
    }
    return e;
}

/* ---- connections ---- */

static enum err open_destination(struct operation *o, struct err_info *err)
{
    const struct operation_end *to = &o->job.to;
    struct destination_job job = {.ops = to->ops,
                                  .endpoint = to->endpoint,
                                  .claim = o->job.record.id,
                                  .transaction = execute_commits(o),
                                  .prepare = execute_prepare,
                                  .notice = execute_notice,
                                  .context = o};
    struct destination *d = destination_open(&job, o->event_fd, err);
    pthread_mutex_lock(&o->lock);
    o->destination = d;
    pthread_mutex_unlock(&o->lock);
    for (size_t i = 0; i < o->target_count; i++) {
        o->targets[i].open = false;
        o->targets[i].why[0] = '\0';
    }
    o->opened = 0;
    copies_forget(o->copies);
    enum err e = d ? execute_name_source(o, err) : err->code;
    if (!e)
        destination_fence(d, execute_fence(o));
    return e || !o->job.plan.to ? e : execute_target_open(o, 0, err);
}

/* What is removed behind much that is kept wants another lease than what is removed one after the other. */
static enum lease_use use_of(const struct operation *o)
{
    const struct plan *p = &o->job.plan;
    bool selects = p->select || p->reasons,
         picks = execute_is_dedupe(o); /* whose rows are known in any order */
    return !execute_removes(o) ? LEASE_KEEPS : picks ? LEASE_PICKS : selects ? LEASE_SELECTS : LEASE_REMOVES;
}

static enum err open_source(struct operation *o, struct err_info *err)
{
    const struct operation_end *from = &o->job.from;
    struct source_job job = {.ops = from->ops,
                             .endpoint = from->endpoint,
                             .from = from->channel,
                             .lease = execute_leases(o),
                             .use = use_of(o),
                             .window = execute_window(o),
                             .most = execute_dedupe_most(o),
                             .start = {START_BEGINNING, 0},
                             .partition = -1,
                             .prepare = execute_prepare,
                             .notice = execute_notice,
                             .context = o};
    if (!execute_removes(o) && recovery_places(&o->recovery, &o->places))
        job.places = &o->places;
    struct source *s = source_start(&job, o->event_fd, err);
    pthread_mutex_lock(&o->lock);
    o->source = s;
    pthread_mutex_unlock(&o->lock);
    return s ? ERR_OK : err->code;
}

static void close_ends(struct operation *o, bool in_peace)
{
    struct source *s = o->source;
    struct destination *d = o->destination;
    int64_t returned = 0;
    struct err_info err = {.code = ERR_OK};
    if (s && !in_peace)
        source_cancel(s);
    pthread_mutex_lock(&o->lock);
    o->source = NULL;
    o->destination = NULL;
    pthread_mutex_unlock(&o->lock);
    if (s && source_join(&s, &returned, &err) && in_peace)
        execute_notice(o, err.text);
    destination_close(&d); /* which tells of those that it has not sent */
    if (!in_peace && o->journal)
        execute_write_known(o);
    lane_free(&o->early);
    lane_free(&o->waiting);
    lane_free(&o->flying);
    recovery_free(&o->recovery);
    free(o->places.items);
    o->places = (struct read_places){.count = 0};
}

static void begin_connection(struct operation *o)
{
    o->recovering = o->source_ended = false;
    o->uncommitted = 0;
    o->edited = false;
    o->held_back[0] = '\0';
    o->stopping = o->taken = false;
    o->early_count = o->early_total = o->early_bytes = o->at = o->pending = o->settling = o->held = 0;
    o->kept = 0;
    o->kept_since_ns = 0;
    o->unmatched = 0;
    o->connections++;
}

/* What the journal has counted, since a connection may have broken between two of its syncs. */
static enum err count_again(struct operation *o, struct err_info *err)
{
    struct journal_totals totals;
    enum err e = journal_count(o->journal, o->job.record.number, &totals, err);
    if (e)
        return e;
    o->last = totals.last > o->last ? totals.last : o->last;
    o->counts.done = totals.of[DELIVERY_DONE];
    o->counts.in_doubt = o->counts.failed = o->counts.skipped =
        0; /* they are met again, or accounted for at the end */
    o->begun = 0;
    for (int i = 0; i < DELIVERY_STATES; i++)
        o->begun += totals.of[i];
    return ERR_OK;
}

/* What one channel held is back all at once: it is whole, or all of it is missing. What several held comes bit by bit. */
static void await_returns(struct operation *o)
{
    if (execute_holds(o))
        execute_wait_for_held(o);
    else if (execute_removes(o) && use_of(o) != LEASE_REMOVES)
        execute_wait_for_returns(o);
}

static enum err open_ends(struct operation *o, struct err_info *err)
{
    execute_wait_to_look(o);
    enum err e = execute_is_dedupe(o) ? execute_dedupe_prepare(o, err) : ERR_OK;
    if (!e && execute_is_purge(o))
        e = execute_purge_prepare(o, err);
    if (!e)
        e = count_again(o, err);
    o->done_before = o->counts.done;
    o->place = execute_removes(o) ? o->counts.done : 0;
    if (!e && (o->job.resumed || o->connections > 1))
        await_returns(o);
    if (!e && o->job.to.ops)
        e = open_destination(o, err);
    if (!e && !execute_purge_is_at_once(o))
        e = execute_recover(o, err);
    return e || execute_purge_is_at_once(o) ? e : open_source(o, err);
}

/* What an open transaction holds back comes once that has ended: the operation goes on there. A purge leaves it where it is. */
static enum err check_held(struct operation *o, struct err_info *err)
{
    char text[240];
    if (!o->held_back[0] || o->taken || o->why[0])
        return ERR_OK;
    if (!execute_is_purge(o)) {
        err_set(err, ERR_BUSY, "%s", o->held_back);
        err_next(err, "it goes on once that has ended");
        return ERR_BUSY;
    }
    snprintf(text, sizeof text, "%s: what stands there stays", o->held_back);
    execute_stop_taking(o, text);
    return ERR_OK;
}

/* Its progress is kept. */
static bool is_suspended(const struct operation *o)
{
    return atomic_load(&o->suspended) && o->stopping && !execute_is_purge(o);
}

static enum err attempt(struct operation *o, struct err_info *err)
{
    begin_connection(o);
    enum err e = open_ends(o, err);
    set_connected(o, !e);
    if (!e)
        e = execute_purge_is_at_once(o) ? execute_purge_at_once(o, err) : go_through(o, err);
    if (!e)
        e = check_held(o, err);
    if (!e)
        e = execute_purge_end(o, err);
    if (!e && !execute_looks_again(o))
        e = execute_account(o, err);
    if (!e)
        e = execute_sync(o, err);
    if (!e && !o->looks_again)
        execute_bounds_end(o);
    if (!e && !is_suspended(o))
        execute_forget_commits(o);
    close_ends(o, !e);
    if (e)
        execute_purge_undo(o);
    set_connected(o, false);
    return e;
}

/* ---- from beginning to end ---- */

static void wait_between(struct operation *o, int tries)
{
    int64_t pause = tries == 0 ? 0 : tries < 6 ? NS_PER_S / 4 << tries : 15 * NS_PER_S;
    int64_t until = clock_mono_ns() + pause;
    while (clock_mono_ns() < until && !atomic_load(&o->cancelled)) {
        struct pollfd p = {.fd = o->event_fd, .events = POLLIN};
        poll(&p, 1, clock_poll_ms(until));
        (void)!read(o->event_fd, &(uint64_t){0}, sizeof(uint64_t));
    }
}

/* A connection that breaks is made again, for as long as there is headway now and then. */
static enum err attempt_all(struct operation *o, struct err_info *err)
{
    char told[240] = "";
    int64_t moved_ns = clock_mono_ns(), done = -1;
    for (int tries = 0;; tries++) {
        char why[240];
        enum err e = attempt(o, err);
        if (!e && (o->looks_again || execute_purge_goes_on(o)))
            continue;
        if (!e || err_policy(e) != ERR_POLICY_RETRY || atomic_load(&o->cancelled))
            return e;
        if (o->counts.done != done) {
            moved_ns = clock_mono_ns();
            tries = 0;
        }
        done = o->counts.done;
        if (clock_mono_ns() - moved_ns > PATIENCE_NS)
            return e;
        err_format(err, why, sizeof why);
        say(o, why);
        if (strcmp(why, told) != 0)
            execute_notice(o, why);
        text_copy(told, sizeof told, why);
        execute_tell(o, true);
        wait_between(o, tries);
    }
}

static enum operation_state state_after(const struct operation *o, enum err e)
{
    const struct operation_counts *c = &o->counts;
    bool any = c->done || c->in_doubt || o->last;
    if (e == ERR_CANCELLED && !any)
        return OPERATION_CANCELLED;
    if (e && (err_policy(e) == ERR_POLICY_RETRY || any))
        return any ? OPERATION_INTERRUPTED : OPERATION_FAILED;
    if (e)
        return OPERATION_FAILED;
    bool all = atomic_load(&o->suspended) && !o->stopping; /* it was over before */
    if (atomic_load(&o->cancelled) && !all)
        return is_suspended(o) && any ? OPERATION_INTERRUPTED : OPERATION_CANCELLED;
    bool unseen = execute_is_dedupe(o) && !o->findings.whole;
    return c->failed || c->in_doubt || o->why[0] || unseen ? OPERATION_PARTIAL : OPERATION_DONE;
}

/* As of a dry run: without what was skipped; and where it came to its end so many it has turned out to be. */
static void settle_planned(struct operation *o, enum operation_state state)
{
    struct operation_counts *c = &o->counts;
    int64_t tried = c->done + c->failed + c->in_doubt;
    bool whole = state == OPERATION_PARTIAL && !o->why[0] && !execute_is_dedupe(o);
    if (state == OPERATION_DONE || whole)
        c->planned = tried;
    else if (c->planned >= 0 && state != OPERATION_INTERRUPTED)
        c->planned = c->planned - c->skipped > tried ? c->planned - c->skipped : tried;
}

/* An interrupted one stays RUNNING in the journal: `resume` finds it. */
static void end(struct operation *o, enum err e, const struct err_info *err)
{
    char why[240] = "";
    struct journal_operation record = o->job.record;
    enum operation_state state = state_after(o, e);
    text_copy(why, sizeof why, e ? err->text : o->why[0] ? o->why : o->remark);
    settle_planned(o, state);
    if (o->journal && state != OPERATION_INTERRUPTED) {
        record.state = state;
        record.counts = o->counts;
        record.note = why[0] ? why : NULL;
        record.ended_ns = clock_wall_ns();
        record.verified = o->verified.len ? buffer_cstr(&o->verified) : NULL;
        struct err_info failed = {.code = ERR_OK};
        if (journal_update(o->journal, &record, &failed)) {
            state = OPERATION_INTERRUPTED;
            text_copy(why, sizeof why, failed.text);
        }
    }
    execute_dedupe_close(o, state);
    pthread_mutex_lock(&o->lock);
    o->progress.state = state;
    o->progress.error = e;
    o->progress.counts = o->counts;
    text_copy(o->progress.note, sizeof o->progress.note, why);
    text_copy(o->progress.verified, sizeof o->progress.verified,
              o->verified.len ? buffer_cstr(&o->verified) : "");
    pthread_mutex_unlock(&o->lock);
    execute_tell(o, true);
}

static enum err prepare_all(struct operation *o, struct err_info *err)
{
    const struct plan *p = &o->job.plan;
    o->journal = journal_open(err);
    if (!o->journal)
        return err->code;
    if (p->select && !(o->filter = filter_new(p->select, FILTER_MESSAGES, o->job.decoders, NULL, err)))
        return err->code;
    bool once = p->kind == OPERATION_REPLAY && p->keeps && !p->again;
    bool cuts_off = execute_commits(o) && execute_finds_copies(o); /* what an earlier one has sent is seen */
    if (once && ((!cuts_off && sent_check_alone(o->journal, &o->job.record, err)) ||
                 sent_load(&o->sent, o->journal, &o->job.record, err)))
        return err->code;
    if (execute_removes(o) && sent_check_taken(o->journal, &o->job.record, err))
        return err->code;
    if (p->reasons && o->job.redaction && !(o->redactor = redactor_new(o->job.redaction)))
        return err_set(err, ERR_NOMEM, "no memory to hide what `redact` names");
    const struct channel_name *to = &o->job.to.channel;
    if (p->to && execute_target(o, to->kind, bytes_of_text(to->name)) != 0)
        return err_set(err, ERR_NOMEM, "no memory for an operation");
    return ERR_OK;
}

static void *run(void *context)
{
    struct operation *o = context;
    struct err_info err = {.code = ERR_OK};
    o->started_ns = clock_mono_ns();
    o->counts.planned = o->job.record.counts.planned;
    enum err e = prepare_all(o, &err);
    if (!e)
        e = attempt_all(o, &err);
    if (!e) {
        say(o, "what was sent is read back");
        execute_verify(o);
    }
    end(o, e, &err);
    filter_free(&o->filter);
    journal_close(&o->journal);
    execute_targets_free(o);
    sent_free(&o->sent);
    copies_free(&o->copies);
    redactor_free(&o->redactor);
    arena_free(&o->arena);
    buffer_free(&o->archives);
    buffer_free(&o->verified);
    free(o->done);
    return NULL;
}

struct operation *operation_start(const struct operation_job *job, int done_fd, struct err_info *err)
{
    struct operation *o = calloc(1, sizeof *o);
    if (!o) {
        err_set(err, ERR_NOMEM, "no memory for an operation");
        return NULL;
    }
    o->job = *job;
    o->done_fd = done_fd;
    o->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    arena_init(&o->arena, LIMIT_DECODE_ARENA);
    buffer_init(&o->archives, 4 * MIB);
    buffer_init(&o->verified, 4 * KIB);
    buffer_text(&o->archives, job->record.archive ? job->record.archive : "");
    pthread_mutex_init(&o->lock, NULL);
    atomic_init(&o->rate, job->plan.rate);
    o->progress =
        (struct operation_progress){.state = OPERATION_RUNNING, .rate = -1, .began_ns = clock_mono_ns()};
    if (o->event_fd >= 0 && thread_start(&o->thread, run, o))
        return o;
    err_set(err, ERR_FAILED, "no thread or descriptor for an operation");
    if (o->event_fd >= 0)
        close(o->event_fd);
    pthread_mutex_destroy(&o->lock);
    free(o);
    return NULL;
}

void operation_progress(struct operation *o, struct operation_progress *into)
{
    int64_t limit = atomic_load(&o->rate);
    pthread_mutex_lock(&o->lock);
    *into = o->progress;
    pthread_mutex_unlock(&o->lock);
    if (limit > 0 &&
        into->rate > (double)limit) /* what was a little late was made up for, or it is a new one */
        into->rate = (double)limit;
}

static void wake(struct operation *o)
{
    (void)!write(o->event_fd, &(uint64_t){1}, sizeof(uint64_t));
}

void operation_pause(struct operation *o, bool pause)
{
    atomic_store(&o->paused, pause);
    wake(o);
}

void operation_rate(struct operation *o, int64_t per_second)
{
    atomic_store(&o->rate, per_second);
    wake(o);
}

void operation_cancel(struct operation *o)
{
    if (atomic_exchange(&o->cancelled, true)) {
        atomic_store(&o->broken_off, true);
        pthread_mutex_lock(&o->lock);
        if (o->source)
            source_cancel(o->source);
        if (o->destination)
            destination_interrupt(o->destination);
        pthread_mutex_unlock(&o->lock);
    }
    wake(o);
}

void operation_suspend(struct operation *o)
{
    atomic_store(&o->suspended, true);
    operation_cancel(o);
}

void operation_join(struct operation **op, struct operation_progress *into)
{
    struct operation *o = *op;
    *op = NULL;
    pthread_join(o->thread, NULL);
    *into = o->progress;
    pthread_mutex_destroy(&o->lock);
    close(o->event_fd);
    free(o);
}
