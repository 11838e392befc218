#include "operations/audit.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"
#include "operations/lock.h"
#include "operations/order.h"

#include <stdlib.h>
#include <unistd.h>

#define NOTES_MOST 32
#define PLAN_MOST  (16 * KIB) /* of one that has ended */

struct note {
    int64_t at_ns;
    char what[32], text[480];
};

struct audit {
    int done_fd;
    pthread_mutex_t lock;
    pthread_cond_t wish;
    pthread_t thread;
    bool running, ending, wanted;
    char id[OPERATION_ID_SIZE]; /* of the wish */
    uint64_t serial;
    struct note notes[NOTES_MOST];
    size_t note_count;
    struct audit_list *fresh; /* read, and not taken yet */
    struct audit_list *taken; /* the screen's */
};

/* ---- reading: on the thread ---- */

static void list_free(struct audit_list *l)
{
    if (l)
        arena_free(&l->arena);
    free(l);
}

static const char *copy(struct audit_list *l, const char *text)
{
    return text ? arena_strdup(&l->arena, text) : NULL;
}

static bool take_operation(void *context, const struct journal_operation *o)
{
    struct audit_list *l = context;
    l->more = l->count == AUDIT_OPERATIONS;
    if (l->more)
        return false;
    struct journal_operation *to = &l->operations[l->count++];
    *to = *o;
    to->from = copy(l, o->from);
    to->to = copy(l, o->to);
    to->command = copy(l, o->command);
    to->who = copy(l, o->who);
    to->host = copy(l, o->host);
    to->archive = copy(l, o->archive);
    to->note = copy(l, o->note);
    to->verified = copy(l, o->verified);
    /* It may be resumed, restored, or taken back; one that has ended and carries a payload that was edited is too large for that. */
    bool open = o->state == OPERATION_RUNNING || o->plan.len <= PLAN_MOST;
    to->plan = open ? arena_copy(&l->arena, o->plan) : BYTES_NULL;
    if (o->state == OPERATION_RUNNING && !operation_is_locked(o->id))
        to->state = OPERATION_INTERRUPTED;
    return true;
}

static bool take_event(void *context, const struct journal_event *e)
{
    struct audit_list *l = context;
    if (l->event_count == AUDIT_EVENTS)
        return false;
    l->events[l->event_count++] = (struct journal_event){.at_ns = e->at_ns,
                                                         .who = copy(l, e->who),
                                                         .host = copy(l, e->host),
                                                         .what = copy(l, e->what),
                                                         .text = copy(l, e->text)};
    return true;
}

static bool take_message(void *context, const struct journal_message *m)
{
    struct audit_list *l = context;
    if (l->message_count == AUDIT_MESSAGES)
        return false;
    struct journal_message *to = &l->messages[l->message_count++];
    *to = *m;
    to->label = arena_copy(&l->arena, m->label);
    to->reason = copy(l, m->reason);
    to->destination = copy(l, m->destination);
    to->taken_off = arena_copy(&l->arena, m->taken_off);
    to->content = BYTES_NULL;
    return true;
}

static enum err read_messages(struct journal *j, struct audit_list *l, struct err_info *err)
{
    struct journal_operation o;
    struct journal_totals totals;
    enum err e = journal_find(j, l->id, &l->arena, &o, err);
    if (!e)
        e = journal_count(j, o.number, &totals, err);
    for (int i = 0; !e && i < DELIVERY_STATES; i++)
        l->message_total += totals.of[i];
    if (!e)
        e = journal_messages(j, o.number, ~(1U << DELIVERY_DONE), take_message, l, err);
    if (!e)
        e = journal_messages(j, o.number, 1U << DELIVERY_DONE, take_message, l, err);
    return e;
}

static struct audit_list *read_all(const char *id)
{
    struct audit_list *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    arena_init(&l->arena, 64 * MIB);
    text_copy(l->id, sizeof l->id, id);
    l->operations = arena_zalloc(&l->arena, AUDIT_OPERATIONS * sizeof *l->operations);
    l->events = arena_zalloc(&l->arena, AUDIT_EVENTS * sizeof *l->events);
    l->messages = *id ? arena_zalloc(&l->arena, AUDIT_MESSAGES * sizeof *l->messages) : NULL;
    if (!l->operations || !l->events || (*id && !l->messages)) {
        list_free(l);
        return NULL;
    }
    struct journal *j = journal_open(&l->err);
    enum err e = j ? journal_operations(j, take_operation, l, &l->err) : l->err.code;
    for (size_t i = 0; !e && i < l->count; i++)
        e = journal_recount(j, &l->operations[i], &l->err);
    if (!e)
        e = journal_events(j, take_event, l, &l->err);
    if (!e && *id)
        e = read_messages(j, l, &l->err);
    journal_close(&j);
    return l;
}

