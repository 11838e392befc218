#include "ui/views/operations.h"

#include "base/limits.h"
#include "base/text.h"
#include "operations/undo_command.h"
#include "ui/views/change.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FASTEST 10000 /* messages a second: beyond it there is no limit */

/* ---- rows ---- */

static void row_of_record(const struct journal_operation *o, struct operation_row *row)
{
    *row = (struct operation_row){.kind = o->kind,
                                  .state = o->state,
                                  .from = o->from,
                                  .to = o->to,
                                  .command = o->command,
                                  .who = o->who,
                                  .host = o->host,
                                  .archive = o->archive,
                                  .counts = o->counts,
                                  .rate = -1,
                                  .created_ns = o->created_ns,
                                  .ended_ns = o->ended_ns,
                                  .record = o};
    text_copy(row->id, sizeof row->id, o->id);
    text_copy(row->note, sizeof row->note, o->note ? o->note : "");
    row->is_verified = verified_read(&row->verified, o->verified);
}

/* What a job of ours knows better than the journal, which was read some time ago. */
static void row_of_job(struct job *job, struct operation_row *row)
{
    struct job_status s;
    job_status(job, &s);
    const struct order *o = job_order(job);
    row->job = job;
    row->kind = o->plan.kind;
    row->from = row->from ? row->from : o->plan.from;
    row->to = row->to ? row->to : o->plan.to;
    row->command = row->command ? row->command : job_command(job);
    row->beginning = s.state == JOB_BEGINNING;
    row->refused = s.state == JOB_REFUSED;
    row->cancelled = s.cancelled;
    row->limit = s.rate;
    row->rate = -1;
    if (s.state == JOB_RUNNING || s.state == JOB_ENDED) {
        row->state = s.progress.state;
        row->counts = s.progress.counts;
        row->rate = s.state == JOB_RUNNING ? s.progress.rate : -1;
        text_copy(row->note, sizeof row->note, s.progress.note);
        row->paused = s.progress.paused;
        row->is_verified = verified_read(&row->verified, *s.progress.verified ? s.progress.verified : NULL);
    } else if (s.planned > 0)
        row->counts.planned = s.planned;
    if (s.state == JOB_REFUSED) {
        row->state = OPERATION_FAILED;
        err_format(&s.err, row->note, sizeof row->note);
    }
    row->created_ns = s.began_ns ? s.began_ns : row->created_ns;
    row->ended_ns = s.ended_ns ? s.ended_ns : row->ended_ns;
    text_copy(row->id, sizeof row->id, s.id);
}

static bool has_record(const struct audit_list *l, const char *id)
{
    for (size_t i = 0; l && *id && i < l->count; i++)
        if (strcmp(l->operations[i].id, id) == 0)
            return true;
    return false;
}

size_t operation_rows(struct screen *s, struct operation_row *rows, size_t most)
{
    const struct audit_list *l = screen_journal(s);
    struct jobs *jobs = screen_jobs(s);
    struct operation_row row;
    size_t n = 0;
    for (size_t i = jobs_count(jobs); i-- > 0 && n < most;) {
        row = (struct operation_row){.job = NULL};
        row_of_job(jobs_at(jobs, i), &row);
        if (!has_record(l, row.id))
            rows[n++] = row;
    }
    for (size_t i = 0; l && i < l->count && n < most; i++) {
        struct job *job = jobs_find(jobs, l->operations[i].id);
        row_of_record(&l->operations[i], &row);
        if (job)
            row_of_job(job, &row);
        rows[n++] = row;
    }
    return n;
}

bool operation_row_of(struct screen *s, const struct job *job, const char *id, struct operation_row *row)
{
    const struct audit_list *l = screen_journal(s);
    struct jobs *jobs = screen_jobs(s);
    struct job *ours = NULL;
    bool found = false;
    for (size_t i = 0; i < jobs_count(jobs); i++)
        if (job && jobs_at(jobs, i) == job)
            ours = jobs_at(jobs, i);
    struct job_status s_ours = {.id = ""};
    if (ours)
        job_status(ours, &s_ours);
    if (*id && strcmp(s_ours.id, id) != 0) { /* it has made way, and another one stands there */
        ours = jobs_find(jobs, id);
        text_copy(s_ours.id, sizeof s_ours.id, id);
    }
    *row = (struct operation_row){.rate = -1};
    const char *known = *id ? id : s_ours.id;
    for (size_t i = 0; l && *known && !found && i < l->count; i++)
        if (strcmp(l->operations[i].id, known) == 0) {
            row_of_record(&l->operations[i], row);
            found = true;
        }
    if (ours)
        row_of_job(ours, row);
    return found || ours;
}