/* ---- the thread ---- */

static void write_note(const struct note *n)
{
    char who[64], host[256];
    struct err_info err = {.code = ERR_OK};
    struct journal *j = journal_open(&err);
    order_person(who, sizeof who, host, sizeof host);
    const struct journal_event e = {n->at_ns, who, host, n->what, n->text};
    if (!j || journal_note(j, &e, &err))
        log_write(LOG_ERROR, "journal", "%s %s: not noted: %s", n->what, n->text, err.text);
    journal_close(&j);
}

/* False: it is to end, and nothing is left to be noted. */
static bool next_wish(struct audit *a, struct note *note, bool *read, char *id)
{
    pthread_mutex_lock(&a->lock);
    while (!a->wanted && !a->note_count && !a->ending)
        pthread_cond_wait(&a->wish, &a->lock);
    bool noted = a->note_count > 0;
    note->what[0] = '\0';
    if (noted) {
        *note = a->notes[0];
        memmove(a->notes, a->notes + 1, --a->note_count * sizeof *a->notes);
    }
    *read = !noted && a->wanted && !a->ending;
    if (*read)
        memcpy(id, a->id, sizeof a->id);
    a->wanted &= !*read;
    pthread_mutex_unlock(&a->lock);
    return noted || *read;
}

static void *run(void *context)
{
    struct audit *a = context;
    struct note note;
    char id[OPERATION_ID_SIZE];
    bool read;
    while (next_wish(a, &note, &read, id)) {
        if (note.what[0])
            write_note(&note);
        if (!read)
            continue;
        struct audit_list *l = read_all(id);
        pthread_mutex_lock(&a->lock);
        list_free(a->fresh);
        if (l)
            l->serial = ++a->serial;
        a->fresh = l;
        pthread_mutex_unlock(&a->lock);
        (void)!write(a->done_fd, &(uint64_t){1}, sizeof(uint64_t));
    }
    return NULL;
}

/* ---- the screen's side ---- */

struct audit *audit_new(int done_fd, struct err_info *err)
{
    struct audit *a = calloc(1, sizeof *a);
    if (!a) {
        err_set(err, ERR_NOMEM, "no memory for the journal");
        return NULL;
    }
    a->done_fd = done_fd;
    pthread_mutex_init(&a->lock, NULL);
    thread_cond_init(&a->wish);
    return a;
}

void audit_free(struct audit **ap)
{
    struct audit *a = *ap;
    *ap = NULL;
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    a->ending = true;
    pthread_cond_signal(&a->wish);
    pthread_mutex_unlock(&a->lock);
    if (a->running)
        pthread_join(a->thread, NULL);
    list_free(a->fresh);
    list_free(a->taken);
    pthread_cond_destroy(&a->wish);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

/* With the lock. */
static void wish(struct audit *a)
{
    if (!a->running)
        a->running = thread_start(&a->thread, run, a);
    pthread_cond_signal(&a->wish);
}

void audit_read(struct audit *a, const char *id)
{
    pthread_mutex_lock(&a->lock);
    a->wanted = true;
    text_copy(a->id, sizeof a->id, id ? id : "");
    wish(a);
    pthread_mutex_unlock(&a->lock);
}

bool audit_take(struct audit *a, const struct audit_list **list)
{
    pthread_mutex_lock(&a->lock);
    bool any = a->fresh;
    if (any) {
        list_free(a->taken);
        a->taken = a->fresh;
        a->fresh = NULL;
        *list = a->taken;
    }
    pthread_mutex_unlock(&a->lock);
    return any;
}

void audit_note(struct audit *a, const char *what, const char *text)
{
    pthread_mutex_lock(&a->lock);
    if (a->note_count < NOTES_MOST) {
        struct note *n = &a->notes[a->note_count++];
        n->at_ns = clock_wall_ns();
        text_copy(n->what, sizeof n->what, what);
        text_copy(n->text, sizeof n->text, text);
    }
    wish(a);
    pthread_mutex_unlock(&a->lock);
}