bool operation_archives(enum operation_kind kind)
{
    return kind == OPERATION_PURGE || kind == OPERATION_DEDUPE;
}

/* ---- words ---- */

struct look operation_look(const struct operation_row *row)
{
    if (row->beginning)
        return (struct look){"○ begins", ROLE_MUTED};
    if (row->refused)
        return (struct look){"✖ refused", ROLE_CRIT};
    switch (row->state) {
    case OPERATION_RUNNING:
        return row->cancelled ? (struct look){"▶ ending", ROLE_WARN}
               : row->paused  ? (struct look){"■ paused", ROLE_PAUSED}
                              : (struct look){"▶ running", ROLE_LIVE};
    case OPERATION_INTERRUPTED: return (struct look){"▲ interrupted", ROLE_WARN};
    case OPERATION_DONE: return (struct look){"● done", ROLE_OK};
    case OPERATION_PARTIAL: return (struct look){"▲ partial", ROLE_WARN};
    case OPERATION_CANCELLED: return (struct look){"■ cancelled", ROLE_MUTED};
    default: return (struct look){"✖ failed", ROLE_CRIT};
    }
}

/* Of a path the last part. */
static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void operation_what(const struct operation_row *row, char *into, size_t size)
{
    const char *from = row->from ? row->from : "?";
    if (row->kind == OPERATION_PURGE || (row->kind == OPERATION_DEDUPE && !row->to))
        snprintf(into, size, "%s %s", operation_kind_name(row->kind), from);
    else if (row->kind == OPERATION_RESTORE)
        snprintf(into, size, "restore to %s, %s", row->to ? row->to : "?", base_name(from));
    else if (row->to)
        snprintf(into, size, "%s %s → %s", operation_kind_name(row->kind), from, row->to);
    else
        snprintf(into, size, "%s %s, to where each came from", operation_kind_name(row->kind), from);
}

char *operation_counts_text(const struct operation_counts *c, char *into, size_t size)
{
    const struct {
        int64_t n;
        const char *word;
    } parts[] = {{c->skipped, "skipped"}, {c->failed, "failed"}, {c->in_doubt, "in doubt"}};
    char count[32];
    size_t used = (size_t)snprintf(into, size, "%s done", text_count(count, sizeof count, (uint64_t)c->done));
    for (size_t i = 0; i < sizeof parts / sizeof *parts && used < size; i++)
        if (parts[i].n > 0)
            used += (size_t)snprintf(into + used, size - used, ", %s %s",
                                     text_count(count, sizeof count, (uint64_t)parts[i].n), parts[i].word);
    return into;
}

char *operation_took(const struct operation_row *row, char *into, size_t size)
{
    int64_t ns = row->ended_ns - row->created_ns;
    return ns < NS_PER_S ? text_copy(into, size, "<1s") : text_age(into, size, ns);
}

int operation_percent(const struct operation_row *row)
{
    const struct operation_counts *c = &row->counts;
    int64_t dealt = c->done + c->skipped + c->failed + c->in_doubt;
    if (c->planned <= 0)
        return -1;
    return dealt >= c->planned ? 100 : (int)(dealt * 100 / c->planned);
}

/* ---- how it is taken back ---- */

/* Of "NAME/queue:orders" by the endpoints that are watched: nothing joins them for a look. False: it is none of theirs. */
static bool find_end(struct hub *hub, const char *address, struct operation_end *end)
{
    for (size_t i = 0; i < hub_endpoint_count(hub); i++) {
        const struct config_endpoint *e = hub_endpoint(hub, i)->config;
        size_t len = strlen(e->endpoint.name);
        if (strncmp(address, e->endpoint.name, len) != 0 || address[len] != '/')
            continue;
        *end = (struct operation_end){e->broker, &e->endpoint, {CHANNEL_ANY, NULL}};
        end->channel.kind = channel_kind_parse(address + len + 1, &end->channel.name);
        return true;
    }
    return false;
}

static bool find_destination(struct view *v, const struct operation_row *row, const char *address,
                             struct operation_end *end)
{
    const struct address *to = row->job ? &job_order(row->job)->to : NULL;
    if (!to || !to->endpoint)
        return find_end(v->hub, address, end);
    *end = (struct operation_end){to->endpoint->broker, &to->endpoint->endpoint, to->channel};
    return true;
}

const char *operation_undo(struct view *v, const struct operation_row *row, struct buffer *into,
                           const char **why)
{
    struct operation_job job = {.record = {.kind = row->kind}};
    struct arena arena;
    const char *undo = NULL;
    /* The journal may know of its end before our own job does. */
    bool ended =
        row->record && row->record->ended_ns && row->record->plan.data && row->state != OPERATION_RUNNING;
    *why = NULL;
    if (!ended)
        return NULL;
    arena_init(&arena, MIB);
    if (!plan_read(&job.plan, row->record->plan, &arena, NULL)) {
        bool there = job.plan.to && find_destination(v, row, job.plan.to, &job.to);
        job.record = *row->record;
        if (there || !job.plan.to)
            undo = undo_command(&job, &row->record->counts, into, why);
    }
    arena_free(&arena);
    return undo;
}

/* ---- keys ---- */

static void set_rate(struct view *v, const struct operation_row *row, bool faster)
{
    struct job_status s;
    job_status(row->job, &s);
    int64_t now = s.rate ? s.rate : s.progress.rate >= 1 ? (int64_t)s.progress.rate : FASTEST;
    int64_t rate = faster ? now * 2 : now / 2;
    if (faster && (!s.rate || rate > FASTEST))
        rate = 0;
    else if (rate < 1)
        rate = 1;
    job_rate(row->job, rate);
    if (rate)
        screen_say(v->screen, SEVERITY_INFO, "%s: at most %" PRId64 " messages a second", row->id, rate);
    else
        screen_say(v->screen, SEVERITY_INFO, "%s: as fast as it goes", row->id);
}

static void answer_cancel(struct screen *s, void *context, bool yes)
{
    struct operation_row row;
    if (yes && operation_row_of(s, context, "", &row) && row.job)
        job_cancel(row.job);
}

static void ask_to_cancel(struct view *v, const struct operation_row *row)
{
    struct dialog d;
    char what[320], counts[120];
    dialog_init(&d, row->cancelled ? "End it at once" : "Cancel", false);
    operation_what(row, what, sizeof what);
    dialog_add(&d, ROLE_TITLE, NULL, "%s", what);
    dialog_add(&d, ROLE_TEXT, NULL, "%s: these stay as they are.",
               operation_counts_text(&row->counts, counts, sizeof counts));
    if (row->cancelled)
        dialog_add(
            &d, ROLE_WARN, NULL,
            "What is on its way is not waited for any more. The journal knows which messages these are: resume looks "
            "for them, and finishes it.");
    else
        dialog_add(
            &d, ROLE_TEXT, NULL,
            "No more messages are begun, those on their way come to their end, and all others stay where they are.");
    dialog_open(&d, row->cancelled ? "end it at once" : "cancel it");
    screen_ask(v->screen, &d, answer_cancel, row->job);
}

static bool is_for_running(enum action action)
{
    return action == ACTION_JOB_PAUSE || action == ACTION_JOB_CANCEL || action == ACTION_JOB_FASTER ||
           action == ACTION_JOB_SLOWER;
}

static bool is_ours_and_runs(const struct operation_row *row)
{
    return row && row->job && row->state == OPERATION_RUNNING && !row->refused;
}

bool operation_offers(const struct operation_row *row, enum action action)
{
    if (action == ACTION_CHANGE)
        return row && *row->id;
    return !is_for_running(action) || is_ours_and_runs(row);
}

bool operation_act(struct view *v, const struct operation_row *row, enum action action)
{
    if (action == ACTION_CANCEL && is_ours_and_runs(row)) { /* whoever presses Ctrl-C is asked */
        ask_to_cancel(v, row);
        return true;
    }
    if (!is_for_running(action))
        return false;
    if (!is_ours_and_runs(row)) {
        bool other = row && row->state == OPERATION_RUNNING && !row->job;
        screen_say(v->screen, SEVERITY_INFO,
                   other ? "Another process has it under way: it is paused and cancelled there"
                         : "It is not under way");
        return true;
    }
    if (action == ACTION_JOB_PAUSE)
        job_pause(row->job, !row->paused);
    else if (action == ACTION_JOB_CANCEL)
        ask_to_cancel(v, row);
    else
        set_rate(v, row, action == ACTION_JOB_FASTER);
    return true;
}

void operation_change(struct view *v, const struct operation_row *row)
{
    struct change_target *target = row && *row->id ? calloc(1, sizeof *target) : NULL;
    if (target) {
        target->of = CHANGE_OPERATION;
        text_copy(target->id, sizeof target->id, row->id);
        screen_show(v->screen, VIEW_CHANGE, target);
    } else {
        screen_say(v->screen, SEVERITY_INFO, "There is no operation under the cursor");
    }
    free(target);
}
